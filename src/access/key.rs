//! The text of API keys: `lodk_<id>_<secret>`, shown once and kept as a hash.

use crate::protocol::canonical::sha256;
use crate::secrets::random_bytes;

/// A key as its holder has it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyText {
    pub id: String,
    secret: String,
}

// A key in a log would be a key given away.
impl std::fmt::Debug for KeyText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyText({}, hidden)", self.id)
    }
}

impl KeyText {
    /// A new key with 256 random bits.
    pub fn random() -> Self {
        Self {
            id: hex::encode(random_bytes::<12>()),
            secret: hex::encode(random_bytes::<32>()),
        }
    }

    /// The key of this id and secret, as its holder made them.
    pub fn hash_of(secret: &str) -> String {
        hex::encode(sha256(secret.as_bytes()))
    }

    /// Reads the text of a key.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.strip_prefix("lodk_")?.split_once('_')?;
        let hexadecimal = |part: &str, length| {
            part.len() == length && part.bytes().all(|b| b.is_ascii_hexdigit())
        };
        (hexadecimal(id, 24) && hexadecimal(secret, 64)).then(|| Self {
            id: id.to_owned(),
            secret: secret.to_owned(),
        })
    }

    /// The text to be shown once.
    pub fn reveal(&self) -> String {
        format!("lodk_{}_{}", self.id, self.secret)
    }

    /// What is kept. A plain hash serves: 256 random bits cannot be searched.
    pub fn hash(&self) -> String {
        Self::hash_of(&self.secret)
    }

    /// Whether this is the key with that hash, in a time that does not tell how far they agree.
    pub fn matches(&self, hash: &str) -> bool {
        let own = self.hash();
        own.len() == hash.len()
            && own
                .bytes()
                .zip(hash.bytes())
                .fold(0, |differ, (a, b)| differ | (a ^ b))
                == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_matches_its_own_hash_only() {
        let (key, other) = (KeyText::random(), KeyText::random());
        let read = KeyText::parse(&key.reveal()).unwrap();
        assert!(read.matches(&key.hash()) && !other.matches(&key.hash()));
        assert!(!format!("{key:?}").contains(&key.reveal()[30..]));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in [
            "",
            "lodk_",
            "lodk_a_b",
            "Bearer",
            &KeyText::random().reveal()[1..],
        ] {
            assert!(KeyText::parse(text).is_none(), "{text}");
        }
    }
}
