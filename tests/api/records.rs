//! Conversations and outcomes: once, twice, corrected, in bulk.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, citizen, conversation, enrol, invalid, outcome};
use lodkast::access::Role;
use serde_json::{Value, json};

fn conversations() -> String {
    format!("{TRIAL}/conversations")
}

fn outcomes() -> String {
    format!("{TRIAL}/outcomes")
}

fn count(app: &TestApp, kind: &str) -> i64 {
    let flow = app
        .administrator()
        .get(&format!("{TRIAL}/flow"))
        .expect(200);
    flow["records"][kind].as_i64().unwrap_or(0)
}

on_both! {
    fn a_record_sent_twice_counts_once(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let first = source.post(&conversations(), &conversation("c1", &participant)).expect(201);
        assert_eq!(first["status"], "recorded");
        let mut again = conversation("c1", &participant);
        again["duration_minutes"] = json!(22.0);
        let second = source.post(&conversations(), &again).expect(200);
        assert_eq!(second["status"], "duplicate");
        assert_eq!((&first["id"], &first["sequence"]), (&second["id"], &second["sequence"]));
        // The same citizen by number is the same participant.
        let mut by_number = conversation("c1", "");
        by_number.as_object_mut().unwrap().remove("participant");
        by_number["citizen"] = json!({"scheme": "cpr", "value": "0101901234"});
        assert_eq!(source.post(&conversations(), &by_number).expect(200)["id"], first["id"]);
        let mut other = conversation("c1", &participant);
        other["status"] = json!("no_show");
        other.as_object_mut().unwrap().remove("held_channel");
        other.as_object_mut().unwrap().remove("duration_minutes");
        source.post(&conversations(), &other).expect_problem(409, "source-id-taken");
        assert_eq!(count(app, "conversation"), 1);
        // Another source may use the same id.
        let elsewhere = app.key(Role::Source, "another system", None, &[]);
        elsewhere.post(&conversations(), &conversation("c1", &participant)).expect(201);
        assert_eq!(count(app, "conversation"), 2);
    }

    fn a_correction_names_what_it_replaces_once(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        source.post(&conversations(), &conversation("c1", &participant)).expect(201);
        let mut correction = conversation("c2", &participant);
        correction["duration_minutes"] = json!(31);
        correction["replaces"] = json!("c0");
        correction["reason"] = json!("typing error");
        let problem = source.post(&conversations(), &correction).expect(422);
        assert_eq!(invalid(&problem), ["replaces"]);
        correction["replaces"] = json!("c1");
        source.post(&conversations(), &correction).expect(201);
        assert_eq!(source.post(&conversations(), &correction).expect(200)["status"], "duplicate");
        correction["source_id"] = json!("c3");
        source.post(&conversations(), &correction).expect_problem(409, "already-replaced");
        correction["replaces"] = json!("c2");
        source.post(&conversations(), &correction).expect(201);
        let listed = app.enroller().get(&conversations());
        let replaces: Vec<&Value> =
            listed["items"].as_array().unwrap().iter().map(|item| &item["replaces"]).collect();
        let first = listed["items"][0]["sequence"].clone();
        let second = listed["items"][1]["sequence"].clone();
        assert_eq!(replaces, [&json!(null), &first, &second]);
    }

    fn lines_are_answered_one_by_one_and_the_rest_is_kept(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let near = app.key(Role::Source, "near", None, &["Aalborg"]);
        let participant = enrol(&enroller, &citizen("010190-1234"));
        let mut far = citizen("010190-4321");
        far["site"] = json!("Odense");
        let far = enrol(&enroller, &far);
        let mut future = conversation("c3", &participant);
        future["scheduled_at"] = json!("2026-12-24T10:00:00Z");
        let mut early = conversation("c4", &participant);
        early["scheduled_at"] = json!("2025-12-24T10:00:00Z");
        let mut correction = conversation("c9", &participant);
        correction["replaces"] = json!("c1");
        let records = [
            conversation("c1", &participant),
            conversation("c2", "00000000-0000-7000-8000-000000000000"),
            future,
            early,
            conversation("c5", &far),
            conversation("c1", &participant),
            json!({"source_id": "c7"}),
            correction,
        ];
        let mut body: String = records.iter().map(|record| format!("{record}\n")).collect();
        body.push_str("\n{broken\n");
        body.push_str(&conversation("c10", &participant).to_string());
        let headers = [("Content-Type", "application/x-ndjson")];
        let answer = near.send("POST", &conversations(), &headers, &body);
        assert_eq!(answer.status, 200, "{}", answer.text);
        let lines = answer.lines();
        let told: Vec<(i64, &str, &str)> = lines[..lines.len() - 1]
            .iter()
            .map(|line| {
                let kind = line["problem"]["type"].as_str().unwrap_or("").trim_start_matches("/");
                (line["line"].as_i64().unwrap(), line["status"].as_str().unwrap(), kind)
            })
            .collect();
        assert_eq!(told, [
            (1, "recorded", ""),
            (2, "refused", "unknown-participant"),
            (3, "refused", "invalid-request"),
            (4, "refused", "impossible"),
            (5, "refused", "unknown-participant"),
            (6, "duplicate", ""),
            (7, "refused", "invalid-request"),
            (8, "recorded", ""),
            (10, "refused", "malformed-json"),
            (11, "recorded", ""),
        ]);
        assert_eq!(lines[0]["id"], lines[5]["id"]);
        assert_eq!(lines[0]["sequence"], lines[5]["sequence"]);
        let summary = json!({"recorded": 3, "duplicate": 1, "refused": 6});
        assert_eq!(lines.last().unwrap()["summary"], summary);
        assert_eq!(count(app, "conversation"), 3);
    }

    fn an_array_is_answered_like_lines(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let records = json!([
            outcome("o1", &participant, "employment_started", "2026-03-01"),
            outcome("o2", &participant, "promoted", "2026-03-01"),
            outcome("o3", &participant, "employment_ended", "2026-05-01"),
        ]);
        let answer = source.post(&outcomes(), &records).expect(200);
        let told: Vec<&Value> =
            answer.as_array().unwrap().iter().map(|line| &line["status"]).collect();
        assert_eq!(told, ["recorded", "refused", "recorded"]);
        assert_eq!(answer[1]["line"], 2);
        assert_eq!(answer[1]["problem"]["invalid"][0]["field"], "kind");
        assert_eq!(source.post(&outcomes(), &json!([])).expect(200), json!([]));
    }

    fn impossible_outcomes_are_refused(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let mut tomorrow = outcome("o1", &participant, "employment_started", "2026-11-22");
        tomorrow["extracted_on"] = json!("2026-11-22");
        assert_eq!(
            invalid(&source.post(&outcomes(), &tomorrow).expect(422)),
            ["effective_on", "extracted_on"]
        );
        let mut after = outcome("o1", &participant, "employment_started", "2026-03-01");
        after["extracted_on"] = json!("2026-02-01");
        assert_eq!(invalid(&source.post(&outcomes(), &after).expect(422)), ["effective_on"]);
        let dead = outcome("o1", &participant, "died", "2026-01-04");
        source.post(&outcomes(), &dead).expect_problem(422, "impossible");
        let mut until = outcome("o1", &participant, "employment_started", "2026-03-01");
        until["until"] = json!("2026-02-01");
        until["hours"] = json!(200);
        until["reason"] = json!("moved, 010190-1234");
        assert_eq!(
            invalid(&source.post(&outcomes(), &until).expect(422)),
            ["reason", "hours", "until"].map(|f| f).to_vec()
        );
        // A job from before the enrolment is history, and possible.
        let before = outcome("o2", &participant, "employment_started", "2025-06-01");
        source.post(&outcomes(), &before).expect(201);
        let planned = json!({"to": "closed", "reason": "done"});
        app.administrator().post(&format!("{TRIAL}/status"), &planned).expect(200);
        let late = outcome("o3", &participant, "employment_ended", "2026-07-01");
        source.post(&outcomes(), &late).expect(201);
    }

    fn a_single_record_is_idempotent_by_its_key_too(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let record = conversation("c1", &participant);
        let first = source.post_with_key(&conversations(), "k", &record).expect(201);
        assert_eq!(source.post_with_key(&conversations(), "k", &record).expect(201), first);
        source
            .post_with_key(&conversations(), "k", &conversation("c2", &participant))
            .expect_problem(422, "idempotency-mismatch");
    }

    fn twenty_thousand_lines_go_through_a_client_that_reads_only_at_the_end(app: &TestApp) {
        app.enrolling();
        let source = app.source();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let records: Vec<Value> =
            (0..20_000).map(|n| conversation(&format!("c{n}"), &participant)).collect();
        let answer = source.post_lines(&conversations(), &records);
        let lines = answer.lines();
        assert_eq!(lines.len(), 20_001);
        assert_eq!(lines[20_000]["summary"]["recorded"], 20_000);
        let sequences: Vec<i64> =
            lines[..20_000].iter().map(|line| line["sequence"].as_i64().unwrap()).collect();
        assert!(sequences.windows(2).all(|pair| pair[1] == pair[0] + 1));
        let again = source.post_lines(&conversations(), &records);
        assert_eq!(again.lines()[20_000]["summary"]["duplicate"], 20_000);
        assert_eq!(count(app, "conversation"), 20_000);
    }

    fn pages_follow_each_other_without_gap_or_overlap(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let records: Vec<Value> =
            (0..25).map(|n| conversation(&format!("c{n}"), &participant)).collect();
        app.source().post_lines(&conversations(), &records).expect(200);
        let monitor = app.monitor();
        let mut path = format!("{}?limit=10&participant={participant}", conversations());
        enrol(&app.enroller(), &citizen("010190-4321"));
        let mut found = Vec::new();
        loop {
            let page = monitor.get(&path);
            found.extend(page["items"].as_array().unwrap().iter().map(|i| i["source_id"].clone()));
            let Some(link) = page.header("link") else { break };
            path = link.trim_start_matches('<').split('>').next().unwrap().to_owned();
        }
        let wanted: Vec<Value> = (0..25).map(|n| json!(format!("c{n}"))).collect();
        assert_eq!(found, wanted);
    }

    fn a_site_bound_source_reports_for_its_sites_only(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let far = app.key(Role::Source, "far", None, &["Odense"]);
        let post = |client: &Client| {
            client.post(&outcomes(), &outcome("o1", &participant, "employment_started", "2026-03-01"))
        };
        post(&far).expect_problem(404, "unknown-participant");
        post(&app.key(Role::Source, "near", None, &["Odense", "Aalborg"])).expect(201);
    }
}
