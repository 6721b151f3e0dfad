//! Whether what is stored is what was written.
//!
//! A record is held against its leaf, its columns against the record, and the second half of its salt
//! against the key of the service: whoever writes to the database without that key makes no record that
//! passes. Records of release 0.1, whose salts vouch for nothing, are held against the root over them
//! that was signed when the database was taken over ([`super::upgrade`]).

use super::checkpoint::Kept;
use super::fact::FactKind;
use super::{Refusal, Service};
use crate::ledger::tree::{self, Hash};
use crate::ledger::{Salt, leaf};
use crate::store::{FactRow, ParticipantRow, Tx};
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// What a ledger held when its database was taken over from release 0.1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Boundary {
    pub size: i64,
    pub root: Hash,
}

/// Records up to a boundary that were proved to be in its tree, by ledger, number and leaf.
#[derive(Default)]
pub struct Proved(RwLock<HashSet<(String, i64, Vec<u8>)>>);

impl Proved {
    /// Most records that are remembered.
    const MOST: usize = 100_000;

    fn holds(&self, key: &(String, i64, Vec<u8>)) -> bool {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        known.contains(key)
    }

    fn keep(&self, key: (String, i64, Vec<u8>)) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert(key);
    }
}

/// The part of a record that columns repeat.
#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    participant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    site: Option<Cow<'a, str>>,
    effective_on: Option<NaiveDate>,
    recorded_at: DateTime<Utc>,
    #[serde(borrow)]
    recorded_by: Cow<'a, str>,
    #[serde(borrow)]
    source: Option<Cow<'a, str>>,
    #[serde(borrow)]
    source_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    replaces: Option<Cow<'a, str>>,
    #[serde(rename = "body")]
    _body: IgnoredAny,
}

pub(super) fn tampered(ledger: &str, sequence: Option<i64>, why: impl Into<String>) -> Refusal {
    Refusal::Tampered {
        ledger: ledger.to_owned(),
        sequence,
        why: why.into(),
    }
}

impl Service {
    /// Records of this ledger up to this number are of release 0.1.
    pub(super) fn boundary(&self, ledger: &str) -> Option<Boundary> {
        let adopted = self.adopted.read().unwrap_or_else(PoisonError::into_inner);
        adopted.get(ledger).copied()
    }

    pub(super) fn set_boundaries(&self, adopted: BTreeMap<String, Boundary>) {
        *self.adopted.write().unwrap_or_else(PoisonError::into_inner) = adopted;
    }

