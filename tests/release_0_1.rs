//! A database of release 0.1 is taken over: nothing of it changes, and what it promised still holds.

#[path = "support/mod.rs"]
mod support;

use lodkast::access::Role;
use lodkast::clock::Clock;
use lodkast::ledger::bundle::{Trust, verify};
use lodkast::ledger::note::VerifierKey;
use lodkast::secrets::{RootKey, Secrets};
use serde_json::{Value, json};
use std::path::PathBuf;
use support::{Client, TestApp, citizen, invalid, number, outcome};

/// When the database is taken over.
const NOW: &str = "2028-12-10T12:00:00Z";

const TRIALS: [(&str, &str); 8] = [
    ("t-draft", "draft"),
    ("t-registered", "registered"),
    ("t-enrolling", "enrolling"),
    ("t-paused", "paused"),
    ("t-closed", "closed"),
    ("t-locked", "locked"),
    ("t-unblinded", "unblinded"),
    ("t-archived", "archived"),
];

struct Release {
    app: TestApp,
    folder: PathBuf,
    keys: Value,
    /// Every fact as it was.
    facts: Vec<support::Fact>,
    results: Vec<(String, Option<String>)>,
}

fn folder(database: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures/release-0.1")
        .join(database)
}

fn read(folder: &std::path::Path, name: &str) -> Value {
    serde_json::from_str(&std::fs::read_to_string(folder.join(name)).unwrap()).unwrap()
}

impl Release {
    fn sqlite() -> Self {
        let files = tempfile::tempdir().unwrap();
        let path = files.path().join("lodkast.sqlite");
        std::fs::copy(folder("sqlite").join("lodkast.sqlite"), &path).unwrap();
        Self::open(
            format!("sqlite://{}", path.display()),
            files,
            folder("sqlite"),
        )
    }

    fn postgres() -> Self {
        use diesel::connection::SimpleConnection;
        use diesel::{Connection, PgConnection};
        let url = support::new_postgres_database();
        let dump = std::fs::read_to_string(folder("postgres").join("lodkast.sql")).unwrap();
        let mut connection = PgConnection::establish(&url).unwrap();
        connection.batch_execute(&dump).unwrap();
        Self::open(url, tempfile::tempdir().unwrap(), folder("postgres"))
    }

    fn open(url: String, files: tempfile::TempDir, folder: PathBuf) -> Self {
        let keys = read(&folder, "keys.json");
        let before = support::facts_of(&url);
        let results = support::results_of(&url);
        let secret = RootKey::from_hex(keys["secret_key"].as_str().unwrap()).unwrap();
        let clock = Clock::standing_at(NOW.parse().unwrap());
        let app = TestApp::on(url, files, clock, Secrets::new(secret, None));
        Self {
            app,
            folder,
            keys,
            facts: before,
            results,
        }
    }

    fn key(&self, name: &str) -> Client {
        self.app
            .client(self.keys["api_keys"][name].as_str().unwrap())
    }
}

fn path(trial: &str, rest: &str) -> String {
    format!("/v1/trials/{trial}{rest}")
}

macro_rules! on_both {
    ($(fn $name:ident($release:ident: &Release) $body:block)+) => {
        $(mod $name {
            use super::*;
            fn scenario($release: &Release) $body
            #[test]
            fn sqlite() { scenario(&Release::sqlite()) }
            #[test]
            fn postgres() { scenario(&Release::postgres()) }
        })+
    };
}

