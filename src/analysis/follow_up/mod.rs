//! From the facts of a data cut to the columns of the analysis.
//!
//! A participant whose horizon (plus the weeks that a job must last) lies beyond the day to which
//! the source is complete is not mature: missing for values at the horizon, censored for times.

mod person;
mod reported;
#[cfg(test)]
mod tests;
mod values;

pub(in crate::analysis) use values::until_horizon;

use super::columns::{Column, Dataset, Gone, Received, Values};
use super::facts::{CutData, Enrolled, Erased};
use super::flow::Flow;
use super::spells::{Report, spells};
use crate::conduct::record::ConversationStatus;
use crate::protocol::{Endpoint, EndpointKind, FactorKind, Origin, Protocol, SITE};
use crate::statistics::survival::Observation;
use chrono::NaiveDate;
use person::{Person, people, report};
use std::collections::HashMap;
use values::{composite_event, horizon_days, judged_days, values};

/// A draw names an arm that the protocol does not have.
#[derive(Debug, thiserror::Error)]
#[error("a draw names an arm that the protocol does not have")]
pub struct UnknownArm;

impl Dataset {
    /// The columns of a data cut under a protocol.
    ///
    /// # Errors
    /// Where a draw names an arm that the protocol does not have.
    pub fn from_cut(protocol: &Protocol, data: &CutData) -> Result<Self, UnknownArm> {
        let people = people(protocol, data);
        let mut dataset = Self {
            arms: people
                .iter()
                .map(|p| protocol.arm_index(&p.enrolled.arm).ok_or(UnknownArm))
                .collect::<Result<_, _>>()?,
            gone: gone(protocol, data)?,
            digest: data.digest.clone(),
            root: (!data.root.is_empty()).then(|| data.root.clone()),
            flow: flow(protocol, data),
            ..Self::default()
        };
        for factor in &protocol.factors {
            let column = match factor.kind {
                FactorKind::Level => Column::Levels(
                    people
                        .iter()
                        .map(|p| level(p.enrolled, &factor.id))
                        .collect(),
                ),
                FactorKind::Number => Column::Numbers(
                    people
                        .iter()
                        .map(|p| p.enrolled.factors.get(&factor.id).and_then(|v| v.as_f64()))
                        .collect(),
                ),
            };
            dataset.factors.insert(factor.id.clone(), column);
        }
        dataset.clusters = match dataset.factors.get(protocol.unit.as_str()) {
            Some(Column::Levels(levels)) => Some(levels.clone()),
            _ => None,
        };
        dataset.received = received(protocol, &people);
        for endpoint in &protocol.endpoints {
            let values = values(protocol, endpoint, &people);
            if endpoint.from == Origin::Employment {
                let immature = |p: &Person| {
                    judged_days(endpoint, p).is_none_or(|days| days < horizon_days(endpoint))
                };
                let rows = people.iter().map(immature).collect();
                dataset.immature.insert(endpoint.id.clone(), rows);
            }
            if let Values::Time(times) = &values {
                let ends = competing(endpoint, &people, times);
                if ends.contains(&true) {
                    dataset.competing.insert(endpoint.id.clone(), ends);
                }
            }
            dataset.endpoints.insert(endpoint.id.clone(), values);
            let warnings = endpoint_warnings(protocol, endpoint, &people);
            if !warnings.is_empty() {
                dataset
                    .endpoint_warnings
                    .insert(endpoint.id.clone(), warnings);
            }
        }
        dataset.warnings = warnings(data);
        Ok(dataset)
    }
}

/// The draws of those whose records were erased.
fn gone(protocol: &Protocol, data: &CutData) -> Result<Vec<Gone>, UnknownArm> {
    let one = |erased: &Erased| {
        Ok(Gone {
            before: erased.before,
            arm: protocol.arm_index(&erased.arm).ok_or(UnknownArm)?,
            levels: erased.levels.clone(),
        })
    };
    data.erased.iter().map(one).collect()
}

/// The arm whose channels most of a participant's conversations were held in, the own one at a tie;
/// none where no conversation was recorded at all.
fn received(protocol: &Protocol, people: &[Person]) -> Option<Vec<Received>> {
    if people.iter().all(|person| person.conversations.is_empty()) {
        return None;
    }
    let of = |person: &Person| {
        // Without any record nobody knows, until conversations of the site have been told.
        if person.conversations.is_empty() && person.attended_until.is_none() {
            return Received::Unknown;
        }
        let own = protocol.arm_index(&person.enrolled.arm);
        let held = |arm: usize| {
            let channels = &protocol.arms[arm].channels;
            person
                .conversations
                .iter()
                .filter(|c| c.body.status == ConversationStatus::Held)
                .filter(|c| {
                    c.body
                        .held_channel
                        .is_some_and(|held| channels.contains(&held))
                })
                .count()
        };
        let arms = 0..protocol.arms.len();
        match arms.max_by_key(|arm| (held(*arm), Some(*arm) == own)) {
            Some(arm) if held(arm) > 0 => Received::Arm(arm),
            _ => Received::Nothing,
        }
    };
    Some(people.iter().map(of).collect())
}

