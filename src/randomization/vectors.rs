//! The published vectors, `docs/draw-vectors.json`: values that never change. A second
//! implementation in Python made them (`tests/draw/make_vectors.py`).

use super::stream::Stream;
use super::{Replay, Secret, Seed, StratumLabel, StreamKeys};
use crate::protocol::{DrawUnit, Protocol};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::LazyLock;

static VECTORS: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(include_str!("../../docs/draw-vectors.json")).unwrap());

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap()
}

fn units(list: &Value) -> Vec<DrawUnit> {
    let factors = |unit: &Value| -> BTreeMap<String, String> {
        serde_json::from_value(unit["factors"].clone()).unwrap()
    };
    let list = list.as_array().unwrap().iter();
    list.map(|unit| DrawUnit {
        id: text(unit, "id").to_owned(),
        factors: factors(unit),
    })
    .collect()
}

/// Draws every trial of a method anew and holds each draw against the published one.
fn check(method: &str) {
    let trials = VECTORS["trials"].as_array().unwrap().iter();
    let mut draws = 0;
    for trial in trials.filter(|trial| trial["method"] == method) {
        let protocol = crate::protocol::from_value(trial["protocol"].clone()).unwrap();
        let seed = Seed::from_hex(text(trial, "seed")).unwrap();
        let version = trial["version"].as_u64().unwrap() as u32;
        let keys = StreamKeys::new(&seed, &protocol.id, version);
        let mut replay = Replay::new(&protocol, keys).unwrap();
        for batch in trial["units_joined"].as_array().unwrap() {
            replay.join(&units(batch));
        }
        let participants = trial["participants"].as_array().unwrap();
        let published = trial["draws"].as_array().unwrap();
        assert_eq!(participants.len(), published.len());
        for (participant, published) in participants.iter().zip(published) {
            let label = match protocol.unit_factor() {
                Some(_) => StratumLabel::parse(text(published, "stratum")).unwrap(),
                None => label_of(&protocol, participant),
            };
            let unit = protocol
                .unit_factor()
                .map(|factor| text(participant, &factor.id));
            let drawn = replay.next(&label, unit).unwrap();
            let name = text(trial, "name");
            assert_eq!(label.as_str(), text(published, "stratum"), "{name}");
            assert_eq!(Some(drawn.index), published["index"].as_u64(), "{name}");
            let arm = &protocol.arms[drawn.arm].id;
            assert_eq!(arm, text(published, "arm"), "{name}, draw {draws}");
            draws += 1;
        }
    }
    assert!(draws >= 150, "{draws} draws of {method} are published");
}

fn label_of(protocol: &Protocol, participant: &Value) -> StratumLabel {
    let factors = protocol.stratifiers();
    StratumLabel::of(factors.map(|factor| (factor.id.as_str(), text(participant, &factor.id))))
}

#[test]
fn value_stability_of_simple() {
    check("simple");
}

#[test]
fn value_stability_of_permuted_blocks() {
    check("permuted_blocks");
}

#[test]
fn value_stability_of_biased_coin() {
    check("biased_coin");
}

#[test]
fn value_stability_of_big_stick() {
    check("big_stick");
}

#[test]
fn value_stability_of_block_urn() {
    check("block_urn");
}

#[test]
fn value_stability_of_minimization() {
    check("minimization");
}

#[test]
fn value_stability_of_clusters() {
    check("clusters");
}

#[test]
fn value_stability_of_commitment_seed_and_keys() {
    let known = &VECTORS["keys"];
    let secret = Secret::from_hex(text(known, "secret")).unwrap();
    let trial = text(known, "trial");
    let digest = hex::decode(text(known, "protocol_digest"))
        .unwrap()
        .try_into()
        .unwrap();
    assert_eq!(
        hex::encode(secret.commitment(trial, &digest).0),
        text(known, "commitment")
    );
    let mixed = secret.mixed_with(text(known, "public_randomness"));
    assert_eq!(hex::encode(mixed.bytes()), text(known, "mixed_seed"));
    let label = StratumLabel::parse(text(known, "label")).unwrap();
    let keys = StreamKeys::new(&secret.alone(), trial, 1);
    let second = StreamKeys::new(&secret.alone(), trial, 2);
    for (name, key) in [
        ("stratum", keys.stratum(&label)),
        ("minimization", keys.minimization()),
        ("clusters", keys.clusters(&label, 0)),
        ("clusters_batch_2", keys.clusters(&label, 2)),
        ("stratum_of_version_2", second.stratum(&label)),
    ] {
        assert_eq!(
            hex::encode(key),
            text(&known["keys_from_secret_as_seed"], name),
            "{name}"
        );
    }
}

#[test]
fn value_stability_of_below() {
    let known = &VECTORS["below"];
    let key = hex::decode(text(known, "key")).unwrap().try_into().unwrap();
    let bounds = known["bounds_in_turn"].as_array().unwrap();
    let mut stream = Stream::new(key);
    for (i, value) in known["values"].as_array().unwrap().iter().enumerate() {
        let bound = bounds[i % bounds.len()].as_u64().unwrap() as u32;
        assert_eq!(
            u64::from(stream.below(bound)),
            value.as_u64().unwrap(),
            "value {i}"
        );
    }
}
