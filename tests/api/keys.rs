//! Keys over HTTP: shown once, two persons, revocation.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, invalid, protocol};
use lodkast::access::Role;
use serde_json::json;

on_both! {
    fn a_key_is_shown_once_and_kept_as_a_hash(app: &TestApp) {
        let administrator = app.administrator();
        let wish = json!({"role": "source", "name": "Register", "sites": ["Aalborg"]});
        let made = administrator.post("/v1/keys", &wish).expect(201);
        let key = made["key"].as_str().unwrap();
        let listed = administrator.get("/v1/keys");
        let item = listed["items"].as_array().unwrap().iter().find(|i| i["key_id"] == made["key_id"]);
        assert_eq!(item.unwrap()["sites"], json!(["Aalborg"]));
        assert!(!listed.text.contains(key) && !listed.text.contains("hash"), "{}", listed.text);
        let holder = Client::new(&app.address, key);
        assert_eq!(holder.get("/v1/trials").status, 403);
        let path = format!("/v1/keys/{}", made["key_id"].as_str().unwrap());
        administrator.delete(&path).expect(204);
        holder.get("/v1/trials").expect_problem(401, "unauthenticated");
        administrator.delete(&path).expect(204);
        administrator.delete("/v1/keys/none").expect_problem(404, "not-found");
    }

    fn before_enrolment_one_person_suffices_and_afterwards_it_takes_two(app: &TestApp) {
        let anna = app.administrator();
        anna.post("/v1/trials", &protocol()).expect(201);
        let wish = json!({"role": "monitor", "name": "Committee", "trial": "digital-conversations"});
        anna.post("/v1/keys", &wish).expect(201);
        anna.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        anna.post(&format!("{TRIAL}/status"), &json!({"to": "enrolling", "reason": "x"})).expect(200);
        for wish in [
            wish.clone(),
            json!({"role": "statistician", "name": "Stine"}),
        ] {
            let waiting = anna.post("/v1/keys", &wish).expect(202);
            assert_eq!(waiting["status"], "awaiting_second_person");
            assert!(waiting.get("key").is_none());
            let approval = waiting["approval"].as_str().unwrap();
            anna.post(approval, &json!({})).expect_problem(409, "second-person");
            // The same holder with another key, and a helper of Anna's own making, are no second person.
            app.key(Role::Administrator, " anna ", None, &[]).post(approval, &json!({})).expect(409);
            let helper = anna.post("/v1/keys", &json!({"role": "administrator", "name": "Helper"})).expect(201);
            let helper = Client::new(&app.address, helper["key"].as_str().unwrap());
            helper.post(approval, &json!({})).expect_problem(409, "second-person");
            app.enroller().post(approval, &json!({})).expect(403);
            // Two keys of Anna's making cannot do it between them either.
            let second = anna.post("/v1/keys", &json!({"role": "administrator", "name": "Second"})).expect(201);
            let second = Client::new(&app.address, second["key"].as_str().unwrap());
            let asked = second.post("/v1/keys", &wish).expect(202);
            helper.post(asked["approval"].as_str().unwrap(), &json!({})).expect_problem(409, "second-person");
            let bo = app.key(Role::Administrator, "Bo", None, &[]);
            let made = bo.post(approval, &json!({})).expect(201);
            let holder = Client::new(&app.address, made["key"].as_str().unwrap());
            assert_eq!(holder.get(TRIAL).status, 200);
            bo.post(approval, &json!({})).expect_problem(409, "second-person");
        }
        // Other roles still take one person.
        anna.post("/v1/keys", &json!({"role": "enroller", "name": "Erik"})).expect(201);
        let flow = anna.get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["records"]["key_issued"], 2);
    }

    fn a_key_made_on_the_command_line_after_the_beginning_is_in_the_ledger(app: &TestApp) {
        let anna = app.enrolling();
        app.monitor();
        app.enroller();
        assert_eq!(anna.get(&format!("{TRIAL}/flow"))["records"]["key_issued"], 1);
    }

    fn a_request_of_a_revoked_key_cannot_be_approved(app: &TestApp) {
        let anna = app.enrolling();
        let waiting = anna.post("/v1/keys", &json!({"role": "monitor", "name": "M"})).expect(202);
        let bo = app.key(Role::Administrator, "Bo", None, &[]);
        bo.delete(&format!("/v1/keys/{}", anna.key.split('_').nth(1).unwrap())).expect(204);
        let approval = waiting["approval"].as_str().unwrap();
        bo.post(approval, &json!({})).expect_problem(409, "second-person");
    }

    fn nobody_gives_away_more_than_they_have(app: &TestApp) {
        app.enrolling();
        let bound = app.key(Role::Administrator, "Bound", Some("digital-conversations"), &[]);
        let wish = json!({"role": "source", "name": "s"});
        assert_eq!(invalid(&bound.post("/v1/keys", &wish).expect(422)), ["trial"]);
        let wish = json!({"role": "source", "name": "s", "trial": "digital-conversations"});
        bound.post("/v1/keys", &wish).expect(201);
        assert_eq!(bound.get("/v1/keys")["items"].as_array().unwrap().len(), 2);
        let other = app.key(Role::Source, "other", None, &[]);
        let id = other.key.split('_').nth(1).unwrap();
        bound.delete(&format!("/v1/keys/{id}")).expect_problem(404, "not-found");
        let mut foreign = protocol();
        foreign["id"] = json!("another");
        assert_eq!(invalid(&bound.post("/v1/trials", &foreign).expect(422)), ["id"]);
    }

    fn wishes_are_checked(app: &TestApp) {
        let administrator = app.administrator();
        let bad = json!({"role": "king", "name": "", "sites": [], "extra": 1});
        let problem = administrator.post("/v1/keys", &bad).expect(422);
        assert_eq!(invalid(&problem), ["role", "name", "extra", "sites"]);
        let bad = json!({"role": "monitor", "name": "M", "sites": ["Aalborg"], "trial": "no such"});
        assert_eq!(invalid(&administrator.post("/v1/keys", &bad).expect(422)), ["trial", "sites"]);
        let unknown = json!({"role": "monitor", "name": "M", "trial": "none"});
        assert_eq!(invalid(&administrator.post("/v1/keys", &unknown).expect(422)), ["trial"]);
    }
}
