//! Sign the head of a trial's ledger.
//!
//! Facts are numbered and committed with their leaves; the tree grows afterwards. Of its nodes only
//! those over 256 and 65,536 leaves are kept: they are all of complete subtrees, which never change,
//! and the others are computed from them when a proof asks.

use super::authentic::tampered;
use super::{Refusal, SECRET_KEY, Service};
use crate::ledger::note::{Checkpoint, Kind, Note, NoteSigner, VerifierKey};
use crate::ledger::tree::{self, Hash, Nodes};
use crate::secrets::Secrets;
use crate::store::{CheckpointRow, INSTALLATION, NodeRow, StoreError, Tx};
use std::collections::HashMap;

/// Levels that are kept: each node of one has 256 children among those of the last.
pub(super) const KEPT: [u32; 2] = [8, 16];
/// Leaves that are hashed in one transaction.
const AT_ONCE: i64 = 65_536;
/// Leaves below one kept node of the first level.
const TILE: i64 = 256;

/// Names under which the database remembers the public keys of its ledgers.
const LEDGER_KEY: &str = "ledger_key/";

/// Remembers the public key that signs from now on.
pub(super) fn remember_key(tx: &mut Tx, secrets: &Secrets) -> Result<(), StoreError> {
    let signer = NoteSigner::new("any", Kind::Log, &secrets.signing_seed())
        .expect("a name without white space");
    let public = hex::encode(signer.verifier().public_key());
    let name = format!("{LEDGER_KEY}{}", &public[..16]);
    if tx.find_installation(&name)?.is_none() {
        tx.insert_installation(&name, &vouched(secrets, &public))?;
    }
    Ok(())
}

/// A public key as the database remembers it: with what vouches for it.
fn vouched(secrets: &Secrets, public: &str) -> String {
    format!("{public}:{}", secrets.vouch_for_key(public))
}

/// Vouches for the public keys that release 0.1 remembered.
pub(super) fn adopt_keys(tx: &mut Tx, secrets: &Secrets) -> Result<(), StoreError> {
    for public in tx.list_installation(LEDGER_KEY)? {
        if !public.contains(':') {
            let name = format!("{LEDGER_KEY}{}", &public[..16.min(public.len())]);
            tx.update_installation(&name, &vouched(secrets, &public))?;
        }
    }
    Ok(())
}

impl Service {
    /// Names the ledger of a trial in its checkpoints.
    pub fn ledger_origin(&self, trial: &str) -> String {
        format!("{}/{trial}", self.config.ledger.name)
    }

    fn signer(&self, trial: &str) -> Result<NoteSigner, Refusal> {
        NoteSigner::new(
            &self.ledger_origin(trial),
            Kind::Log,
            &self.secrets.signing_seed(),
        )
        .map_err(|fault| Refusal::Internal(fault.to_string()))
    }

    /// Every key that signed checkpoints of this trial, or may have.
    pub fn ledger_keys(&self, tx: &mut Tx, trial: &str) -> Result<Vec<VerifierKey>, Refusal> {
        let origin = self.ledger_origin(trial);
        let keys = tx.list_installation(LEDGER_KEY)?.into_iter().map(|value| {
            let (public, _) = value.split_once(':').unwrap_or((&value, ""));
            let bytes = hex::decode(public).ok().and_then(|b| b.try_into().ok());
            bytes
                .filter(|_| vouched(&self.secrets, public) == value)
                .and_then(|bytes: [u8; 32]| VerifierKey::of_log(&origin, &bytes).ok())
                .ok_or_else(|| {
                    tampered(
                        trial,
                        None,
                        "a remembered key of its notes is not one of the service",
                    )
                })
        });
        let mut keys: Vec<VerifierKey> = keys.collect::<Result<_, Refusal>>()?;
        // The present key first.
        let present = self.signer(trial)?.verifier();
        keys.sort_by_key(|key| *key != present);
        Ok(keys)
    }

    /// Whether the secret key of this process is still the one of the database.
    pub fn has_present_key(&self) -> Result<bool, StoreError> {
        let known = self.store.read(|tx| tx.find_installation(SECRET_KEY))?;
        Ok(known.is_none_or(|known| known == self.secrets.secret_fingerprint()))
    }

    /// Refuses what would be sealed or signed with a key that was exchanged meanwhile by another
    /// process.
    ///
    /// To be asked first: until the transaction ends, no exchange of the key gets between.
    pub(super) fn check_present_key(&self, tx: &mut Tx) -> Result<(), Refusal> {
        let known = tx.lock_installation_shared(SECRET_KEY)?;
        if known.is_some_and(|known| known != self.secrets.secret_fingerprint()) {
            let why = "the secret key was exchanged: start the service with the new one";
            return Err(Refusal::Internal(why.into()));
        }
        Ok(())
    }
}