    /// What does not agree of a record that is not erased, looked at by itself: leaf, columns, and the
    /// voucher where it has one.
    pub(super) fn fault_of(&self, ledger: &str, fact: &FactRow) -> Option<&'static str> {
        let Ok(salt) = <&Salt>::try_from(fact.salt.as_slice()) else {
            return Some("its salt is not of 32 bytes");
        };
        if leaf(salt, &fact.record).0.as_slice() != fact.leaf {
            return Some("its record is not the one of its leaf");
        }
        let vouched_for = self
            .boundary(ledger)
            .is_none_or(|boundary| fact.sequence > boundary.size);
        if vouched_for
            && self
                .voucher
                .vouch(ledger, &fact.id, &salt[..16], &fact.record)
                != salt[16..]
        {
            return Some("the service did not write it");
        }
        let Ok(header) = serde_json::from_str::<Header>(&fact.record) else {
            return Some("its record cannot be read");
        };
        let agrees = header.id == fact.id
            && header.kind == fact.kind
            && header.participant.as_deref() == fact.participant_id.as_deref()
            && header.site.as_deref() == fact.site.as_deref()
            && header.effective_on == fact.effective_on
            && header.recorded_at.naive_utc() == fact.recorded_at
            && header.recorded_by == fact.recorded_by
            && header.source.as_deref() == fact.source.as_deref()
            && header.source_id.as_deref() == fact.source_id.as_deref()
            && header.replaces.is_some() == fact.replaces.is_some()
            && fact.replaces.is_none_or(|old| old < fact.sequence);
        (!agrees).then_some("its columns are not those of its record")
    }

    /// Refuses a record that is not what was written, read by itself and not with its whole ledger.
    pub(super) fn check_fact(
        &self,
        tx: &mut Tx,
        ledger: &str,
        fact: &FactRow,
    ) -> Result<(), Refusal> {
        if let Some(why) = self.fault_of(ledger, fact) {
            return Err(tampered(ledger, Some(fact.sequence), why));
        }
        match self.boundary(ledger) {
            Some(boundary) if fact.sequence <= boundary.size => {
                self.check_included(tx, ledger, fact, boundary)
            }
            _ => Ok(()),
        }
    }

    /// A record of release 0.1 is in the tree that was signed when the database was taken over.
    fn check_included(
        &self,
        tx: &mut Tx,
        ledger: &str,
        fact: &FactRow,
        boundary: Boundary,
    ) -> Result<(), Refusal> {
        let key = (ledger.to_owned(), fact.sequence, fact.leaf.clone());
        if self.proved.holds(&key) {
            return Ok(());
        }
        let (index, size) = (fact.sequence as u64 - 1, boundary.size as u64);
        let mut nodes = Kept::of(tx, ledger);
        let proof = tree::inclusion_proof(&mut nodes, index, size)?;
        let leaf = <&Hash>::try_from(fact.leaf.as_slice()).ok();
        let root = leaf.and_then(|leaf| tree::root_from_inclusion(leaf, index, size, &proof));
        if root != Some(boundary.root) {
            let why = "it is not in the tree that was signed over the records of release 0.1";
            return Err(tampered(ledger, Some(fact.sequence), why));
        }
        self.proved.keep(key);
        Ok(())
    }

    /// Checked facts, in the order in which they were given.
    pub(super) fn checked(
        &self,
        tx: &mut Tx,
        ledger: &str,
        facts: Vec<FactRow>,
    ) -> Result<Vec<FactRow>, Refusal> {
        for fact in &facts {
            self.check_fact(tx, ledger, fact)?;
        }
        Ok(facts)
    }

    /// The persons whom authentic facts of erasure name: nobody else's records may be missing.
    pub(super) fn erased_persons(
        &self,
        tx: &mut Tx,
        trial: &str,
    ) -> Result<HashSet<String>, Refusal> {
        let facts = tx.list_facts(trial, FactKind::Erasure.as_str(), i64::MAX)?;
        let facts = self.checked(tx, trial, facts)?;
        Ok(facts
            .into_iter()
            .filter_map(|fact| fact.participant_id)
            .collect())
    }

    /// Refuses rows of participants that are not what their draws say. Nobody is told an arm from a row
    /// that was not held against its draw.
    pub(super) fn check_participants(
        &self,
        tx: &mut Tx,
        trial: &str,
        rows: &[ParticipantRow],
    ) -> Result<BTreeMap<String, FactRow>, Refusal> {
        let ids: Vec<String> = rows.iter().map(|row| row.id.clone()).collect();
        let draws = tx.find_facts_of(trial, FactKind::Draw.as_str(), &ids)?;
        let mut found = BTreeMap::new();
        for fact in self.checked(tx, trial, draws)? {
            let id = fact.participant_id.clone().unwrap_or_default();
            if found.insert(id, fact).is_some() {
                return Err(tampered(trial, None, "a participant has two draws"));
            }
        }
        for row in rows {
            let Some(fact) = found.get(&row.id) else {
                let why = format!("participant {} has no draw", row.id);
                return Err(tampered(trial, None, why));
            };
            if !agrees(row, fact) {
                let why = "the row of its participant is not what it says";
                return Err(tampered(trial, Some(fact.sequence), why));
            }
        }
        Ok(found)
    }
}

#[derive(Deserialize)]
struct DrawRecord {
    body: DrawBody,
}

#[derive(Deserialize)]
struct DrawBody {
    label: String,
    index: Option<i64>,
    arm: String,
    unit: Option<String>,
}

/// Whether the row of a participant is what the fact of the draw says.
pub(super) fn agrees(row: &ParticipantRow, fact: &FactRow) -> bool {
    let Ok(DrawRecord { body }) = serde_json::from_str(&fact.record) else {
        return false;
    };
    let stream = match &body.unit {
        Some(unit) => super::draw::unit_stream(unit),
        None => body.label,
    };
    // A minimization counts in one stream for the whole trial.
    let same_stream = row.stratum == stream || row.stratum == super::draw::MINIMIZATION;
    row.arm == body.arm
        && same_stream
        && row.draw_index.is_some() == body.index.is_some()
        && (body.unit.is_some() || row.draw_index == body.index)
        && row.site == fact.site
        && Some(row.enrolled_on) == fact.effective_on
        && row.enrolled_at == fact.recorded_at
}
