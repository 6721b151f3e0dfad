//! The ledger through the service: checkpoints, entries, proofs; and what the database refuses.

use crate::on_both;
use crate::support::{Client, TRIAL, TRIAL_ID, TestApp, citizen, conversation, enrol, number};
use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use lodkast::ledger::note::{Checkpoint, Note, VerifierKey};
use lodkast::ledger::tree::{Hash, is_consistent, root, root_from_inclusion};
use lodkast::store::NewFact;
use serde_json::{Value, json};

fn hash(value: &Value) -> Hash {
    hex::decode(value.as_str().unwrap())
        .unwrap()
        .try_into()
        .unwrap()
}

fn hashes(proof: &Value) -> Vec<Hash> {
    proof["hashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(hash)
        .collect()
}

fn head(client: &Client) -> Value {
    client
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .expect(200)
}

fn all_leaves(client: &Client) -> Vec<Hash> {
    let mut leaves = Vec::new();
    loop {
        let path = format!("{TRIAL}/ledger/entries?limit=1000&cursor={}", leaves.len());
        let page = client.get(&path).expect(200);
        let items = page["items"].as_array().unwrap();
        for item in items {
            assert_eq!(
                item["sequence"].as_u64().unwrap() as usize,
                leaves.len() + 1
            );
            leaves.push(hash(&item["leaf"]));
        }
        if items.len() < 1000 {
            return leaves;
        }
    }
}

/// The root of a head is that of all entries, and some of them are proved to be in it.
pub fn entries_are_proved(client: &Client, head: &Value) {
    let leaves = all_leaves(client);
    let size = head["size"].as_u64().unwrap();
    assert!(leaves.len() as u64 >= size);
    assert_eq!(root(&leaves[..size as usize]), hash(&head["root"]));
    for sequence in (1..=size).step_by((size as usize / 9).max(1)) {
        let path = format!("{TRIAL}/ledger/proofs/inclusion?sequence={sequence}&size={size}");
        let proof = client.get(&path).expect(200);
        let leaf = hash(&proof["leaf"]);
        assert_eq!(leaf, leaves[sequence as usize - 1]);
        let led_to = root_from_inclusion(&leaf, sequence - 1, size, &hashes(&proof));
        assert_eq!(led_to, Some(hash(&head["root"])), "{sequence} of {size}");
    }
}

fn is_proved_to_go_on(client: &Client, old: &Value, new: &Value) {
    let (from, to) = (old["size"].as_u64().unwrap(), new["size"].as_u64().unwrap());
    let path = format!("{TRIAL}/ledger/proofs/consistency?from={from}&to={to}");
    let proof = hashes(&client.get(&path).expect(200));
    assert!(
        is_consistent(from, &hash(&old["root"]), to, &hash(&new["root"]), &proof),
        "{from} to {to}"
    );
}

on_both! {
    fn a_checkpoint_is_signed_over_everything_that_is_committed(app: &TestApp) {
        let administrator = app.enrolling();
        let first = head(&administrator);
        // Registration and status.
        assert_eq!(first["size"], 2);
        let note = Note::parse(first["checkpoint"].as_str().unwrap()).unwrap();
        let key = VerifierKey::parse(first["keys"][0].as_str().unwrap()).unwrap();
        assert_eq!(key.verify(&note), Ok(None));
        assert_eq!(key.name, "lodkast/digital-conversations");
        let signed = Checkpoint::parse(&note.text).unwrap();
        assert_eq!((signed.size, signed.root), (2, hash(&first["root"])));
        assert_eq!(signed.origin, first["origin"].as_str().unwrap());
        assert_eq!(head(&administrator), first, "nothing came: it is the same");
        // A key that sees arms is a fact of the trial, an enrolment is two.
        enrol(&app.caseworker(), &citizen(&number(1)));
        let second = head(&administrator);
        assert_eq!(second["size"], 5);
        is_proved_to_go_on(&administrator, &first, &second);
        let old = administrator.get(&format!("{TRIAL}/ledger/checkpoint?size=2")).expect(200);
        assert_eq!(old, first);
        administrator.get(&format!("{TRIAL}/ledger/checkpoint?size=3")).expect_problem(404, "not-found");
    }

    fn every_tree_of_a_growing_ledger_is_proved(app: &TestApp) {
        let administrator = app.enrolling();
        let participant = enrol(&app.caseworker(), &citizen(&number(1)));
        let source = app.source();
        let mut heads = vec![head(&administrator)];
        // Over the edges of the kept nodes: 256, 512, 768 leaves.
        for (i, many) in [200, 51, 1, 1, 256, 300].into_iter().enumerate() {
            let records: Vec<Value> =
                (0..many).map(|n| conversation(&format!("{i}-{n}"), &participant)).collect();
            source.post_lines(&format!("{TRIAL}/conversations"), &records).expect(200);
            heads.push(head(&administrator));
        }
        assert_eq!(heads.last().unwrap()["size"], 5 + 809);
        for new in &heads {
            entries_are_proved(&administrator, new);
            for old in heads.iter().filter(|old| old["size"].as_u64() <= new["size"].as_u64()) {
                is_proved_to_go_on(&administrator, old, new);
            }
        }
    }

    fn checkpoints_are_signed_and_proved_while_facts_are_written(app: &TestApp) {
        let administrator = app.enrolling();
        let participant = enrol(&app.caseworker(), &citizen(&number(1)));
        let source = app.source();
        let done = std::sync::atomic::AtomicBool::new(false);
        let heads: Vec<Value> = std::thread::scope(|scope| {
            let watching = scope.spawn(|| {
                let mut heads = Vec::new();
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    heads.push(head(&administrator));
                    administrator.get(&format!("{TRIAL}/ledger/proofs/inclusion?sequence=1")).expect(200);
                }
                heads
            });
            for i in 0..12 {
                let records: Vec<Value> =
                    (0..250).map(|n| conversation(&format!("{i}-{n}"), &participant)).collect();
                source.post_lines(&format!("{TRIAL}/conversations"), &records).expect(200);
            }
            done.store(true, std::sync::atomic::Ordering::SeqCst);
            watching.join().unwrap()
        });
        let last = head(&administrator);
        assert_eq!(last["size"], 5 + 3_000);
        assert!(heads.len() > 2, "{} checkpoints", heads.len());
        for old in &heads {
            is_proved_to_go_on(&administrator, old, &last);
        }
        entries_are_proved(&administrator, &last);
    }

    fn what_is_no_entry_or_tree_is_refused_by_name(app: &TestApp) {
        let administrator = app.enrolling();
        let get = |path: &str| administrator.get(&format!("{TRIAL}/ledger/{path}"));
        for (path, field) in [
            ("proofs/inclusion?sequence=0", "sequence"),
            ("proofs/inclusion?sequence=3", "sequence"),
            ("proofs/inclusion?sequence=1&size=3", "size"),
            ("proofs/inclusion?sequence=1&size=0", "size"),
            ("proofs/consistency?from=3", "from"),
            ("proofs/consistency?from=-1", "from"),
            ("proofs/consistency?from=1&to=9", "to"),
        ] {
            let problem = get(path).expect(422);
            assert_eq!(crate::support::invalid(&problem), [field], "{path}");
        }
        get("proofs/inclusion?sequence=x").expect_problem(400, "bad-query");
        get("proofs/inclusion").expect_problem(400, "bad-query");
        let mut other = crate::support::protocol();
        other["id"] = json!("draft");
        administrator.post("/v1/trials", &other).expect(201);
        administrator.get("/v1/trials/draft/ledger/checkpoint").expect_problem(409, "wrong-status");
    }

    fn the_database_refuses_to_change_or_delete_what_stands(app: &TestApp) {
        let administrator = app.enrolling();
        let participant = enrol(&app.caseworker(), &citizen(&number(1)));
        let records: Vec<Value> =
            (0..300).map(|n| conversation(&format!("c{n}"), &participant)).collect();
        app.source().post_lines(&format!("{TRIAL}/conversations"), &records).expect(200);
        let before = head(&administrator);
        administrator.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201);
        let empty = if app.database.starts_with("sqlite") { "X''" } else { "''::bytea" };
        for statement in [
            "UPDATE facts SET record = '{}'".to_owned(),
            "UPDATE facts SET leaf = salt WHERE sequence = 1".to_owned(),
            "UPDATE data_cuts SET created_by = 'x'".to_owned(),
            "UPDATE facts SET sequence = sequence + 1000".to_owned(),
            "UPDATE facts SET kind = 'other' WHERE kind = 'enrolment'".to_owned(),
            "DELETE FROM facts".to_owned(),
            "DELETE FROM facts WHERE sequence = 4".to_owned(),
            slipped_in(0),
            slipped_in(99_999),
            "UPDATE ledger_nodes SET position = position + 1".to_owned(),
            "DELETE FROM ledger_nodes".to_owned(),
            "UPDATE checkpoints SET note = ''".to_owned(),
            "DELETE FROM checkpoints".to_owned(),
            // The door of erasure, for whoever was not put down for it.
            format!("UPDATE facts SET record = '', salt = {empty}, effective_on = NULL WHERE kind = 'enrolment'"),
        ] {
            assert!(run(app, &statement).is_err(), "{statement}");
        }
        if app.database.starts_with("sqlite") {
            for table in ["facts", "ledger_nodes", "checkpoints", "data_cuts"] {
                let again = format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table}");
                assert!(run(app, &again).is_err(), "{again}");
                let again = format!("REPLACE INTO {table} SELECT * FROM {table} LIMIT 1");
                assert!(run(app, &again).is_err(), "{again}");
            }
            let moved = "INSERT OR REPLACE INTO facts SELECT trial_id, sequence + 5000, id, kind, \
                         participant_id, site, effective_on, recorded_at, recorded_by, source, \
                         source_id, replaces, 'forged', salt, leaf FROM facts WHERE source_id = 'c7'";
            assert!(run(app, moved).is_err(), "a record of a source is put in another place");
        } else {
            assert!(run(app, "TRUNCATE facts CASCADE").is_err());
            assert!(run(app, "TRUNCATE checkpoints").is_err());
        }
        // Put down for erasure, only record and salt of what is not the draw can be emptied.
        let down = format!(
            "INSERT INTO erasures VALUES ('{TRIAL_ID}', '{participant}', '2026-01-01 00:00:00', 'x')"
        );
        run(app, &down).unwrap();
        for statement in [
            format!("UPDATE facts SET record = '', salt = {empty}, effective_on = NULL WHERE kind = 'draw'"),
            format!("UPDATE facts SET record = '', salt = {empty} WHERE kind = 'enrolment'"),
            format!("UPDATE facts SET record = '', salt = {empty}, effective_on = NULL, site = 'x' WHERE kind = 'enrolment'"),
            format!("UPDATE facts SET record = '', salt = {empty}, effective_on = NULL, leaf = {empty} WHERE kind = 'enrolment'"),
            "UPDATE facts SET record = '{}' WHERE kind = 'enrolment'".to_owned(),
            format!("UPDATE facts SET record = '', salt = {empty} WHERE kind = 'status'"),
            "DELETE FROM erasures".to_owned(),
            "UPDATE erasures SET reason = ''".to_owned(),
        ] {
            assert!(run(app, &statement).is_err(), "{statement}");
        }
        let door = format!("UPDATE facts SET record = '', salt = {empty}, effective_on = NULL, source_id = NULL WHERE kind = 'enrolment'");
        run(app, &door).unwrap();
        entries_are_proved(&administrator, &before);
        assert_eq!(head(&administrator), before);
    }
}