/// Whose follow-up was reported to have ended by a competing event, and did not end before.
fn competing(endpoint: &Endpoint, people: &[Person], times: &[Option<Observation>]) -> Vec<bool> {
    let reported = |person: &Person| match endpoint.from {
        Origin::Reported => values::reported(endpoint, person),
        _ => None,
    };
    people
        .iter()
        .zip(times)
        .map(|(person, time)| match (time, reported(person)) {
            (Some(time), Some((value, code))) => {
                code > 1 && !time.event && time.time == value / endpoint.time_unit.per_week()
            }
            _ => false,
        })
        .collect()
}

fn level(enrolled: &Enrolled, factor: &str) -> Option<String> {
    if factor == SITE {
        return enrolled.site.clone();
    }
    enrolled
        .factors
        .get(factor)
        .and_then(|value| value.as_str())
        .map(str::to_owned)
}

fn flow(protocol: &Protocol, data: &CutData) -> Flow {
    let mut arms: HashMap<String, i64> = HashMap::new();
    for enrolled in &data.participants {
        *arms.entry(enrolled.arm.clone()).or_default() += 1;
    }
    let ids = data
        .participants
        .iter()
        .map(|enrolled| enrolled.id.clone())
        .collect();
    let erased = data.erased.len() as u64;
    Flow::of(protocol, &data.screenings, &ids, &arms, erased)
}

fn endpoint_warnings(protocol: &Protocol, endpoint: &Endpoint, people: &[Person]) -> Vec<String> {
    let mut warnings = Vec::new();
    if endpoint.from == Origin::Employment {
        let immature = people
            .iter()
            .filter(|p| judged_days(endpoint, p).is_none_or(|days| days < horizon_days(endpoint)))
            .count();
        let stale = people
            .iter()
            .filter(|p| {
                p.spells
                    .iter()
                    .any(|s| s.end.is_none() && Some(s.known_until) < p.complete)
            })
            .count();
        if stale > 0 {
            warnings.push(format!(
                "{stale} participants hold a job of which its source has told less than others tell \
                 of their site: what rests on it alone is missing"
            ));
        }
        if immature > 0 {
            warnings.push(format!(
                "{immature} participants have not been followed to the horizon by a complete source"
            ));
        }
    }
    let no_worst_value = !matches!(
        endpoint.kind,
        EndpointKind::Binary | EndpointKind::TimeToEvent
    ) && endpoint.from != Origin::Employment;
    if no_worst_value {
        let met = people
            .iter()
            .filter(|p| composite_event(protocol, endpoint, p).is_some())
            .count();
        if met > 0 {
            warnings.push(format!(
                "{met} participants met an event whose strategy is composite: this endpoint has no \
                 worst value, and theirs are used as they are"
            ));
        }
    }
    if matches!(endpoint.from, Origin::Survey(_)) {
        warnings.push("this version takes no answers to surveys".into());
    }
    let several = people.iter().any(|person| {
        person.outcomes.iter().any(|outcome| {
            outcome.body.endpoint.as_deref() == Some(endpoint.id.as_str())
                && outcome.body.event.is_some_and(|event| event > 1)
        })
    });
    if several {
        warnings.push(COMPETING.into());
    }
    warnings
}

/// What is said where other events are treated as censoring.
pub(in crate::analysis) const COMPETING: &str =
    "competing events are treated as censoring: the estimates speak of a world without them";

fn warnings(data: &CutData) -> Vec<String> {
    let mut warnings = warnings_of_sources(data);
    if !data.erased.is_empty() {
        warnings.push(format!(
            "{} participants were drawn whose records a law has had erased since: they are in no \
             estimate, and an analysis of this cut made before the erasure may differ",
            data.erased.len()
        ));
    }
    warnings
}

fn warnings_of_sources(data: &CutData) -> Vec<String> {
    let mut reports: HashMap<(&str, &str), Vec<Report>> = HashMap::new();
    for outcome in &data.outcomes {
        if let Some(report) = report(&outcome.body) {
            reports
                .entry((&outcome.participant, &outcome.source))
                .or_default()
                .push(report);
        }
    }
    let lonely: u64 = reports
        .values()
        .map(|reports| spells(reports, NaiveDate::MIN).1)
        .sum();
    if lonely > 0 {
        return vec![format!(
            "{lonely} ends of employment without a start are left out"
        )];
    }
    Vec::new()
}
