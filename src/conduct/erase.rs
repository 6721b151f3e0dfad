//! Forget a person, where a law demands it: the one procedure by which anything is taken out.
//!
//! The link from pseudonym to person goes, the row of the participant, kept answers, and of every fact
//! about the person but the draw the record, the salt, the day and the source's id. The leaves stay, so
//! that the ledger still verifies, and the erasure is itself a fact. It is done on the command line by
//! whoever operates the database, and again after a restore.

use super::citizen::{Citizen, holds_number};
use super::fact::{Draft, FactKind};
use super::{Refusal, Service};
use crate::access::{Caller, Role};
use crate::document::Faults;
use crate::store::Tx;
use serde_json::{Value, json};

/// Who is to be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// A participant, by id.
    Participant(String),
    /// A citizen by pseudonym: also somebody who was screened out, or is only on the list of a unit.
    Pseudonym(String),
}

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    pub facts: usize,
    /// Lists of units that named the citizen.
    pub lists: usize,
    /// It was asked for before, and only what had come back was taken out.
    pub again: bool,
}

/// The citizen of a number, which goes no further than this.
pub fn citizen(service: &Service, trial: &str, value: &Value) -> Result<Whom, Refusal> {
    let faults = Faults::default();
    let citizen = Citizen::read(value, "citizen", &faults, None, service.clock.today());
    let citizen = faults.settle(citizen).map_err(Refusal::Invalid)?;
    Ok(Whom::Pseudonym(citizen.pseudonym(service, trial)))
}

/// Erases a person of a trial.
pub fn run(service: &Service, trial: &str, whom: &Whom, reason: &str) -> Result<Erased, Refusal> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > 500 || holds_number(reason) {
        let detail = "must be a text of up to 500 characters without a citizen's number";
        return Err(Refusal::field("reason", detail));
    }
    service.store.write(|tx| {
        tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
        let (person, pseudonym) = find(tx, trial, whom)?;
        let lists = match &pseudonym {
            Some(pseudonym) => tx.delete_from_lists(trial, pseudonym)?,
            None => 0,
        };
        let erased = match &person {
            Some(person) => forget(tx, service, trial, person, reason, lists)?,
            None => Erased {
                facts: 0,
                lists,
                again: false,
            },
        };
        if person.is_none() && lists == 0 {
            return Err(Refusal::NotFound("participant or citizen of this trial"));
        }
        // A late repeat of the citizen's enrolment must not draw them again.
        if let Some(pseudonym) = pseudonym.as_deref().filter(|_| person.is_some()) {
            tx.insert_tombstone(trial, &service.secrets.tombstone(trial, pseudonym))?;
        }
        if !erased.again || erased.facts + erased.lists > 0 {
            note(tx, service, trial, person.as_deref(), &erased, reason)?;
        }
        Ok(erased)
    })
}

/// Waits until nothing of what was erased is left in the log of the database beside its file; false where
/// a reader held it all the time. Nothing is to be done on PostgreSQL, whose own log is archived.
pub fn scrub(service: &Service, patience: std::time::Duration) -> Result<bool, Refusal> {
    Ok(service.store.truncate_log(patience)?)
}

/// The person and the pseudonym, as far as they are on file.
fn find(
    tx: &mut Tx,
    trial: &str,
    whom: &Whom,
) -> Result<(Option<String>, Option<String>), Refusal> {
    Ok(match whom {
        Whom::Participant(person) => {
            if !tx.has_person(trial, person)? {
                return Err(Refusal::NotFound("participant or citizen of this trial"));
            }
            (Some(person.clone()), tx.find_pseudonym(trial, person)?)
        }
        Whom::Pseudonym(pseudonym) => {
            let link = tx
                .find_citizens(trial, std::slice::from_ref(pseudonym))?
                .pop();
            (link.map(|row| row.person_id), Some(pseudonym.clone()))
        }
    })
}

fn forget(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    person: &str,
    reason: &str,
    lists: usize,
) -> Result<Erased, Refusal> {
    let now = service.clock.now().naive_utc();
    let again = !tx.insert_erasure(trial, person, now, reason)?;
    let facts = tx.erase_facts(trial, person)?;
    tx.delete_person(trial, person)?;
    Ok(Erased {
        facts,
        lists,
        again,
    })
}

fn note(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    person: Option<&str>,
    erased: &Erased,
    reason: &str,
) -> Result<(), Refusal> {
    let body = json!({
        "reason": reason, "facts": erased.facts, "lists": erased.lists, "again": erased.again,
    });
    let fact = Draft {
        participant: person,
        ..Draft::of_trial(FactKind::Erasure, body)
    };
    let hand = Caller::command_line(Role::Administrator);
    fact.append(tx, service, trial, &hand)?;
    Ok(())
}
