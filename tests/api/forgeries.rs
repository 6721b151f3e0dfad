//! Every way to tamper with a bundle, and what its check says to it.

use crate::bundle::{check, unblinded};
use crate::support::{Client, TRIAL, TRIAL_ID, TestApp, citizen, enrol, number, protocol_by};
use crate::tampered::Tampered;
use lodkast::ledger::bundle::Trust;
use serde_json::{Value, json};

type Forgery = (&'static str, fn(&mut Tampered), &'static str);

/// What is done to the bundle, and what the check says to it.
const FORGERIES: &[Forgery] = &[
    (
        "an arm is changed",
        |t| {
            let d = t.draws();
            t.flip(d[3])
        },
        "its record is not the one of its leaf",
    ),
    (
        "an arm and its leaf are changed",
        |t| {
            let d = t.draws();
            t.flip(d[3]);
            t.leaf_anew(d[3])
        },
        "the seed gives",
    ),
    (
        "an arm is changed and everything signed anew",
        |t| {
            let d = t.draws();
            t.flip(d[3]);
            t.leaf_anew(d[3]);
            t.signed_anew();
        },
        "the seed gives",
    ),
    (
        "a salt is changed",
        |t| {
            let d = t.draws();
            t.entries()[d[3]]["salt"] = json!("00".repeat(32))
        },
        "its record is not the one of its leaf",
    ),
    (
        "a salt is missing",
        |t| {
            let d = t.draws();
            t.entries()[d[3]].as_object_mut().unwrap().remove("salt");
        },
        "salt and record are shown together",
    ),
    (
        "a leaf without a record is changed",
        |t| {
            let hidden = t
                .entries()
                .iter()
                .position(|entry| entry.get("record").is_none());
            t.entries()[hidden.unwrap()]["leaf"] = json!("11".repeat(32));
        },
        "has another root: an entry from 1 to",
    ),
    (
        "an entry is dropped",
        |t| {
            t.entries().remove(9);
        },
        "entry 10 is missing",
    ),
    (
        "an entry is dropped and the others numbered anew",
        |t| {
            // One whose record is hidden: no draw is missed.
            let hidden = t
                .entries()
                .iter()
                .position(|entry| entry.get("record").is_none());
            t.entries().remove(hidden.unwrap());
            t.number_anew()
        },
        "has another root",
    ),
    (
        "a draw is dropped and everything signed anew",
        |t| {
            let d = t.draws();
            t.entries().remove(d[3]);
            t.number_anew();
            t.signed_anew();
        },
        "the index is",
    ),
    (
        "a draw is hidden",
        |t| {
            let d = t.draws();
            let entry = t.entries()[d[3]].as_object_mut().unwrap();
            entry.remove("salt");
            entry.remove("record");
        },
        "the index is",
    ),
    (
        "the last draw of a stratum is hidden",
        |t| {
            let d = t.draws();
            let entry = t.entries()[*d.last().unwrap()].as_object_mut().unwrap();
            entry.remove("salt");
            entry.remove("record");
        },
        "participants were drawn when enrolment closed",
    ),
    (
        "the last draws and the closing are hidden",
        |t| {
            let d = t.draws();
            t.hide(*d.last().unwrap());
            let closed = t.status("closed");
            t.hide(closed);
        },
        "a change of status is hidden",
    ),
    (
        "the spelling of a stratum is changed",
        |t| {
            let d = t.draws();
            t.rewrite(d[3], |body| {
                let label = body["label"]
                    .as_str()
                    .unwrap()
                    .replacen("\":\"", "\": \"", 1);
                body["label"] = json!(label);
            });
        },
        "is not the label of a stratum",
    ),
    (
        "a stratum is made up",
        |t| {
            let d = t.draws();
            t.rewrite(d[3], |body| {
                body["label"] = json!("{\"site\":\"Aalborg\",\"target_group\":\"lucky\"}");
                body["levels"] = json!({"site": "Aalborg", "target_group": "lucky"});
            });
        },
        "is not a stratum of the protocol",
    ),
    (
        "levels are not those of the stratum",
        |t| {
            let d = t.draws();
            t.rewrite(d[3], |body| body["levels"]["site"] = json!("Elsewhere"));
        },
        "its levels are not those",
    ),
    (
        "the opening of enrolment is hidden",
        |t| {
            let opened = t.of_kind("status");
            t.hide(opened);
        },
        "its record is hidden, and enrolment had not begun",
    ),
    (
        "a registration is taken for the second",
        |t| {
            let first = t.of_kind("registration");
            t.bundle["registrations"][0]["number"] = json!(2);
            t.rewrite(first, |body| body["registration"] = json!(2));
        },
        "registration 2 stands where 1 should",
    ),
    (
        "a registration is concealed",
        |t| {
            let first = t.of_kind("registration");
            t.hide(first);
            t.signed_anew();
        },
        "its record is hidden, and enrolment had not begun",
    ),
    (
        "the version of a registration is another",
        |t| t.bundle["registrations"][0]["version"] = json!(2),
        "its version is not 1",
    ),
    (
        "the version is another in the ledger too",
        |t| {
            let first = t.of_kind("registration");
            t.bundle["registrations"][0]["version"] = json!(5547);
            t.rewrite(first, |body| body["version"] = json!(5547));
        },
        "its version is not 1",
    ),
    (
        "registrations are hidden before the first one",
        |t| {
            let hidden = json!({"sequence": 0, "leaf": "22".repeat(32)});
            t.entries().insert(0, hidden);
            t.number_anew();
            t.signed_anew();
        },
        "its record is hidden, and enrolment had not begun",
    ),
    (
        "a site is spelled with a sign that nobody sees",
        |t| {
            let d = t.draws();
            t.rewrite(d[3], |body| {
                let label = body["label"]
                    .as_str()
                    .unwrap()
                    .replacen("\",\"t", "\u{200b}\",\"t", 1);
                body["levels"] = serde_json::from_str(&label).unwrap();
                body["label"] = json!(label);
            });
        },
        "is not a stratum of the protocol",
    ),
    (
        "the closing does not say how many",
        |t| {
            let closed = t.status("closed");
            t.rewrite(closed, |body| body["drawn"] = json!(null));
        },
        "does not say how many were drawn",
    ),
    (
        "a pause is hidden",
        |t| {
            let paused = t.status("paused");
            t.hide(paused);
        },
        "a change of status is hidden",
    ),
    (
        "the unblinding is hidden",
        |t| {
            let unblinded = t.status("unblinded");
            t.hide(unblinded);
        },
        "and not unblinded",
    ),
    (
        "something is added that nothing vouches for",
        |t| t.bundle["audited_by"] = json!("the ministry"),
        "cannot be read as a bundle",
    ),
    (
        "a draw names nobody",
        |t| {
            let d = t.draws();
            let text = t.entries()[d[3]]["record"].as_str().unwrap().to_owned();
            let mut record: Value = serde_json::from_str(&text).unwrap();
            record["participant"] = json!(null);
            t.entries()[d[3]]["record"] = json!(lodkast::ledger::record(&record));
            t.leaf_anew(d[3]);
        },
        "it names no participant",
    ),
    (
        "two draws change places",
        |t| {
            let d = t.draws();
            t.entries().swap(d[0], d[3]);
            t.number_anew()
        },
        "the index is",
    ),
    (
        "a draw stands twice",
        |t| {
            let d = t.draws();
            let twice = t.entries()[d[0]].clone();
            t.entries().insert(d[3] + 2, twice);
            t.number_anew();
        },
        "is drawn a second time",
    ),
    (
        "an entry is added at the end",
        |t| {
            let one = json!({"sequence": 0, "leaf": "22".repeat(32)});
            t.entries().push(one);
            t.number_anew();
        },
        "covered by no checkpoint",
    ),
    (
        "the last entries are cut off",
        |t| {
            let n = t.entries().len() - 2;
            t.entries().truncate(n)
        },
        "and the bundle ends with entry",
    ),
    (
        "the end and its checkpoint are cut off",
        |t| {
            let n = t.entries().len() - 2;
            t.entries().truncate(n);
            t.bundle["checkpoints"].as_array_mut().unwrap().pop();
        },
        "covered by no checkpoint",
    ),
    (
        "the secret is changed",
        |t| t.bundle["registrations"][0]["secret"] = json!("ab".repeat(32)),
        "the secret is not the one that was committed to",
    ),
    (
        "block sizes are changed",
        |t| t.bundle["registrations"][0]["protocol"]["randomization"]["block_sizes"] = json!([2]),
        "the protocol is not the one that was committed to",
    ),
    (
        "secret and commitment are changed",
        |t| {
            let bytes = [0xab; 32];
            let protocol =
                lodkast::protocol::from_value(t.bundle["registrations"][0]["protocol"].clone())
                    .unwrap();
            let commitment =
                lodkast::randomization::Secret::new(bytes).commitment(TRIAL_ID, &protocol.digest());
            t.bundle["registrations"][0]["secret"] = json!(hex::encode(bytes));
            t.bundle["registrations"][0]["commitment"] = json!(hex::encode(commitment.0));
        },
        "the ledger holds other commitments",
    ),
    (
        "the salt of the protocol is changed",
        |t| t.bundle["registrations"][0]["protocol_salt"] = json!("00".repeat(32)),
        "the protocol is not the one",
    ),
    (
        "public randomness is made up",
        |t| t.bundle["registrations"][0]["public_randomness"] = json!("7"),
        "names no public randomness",
    ),
    (
        "a registration is missing",
        |t| t.bundle["registrations"] = json!([]),
        "lacks registration 1",
    ),
    (
        "the rules of the draw are others",
        |t| t.bundle["registrations"][0]["draw_version"] = json!("lodkast-draw-9"),
        "rules that this version does not know",
    ),
    (
        "the trial is another",
        |t| t.bundle["trial"] = json!("other"),
        "is not of this trial",
    ),
    (
        "a checkpoint is changed",
        |t| {
            let note = t.bundle["checkpoints"][0]
                .as_str()
                .unwrap()
                .replacen("/digital", "/digitaL", 1);
            t.bundle["checkpoints"][0] = json!(note);
        },
        "checkpoint 1",
    ),
    (
        "the root of a checkpoint is changed",
        |t| {
            let note = t.bundle["checkpoints"][1].as_str().unwrap().to_owned();
            let mut lines: Vec<&str> = note.split('\n').collect();
            lines[2] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
            t.bundle["checkpoints"][1] = json!(lines.join("\n"));
        },
        "does not hold",
    ),
    (
        "all checkpoints are dropped",
        |t| t.bundle["checkpoints"] = json!([]),
        "covered by no checkpoint",
    ),
];

