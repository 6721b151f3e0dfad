//! Read a data cut, and only what was written: every record is held against its leaf, the numbers go
//! without a gap, and the root over all leaves is that of a note that the service signed.

use super::authentic::tampered;
use super::checkpoint::{self, Kept};
use super::{Refusal, Service};
use crate::analysis::facts::CutData;
use crate::ledger::CutDigest;
use crate::ledger::tree::{self, Edge, Hash};
use crate::store::{FactRow, Tx};
use rayon::prelude::*;
use std::collections::{HashMap, HashSet};

/// Records that are read at once.
const PAGE: i64 = 20_000;

/// Reads a cut of a trial; refused, with the number of the record, where anything is not as it was
/// written.
pub(crate) fn load_cut(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    cut: i64,
) -> Result<CutData, Refusal> {
    let erased = service.erased_persons(tx, trial)?;
    let mut reading = Reading::new(service, trial, &erased);
    let mut facts = Vec::new();
    while reading.edge.size() < cut as u64 {
        let after = reading.edge.size() as i64;
        let page = tx.page_all_facts(trial, after, cut, PAGE)?;
        if page.is_empty() {
            return Err(tampered(trial, Some(after + 1), "it is missing"));
        }
        reading.take(page, &mut facts)?;
    }
    let root = reading.edge.root();
    check_root(tx, service, trial, cut, &root)?;
    let digest = reading.digest.finish();
    let mut data = CutData::from_facts(facts, &erased)
        .map_err(|(sequence, why)| tampered(trial, Some(sequence), why))?;
    data.digest = digest;
    data.root = hex::encode(root);
    Ok(data)
}

/// A cut on its way in.
struct Reading<'a> {
    service: &'a Service,
    trial: &'a str,
    erased: &'a HashSet<String>,
    edge: Edge,
    digest: CutDigest,
    /// Kind, source and source_id of the records that others replace, by number.
    sources: HashMap<i64, (String, Option<String>, Option<String>)>,
}

impl<'a> Reading<'a> {
    fn new(service: &'a Service, trial: &'a str, erased: &'a HashSet<String>) -> Self {
        Self {
            service,
            trial,
            erased,
            edge: Edge::default(),
            digest: CutDigest::default(),
            sources: HashMap::new(),
        }
    }

    /// Takes the next records; those that are not erased are added to `facts`.
    fn take(&mut self, page: Vec<FactRow>, facts: &mut Vec<FactRow>) -> Result<(), Refusal> {
        let (service, trial, erased) = (self.service, self.trial, self.erased);
        let fault = |fact: &FactRow| match fact.record.is_empty() {
            false => service.fault_of(trial, fact),
            true => {
                (!is_erased(fact, erased)).then_some("its record is gone, and nobody erased it")
            }
        };
        let first = page
            .par_iter()
            .filter_map(|fact| fault(fact).map(|why| (fact.sequence, why)))
            .min_by_key(|(sequence, _)| *sequence);
        for fact in page {
            let expected = self.edge.size() as i64 + 1;
            if fact.sequence != expected {
                return Err(tampered(trial, Some(expected), "it is missing"));
            }
            if let Some((sequence, why)) = first
                && sequence == expected
            {
                return Err(tampered(trial, Some(sequence), why));
            }
            let leaf: Hash = fact
                .leaf
                .as_slice()
                .try_into()
                .map_err(|_| tampered(trial, Some(expected), "its leaf is not of 32 bytes"))?;
            self.edge.push(leaf);
            self.digest.push(&leaf);
            if let Some(boundary) = service.boundary(trial)
                && boundary.size == expected
                && boundary.root != self.edge.root()
            {
                let why = "the records up to it are not those that were signed of release 0.1";
                return Err(tampered(trial, Some(expected), why));
            }
            if fact.record.is_empty() {
                continue;
            }
            self.check_replaces(&fact)?;
            if fact.source_id.is_some() {
                let of = (
                    fact.kind.clone(),
                    fact.source.clone(),
                    fact.source_id.clone(),
                );
                self.sources.insert(fact.sequence, of);
            }
            facts.push(fact);
        }
        Ok(())
    }

    /// The record that is replaced is the one that the record names.
    fn check_replaces(&self, fact: &FactRow) -> Result<(), Refusal> {
        let Some(old) = fact.replaces else {
            return Ok(());
        };
        let named = named_by(fact);
        match self.sources.get(&old) {
            Some((kind, source, source_id))
                if *kind == fact.kind && *source == fact.source && *source_id == named =>
            {
                Ok(())
            }
            // What an erased record was called is gone with it.
            None if fact
                .participant_id
                .as_ref()
                .is_some_and(|person| self.erased.contains(person)) =>
            {
                Ok(())
            }
            _ => {
                let why = "it does not name the record that it replaces";
                Err(tampered(self.trial, Some(fact.sequence), why))
            }
        }
    }
}

/// The source's id of the record that a record says it replaces.
fn named_by(fact: &FactRow) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Named {
        replaces: Option<String>,
    }
    serde_json::from_str::<Named>(&fact.record).ok()?.replaces
}

fn is_erased(fact: &FactRow, erased: &HashSet<String>) -> bool {
    fact.participant_id
        .as_ref()
        .is_some_and(|person| erased.contains(person))
        && !matches!(fact.kind.as_str(), "draw" | "erasure")
}

/// Holds the root of a cut against what was signed: the note of exactly its size, or, for a cut of
/// release 0.1, the tree that was signed when the database was taken over.
fn check_root(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    cut: i64,
    root: &Hash,
) -> Result<(), Refusal> {
    if let Some(row) = checkpoint::signed_note(tx, service, trial, cut)? {
        if row.root == root {
            return Ok(());
        }
        let why = format!("the {cut} records are not those that were signed");
        return Err(tampered(trial, None, why));
    }
    let boundary = service
        .boundary(trial)
        .filter(|boundary| cut <= boundary.size)
        .ok_or_else(|| tampered(trial, None, "the signed note of the cut is missing"))?;
    let (old, new) = (cut as u64, boundary.size as u64);
    let proof = tree::consistency_proof(&mut Kept::of(tx, trial), old, new)?;
    if tree::is_consistent(old, root, new, &boundary.root, &proof) {
        return Ok(());
    }
    let why = format!("the {cut} records are not the beginning of what was signed");
    Err(tampered(trial, None, why))
}
