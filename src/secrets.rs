//! Random bytes, sealing, pseudonyms and fingerprints: everything that rests on a secret key.
//!
//! Two root keys of 32 bytes come from the environment or a key file. Each use derives its own key
//! from a root by HKDF-SHA-256 with its own label, so that no two uses share one.

use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use rand::TryRng;
use rand::rngs::SysRng;
use sha2::Sha256;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes from the operating system.
///
/// # Panics
/// Where the operating system gives none: nothing secret can be made then.
pub fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    SysRng
        .try_fill_bytes(&mut bytes)
        .expect("the operating system gives random bytes");
    bytes
}

/// A root key.
#[derive(Clone, Zeroize, ZeroizeOnDrop, PartialEq, Eq)]
pub struct RootKey([u8; 32]);

impl std::fmt::Debug for RootKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RootKey(hidden)")
    }
}

impl RootKey {
    pub fn random() -> Self {
        Self(random_bytes())
    }

    /// Reads 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        Some(Self(hex::decode(text.trim()).ok()?.try_into().ok()?))
    }

    pub fn to_hex(&self) -> String {
        hex::encode(self.0)
    }

    /// The seed of the Ed25519 key by which a witness signs.
    pub fn witness_seed(&self) -> [u8; 32] {
        self.derive(b"", "lodkast v1 witness signing key")
    }

    fn derive(&self, salt: &[u8], label: &str) -> [u8; 32] {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(Some(salt), &self.0)
            .expand(label.as_bytes(), &mut key)
            .expect("32 bytes are below the limit of HKDF-SHA-256");
        key
    }
}

/// What was sealed cannot be opened: another key, or changed bytes.
#[derive(Debug, thiserror::Error)]
#[error("sealed bytes do not open with this key")]
pub struct NotOpened;

/// The keys of a running service.
///
/// The secret key may be exchanged: it seals and signs. What must stay the same for the life of a
/// database (pseudonyms, digests of requests, blinded ids) rests on the first one, which is kept
/// sealed in the database from the first exchange on.
#[derive(Debug, Clone)]
pub struct Secrets {
    secret: RootKey,
    first: RootKey,
    pseudonym: Option<RootKey>,
}

impl Secrets {
    /// The pseudonym key is derived from the first secret key where none is given.
    pub fn new(secret: RootKey, pseudonym: Option<RootKey>) -> Self {
        Self {
            first: secret.clone(),
            secret,
            pseudonym,
        }
    }

    /// The same keys over a database whose first secret key was this one.
    pub fn with_first(mut self, first: RootKey) -> Self {
        self.first = first;
        self
    }

    /// These keys after the secret key was exchanged.
    pub fn exchanged(&self, secret: RootKey) -> Self {
        Self {
            secret,
            ..self.clone()
        }
    }

    /// The first secret key, sealed under the present one.
    pub fn sealed_first(&self) -> Vec<u8> {
        self.seal("first secret key", &self.first.0)
    }

    /// Opens what [`Secrets::sealed_first`] gave.
    pub fn open_first(&self, sealed: &[u8]) -> Result<RootKey, NotOpened> {
        let bytes = self.open("first secret key", sealed)?;
        bytes.try_into().map(RootKey).map_err(|_| NotOpened)
    }

    fn pseudonym_root(&self) -> RootKey {
        let derived = || RootKey(self.first.derive(b"", "lodkast v1 pseudonym root"));
        self.pseudonym.clone().unwrap_or_else(derived)
    }

    /// Names the secret key without telling it, for the database to remember.
    pub fn secret_fingerprint(&self) -> String {
        print_of(&self.secret)
    }

    /// Names the pseudonym key without telling it.
    pub fn pseudonym_fingerprint(&self) -> String {
        print_of(&self.pseudonym_root())
    }

    /// The seed of the Ed25519 key that signs checkpoints.
    pub fn signing_seed(&self) -> [u8; 32] {
        self.secret.derive(b"", "lodkast v1 ledger signing key")
    }

    /// Seals bytes with XChaCha20-Poly1305, bound to a purpose (and so not to be exchanged).
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; 24] = random_bytes();
        let sealed = self
            .cipher()
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: purpose.as_bytes(),
                },
            )
            .expect("plain texts are far below the limit of 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Opens what [`Secrets::seal`] sealed for this purpose.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (nonce, body) = sealed.split_first_chunk::<24>().ok_or(NotOpened)?;
        self.cipher()
            .decrypt(
                &XNonce::from(*nonce),
                Payload {
                    msg: body,
                    aad: purpose.as_bytes(),
                },
            )
            .map_err(|_| NotOpened)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&self.secret.derive(b"", "lodkast v1 seal").into())
    }

    /// The pseudonym of a citizen in one trial: HMAC-SHA-256 under a key of that trial.
    pub fn pseudonym(&self, trial: &str, scheme: &str, number: &str) -> String {
        let key = self
            .pseudonym_root()
            .derive(trial.as_bytes(), "lodkast v1 pseudonym");
        keyed(&key, &[scheme.as_bytes(), number.as_bytes()])
    }

    /// What makes and checks the second half of the salts of records. It rests on the first secret key,
    /// so that an exchange of the key changes nothing.
    pub fn voucher(&self) -> Voucher {
        Voucher(self.first.derive(b"", "lodkast v2 records"))
    }

    /// The tombstone of an erased citizen, from the pseudonym: nobody without the key can tell whose it
    /// is, not even with the pseudonym.
    pub fn tombstone(&self, trial: &str, pseudonym: &str) -> String {
        let key = self.first.derive(trial.as_bytes(), "lodkast v2 tombstone");
        keyed(&key, &[pseudonym.as_bytes()])
    }

    /// The id of a participant in what a blinded role sees of one cut. The next cut gives another.
    pub fn blinded_id(&self, trial: &str, data_cut: i64, participant: &str) -> String {
        let key = self.first.derive(trial.as_bytes(), "lodkast v2 blinded id");
        let parts = [&data_cut.to_be_bytes()[..], participant.as_bytes()];
        format!("b-{}", &keyed(&key, &parts)[..32])
    }

    /// Vouches for a public key that signed ledgers, which the database remembers.
    pub fn vouch_for_key(&self, public: &str) -> String {
        let key = self.first.derive(b"", "lodkast v2 ledger keys");
        keyed(&key, &[public.as_bytes()])
    }

    /// A keyed digest of a request, for idempotency: a plain one would let numbers be tried out.
    pub fn fingerprint(&self, parts: &[&[u8]]) -> String {
        keyed(&self.first.derive(b"", "lodkast v1 request"), parts)
    }
}