#[test]
fn every_forgery_is_found_and_the_first_difference_named() {
    let app = TestApp::sqlite();
    let blocks = json!({"method": "permuted_blocks", "block_sizes": [4, 6]});
    let (bundle, key, kept) = unblinded(&app, &blocks);
    check(&bundle, &Trust::default()).unwrap();
    for (what, forge, expected) in FORGERIES {
        let mut tampered = Tampered {
            bundle: bundle.clone(),
        };
        forge(&mut tampered);
        let why = check(&tampered.bundle, &Trust::default()).expect_err(what);
        assert!(why.contains(expected), "{what}: {why}");
    }

    // Consistent in itself, but not what others saw: a whole other ledger, signed by another key.
    let mut forged = Tampered {
        bundle: bundle.clone(),
    };
    let hidden = forged
        .entries()
        .iter()
        .position(|entry| entry.get("record").is_none());
    forged.entries()[hidden.unwrap()]["leaf"] = json!("11".repeat(32));
    forged.signed_anew();
    check(&forged.bundle, &Trust::default()).unwrap();
    let known = Trust {
        keys: vec![key.clone()],
        ..Trust::default()
    };
    let why = check(&forged.bundle, &known).unwrap_err();
    assert!(why.contains("none of the keys has signed it"), "{why}");

    // Cut off behind the first checkpoint: it lacks the closing, and whoever kept a later one knows.
    let mut short = Tampered {
        bundle: bundle.clone(),
    };
    let later = short.bundle["checkpoints"]
        .as_array_mut()
        .unwrap()
        .pop()
        .unwrap();
    let first = short.bundle["checkpoints"][0].as_str().unwrap().to_owned();
    let size: usize = first.lines().nth(1).unwrap().parse().unwrap();
    short.entries().truncate(size);
    let why = check(&short.bundle, &Trust::default()).unwrap_err();
    assert!(why.contains("the closing of enrolment"), "{why}");
    let later = later.as_str().unwrap().to_owned();
    let trust = Trust {
        kept: vec![("mine".into(), later)],
        ..Trust::default()
    };
    let why = check(&short.bundle, &trust).unwrap_err();
    assert!(why.starts_with("mine covers"), "{why}");
    let trust = Trust {
        kept: vec![("mine".into(), kept)],
        ..Trust::default()
    };
    assert_eq!(check(&bundle, &trust).unwrap().kept_checkpoints, 1);
}