on_both! {
    fn records_leaves_roots_and_results_stay_the_same_to_the_byte(release: &Release) {
        let now = support::facts_of(&release.app.database);
        let kept: Vec<_> = now.into_iter().filter(|fact| release.facts.contains(fact)).collect();
        assert_eq!(kept, release.facts);
        assert_eq!(support::results_of(&release.app.database), release.results);
        let alma = release.key("Alma");
        for (trial, heads) in read(&release.folder, "notes.json").as_object().unwrap() {
            for head in heads.as_array().unwrap() {
                let told = alma.get(&path(trial, &format!("/ledger/checkpoint?size={}", head["size"])));
                let told = told.expect(200);
                assert_eq!((&told["root"], &told["checkpoint"]), (&head["root"], &head["checkpoint"]), "{trial}");
            }
        }
        let mona = release.key("Mona");
        let mut asked = 0;
        for (trial, analyses) in read(&release.folder, "results.json").as_object().unwrap() {
            for analysis in analyses.as_array().unwrap() {
                let id = analysis["analysis"].as_str().unwrap();
                let told = mona.get(&path(trial, &format!("/analyses/{id}"))).expect(200);
                assert_eq!(told, *analysis, "{trial}");
                asked += 1;
            }
        }
        assert_eq!(asked, 5);
    }

    fn every_trial_stands_where_it_stood_and_its_bundle_goes_on_from_the_old_notes(release: &Release) {
        let anna = release.key("Anna Holm");
        for (trial, status) in TRIALS {
            assert_eq!(anna.get(&path(trial, "")).expect(200)["status"], status);
        }
        let notes = read(&release.folder, "notes.json");
        let old = release.folder.join("bundle.json");
        verify(&std::fs::read(old).unwrap(), &Trust::default()).unwrap();
        let bundle = release.key("Alma").get(&path("t-unblinded", "/bundle"));
        let heads = notes["t-unblinded"].as_array().unwrap();
        let last = &heads[1];
        let trust = Trust {
            keys: vec![VerifierKey::parse(last["keys"][0].as_str().unwrap()).unwrap()],
            kept: vec![("mine".into(), last["checkpoint"].as_str().unwrap().to_owned())],
        };
        let report = verify(bundle.text.as_bytes(), &trust).unwrap();
        assert_eq!((report.draws, report.kept_checkpoints), (12, 1));
    }

    fn the_database_holds_what_it_says(release: &Release) {
        let report = lodkast::conduct::check::run(&release.app.service, None).unwrap();
        assert_eq!(report.differences, Vec::<String>::new());
        // A trial that takes both schemes, and a database of that release, are told.
        let told = report.notes.join("\n");
        assert!(told.contains("t-enrolling: its protocol names no citizen_scheme"), "{told}");
        let trial = release.key("Anna Holm").get(&path("t-enrolling", "")).expect(200);
        assert!(trial["warnings"][0].as_str().unwrap().contains("no citizen_scheme"), "{trial}");
    }

    fn its_cuts_are_still_analysed(release: &Release) {
        let mona = release.key("Mona");
        let cuts = mona.get(&path("t-closed", "/data-cuts")).expect(200);
        let first = &cuts["items"][0]["data_cut"];
        let again = mona.post(&path("t-closed", "/analyses"), &json!({"data_cut": first})).expect(201);
        let before = read(&release.folder, "results.json")["t-closed"][0]["result"].clone();
        let mut result = again["result"].clone();
        assert_eq!(result["data"]["root"].as_str().unwrap().len(), 64);
        result["data"].as_object_mut().unwrap().remove("root");
        for key in ["software", "sequential", "warnings"] {
            result[key] = before[key].clone();
        }
        assert_eq!(result, before);
        mona.get(&path("t-closed", &format!("/exports/participants.csv?data_cut={first}"))).expect(200);
    }

    fn keys_go_on_working_belong_to_persons_and_expire_a_year_later(release: &Release) {
        let anna = release.key("Anna Holm");
        let keys = anna.get("/v1/keys?limit=1000").expect(200);
        let item = |name: &str| {
            let items = keys["items"].as_array().unwrap();
            items.iter().find(|item| item["name"] == name).unwrap().clone()
        };
        // One family is one person; the others are persons of their own.
        assert_eq!(item("Helper of Anna")["person"], item("Anna Holm")["person"]);
        assert_eq!(item("Ella")["person"], item("Anna Holm")["person"]);
        assert_ne!(item("Bent Friis")["person"], item("Anna Holm")["person"]);
        assert_eq!(item("Mona")["expires_at"], "2029-12-10T12:00:00Z");
        release.key("Gone").get("/v1/trials").expect(401);
        // A key that one person asked for before takes a secret of its holder's own now.
        let wish = json!({"role": "monitor", "name": "Second", "trial": "t-closed"});
        assert_eq!(invalid(&anna.post("/v1/keys", &wish).expect(422)), ["secret_sha256"]);
        assert_eq!(anna.get("/v1/trials").header("lodkast-key-expires"), None);
        release.app.set_time("2029-11-01T12:00:00Z");
        assert!(anna.get("/v1/trials").header("lodkast-key-expires").is_some());
        release.app.set_time("2029-12-10T12:00:01Z");
        anna.get("/v1/trials").expect(401);
    }

    fn a_trial_goes_on_by_the_rules_of_its_registration_until_two_persons_adopt_others(release: &Release) {
        let app = &release.app;
        let (anna, erik) = (release.key("Anna Holm"), release.key("Erik"));
        // Rules 1: the day that is told is time zero, both schemes are taken, and a reference may be anything.
        anna.post(&path("t-paused", "/status"), &json!({"to": "enrolling", "reason": "again"})).expect(200);
        let enrol = |request: &Value| erik.post(&path("t-paused", "/enrolments"), request);
        let mut request = citizen(&number(50));
        request["enrolled_on"] = json!("2027-03-01");
        request["site"] = json!("Odense");
        let plain = Client::new(&app.address, &erik.key);
        let old = plain.post(&path("t-paused", "/enrolments"), &request).expect(201);
        request["citizen"] = json!({"scheme": "reference", "value": "010190-0051"});
        plain.post(&path("t-paused", "/enrolments"), &request).expect(201);
        // Who was enrolled before has the arm that was told before.
        let known = citizen(&number(1));
        assert_eq!(enrol(&known).expect(200)["already_enrolled"], true);

        let ask = json!({"act": "adopt_rules", "trial": "t-paused"});
        // Anna made the key of an enroller: she has access by arm.
        anna.post("/v1/requests", &ask).expect_problem(409, "second-person");
        let (carl, dora) = (
            app.key(Role::Administrator, "Carl", None, &[]),
            app.key(Role::Administrator, "Dora", None, &[]),
        );
        let asked = carl.post("/v1/requests", &ask).expect(202);
        let sign = format!("/v1/requests/{}/sign", asked["request"].as_str().unwrap());
        carl.post(&sign, &json!({})).expect_problem(409, "second-person");
        assert_eq!(dora.post(&sign, &json!({})).expect(200), json!({"trial": "t-paused", "rules": 2}));
        carl.post("/v1/requests", &ask).expect_problem(409, "wrong-status");
        request["citizen"] = json!({"scheme": "cpr", "value": number(52)});
        let late = plain.post(&path("t-paused", "/enrolments"), &request).expect(422);
        assert_eq!(invalid(&late), ["enrolled_on"]);
        // A trial whose results were seen by arm stays with its own.
        let ask = json!({"act": "adopt_rules", "trial": "t-closed"});
        carl.post("/v1/requests", &ask).expect_problem(409, "wrong-status");
        // Records from before the old time zero are still refused by it.
        let register = release.key("Employment register");
        let mut death = outcome("late", old["participant"].as_str().unwrap(), "died", "2027-02-28");
        death["extracted_on"] = json!("2028-12-09");
        register.post(&path("t-paused", "/outcomes"), &death).expect(422);
        death["effective_on"] = json!("2027-03-01");
        register.post(&path("t-paused", "/outcomes"), &death).expect(201);
    }

    fn nothing_new_is_registered_by_the_old_rules(release: &Release) {
        let anna = release.key("Anna Holm");
        // The draft of release 0.1 names no scheme.
        let problem = anna.post(&path("t-draft", "/registration"), &json!({})).expect(422);
        assert_eq!(invalid(&problem), ["citizen_scheme"]);
        let mut draft = anna.get(&path("t-draft", "")).expect(200)["protocol"].clone();
        draft["citizen_scheme"] = json!("cpr");
        draft["rules"] = json!(1);
        anna.put(&path("t-draft", ""), &draft).expect(200);
        let problem = anna.post(&path("t-draft", "/registration"), &json!({})).expect(422);
        assert_eq!(invalid(&problem), ["rules"]);
        draft.as_object_mut().unwrap().remove("rules");
        anna.put(&path("t-draft", ""), &draft).expect(200);
        anna.post(&path("t-draft", "/registration"), &json!({})).expect(201);
        assert_eq!(anna.get(&path("t-draft", "")).expect(200)["protocol"]["rules"], 2);
    }
}

#[test]
fn a_database_without_its_own_ledger_is_not_taken_over_a_second_time() {
    let release = Release::sqlite();
    let anna = release.key("Anna Holm");
    anna.post(
        &path("t-enrolling", "/status"),
        &json!({"to": "paused", "reason": "x"}),
    )
    .expect(200);
    // Somebody removes what vouches for the keys, so that the next start would take over a key of theirs.
    support::execute(
        &release.app.database,
        "DROP TRIGGER facts_are_not_deleted; DELETE FROM facts WHERE trial_id = '@installation'; \
         DELETE FROM checkpoints WHERE trial_id = '@installation'; \
         DELETE FROM ledger_heads WHERE trial_id = '@installation'; \
         DELETE FROM trials WHERE id = '@installation';",
    );
    let again = release.app.open_again();
    assert!(again.is_err_and(|why| why.to_string().contains("it was removed")));
}