/// Vouches for records: whoever writes to the database without the keys cannot make its 16 bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Voucher([u8; 32]);

impl Voucher {
    /// The first 16 bytes of HMAC-SHA-256(key, ledger || id || random || record).
    pub fn vouch(&self, ledger: &str, id: &str, random: &[u8], record: &str) -> [u8; 16] {
        let mut mac =
            <Hmac<Sha256> as KeyInit>::new_from_slice(&self.0).expect("HMAC takes any key");
        for part in [ledger.as_bytes(), id.as_bytes(), random, record.as_bytes()] {
            mac.update(part);
        }
        let bytes = mac.finalize().into_bytes();
        let mut first = [0; 16];
        first.copy_from_slice(&bytes[..16]);
        first
    }
}

fn print_of(key: &RootKey) -> String {
    hex::encode(&key.derive(b"", "lodkast v1 fingerprint")[..16])
}

/// HMAC-SHA-256 over the parts, each preceded by its length so that no two lists collide.
fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> String {
    let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).expect("HMAC takes any key");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secrets(byte: u8) -> Secrets {
        Secrets::new(RootKey([byte; 32]), None)
    }

    #[test]
    fn what_is_sealed_opens_with_the_same_key_and_purpose_only() {
        let sealed = secrets(1).seal("seed", b"plain");
        assert_eq!(secrets(1).open("seed", &sealed).unwrap(), b"plain");
        assert!(secrets(1).open("protocol", &sealed).is_err());
        assert!(secrets(2).open("seed", &sealed).is_err());
        assert!(secrets(1).open("seed", &sealed[..10]).is_err());
        let mut changed = sealed;
        *changed.last_mut().unwrap() ^= 1;
        assert!(secrets(1).open("seed", &changed).is_err());
    }

    #[test]
    fn a_citizen_has_another_pseudonym_in_every_trial() {
        let in_trial = |trial| secrets(1).pseudonym(trial, "cpr", "0101901234");
        assert_eq!(in_trial("a"), in_trial("a"));
        assert_ne!(in_trial("a"), in_trial("b"));
        assert_ne!(
            secrets(2).pseudonym("a", "cpr", "0101901234"),
            in_trial("a")
        );
    }

    #[test]
    fn an_exchanged_key_seals_and_signs_anew_and_knows_everybody_as_before() {
        let before = secrets(1);
        let after = before.exchanged(RootKey([2; 32]));
        let person = |keys: &Secrets| keys.pseudonym("a", "cpr", "0101901234");
        assert_eq!(person(&before), person(&after));
        assert_eq!(before.fingerprint(&[b"x"]), after.fingerprint(&[b"x"]));
        assert_eq!(
            before.pseudonym_fingerprint(),
            after.pseudonym_fingerprint()
        );
        assert_ne!(before.secret_fingerprint(), after.secret_fingerprint());
        assert_ne!(before.signing_seed(), after.signing_seed());
        assert!(after.open("seed", &before.seal("seed", b"plain")).is_err());
        let sealed = after.sealed_first();
        let started = secrets(2);
        let first = started.open_first(&sealed).unwrap();
        assert_eq!(person(&started.with_first(first)), person(&before));
        assert!(secrets(1).open_first(&sealed).is_err());
    }

    #[test]
    fn a_record_is_vouched_for_with_its_ledger_id_and_random_bytes() {
        let before = secrets(1);
        let vouched = |keys: &Secrets, ledger, id, random: u8, record| {
            keys.voucher().vouch(ledger, id, &[random; 16], record)
        };
        let one = vouched(&before, "t", "id", 1, "{}");
        let after = before.exchanged(RootKey([2; 32]));
        assert_eq!(one, vouched(&after, "t", "id", 1, "{}"));
        for other in [
            vouched(&secrets(2), "t", "id", 1, "{}"),
            vouched(&before, "u", "id", 1, "{}"),
            vouched(&before, "t", "ie", 1, "{}"),
            vouched(&before, "t", "id", 2, "{}"),
            vouched(&before, "t", "id", 1, "{ }"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_participant_has_another_blinded_id_in_every_cut() {
        let keys = secrets(1);
        assert_eq!(keys.blinded_id("t", 7, "p"), keys.blinded_id("t", 7, "p"));
        assert_ne!(keys.blinded_id("t", 7, "p"), keys.blinded_id("t", 8, "p"));
        assert_ne!(keys.blinded_id("t", 7, "p"), keys.blinded_id("u", 7, "p"));
    }

    #[test]
    fn a_fingerprint_tells_its_parts_apart() {
        assert_ne!(
            secrets(1).fingerprint(&[b"ab", b"c"]),
            secrets(1).fingerprint(&[b"a", b"bc"])
        );
    }
}
