//! Many at once: no index is lost or given twice, and every draw is the one of the seed.

use crate::on_both;
use crate::support::{
    Client, TRIAL, TestApp, citizen, conversation, draws_follow_the_seed, enrol, number,
    protocol_by,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CLIENTS: usize = 16;
const EACH: usize = 25;

on_both! {
    fn citizens_enrolled_at_once_are_drawn_as_the_seed_says(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let answers: Vec<(usize, Value)> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..CLIENTS)
                .map(|client| {
                    let enroller = enroller.clone();
                    scope.spawn(move || {
                        (0..EACH)
                            .map(|i| {
                                // Half of all citizens are sent by two clients at once.
                                let n = if i % 2 == 0 { client / 2 * EACH + i } else { client * EACH + i };
                                let mut request = citizen(&number(n));
                                request["factors"]["target_group"] =
                                    json!(["unemployment_benefit", "sickness_benefit"][n % 2]);
                                let answer = enroller.post(&format!("{TRIAL}/enrolments"), &request);
                                assert!(answer.status == 201 || answer.status == 200, "{}", answer.text);
                                (n, answer.body)
                            })
                            .collect::<Vec<_>>()
                    })
                })
                .collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        let mut arms: BTreeMap<usize, BTreeSet<(String, String)>> = BTreeMap::new();
        for (n, answer) in &answers {
            let text = |key: &str| answer[key].as_str().unwrap().to_owned();
            arms.entry(*n).or_default().insert((text("participant"), text("arm")));
        }
        assert!(arms.values().all(|told| told.len() == 1), "one citizen, two answers");

        assert_eq!(draws_follow_the_seed(app), arms.len());
    }

    fn the_same_record_sent_by_many_at_once_counts_once(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen("010190-1234"));
        let source = app.source();
        let records: Vec<Value> =
            (0..50).map(|n| conversation(&format!("c{n}"), &participant)).collect();
        std::thread::scope(|scope| {
            for client in 0..8 {
                let (source, records) = (source.clone(), &records);
                scope.spawn(move || {
                    let path = format!("{TRIAL}/conversations");
                    if client % 2 == 0 {
                        let lines = source.post_lines(&path, records).lines();
                        assert_eq!(lines.last().unwrap()["summary"]["refused"], 0);
                    } else {
                        for record in records {
                            let answer = source.post(&path, record);
                            assert!(answer.status == 201 || answer.status == 200, "{}", answer.text);
                        }
                    }
                });
            }
        });
        let flow = app.administrator().get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["records"]["conversation"], 50);
    }

    fn one_idempotency_key_used_by_many_at_once_stands_for_one_request(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let path = format!("{TRIAL}/enrolments");
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..12)
                .map(|client| {
                    let (enroller, path) = (enroller.clone(), &path);
                    scope.spawn(move || {
                        let request = citizen(&number(client % 2));
                        enroller.post_with_key(path, "one", &request).status
                    })
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        // One of the two citizens wins; requests for the other are refused.
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 6, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|status| **status == 422).count(), 6, "{statuses:?}");
        let flow = app.administrator().get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["randomized"], 1);
    }
}

const MANY: usize = 32;
const CITIZENS: usize = 96;

