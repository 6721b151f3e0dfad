//! Whatever is sent: a 4xx with a problem document, and nothing changed.

use crate::on_both;
use crate::support::{TRIAL, TestApp, citizen, conversation, enrol, invalid, protocol};
use serde_json::{Value, json};

const JSON: (&str, &str) = ("Content-Type", "application/json");

on_both! {
    fn malformed_bodies_are_400_and_never_repeated(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let path = format!("{TRIAL}/enrolments");
        for body in ["", "{", "nonsense 010190-1234", "\u{1}", "[1,", "{\"a\":1}{", &"[".repeat(5_000)] {
            let problem = enroller.send("POST", &path, &[JSON], body).expect_problem(400, "malformed-json");
            assert!(!problem.to_string().contains("010190"), "{problem}");
        }
    }

    fn wrong_types_are_422_with_every_field(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let path = format!("{TRIAL}/enrolments");
        for body in [json!([]), json!(1), json!("010190-1234"), json!(null), json!({}), json!({"citizen": "0101901234"})] {
            let problem = enroller.post(&path, &body).expect_problem(422, "invalid-request");
            assert!(!problem["invalid"].as_array().unwrap().is_empty(), "{problem}");
            assert!(!problem.to_string().contains("0101"), "{problem}");
        }
        let source = app.source();
        for stream in ["conversations", "outcomes"] {
            let path = format!("{TRIAL}/{stream}");
            let bad = json!({"source_id": 7, "participant": ["x"], "scheduled_at": "soon", "status": {}, "kind": 1,
                "effective_on": "2026-13-01", "extracted_on": true, "x": 1});
            let problem = source.post(&path, &bad).expect_problem(422, "invalid-request");
            assert!(invalid(&problem).len() >= 5, "{problem}");
        }
    }

    fn control_characters_and_endless_texts_are_refused(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let source = app.source();
        let path = format!("{TRIAL}/conversations");
        for text in ["a\u{0}b", "a\u{1b}[31m", &"x".repeat(3_000)] {
            let mut record = conversation("c1", &participant);
            record["caseworker"] = json!(text);
            assert_eq!(invalid(&source.post(&path, &record).expect(422)), ["caseworker"]);
            let record = conversation(text, &participant);
            assert_eq!(invalid(&source.post(&path, &record).expect(422)), ["source_id"]);
        }
        let twice = format!("{{\"source_id\": \"a\", {}", &conversation("b", &participant).to_string()[1..]);
        source.send("POST", &path, &[JSON], &twice).expect_problem(400, "malformed-json");
        let mut record = conversation("c1", &participant);
        record["duration_minutes"] = json!(1e308);
        record["number"] = json!(-1);
        record["scheduled_at"] = json!("0000-01-01T00:00:00Z");
        let problem = source.post(&path, &record).expect(422);
        assert_eq!(invalid(&problem), ["scheduled_at", "duration_minutes", "number"]);
    }

    fn unknown_addresses_methods_and_media_types_are_told(app: &TestApp) {
        app.enrolling();
        let administrator = app.administrator();
        administrator.get("/v1/nothing").expect_problem(404, "not-found");
        administrator.get("/v1/trials/none").expect_problem(404, "not-found");
        administrator.get("/v1/trials/%00").expect_problem(404, "not-found");
        administrator.put("/v1/trials", &json!({})).expect_problem(405, "method-not-allowed");
        let text = [("Content-Type", "text/plain")];
        administrator.send("POST", "/v1/trials", &text, "x").expect_problem(415, "unsupported-media-type");
        let path = format!("{TRIAL}/enrolments");
        app.enroller().send("POST", &path, &text, "x").expect_problem(415, "unsupported-media-type");
    }

    fn protocols_of_every_wrong_kind_are_refused(app: &TestApp) {
        let administrator = app.administrator();
        let mutations: Vec<(&str, Value)> = vec![
            ("/id", json!("no spaces allowed")),
            ("/arms", json!([])),
            ("/arms/0/control", json!(false)),
            ("/arms/1/id", json!("physical")),
            ("/factors/0/levels", json!([])),
            ("/factors/2/stratify", json!(true)),
            ("/endpoints/0/horizon_weeks", json!(null)),
            ("/endpoints/0/estimators", json!(["magic"])),
            ("/endpoints/0/estimators", json!(["log_rank"])),
            ("/analysis/primary", json!("none")),
            ("/analysis/margin", json!(null)),
            ("/analysis/margin", json!(-1.5)),
            ("/analysis/alpha", json!(1e-13)),
            ("/analysis/looks/information", json!([0.5, 0.4, 1.0])),
            ("/randomization/method", json!("dice")),
            ("/randomization/block_sizes", json!([])),
            ("/sample_size/planned", json!(9_007_199_254_740_993_u64)),
        ];
        for (pointer, value) in mutations {
            let mut bad = protocol();
            *bad.pointer_mut(pointer).unwrap_or(&mut Value::Null) = value.clone();
            if bad.pointer(pointer).is_none() {
                let (parent, key) = pointer.rsplit_once('/').unwrap();
                bad.pointer_mut(parent).unwrap()[key] = value;
            }
            let problem = administrator.post("/v1/trials", &bad).expect_problem(422, "invalid-request");
            assert!(!invalid(&problem).is_empty(), "{pointer}: {problem}");
        }
        let toml = [("Content-Type", "application/toml")];
        let problem = administrator.send("POST", "/v1/trials", &toml, "id = \n").expect(422);
        assert!(problem.to_string().contains("line 1"), "{problem}");
        assert_eq!(administrator.get("/v1/trials")["items"], json!([]));
    }
}

#[test]
fn bodies_lines_and_arrays_beyond_the_limits_are_refused() {
    let app = TestApp::with_settings(|config| {
        config.limits.body_bytes = 20_000;
        config.limits.line_bytes = 500;
        config.limits.array_items = 3;
    });
    app.enrolling();
    let source = app.source();
    let participant = enrol(&app.enroller(), &citizen("010190-1234"));
    let path = format!("{TRIAL}/conversations");
    let large = format!("{{\"source_id\": \"{}\"}}", "x".repeat(30_000));
    source
        .send("POST", &path, &[JSON], &large)
        .expect_problem(413, "too-large");
    let four: Vec<Value> = (0..4)
        .map(|n| conversation(&format!("c{n}"), &participant))
        .collect();
    source
        .post(&path, &json!(four))
        .expect_problem(422, "invalid-request");
    let headers = [("Content-Type", "application/x-ndjson")];
    let body = format!("{large}\n{}\n", conversation("c9", &participant));
    let lines = source.send("POST", &path, &headers, &body).lines();
    assert_eq!(lines[0]["problem"]["type"], "/too-large");
    assert_eq!(lines[1]["status"], "recorded");
}
