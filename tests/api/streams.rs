//! Streams that end before their time, clients that never read, and bodies that are made to cost memory.

use crate::on_both;
use crate::support::sending::Sending;
use crate::support::{
    Client, TRIAL, TestApp, citizen, conversation, enrol, execute, invalid, number, outcome,
};
use serde_json::{Value, json};
use std::io::Read;
use std::net::Shutdown;
use std::time::{Duration, Instant};

fn lines(people: &[String], from: usize, to: usize) -> String {
    let record = |n: usize| conversation(&format!("c{n}"), &people[n % people.len()]);
    (from..to).map(|n| format!("{}\n", record(n))).collect()
}

fn conversations(app: &TestApp) -> i64 {
    let flow = app
        .administrator()
        .get(&format!("{TRIAL}/flow"))
        .expect(200);
    flow["records"]["conversation"].as_i64().unwrap_or(0)
}

fn begun(app: &TestApp) -> (Vec<String>, Client) {
    app.enrolling();
    let enroller = app.enroller();
    let people = (0..4)
        .map(|n| enrol(&enroller, &citizen(&number(n))))
        .collect();
    (people, app.source())
}

on_both! {
    fn a_stream_that_breaks_off_has_a_problem_and_no_summary(app: &TestApp) {
        let (people, source) = begun(app);
        let mut sending = Sending::begin(&source, &format!("{TRIAL}/conversations"));
        let whole = lines(&people, 0, 5);
        let cut = lines(&people, 5, 6);
        sending.send(&(whole + &cut[..cut.len() / 2])).unwrap();
        sending.stream.shutdown(Shutdown::Write).unwrap();
        let answers = sending.rest();
        // What arrived whole is written; the line that was cut is not guessed at.
        assert_eq!(conversations(app), 5);
        if let Some(last) = answers.last() {
            assert_eq!(last["problem"]["type"], "/broken-body", "{answers:?}");
        }
        assert!(!answers.iter().any(|answer| answer.get("summary").is_some()));
    }

    fn a_key_that_is_revoked_ends_an_open_stream(app: &TestApp) {
        let (people, source) = begun(app);
        let administrator = app.administrator();
        let keys = administrator.get("/v1/keys").expect(200);
        let of_source = |key: &&Value| key["role"] == "source";
        let id = keys["items"].as_array().unwrap().iter().find(of_source).unwrap()["key_id"].clone();
        let mut sending = Sending::begin(&source, &format!("{TRIAL}/conversations"));
        let bulk = app.service.config.writer.bulk;
        sending.send(&lines(&people, 0, bulk)).unwrap();
        let first: Vec<Value> = (0..bulk).map(|_| sending.next().unwrap()).collect();
        assert!(first.iter().all(|answer| answer["status"] == "recorded"));
        administrator.delete(&format!("/v1/keys/{}", id.as_str().unwrap()));
        sending.send(&lines(&people, bulk, 2 * bulk)).unwrap();
        let rest = sending.rest();
        assert_eq!(rest.len(), 1, "{rest:?}");
        assert_eq!(rest[0]["problem"]["status"], 401);
        assert_eq!(conversations(app), bulk as i64);
    }

    /// 3,000 lines, and a disk that is full after the first of them: one line says so, and no more is read.
    fn a_stream_ends_at_an_outage_with_one_line(app: &TestApp) {
        let (people, source) = begun(app);
        fill_disk(app);
        let path = format!("{TRIAL}/conversations");
        let body = lines(&people, 0, 3_000);
        let headers = [("Content-Type", "application/x-ndjson")];
        let answer = source.send("POST", &path, &headers, &body).lines();
        assert_eq!(answer.len(), 1, "{answer:?}");
        assert_eq!(answer[0]["problem"]["type"], "/insufficient-storage");
        // A single write says the same, and whoever asks whether the service is ready is told.
        source.post(&path, &conversation("x", &people[0])).expect_problem(507, "insufficient-storage");
        app.client("").get("/readyz").expect_problem(503, "not-ready");
        free_disk(app);
        app.client("").get("/readyz").expect(200);
        let answer = source.send("POST", &path, &headers, &body).lines();
        assert_eq!(answer.last().unwrap()["summary"]["recorded"], 3_000);
    }

    fn no_body_is_made_to_cost_memory(app: &TestApp) {
        app.enrolling();
        let (administrator, enroller, source) = (app.administrator(), app.enroller(), app.source());
        let json = [("Content-Type", "application/json")];
        let path = format!("{TRIAL}/enrolments");
        let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
        enroller.send("POST", &path, &json, &deep).expect_problem(400, "malformed-json");
        let many: String = (0..600_000).map(|_| "0,").collect();
        let many = format!("[{}0]", many);
        enroller.send("POST", &path, &json, &many).expect_problem(400, "malformed-json");
        // Unknown fields are not all echoed.
        let mut request = citizen(&number(1));
        for n in 0..5_000 {
            request[format!("unknown_field_number_{n}")] = json!(1);
        }
        let answer = enroller.post(&path, &request);
        assert_eq!(invalid(&answer.clone().expect(422)).len(), 100);
        assert!(answer.text.len() < 20_000, "{}", answer.text.len());
        let records: Vec<Value> = (0..500).map(|n| json!({"source_id": n, "wrong": 1})).collect();
        let answer = source.post(&format!("{TRIAL}/outcomes"), &json!(records));
        assert!(answer.text.len() < 1_000_000);
        let toml = [("Content-Type", "application/toml")];
        let large = format!("id = \"x\"\nnote = [{}]\n", "[[]],".repeat(900_000));
        let answer = administrator.send("POST", "/v1/trials", &toml, &large);
        assert!([413, 422].contains(&answer.status), "{}", answer.status);
        assert!(answer.text.len() < 20_000);
        let large = format!("{{\"id\": \"{}\"}}", "x".repeat(2_000_000));
        let answer = administrator.send("POST", "/v1/trials", &json, &large);
        assert!([413, 422].contains(&answer.status), "{}", answer.status);
    }
}

