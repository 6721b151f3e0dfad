//! Many at once: no index is lost or given twice, and every draw is the one of the seed.

use crate::on_both;
use crate::support::{Client, TRIAL, TestApp, citizen, conversation, enrol, number};
use lodkast::access::Right;
use lodkast::conduct::FactKind;
use lodkast::conduct::issue_key::authenticate;
use lodkast::randomization::{Replay, StratumLabel};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

const CLIENTS: usize = 16;
const EACH: usize = 25;

on_both! {
    fn citizens_enrolled_at_once_are_drawn_as_the_seed_says(app: &TestApp) {
        let administrator = app.enrolling();
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

        assert_eq!(draws_follow_the_seed(app, &administrator), arms.len());
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

/// Replays every draw of the ledger from the seed, in the order of the record sequence; gives how
/// many there are.
fn draws_follow_the_seed(app: &TestApp, administrator: &Client) -> usize {
    let caller = authenticate(&app.service, &administrator.key).unwrap();
    let id = "digital-conversations";
    let trial = app.service.trial(&caller, id, Right::ConductTrial).unwrap();
    let registration = trial.registered().unwrap().clone();
    let facts = app
        .service
        .store
        .read(|tx| tx.list_facts(id, FactKind::Draw.as_str(), i64::MAX))
        .unwrap();
    let keys = registration.keys().unwrap();
    let mut replay = Replay::new(&registration.protocol, keys).unwrap();
    for fact in &facts {
        let record: Value = serde_json::from_str(&fact.record).unwrap();
        let body = &record["body"];
        let label = StratumLabel::kept(body["label"].as_str().unwrap().to_owned());
        let drawn = replay.next(&label, body["unit"].as_str()).unwrap();
        assert_eq!(body["index"], drawn.index, "{label}");
        assert_eq!(
            body["arm"],
            json!(registration.protocol.arms[drawn.arm].id),
            "{label}"
        );
    }
    facts.len()
}

/// Two copies of the service over one database, each with clients that send the same citizens.
#[test]
fn two_copies_over_one_postgres_draw_as_one() {
    two_copies_draw_as_one(&TestApp::postgres());
}

#[test]
fn two_copies_over_one_sqlite_file_draw_as_one() {
    two_copies_draw_as_one(&TestApp::sqlite());
}

fn two_copies_draw_as_one(app: &TestApp) {
    let administrator = app.enrolling();
    let key = app.enroller().key;
    let copy = app.another_copy();
    let answers: Vec<(usize, Value)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|client| {
                let address = if client % 2 == 0 {
                    &app.address
                } else {
                    &copy.address
                };
                let enroller = Client::new(address, &key);
                scope.spawn(move || {
                    // Both copies are sent every citizen, in two orders and into two strata.
                    (0..60)
                        .map(|i| {
                            let n = if client % 4 < 2 { i } else { 59 - i };
                            let mut request = citizen(&number(n));
                            request["site"] = json!(["Aalborg", "Odense"][n % 2]);
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
        told.entry(*n)
            .or_default()
            .insert(format!("{} {}", answer["participant"], answer["arm"]));
    }
    assert_eq!(told.len(), 60);
    assert!(
        told.values().all(|answers| answers.len() == 1),
        "one citizen, two answers"
    );
    assert_eq!(
        answers
            .iter()
            .filter(|(_, a)| a["already_enrolled"] == false)
            .count(),
        60
    );
    assert_eq!(draws_follow_the_seed(app, &administrator), 60);
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
