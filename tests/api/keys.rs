//! Keys over HTTP: shown once, two persons, revocation.

use crate::on_both;
use crate::support::sending::Sending;
use crate::support::{TRIAL, TRIAL_ID, TestApp, invalid, protocol};
use lodkast::access::{KeyText, Role};
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
        let holder = app.client(key);
        assert_eq!(holder.get("/v1/trials").status, 403);
        let path = format!("/v1/keys/{}", made["key_id"].as_str().unwrap());
        administrator.delete(&path).expect(204);
        holder.get("/v1/trials").expect_problem(401, "unauthenticated");
        administrator.delete(&path).expect(204);
        administrator.delete("/v1/keys/none").expect_problem(404, "not-found");
    }

    fn a_key_that_sees_arms_takes_two_persons_whenever_it_is_made(app: &TestApp) {
        let anna = app.administrator();
        anna.post("/v1/trials", &protocol()).expect(201);
        for wish in [
            json!({"role": "monitor", "name": "Committee", "trial": TRIAL_ID}),
            json!({"role": "statistician", "name": "Stine"}),
            // An enroller for all sites sees every arm.
            json!({"role": "enroller", "name": "Everywhere"}),
        ] {
            // Its secret is its holder's own: without it nothing is asked for.
            assert_eq!(invalid(&anna.post("/v1/keys", &wish).expect(422)), ["secret_sha256"]);
            let own = KeyText::random();
            let mut wish = wish.clone();
            wish["key_id"] = json!(own.id);
            wish["secret_sha256"] = json!(own.hash());
            let waiting = anna.post("/v1/keys", &wish).expect(202);
            assert_eq!(waiting["status"], "awaiting_second_person");
            assert!(waiting.get("key").is_none());
            let approval = waiting["approval"].as_str().unwrap();
            app.client(&own.reveal()).get("/v1/trials").expect(401);
            anna.post(approval, &json!({})).expect_problem(409, "second-person");
            // Another key of the same person, also under another spelling of the name, is no second person;
            // nor is a key that Anna made for herself.
            app.key(Role::Administrator, " anna ", None, &[]).post(approval, &json!({})).expect(409);
            let helper = anna.post("/v1/keys", &json!({"role": "administrator", "name": "Helper"})).expect(201);
            let helper = app.client(helper["key"].as_str().unwrap());
            helper.post(approval, &json!({})).expect_problem(409, "second-person");
            app.enroller().post(approval, &json!({})).expect_problem(403, "missing-right");
            let bo = app.key(Role::Administrator, "Bo", None, &[]);
            assert_eq!(bo.post(approval, &json!({})).expect(201), json!({"key_id": own.id}));
            let holder = app.client(&own.reveal());
            assert_eq!(holder.get(TRIAL).status, 200);
            bo.post(approval, &json!({})).expect_problem(409, "second-person");
        }
        // An enroller of named sites, a source, an auditor still take one.
        anna.post("/v1/keys", &json!({"role": "enroller", "name": "Erik", "sites": ["Aalborg"]})).expect(201);
        anna.post("/v1/keys", &json!({"role": "auditor", "name": "Alma"})).expect(201);
    }

    fn a_key_of_another_person_takes_two_and_makes_a_second_person(app: &TestApp) {
        let (anna, bo) = (app.administrator(), app.key(Role::Administrator, "Bo", None, &[]));
        let carl = anna.post("/v1/persons", &json!({"name": "Carl"})).expect(201);
        for alike in [" CARL", "\u{421}arl", "C\u{430}rl", "Car1"] {
            anna.post("/v1/persons", &json!({"name": alike})).expect_problem(409, "person-exists");
        }
        let wish = json!({"role": "administrator", "name": "Carl", "person": carl["person"]});
        assert_eq!(invalid(&anna.post("/v1/keys", &wish).expect(422)), ["secret_sha256"]);
        let carl = app.signed_key(&anna, &bo, &wish);
        // Carl is a person of his own now: he signs what Anna asks for.
        app.signed_key(&anna, &carl, &json!({"role": "monitor", "name": "Mona"}));
        let unknown = json!({"role": "auditor", "name": "x", "person": "nobody"});
        assert_eq!(invalid(&anna.post("/v1/keys", &unknown).expect(422)), ["person"]);
    }

    fn requests_are_listed_withdrawn_and_expire(app: &TestApp) {
        let (anna, bo) = (app.administrator(), app.key(Role::Administrator, "Bo", None, &[]));
        let ask = || {
            let own = KeyText::random();
            let wish = json!({"role": "monitor", "name": "Mona", "secret_sha256": own.hash()});
            anna.post("/v1/keys", &wish).expect(202)["request"].as_str().unwrap().to_owned()
        };
        let (withdrawn, expired) = (ask(), ask());
        let path = |request: &str, rest: &str| format!("/v1/requests/{request}{rest}");
        bo.post(&path(&withdrawn, "/withdraw"), &json!({})).expect_problem(409, "second-person");
        anna.post(&path(&withdrawn, "/withdraw"), &json!({})).expect(200);
        bo.post(&path(&withdrawn, "/sign"), &json!({})).expect_problem(409, "second-person");
        app.set_time("2026-12-06T12:00:00Z");
        bo.post(&path(&expired, "/sign"), &json!({})).expect_problem(409, "second-person");
        let listed = bo.get("/v1/requests").expect(200);
        let of = |id: &str| {
            let items = listed["items"].as_array().unwrap();
            items.iter().find(|item| item["request"] == id).unwrap()["status"].clone()
        };
        assert_eq!((of(&withdrawn), of(&expired)), (json!("withdrawn"), json!("expired")));
        assert_eq!(bo.get(&path(&expired, "")).expect(200)["act"], "issue_key");
        // Each step is in the installation's ledger.
        let entries = anna.get("/v1/installation/ledger/entries?limit=1000").expect(200);
        let steps = entries["items"].as_array().unwrap().iter().filter(|e| e["kind"] == "request");
        assert_eq!(steps.count(), 3);
    }

    fn a_key_made_on_the_command_line_is_in_the_ledgers_and_at_the_opening(app: &TestApp) {
        let anna = app.enrolling();
        app.monitor();
        app.caseworker();
        // Both see arms, the caseworker those of a site.
        assert_eq!(anna.get(&format!("{TRIAL}/flow"))["records"]["key_issued"], 2);
        let entries = anna.get("/v1/installation/ledger/entries?limit=1000").expect(200);
        let items = entries["items"].as_array().unwrap();
        let issued = items.iter().filter(|entry| entry["kind"] == "key_issued");
        let by_hand = issued.filter(|e| e["record"].as_str().unwrap().contains("\"command_line\":true"));
        assert_eq!(by_hand.count(), 3);
        // The opening names the keys that were valid then, and the installation's ledger.
        let facts = app.service.store.read(|tx| tx.list_facts(TRIAL_ID, "status", i64::MAX)).unwrap();
        let opening: serde_json::Value = serde_json::from_str(&facts[0].record).unwrap();
        let keys = opening["body"]["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 1);
        assert_eq!((&keys[0]["role"], &keys[0]["command_line"]), (&json!("administrator"), &json!(true)));
        assert_eq!(opening["body"]["installation"]["root"].as_str().unwrap().len(), 64);
    }

    fn a_request_of_a_revoked_key_cannot_be_signed(app: &TestApp) {
        let anna = app.enrolling();
        let wish = json!({"role": "monitor", "name": "M", "secret_sha256": KeyText::random().hash()});
        let waiting = anna.post("/v1/keys", &wish).expect(202);
        let bo = app.key(Role::Administrator, "Bo", None, &[]);
        bo.delete(&format!("/v1/keys/{}", anna.key.split('_').nth(1).unwrap())).expect(204);
        let approval = waiting["approval"].as_str().unwrap();
        bo.post(approval, &json!({})).expect_problem(409, "second-person");
    }

    fn a_key_expires_and_is_replaced_by_its_holder(app: &TestApp) {
        let administrator = app.administrator();
        let wish = json!({"role": "source", "name": "Register", "expires_at": "2027-01-22T00:00:00Z"});
        let made = administrator.post("/v1/keys", &wish).expect(201);
        let id = made["key_id"].as_str().unwrap();
        let holder = app.client(made["key"].as_str().unwrap());
        // 60 days before its end it is told so.
        assert_eq!(holder.get("/v1/trials").header("lodkast-key-expires"), None);
        app.set_time("2026-11-25T12:00:00Z");
        assert_eq!(holder.get("/v1/trials").header("lodkast-key-expires"), Some("2027-01-22T00:00:00Z"));
        let stranger = app.key(Role::Source, "other", None, &[]);
        stranger.post(&format!("/v1/keys/{id}/rotation"), &json!({})).expect_problem(404, "not-found");
        let new = holder.post(&format!("/v1/keys/{id}/rotation"), &json!({"overlap_days": 2})).expect(201);
        let renewed = app.client(new["key"].as_str().unwrap());
        assert_eq!((holder.get("/v1/trials").status, renewed.get("/v1/trials").status), (403, 403));
        app.set_time("2026-11-27T12:00:01Z");
        assert_eq!((holder.get("/v1/trials").status, renewed.get("/v1/trials").status), (401, 403));
        let listed = administrator.get("/v1/keys?limit=1000").expect(200);
        let items = listed["items"].as_array().unwrap();
        let of = |id: &serde_json::Value| items.iter().find(|item| item["key_id"] == *id).unwrap();
        assert_eq!(of(&new["key_id"])["name"], "Register");
        assert_eq!(of(&new["key_id"])["expires_at"], "2027-11-25T12:00:00Z");
        // The day of use is written down outside of the request.
        let used = |id: &serde_json::Value| {
            let listed = administrator.get("/v1/keys?limit=1000").expect(200);
            let items = listed["items"].as_array().unwrap().clone();
            items.iter().find(|item| item["key_id"] == *id).unwrap()["last_used_on"].clone()
        };
        for _ in 0..50 {
            if used(&new["key_id"]) == "2026-11-27" {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{}", used(&new["key_id"]));
    }

    /// Whoever stole a key may have replaced it: revoking it revokes what came of it.
    fn a_key_is_replaced_once_and_revoked_with_what_replaced_it(app: &TestApp) {
        let administrator = app.administrator();
        let wish = json!({"role": "source", "name": "Register"});
        let made = administrator.post("/v1/keys", &wish).expect(201);
        let id = made["key_id"].as_str().unwrap();
        let holder = app.client(made["key"].as_str().unwrap());
        let rotation = format!("/v1/keys/{id}/rotation");
        let second = holder.post(&rotation, &json!({})).expect(201);
        holder.post(&rotation, &json!({})).expect_problem(409, "second-person");
        let renewed = app.client(second["key"].as_str().unwrap());
        let rotation = format!("/v1/keys/{}/rotation", second["key_id"].as_str().unwrap());
        let third = app.client(renewed.post(&rotation, &json!({})).expect(201)["key"].as_str().unwrap());
        assert_eq!(third.get("/v1/trials").status, 403);
        administrator.delete(&format!("/v1/keys/{id}")).expect(204);
        for client in [&holder, &renewed, &third] {
            assert_eq!(client.get("/v1/trials").status, 401);
        }
    }

    /// The body of a request may take its time; the key must hold when it is done.
    fn a_key_that_is_revoked_while_its_request_is_sent_signs_nothing(app: &TestApp) {
        let (anna, bo) = (app.administrator(), app.key(Role::Administrator, "Bo", None, &[]));
        let own = KeyText::random();
        let wish = json!({"role": "monitor", "name": "Mona", "key_id": own.id, "secret_sha256": own.hash()});
        let waiting = anna.post("/v1/keys", &wish).expect(202);
        let mut sending = Sending::begin_as(&bo, waiting["approval"].as_str().unwrap(), "application/json");
        sending.send("{").unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let id = bo.key.split('_').nth(1).unwrap();
        anna.delete(&format!("/v1/keys/{id}")).expect(204);
        sending.send("}").unwrap();
        sending.end();
        assert_eq!(sending.next().unwrap()["status"], 401);
        app.client(&own.reveal()).get("/v1/trials").expect(401);
    }

    fn whoever_reads_many_arms_of_others_is_written_down(app: &TestApp) {
        let anna = app.enrolling();
        let other = app.enroller();
        for n in 0..12 {
            crate::support::enrol(&other, &crate::support::citizen(&crate::support::number(n)));
        }
        let reader = app.key(Role::Enroller, "Reader", None, &["Aalborg"]);
        let path = format!("{TRIAL}/participants");
        let noted = || {
            let flow = anna.get(&format!("{TRIAL}/flow")).expect(200);
            flow["records"]["arms_read"].as_i64().unwrap_or(0)
        };
        other.get(&path).expect(200);
        assert_eq!(noted(), 0, "those are its own");
        reader.get(&format!("{path}?limit=10")).expect(200);
        assert_eq!(noted(), 0);
        reader.get(&path).expect(200);
        assert_eq!(noted(), 1);
        assert!(app.client("").get("/metrics").text.contains("lodkast_many_arms_read_total 1"));
        let report = lodkast::conduct::check::run(&app.service, None).unwrap();
        let id = reader.key.split('_').nth(1).unwrap();
        assert!(report.notes.iter().any(|note| note.contains(id)), "{:?}", report.notes);
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
