//! Canonical records and their leaves.
//!
//! Each fact of a trial is a record in canonical JSON and a leaf
//! `SHA-256(0x00 || SHA-256(salt || record))` (the leaf prefix of RFC 9162, section 2.1.1) with 32
//! bytes of salt, half of them random: the leaf alone says nothing of the record, and an erased record
//! leaves its leaf standing. The other half vouches for the record (`Voucher`); in records of release 0.1
//! it is random too.

use crate::protocol::canonical;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// The bytes that are hashed with a record.
pub type Salt = [u8; 32];

/// A leaf of a trial's ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf(pub [u8; 32]);

impl Leaf {
    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }
}

/// The canonical text of a record.
pub fn record(body: &Value) -> String {
    canonical::to_string(body)
}

/// The leaf of a record.
pub fn leaf(salt: &Salt, record: &str) -> Leaf {
    let inner = Sha256::new()
        .chain_update(salt)
        .chain_update(record.as_bytes())
        .finalize();
    Leaf(
        Sha256::new()
            .chain_update([0])
            .chain_update(inner)
            .finalize()
            .into(),
    )
}

/// The digest of a data cut: SHA-256 over its leaves in the order of the record sequence.
#[derive(Debug, Clone, Default)]
pub struct CutDigest(Sha256);

impl CutDigest {
    pub fn push(&mut self, leaf: &[u8; 32]) {
        self.0.update(leaf);
    }

    /// In hexadecimal digits.
    pub fn finish(self) -> String {
        hex::encode(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_stability_of_a_leaf() {
        // Python: hashlib.sha256(b"\0" + hashlib.sha256(bytes(32) + b'{"a":1}').digest())
        let text = record(&serde_json::json!({"a": 1.0}));
        assert_eq!(text, r#"{"a":1}"#);
        assert_eq!(
            leaf(&[0; 32], &text).to_hex(),
            "a8c63610b9b8d51befb18c6203e1cb81c25a7353549fc84dd3f62ead9acd728a"
        );
    }
}
