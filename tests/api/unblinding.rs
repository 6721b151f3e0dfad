//! The end of a trial: locked, unblinded by two persons, archived; what is open then.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, citizen, conversation, enrol, number};
use lodkast::access::Role;
use serde_json::{Value, json};

fn to(client: &Client, status: &str) -> crate::support::Answer {
    let body = json!({"to": status, "reason": "because"});
    client.post(&format!("{TRIAL}/status"), &body)
}

fn why(answer: crate::support::Answer) -> String {
    answer.expect_problem(409, "wrong-status")["detail"]
        .as_str()
        .unwrap()
        .to_owned()
}

on_both! {
    fn a_trial_is_locked_when_follow_up_is_over_and_the_final_cut_is_made(app: &TestApp) {
        let administrator = app.enrolling();
        let mut late = citizen(&number(1));
        late["enrolled_on"] = json!("2026-11-02");
        let participant = enrol(&app.enroller(), &late);
        let record = |id: &str| {
            let mut record = conversation(id, &participant);
            record["scheduled_at"] = json!("2026-11-10T09:30:00Z");
            record
        };
        assert!(why(to(&administrator, "locked")).contains("once it is closed"));
        to(&administrator, "closed").expect(200);
        // Enrolled on 2026-11-02, followed for 26 weeks and the 4 that a job must last.
        assert!(why(to(&administrator, "locked")).contains("follow-up is not over before 2027-05-31"));
        app.set_time("2027-05-31T12:00:00Z");
        assert!(why(to(&administrator, "locked")).contains("final data cut is not made"));
        administrator.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201);
        let source = app.source();
        source.post(&format!("{TRIAL}/conversations"), &record("c1")).expect(201);
        assert!(why(to(&administrator, "locked")).contains("records came after the last data cut"));
        administrator.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201);
        to(&administrator, "locked").expect(200);
        let late = source.post(&format!("{TRIAL}/conversations"), &record("c2"));
        assert!(why(late).contains("nothing more is recorded"));
        // What was sent before is still answered.
        source.post(&format!("{TRIAL}/conversations"), &record("c1")).expect(200);
    }

    fn two_persons_unblind(app: &TestApp) {
        let administrator = app.enrolling();
        enrol(&app.enroller(), &citizen(&number(1)));
        to(&administrator, "closed").expect(200);
        app.set_time("2028-01-04T12:00:00Z");
        administrator.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201);
        assert!(why(to(&administrator, "unblinded")).contains("once it is locked"));
        to(&administrator, "locked").expect(200);
        let asked = to(&administrator, "unblinded").expect(202);
        assert_eq!((&asked["status"], &asked["awaits_second_person"]), (&json!("locked"), &json!(true)));
        // The same key, another key of the same holder, and a key that the first made.
        to(&administrator, "unblinded").expect_problem(409, "second-person");
        to(&app.administrator(), "unblinded").expect_problem(409, "second-person");
        let wish = json!({"role": "administrator", "name": "Carl"});
        let made = administrator.post("/v1/keys", &wish).expect(201);
        let child = app.client(made["key"].as_str().unwrap());
        to(&child, "unblinded").expect_problem(409, "second-person");
        assert_eq!(administrator.get(TRIAL)["status"], "locked");
        let other = app.key(Role::Administrator, "Bent", None, &[]);
        assert_eq!(to(&other, "unblinded").expect(200)["status"], "unblinded");
        assert!(why(to(&other, "enrolling")).contains("never opened again"));
        to(&other, "archived").expect(200);
    }

    fn a_request_of_a_revoked_key_does_not_stand_in_the_way(app: &TestApp) {
        let administrator = app.enrolling();
        enrol(&app.enroller(), &citizen(&number(1)));
        let first = app.key(Role::Administrator, "Carl", None, &[]);
        to(&administrator, "closed").expect(200);
        app.set_time("2028-01-04T12:00:00Z");
        administrator.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201);
        to(&administrator, "locked").expect(200);
        to(&first, "unblinded").expect(202);
        let keys = administrator.get("/v1/keys");
        let carl = keys["items"].as_array().unwrap().iter().find(|key| key["name"] == "Carl").unwrap();
        let id = carl["key_id"].as_str().unwrap();
        assert_eq!(administrator.delete(&format!("/v1/keys/{id}")).status, 204);
        to(&administrator, "unblinded").expect(202);
        to(&app.key(Role::Administrator, "Bent", None, &[]), "unblinded").expect(200);
    }

    fn what_was_blinded_is_open_after_unblinding(app: &TestApp) {
        let administrator = app.enrolling();
        let (statistician, auditor) = (app.statistician(), app.key(Role::Auditor, "Alma", None, &[]));
        let people: Vec<String> =
            (0..6).map(|n| enrol(&app.enroller(), &citizen(&number(n)))).collect();
        app.source().post(&format!("{TRIAL}/conversations"), &conversation("c1", &people[0])).expect(201);
        let conversations = || statistician.get(&format!("{TRIAL}/conversations?participant={}", people[0]));
        conversations().expect_problem(403, "missing-right");
        administrator.get(&format!("{TRIAL}/analyses")).expect_problem(403, "missing-right");
        let entries = |client: &Client| -> Value { client.get(&format!("{TRIAL}/ledger/entries")).expect(200) };
        let export = |cut: i64| {
            statistician.get(&format!("{TRIAL}/exports/participants.csv?data_cut={cut}"))
        };
        let cut = statistician.post(&format!("{TRIAL}/data-cuts"), &json!({})).expect(201)["data_cut"]
            .as_i64()
            .unwrap();
        assert!(entries(&auditor)["items"].as_array().unwrap().iter().all(|e| e["record"] == json!(null) && e["kind"] == json!(null)));
        assert!(!export(cut).text.contains("digital"));
        assert!(!auditor.get(TRIAL).text.contains("block_sizes"));
        for client in [&administrator, &auditor] {
            client.get(&format!("{TRIAL}/bundle")).expect_problem(409, "wrong-status");
        }
        app.unblind(&administrator);
        let open = entries(&auditor);
        let records = open["items"].as_array().unwrap();
        assert!(records.iter().all(|entry| entry["record"].is_string()), "{open}");
        assert!(entries(&administrator)["items"][0]["record"] == json!(null));
        assert!(export(cut).text.contains("digital"), "{}", export(cut).text);
        assert!(auditor.get(TRIAL).text.contains("block_sizes"));
        let analysis = statistician
            .post(&format!("{TRIAL}/analyses"), &json!({"data_cut": cut}))
            .expect(201);
        assert_eq!(analysis["pooled"], false);
        assert!(statistician.get(&format!("{TRIAL}/flow"))["arms"].is_array());
        assert_eq!(conversations().expect(200)["items"][0]["participant"], json!(people[0]));
        statistician.get(&format!("{TRIAL}/outcomes?participant={}", people[0])).expect(200);
        administrator.get(&format!("{TRIAL}/analyses")).expect(200);
        app.enroller().get(&format!("{TRIAL}/outcomes")).expect_problem(403, "missing-right");
    }
}
