//! Somebody who can write to the database, and has no key of the service, changes it behind the service's
//! back. Nothing is told or computed from what was changed, and `check` names it.

use crate::on_both;
use crate::support::{
    Client, Fact, TRIAL, TRIAL_ID, TestApp, citizen, enrol, execute, facts_of, number, outcome,
};
use lodkast::access::Role;
use lodkast::conduct::check;
use lodkast::ledger::tree::{Hash, root};
use lodkast::ledger::{leaf, record};
use serde_json::{Value, json};

/// A trial with more records than one tile of the tree, and a cut of it.
struct Trial {
    administrator: Client,
    enroller: Client,
    monitor: Client,
    cut: Value,
    people: Vec<String>,
}

fn trial(app: &TestApp) -> Trial {
    let administrator = app.enrolling();
    let (enroller, source) = (app.caseworker(), app.source());
    let people: Vec<String> = (0..20)
        .map(|n| enrol(&enroller, &citizen(&number(n))))
        .collect();
    let jobs: Vec<Value> = people
        .iter()
        .enumerate()
        .flat_map(|(n, person)| {
            (0..16).map(move |i| {
                let day = format!("2026-{:02}-{:02}", 2 + i / 4, 1 + n);
                outcome(&format!("o{n}-{i}"), person, "employment_started", &day)
            })
        })
        .collect();
    source
        .post_lines(&format!("{TRIAL}/outcomes"), &jobs)
        .expect(200);
    let monitor = app.monitor();
    let cut = monitor
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201)["data_cut"]
        .clone();
    Trial {
        administrator,
        enroller,
        monitor,
        cut,
        people,
    }
}

/// Lets rows be changed that the database itself would keep.
fn unlock(app: &TestApp) {
    let sql = match app.database.starts_with("sqlite") {
        true => {
            "DROP TRIGGER facts_are_not_changed; DROP TRIGGER facts_are_not_deleted; \
                 DROP TRIGGER facts_are_numbered; DROP TRIGGER facts_are_not_replaced; \
                 DROP TRIGGER checkpoints_are_not_deleted; DROP TRIGGER ledger_nodes_are_not_changed;"
        }
        false => {
            "ALTER TABLE facts DISABLE TRIGGER ALL; ALTER TABLE checkpoints DISABLE TRIGGER ALL; \
                  ALTER TABLE ledger_nodes DISABLE TRIGGER ALL;"
        }
    };
    execute(&app.database, sql);
}

fn blob(app: &TestApp, bytes: &[u8]) -> String {
    match app.database.starts_with("sqlite") {
        true => format!("X'{}'", hex::encode(bytes)),
        false => format!("'\\x{}'::bytea", hex::encode(bytes)),
    }
}

fn text(value: &str) -> String {
    format!("'{}'", value.replace('\'', "''"))
}

/// The facts of the trial.
fn facts(app: &TestApp) -> Vec<Fact> {
    facts_of(&app.database)
        .into_iter()
        .filter(|fact| fact.0 == TRIAL_ID)
        .collect()
}

/// The first outcome, with another day.
fn another_day(app: &TestApp) -> (i64, String, Vec<u8>) {
    let facts = facts(app);
    let first = facts
        .iter()
        .find(|fact| fact.2.contains("\"kind\":\"outcome\""))
        .unwrap();
    let mut changed: Value = serde_json::from_str(&first.2).unwrap();
    changed["body"]["effective_on"] = json!("2026-10-30");
    changed["effective_on"] = json!("2026-10-30");
    (first.1, record(&changed), first.3.clone())
}

fn set(app: &TestApp, sequence: i64, columns: &[(&str, String)]) {
    let columns: Vec<String> = columns
        .iter()
        .map(|(name, value)| format!("{name} = {value}"))
        .collect();
    execute(
        &app.database,
        &format!(
            "UPDATE facts SET {} WHERE trial_id = '{TRIAL_ID}' AND sequence = {sequence}",
            columns.join(", "),
        ),
    );
}

/// The analysis of the cut is refused, and so is its export; the text names what is wrong.
fn is_refused(trial: &Trial, cut: &Value, named: &str) {
    let analysis = trial
        .monitor
        .post(&format!("{TRIAL}/analyses"), &json!({"data_cut": cut}));
    let problem = analysis.expect_problem(500, "ledger-does-not-verify");
    assert!(
        problem["detail"].as_str().unwrap().contains(named),
        "{problem}"
    );
    let export = trial
        .monitor
        .get(&format!("{TRIAL}/exports/outcomes.csv?data_cut={cut}"));
    export.expect_problem(500, "ledger-does-not-verify");
}

