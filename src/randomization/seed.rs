//! The secret, the commitment to it, and the seed that is made of it.

use super::DRAW_VERSION;
use hkdf::Hkdf;
use sha2::{Digest, Sha256};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// 32 bytes that the service takes when a trial is registered, and commits itself to at once.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Secret([u8; 32]);

/// 32 bytes from which every draw of a trial follows.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Seed([u8; 32]);

// Either in a log would unmask every later draw.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

impl std::fmt::Debug for Seed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seed(hidden)")
    }
}

/// SHA-256 that binds the service to a secret before the first draw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Commitment(pub [u8; 32]);

impl Secret {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        read_hex(text).map(Self)
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

    /// The seed of a trial without public randomness: the secret itself.
    pub fn alone(&self) -> Seed {
        Seed(self.0)
    }

    /// The seed of a trial whose protocol mixes a public value into it, which nobody could know when
    /// the secret was committed to: `HKDF-SHA-256(secret, salt = value, "lodkast-draw-1/seed", 32)`.
    pub fn mixed_with(&self, public_value: &str) -> Seed {
        let mut seed = [0; 32];
        Hkdf::<Sha256>::new(Some(public_value.as_bytes()), &self.0)
            .expand(format!("{DRAW_VERSION}/seed").as_bytes(), &mut seed)
            .expect("32 bytes are below the limit of HKDF-SHA-256, 255 * 32");
        Seed(seed)
    }
}

impl Seed {
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        read_hex(text).map(Self)
    }

    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn read_hex(text: &str) -> Option<[u8; 32]> {
    hex::decode(text.trim()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_secret_nor_seed_ever_shows_itself() {
        assert_eq!(format!("{:?}", Secret::new([0xab; 32])), "Secret(hidden)");
        assert_eq!(format!("{:?}", Seed::new([0xab; 32])), "Seed(hidden)");
    }
}
