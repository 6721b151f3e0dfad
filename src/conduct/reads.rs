//! Who reads many arms beyond their own enrolments: counted in memory for each person, written down at
//! every so many a day.

use super::fact::{Draft, FactKind};
use super::{Service, Trial};
use crate::access::Caller;
use crate::store::NewFact;
use chrono::NaiveDate;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

/// The participants of others whose arm a person has read on a day, by trial and person.
#[derive(Default)]
pub struct Reads(Mutex<HashMap<(String, String), Day>>);

struct Day {
    on: NaiveDate,
    participants: HashSet<String>,
}

/// Counts participants whom somebody else enrolled; the fact is added where they have become many.
pub(super) fn note(
    service: &Service,
    caller: &Caller,
    trial: &Trial,
    participants: &[&str],
    facts: &mut Vec<NewFact>,
) {
    let many = service.config.limits.arm_reads_per_day;
    let (now, today) = (service.clock.now(), service.clock.today());
    let mut reads = service
        .reads
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    // Keys that replace one another are one person's.
    let place = (trial.id.clone(), caller.person.clone());
    let fresh = || Day {
        on: today,
        participants: HashSet::new(),
    };
    let day = reads.entry(place).or_insert_with(fresh);
    if day.on != today {
        *day = fresh();
    }
    day.participants
        .extend(participants.iter().map(|id| (*id).to_owned()));
    if day.participants.len() <= many {
        return;
    }
    // It counts on: should this fact be lost with its transaction, the next one tells.
    day.participants.clear();
    let body = json!({"key": caller.key_id, "more_than": many, "day": today});
    let fact = Draft::of_trial(FactKind::ArmsRead, body);
    facts.push(fact.seal(service, &trial.id, caller, now));
    service
        .many_reads
        .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    tracing::warn!(key = %caller.key_id, trial = %trial.id, many, "a key reads many arms of others");
}
