//! The flow of participants (CONSORT 2010): assessed, excluded with reasons, randomized, allocated.

use crate::protocol::Protocol;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A person who was screened out, and the rules that excluded.
#[derive(Debug, Clone)]
pub struct Screening {
    pub person: String,
    pub failed: Vec<String>,
}

/// Persons whom one rule excluded; one person may be excluded by several.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Reason {
    pub rule: String,
    pub reason: String,
    pub n: u64,
}

/// Persons who were excluded before the draw.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, Default)]
pub struct Excluded {
    pub n: u64,
    pub reasons: Vec<Reason>,
}

/// Participants of one arm.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Allocated {
    pub arm: String,
    pub label: String,
    pub n: u64,
}

/// The flow diagram as numbers.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq, Default)]
pub struct Flow {
    /// Persons assessed for eligibility; none where a data file does not tell.
    pub assessed: Option<u64>,
    pub excluded: Option<Excluded>,
    pub randomized: u64,
    /// Of the randomized, those whose records a law had erased; they stand in no arm.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub erased: u64,
    /// None for who may not know the arms.
    pub arms: Option<Vec<Allocated>>,
    /// Facts of each kind on record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub records: Option<BTreeMap<String, i64>>,
}

impl Flow {
    /// The flow of a trial. Who was screened out and enrolled later counts as enrolled; who was
    /// screened out several times counts by the last time.
    pub fn of(
        protocol: &Protocol,
        screenings: &[Screening],
        enrolled: &HashSet<String>,
        arms: &HashMap<String, i64>,
        erased: u64,
    ) -> Self {
        let last: BTreeMap<&str, &Screening> = screenings
            .iter()
            .filter(|screening| !enrolled.contains(&screening.person))
            .map(|screening| (screening.person.as_str(), screening))
            .collect();
        let reasons = protocol
            .eligibility
            .iter()
            .map(|rule| Reason {
                rule: rule.id.clone(),
                reason: rule.reason.clone(),
                n: last
                    .values()
                    .filter(|s| s.failed.contains(&rule.id))
                    .count() as u64,
            })
            .collect();
        let excluded = last.len() as u64;
        let randomized = enrolled.len() as u64 + erased;
        Self {
            assessed: Some(excluded + randomized),
            excluded: Some(Excluded {
                n: excluded,
                reasons,
            }),
            randomized,
            erased,
            arms: Some(allocated(protocol, |arm| {
                arms.get(arm).map_or(0, |n| n.unsigned_abs())
            })),
            records: None,
        }
    }
}

fn is_zero(n: &u64) -> bool {
    *n == 0
}

/// The arms in the order of the protocol, each with its number of participants.
pub fn allocated(protocol: &Protocol, count: impl Fn(&str) -> u64) -> Vec<Allocated> {
    protocol
        .arms
        .iter()
        .map(|arm| Allocated {
            arm: arm.id.clone(),
            label: arm.label.clone(),
            n: count(&arm.id),
        })
        .collect()
}
