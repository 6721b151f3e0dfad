//! Enrolments and bulk outcomes a second through HTTP, beside the raw database in the same run.
//!
//! `cargo bench --bench writes` measures SQLite, and PostgreSQL where LODKAST_TEST_POSTGRES names a
//! server. The raw figure is one client that commits the five statements of an enrolment in a
//! transaction each, with no HTTP, no checks and no draw.

#[path = "../tests/support/mod.rs"]
mod support;

use diesel::connection::SimpleConnection;
use diesel::{Connection, PgConnection, SqliteConnection};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use support::{Client, TRIAL, TestApp, citizen};

const CLIENTS: usize = 32;
const EACH: usize = 400;
const RAW: usize = 2_000;
const LINES: usize = 50_000;

fn main() {
    println!(
        "{:<12} {:>14} {:>8} {:>8} {:>14} {:>7} {:>14}",
        "database", "enrolments/s", "p50 ms", "p99 ms", "raw tx/s", "ratio", "outcomes/s"
    );
    measure("SQLite", &TestApp::sqlite());
    if std::env::var("LODKAST_TEST_POSTGRES").is_ok() {
        measure("PostgreSQL", &TestApp::postgres());
    }
}

fn measure(name: &str, app: &TestApp) {
    app.enrolling();
    let (rate, mut times) = enrolments(&app.enroller());
    times.sort();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
    let raw = raw_rate(&app.database);
    let bulk = bulk_rate(app);
    let (half, most, ratio) = (at(0.5), at(0.99), rate / raw);
    println!(
        "{name:<12} {rate:>14.0} {half:>8.1} {most:>8.1} {raw:>14.0} {ratio:>7.1} {bulk:>14.0}"
    );
}

/// A citizen by a reference of our own, at one of twelve sites.
fn request(n: usize) -> Value {
    let mut request = citizen("010190-1234");
    request["citizen"] = json!({"scheme": "reference", "value": format!("bench {n}")});
    request["site"] = json!(format!("Site {}", n % 12));
    request
}

fn enrolments(enroller: &Client) -> (f64, Vec<Duration>) {
    let begun = Instant::now();
    let times: Vec<Duration> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let enroller = Client::new(&enroller.address, &enroller.key);
                scope.spawn(move || {
                    (0..EACH)
                        .map(|i| {
                            let body = request(client * EACH + i);
                            let sent = Instant::now();
                            enroller
                                .post(&format!("{TRIAL}/enrolments"), &body)
                                .expect(201);
                            sent.elapsed()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().expect("a client"))
            .collect()
    });
    (
        (CLIENTS * EACH) as f64 / begun.elapsed().as_secs_f64(),
        times,
    )
}

/// The five statements of an enrolment: link, participant, two facts, stratum, head.
fn raw_rate(url: &str) -> f64 {
    let setup = "CREATE TABLE bench_rows (id TEXT PRIMARY KEY, body TEXT); \
                 CREATE TABLE bench_heads (id INTEGER PRIMARY KEY, next BIGINT); \
                 INSERT INTO bench_heads VALUES (1, 0), (2, 0);";
    let body = "x".repeat(600);
    let statements = |n: usize| {
        let insert = |k: usize| format!("INSERT INTO bench_rows VALUES ('{n}-{k}', '{body}');");
        format!(
            "BEGIN; {}{}{}{} UPDATE bench_heads SET next = next + 1 WHERE id = 1; \
             UPDATE bench_heads SET next = next + 2 WHERE id = 2; COMMIT;",
            insert(0),
            insert(1),
            insert(2),
            insert(3)
        )
    };
    let mut run: Box<dyn FnMut(&str)> = match url.strip_prefix("sqlite://") {
        Some(path) => {
            let mut link = SqliteConnection::establish(path).expect("SQLite");
            link.batch_execute("PRAGMA synchronous = FULL; PRAGMA busy_timeout = 5000;")
                .expect("settings");
            Box::new(move |sql| link.batch_execute(sql).expect("a statement"))
        }
        None => {
            let mut link = PgConnection::establish(url).expect("PostgreSQL");
            Box::new(move |sql| link.batch_execute(sql).expect("a statement"))
        }
    };
    run(setup);
    let begun = Instant::now();
    for n in 0..RAW {
        run(&statements(n));
    }
    RAW as f64 / begun.elapsed().as_secs_f64()
}

fn bulk_rate(app: &TestApp) -> f64 {
    let participant = support::enrol(&app.enroller(), &request(1_000_000));
    let records: Vec<Value> = (0..LINES)
        .map(|n| {
            let kind = if n % 2 == 0 {
                "employment_started"
            } else {
                "employment_ended"
            };
            support::outcome(&format!("b{n}"), &participant, kind, "2026-03-02")
        })
        .collect();
    let source = app.source();
    let begun = Instant::now();
    let answer = source.post_lines(&format!("{TRIAL}/outcomes"), &records);
    assert_eq!(
        answer.lines().last().expect("a summary")["summary"]["recorded"],
        LINES
    );
    LINES as f64 / begun.elapsed().as_secs_f64()
}
