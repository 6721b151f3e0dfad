//! Enrolling citizens.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, citizen, enrol, invalid, protocol};
use lodkast::access::Role;
use serde_json::json;

fn path() -> String {
    format!("{TRIAL}/enrolments")
}

on_both! {
    fn a_citizen_is_drawn_once_whatever_the_spelling(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let first = enroller.post(&path(), &citizen("010190-1234")).expect(201);
        assert_eq!(first["already_enrolled"], false);
        assert!(first.get("index").is_none() && first.get("stratum").is_none(), "{first}");
        let mut again = citizen("0101901234");
        again["factors"]["target_group"] = json!("sickness_benefit");
        let second = enroller.post(&path(), &again).expect(200);
        assert_eq!(second["already_enrolled"], true);
        for key in ["participant", "arm", "enrolled_at"] {
            assert_eq!(first[key], second[key], "{key}");
        }
    }

    fn the_same_request_under_the_same_key_gets_the_same_answer(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let first = enroller.post_with_key(&path(), "k1", &citizen("010190-1234")).expect(201);
        let again = enroller.post_with_key(&path(), "k1", &citizen("010190-1234")).expect(201);
        assert_eq!(first, again);
        enroller
            .post_with_key(&path(), "k1", &citizen("010190-4321"))
            .expect_problem(422, "idempotency-mismatch");
        // Another holder's key of the same text is another key.
        let other = app.key(Role::Enroller, "Else", None, &[]);
        let told = other.post_with_key(&path(), "k1", &citizen("010190-4321")).expect(201);
        assert_ne!(told["participant"], first["participant"]);
        enroller.post_with_key(&path(), "", &citizen("010190-1234")).expect(422);
    }

    fn the_screened_out_are_kept_once_and_not_drawn(app: &TestApp) {
        let administrator = app.enrolling();
        let enroller = app.enroller();
        let mut request = citizen("010190-1234");
        request["eligibility"]["needs_interpreter"] = json!(true);
        request["eligibility"]["protected_address"] = json!(true);
        for _ in 0..3 {
            let problem = enroller.post(&path(), &request).expect_problem(422, "not-eligible");
            assert_eq!(problem["failed"], json!(["needs_interpreter", "protected_address"]));
        }
        let flow = administrator.get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["records"]["screening"], 1);
        assert_eq!(flow["records"]["draw"], json!(null));
        // Eligible later: enrolled, and no longer counted as excluded.
        enroller.post(&path(), &citizen("010190-1234")).expect(201);
        let flow = administrator.get(&format!("{TRIAL}/flow"));
        assert_eq!((&flow["assessed"], &flow["excluded"]["n"]), (&json!(1), &json!(0)));
    }

    fn every_fault_is_told_and_nothing_is_kept(app: &TestApp) {
        let administrator = app.enrolling();
        let request = json!({
            "citizen": {"scheme": "cpr", "value": "310290-1234"},
            "site": "  ",
            "factors": {"target_group": "tourist", "age": "36", "site": "x", "height": 2},
            "eligibility": {"needs_interpreter": "no", "first_conversation": false},
            "enrolled_on": "2027-01-01",
            "arm": "digital",
            "surprise": 1,
        });
        let enroller = Client::new(&app.address, &app.enroller().key);
        let problem = enroller.post(&path(), &request).expect_problem(422, "invalid-request");
        let mut fields = invalid(&problem);
        fields.sort_unstable();
        assert_eq!(fields, [
            "arm", "citizen.value", "eligibility.in_another_trial", "eligibility.needs_interpreter",
            "eligibility.protected_address", "enrolled_on", "factors.age", "factors.height",
            "factors.site", "factors.target_group", "site", "surprise",
        ]);
        assert!(!problem.to_string().contains("310290"), "{problem}");
        let flow = administrator.get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["assessed"], 0);
    }

    fn a_citizen_of_another_site_is_answered_without_the_arm(app: &TestApp) {
        app.enrolling();
        enrol(&app.enroller(), &citizen("010190-1234"));
        let far = app.key(Role::Enroller, "far", None, &["Odense"]);
        let mut there = citizen("010190-1234");
        there["site"] = json!("Odense");
        let problem = far.post(&path(), &there).expect_problem(409, "citizen-elsewhere");
        assert!(!problem.to_string().contains("physical") && !problem.to_string().contains("digital"));
        far.post(&path(), &citizen("010190-9999")).expect_problem(403, "site-out-of-scope");
    }

    fn nobody_is_drawn_unless_the_trial_enrols_but_the_enrolled_keep_their_answer(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &protocol()).expect(201);
        let enroller = app.enroller();
        enroller.post(&path(), &citizen("010190-1234")).expect_problem(409, "wrong-status");
        administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        enroller.post(&path(), &citizen("010190-1234")).expect_problem(409, "wrong-status");
        let to = |status: &str| {
            let body = json!({"to": status, "reason": "because"});
            administrator.post(&format!("{TRIAL}/status"), &body).expect(200);
        };
        to("enrolling");
        let first = enroller.post(&path(), &citizen("010190-1234")).expect(201);
        for status in ["paused", "closed"] {
            to(status);
            enroller.post(&path(), &citizen("010190-4321")).expect_problem(409, "wrong-status");
            assert_eq!(enroller.post(&path(), &citizen("010190-1234")).expect(200)["arm"], first["arm"]);
        }
    }

    fn arms_drawn_elsewhere_are_taken_with_their_provenance(app: &TestApp) {
        let mut external = protocol();
        external["randomization"] = json!({"method": "external"});
        app.enrolling_with(&external);
        let enroller = app.enroller();
        let mut request = citizen("010190-1234");
        assert_eq!(
            invalid(&enroller.post(&path(), &request).expect(422)),
            ["arm", "provenance"]
        );
        request["arm"] = json!("digital");
        request["provenance"] = json!("Drawn by the ministry on 2026-01-02");
        assert_eq!(enroller.post(&path(), &request).expect(201)["arm"], "digital");
        request["arm"] = json!("physical");
        assert_eq!(enroller.post(&path(), &request).expect(200)["arm"], "digital");
        request["citizen"]["value"] = json!("010190-2222");
        request["arm"] = json!("sideways");
        assert_eq!(invalid(&enroller.post(&path(), &request).expect(422)), ["arm"]);
    }

    fn a_reference_of_the_callers_own_serves_as_well(app: &TestApp) {
        let mut protocol = protocol();
        protocol["citizen_scheme"] = json!("reference");
        app.enrolling_with(&protocol);
        let enroller = app.enroller();
        let mut request = citizen("x");
        request["citizen"] = json!({"scheme": "reference", "value": "case 17"});
        enrol(&enroller, &request);
        request["citizen"] = json!({"scheme": "reference", "value": " case 17 "});
        enroller.post(&path(), &request).expect(200);
        request["citizen"] = json!({"scheme": "passport", "value": "case 17"});
        assert_eq!(invalid(&enroller.post(&path(), &request).expect(422)), ["citizen.scheme"]);
        request["site"] = json!("010190-1234");
        assert!(invalid(&enroller.post(&path(), &request).expect(422)).contains(&"site"));
    }
}
