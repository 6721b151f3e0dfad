//! Show a trial's ledger: checkpoints, entries and proofs.
//!
//! While the trial is blinded an entry is its leaf alone; afterwards the payloads are open to those
//! who audit.

use super::checkpoint::{Kept, newest, signed_note};
use super::{Refusal, Service};
use crate::access::{Caller, Right, Role};
use crate::ledger::tree;
use crate::store::{INSTALLATION, Tx};
use chrono::{DateTime, Utc};
use serde::Serialize;

/// A signed head of a ledger.
#[derive(Debug, Serialize)]
pub struct Head {
    pub origin: String,
    /// How many entries the tree has.
    pub size: i64,
    /// Root of the tree, in hexadecimal digits.
    pub root: String,
    pub signed_at: DateTime<Utc>,
    /// The signed note: what a witness signs and whoever keeps it can hold against us.
    pub checkpoint: String,
    /// The keys that verify notes of this ledger, in the form of C2SP signed-note.
    pub keys: Vec<String>,
}

/// An entry of a ledger.
#[derive(Debug, Serialize)]
pub struct Entry {
    pub sequence: i64,
    pub leaf: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
}

/// A proof: hashes in hexadecimal digits, in the order of RFC 9162.
#[derive(Debug, Serialize)]
pub struct Proof {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaf: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<i64>,
    pub size: i64,
    pub hashes: Vec<String>,
}

/// Whether the caller sees the payloads of a ledger that they may read at all: of a trial auditors once it
/// is open; of the installation, which names persons and keys and no arms, auditors and administrators.
fn sees_payloads(service: &Service, caller: &Caller, ledger: &str) -> Result<bool, Refusal> {
    if ledger == INSTALLATION {
        if !caller.may(Right::ReadLedger) {
            return Err(Refusal::MissingRight(Right::ReadLedger));
        }
        // A key for one trial knows of nothing beyond it.
        if caller.trial.is_some() {
            return Err(Refusal::NotFound("ledger"));
        }
        return Ok(matches!(caller.role, Role::Administrator | Role::Auditor));
    }
    let known = service.trial(caller, ledger, Right::ReadLedger)?;
    known.registered()?;
    Ok(known.status.is_open() && caller.role == Role::Auditor)
}

/// The newest checkpoint, or that of a size.
pub fn head(
    service: &Service,
    caller: &Caller,
    trial: &str,
    size: Option<i64>,
) -> Result<Head, Refusal> {
    sees_payloads(service, caller, trial)?;
    let row = match size {
        None => newest(service, trial)?,
        Some(size) => service
            .store
            .read(|tx| signed_note(tx, service, trial, size))?
            .ok_or(Refusal::NotFound("checkpoint of this size"))?,
    };
    let keys = service.store.read(|tx| service.ledger_keys(tx, trial))?;
    Ok(Head {
        origin: service.ledger_origin(trial),
        size: row.size,
        root: hex::encode(&row.root),
        signed_at: row.signed_at.and_utc(),
        checkpoint: row.note,
        keys: keys.iter().map(ToString::to_string).collect(),
    })
}

/// Entries after `after`; with their payloads for whoever may see them.
pub fn entries(
    service: &Service,
    caller: &Caller,
    trial: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Entry>, Refusal> {
    let open = sees_payloads(service, caller, trial)?;
    let rows = service
        .store
        .read(|tx| tx.page_entries(trial, after, limit))?;
    let told = rows.into_iter().map(|row| {
        let shown = open && !row.record.is_empty();
        Entry {
            sequence: row.sequence,
            leaf: hex::encode(row.leaf),
            kind: open.then_some(row.kind),
            salt: shown.then(|| hex::encode(row.salt)),
            record: shown.then_some(row.record),
        }
    });
    Ok(told.collect())
}

/// Proves that an entry is in the tree of the first `size` entries (of all, where none is named).
pub fn inclusion(
    service: &Service,
    caller: &Caller,
    trial: &str,
    sequence: i64,
    size: Option<i64>,
) -> Result<Proof, Refusal> {
    sees_payloads(service, caller, trial)?;
    prove(service, trial, size, "size", |tx, size| {
        if !(1..=size).contains(&sequence) {
            return Err(Refusal::field("sequence", "is not an entry of this tree"));
        }
        let leaf = tx.page_leaves(trial, sequence - 1, 1)?.pop();
        let mut nodes = Kept::of(tx, trial);
        let proof = tree::inclusion_proof(&mut nodes, sequence as u64 - 1, size as u64)?;
        Ok(Proof {
            sequence: Some(sequence),
            leaf: leaf.map(hex::encode),
            from: None,
            size,
            hashes: proof.iter().map(hex::encode).collect(),
        })
    })
}

/// Proves that the tree of the first `from` entries is the beginning of that of the first `to`.
pub fn consistency(
    service: &Service,
    caller: &Caller,
    trial: &str,
    from: i64,
    to: Option<i64>,
) -> Result<Proof, Refusal> {
    sees_payloads(service, caller, trial)?;
    prove(service, trial, to, "to", |tx, size| {
        if !(0..=size).contains(&from) {
            return Err(Refusal::field("from", "is larger than the tree"));
        }
        let mut nodes = Kept::of(tx, trial);
        let proof = tree::consistency_proof(&mut nodes, from as u64, size as u64)?;
        Ok(Proof {
            sequence: None,
            leaf: None,
            from: Some(from),
            size,
            hashes: proof.iter().map(hex::encode).collect(),
        })
    })
}

/// Brings the tree up to date where it does not reach far enough, and proves within one read.
fn prove(
    service: &Service,
    trial: &str,
    size: Option<i64>,
    field: &str,
    body: impl FnOnce(&mut Tx, i64) -> Result<Proof, Refusal>,
) -> Result<Proof, Refusal> {
    let last = newest(service, trial)?.size;
    let size = size.unwrap_or(last);
    if !(1..=last).contains(&size) {
        return Err(Refusal::field(
            field,
            "is not a size that the ledger has had",
        ));
    }
    service.store.read(|tx| body(tx, size))
}