/// A statement that slips a fact in beside the record sequence.
fn slipped_in(sequence: i64) -> String {
    format!(
        "INSERT INTO facts SELECT trial_id, {sequence}, 'slipped', kind, participant_id, site, \
         effective_on, recorded_at, recorded_by, source, NULL, NULL, record, salt, leaf \
         FROM facts WHERE sequence = 3"
    )
}

/// What the erasure leaves, and what it says.
mod erasure {
    use super::*;
    use lodkast::conduct::erase::{self, Whom};

    fn by_id(id: &str) -> Whom {
        Whom::Participant(id.to_owned())
    }

    on_both! {
        fn a_person_is_forgotten_and_the_ledger_still_holds(app: &TestApp) {
            let administrator = app.enrolling();
            let (enroller, source) = (app.enroller(), app.source());
            let people: Vec<String> =
                (0..4).map(|n| enrol(&enroller, &citizen(&number(n)))).collect();
            for (n, person) in people.iter().enumerate() {
                let record = conversation(&format!("c{n}"), person);
                source.post(&format!("{TRIAL}/conversations"), &record).expect(201);
            }
            let monitor = app.monitor();
            let cut = monitor.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201)["data_cut"].clone();
            let before = head(&administrator);
            let reason = "Article 17 of the GDPR";
            let erased = erase::run(&app.service, TRIAL_ID, &by_id(&people[1]), reason).unwrap();
            assert_eq!((erased.facts, erased.again), (2, false));
            // Again, as after a restore: nothing is left to erase, and nothing new is on file.
            let after = head(&administrator);
            assert_eq!(after["size"].as_u64(), before["size"].as_u64().map(|n| n + 1));
            assert_eq!(erase::run(&app.service, TRIAL_ID, &by_id(&people[1]), reason).unwrap().facts, 0);
            assert_eq!(head(&administrator), after);
            is_proved_to_go_on(&administrator, &before, &after);
            entries_are_proved(&administrator, &after);

            let path = format!("{TRIAL}/participants/{}", people[1]);
            enroller.get(&path).expect_problem(404, "unknown-participant");
            let record = conversation("late", &people[1]);
            source.post(&format!("{TRIAL}/conversations"), &record).expect_problem(404, "unknown-participant");
            let flow = administrator.get(&format!("{TRIAL}/flow")).expect(200);
            assert_eq!((&flow["randomized"], &flow["erased"]), (&json!(4), &json!(1)));
            let analysis = monitor.post(&format!("{TRIAL}/analyses"), &json!({"data_cut": cut})).expect(201);
            let text = analysis["result"].to_string();
            assert!(text.contains("1 participants were drawn whose records a law has had erased"), "{text}");
            assert_eq!(analysis["result"]["data"]["rows"], 3);
            // The stratum goes on behind the erased draw.
            enrol(&enroller, &citizen(&number(9)));
            assert_eq!(crate::support::draws_follow_the_seed(app), 5);
            // The answer that was kept for the request that enrolled is gone too.
            let again = enroller.post_with_key(&format!("{TRIAL}/enrolments"), "kept", &citizen(&number(9)));
            assert_eq!((again.status, &again["already_enrolled"]), (200, &json!(true)));
            let person = again["participant"].as_str().unwrap().to_owned();
            erase::run(&app.service, TRIAL_ID, &by_id(&person), reason).unwrap();
            let anew = enroller.post_with_key(&format!("{TRIAL}/enrolments"), "kept", &citizen(&number(9)));
            assert_eq!((anew.status, &anew["failed"]), (422, &json!(["excluded"])), "{}", anew.text);
            assert!(erase::run(&app.service, TRIAL_ID, &by_id("nobody"), reason).is_err());
            assert!(erase::run(&app.service, TRIAL_ID, &by_id(&people[2]), "of 010190-1234").is_err());
        }
    }
}

