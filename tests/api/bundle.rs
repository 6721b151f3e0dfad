//! The bundle of a trial, and its check.

use crate::on_both;
use crate::support::{TRIAL, TRIAL_ID, TestApp, citizen, enrol, number, protocol_by};
use lodkast::access::Role;
use lodkast::ledger::bundle::{Trust, verify};
use lodkast::ledger::note::VerifierKey;
use serde_json::{Value, json};

const CITIZENS: usize = 40;

pub fn enrol_many(app: &TestApp, from: usize, to: usize) {
    let enroller = app.enroller();
    for n in from..to {
        let mut request = citizen(&number(n));
        request["site"] = json!(["Aalborg", "Odense", "Sted 0"][n % 3]);
        enrol(&enroller, &request);
    }
}

/// An unblinded trial by a method; gives its bundle, the ledger's key and a checkpoint of the midst.
pub fn unblinded(app: &TestApp, method: &Value) -> (Value, VerifierKey, String) {
    let administrator = app.enrolling_with(&protocol_by(method));
    enrol_many(app, 0, CITIZENS / 2);
    let head = administrator
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .expect(200);
    // A day later, so that the bundle has more than one checkpoint.
    app.set_time("2026-11-22T12:00:00Z");
    for status in ["paused", "enrolling"] {
        let body = json!({"to": status, "reason": "a holiday"});
        administrator
            .post(&format!("{TRIAL}/status"), &body)
            .expect(200);
    }
    enrol_many(app, CITIZENS / 2, CITIZENS);
    app.unblind(&administrator);
    let auditor = app.key(Role::Auditor, "Alma", None, &[]);
    let bundle = auditor.get(&format!("{TRIAL}/bundle")).expect(200);
    let key = VerifierKey::parse(head["keys"][0].as_str().unwrap()).unwrap();
    (bundle, key, head["checkpoint"].as_str().unwrap().to_owned())
}

pub fn check(bundle: &Value, trust: &Trust) -> Result<lodkast::ledger::bundle::Report, String> {
    verify(bundle.to_string().as_bytes(), trust).map_err(|difference| difference.to_string())
}

on_both! {
    fn a_bundle_verifies_against_a_known_key_and_a_kept_checkpoint(app: &TestApp) {
        let (bundle, key, kept) = unblinded(app, &crate::draw::methods()[5]);
        let trust = Trust { keys: vec![key.clone()], kept: vec![("kept".into(), kept)] };
        let report = check(&bundle, &trust).unwrap();
        assert_eq!((report.draws, report.trial.as_str()), (CITIZENS as u64, TRIAL_ID));
        assert_eq!(report.entries as usize, bundle["entries"].as_array().unwrap().len());
        assert!(report.key_was_known);
        assert_eq!(report.signed_by.len(), 1);
        assert_eq!((&report.signed_by[0].key, report.signed_by[0].entries), (&key.to_string(), report.entries));
        assert_eq!((report.checkpoints, report.kept_checkpoints), (2, 1));
        // What is said of persons is not in it.
        let text = bundle.to_string();
        assert!(!text.contains("needs_interpreter\\\":false") && !text.contains("\\\"age\\\":36"));
    }
}

#[test]
fn bundles_of_the_other_methods_verify_too() {
    for method in crate::draw::methods() {
        let app = TestApp::sqlite();
        let mut method = method;
        if method["method"] == "clusters" {
            for site in ["Aalborg", "Odense"] {
                method["units"]
                    .as_array_mut()
                    .unwrap()
                    .push(json!({"id": site}));
            }
        }
        let (bundle, ..) = unblinded(&app, &method);
        let report = check(&bundle, &Trust::default()).unwrap();
        assert_eq!(report.draws, CITIZENS as u64, "{method}");
        assert!(!report.key_was_known);
        let audience = format!("{TRIAL}/bundle?audience=public");
        let public = app.administrator().get(&audience).expect(200);
        let report = check(&public, &Trust::default()).unwrap();
        assert_eq!(report.audience, "public");
        let listed = public["draws"].as_array().unwrap().len() as u64;
        assert_eq!(report.draws, listed, "{method}");
        assert_eq!(listed == 0, method["method"] == "minimization", "{method}");
        let text = public.to_string();
        assert!(
            !text.contains("participant\\\":\\\"") && !text.contains("enrolled_on"),
            "{method}"
        );
    }
}

#[test]
fn bundles_of_trials_whose_units_joined_late_verify() {
    let app = TestApp::sqlite();
    let units = json!({"method": "clusters", "units": [{"id": "Aalborg"}, {"id": "Sted 0"}]});
    let administrator = app.enrolling_with(&protocol_by(&units));
    let late = json!({"units": [{"id": "Odense", "factors": {}}, {"id": "Ribe", "factors": {}}]});
    administrator
        .post(&format!("{TRIAL}/units"), &late)
        .expect(201);
    enrol_many(&app, 0, 18);
    app.unblind(&administrator);
    for audience in ["auditor", "public"] {
        let path = format!("{TRIAL}/bundle?audience={audience}");
        let mut bundle = administrator.get(&path).expect(200);
        let report = check(&bundle, &Trust::default()).unwrap();
        assert_eq!(report.draws, if audience == "public" { 3 } else { 18 });
        let joined = bundle["entries"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|entry| {
                entry["record"]
                    .as_str()
                    .is_some_and(|r| r.contains("\"kind\":\"units_joined\""))
            });
        let joined = joined.unwrap().as_object_mut().unwrap();
        joined.remove("record");
        joined.remove("salt");
        let why = check(&bundle, &Trust::default()).unwrap_err();
        assert!(why.contains("not one of those that were drawn"), "{why}");
    }
}

#[test]
fn a_bundle_without_an_erased_person_verifies() {
    use lodkast::conduct::erase::{self, Whom};
    let app = TestApp::sqlite();
    let administrator = app.enrolling();
    let person = enrol(&app.enroller(), &citizen(&number(500)));
    enrol_many(&app, 0, 12);
    erase::run(
        &app.service,
        TRIAL_ID,
        &Whom::Participant(person),
        "Article 17",
    )
    .unwrap();
    app.unblind(&administrator);
    let bundle = administrator.get(&format!("{TRIAL}/bundle")).expect(200);
    assert_eq!(check(&bundle, &Trust::default()).unwrap().draws, 13);
}

#[test]
fn a_public_bundle_leaves_small_cells_out() {
    let app = TestApp::sqlite();
    let administrator = app.enrolling();
    enrol_many(&app, 0, 30);
    let mut alone = citizen(&number(99));
    alone["site"] = json!("Lille By");
    enrol(&app.enroller(), &alone);
    app.unblind(&administrator);
    let bundle = administrator
        .get(&format!("{TRIAL}/bundle?audience=public"))
        .expect(200);
    assert_eq!(bundle["draws"].as_array().unwrap().len(), 30);
    assert_eq!(bundle["draws_left_out"], 1);
    assert!(!bundle.to_string().contains("Lille By"));
    let mut changed = bundle.clone();
    let arm = changed["draws"][4]["arm"].as_str().unwrap().to_owned();
    changed["draws"][4]["arm"] = json!(crate::tampered::other_arm(&arm));
    let why = check(&changed, &Trust::default()).unwrap_err();
    assert!(
        why.contains("draw 5") && why.contains("the seed gives"),
        "{why}"
    );
    let problem = administrator
        .get(&format!("{TRIAL}/bundle?audience=nobody"))
        .expect(422);
    assert_eq!(crate::support::invalid(&problem), ["audience"]);
}
