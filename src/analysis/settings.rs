//! What an analysis is told beside protocol and data.

use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Re-draws of a randomization test where nobody asks for another number.
pub const USUAL_DRAWS: u32 = 2_000;

/// Settings of one analysis. The same settings over the same data give the same bytes.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Seeds re-draws and imputations; else [`Settings::usual_seed`].
    pub seed: Option<[u8; 32]>,
    /// Re-draws of the randomization test.
    pub draws: u32,
    /// The planned look that this analysis is, where it is one.
    pub look: Option<Look>,
}

/// A planned look.
#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    /// Counted from 1.
    pub number: usize,
    /// Information fractions at which the looks before were really made, by arm, where that is known;
    /// else the planned ones stand for them.
    pub earlier: Vec<BTreeMap<String, f64>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: None,
            draws: USUAL_DRAWS,
            look: None,
        }
    }
}

impl Settings {
    /// SHA-256 over the digests of protocol and data: nobody chose it.
    pub fn usual_seed(protocol: &str, data: &str) -> [u8; 32] {
        let bytes = |text: &str| hex::decode(text).unwrap_or_else(|_| text.as_bytes().to_vec());
        let mut hash = Sha256::new();
        hash.update(bytes(protocol));
        hash.update(bytes(data));
        hash.finalize().into()
    }
}