/// The checkpoint over everything that is committed; signed now where the ledger has grown.
pub fn newest(service: &Service, trial: &str) -> Result<CheckpointRow, Refusal> {
    let known = service.store.read(|tx| -> Result<_, Refusal> {
        let size = tx.last_sequence(trial)?;
        signed_note(tx, service, trial, size)
    })?;
    if let Some(known) = known {
        return Ok(known);
    }
    grow_all(service, trial)?;
    service.store.write(|tx| {
        let size = tx.last_sequence(trial)?;
        sign_at(tx, service, trial, size)
    })
}

/// Brings the kept nodes up to date.
pub(super) fn grow_all(service: &Service, trial: &str) -> Result<(), Refusal> {
    while !service.store.write(|tx| grow(tx, trial))? {}
    Ok(())
}

/// The checkpoint of a size, if there is one; its note must be one that the service signed.
pub(super) fn signed_note(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    size: i64,
) -> Result<Option<CheckpointRow>, Refusal> {
    let Some(row) = tx.find_checkpoint(trial, size)? else {
        return Ok(None);
    };
    check_note(tx, service, trial, &row)?;
    Ok(Some(row))
}

/// Refuses the row of a checkpoint whose note says something else or bears no signature of the service.
fn check_note(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    row: &CheckpointRow,
) -> Result<(), Refusal> {
    let keys = service.ledger_keys(tx, trial)?;
    let holds = Note::parse(&row.note).is_ok_and(|note| {
        let says = Checkpoint {
            origin: service.ledger_origin(trial),
            size: row.size as u64,
            root: row.root.as_slice().try_into().unwrap_or_default(),
        };
        Checkpoint::parse(&note.text).is_ok_and(|point| point == says)
            && keys.iter().any(|key| key.verify(&note).is_ok())
    });
    if holds {
        return Ok(());
    }
    let why = format!(
        "the note over {} records is not one that the service signed",
        row.size
    );
    Err(tampered(trial, None, why))
}

/// Brings the kept nodes up to date, so many leaves at a time; true when nothing is left to do.
fn grow(tx: &mut Tx, trial: &str) -> Result<bool, Refusal> {
    let full = tx.last_sequence(trial)? / TILE;
    let have = tx.count_nodes(trial, KEPT[0] as i32)?;
    let until = full.min(have + AT_ONCE / TILE);
    let leaves = tx.page_leaves(trial, have * TILE, (until - have) * TILE)?;
    insert_parents(tx, trial, KEPT[0], have, &leaves)?;
    let have_above = tx.count_nodes(trial, KEPT[1] as i32)?;
    let children = (until / TILE - have_above) * TILE;
    let below = tx.list_nodes(trial, KEPT[0] as i32, have_above * TILE, children)?;
    insert_parents(tx, trial, KEPT[1], have_above, &below)?;
    Ok(until == full)
}

fn insert_parents(
    tx: &mut Tx,
    trial: &str,
    level: u32,
    first: i64,
    children: &[Vec<u8>],
) -> Result<(), Refusal> {
    let mut rows = Vec::new();
    for (position, chunk) in (first..).zip(children.chunks_exact(TILE as usize)) {
        let hashes = chunk
            .iter()
            .map(|h| hash(h))
            .collect::<Result<Vec<_>, _>>()?;
        rows.push(NodeRow {
            trial_id: trial.to_owned(),
            level: level as i32,
            position,
            hash: tree::root(&hashes).to_vec(),
        });
    }
    Ok(tx.insert_nodes(&rows)?)
}

/// Signs the head over the first `size` records, which are committed or written by this transaction.
pub(super) fn sign_at(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    size: i64,
) -> Result<CheckpointRow, Refusal> {
    service.check_present_key(tx)?;
    if let Some(known) = signed_note(tx, service, trial, size)? {
        return Ok(known);
    }
    let last = tx.last_checkpoint(trial)?;
    let end = tx.last_sequence(trial)?;
    let boundary = service
        .boundary(trial)
        .filter(|boundary| boundary.size <= size);
    let mut nodes = Kept::of(tx, trial);
    // Anyone who kept a checkpoint must never find that we signed something else.
    let before = last.map(|last| (last.size, last.root));
    let boundary = boundary.map(|boundary| (boundary.size, boundary.root.to_vec()));
    for (known, root) in before.into_iter().chain(boundary) {
        if known > end || tree::root_of_first(&mut nodes, known as u64)?.to_vec() != root {
            let why = format!("it does not go on from its checkpoint over {known} records");
            return Err(tampered(trial, None, why));
        }
    }
    let root = tree::root_of_first(&mut nodes, size as u64)?;
    let checkpoint = Checkpoint {
        origin: service.ledger_origin(trial),
        size: size as u64,
        root,
    };
    let (text, now) = (checkpoint.text(), service.clock.now());
    let signature = service.signer(trial)?.sign(&text, 0);
    let note = Note {
        signatures: vec![signature],
        text,
    };
    let row = CheckpointRow {
        trial_id: trial.to_owned(),
        size,
        root: root.to_vec(),
        note: note.to_string(),
        signed_at: now.naive_utc(),
    };
    tx.insert_checkpoint(&row)?;
    Ok(row)
}

