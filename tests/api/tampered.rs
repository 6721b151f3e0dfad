//! A bundle in the hands of a forger.

use lodkast::ledger::note::{Checkpoint, Kind, Note, NoteSigner};
use lodkast::ledger::tree::{Edge, Hash};
use serde_json::{Value, json};

pub fn other_arm(arm: &str) -> &'static str {
    if arm == "digital" {
        "physical"
    } else {
        "digital"
    }
}

/// A bundle that is tampered with in one way.
pub struct Tampered {
    pub bundle: Value,
}

impl Tampered {
    pub fn entries(&mut self) -> &mut Vec<Value> {
        self.bundle["entries"].as_array_mut().unwrap()
    }

    /// Positions of the entries that show a draw.
    pub fn draws(&mut self) -> Vec<usize> {
        let is_draw = |entry: &Value| {
            entry["record"]
                .as_str()
                .is_some_and(|record| record.contains("\"kind\":\"draw\""))
        };
        let entries = self.entries();
        (0..entries.len())
            .filter(|i| is_draw(&entries[*i]))
            .collect()
    }

    /// Exchanges the arm of a draw in its record.
    pub fn flip(&mut self, entry: usize) {
        let text = self.entries()[entry]["record"].as_str().unwrap().to_owned();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        let arm = record["body"]["arm"].as_str().unwrap().to_owned();
        record["body"]["arm"] = json!(other_arm(&arm));
        self.entries()[entry]["record"] = json!(lodkast::ledger::record(&record));
    }

    /// Computes the leaf of an entry anew.
    pub fn leaf_anew(&mut self, entry: usize) {
        let entry = &mut self.entries()[entry];
        let salt: [u8; 32] = hex::decode(entry["salt"].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap();
        let leaf = lodkast::ledger::leaf(&salt, entry["record"].as_str().unwrap());
        entry["leaf"] = json!(leaf.to_hex());
    }

    pub fn number_anew(&mut self) {
        for (i, entry) in self.entries().iter_mut().enumerate() {
            entry["sequence"] = json!(i + 1);
        }
    }

    /// Signs the whole ledger with a key of the forger's own, which the bundle then names.
    pub fn signed_anew(&mut self) {
        let origin = self.bundle["origin"].as_str().unwrap().to_owned();
        let signer = NoteSigner::new(&origin, Kind::Log, &[9; 32]).unwrap();
        let mut edge = Edge::default();
        for entry in self.entries() {
            let leaf: Hash = hex::decode(entry["leaf"].as_str().unwrap())
                .unwrap()
                .try_into()
                .unwrap();
            edge.push(leaf);
        }
        let checkpoint = Checkpoint {
            origin,
            size: edge.size(),
            root: edge.root(),
        };
        let text = checkpoint.text();
        let note = Note {
            signatures: vec![signer.sign(&text, 0)],
            text,
        };
        self.bundle["checkpoints"] = json!([note.to_string()]);
        self.bundle["keys"] = json!([signer.verifier().to_string()]);
    }
}

impl Tampered {
    /// The first entry whose record is of this kind.
    pub fn of_kind(&mut self, kind: &str) -> usize {
        let kind = format!("\"kind\":\"{kind}\"");
        let shows = |entry: &Value| entry["record"].as_str().is_some_and(|r| r.contains(&kind));
        self.entries().iter().position(shows).unwrap()
    }

    /// The first entry that shows a change to this status.
    pub fn status(&mut self, to: &str) -> usize {
        let to = format!("\"to\":\"{to}\"");
        let shows = |entry: &Value| entry["record"].as_str().is_some_and(|r| r.contains(&to));
        self.entries().iter().position(shows).unwrap()
    }

    pub fn hide(&mut self, entry: usize) {
        let entry = self.entries()[entry].as_object_mut().unwrap();
        entry.remove("salt");
        entry.remove("record");
    }

    /// Changes the body of a record, with its leaf, and signs everything anew.
    pub fn rewrite(&mut self, entry: usize, change: impl FnOnce(&mut Value)) {
        let text = self.entries()[entry]["record"].as_str().unwrap().to_owned();
        let mut record: Value = serde_json::from_str(&text).unwrap();
        change(&mut record["body"]);
        self.entries()[entry]["record"] = json!(lodkast::ledger::record(&record));
        self.leaf_anew(entry);
        self.signed_anew();
    }
}
