//! What a law demands to be forgotten is gone, and nobody else's records are.

use crate::bundle::check;
use crate::on_both;
use crate::support::{
    SITE, TRIAL, TRIAL_ID, TestApp, citizen, conversation, enrol, number, outcome, today,
    try_execute,
};
use lodkast::conduct::erase::{self, Whom};
use lodkast::ledger::bundle::Trust;
use serde_json::json;
use std::time::Duration;

/// Says in the database that it stands on a person's record.
const MARK: &str = "a-mark-of-the-record";

fn erase(app: &TestApp, person: &str) {
    let whom = Whom::Participant(person.to_owned());
    erase::run(&app.service, TRIAL_ID, &whom, "Article 17").unwrap();
}

on_both! {
    /// The source system sends the enrolment of last week again: nobody is drawn anew, and the answer does
    /// not say that anybody was erased.
    fn an_erased_citizen_who_is_sent_again_is_not_drawn(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let person = enrol(&enroller, &citizen(&number(1)));
        erase(app, &person);
        for request in [citizen(&number(1)), today(citizen(&number(1)))] {
            let problem = enroller
                .post(&format!("{TRIAL}/enrolments"), &request)
                .expect_problem(422, "not-eligible");
            assert_eq!(problem["failed"], json!(["excluded"]));
            assert!(!problem.to_string().contains("eras"), "{problem}");
        }
        let flow = app.administrator().get(&format!("{TRIAL}/flow")).expect(200);
        assert_eq!(flow["records"]["draw"], 1);
        enrol(&enroller, &citizen(&number(2)));
    }

    /// A retried request is answered from what was kept; of an erased person nothing is kept.
    fn kept_answers_of_an_erased_person_are_gone(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let send = || {
            let request = today(citizen(&number(1)));
            enroller.post_with_key(&format!("{TRIAL}/enrolments"), "k-1", &request)
        };
        let person = send().expect(201)["participant"].as_str().unwrap().to_owned();
        assert_eq!(send().expect(201)["participant"], person.as_str());
        // An answer as release 0.1 kept it, which does not say of whom it is.
        try_execute(&app.database, "UPDATE idempotent_answers SET participant_id = NULL").unwrap();
        erase(app, &person);
        let answer = send();
        assert_eq!(answer.status, 422, "{}", answer.text);
        assert!(!answer.text.contains(&person));
    }

    fn a_full_bundle_shows_every_record_but_those_of_the_erased(app: &TestApp) {
        let administrator = app.enrolling();
        let (enroller, source) = (app.enroller(), app.source());
        let people: Vec<String> = (0..8).map(|n| enrol(&enroller, &citizen(&number(n)))).collect();
        for (n, person) in people.iter().enumerate() {
            let record = conversation(&format!("c{n}"), person);
            source.post(&format!("{TRIAL}/conversations"), &record).expect(201);
        }
        erase(app, &people[3]);
        app.unblind(&administrator);
        let path = format!("{TRIAL}/bundle?audience=full");
        let bundle = app.key(lodkast::access::Role::Auditor, "Alma", None, &[]).get(&path).expect(200);
        let report = check(&bundle, &Trust::default()).unwrap();
        assert_eq!((report.draws, report.erased), (8, 2));
        assert_eq!(report.records + report.erased, report.entries);

        // One record more is hidden, under the name of the erased or of nobody.
        let hide = |erased: Option<&str>| {
            let mut bundle = bundle.clone();
            let entries = bundle["entries"].as_array_mut().unwrap();
            let shown = entries.iter().rposition(|entry| {
                entry["record"].as_str().is_some_and(|r| r.contains("\"kind\":\"conversation\""))
            });
            let entry = entries[shown.unwrap()].as_object_mut().unwrap();
            entry.remove("record");
            entry.remove("salt");
            if let Some(erased) = erased {
                entry.insert("erased".into(), json!(erased));
            }
            check(&bundle, &Trust::default()).unwrap_err()
        };
        assert!(hide(None).contains("hides what was erased only"));
        assert!(hide(Some(&people[3])).contains("3 records are hidden as erased"));
        assert!(hide(Some(&people[4])).contains("nothing says that anybody erased them"));
        // A record that is changed under its leaf is found, of whatever kind.
        let mut changed = bundle.clone();
        let entries = changed["entries"].as_array_mut().unwrap();
        for entry in entries {
            let text = entry["record"].as_str().unwrap_or_default().to_owned();
            if text.contains("\"held\"") {
                entry["record"] = json!(text.replacen("\"held\"", "\"no_show\"", 1));
            }
        }
        assert!(check(&changed, &Trust::default()).unwrap_err().contains("not the one of its leaf"));
    }
}

/// What stands in the file of the database and in its log, as bytes.
fn bytes(app: &TestApp) -> Vec<u8> {
    let file = app.database.strip_prefix("sqlite://").unwrap();
    let mut all = std::fs::read(file).unwrap();
    all.extend(std::fs::read(format!("{file}-wal")).unwrap_or_default());
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|at| at == text.as_bytes())
}

#[test]
fn nothing_of_the_erased_is_left_in_the_file_or_its_log() {
    let app = TestApp::with_settings(|config| config.database.wait_seconds = 1);
    app.enrolling();
    let person = enrol(&app.enroller(), &citizen(&number(1)));
    let source = app.source();
    let record = outcome(MARK, &person, "employment_started", "2026-02-01");
    source
        .post(&format!("{TRIAL}/outcomes"), &record)
        .expect(201);
    assert!(holds(&bytes(&app), MARK));

    // A reader who began before holds the log: that it is not overwritten is told.
    let waited = app.service.store.read(|tx| {
        tx.has_person(TRIAL_ID, &person)?;
        std::thread::scope(|scope| {
            let erasing = scope.spawn(|| {
                erase(&app, &person);
                erase::scrub(&app.service, Duration::from_millis(300)).unwrap()
            });
            Ok::<_, lodkast::store::StoreError>(erasing.join().unwrap())
        })
    });
    assert!(!waited.unwrap());
    assert!(holds(&bytes(&app), MARK), "the reader still reads it");
    assert!(erase::scrub(&app.service, Duration::from_secs(10)).unwrap());
    let left = bytes(&app);
    assert!(!holds(&left, MARK));
    assert!(
        holds(&left, SITE),
        "the draw stands, with the site that it was made at"
    );
}
