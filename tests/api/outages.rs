//! A connection to PostgreSQL that is lost without a word is given up, and grants that suffice.

use crate::support::{
    NOW, TRIAL, TestApp, citizen, conversation, enrol, execute, new_postgres_database, number,
    today,
};
use lodkast::clock::Clock;
use serde_json::json;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Forwards connections to a database until it is told to forget those that are open: from then on it
/// neither forwards nor ends them, and takes new ones.
struct Proxy {
    url: String,
    era: Arc<AtomicUsize>,
}

impl Proxy {
    fn before(url: &str) -> Self {
        let (rest, name) = url.rsplit_once('/').unwrap();
        let (user, target) = rest.rsplit_once('@').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{user}@{}/{name}", listener.local_addr().unwrap());
        let era = Arc::new(AtomicUsize::new(0));
        let (target, eras) = (target.to_owned(), era.clone());
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let server = TcpStream::connect(&target).unwrap();
                let born = eras.load(Ordering::SeqCst);
                let pairs = [
                    (client.try_clone().unwrap(), server.try_clone().unwrap()),
                    (server, client),
                ];
                for (from, to) in pairs {
                    let eras = eras.clone();
                    std::thread::spawn(move || forward(from, to, &eras, born));
                }
            }
        });
        Self { url, era }
    }

    fn forget(&self) {
        self.era.fetch_add(1, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, eras: &AtomicUsize, born: usize) {
    let mut buffer = [0; 16_384];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if eras.load(Ordering::SeqCst) != born {
            // Neither sent on nor refused: held open for longer than anybody waits.
            std::thread::sleep(Duration::from_secs(600));
        }
        if to.write_all(&buffer[..n]).is_err() {
            return;
        }
    }
}

#[test]
fn connections_that_are_silently_lost_are_given_up() {
    let proxy = Proxy::before(&new_postgres_database());
    let app = TestApp::start(proxy.url.clone(), tempfile::tempdir().unwrap(), |config| {
        config.database.wait_seconds = 2;
        config.database.statement_seconds = 2;
        config.database.connections = 4;
    });
    app.enrolling();
    let (enroller, source) = (app.enroller(), app.source());
    let person = enrol(&enroller, &citizen(&number(1)));
    proxy.forget();
    let begun = Instant::now();
    let record = conversation("c1", &person);
    loop {
        let answer = source.post(&format!("{TRIAL}/conversations"), &record);
        match answer.status {
            200 | 201 => break,
            status => assert_eq!(status, 503, "{}", answer.text),
        }
        assert!(
            begun.elapsed() < Duration::from_secs(40),
            "it is never given up"
        );
    }
    let recovered = begun.elapsed();
    assert!(recovered < Duration::from_secs(20), "{recovered:?}");
    // It was written once, whether or not the first attempt had reached the database.
    let flow = app
        .administrator()
        .get(&format!("{TRIAL}/flow"))
        .expect(200);
    assert_eq!(flow["records"]["conversation"], 1);
    enroller
        .post(&format!("{TRIAL}/enrolments"), &today(citizen(&number(2))))
        .expect(201);
}

/// The grants of docs/operations.md, as they stand there.
fn grants() -> String {
    let page = include_str!("../../docs/operations.md");
    let begin = page
        .find("<!-- grants: begin -->")
        .expect("the grants are listed");
    let rest = &page[begin..];
    let block = rest.split("```sql").nth(1).expect("as SQL");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn the_service_works_with_the_grants_that_are_listed() {
    let url = new_postgres_database();
    // The owner migrates; the service itself has another role.
    let folder = tempfile::tempdir().unwrap();
    let owner = TestApp::start(url.clone(), folder, |_| {});
    let secrets = owner.service.secrets.clone();
    drop(owner);
    let role = format!("service_{}", uuid::Uuid::new_v4().simple());
    execute(&url, &format!("CREATE ROLE {role} LOGIN"));
    execute(&url, &grants().replace("lodkast_service", &role));
    let (rest, name) = url.rsplit_once('/').unwrap();
    let (_, host) = rest.rsplit_once('@').unwrap();
    let as_service = format!("postgres://{role}@{host}/{name}");
    let clock = Clock::standing_at(NOW.parse().unwrap());
    let app = TestApp::on(
        as_service.clone(),
        tempfile::tempdir().unwrap(),
        clock,
        secrets,
    );
    let administrator = app.enrolling();
    let (enroller, source, monitor) = (app.enroller(), app.source(), app.monitor());
    let person = enrol(&enroller, &citizen(&number(1)));
    enrol(&enroller, &citizen(&number(2)));
    source
        .post(
            &format!("{TRIAL}/conversations"),
            &conversation("c1", &person),
        )
        .expect(201);
    let answer = source.post_with_key(
        &format!("{TRIAL}/conversations"),
        "k",
        &conversation("c2", &person),
    );
    assert_eq!(answer.status, 201);
    let cut = monitor
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201)["data_cut"]
        .clone();
    monitor
        .post(&format!("{TRIAL}/analyses"), &json!({"data_cut": cut}))
        .expect(201);
    administrator
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .expect(200);
    let report = lodkast::conduct::check::run(&app.service, None).unwrap();
    assert_eq!(report.differences, Vec::<String>::new());
    app.client("").get("/readyz").expect(200);
    // The role can neither drop what protects the records nor take a record out.
    for statement in [
        "DROP TABLE facts",
        "DELETE FROM facts",
        "TRUNCATE facts",
        "DELETE FROM checkpoints",
        "DELETE FROM analysis_results",
        "ALTER TABLE facts DISABLE TRIGGER ALL",
        "CREATE TABLE mine (x int)",
    ] {
        let refused = crate::support::try_execute(&as_service, statement);
        assert!(refused.is_err(), "{statement}");
    }
}