fn is_named_by_check(app: &TestApp, named: &str) {
    let report = check::run(&app.service, None).unwrap();
    let told = report.differences.join("\n");
    assert!(told.contains(named), "{named}: {told}");
}

on_both! {
    fn an_untouched_database_is_as_it_was_written(app: &TestApp) {
        let trial = trial(app);
        trial.monitor.post(&format!("{TRIAL}/analyses"), &json!({"data_cut": trial.cut})).expect(201);
        let report = check::run(&app.service, None).unwrap();
        assert_eq!(report.differences, Vec::<String>::new());
        assert_eq!(report.draws, 20);
        let one = check::run(&app.service, Some(TRIAL_ID)).unwrap();
        assert_eq!(one.differences, Vec::<String>::new());
        assert!(check::run(&app.service, Some("none")).is_err());
    }

    fn a_record_that_is_changed_alone_is_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let (sequence, changed, _) = another_day(app);
        set(app, sequence, &[("record", text(&changed)), ("effective_on", "'2026-10-30'".into())]);
        let named = format!("record {sequence}: its record is not the one of its leaf");
        is_refused(&trial, &trial.cut, &named);
        is_named_by_check(app, &named);
    }

    fn a_record_that_is_changed_with_its_leaf_is_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let (sequence, changed, salt) = another_day(app);
        let leaf = leaf(&salt.try_into().unwrap(), &changed);
        set(app, sequence, &[
            ("record", text(&changed)), ("effective_on", "'2026-10-30'".into()), ("leaf", blob(app, &leaf.0)),
        ]);
        let named = format!("record {sequence}: the service did not write it");
        is_refused(&trial, &trial.cut, &named);
        is_named_by_check(app, &named);
    }

    fn a_record_that_is_changed_with_salt_leaf_and_nodes_is_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let (sequence, changed, _) = another_day(app);
        let salt = [7; 32];
        let new = leaf(&salt, &changed);
        set(app, sequence, &[
            ("record", text(&changed)), ("effective_on", "'2026-10-30'".into()),
            ("salt", blob(app, &salt)), ("leaf", blob(app, &new.0)),
        ]);
        // The kept node over the first 256 leaves is made anew too.
        let leaves: Vec<Hash> =
            facts(app).iter().map(|fact| fact.4.as_slice().try_into().unwrap()).collect();
        assert!(sequence <= 256 && leaves.len() > 256);
        execute(&app.database, &format!(
            "UPDATE ledger_nodes SET hash = {} WHERE trial_id = '{TRIAL_ID}' AND level = 8 AND position = 0",
            blob(app, &root(&leaves[..256])),
        ));
        let named = format!("record {sequence}: the service did not write it");
        is_refused(&trial, &trial.cut, &named);
        is_named_by_check(app, &named);
        // It is signed no more: the tree does not go on from the last note.
        trial.administrator.get(&format!("{TRIAL}/ledger/checkpoint?size={}", trial.cut)).expect(200);
        trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(70))).expect(201);
        let head = trial.administrator.get(&format!("{TRIAL}/ledger/checkpoint"));
        head.expect_problem(500, "ledger-does-not-verify");
    }

    fn columns_that_say_something_else_than_their_record_are_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let (sequence, ..) = another_day(app);
        let other = format!("'{}'", trial.people[19]);
        set(app, sequence, &[("participant_id", other)]);
        let named = format!("record {sequence}: its columns are not those of its record");
        is_refused(&trial, &trial.cut, &named);
        is_named_by_check(app, &named);
    }

    fn a_record_that_is_slipped_in_at_the_end_is_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let facts = facts(app);
        let (_, sequence, last, ..) = facts.last().unwrap();
        let mut forged: Value = serde_json::from_str(last).unwrap();
        let (id, salt) = (uuid::Uuid::new_v4().to_string(), [9; 32]);
        forged["id"] = json!(id);
        forged["source_id"] = json!("forged");
        let forged = record(&forged);
        execute(&app.database, &format!(
            "UPDATE ledger_heads SET next_sequence = {next} WHERE trial_id = '{TRIAL_ID}'; \
             INSERT INTO facts SELECT trial_id, {number}, '{id}', kind, participant_id, site, effective_on, \
             recorded_at, recorded_by, source, 'forged', NULL, {record}, {salt}, {leaf} \
             FROM facts WHERE trial_id = '{TRIAL_ID}' AND sequence = {sequence}",
            next = sequence + 2, number = sequence + 1, record = text(&forged),
            salt = blob(app, &salt), leaf = blob(app, &leaf(&salt, &forged).0),
        ));
        // The cut that was made before still holds; one that would take the forged record in does not.
        trial.monitor.post(&format!("{TRIAL}/analyses"), &json!({"data_cut": trial.cut})).expect(201);
        let cut = trial.monitor.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201)["data_cut"].clone();
        let named = format!("record {}: the service did not write it", sequence + 1);
        is_refused(&trial, &cut, &named);
        is_named_by_check(app, &named);
    }

    fn records_that_are_deleted_are_missed(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        execute(&app.database, &format!(
            "DELETE FROM facts WHERE trial_id = '{TRIAL_ID}' AND sequence BETWEEN 100 AND 109"
        ));
        is_refused(&trial, &trial.cut, "at record 100: it is missing");
        is_named_by_check(app, "record 100 is missing");
        is_named_by_check(app, "record 109 is missing");
    }

    fn records_that_are_deleted_at_the_end_are_missed(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let last = facts(app).last().unwrap().1;
        execute(&app.database, &format!(
            "DELETE FROM facts WHERE trial_id = '{TRIAL_ID}' AND sequence = {last}"
        ));
        // Nothing more is written over the gap.
        let enrolment = trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(71)));
        enrolment.expect_problem(500, "ledger-does-not-verify");
        is_named_by_check(app, &format!("its last record has number {}, and the next is to be {}", last - 1, last + 1));
    }

    fn a_record_that_is_emptied_without_an_erasure_is_found(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        let (sequence, ..) = another_day(app);
        set(app, sequence, &[
            ("record", "''".into()), ("salt", blob(app, &[])), ("effective_on", "NULL".into()),
            ("source_id", "NULL".into()),
        ]);
        // Putting the person down for erasure is of no use: the ledger has no fact of it.
        execute(&app.database, &format!(
            "INSERT INTO erasures VALUES ('{TRIAL_ID}', '{}', '2026-11-21 12:00:00', 'x')", trial.people[0]
        ));
        let named = format!("record {sequence}: its record is gone, and nobody erased it");
        is_refused(&trial, &trial.cut, &named);
        is_named_by_check(app, &named);
    }

    fn notes_that_are_deleted_are_missed(app: &TestApp) {
        let trial = trial(app);
        unlock(app);
        execute(&app.database, &format!("DELETE FROM checkpoints WHERE trial_id = '{TRIAL_ID}'"));
        is_refused(&trial, &trial.cut, "the signed note of the cut is missing");
        is_named_by_check(app, &format!("data cut {} has no signed note", trial.cut));
    }

    fn a_note_of_somebody_elses_is_no_note(app: &TestApp) {
        use lodkast::ledger::note::{Checkpoint, Kind, Note, NoteSigner};
        let trial = trial(app);
        unlock(app);
        let origin = format!("lodkast/{TRIAL_ID}");
        let signer = NoteSigner::new(&origin, Kind::Log, &[5; 32]).unwrap();
        let size = trial.cut.as_u64().unwrap();
        let text_of = Checkpoint { origin, size, root: [1; 32] }.text();
        let note = Note { signatures: vec![signer.sign(&text_of, 0)], text: text_of };
        // Their public key is put among those that the service remembers.
        let public = hex::encode(signer.verifier().public_key());
        if !app.database.starts_with("sqlite") {
            execute(&app.database, "ALTER TABLE checkpoints DISABLE TRIGGER ALL");
        } else {
            execute(&app.database, "DROP TRIGGER checkpoints_are_not_changed");
        }
        execute(&app.database, &format!(
            "UPDATE checkpoints SET root = {}, note = {} WHERE trial_id = '{TRIAL_ID}' AND size = {size}",
            blob(app, &[1; 32]), text(&note.to_string()),
        ));
        is_refused(&trial, &trial.cut, "is not one that the service signed");
        execute(&app.database, &format!(
            "INSERT INTO installation VALUES ('ledger_key/{}', '{public}:{}')", &public[..16], "00".repeat(32)
        ));
        is_refused(&trial, &trial.cut, "a remembered key of its notes is not one of the service");
    }

    fn a_changed_arm_is_told_to_nobody(app: &TestApp) {
        let trial = trial(app);
        execute(&app.database, &format!(
            "UPDATE participants SET arm = CASE arm WHEN 'digital' THEN 'physical' ELSE 'digital' END \
             WHERE id = '{}'", trial.people[3],
        ));
        let again = trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(3)));
        again.expect_problem(500, "ledger-does-not-verify");
        let show = trial.enroller.get(&format!("{TRIAL}/participants/{}", trial.people[3]));
        show.expect_problem(500, "ledger-does-not-verify");
        trial.enroller.get(&format!("{TRIAL}/participants")).expect_problem(500, "ledger-does-not-verify");
        let search = json!({"citizen": {"scheme": "cpr", "value": number(3)}});
        let found = trial.enroller.post(&format!("{TRIAL}/participants/search"), &search);
        found.expect_problem(500, "ledger-does-not-verify");
        // Whoever was not touched is told as before.
        trial.enroller.get(&format!("{TRIAL}/participants/{}", trial.people[4])).expect(200);
        is_named_by_check(app, "the row of its participant is not what it says");
    }

    fn a_counter_that_is_set_back_or_forward_draws_nobody(app: &TestApp) {
        let trial = trial(app);
        for next in [3, 25] {
            execute(&app.database, &format!("UPDATE strata SET next_index = {next} WHERE trial_id = '{TRIAL_ID}'"));
            let enrolment = trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(72)));
            let problem = enrolment.expect_problem(500, "ledger-does-not-verify");
            assert!(problem["detail"].as_str().unwrap().contains("20 were drawn of stream"), "{problem}");
            is_named_by_check(app, &format!("its next index is {next}"));
        }
        execute(&app.database, &format!("UPDATE strata SET next_index = 20 WHERE trial_id = '{TRIAL_ID}'"));
        trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(72))).expect(201);
    }

    fn a_state_of_a_minimization_that_its_draws_do_not_lead_to_draws_nobody(app: &TestApp) {
        let scheme = json!({"method": "minimization", "probability": [3, 4]});
        app.enrolling_with(&crate::support::protocol_by(&scheme));
        let enroller = app.caseworker();
        for n in 0..6 {
            enrol(&enroller, &citizen(&number(n)));
        }
        let kept = app.service.store.read(|tx| tx.find_minimization(TRIAL_ID, 1)).unwrap().unwrap();
        let mut state: Value = serde_json::from_str(&kept).unwrap();
        state["counts"]["site"]["Aalborg"] = json!([6, 0]);
        execute(&app.database, &format!("UPDATE minimizations SET state = {}", text(&state.to_string())));
        let enrolment = enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(9)));
        enrolment.expect_problem(500, "ledger-does-not-verify");
        is_named_by_check(app, "the state of its minimization");
        execute(&app.database, &format!("UPDATE minimizations SET state = {}", text(&kept)));
        enrol(&enroller, &citizen(&number(9)));
    }

    fn an_old_status_that_is_put_back_opens_nothing(app: &TestApp) {
        let trial = trial(app);
        let close = json!({"to": "closed", "reason": "enough"});
        trial.administrator.post(&format!("{TRIAL}/status"), &close).expect(200);
        execute(&app.database, &format!("UPDATE trials SET status = 'enrolling' WHERE id = '{TRIAL_ID}'"));
        let enrolment = trial.enroller.post(&format!("{TRIAL}/enrolments"), &citizen(&number(73)));
        enrolment.expect_problem(500, "ledger-does-not-verify");
        is_named_by_check(app, "is not what its last change of status says");
        execute(&app.database, &format!("UPDATE trials SET status = 'draft', registration = 0 WHERE id = '{TRIAL_ID}'"));
        trial.administrator.get(TRIAL).expect_problem(500, "ledger-does-not-verify");
    }

    fn a_changed_result_is_told_to_nobody(app: &TestApp) {
        let trial = trial(app);
        let analysis = trial.monitor.post(&format!("{TRIAL}/analyses"), &json!({"data_cut": trial.cut})).expect(201);
        let path = format!("{TRIAL}/analyses/{}", analysis["analysis"].as_str().unwrap());
        trial.monitor.get(&path).expect(200);
        execute(&app.database, "UPDATE analysis_results SET result = REPLACE(result, '0.', '0.9')");
        trial.monitor.get(&path).expect_problem(500, "ledger-does-not-verify");
        trial.monitor.get(&format!("{TRIAL}/analyses")).expect_problem(500, "ledger-does-not-verify");
        is_named_by_check(app, "is not the one that was computed");
        execute(&app.database, "DELETE FROM analysis_results");
        is_named_by_check(app, "was stored and is gone or changed");
    }

    fn a_key_that_nobody_issued_opens_nothing(app: &TestApp) {
        let administrator = app.administrator();
        let own = lodkast::access::KeyText::random();
        execute(&app.database, &format!(
            "INSERT INTO api_keys (id, name, role, secret_hash, created_at, person_id, expires_at) \
             SELECT '{}', 'Mallory', 'monitor', '{}', created_at, person_id, expires_at FROM api_keys",
            own.id, own.hash(),
        ));
        app.client(&own.reveal()).get("/v1/trials").expect_problem(401, "unauthenticated");
        is_named_by_check(app, &format!("key {} (Mallory): nobody issued it", own.id));
        administrator.get("/v1/trials").expect(200);
    }

    fn a_key_that_is_changed_or_put_back_opens_nothing(app: &TestApp) {
        let administrator = app.administrator();
        let id = |client: &Client| client.key.split('_').nth(1).unwrap().to_owned();
        let (revoked, promoted, prolonged) = (
            app.key(Role::Auditor, "a", None, &[]),
            app.key(Role::Auditor, "b", None, &[]),
            app.key(Role::Auditor, "c", None, &[]),
        );
        administrator.delete(&format!("/v1/keys/{}", id(&revoked))).expect(204);
        // The row as it was before the revocation.
        execute(&app.database, &format!("UPDATE api_keys SET revoked_at = NULL, revoked_by = NULL WHERE id = '{}'", id(&revoked)));
        execute(&app.database, &format!("UPDATE api_keys SET role = 'monitor' WHERE id = '{}'", id(&promoted)));
        execute(&app.database, &format!("UPDATE api_keys SET expires_at = '2099-01-01 00:00:00' WHERE id = '{}'", id(&prolonged)));
        for client in [&revoked, &promoted, &prolonged] {
            client.get("/v1/trials").expect_problem(401, "unauthenticated");
        }
        for named in ["its revocation is not what its facts say", "it is not what was issued", "it expires at another time"] {
            is_named_by_check(app, named);
        }
        execute(&app.database, &format!("DELETE FROM api_keys WHERE id = '{}'", id(&promoted)));
        is_named_by_check(app, "was issued and is gone");
    }

    /// Not seen when the key is used, as docs/verification.md says: `lodkast check` misses the fact.
    fn a_revocation_that_is_taken_out_is_found_by_check(app: &TestApp) {
        let trial = trial(app);
        let key = app.key(Role::Auditor, "a", None, &[]);
        let id = key.key.split('_').nth(1).unwrap().to_owned();
        trial.administrator.delete(&format!("/v1/keys/{id}")).expect(204);
        trial.administrator.get("/v1/installation/ledger/checkpoint").expect(200);
        unlock(app);
        execute(&app.database, "DELETE FROM facts WHERE kind = 'key_revoked'");
        execute(&app.database, "UPDATE api_keys SET revoked_at = NULL, revoked_by = NULL");
        is_named_by_check(app, "@installation");
    }

    fn a_request_that_nobody_made_is_signed_by_nobody(app: &TestApp) {
        let (anna, bo) = (app.administrator(), app.key(Role::Administrator, "Bo", None, &[]));
        let own = lodkast::access::KeyText::random();
        let wish = json!({"role": "monitor", "name": "M", "key_id": own.id, "secret_sha256": own.hash()});
        let asked = anna.post("/v1/keys", &wish).expect(202);
        // Bo makes of Anna's request one for a key of his own.
        let other = lodkast::access::KeyText::random();
        execute(&app.database, &format!(
            "UPDATE requests SET object = REPLACE(object, '{}', '{}')", own.hash(), other.hash()
        ));
        let sign = bo.post(asked["approval"].as_str().unwrap(), &json!({}));
        sign.expect_problem(500, "ledger-does-not-verify");
    }

    fn a_swapped_registration_is_not_the_one_that_was_committed_to(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &crate::support::protocol()).expect(201);
        for _ in 0..2 {
            administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        }
        execute(&app.database,
            "UPDATE registrations SET sealed_seed = (SELECT sealed_seed FROM registrations WHERE number = 1) \
             WHERE number = 2");
        let fresh = app.another_copy();
        let told = fresh.client(&administrator.key).get(TRIAL);
        told.expect_problem(500, "ledger-does-not-verify");
    }
}
