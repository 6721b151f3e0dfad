//! The keys of a trial's streams, each derived from the seed by its own name.

use super::{DRAW_VERSION, Seed, StratumLabel};
use hkdf::Hkdf;
use sha2::Sha256;

/// Derives the keys of one protocol version's streams: HKDF-SHA-256 (RFC 5869), whose salt is the
/// trial's id.
#[derive(Clone)]
pub struct StreamKeys {
    extracted: Hkdf<Sha256>,
    /// `lodkast-draw-1`, from the second version of a protocol on followed by `/v` and its number.
    prefix: String,
}

impl StreamKeys {
    /// `version` counts the versions of the protocol that draw from a secret of their own, from 1.
    pub fn new(seed: &Seed, trial: &str, version: u32) -> Self {
        Self {
            extracted: Hkdf::new(Some(trial.as_bytes()), seed.bytes()),
            prefix: match version {
                0 | 1 => DRAW_VERSION.to_owned(),
                later => format!("{DRAW_VERSION}/v{later}"),
            },
        }
    }

    /// The key of a stratum.
    pub fn stratum(&self, label: &StratumLabel) -> [u8; 32] {
        self.expand(&format!("stratum/{label}"))
    }

    /// The key of a trial that minimizes: it has one stream.
    pub fn minimization(&self) -> [u8; 32] {
        self.expand("minimization")
    }

    /// The key of a stratum of units; `batch` 0 holds the units of the protocol, and each batch
    /// that joins later has the next number.
    pub fn clusters(&self, label: &StratumLabel, batch: u32) -> [u8; 32] {
        match batch {
            0 => self.expand(&format!("clusters/{label}")),
            later => self.expand(&format!("clusters/{label}/batch/{later}")),
        }
    }

    fn expand(&self, name: &str) -> [u8; 32] {
        let mut key = [0; 32];
        self.extracted
            .expand(format!("{}/{name}", self.prefix).as_bytes(), &mut key)
            .expect("32 bytes are below the limit of HKDF-SHA-256, 255 * 32");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_is_that_of_rfc_5869_test_cases_1_and_3() {
        let expand = |salt: Option<&[u8]>, info: &[u8]| {
            let mut key = [0; 42];
            Hkdf::<Sha256>::new(salt, &[0x0b; 22])
                .expand(info, &mut key)
                .unwrap();
            hex::encode(key)
        };
        let salt = hex::decode("000102030405060708090a0b0c").unwrap();
        let info = hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap();
        assert_eq!(
            expand(Some(&salt), &info),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
        assert_eq!(
            expand(None, &[]),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8"
        );
    }
}
