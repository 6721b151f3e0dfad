//! The draws of a group of enrolments, by whichever method the protocol names.
//!
//! Locks are taken in the order of the labels of strata; a minimization has one lock. Only what is
//! counted on is stored (next indexes, the state of a minimization), never a draw that nobody was
//! told yet.

use super::fact::{FactKind, body_of};
use super::trial::Registration;
use super::{Refusal, Service, Trial, drawn};
use crate::protocol::{DrawUnit, Scheme};
use crate::randomization::{
    Allocator, Clusters, Minimization, MinimizationState, NotDrawn, StratumLabel, UnitDraw,
};
use crate::store::Tx;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The one stream of a minimization.
pub(super) const MINIMIZATION: &str = "minimization";

/// Who is to be drawn.
pub(super) struct Wanted<'a> {
    pub label: &'a StratumLabel,
    pub unit: Option<&'a str>,
    pub pseudonym: &'a str,
    /// The arm that was drawn elsewhere.
    pub external_arm: Option<&'a str>,
}

/// A draw that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Made {
    pub label: StratumLabel,
    /// The stream whose indexes are counted; with the index unique within a trial.
    pub stream: String,
    /// None where the arm was drawn elsewhere; where units are drawn, it counts the participants of
    /// the unit.
    pub index: Option<i64>,
    pub unit: Option<UnitDraw>,
    /// Whether the citizen is on the list that was frozen before the unit's arm was told.
    pub listed: Option<bool>,
    pub arm: String,
}

/// Allocators of strata where they stood after their last draw, so that the next one need not begin at
/// index 0. They are an aid of this process only: one that stands too far, because a transaction was
/// rolled back, is made anew, and one that stands too early goes on.
#[derive(Default)]
pub struct Standing {
    allocators: Mutex<HashMap<Place, (Allocator, i64)>>,
    /// Units by trial, registration and number of batches.
    clusters: Mutex<HashMap<(String, i32, usize), Arc<Clusters>>>,
}

/// Trial, registration and stratum.
type Place = (String, i32, StratumLabel);

impl Standing {
    /// Most strata that are remembered.
    const MOST: usize = 10_000;

    /// The allocator of a stratum, at this index.
    fn at(
        &self,
        trial: &str,
        registration: &Registration,
        label: &StratumLabel,
        index: i64,
    ) -> Result<Allocator, Refusal> {
        let place = (trial.to_owned(), registration.number, label.clone());
        let known = self
            .lock()
            .remove(&place)
            .filter(|(_, next)| *next <= index);
        let (mut allocator, next) = match known {
            Some(known) => known,
            None => {
                let keys = registration.keys()?;
                let new = Allocator::new(&registration.protocol, &keys, label).map_err(internal)?;
                (new, 0)
            }
        };
        allocator.skip((index - next) as u64);
        Ok(allocator)
    }

