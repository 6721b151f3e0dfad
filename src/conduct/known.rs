//! What is known of the persons of a group of enrolments.

use super::enrolment::Candidate;
use super::fact::{FactKind, body_of};
use super::group::Task;
use super::{Refusal, Service};
use crate::store::{ParticipantRow, Tx};
use std::collections::HashMap;

/// What is known of a person while a group is decided.
pub(super) enum Known {
    /// Seen before, not drawn; with the rules by which the last screening failed.
    Seen {
        person: String,
        screened: Option<Screening>,
    },
    Drawn {
        row: ParticipantRow,
        /// The key that enrolled them.
        by: String,
    },
    /// A law had their records erased: they are not enrolled again.
    Erased,
    /// To be drawn in this group, for the task with this position.
    Drawing {
        task: usize,
        person: String,
        site: Option<String>,
    },
}

/// How a person was last screened out.
#[derive(Clone, PartialEq)]
pub(super) struct Screening {
    pub failed: Vec<String>,
    pub body: serde_json::Value,
}

/// Looks up everybody whom the group names, by pseudonym.
pub(super) fn load(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    open: &[(usize, &Task, &Candidate)],
) -> Result<HashMap<String, Known>, Refusal> {
    let pseudonyms: Vec<String> = open
        .iter()
        .map(|(_, _, candidate)| candidate.pseudonym.clone())
        .collect();
    let citizens = tx.find_citizens(trial, &pseudonyms)?;
    let ids: Vec<String> = citizens.iter().map(|row| row.person_id.clone()).collect();
    let rows = tx.find_participants(trial, &ids)?;
    // Nobody is told an arm that the draw does not say.
    let draws = service.check_participants(tx, trial, &rows)?;
    let mut participants: HashMap<String, ParticipantRow> =
        rows.into_iter().map(|row| (row.id.clone(), row)).collect();
    let mut people = HashMap::new();
    for citizen in citizens {
        let known = match participants.remove(&citizen.person_id) {
            Some(row) => {
                let by = draws.get(&row.id).map(|fact| fact.recorded_by.clone());
                let by = by.unwrap_or_default();
                Known::Drawn { row, by }
            }
            None => {
                let kind = FactKind::Screening.as_str();
                let fact = tx.last_fact_of(trial, kind, &citizen.person_id)?;
                if let Some(fact) = &fact {
                    service.check_fact(tx, trial, fact)?;
                }
                let screened = fact.and_then(|fact| {
                    let mut body = body_of(&fact.record);
                    let failed = serde_json::from_value(body["failed"].take()).ok()?;
                    Some(Screening { failed, body })
                });
                Known::Seen {
                    person: citizen.person_id,
                    screened,
                }
            }
        };
        people.insert(citizen.pseudonym, known);
    }
    if tx.has_tombstones(trial)? {
        let unknown = pseudonyms.iter().filter(|p| !people.contains_key(*p));
        let digests: HashMap<String, String> = unknown
            .map(|pseudonym| {
                (
                    service.secrets.tombstone(trial, pseudonym),
                    pseudonym.clone(),
                )
            })
            .collect();
        let asked: Vec<String> = digests.keys().cloned().collect();
        for digest in tx.find_tombstones(trial, &asked)? {
            if let Some(pseudonym) = digests.get(&digest) {
                people.insert(pseudonym.clone(), Known::Erased);
            }
        }
    }
    Ok(people)
}
