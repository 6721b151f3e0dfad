//! The secret, the commitment to it, and the keys of the streams.

use super::{DRAW_VERSION, stratum::StratumLabel};
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 secret bytes from which every draw of a trial follows.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

// A seed in a log would unmask every later draw.
impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// SHA-256 that binds the service to a seed before the first draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

impl Seed {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = hex::decode(text.trim()).ok()?;
        Some(Self(bytes.try_into().ok()?))
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `SHA-256("lodkast seed v1" || 0 || secret || 0 || trial || 0 || draw version || 0 || digest)`,
    /// `digest` being the 32 bytes of the protocol digest.
    pub fn commitment(&self, trial: &str, protocol_digest: &[u8; 32]) -> Commitment {
        let mut hash = Sha256::new();
        hash.update(b"lodkast seed v1");
        for part in [
            &self.0[..],
            trial.as_bytes(),
            DRAW_VERSION.as_bytes(),
            protocol_digest,
        ] {
            hash.update([0]);
            hash.update(part);
        }
        Commitment(hash.finalize().into())
    }

    /// The key of a stratum's stream (HKDF-SHA-256, RFC 5869; the salt is the trial id).
    pub fn stratum_key(&self, trial: &str, label: &StratumLabel) -> [u8; 32] {
        self.derive(trial, &format!("{DRAW_VERSION}/stratum/{label}"))
    }

    fn derive(&self, trial: &str, info: &str) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(trial.as_bytes()), &self.0)
            .expand(info.as_bytes(), &mut key)
            .expect("32 bytes are below the limit of HKDF-SHA-256, 255 * 32");
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hkdf_is_that_of_rfc_5869_test_case_1() {
        let mut key = [0; 42];
        Hkdf::<Sha256>::new(
            Some(&hex::decode("000102030405060708090a0b0c").unwrap()),
            &[0x0b; 22],
        )
        .expand(&hex::decode("f0f1f2f3f4f5f6f7f8f9").unwrap(), &mut key)
        .unwrap();
        assert_eq!(
            hex::encode(key),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
        );
    }

    #[test]
    fn value_stability_of_the_commitment_and_the_stratum_key() {
        // Made with Python's hashlib and hmac from docs/randomization.md: tests/draw/vectors.py.
        let seed = Seed::new([7; 32]);
        assert_eq!(
            hex::encode(seed.commitment("trial-a", &[0xab; 32]).0),
            "4be8dbd428ccb52d06bd9e3af62227bfdf9f8153d5e9e650e8fbe133db492766"
        );
        let label = StratumLabel::of([("site", "aalborg"), ("target_group", "job_ready")]);
        assert_eq!(
            hex::encode(seed.stratum_key("trial-a", &label)),
            "c1649b9d8239e78c4a3d41cccceb1865ed93d226a98921a45683db3d60d67e3a"
        );
    }

    #[test]
    fn a_seed_never_shows_itself() {
        assert_eq!(format!("{:?}", Seed::new([0xab; 32])), "Seed(hidden)");
    }
}