/// The root over the first `size` records of a ledger.
pub(super) fn root_over(tx: &mut Tx, ledger: &str, size: i64) -> Result<Hash, Refusal> {
    tree::root_of_first(&mut Kept::of(tx, ledger), size as u64)
}

/// Signs every ledger that has grown since its last checkpoint.
pub fn sign_all(service: &Service) -> Result<(), Refusal> {
    let trials = service.store.read(|tx| -> Result<Vec<String>, Refusal> {
        let mut grown = Vec::new();
        let trials = tx.list_trials(None, None, i64::MAX)?;
        let ledgers = trials.into_iter().map(|row| row.id);
        for ledger in ledgers.chain([INSTALLATION.to_owned()]) {
            let last = tx.last_sequence(&ledger)?;
            let signed = tx.last_checkpoint(&ledger)?.map_or(0, |row| row.size);
            if last > signed {
                grown.push(ledger);
            }
        }
        Ok(grown)
    })?;
    for trial in trials {
        // One ledger that cannot be signed must not keep the others from it.
        if let Err(refusal) = newest(service, &trial) {
            tracing::warn!(%trial, ?refusal, "a ledger could not be signed");
        }
    }
    Ok(())
}

/// The nodes of a trial's tree: those that are kept, and what follows from them and the leaves.
pub(super) struct Kept<'a, 'b> {
    tx: &'a mut Tx<'b>,
    trial: &'a str,
    read: HashMap<(u32, u64), Vec<Hash>>,
}

impl<'a, 'b> Kept<'a, 'b> {
    pub(super) fn of(tx: &'a mut Tx<'b>, trial: &'a str) -> Self {
        Self {
            tx,
            trial,
            read: HashMap::new(),
        }
    }

    /// The node over two nodes of the level below.
    fn of_two(&mut self, level: u32, position: u64) -> Result<Hash, Refusal> {
        let left = self.complete(level - 1, position * 2)?;
        let right = self.complete(level - 1, position * 2 + 1)?;
        Ok(tree::node(&left, &right))
    }

    /// Up to 256 hashes of a kept level (0 being the leaves), from a multiple of 256 on.
    fn tile(&mut self, level: u32, tile: u64) -> Result<&[Hash], Refusal> {
        if !self.read.contains_key(&(level, tile)) {
            let first = tile as i64 * TILE;
            let rows = match level {
                0 => self.tx.page_leaves(self.trial, first, TILE)?,
                level => self.tx.list_nodes(self.trial, level as i32, first, TILE)?,
            };
            let hashes = rows.iter().map(|h| hash(h)).collect::<Result<_, _>>()?;
            self.read.insert((level, tile), hashes);
        }
        Ok(&self.read[&(level, tile)])
    }
}

impl Nodes for Kept<'_, '_> {
    type Error = Refusal;

    fn complete(&mut self, level: u32, position: u64) -> Result<Hash, Refusal> {
        let base = match level {
            0..8 => 0,
            8..16 => KEPT[0],
            _ => KEPT[1],
        };
        // Beyond 2^24 leaves a node has more children on the last kept level than one tile.
        if level - base > 8 {
            return self.of_two(level, position);
        }
        let width = 1_u64 << (level - base);
        let first = position * width;
        let hashes = self.tile(base, first / TILE as u64)?;
        let begin = (first % TILE as u64) as usize;
        match hashes.get(begin..begin + width as usize) {
            Some(children) => Ok(tree::root(children)),
            // Not kept yet: facts were committed after the nodes were brought up to date.
            None if base > 0 => self.of_two(level, position),
            None => Err(tampered(self.trial, None, "records are missing")),
        }
    }
}

fn hash(bytes: &[u8]) -> Result<Hash, Refusal> {
    bytes
        .try_into()
        .map_err(|_| Refusal::Internal("a hash of the ledger is not of 32 bytes".into()))
}