    fn keep(
        &self,
        trial: &str,
        number: i32,
        label: &StratumLabel,
        allocator: Allocator,
        next: i64,
    ) {
        let mut known = self.lock();
        if known.len() >= Self::MOST {
            known.clear();
        }
        known.insert((trial.to_owned(), number, label.clone()), (allocator, next));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Place, (Allocator, i64)>> {
        self.allocators
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Draws everybody, in the order in which they came.
pub(super) fn run(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    wanted: &[Wanted],
    clusters: Option<&Clusters>,
) -> Result<Vec<Made>, Refusal> {
    let registration = trial.registered()?;
    match &registration.protocol.randomization.scheme {
        Scheme::External => wanted.iter().map(elsewhere).collect(),
        Scheme::Minimization { .. } => minimized(tx, service, &trial.id, registration, wanted),
        Scheme::Clusters { .. } => by_unit(tx, service, registration, wanted, clusters),
        _ => by_stratum(tx, service, registration, wanted),
    }
}

fn internal(fault: NotDrawn) -> Refusal {
    Refusal::Internal(fault.to_string())
}

fn elsewhere(wanted: &Wanted) -> Result<Made, Refusal> {
    let arm = wanted.external_arm.ok_or(NotDrawn::External);
    Ok(Made {
        label: wanted.label.clone(),
        stream: wanted.label.to_string(),
        index: None,
        unit: None,
        listed: None,
        arm: arm.map_err(internal)?.to_owned(),
    })
}

/// Stratum by stratum; within a stratum in the order in which they came.
fn by_stratum(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    wanted: &[Wanted],
) -> Result<Vec<Made>, Refusal> {
    let protocol = &registration.protocol;
    let trial = protocol.id.as_str();
    let mut strata: BTreeMap<&StratumLabel, Vec<usize>> = BTreeMap::new();
    for (i, wanted) in wanted.iter().enumerate() {
        strata.entry(wanted.label).or_default().push(i);
    }
    let mut made: Vec<Option<Made>> = wanted.iter().map(|_| None).collect();
    for (label, positions) in strata {
        let first = tx.take_indexes(trial, label.as_str(), positions.len() as i64)?;
        drawn::check_index(tx, service, registration, label.as_str(), first)?;
        let mut allocator = service.standing.at(trial, registration, label, first)?;
        let next = first + positions.len() as i64;
        for (index, position) in (first..).zip(positions) {
            made[position] = Some(Made {
                label: label.clone(),
                stream: label.to_string(),
                index: Some(index),
                unit: None,
                listed: None,
                arm: protocol.arms[allocator.next_arm()].id.clone(),
            });
        }
        let number = registration.number;
        service.standing.keep(trial, number, label, allocator, next);
    }
    Ok(made.into_iter().flatten().collect())
}

/// One after the other, from the counts that the last draw left.
fn minimized(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    registration: &Registration,
    wanted: &[Wanted],
) -> Result<Vec<Made>, Refusal> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let protocol = &registration.protocol;
    let kept = tx.lock_minimization(trial, registration.number)?;
    let state = match &kept {
        Some(text) => serde_json::from_str(text)
            .map_err(|_| Refusal::Internal("the state of a minimization cannot be read".into()))?,
        None => MinimizationState::default(),
    };
    drawn::check_minimization(tx, service, registration, &state)?;
    let keys = registration.keys()?;
    let mut minimization = Minimization::resume(protocol, &keys, state).map_err(internal)?;
    let mut made = Vec::with_capacity(wanted.len());
    for wanted in wanted {
        let index = minimization.index() as i64;
        let arm = minimization.draw(wanted.label).map_err(internal)?;
        made.push(Made {
            label: wanted.label.clone(),
            stream: MINIMIZATION.into(),
            index: Some(index),
            unit: None,
            listed: None,
            arm: protocol.arms[arm].id.clone(),
        });
    }
    let state = serde_json::to_string(&minimization.state())
        .map_err(|_| Refusal::Internal("the state of a minimization cannot be written".into()))?;
    match kept {
        Some(_) => tx.update_minimization(trial, registration.number, &state)?,
        None => tx.insert_minimization(trial, registration.number, &state)?,
    }
    Ok(made)
}

/// The stream that counts the participants of a unit.
pub(super) fn unit_stream(unit: &str) -> String {
    format!("unit/{unit}")
}

/// Everybody has the arm of their unit; its participants are counted unit by unit.
fn by_unit(
    tx: &mut Tx,
    service: &Service,
    registration: &Registration,
    wanted: &[Wanted],
    clusters: Option<&Clusters>,
) -> Result<Vec<Made>, Refusal> {
    let clusters = clusters.ok_or(NotDrawn::UnknownUnit).map_err(internal)?;
    let protocol = &registration.protocol;
    let mut units: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (i, wanted) in wanted.iter().enumerate() {
        let unit = wanted.unit.ok_or(NotDrawn::UnknownUnit).map_err(internal)?;
        units.entry(unit).or_default().push(i);
    }
    let mut made: Vec<Option<Made>> = wanted.iter().map(|_| None).collect();
    for (unit, positions) in units {
        let drawn = clusters.of(unit).map_err(internal)?;
        let stream = unit_stream(unit);
        let first = tx.take_indexes(&protocol.id, &stream, positions.len() as i64)?;
        drawn::check_index(tx, service, registration, &stream, first)?;
        let list = tx.find_unit_list(&protocol.id, registration.number, unit)?;
        for (index, position) in (first..).zip(positions) {
            let pseudonym = wanted[position].pseudonym;
            made[position] = Some(Made {
                label: drawn.label.clone(),
                stream: stream.clone(),
                index: Some(index),
                listed: list.as_ref().map(|list| list.contains(pseudonym)),
                arm: protocol.arms[drawn.arm].id.clone(),
                unit: Some(drawn.clone()),
            });
        }
    }
    Ok(made.into_iter().flatten().collect())
}

#[derive(Deserialize)]
struct Joined {
    registration: i32,
    units: Vec<DrawUnit>,
}

/// The batches of units of a trial that draws units: those of the protocol, then those that joined.
pub(super) fn batches(
    tx: &mut Tx,
    trial: &str,
    registration: &Registration,
) -> Result<Option<Vec<Vec<DrawUnit>>>, Refusal> {
    let Scheme::Clusters { units } = &registration.protocol.randomization.scheme else {
        return Ok(None);
    };
    let mut batches = vec![units.clone()];
    for fact in tx.list_facts(trial, FactKind::UnitsJoined.as_str(), i64::MAX)? {
        let joined: Joined = serde_json::from_value(body_of(&fact.record))
            .map_err(|_| Refusal::Internal("a fact about units cannot be read".into()))?;
        if joined.registration == registration.number {
            batches.push(joined.units);
        }
    }
    Ok(Some(batches))
}

/// The units of a trial with their arms. Arms of units are stored nowhere: they are drawn anew by each
/// process, and again when units have joined.
pub(super) fn clusters(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
) -> Result<Option<Arc<Clusters>>, Refusal> {
    // Without a seed, enrolment has not begun either.
    let Some(registration) = trial.registration.as_ref().filter(|r| r.seed.is_some()) else {
        return Ok(None);
    };
    let Some(batches) = batches(tx, &trial.id, registration)? else {
        return Ok(None);
    };
    let place = (trial.id.clone(), registration.number, batches.len());
    let known = &service.standing.clusters;
    let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
    if !known.contains_key(&place) {
        known.retain(|(id, ..), _| *id != trial.id);
        let keys = registration.keys()?;
        let drawn = Clusters::draw(&registration.protocol, &keys, &batches);
        known.insert(place.clone(), Arc::new(drawn));
    }
    Ok(known.get(&place).cloned())
}

/// The units that are known already.
pub(super) fn known_units(batches: &[Vec<DrawUnit>]) -> BTreeSet<&str> {
    batches
        .iter()
        .flatten()
        .map(|unit| unit.id.as_str())
        .collect()
}
