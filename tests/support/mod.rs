//! A service on a database of its own, and clients that know no way into it but HTTP.
#![allow(
    dead_code,
    unused_imports,
    reason = "each test binary uses a part of it"
)]

mod client;
pub mod sending;

pub use client::{Answer, Calendar, Client, invalid};

use chrono::{DateTime, Utc};
use lodkast::access::{Right, Role};
use lodkast::api::server::{self, Running};
use lodkast::clock::Clock;
use lodkast::conduct::issue_key::{self, Wish};
use lodkast::conduct::{FactKind, Service};
use lodkast::config::Config;
use lodkast::randomization::{Replay, StratumLabel};
use lodkast::secrets::{RootKey, Secrets};
use lodkast::store::Store;
use serde_json::{Value, json};
use std::net::TcpListener;
use std::time::Duration;

/// Declares tests that run on SQLite and on PostgreSQL.
#[macro_export]
macro_rules! on_both {
    ($($(#[$note:meta])* fn $name:ident($app:ident: &TestApp) $body:block)+) => {
        $($(#[$note])* mod $name {
            use super::*;
            fn scenario($app: &TestApp) $body
            #[test]
            fn sqlite() { scenario(&TestApp::sqlite()) }
            #[test]
            fn postgres() { scenario(&TestApp::postgres()) }
        })+
    };
}

/// A running service.
pub struct TestApp {
    pub service: Service,
    pub clock: Clock,
    pub address: String,
    pub database: String,
    pub calendar: Calendar,
    running: Option<Running>,
    _folder: tempfile::TempDir,
}

pub const NOW: &str = "2026-11-21T12:00:00Z";
pub const TRIAL: &str = "/v1/trials/digital-conversations";
pub const TRIAL_ID: &str = "digital-conversations";
pub const SITE: &str = "Aalborg";

impl TestApp {
    pub fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.sqlite").display());
        Self::start(url, folder, |_| {})
    }

    pub fn postgres() -> Self {
        Self::start(
            new_postgres_database(),
            tempfile::tempdir().unwrap(),
            |_| {},
        )
    }

    /// On PostgreSQL, with other settings.
    pub fn postgres_with_settings(change: impl Fn(&mut Config)) -> Self {
        Self::start(
            new_postgres_database(),
            tempfile::tempdir().unwrap(),
            change,
        )
    }

    /// On SQLite, with other settings.
    pub fn with_settings(change: impl Fn(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.sqlite").display());
        Self::start(url, folder, change)
    }

    pub fn start(url: String, folder: tempfile::TempDir, change: impl Fn(&mut Config)) -> Self {
        let clock = Clock::standing_at(NOW.parse().unwrap());
        Self::copy(
            url,
            folder,
            clock,
            Secrets::new(RootKey::random(), None),
            change,
        )
    }

    /// Another copy of the service, over the same database.
    pub fn another_copy(&self) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut copy = Self::copy(
            self.database.clone(),
            folder,
            self.clock.clone(),
            self.service.secrets.clone(),
            |_| {},
        );
        copy.calendar = self.calendar.clone();
        copy
    }

    /// A service on a database that is there.
    pub fn on(url: String, folder: tempfile::TempDir, clock: Clock, secrets: Secrets) -> Self {
        Self::copy(url, folder, clock, secrets, |_| {})
    }

    /// Opens the database once more, as a start of the service does.
    pub fn open_again(&self) -> Result<Service, lodkast::conduct::NotStarted> {
        let store = Store::open(
            &self.database,
            2,
            Duration::from_secs(20),
            Duration::from_secs(30),
        )
        .unwrap();
        let secrets = self.service.secrets.clone();
        Service::open(
            store,
            self.clock.clone(),
            secrets,
            Config::load(None).unwrap(),
        )
    }

    fn copy(
        url: String,
        folder: tempfile::TempDir,
        clock: Clock,
        secrets: Secrets,
        change: impl Fn(&mut Config),
    ) -> Self {
        let mut config = Config::load(None).unwrap();
        config.database.url.clone_from(&url);
        config.database.connections = 6;
        config.database.wait_seconds = 20;
        config.server.workers = 2;
        config.limits.arm_reads_per_day = 11;
        // Tests send more wrong keys than anybody else.
        config.limits.wrong_key_milliseconds = 0;
        change(&mut config);
        let wait = Duration::from_secs(config.database.wait_seconds);
        let store = Store::open(
            &url,
            config.database.connections,
            wait,
            Duration::from_secs(config.database.statement_seconds),
        )
        .unwrap();
        store.migrate().unwrap();
        let service = Service::open(store, clock.clone(), secrets, config).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let running = server::start(service.clone(), listener, false).unwrap();
        let address = format!("http://{}", running.address);
        Self {
            calendar: Calendar::of(&clock),
            service,
            clock,
            address,
            database: url,
            running: Some(running),
            _folder: folder,
        }
    }

    /// A client with a key that was made on the command line.
    pub fn key(&self, role: Role, name: &str, trial: Option<&str>, sites: &[&str]) -> Client {
        let sites = sites.iter().map(|site| (*site).to_owned());
        let wish = Wish {
            trial: trial.map(str::to_owned),
            sites: (sites.len() > 0).then(|| sites.collect()),
            // Tests live through years.
            expires_at: Some("2040-01-01T00:00:00Z".parse().unwrap()),
            ..Wish::new(role, name)
        };
        let key = issue_key::by_hand(&self.service, &wish).unwrap();
        self.client(&key.reveal())
    }

    /// A client with this key, whose enrolments happen on the day that they tell.
    pub fn client(&self, key: &str) -> Client {
        Client::of(&self.address, key, &self.calendar)
    }

    /// Makes a key over HTTP that two persons ask for and sign.
    pub fn signed_key(&self, asks: &Client, signs: &Client, wish: &Value) -> Client {
        let key = lodkast::access::KeyText::random();
        let mut wish = wish.clone();
        wish["key_id"] = json!(key.id);
        wish["secret_sha256"] = json!(key.hash());
        let asked = asks.post("/v1/keys", &wish).expect(202);
        let made = signs
            .post(asked["approval"].as_str().unwrap(), &json!({}))
            .expect(201);
        assert_eq!(made, json!({"key_id": key.id}));
        self.client(&key.reveal())
    }

    pub fn administrator(&self) -> Client {
        self.key(Role::Administrator, "Anna", None, &[])
    }

    pub fn enroller(&self) -> Client {
        self.key(Role::Enroller, "Erik", None, &[])
    }

    /// An enroller of one site.
    pub fn caseworker(&self) -> Client {
        self.key(Role::Enroller, "Ella", None, &[SITE])
    }

    pub fn source(&self) -> Client {
        self.key(Role::Source, "register", None, &[])
    }

    pub fn monitor(&self) -> Client {
        self.key(Role::Monitor, "Mona", None, &[])
    }

    pub fn statistician(&self) -> Client {
        self.key(Role::Statistician, "Stine", None, &[])
    }

    pub fn set_time(&self, time: &str) {
        self.clock.set(time.parse::<DateTime<Utc>>().unwrap());
    }

    /// The example trial, enrolling; returns its administrator.
    pub fn enrolling(&self) -> Client {
        self.enrolling_with(&protocol())
    }

    pub fn enrolling_with(&self, protocol: &Value) -> Client {
        let administrator = self.administrator();
        let trial = format!("/v1/trials/{}", protocol["id"].as_str().unwrap());
        administrator.post("/v1/trials", protocol).expect(201);
        administrator
            .post(&format!("{trial}/registration"), &json!({}))
            .expect(201);
        let open = json!({"to": "enrolling", "reason": "ready"});
        administrator
            .post(&format!("{trial}/status"), &open)
            .expect(200);
        administrator
    }

    /// Goes from enrolling to unblinded: closed, followed up to the end, cut, locked, and unblinded by
    /// two administrators. Needs a standing clock, which it sets.
    pub fn unblind(&self, administrator: &Client) {
        let to = |client: &Client, status: &str| {
            let body = json!({"to": status, "reason": "as planned"});
            client.post(&format!("{TRIAL}/status"), &body)
        };
        to(administrator, "closed").expect(200);
        self.set_time("2028-12-01T12:00:00Z");
        administrator
            .post(&format!("{TRIAL}/data-cuts"), &json!({}))
            .expect(201);
        to(administrator, "locked").expect(200);
        to(administrator, "unblinded").expect(202);
        let other = self.key(Role::Administrator, "Bent", None, &[]);
        to(&other, "unblinded").expect(200);
    }

    /// Ends the service and gives what is left in its database, as bytes.
    pub fn stop_and_dump(&mut self) -> Vec<u8> {
        self.running.take().unwrap().stop().unwrap();
        dump(&self.database)
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        if let Some(running) = self.running.take() {
            let _ = running.stop();
        }
    }
}

/// The example protocol, drawing in blocks.
pub fn protocol() -> Value {
    let mut protocol = shipped_protocol();
    protocol["randomization"] = json!({"method": "permuted_blocks", "block_sizes": [4, 6, 8]});
    protocol
}

/// The example protocol as it is shipped.
pub fn shipped_protocol() -> Value {
    let text = include_str!("../../config/protocols/digital-conversations.toml");
    lodkast::protocol::from_toml(text).unwrap().document
}

/// The example protocol with another method; with `clusters` its sites are what is drawn.
pub fn protocol_by(randomization: &Value) -> Value {
    let mut protocol = protocol();
    protocol["randomization"] = randomization.clone();
    if randomization["method"] == "clusters" {
        protocol["unit"] = json!("site");
        for factor in protocol["factors"].as_array_mut().unwrap() {
            factor["stratify"] = json!(false);
        }
    }
    protocol
}

/// Replays every draw of the ledger from the seed, in the order of the record sequence; gives how
/// many there are.
pub fn draws_follow_the_seed(app: &TestApp) -> usize {
    let registration = registration(app);
    let facts = app
        .service
        .store
        .read(|tx| tx.list_facts(TRIAL_ID, FactKind::Draw.as_str(), i64::MAX))
        .unwrap();
    let mut replay = Replay::new(&registration.protocol, registration.keys().unwrap()).unwrap();
    for fact in &facts {
        let record: Value = serde_json::from_str(&fact.record).unwrap();
        let body = &record["body"];
        let label = StratumLabel::parse(body["label"].as_str().unwrap()).unwrap();
        let drawn = replay.next(&label, body["unit"].as_str()).unwrap();
        assert_eq!(body["index"], drawn.index, "{label}");
        let arm = &registration.protocol.arms[drawn.arm].id;
        assert_eq!(body["arm"], json!(arm), "{label} {}", drawn.index);
    }
    facts.len()
}

/// What was registered of the example trial, opened.
pub fn registration(app: &TestApp) -> std::sync::Arc<lodkast::conduct::trial::Registration> {
    let key = app.administrator().key;
    let caller = issue_key::authenticate(&app.service, &key).unwrap();
    let trial = app
        .service
        .trial(&caller, TRIAL_ID, Right::ConductTrial)
        .unwrap();
    trial.registered().unwrap().clone()
}

/// A request to enrol the citizen with this number.
pub fn citizen(number: &str) -> Value {
    json!({
        "citizen": {"scheme": "cpr", "value": number},
        "site": SITE,
        "factors": {"target_group": "unemployment_benefit", "age": 36},
        "eligibility": {
            "first_conversation": false, "needs_interpreter": false,
            "protected_address": false, "in_another_trial": false,
        },
        "enrolled_on": "2026-01-05",
    })
}

/// The same request for a citizen who is enrolled today.
pub fn today(mut request: Value) -> Value {
    request.as_object_mut().unwrap().remove("enrolled_on");
    request
}

/// The n-th number of a citizen born on 1 January 1990.
pub fn number(n: usize) -> String {
    format!("010190-{:04}", n % 4_000)
}

/// Enrols a citizen and gives the participant's id.
pub fn enrol(enroller: &Client, request: &Value) -> String {
    let answer = enroller
        .post(&format!("{TRIAL}/enrolments"), request)
        .expect(201);
    answer["participant"].as_str().unwrap().to_owned()
}

pub fn conversation(source_id: &str, participant: &str) -> Value {
    json!({
        "source_id": source_id, "participant": participant, "scheduled_at": "2026-02-03T09:30:00Z",
        "status": "held", "held_channel": "telephone", "duration_minutes": 22,
    })
}

pub fn outcome(source_id: &str, participant: &str, kind: &str, day: &str) -> Value {
    json!({
        "source_id": source_id, "participant": participant, "kind": kind, "effective_on": day,
        "extracted_on": "2026-11-20",
    })
}

pub fn new_postgres_database() -> String {
    use diesel::connection::SimpleConnection;
    use diesel::{Connection, PgConnection};
    let Ok(server) = std::env::var("LODKAST_TEST_POSTGRES") else {
        panic!(
            "LODKAST_TEST_POSTGRES is not set: the tests on PostgreSQL DO NOT RUN. Run tests/run"
        );
    };
    let name = format!("test_{}", uuid::Uuid::new_v4().simple());
    let mut connection = PgConnection::establish(&server).unwrap();
    connection
        .batch_execute(&format!("CREATE DATABASE {name}"))
        .unwrap();
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

/// Everything that a database holds: the bytes of an SQLite file, or every row of PostgreSQL.
fn dump(url: &str) -> Vec<u8> {
    if let Some(path) = url.strip_prefix("sqlite://") {
        let files = [path.to_owned(), format!("{path}-wal")];
        return files
            .iter()
            .flat_map(|file| std::fs::read(file).unwrap_or_default())
            .collect();
    }
    use diesel::prelude::*;
    #[derive(diesel::QueryableByName)]
    struct Line {
        #[diesel(sql_type = diesel::sql_types::Text)]
        line: String,
    }
    let mut connection = diesel::PgConnection::establish(url).unwrap();
    let tables: Vec<Line> = diesel::sql_query(
        "SELECT table_name::text AS line FROM information_schema.tables WHERE table_schema = 'public'",
    )
    .load(&mut connection)
    .unwrap();
    tables
        .iter()
        .flat_map(|table| {
            let query = format!("SELECT row_to_json(t)::text AS line FROM {} t", table.line);
            diesel::sql_query(query)
                .load::<Line>(&mut connection)
                .unwrap()
        })
        .flat_map(|row| (row.line + "\n").into_bytes())
        .collect()
}

/// Runs statements on a database, behind the service's back.
pub fn execute(url: &str, sql: &str) {
    try_execute(url, sql).unwrap();
}

pub fn try_execute(url: &str, sql: &str) -> diesel::QueryResult<()> {
    use diesel::Connection;
    use diesel::connection::SimpleConnection;
    match url.strip_prefix("sqlite://") {
        Some(path) => {
            let mut connection = diesel::SqliteConnection::establish(path).unwrap();
            connection.batch_execute("PRAGMA busy_timeout = 20000;")?;
            connection.batch_execute(sql)
        }
        None => diesel::PgConnection::establish(url)
            .unwrap()
            .batch_execute(sql),
    }
}

diesel::table! {
    facts (trial_id, sequence) {
        trial_id -> Text,
        sequence -> BigInt,
        record -> Text,
        salt -> Binary,
        leaf -> Binary,
    }
}
diesel::table! {
    analysis_results (analysis_id) { analysis_id -> Text, result -> Nullable<Text>, }
}

/// A fact: ledger, number, record, salt, leaf.
pub type Fact = (String, i64, String, Vec<u8>, Vec<u8>);

/// Every fact of a database.
pub fn facts_of(url: &str) -> Vec<Fact> {
    use diesel::prelude::*;
    let query = facts::table.order((facts::trial_id, facts::sequence));
    match url.strip_prefix("sqlite://") {
        Some(path) => query.load(&mut diesel::SqliteConnection::establish(path).unwrap()),
        None => query.load(&mut diesel::PgConnection::establish(url).unwrap()),
    }
    .unwrap()
}

/// Every stored result.
pub fn results_of(url: &str) -> Vec<(String, Option<String>)> {
    use diesel::prelude::*;
    let query = analysis_results::table.order(analysis_results::analysis_id);
    match url.strip_prefix("sqlite://") {
        Some(path) => query.load(&mut diesel::SqliteConnection::establish(path).unwrap()),
        None => query.load(&mut diesel::PgConnection::establish(url).unwrap()),
    }
    .unwrap()
}
