//! Forget a person, where a law demands it: the one procedure by which anything is taken out.
//!
//! The link from pseudonym to person goes, the row of the participant, and record and salt of every
//! fact about the person but the draw. The leaves stay, so that the ledger still verifies, and the erasure is itself a fact. It is
//! done on the command line by whoever operates the database, and again after a restore.

use super::citizen::holds_number;
use super::fact::{Draft, FactKind};
use super::{Refusal, Service};
use crate::access::{Caller, Role};
use serde_json::json;

/// What was taken out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    pub facts: usize,
    /// It was asked for before, and only what had come back was taken out.
    pub again: bool,
}

/// Erases a person of a trial.
pub fn run(service: &Service, trial: &str, person: &str, reason: &str) -> Result<Erased, Refusal> {
    if reason.trim().is_empty() || reason.chars().count() > 500 || holds_number(reason) {
        let detail = "must be a text of up to 500 characters without a citizen's number";
        return Err(Refusal::field("reason", detail));
    }
    let hand = Caller::command_line(Role::Administrator);
    service.store.write(|tx| {
        tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
        if !tx.has_person(trial, person)? {
            return Err(Refusal::NotFound("participant"));
        }
        let now = service.clock.now();
        let again = !tx.insert_erasure(trial, person, now.naive_utc(), reason.trim())?;
        let facts = tx.erase_facts(trial, person)?;
        tx.delete_person(trial, person)?;
        if !again || facts > 0 {
            let fact = Draft {
                participant: Some(person),
                ..Draft::of_trial(
                    FactKind::Erasure,
                    json!({"reason": reason.trim(), "facts": facts, "again": again}),
                )
            };
            let number = tx.take_sequence(trial, 1)?;
            tx.insert_facts(trial, number, vec![fact.seal(service, &hand, now)])?;
        }
        Ok(Erased { facts, again })
    })
}
