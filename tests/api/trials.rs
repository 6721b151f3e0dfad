//! Drafts, registration, status.

use crate::on_both;
use crate::support::{TRIAL, TestApp, citizen, enrol, invalid, protocol, shipped_protocol};
use serde_json::json;

on_both! {
    fn a_protocol_in_toml_is_the_protocol_in_json(app: &TestApp) {
        let administrator = app.administrator();
        let toml = include_str!("../../config/protocols/digital-conversations.toml");
        let headers = [("Content-Type", "application/toml")];
        let made = administrator.send("POST", "/v1/trials", &headers, toml).expect(201);
        assert_eq!(made["status"], "draft");
        let canonical = lodkast::protocol::canonical::to_string;
        assert_eq!(canonical(&made["protocol"]), canonical(&shipped_protocol()));
        administrator.post("/v1/trials", &protocol()).expect_problem(409, "trial-exists");
    }

    fn every_fault_of_a_protocol_is_told_at_once_and_nothing_is_kept(app: &TestApp) {
        let mut bad = protocol();
        bad["arms"][1]["ratio"] = json!(0);
        bad["randomization"]["block_sizes"] = json!([4, 5]);
        bad["endpoints"][0]["kind"] = json!("binary-ish");
        bad["analysis"]["alpha"] = json!(0.7);
        bad["extra"] = json!(1);
        let administrator = app.administrator();
        let problem =
            administrator.post("/v1/trials", &bad).expect_problem(422, "invalid-request");
        assert_eq!(
            invalid(&problem),
            ["arms[1].ratio", "endpoints[0].kind", "analysis.alpha", "extra"]
        );
        administrator.get(TRIAL).expect_problem(404, "not-found");
    }

    fn a_draft_is_changed_until_it_is_registered(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &protocol()).expect(201);
        let mut changed = protocol();
        changed["title"] = json!("Another title");
        assert_eq!(administrator.put(TRIAL, &changed).expect(200)["title"], "Another title");
        administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        administrator.put(TRIAL, &protocol()).expect_problem(409, "wrong-status");
        assert_eq!(administrator.get(TRIAL)["title"], "Another title");
        let mut other = protocol();
        other["id"] = json!("other");
        administrator.put(TRIAL, &other).expect(422);
    }

    fn registration_publishes_commitments_and_again_other_ones(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &protocol()).expect(201);
        let path = format!("{TRIAL}/registration");
        let first = administrator.post_with_key(&path, "once", &json!({})).expect(201);
        assert_eq!(first["commitment"].as_str().unwrap().len(), 64);
        assert_eq!(first["draw_version"], "lodkast-draw-1");
        assert_eq!(administrator.post_with_key(&path, "once", &json!({})).expect(201), first);
        let second = administrator.post(&path, &json!({})).expect(201);
        assert_eq!(second["registration"], 2);
        assert_ne!(second["commitment"], first["commitment"]);
        assert_ne!(second["protocol_commitment"], first["protocol_commitment"]);
        let told = administrator.get(TRIAL);
        assert_eq!(told["registration"]["commitment"], second["commitment"]);
    }

    fn status_goes_its_way_and_a_refusal_says_why(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &protocol()).expect(201);
        let to = |status: &str| {
            administrator.post(&format!("{TRIAL}/status"), &json!({"to": status, "reason": "because"}))
        };
        let problem = to("enrolling").expect_problem(409, "wrong-status");
        assert!(problem["detail"].as_str().unwrap().contains("registered first"), "{problem}");
        administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        to("closed").expect_problem(409, "wrong-status");
        assert_eq!(to("enrolling").expect(200)["from"], "registered");
        to("enrolling").expect_problem(409, "wrong-status");
        administrator
            .post(&format!("{TRIAL}/registration"), &json!({}))
            .expect_problem(409, "wrong-status");
        to("paused").expect(200);
        to("enrolling").expect(200);
        to("closed").expect(200);
        for status in ["enrolling", "paused", "locked", "unblinded", "nowhere"] {
            to(status).expect_problem(409, "wrong-status");
        }
        let no_reason = administrator.post(&format!("{TRIAL}/status"), &json!({"to": "closed"}));
        assert_eq!(invalid(&no_reason.expect(422)), ["reason"]);
    }

    fn trials_are_listed_in_pages(app: &TestApp) {
        let administrator = app.administrator();
        for n in 0..5 {
            let mut one = protocol();
            one["id"] = json!(format!("trial-{n}"));
            administrator.post("/v1/trials", &one).expect(201);
        }
        let mut path = "/v1/trials?limit=2".to_owned();
        let mut found = Vec::new();
        loop {
            let page = administrator.get(&path);
            for item in page["items"].as_array().unwrap() {
                found.push(item["id"].as_str().unwrap().to_owned());
            }
            let Some(link) = page.header("link") else { break };
            path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        }
        assert_eq!(found, ["trial-0", "trial-1", "trial-2", "trial-3", "trial-4"]);
        administrator.get("/v1/trials?limit=0").expect(422);
        administrator.get("/v1/trials?limit=many").expect_problem(400, "bad-query");
    }

    fn the_flow_counts_the_assessed_the_excluded_and_the_arms(app: &TestApp) {
        let administrator = app.enrolling();
        let enroller = app.enroller();
        enrol(&enroller, &citizen("010190-0001"));
        enrol(&enroller, &citizen("010190-0002"));
        let mut excluded = citizen("010190-0003");
        excluded["eligibility"]["needs_interpreter"] = json!(true);
        enroller.post(&format!("{TRIAL}/enrolments"), &excluded).expect(422);
        let flow = administrator.get(&format!("{TRIAL}/flow")).expect(200);
        assert_eq!((&flow["assessed"], &flow["randomized"]), (&json!(3), &json!(2)));
        assert_eq!(flow["excluded"]["n"], 1);
        let reason = &flow["excluded"]["reasons"][1];
        assert_eq!((&reason["rule"], &reason["n"]), (&json!("needs_interpreter"), &json!(1)));
        // Asked for after each draw, a count by arm would tell the draw.
        assert_eq!(flow["arms"], json!(null));
        let arms = |flow: &serde_json::Value| -> i64 {
            flow["arms"].as_array().unwrap().iter().map(|arm| arm["n"].as_i64().unwrap()).sum()
        };
        assert_eq!(arms(&app.monitor().get(&format!("{TRIAL}/flow")).expect(200)), 2);
        let close = json!({"to": "closed", "reason": "done"});
        administrator.post(&format!("{TRIAL}/status"), &close).expect(200);
        assert_eq!(arms(&administrator.get(&format!("{TRIAL}/flow")).expect(200)), 2);
        let blind = app.statistician().get(&format!("{TRIAL}/flow")).expect(200);
        assert_eq!(blind["arms"], json!(null));
    }
}
