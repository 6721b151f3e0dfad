//! The proof of a trial on the command line: bundle, verify, witness, exchange of the secret key,
//! erasure; and what a trace log holds of a draw.

use super::{Installation, lodkast, printed, refused};
use crate::support::{Client, TRIAL, citizen, number, protocol, today};
use lodkast::ledger::note::{Kind, Note, NoteSigner, VerifierKey};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;
use std::process::Output;

const ID: &str = "digital-conversations";

fn protocol_by_blocks() -> Value {
    let mut protocol = protocol();
    protocol["randomization"] = json!({"method": "permuted_blocks", "block_sizes": [4, 6]});
    // Followed up at once, so that the trial can be locked on the day on which it is drawn.
    protocol["endpoints"] = json!([{"id": "score", "kind": "continuous", "from": "reported"}]);
    protocol["analysis"] =
        json!({"primary": "score", "hypothesis": "superiority", "alpha": 0.05, "sides": 2});
    protocol.as_object_mut().unwrap().remove("sample_size");
    protocol
}

fn to(client: &Client, status: &str) -> u16 {
    let body = json!({"to": status, "reason": "as planned"});
    client.post(&format!("{TRIAL}/status"), &body).status
}

fn open(administrator: &Client) -> Value {
    administrator
        .post("/v1/trials", &protocol_by_blocks())
        .expect(201);
    let registered = administrator
        .post(&format!("{TRIAL}/registration"), &json!({}))
        .expect(201);
    assert_eq!(to(administrator, "enrolling"), 200);
    registered
}

fn enrol(enroller: &Client, numbers: std::ops::Range<usize>) {
    for n in numbers {
        enroller
            .post(&format!("{TRIAL}/enrolments"), &today(citizen(&number(n))))
            .expect(201);
    }
}

fn unblind(administrator: &Client, other: &Client) {
    assert_eq!(to(administrator, "closed"), 200);
    administrator
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201);
    assert_eq!(to(administrator, "locked"), 200);
    assert_eq!(to(administrator, "unblinded"), 202);
    assert_eq!(to(other, "unblinded"), 200);
}

struct Files(PathBuf);

impl Files {
    fn path(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.0.join(name), text).unwrap();
        self.path(name)
    }
}

fn run(arguments: &[&str]) -> Output {
    lodkast().args(arguments).output().unwrap()
}

