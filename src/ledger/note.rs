//! Signed notes and checkpoints, in the formats that transparency logs share:
//! C2SP signed-note, tlog-checkpoint and, for the signatures of witnesses, tlog-cosignature.
//!
//! A note is a text, an empty line, and signature lines `— name base64(key id || signature)`. The
//! text of a checkpoint has three lines: origin, number of entries, base64 of the root.

use super::tree::Hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

/// How a key signs: the byte of its kind is part of its id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Ed25519 over the text.
    Log = 0x01,
    /// Ed25519 over the time and the text: the cosignature of a witness.
    Witness = 0x04,
}

/// What is wrong with a note or key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    #[error("{0}")]
    Malformed(&'static str),
    #[error("it bears no signature of {0}")]
    NotSigned(String),
    #[error("the signature of {0} does not hold")]
    WrongSignature(String),
}

/// A key that verifies notes, written `name+hash+base64(kind || key)`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifierKey {
    pub name: String,
    pub kind: Kind,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Reads the written form; the hash must be that of name and key.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a verifier key reads name+hash+base64");
        let (name, rest) = text.trim().split_once('+').ok_or(malformed.clone())?;
        let (hash, encoded) = rest.split_once('+').ok_or(malformed.clone())?;
        let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
        let (kind, key) = match bytes.split_first() {
            Some((0x01, key)) => (Kind::Log, key),
            Some((0x04, key)) => (Kind::Witness, key),
            _ => return Err(NoteError::Malformed("a verifier key of an unknown kind")),
        };
        let key: [u8; 32] = key.try_into().map_err(|_| malformed.clone())?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| malformed.clone())?;
        let parsed = Self {
            name: checked_name(name)?,
            kind,
            key,
        };
        if hex::encode(parsed.id()) != hash {
            return Err(NoteError::Malformed(
                "the hash of a verifier key is not that of the key",
            ));
        }
        Ok(parsed)
    }

    /// The key of a log with this name.
    pub fn of_log(name: &str, public_key: &[u8; 32]) -> Result<Self, NoteError> {
        Ok(Self {
            name: checked_name(name)?,
            kind: Kind::Log,
            key: VerifyingKey::from_bytes(public_key)
                .map_err(|_| NoteError::Malformed("no public key of Ed25519"))?,
        })
    }

    /// `SHA-256(name || 0x0A || kind || key)`, its first four bytes.
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([0x0a, self.kind as u8])
            .chain_update(self.key.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// The public key itself.
    pub fn public_key(&self) -> [u8; 32] {
        self.key.to_bytes()
    }

    /// Checks that the note bears a signature of this key, and that each that it bears holds. A
    /// witness's tells its time, in seconds since 1970.
    pub fn verify(&self, note: &Note) -> Result<Option<u64>, NoteError> {
        let id = self.id();
        let mut own = note
            .signatures
            .iter()
            .filter(|line| line.name == self.name && line.bytes.starts_with(&id));
        let first = own
            .next()
            .ok_or_else(|| NoteError::NotSigned(self.name.clone()))?;
        let time = self.verify_line(note, first)?;
        for line in own {
            self.verify_line(note, line)?;
        }
        Ok(time)
    }

    fn verify_line(
        &self,
        note: &Note,
        signature: &SignatureLine,
    ) -> Result<Option<u64>, NoteError> {
        let wrong = || NoteError::WrongSignature(self.name.clone());
        let body = &signature.bytes[4..];
        let (time, message, signature) = match self.kind {
            Kind::Log => (None, note.text.clone(), body),
            Kind::Witness => {
                let (time, signature) = body.split_first_chunk::<8>().ok_or_else(wrong)?;
                let time = u64::from_be_bytes(*time);
                (Some(time), cosigned(time, &note.text), signature)
            }
        };
        let signature = Signature::from_slice(signature).map_err(|_| wrong())?;
        self.key
            .verify_strict(message.as_bytes(), &signature)
            .map_err(|_| wrong())?;
        Ok(time)
    }
}

impl std::fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = [&[self.kind as u8][..], self.key.as_bytes()].concat();
        let (name, id) = (&self.name, hex::encode(self.id()));
        write!(f, "{name}+{id}+{}", STANDARD.encode(bytes))
    }
}

/// A key that signs notes.
pub struct NoteSigner {
    name: String,
    kind: Kind,
    key: SigningKey,
}

impl NoteSigner {
    /// A signer; a name holds neither white space nor a plus sign.
    pub fn new(name: &str, kind: Kind, seed: &[u8; 32]) -> Result<Self, NoteError> {
        Ok(Self {
            name: checked_name(name)?,
            kind,
            key: SigningKey::from_bytes(seed),
        })
    }

    pub fn verifier(&self) -> VerifierKey {
        VerifierKey {
            name: self.name.clone(),
            kind: self.kind,
            key: self.key.verifying_key(),
        }
    }

    /// The signature line over a text; a witness signs a time, in seconds since 1970.
    pub fn sign(&self, text: &str, time: u64) -> SignatureLine {
        let body = match self.kind {
            Kind::Log => self.key.sign(text.as_bytes()).to_bytes().to_vec(),
            Kind::Witness => {
                let signature = self.key.sign(cosigned(time, text).as_bytes());
                [&time.to_be_bytes()[..], &signature.to_bytes()].concat()
            }
        };
        SignatureLine {
            name: self.name.clone(),
            bytes: [&self.verifier().id()[..], &body].concat(),
        }
    }
}