fn run(app: &TestApp, sql: &str) -> diesel::QueryResult<()> {
    match app.database.strip_prefix("sqlite://") {
        Some(path) => SqliteConnection::establish(path)
            .unwrap()
            .batch_execute(sql),
        None => PgConnection::establish(&app.database)
            .unwrap()
            .batch_execute(sql),
    }
}

/// Who was screened out, or is only on the list of a unit, has no id that anybody was told.
#[test]
fn citizens_are_erased_by_their_number() {
    use lodkast::conduct::erase;
    let app = TestApp::sqlite();
    app.enrolling_with(&crate::support::protocol_by(&crate::draw::methods()[6]));
    let enroller = app.enroller();
    let mut excluded = citizen(&number(1));
    excluded["site"] = json!("Sted 1");
    excluded["eligibility"]["needs_interpreter"] = json!(true);
    enroller
        .post(&format!("{TRIAL}/enrolments"), &excluded)
        .expect(422);
    let listed = citizen(&number(2))["citizen"].clone();
    let list = json!({"unit": "Sted 2", "citizens": [listed]});
    enroller
        .post(&format!("{TRIAL}/units/lists"), &list)
        .expect(201);
    let erase = |citizen: &Value| {
        let whom = erase::citizen(&app.service, TRIAL_ID, citizen).unwrap();
        erase::run(&app.service, TRIAL_ID, &whom, "Article 17")
    };
    let erased = erase(&excluded["citizen"]).unwrap();
    assert_eq!((erased.facts, erased.lists), (1, 0));
    let erased = erase(&listed).unwrap();
    assert_eq!((erased.facts, erased.lists), (0, 1));
    assert!(erase(&listed).is_err(), "nothing of them is left");
    assert!(erase(&citizen(&number(3))["citizen"]).is_err());
    let flow = app.administrator().get(&format!("{TRIAL}/flow"));
    assert_eq!(flow["records"]["erasure"], 2);
}

