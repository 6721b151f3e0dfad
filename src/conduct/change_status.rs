//! Open, pause, reopen and close enrolment.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, Status};
use crate::access::{Caller, Right};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// A change of status that was made.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changed {
    pub trial: String,
    pub from: Status,
    pub status: Status,
}

/// Brings the trial to another status, for a reason that goes into its ledger.
pub fn run(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    to: &str,
    reason: &str,
) -> Result<Changed, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    once(service, caller, idempotency, |tx| {
        let row = tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
        let from = Status::parse(&row.status)
            .ok_or_else(|| Refusal::Internal("a trial's status is not known".into()))?;
        let status = decide(from, to).map_err(|why| Refusal::WrongStatus {
            status: from.to_string(),
            why,
        })?;
        tx.update_trial(trial, status.as_str(), row.registration)?;
        let body = json!({"from": from, "to": status, "reason": reason});
        let fact = Draft::of_trial(FactKind::Status, body);
        let first = tx.take_sequence(trial, 1)?;
        tx.insert_facts(
            trial,
            first,
            vec![fact.seal(service, caller, service.clock.now())],
        )?;
        Ok(Changed {
            trial: trial.to_owned(),
            from,
            status,
        })
    })
}

/// The new status, or why it cannot be.
fn decide(from: Status, to: &str) -> Result<Status, String> {
    use Status::*;
    match (from, to) {
        (Registered | Paused, "enrolling") => Ok(Enrolling),
        (Enrolling, "paused") => Ok(Paused),
        (Enrolling | Paused, "closed") => Ok(Closed),
        (Draft, "registered") => Err("a draft is registered by POST .../registration".into()),
        (_, "draft" | "registered") => Err("a registered protocol is frozen for good".into()),
        (Draft, _) => Err("a draft must be registered first".into()),
        (Closed, "enrolling" | "paused") => {
            Err("a closed trial is never opened again: its size was final".into())
        }
        (_, "locked" | "unblinded" | "archived") => {
            Err("this version takes a trial no further than closed".into())
        }
        (from, to) if from.as_str() == to => Err(format!("it is {to} already")),
        (Registered, "paused" | "closed") => Err("enrolment has not begun".into()),
        _ => Err("it must become enrolling, paused or closed".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_goes_from_registered_to_closed_and_never_back() {
        use Status::*;
        for (from, to, allowed) in [
            (Draft, "enrolling", false),
            (Draft, "registered", false),
            (Registered, "enrolling", true),
            (Registered, "closed", false),
            (Enrolling, "paused", true),
            (Paused, "enrolling", true),
            (Enrolling, "enrolling", false),
            (Enrolling, "closed", true),
            (Paused, "closed", true),
            (Closed, "enrolling", false),
            (Closed, "locked", false),
            (Enrolling, "elsewhere", false),
        ] {
            assert_eq!(decide(from, to).is_ok(), allowed, "{from} to {to}");
        }
    }
}
