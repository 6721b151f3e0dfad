//! What an analysis is told beside protocol and data.

use serde_json::Value;
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
    /// What the looks before really had, by arm, where that is known; else the planned fractions stand for
    /// theirs.
    pub earlier: Vec<BTreeMap<String, Earlier>>,
}

/// What a look had of one arm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Earlier {
    /// Information over the planned maximum.
    pub fraction: f64,
    pub information: Option<f64>,
    /// z against the null, above 0 toward success.
    pub z: Option<f64>,
}

impl Earlier {
    /// Whether an analysis can have printed it.
    pub fn is_possible(&self) -> bool {
        let above = |value: f64| value > 0.0 && value < 1e100;
        above(self.fraction)
            && self.information.is_none_or(above)
            && self.z.is_none_or(|z| z.abs() <= 37.0)
    }

    /// Reads them, by arm, from the document of an analysis that was a look.
    pub fn of_document(document: &Value) -> BTreeMap<String, Self> {
        let arms = document["sequential"]["arms"].as_array();
        let told = |at: &Value| {
            let earlier = Self {
                fraction: at["fraction"].as_f64()?,
                information: at["information"].as_f64(),
                z: at["z"].as_f64(),
            };
            Some((at["arm"].as_str()?.to_owned(), earlier))
        };
        arms.into_iter().flatten().filter_map(told).collect()
    }
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