/// Whoever writes to the database can make a row say anything; what the ledger says stands over it.
#[test]
fn a_status_that_the_ledger_does_not_know_opens_nothing_and_a_shorter_ledger_is_not_signed() {
    let app = TestApp::sqlite();
    let administrator = app.enrolling();
    enrol(&app.caseworker(), &citizen(&number(1)));
    head(&administrator);
    run(&app, "UPDATE trials SET status = 'unblinded'").unwrap();
    administrator
        .get(&format!("{TRIAL}/bundle"))
        .expect_problem(500, "ledger-does-not-verify");
    run(&app, "UPDATE trials SET status = 'enrolling'").unwrap();
    run(&app, "UPDATE ledger_heads SET next_sequence = 3").unwrap();
    administrator
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .expect_problem(500, "ledger-does-not-verify");
    run(&app, "UPDATE ledger_heads SET next_sequence = 6").unwrap();
    head(&administrator);
}

/// Beyond 65,536 leaves the second kept level of nodes stands in the proofs.
#[test]
fn a_ledger_of_many_entries_is_proved_from_its_kept_nodes() {
    let app = TestApp::sqlite();
    let administrator = app.enrolling();
    let fact = |n: u32| {
        let (salt, record) = ([7; 32], format!("{{\"n\":{n}}}"));
        NewFact {
            id: n.to_string(),
            kind: "look".into(),
            participant_id: None,
            site: None,
            effective_on: None,
            recorded_at: app.clock.now().naive_utc(),
            recorded_by: "test".into(),
            source: None,
            source_id: None,
            replaces: None,
            leaf: lodkast::ledger::leaf(&salt, &record).0.to_vec(),
            salt: salt.to_vec(),
            record,
        }
    };
    let mut heads = Vec::new();
    for range in [0..65_500, 65_500..65_540, 65_540..140_000_u32] {
        app.service
            .store
            .write(|tx| -> Result<(), lodkast::store::StoreError> {
                let first = tx.take_sequence(TRIAL_ID, range.len() as i64)?;
                tx.insert_facts(TRIAL_ID, first, range.clone().map(fact).collect())
            })
            .unwrap();
        heads.push(head(&administrator));
    }
    entries_are_proved(&administrator, &heads[2]);
    is_proved_to_go_on(&administrator, &heads[0], &heads[1]);
    is_proved_to_go_on(&administrator, &heads[0], &heads[2]);
    is_proved_to_go_on(&administrator, &heads[1], &heads[2]);
}
