//! How long `lodkast verify` takes over a bundle of a million enrolments, beside the plain SHA-256 of
//! the same bytes in the same run.
//!
//! `cargo bench --bench verify`. The bundle is made here, in memory, in the form that the service
//! writes: two entries an enrolment, of which the draw shows its record.

use lodkast::ledger::bundle::{FORMAT, Trust, verify};
use lodkast::ledger::note::{Checkpoint, Kind, Note, NoteSigner};
use lodkast::ledger::tree::Edge;
use lodkast::protocol::canonical::sha256;
use lodkast::randomization::{DRAW_VERSION, Replay, Secret, StratumLabel, StreamKeys};
use lodkast::{ledger, protocol};
use serde_json::json;
use std::fmt::Write;
use std::time::Instant;

const ENROLMENTS: u64 = 1_000_000;
const ORIGIN: &str = "lodkast/digital-conversations";

fn main() {
    println!(
        "{:<16} {:>10} {:>10} {:>12} {:>8}",
        "method", "MB", "verify s", "SHA-256 s", "ratio"
    );
    for (name, method) in [
        (
            "permuted_blocks",
            json!({"method": "permuted_blocks", "block_sizes": [4, 6, 8]}),
        ),
        (
            "minimization",
            json!({"method": "minimization", "probability": [4, 5]}),
        ),
    ] {
        let bundle = bundle(&method);
        let start = Instant::now();
        let report = verify(bundle.as_bytes(), &Trust::default()).expect("it verifies");
        let seconds = start.elapsed().as_secs_f64();
        assert_eq!(report.draws, ENROLMENTS);
        let start = Instant::now();
        std::hint::black_box(sha256(bundle.as_bytes()));
        let raw = start.elapsed().as_secs_f64();
        let (size, ratio) = (bundle.len() / 1_000_000, seconds / raw);
        println!("{name:<16} {size:>10} {seconds:>10.1} {raw:>12.1} {ratio:>8.1}");
    }
}

/// A bundle with entries one after the other, as the service numbers them.
struct Entries {
    text: String,
    edge: Edge,
}

impl Entries {
    fn add(&mut self, record: &serde_json::Value, shown: bool) {
        let salt = sha256(&self.edge.size().to_be_bytes());
        let record = ledger::record(record);
        let leaf = ledger::leaf(&salt, &record);
        self.edge.push(leaf.0);
        let comma = if self.text.is_empty() { "" } else { ",\n" };
        let (sequence, leaf) = (self.edge.size(), leaf.to_hex());
        let _ = write!(
            self.text,
            "{comma}{{\"sequence\":{sequence},\"leaf\":\"{leaf}\""
        );
        if shown {
            let (salt, record) = (hex::encode(salt), json!(record));
            let _ = write!(self.text, ",\"salt\":\"{salt}\",\"record\":{record}");
        }
        self.text.push('}');
    }
}

fn fact(kind: &str, participant: Option<u64>, body: serde_json::Value) -> serde_json::Value {
    let person = participant.map(|n| format!("019ab3f0-1c2d-7000-8000-{n:012}"));
    json!({
        "id": format!("019ab3f0-1c2d-7001-8000-{:012}", participant.unwrap_or_default()),
        "kind": kind, "participant": person, "site": "Aalborg", "effective_on": "2026-01-05",
        "recorded_at": "2026-01-05T12:00:00.000000Z", "recorded_by": "01KATYQ2M5ZP3V",
        "source": null, "source_id": null, "replaces": null, "body": body,
    })
}

fn bundle(method: &serde_json::Value) -> String {
    let text = include_str!("../config/protocols/digital-conversations.toml");
    let mut document = protocol::from_toml(text).expect("a protocol").document;
    document["randomization"] = method.clone();
    let protocol = protocol::from_value(document.clone()).expect("a protocol");
    let (secret, salt) = (Secret::new([5; 32]), [6_u8; 32]);
    let commitment = hex::encode(secret.commitment(&protocol.id, &protocol.digest()).0);
    let salted = sha256(&[&salt[..], protocol.canonical().as_bytes()].concat());
    let protocol_commitment = hex::encode(salted);
    let mut entries = Entries {
        text: String::new(),
        edge: Edge::default(),
    };
    let registered = json!({
        "registration": 1, "version": 1, "draw_version": DRAW_VERSION, "commitment": commitment,
        "protocol_commitment": protocol_commitment,
    });
    entries.add(&fact("registration", None, registered), true);
    let status = |from: &str, to: &str, drawn: Option<u64>| {
        let body = json!({"from": from, "to": to, "reason": "as planned", "drawn": drawn});
        fact("status", None, body)
    };
    entries.add(&status("registered", "enrolling", None), true);
    let keys = StreamKeys::new(&secret.alone(), &protocol.id, 1);
    let mut replay = Replay::new(&protocol, keys).expect("drawn");
    let groups = &protocol.factors[0].levels;
    for n in 0..ENROLMENTS {
        let site = format!("Site {}", n * 7 % 94);
        let group = &groups[n as usize % groups.len()];
        let label = StratumLabel::of([("site", site.as_str()), ("target_group", group)]);
        let drawn = replay.next(&label, None).expect("drawn");
        let body = json!({
            "label": label.as_str(), "levels": label.levels(), "index": drawn.index,
            "arm": protocol.arms[drawn.arm].id, "draw_version": DRAW_VERSION, "registration": 1,
        });
        entries.add(&fact("draw", Some(n), body), true);
        entries.add(&json!(n), false);
    }
    entries.add(&status("enrolling", "closed", Some(ENROLMENTS)), true);
    entries.add(&status("closed", "locked", None), true);
    entries.add(&status("locked", "unblinded", None), true);
    let signer = NoteSigner::new(ORIGIN, Kind::Log, &[7; 32]).expect("a name");
    let checkpoint = Checkpoint {
        origin: ORIGIN.into(),
        size: entries.edge.size(),
        root: entries.edge.root(),
    };
    let text = checkpoint.text();
    let note = Note {
        signatures: vec![signer.sign(&text, 0)],
        text,
    };
    let registration = json!({
        "number": 1, "version": 1, "draw_version": DRAW_VERSION, "protocol": document,
        "protocol_salt": hex::encode(salt), "protocol_commitment": protocol_commitment,
        "secret": hex::encode(secret.bytes()), "commitment": commitment,
        "public_randomness": null,
    });
    let (id, key) = (json!(protocol.id), json!([signer.verifier().to_string()]));
    format!(
        "{{\"format\": \"{FORMAT}\", \"trial\": {id}, \"audience\": \"auditor\", \"origin\": \"{ORIGIN}\",\n\
         \"keys\": {key}, \"registrations\": [{registration}], \"checkpoints\": [{}],\n\"entries\": [\n{}\n]}}\n",
        json!(note.to_string()),
        entries.text
    )
}
