//! Levels of open factors: which may join, and that no two of one factor look alike.

use super::enrolment::Candidate;
use super::fact::{Draft, FactKind, body_of};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, Trial};
use crate::access::{Caller, Right};
use crate::document::{Faults, Object};
use crate::protocol::{Factor, FactorKind, Protocol, SITE, folded, skeleton};
use crate::store::Tx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{PoisonError, RwLock};

/// Levels that are on file, by trial, factor and level: they never leave.
#[derive(Default)]
pub struct Known(RwLock<HashSet<(String, String, String)>>);

/// The open levels of a trial while a group is decided.
pub(super) struct Levels {
    /// The only levels of factors that are held to codes.
    codes: BTreeMap<String, BTreeSet<String>>,
    /// Levels of this group, by factor and skeleton.
    joining: HashMap<(String, String), String>,
}

/// The levels that the body of an enrolment gives to open factors.
fn open_levels<'a>(
    protocol: &'a Protocol,
    body: &'a Value,
) -> impl Iterator<Item = (&'a Factor, &'a str)> {
    protocol
        .factors
        .iter()
        .filter(|factor| factor.open_levels && factor.kind == FactorKind::Level)
        .filter_map(|factor| {
            let level = match factor.id.as_str() {
                SITE => &body[SITE],
                id => &body["factors"][id],
            };
            Some((factor, level.as_str()?))
        })
}

fn field(factor: &Factor) -> String {
    match factor.id.as_str() {
        SITE => SITE.to_owned(),
        id => format!("factors.{id}"),
    }
}

impl Levels {
    pub(super) fn load(tx: &mut Tx, service: &Service, trial: &Trial) -> Result<Self, Refusal> {
        Ok(Self {
            codes: codes(tx, service, trial)?,
            joining: HashMap::new(),
        })
    }

    /// Lets the levels of a candidate join, or tells why one of them may not.
    pub(super) fn admit(
        &mut self,
        tx: &mut Tx,
        service: &Service,
        trial: &str,
        candidate: &Candidate,
    ) -> Result<Result<(), Refusal>, Refusal> {
        for (factor, level) in open_levels(&candidate.registration.protocol, &candidate.body) {
            if let Some(codes) = self.codes.get(&factor.id)
                && !codes.contains(level)
            {
                let detail = "is not one of the codes to which this factor is held";
                return Ok(Err(Refusal::field(&field(factor), detail)));
            }
            if let Some(other) = self.join(tx, service, trial, &factor.id, level)? {
                let detail = format!("looks like the level {other}: give that one");
                return Ok(Err(Refusal::field(&field(factor), detail)));
            }
        }
        Ok(Ok(()))
    }

    /// Puts a level on file; returns the one that looks like it, where there is one.
    fn join(
        &mut self,
        tx: &mut Tx,
        service: &Service,
        trial: &str,
        factor: &str,
        level: &str,
    ) -> Result<Option<String>, Refusal> {
        let place = (trial.to_owned(), factor.to_owned(), level.to_owned());
        let known = &service.levels.0;
        if known
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&place)
        {
            return Ok(None);
        }
        let skeleton = skeleton(level);
        let key = (factor.to_owned(), skeleton.clone());
        if let Some(other) = self.joining.get(&key) {
            return Ok((other != level).then(|| other.clone()));
        }
        let Some(on_file) = tx.find_look_alikes(trial, factor, &skeleton)? else {
            let levels = json!([level]).to_string();
            tx.insert_open_level(trial, factor, &skeleton, &levels)?;
            self.joining.insert(key, level.to_owned());
            return Ok(None);
        };
        let on_file: Vec<String> = serde_json::from_str(&on_file)
            .map_err(|_| Refusal::Internal("levels on file cannot be read".into()))?;
        if on_file.iter().any(|other| other == level) {
            known
                .write()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(place);
            return Ok(None);
        }
        Ok(on_file.into_iter().next())
    }
}

/// The codes to which open factors are held: by the protocol, or by an administrator since.
fn codes(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
) -> Result<BTreeMap<String, BTreeSet<String>>, Refusal> {
    let mut held = BTreeMap::new();
    for factor in &trial.registered()?.protocol.factors {
        if let Some(codes) = &factor.codes {
            let codes = codes.iter().map(|code| folded(code)).collect();
            held.insert(factor.id.clone(), codes);
        }
    }
    let facts = tx.list_facts(&trial.id, FactKind::CodesHeld.as_str(), i64::MAX)?;
    for fact in service.checked(tx, &trial.id, facts)? {
        let told: Held = serde_json::from_value(body_of(&fact.record))
            .map_err(|_| Refusal::Internal("a fact about codes cannot be read".into()))?;
        held.insert(told.factor, told.codes);
    }
    Ok(held)
}

/// A factor that is held to codes.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    pub factor: String,
    pub codes: BTreeSet<String>,
}

/// Reads `{codes: [...]}`.
pub fn read(value: &Value) -> Result<BTreeSet<String>, Refusal> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).map(|object| {
        let codes = object.values::<String>("codes");
        object.finish();
        if codes.is_empty() || codes.len() > 10_000 {
            object.fault("codes", "must list from 1 to 10000 levels");
        }
        codes.iter().map(|code| folded(code)).collect()
    });
    faults.settle(read).map_err(Refusal::Invalid)
}

/// Holds an open factor to a list of codes from now on; who is enrolled stays.
pub fn hold(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    factor: &str,
    codes: &BTreeSet<String>,
) -> Result<Held, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    once(service, caller, idempotency, |tx| {
        let known = service.lock_trial(tx, trial)?;
        let protocol = &known.registered()?.protocol;
        if known.status.has_ended() {
            return Err(known.refuse("enrolment has ended"));
        }
        let open = protocol.factor(factor).filter(|factor| factor.open_levels);
        if open.is_none() {
            return Err(Refusal::NotFound("factor with open levels"));
        }
        let held = Held {
            factor: factor.to_owned(),
            codes: codes.clone(),
        };
        Draft::of_trial(FactKind::CodesHeld, json!(held)).append(tx, service, trial, caller)?;
        Ok(held)
    })
}

/// Lists the open levels of a trial of release 0.1; those that look alike stay the levels they are.
pub(super) fn adopt(tx: &mut Tx, protocol: &Protocol) -> Result<(), Refusal> {
    for ((factor, skeleton), levels) in by_skeleton(tx, protocol)? {
        let levels = json!(levels).to_string();
        tx.insert_open_level(&protocol.id, &factor, &skeleton, &levels)?;
    }
    Ok(())
}

/// Factor and skeleton, with the levels of that look in the order in which they came.
type BySkeleton = BTreeMap<(String, String), Vec<String>>;

/// The levels of open factors that enrolments name.
pub(super) fn by_skeleton(tx: &mut Tx, protocol: &Protocol) -> Result<BySkeleton, Refusal> {
    let mut found = BySkeleton::new();
    for fact in tx.list_facts(&protocol.id, FactKind::Enrolment.as_str(), i64::MAX)? {
        let body = body_of(&fact.record);
        for (factor, level) in open_levels(protocol, &body) {
            let place = (factor.id.clone(), skeleton(level));
            let levels = found.entry(place).or_default();
            if !levels.iter().any(|known| known == level) {
                levels.push(level.to_owned());
            }
        }
    }
    Ok(found)
}