fn cosigned(time: u64, text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{text}")
}

fn checked_name(name: &str) -> Result<String, NoteError> {
    if name.is_empty()
        || name
            .chars()
            .any(|c| c.is_whitespace() || c.is_control() || c == '+')
    {
        return Err(NoteError::Malformed(
            "the name of a key holds no white space and no plus sign",
        ));
    }
    Ok(name.to_owned())
}

/// One signature of a note.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignatureLine {
    pub name: String,
    bytes: Vec<u8>,
}

/// A signed text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Ends with a line feed.
    pub text: String,
    pub signatures: Vec<SignatureLine>,
}

impl Note {
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        let malformed =
            NoteError::Malformed("a note is a text, an empty line, and signature lines");
        let (text, lines) = note.rsplit_once("\n\n").ok_or(malformed.clone())?;
        let lines = lines.strip_suffix('\n').ok_or(malformed.clone())?;
        let signatures = lines
            .split('\n')
            .map(|line| {
                let rest = line.strip_prefix("\u{2014} ").ok_or(malformed.clone())?;
                let (name, encoded) = rest.split_once(' ').ok_or(malformed.clone())?;
                let bytes = STANDARD.decode(encoded).map_err(|_| malformed.clone())?;
                if bytes.len() < 5 {
                    return Err(malformed.clone());
                }
                let name = checked_name(name)?;
                Ok(SignatureLine { name, bytes })
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            text: format!("{text}\n"),
            signatures,
        })
    }
}

impl std::fmt::Display for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.text)?;
        for line in &self.signatures {
            writeln!(f, "\u{2014} {} {}", line.name, STANDARD.encode(&line.bytes))?;
        }
        Ok(())
    }
}

/// The head of a tree: how many entries it has, and its root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Names the ledger.
    pub origin: String,
    pub size: u64,
    pub root: Hash,
}

impl Checkpoint {
    /// The text that is signed.
    pub fn text(&self) -> String {
        let root = STANDARD.encode(self.root);
        format!("{}\n{}\n{root}\n", self.origin, self.size)
    }

    /// Reads the text of a note; lines after the third are extensions, and ignored.
    pub fn parse(text: &str) -> Result<Self, NoteError> {
        let malformed = NoteError::Malformed("a checkpoint is an origin, a size and a root");
        let mut lines = text.split('\n');
        let mut line = || {
            lines
                .next()
                .filter(|line| !line.is_empty())
                .ok_or(malformed.clone())
        };
        let (origin, size, root) = (line()?, line()?, line()?);
        // Decimal without leading zeros: one text for one checkpoint.
        let number: u64 = size.parse().map_err(|_| malformed.clone())?;
        if number.to_string() != size {
            return Err(malformed);
        }
        let root = STANDARD.decode(root).map_err(|_| malformed.clone())?;
        Ok(Self {
            origin: origin.to_owned(),
            size: number,
            root: root.try_into().map_err(|_| malformed)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the signed-note specification (C2SP), which Go's `sumdb/note` shares.
    #[test]
    fn the_example_of_the_specification_verifies() {
        let key = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let key = VerifierKey::parse(key).unwrap();
        let parsed = Note::parse(note).unwrap();
        assert_eq!(key.verify(&parsed), Ok(None));
        assert_eq!(parsed.to_string(), note);
        let changed = Note::parse(&note.replace("your problem is", "the problem is")).unwrap();
        assert_eq!(
            key.verify(&changed),
            Err(NoteError::WrongSignature("PeterNeumann".into()))
        );
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            origin: "lodkast.example/t".into(),
            size: 17,
            root: [3; 32],
        }
    }

    #[test]
    fn log_and_witness_sign_one_checkpoint_each_in_its_own_way() {
        let log = NoteSigner::new("lodkast.example/t", Kind::Log, &[1; 32]).unwrap();
        let witness = NoteSigner::new("witness.example", Kind::Witness, &[2; 32]).unwrap();
        let text = checkpoint().text();
        let note = Note {
            signatures: vec![log.sign(&text, 0), witness.sign(&text, 1_795_000_000)],
            text,
        };
        let read = Note::parse(&note.to_string()).unwrap();
        assert_eq!(read, note);
        assert_eq!(Checkpoint::parse(&read.text).unwrap(), checkpoint());
        let known =
            |signer: &NoteSigner| VerifierKey::parse(&signer.verifier().to_string()).unwrap();
        assert_eq!(known(&log).verify(&read), Ok(None));
        assert_eq!(known(&witness).verify(&read), Ok(Some(1_795_000_000)));
        let stranger = NoteSigner::new("witness.example", Kind::Witness, &[3; 32]).unwrap();
        assert!(known(&stranger).verify(&read).is_err());
    }

    #[test]
    fn malformed_notes_keys_and_checkpoints_are_refused() {
        for key in [
            "",
            "a+b",
            "a b+00000000+AQ==",
            "n+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
        ] {
            assert!(VerifierKey::parse(key).is_err(), "{key}");
        }
        for note in [
            "",
            "text\n",
            "text\n\nno dash\n",
            "text\n\n\u{2014} name !\n",
            "text\n\n\u{2014} name AA==\n",
        ] {
            assert!(Note::parse(note).is_err(), "{note}");
        }
        for text in [
            "",
            "o\n",
            "o\n01\nAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n",
            "o\n1\nAwM=\n",
            "o\n-1\n\n",
        ] {
            assert!(Checkpoint::parse(text).is_err(), "{text}");
        }
    }
}