/// Every write fails from now on as on a full disk.
fn fill_disk(app: &TestApp) {
    match app.database.starts_with("sqlite") {
        true => execute(
            &app.database,
            "CREATE TRIGGER full_disk BEFORE UPDATE ON ledger_heads
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END;
             CREATE TRIGGER full_disk_too BEFORE INSERT ON installation
             BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END",
        ),
        false => execute(
            &app.database,
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$
             BEGIN RAISE EXCEPTION USING ERRCODE = 'disk_full',
             MESSAGE = 'could not extend file: No space left on device'; END $$;
             CREATE TRIGGER full_disk BEFORE UPDATE ON ledger_heads
             FOR EACH ROW EXECUTE FUNCTION full_disk();
             CREATE TRIGGER full_disk_too BEFORE INSERT ON installation
             FOR EACH ROW EXECUTE FUNCTION full_disk()",
        ),
    }
}

fn free_disk(app: &TestApp) {
    for (trigger, table) in [
        ("full_disk", "ledger_heads"),
        ("full_disk_too", "installation"),
    ] {
        let on = match app.database.starts_with("sqlite") {
            true => String::new(),
            false => format!(" ON {table}"),
        };
        execute(&app.database, &format!("DROP TRIGGER {trigger}{on}"));
    }
}

/// Memory of this process that is in use, in MiB.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = text
        .lines()
        .find(|line| line.starts_with("VmRSS:"))
        .unwrap();
    line.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        / 1024
}

#[test]
fn clients_that_never_read_hold_no_memory_and_keep_nobody_waiting() {
    let app = TestApp::with_settings(|config| {
        config.limits.memory_bytes = 32 << 20;
        config.limits.stalled_seconds = 2;
    });
    let (people, source) = begun(&app);
    let before = resident();
    let path = format!("{TRIAL}/outcomes");
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                let mut sending = Sending::begin(&source, &path);
                // Each line is refused, with an answer longer than itself.
                let text = "{}\n".repeat(20_000);
                let begun = Instant::now();
                while begun.elapsed() < Duration::from_secs(8) && sending.send(&text).is_ok() {}
                let mut rest = Vec::new();
                let _ = sending.answers.read_to_end(&mut rest);
                let rest = String::from_utf8_lossy(&rest).into_owned();
                assert!(!rest.contains("\"summary\""), "the stream was never ended");
            });
        }
        // Others are served meanwhile.
        std::thread::sleep(Duration::from_secs(3));
        let record = outcome("o1", &people[0], "employment_started", "2026-02-01");
        let begun = Instant::now();
        source.post(&path, &record).expect(201);
        assert!(begun.elapsed() < Duration::from_secs(10));
        let grown = resident().saturating_sub(before);
        assert!(grown < 400, "{grown} MiB");
    });
    app.source()
        .post(
            &path,
            &outcome("o2", &people[0], "employment_ended", "2026-02-03"),
        )
        .expect(201);
}