#[test]
fn a_changed_level_in_a_minimized_trial_and_changed_public_randomness_are_found() {
    let app = TestApp::sqlite();
    let (bundle, ..) = unblinded(&app, &crate::draw::methods()[5]);
    let mut tampered = Tampered { bundle };
    let draw = tampered.draws()[2];
    let record = tampered.entries()[draw]["record"]
        .as_str()
        .unwrap()
        .replace("sickness_benefit", "unemployment_benefit")
        .replace("Sted 0", "Odense")
        .replace("Aalborg", "Odense");
    tampered.entries()[draw]["record"] = json!(record);
    tampered.leaf_anew(draw);
    tampered.signed_anew();
    let why = check(&tampered.bundle, &Trust::default()).unwrap_err();
    assert!(why.contains("the seed gives"), "{why}");
    // No text in place of a label, however odd, makes the check panic.
    for odd in ["", "x", "[]", "{}", "null", "{\"site\":1}"] {
        tampered.rewrite(draw, |body| body["label"] = json!(odd));
        let why = check(&tampered.bundle, &Trust::default()).unwrap_err();
        assert!(why.contains("stratum"), "{odd}: {why}");
    }

    let app = TestApp::sqlite();
    let mut protocol = protocol_by(&json!({"method": "simple", "public_randomness": "a lottery"}));
    protocol["eligibility"] = json!([]);
    let administrator = app.administrator();
    administrator.post("/v1/trials", &protocol).expect(201);
    administrator
        .post(&format!("{TRIAL}/registration"), &json!({}))
        .expect(201);
    let value = json!({"value": "4 8 15 16 23 42"});
    administrator
        .post(&format!("{TRIAL}/registration/public-randomness"), &value)
        .expect(201);
    let open = json!({"to": "enrolling", "reason": "ready"});
    administrator
        .post(&format!("{TRIAL}/status"), &open)
        .expect(200);
    let enroller: Client = app.enroller();
    for n in 0..12 {
        let mut request = citizen(&number(n));
        request["eligibility"] = json!({});
        enrol(&enroller, &request);
    }
    app.unblind(&administrator);
    let bundle = administrator.get(&format!("{TRIAL}/bundle")).expect(200);
    assert_eq!(check(&bundle, &Trust::default()).unwrap().draws, 12);
    for (value, expected) in [
        (
            json!("4 8 15 16 23 43"),
            "another value of the public randomness",
        ),
        (json!(null), "another value of the public randomness"),
    ] {
        let mut changed = bundle.clone();
        changed["registrations"][0]["public_randomness"] = value;
        let why = check(&changed, &Trust::default()).unwrap_err();
        assert!(why.contains(expected), "{why}");
    }
    // The value stood before the secret was committed to: whoever took the secret could choose.
    let mut early = Tampered { bundle };
    early.entries().swap(0, 1);
    early.number_anew();
    early.signed_anew();
    let why = check(&early.bundle, &Trust::default()).unwrap_err();
    assert!(
        why.contains("does not stand between registration and enrolment"),
        "{why}"
    );
}
