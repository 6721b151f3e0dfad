//! What the ledger says was drawn: how many of each stream, and where a minimization stands. Counters are
//! held against it before they are drawn by, so that a counter that was set back hands out no arm again,
//! and one that was set forward leaves none out.

use super::authentic::tampered;
use super::draw::{MINIMIZATION, unit_stream};
use super::fact::FactKind;
use super::trial::Registration;
use super::{Refusal, Service};
use crate::ledger::tree::{Edge, Hash};
use crate::protocol::Scheme;
use crate::randomization::{Minimization, MinimizationState, StratumLabel};
use crate::store::{FactRow, Tx};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Facts that are read at once.
const PAGE: i64 = 20_000;

/// The draws of trials as far as they were read, by trial and registration.
#[derive(Default)]
pub struct Drawn(Mutex<HashMap<(String, i32), Counts>>);

/// The draws of one trial.
#[derive(Default, Clone)]
struct Counts {
    /// Number of the last draw that was read.
    seen: i64,
    streams: HashMap<String, i64>,
    minimization: MinimizationState,
}

#[derive(Deserialize)]
struct Record {
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    label: String,
    arm: String,
    unit: Option<String>,
}

impl Drawn {
    fn lock(&self) -> MutexGuard<'_, HashMap<(String, i32), Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Refuses a stream whose next index is not the number of its draws.
pub(super) fn check_index(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    stream: &str,
    next: i64,
) -> Result<(), Refusal> {
    let trial = &registration.protocol.id;
    let counts = read(tx, service, registration)?;
    let drawn = counts.streams.get(stream).copied().unwrap_or(0);
    if drawn == next {
        return Ok(());
    }
    let why = format!("{drawn} were drawn of stream {stream}, and its next index is {next}");
    Err(tampered(trial, None, why))
}

/// Refuses a kept state of a minimization that its draws do not lead to.
pub(super) fn check_minimization(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    state: &MinimizationState,
) -> Result<(), Refusal> {
    let counts = read(tx, service, registration)?;
    if counts.minimization == *state {
        return Ok(());
    }
    let why = "the state of its minimization is not the one that its draws lead to";
    Err(tampered(&registration.protocol.id, None, why))
}

/// The draws up to the last committed one.
fn read(tx: &mut Tx, service: &Service, registration: &Registration) -> Result<Counts, Refusal> {
    let trial = &registration.protocol.id;
    let place = (trial.clone(), registration.number);
    let known = service.drawn.lock().get(&place).cloned();
    let mut counts = match known {
        Some(counts) => counts,
        None => {
            check_boundary(tx, service, trial)?;
            Counts::default()
        }
    };
    let before = counts.seen;
    loop {
        let kind = FactKind::Draw.as_str();
        let page = tx.page_facts_of_kind(trial, kind, counts.seen, PAGE)?;
        let Some(last) = page.last().map(|fact| fact.sequence) else {
            break;
        };
        take(service, registration, &mut counts, &page)?;
        counts.seen = last;
    }
    if counts.seen > before {
        service.drawn.lock().insert(place, counts.clone());
    }
    Ok(counts)
}

fn take(
    service: &Service,
    registration: &Registration,
    counts: &mut Counts,
    page: &[FactRow],
) -> Result<(), Refusal> {
    let trial = &registration.protocol.id;
    let minimizes = matches!(
        registration.protocol.randomization.scheme,
        Scheme::Minimization { .. }
    );
    let keys = registration.keys()?;
    let internal = |fault: crate::randomization::NotDrawn| Refusal::Internal(fault.to_string());
    let mut replay = match minimizes {
        true => {
            let state = std::mem::take(&mut counts.minimization);
            Some(Minimization::resume(&registration.protocol, &keys, state).map_err(internal)?)
        }
        false => None,
    };
    for fact in page {
        let fault = |why: &str| tampered(trial, Some(fact.sequence), why);
        if let Some(why) = service.fault_of(trial, fact) {
            return Err(fault(why));
        }
        let Record { body } =
            serde_json::from_str(&fact.record).map_err(|_| fault("its record cannot be read"))?;
        let stream = match (&body.unit, &mut replay) {
            (_, Some(replay)) => {
                let label = StratumLabel::parse(&body.label)
                    .ok_or_else(|| fault("its label cannot be read"))?;
                let arm = replay.draw(&label).map_err(internal)?;
                if registration.protocol.arms[arm].id != body.arm {
                    return Err(fault("the seed gives another arm"));
                }
                MINIMIZATION.to_owned()
            }
            (Some(unit), None) => unit_stream(unit),
            (None, None) => body.label,
        };
        *counts.streams.entry(stream).or_default() += 1;
    }
    if let Some(replay) = replay {
        counts.minimization = replay.state();
    }
    Ok(())
}

/// The leaves of release 0.1 are those that were signed when the database was taken over.
fn check_boundary(tx: &mut Tx, service: &Service, trial: &str) -> Result<(), Refusal> {
    let Some(boundary) = service.boundary(trial) else {
        return Ok(());
    };
    let mut edge = Edge::default();
    while (edge.size() as i64) < boundary.size {
        let after = edge.size() as i64;
        let leaves = tx.page_leaves(trial, after, PAGE.min(boundary.size - after))?;
        if leaves.is_empty() {
            return Err(tampered(trial, Some(after + 1), "it is missing"));
        }
        for leaf in leaves {
            let leaf = <Hash>::try_from(leaf.as_slice())
                .map_err(|_| tampered(trial, None, "a leaf is not of 32 bytes"))?;
            edge.push(leaf);
        }
    }
    if edge.root() == boundary.root {
        return Ok(());
    }
    let why = "the records of release 0.1 are not those that were signed";
    Err(tampered(trial, None, why))
}