/// Copies of the service over one database, and 32 clients that send the same citizens in different
/// orders to all of them.
fn many_clients_draw_as_one(app: &TestApp, copies: usize, method: &Value) {
    let administrator = app.enrolling_with(&protocol_by(method));
    let key = app.enroller().key;
    let others: Vec<TestApp> = (1..copies).map(|_| app.another_copy()).collect();
    let mut addresses = vec![app.address.clone()];
    addresses.extend(others.iter().map(|copy| copy.address.clone()));
    let answers: Vec<(usize, Value)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..MANY)
            .map(|client| {
                let enroller = Client::of(&addresses[client % copies], &key, &app.calendar);
                scope.spawn(move || {
                    // Each citizen comes from eight clients, forwards or backwards.
                    (0..CITIZENS / 4)
                        .map(|i| {
                            let i = if client % 8 < 4 {
                                i
                            } else {
                                CITIZENS / 4 - 1 - i
                            };
                            let n = client % 4 * CITIZENS / 4 + i;
                            let mut request = citizen(&number(n));
                            request["site"] = json!(["Aalborg", "Odense", "Ribe"][n % 3]);
                            let answer = enroller.post(&format!("{TRIAL}/enrolments"), &request);
                            assert!(answer.status <= 201, "{}", answer.text);
                            (n, answer.body)
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    });
    let mut told: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (n, answer) in &answers {
        let one = format!("{} {}", answer["participant"], answer["arm"]);
        told.entry(*n).or_default().insert(one);
    }
    assert_eq!(told.len(), CITIZENS);
    assert!(
        told.values().all(|answers| answers.len() == 1),
        "one citizen, two answers"
    );
    let new = answers
        .iter()
        .filter(|(_, a)| a["already_enrolled"] == false)
        .count();
    assert_eq!(new, CITIZENS);
    assert_eq!(draws_follow_the_seed(app), CITIZENS);
    if method["method"] == "minimization" {
        crate::draw::minimization_is_what_the_facts_say(app);
    }
    // The ledger of all writers: one unbroken sequence, and a tree that holds each of its entries.
    let ledger = format!("{TRIAL}/ledger");
    let head = administrator
        .get(&format!("{ledger}/checkpoint"))
        .expect(200);
    // Registration, opening, the issue of a key that sees all arms; and two records a citizen.
    assert_eq!(head["size"].as_u64().unwrap() as usize, 3 + 2 * CITIZENS);
    crate::ledger::entries_are_proved(&administrator, &head);
}

fn minimization() -> Value {
    json!({"method": "minimization", "probability": [4, 5], "weights": {"target_group": 2}})
}

#[test]
fn many_clients_over_three_copies_on_one_postgres_draw_blocks_as_one() {
    many_clients_draw_as_one(
        &TestApp::postgres(),
        3,
        &json!({"method": "permuted_blocks", "block_sizes": [4, 6]}),
    );
}

#[test]
fn many_clients_over_three_copies_on_one_postgres_minimize_as_one() {
    many_clients_draw_as_one(&TestApp::postgres(), 3, &minimization());
}

#[test]
fn many_clients_over_one_sqlite_file_draw_from_an_urn_as_one() {
    many_clients_draw_as_one(
        &TestApp::sqlite(),
        1,
        &json!({"method": "block_urn", "lambda": 2}),
    );
}

#[test]
fn many_clients_over_one_sqlite_file_minimize_as_one() {
    many_clients_draw_as_one(&TestApp::sqlite(), 1, &minimization());
}

#[test]
fn many_clients_over_two_copies_on_one_sqlite_file_draw_as_one() {
    many_clients_draw_as_one(
        &TestApp::sqlite(),
        2,
        &json!({"method": "big_stick", "limit": 3}),
    );
}

/// A lock that is not had in time is told at once: the writer does not wait for it again and again.
#[test]
fn a_lock_that_is_not_had_is_503_and_nothing_is_kept() {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, PgConnection};
    let app = TestApp::postgres_with_settings(|config| config.database.wait_seconds = 1);
    app.enrolling();
    let enroller = app.enroller();
    let path = format!("{TRIAL}/enrolments");
    let mut other = PgConnection::establish(&app.database).unwrap();
    other
        .batch_execute("BEGIN; SELECT * FROM ledger_heads FOR UPDATE;")
        .unwrap();
    let refused = enroller.post(&path, &citizen(&number(1)));
    assert!(refused.header("retry-after").is_some());
    refused.expect_problem(503, "unavailable");
    assert_eq!(app.service.store.retries(), 0);
    other.batch_execute("ROLLBACK").unwrap();
    enroller.post(&path, &citizen(&number(1))).expect(201);
}