fn size_of_head(path: &str) -> u64 {
    let head: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let note = head["checkpoint"].as_str().unwrap();
    note.lines().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_trial_is_witnessed_while_it_runs_and_verified_when_it_is_over_sqlite() {
    witnessed_and_verified(&Installation::sqlite());
}

#[test]
fn a_trial_is_witnessed_while_it_runs_and_verified_when_it_is_over_postgres() {
    witnessed_and_verified(&Installation::postgres());
}

fn witnessed_and_verified(installation: &Installation) {
    let files = Files(installation.folder.path().to_owned());
    let (first, second) = (
        installation.key("administrator", "Anna"),
        installation.key("administrator", "Bent"),
    );
    let (erik, alma) = (
        installation.key("enroller", "Erik"),
        installation.key("auditor", "Alma"),
    );
    let service = installation.serve();
    let (administrator, enroller) = (service.client(&first), service.client(&erik));
    open(&administrator);
    enrol(&enroller, 0..20);

    let (key_file, state) = (files.path("witness.key"), files.path("witness.json"));
    let witness = |more: &[&str]| {
        let mut arguments = vec!["witness", "--name", "witness.example"];
        arguments.extend(["--key-file", &key_file, "--state", &state]);
        arguments.extend(more);
        lodkast()
            .args(&arguments)
            .env("LODKAST_API_KEY", &alma)
            .output()
            .unwrap()
    };
    let online = ["--service", service.address.as_str(), "--trial", ID];
    let output = witness(&online);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let witness_key = said
        .lines()
        .last()
        .unwrap()
        .strip_prefix("witnessed by ")
        .unwrap()
        .to_owned();
    let cosigned = printed(&output);
    let note = Note::parse(&cosigned).unwrap();
    assert_eq!(note.signatures.len(), 2);
    assert!(
        VerifierKey::parse(&witness_key)
            .unwrap()
            .verify(&note)
            .unwrap()
            .is_some()
    );
    let kept = files.write("first.txt", &cosigned);

    // It goes on from what it saw, with and without a connection of its own.
    enrol(&enroller, 20..30);
    let third = printed(&witness(&online));
    let size_of = |note: &str| -> u64 { note.lines().nth(1).unwrap().parse().unwrap() };
    assert!(size_of(&third) > size_of(&cosigned));
    let auditor = service.client(&alma);
    enrol(&enroller, 30..40);
    let size = size_of(&third);
    let head = auditor.get(&format!("{TRIAL}/ledger/checkpoint")).text;
    let proof = auditor
        .get(&format!("{TRIAL}/ledger/proofs/consistency?from={size}"))
        .text;
    let head = files.write("head.json", &head);
    assert!(refused(&witness(&["--checkpoint", &head]), 2).contains("--proof is missing"));
    let wrong = proof.replacen("\"hashes\":[\"", "\"hashes\":[\"00", 1);
    let wrong = files.write("wrong.json", &wrong);
    refused(&witness(&["--checkpoint", &head, "--proof", &wrong]), 2);
    let bad = fs::read_to_string(&head).unwrap().replacen(
        &format!("\\n{}", size_of_head(&head)),
        "\\n7",
        1,
    );
    let bad = files.write("bad_head.json", &bad);
    let error = refused(&witness(&["--checkpoint", &bad, "--proof", &wrong]), 2);
    assert!(error.contains("does not hold"), "{error}");
    let other = auditor
        .get(&format!("{TRIAL}/ledger/proofs/consistency?from=3"))
        .text;
    let other = files.write("other.json", &other);
    let error = refused(&witness(&["--checkpoint", &head, "--proof", &other]), 1);
    assert!(error.contains("is not the beginning"), "{error}");
    let proof = files.write("proof.json", &proof);
    printed(&witness(&["--checkpoint", &head, "--proof", &proof]));
    // A ledger that is shorter than what it saw is not signed again.
    let old = auditor
        .get(&format!("{TRIAL}/ledger/checkpoint?size={size}"))
        .text;
    let old = files.write("old.json", &old);
    let error = refused(&witness(&["--checkpoint", &old]), 1);
    assert!(error.contains("and had"), "{error}");

    unblind(&administrator, &service.client(&second));
    let ledger_key = auditor.get(&format!("{TRIAL}/ledger/checkpoint"))["keys"][0]
        .as_str()
        .unwrap()
        .to_owned();
    let downloaded = auditor.get(&format!("{TRIAL}/bundle")).text;
    service.signal("-TERM");
    let (_, log) = service.ended();

    let arguments = [
        "export",
        "--trial",
        ID,
        "--format",
        "bundle",
        "--output",
        &files.path("audit"),
    ];
    assert!(
        installation
            .command(&arguments)
            .output()
            .unwrap()
            .status
            .success()
    );
    let bundle = files.path("audit/bundle.json");
    let exported: Value = serde_json::from_str(&fs::read_to_string(&bundle).unwrap()).unwrap();
    assert_eq!(
        exported,
        serde_json::from_str::<Value>(&downloaded).unwrap()
    );
    let keys = ["--key", ledger_key.as_str(), "--key", witness_key.as_str()];
    let arguments = [
        &["verify", bundle.as_str(), "--checkpoint", &kept][..],
        &keys,
    ]
    .concat();
    let text = printed(&run(&arguments));
    assert!(
        text.contains("40 follow from the seed") && text.ends_with("verified\n"),
        "{text}"
    );
    assert!(
        text.contains(&witness_key) && !text.contains("note"),
        "{text}"
    );
    let json: Value =
        serde_json::from_str(&printed(&run(&["verify", &bundle, "--format", "json"]))).unwrap();
    assert_eq!(
        (&json["draws"], &json["key_was_known"]),
        (&json!(40), &json!(false))
    );
    // Without the note that the witness signed, its key has signed nothing.
    let error = refused(&run(&[&["verify", &bundle][..], &keys].concat()), 2);
    assert!(
        error.contains("no checkpoint bears a signature of witness.example"),
        "{error}"
    );

    let text = fs::read_to_string(&bundle).unwrap();
    let forged = files.write(
        "forged.json",
        &text.replacen(
            "\\\"arm\\\":\\\"digital\\\"",
            "\\\"arm\\\":\\\"physical\\\"",
            1,
        ),
    );
    let error = refused(&run(&["verify", &forged]), 1);
    assert!(error.contains("does not verify: entry"), "{error}");
    assert!(
        refused(
            &run(&["verify", &files.write("half.json", &text[..text.len() / 2])]),
            2
        )
        .contains("cannot be read")
    );
    refused(&run(&["verify", &files.path("nowhere.json")]), 2);
    refused(&run(&["verify", &bundle, "--key", "nonsense"]), 2);
    refused(
        &run(&[
            "verify",
            &bundle,
            "--checkpoint",
            &files.write("bad.txt", "nonsense"),
        ]),
        2,
    );
    // A note that does not verify accuses nobody, wherever its bad signature stands.
    let spoilt = |line: usize| {
        let mut lines: Vec<String> = cosigned.lines().map(str::to_owned).collect();
        let signature = lines
            .iter()
            .position(|line| line.starts_with('\u{2014}'))
            .unwrap()
            + line;
        let at = lines[signature].len() - 20;
        let other = if lines[signature].as_bytes()[at] == b'A' {
            "B"
        } else {
            "A"
        };
        lines[signature].replace_range(at..=at, other);
        files.write("spoilt.txt", &(lines.join("\n") + "\n"))
    };
    for line in [0, 1] {
        let spoilt = spoilt(line);
        let arguments = [
            &["verify", bundle.as_str(), "--checkpoint", &spoilt][..],
            &keys,
        ]
        .concat();
        let error = refused(&run(&arguments), 2);
        assert!(
            error.contains("the signature of") && error.contains("does not hold"),
            "{error}"
        );
    }
    // What is signed by a stranger is no note of this ledger.
    let stranger =
        NoteSigner::new(exported["origin"].as_str().unwrap(), Kind::Log, &[5; 32]).unwrap();
    let text = Note::parse(&cosigned).unwrap().text;
    let foreign = Note {
        signatures: vec![stranger.sign(&text, 0)],
        text,
    };
    let foreign = files.write("foreign.txt", &foreign.to_string());
    let error = refused(&run(&["verify", &bundle, "--checkpoint", &foreign]), 2);
    assert!(error.contains("none of the keys has signed it"), "{error}");

    a_trace_log_tells_nothing(&log, &exported);
}

/// At the level `trace` the log of a whole trial holds neither secret nor seed nor block size nor
/// label, and no arm but where a client was answered.
fn a_trace_log_tells_nothing(log: &str, bundle: &Value) {
    assert!(
        log.contains("TRACE") || log.contains("\"DEBUG\""),
        "the log is not detailed"
    );
    let registration = &bundle["registrations"][0];
    for secret in [
        registration["secret"].as_str().unwrap(),
        registration["protocol_salt"].as_str().unwrap(),
        "block_sizes",
        "permuted_blocks",
        "unemployment_benefit",
        "next_index",
        "sealed_seed",
    ] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    for (i, line) in log.lines().enumerate() {
        assert!(
            !line.contains("\"arm\"") && !line.contains("physical"),
            "line {i}: {line}"
        );
    }
}

#[test]
fn the_secret_key_is_exchanged_and_everything_goes_on_sqlite() {
    the_secret_key_is_exchanged_and_everything_goes_on(&Installation::sqlite());
}

#[test]
fn the_secret_key_is_exchanged_and_everything_goes_on_postgres() {
    the_secret_key_is_exchanged_and_everything_goes_on(&Installation::postgres());
}

fn the_secret_key_is_exchanged_and_everything_goes_on(installation: &Installation) {
    let files = Files(installation.folder.path().to_owned());
    let (first, second) = (
        installation.key("administrator", "Anna"),
        installation.key("administrator", "Bent"),
    );
    let (erik, alma) = (
        installation.key("enroller", "Erik"),
        installation.key("auditor", "Alma"),
    );
    let service = installation.serve();
    let administrator = service.client(&first);
    let registered = open(&administrator);
    let enroller = service.client(&erik);
    enrol(&enroller, 0..10);
    let known = enroller.post_with_key(
        &format!("{TRIAL}/enrolments"),
        "once",
        &today(citizen(&number(3))),
    );
    let head = administrator
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .body;

    let new = files.path("new.key");
    let rotate = || {
        installation
            .command(&["key", "rotate", "--new-key-file", &new])
            .output()
            .unwrap()
    };
    assert!(rotate().status.success());
    // The process with the old key still enrols, and neither registers nor signs.
    enrol(&enroller, 10..12);
    let mut other = protocol();
    other["id"] = json!("another");
    assert_eq!(administrator.post("/v1/trials", &other).status, 500);
    assert_eq!(
        administrator
            .get(&format!("{TRIAL}/ledger/checkpoint"))
            .status,
        500
    );
    service.signal("-TERM");
    service.ended();
    let error = refused(&rotate(), 1);
    assert!(error.contains("secret_key is not the one"), "{error}");

    let service = installation.serve_with(&[("LODKAST_KEY_FILE", &new)]);
    let (administrator, enroller) = (service.client(&first), service.client(&erik));
    let again = enroller.post_with_key(
        &format!("{TRIAL}/enrolments"),
        "once",
        &today(citizen(&number(3))),
    );
    assert_eq!((again.status, &again.body), (known.status, &known.body));
    enrol(&enroller, 12..20);
    administrator.post("/v1/trials", &other).expect(201);
    let later = administrator
        .get(&format!("{TRIAL}/ledger/checkpoint"))
        .expect(200);
    assert_eq!(later["keys"].as_array().unwrap().len(), 2);
    assert!(later["keys"].as_array().unwrap().contains(&head["keys"][0]));
    unblind(&administrator, &service.client(&second));
    let bundle = service.client(&alma).get(&format!("{TRIAL}/bundle"));
    assert_eq!(
        bundle["registrations"][0]["commitment"],
        registered["commitment"]
    );
    let path = files.write("bundle.json", &bundle.text);
    let kept = files.write("kept.txt", head["checkpoint"].as_str().unwrap());
    let text = printed(&run(&["verify", &path, "--checkpoint", &kept]));
    assert!(text.contains("20 follow from the seed"), "{text}");
    service.signal("-TERM");
    service.ended();
}

#[test]
fn a_database_keeps_the_name_of_its_ledgers() {
    let installation = Installation::sqlite();
    installation.key("administrator", "Anna");
    let mut other = installation.command(&["key", "create", "--role", "auditor", "--name", "Alma"]);
    let error = refused(
        &other
            .env("LODKAST_LEDGER_NAME", "elsewhere")
            .output()
            .unwrap(),
        1,
    );
    assert!(error.contains("the ledger.name is not the one"), "{error}");
    installation.key("auditor", "Alma");
}

#[test]
fn a_person_is_erased_from_the_command_line() {
    let installation = Installation::sqlite();
    let (first, erik) = (
        installation.key("administrator", "Anna"),
        installation.key("enroller", "Erik"),
    );
    let service = installation.serve();
    open(&service.client(&first));
    let enroller = service.client(&erik);
    enrol(&enroller, 0..2);
    let list = enroller.get(&format!("{TRIAL}/participants"));
    let person = list["items"][0]["participant"].as_str().unwrap().to_owned();
    let erase = |person: &str, reason: &str| {
        let arguments = [
            "erase",
            "--trial",
            ID,
            "--participant",
            person,
            "--reason",
            reason,
        ];
        installation.command(&arguments).output().unwrap()
    };
    let output = erase(&person, "Article 17");
    assert!(output.status.success());
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).lines().next(),
        Some("records erased: 1")
    );
    let output = erase(&person, "Article 17");
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("records erased: 0 (asked for before)")
    );
    let mut by_number =
        installation.command(&["erase", "--trial", ID, "--citizen", "cpr", "--reason", "x"]);
    let mut child = by_number
        .stdin(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    use std::io::Write;
    writeln!(child.stdin.take().unwrap(), "{}", number(1)).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr).lines().next(),
        Some("records erased: 1")
    );
    refused(&erase("nobody", "Article 17"), 2);
    refused(&erase(&person, ""), 2);
    let list = enroller.get(&format!("{TRIAL}/participants"));
    assert_eq!(list["items"].as_array().unwrap().len(), 0);
    service.signal("-TERM");
    service.ended();
}
