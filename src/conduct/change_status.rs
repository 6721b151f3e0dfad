//! Open, pause, reopen and close enrolment; lock, unblind and archive the trial.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::issue_key::check_second_person;
use super::{Refusal, Service, Status, Trial};
use crate::access::{Caller, Right};
use crate::store::Tx;
use chrono::Days;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A change of status that was made, or was asked for and needs a second person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Changed {
    pub trial: String,
    pub from: Status,
    pub status: Status,
    /// The status waits for another administrator to ask for it too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub awaits_second_person: bool,
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
        let known = service.lock_trial(tx, trial)?;
        let from = known.status;
        let status = decide(from, to).map_err(|why| known.refuse(why))?;
        let mut body = json!({"from": from, "to": status, "reason": reason});
        let changed = Changed {
            trial: trial.to_owned(),
            from,
            status,
            awaits_second_person: false,
        };
        match status {
            Status::Enrolling => may_open(&known).map_err(|why| known.refuse(why))?,
            // Whoever verifies the draws knows by this number whether the last ones are there.
            Status::Closed => body["drawn"] = json!(tx.count_kind(trial, FactKind::Draw.as_str())?),
            Status::Locked => {
                if let Some(why) = why_not_to_lock(tx, service, &known)? {
                    return Err(known.refuse(why));
                }
            }
            Status::Unblinded => match requested_by(tx, trial)? {
                Some(first) => {
                    check_second_person(tx, &first, caller)?;
                    body["requested_by"] = json!(first);
                }
                None => {
                    let body = json!({"reason": reason});
                    append(
                        tx,
                        service,
                        caller,
                        trial,
                        FactKind::UnblindingRequested,
                        body,
                    )?;
                    return Ok(Changed {
                        status: from,
                        awaits_second_person: true,
                        ..changed
                    });
                }
            },
            _ => {}
        }
        let number = known.registered()?.number;
        tx.update_trial(trial, status.as_str(), number)?;
        append(tx, service, caller, trial, FactKind::Status, body)?;
        Ok(changed)
    })
}

fn append(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    trial: &str,
    kind: FactKind,
    body: Value,
) -> Result<(), Refusal> {
    let fact = Draft::of_trial(kind, body).seal(service, caller, service.clock.now());
    let first = tx.take_sequence(trial, 1)?;
    Ok(tx.insert_facts(trial, first, vec![fact])?)
}

/// Enrolment does not open before the seed is whole.
fn may_open(trial: &Trial) -> Result<(), String> {
    match &trial.registration {
        Some(registration) if registration.seed.is_none() => Err(
            "the value of the public randomness that its protocol names is not given yet".into(),
        ),
        _ => Ok(()),
    }
}

/// A trial is locked once everybody's follow-up is over and a data cut holds all of it.
fn why_not_to_lock(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
) -> Result<Option<String>, Refusal> {
    let days = trial.registered()?.protocol.follow_up_days();
    if let Some(last) = tx.last_enrolled_on(&trial.id)? {
        let mature = last.checked_add_days(Days::new(days)).unwrap_or(last);
        if mature > service.clock.today() {
            return Ok(Some(format!("follow-up is not over before {mature}")));
        }
    }
    let Some(cut) = tx.last_cut(&trial.id)? else {
        return Ok(Some("the final data cut is not made yet".into()));
    };
    let kinds = [
        FactKind::Screening,
        FactKind::Draw,
        FactKind::Enrolment,
        FactKind::Conversation,
        FactKind::Outcome,
        FactKind::Coverage,
        FactKind::Erasure,
    ]
    .map(FactKind::as_str);
    Ok(match tx.count_after(&trial.id, &kinds, cut)? {
        0 => None,
        n => Some(format!(
            "{n} records came after the last data cut: make the final one"
        )),
    })
}

/// The key of the one who asked for the unblinding before, if it is still valid.
fn requested_by(tx: &mut Tx, trial: &str) -> Result<Option<String>, Refusal> {
    let facts = tx.list_facts(trial, FactKind::UnblindingRequested.as_str(), i64::MAX)?;
    for fact in facts.iter().rev() {
        let record: Value = serde_json::from_str(&fact.record).unwrap_or_default();
        let key = record["recorded_by"].as_str().unwrap_or_default();
        if tx
            .find_key(key)?
            .is_some_and(|row| row.revoked_at.is_none())
        {
            return Ok(Some(key.to_owned()));
        }
    }
    Ok(None)
}

/// The new status, or why it cannot be.
fn decide(from: Status, to: &str) -> Result<Status, String> {
    use Status::*;
    match (from, to) {
        (Registered | Paused, "enrolling") => Ok(Enrolling),
        (Enrolling, "paused") => Ok(Paused),
        (Enrolling | Paused, "closed") => Ok(Closed),
        (Closed, "locked") => Ok(Locked),
        (Locked, "unblinded") => Ok(Unblinded),
        (Unblinded, "archived") => Ok(Archived),
        (Draft, "registered") => Err("a draft is registered by POST .../registration".into()),
        (_, "draft" | "registered") => Err("a registered protocol is frozen for good".into()),
        (Draft, _) => Err("a draft must be registered first".into()),
        (from, "enrolling" | "paused") if from.has_ended() => {
            Err("a closed trial is never opened again: its size was final".into())
        }
        (from, to) if from.as_str() == to => Err(format!("it is {to} already")),
        (Registered, "paused" | "closed") => Err("enrolment has not begun".into()),
        (_, "locked") => Err("a trial is locked once it is closed".into()),
        (_, "unblinded") => Err("a trial is unblinded once it is locked".into()),
        (_, "archived") => Err("a trial is archived once it is unblinded".into()),
        _ => Err("it must become enrolling, paused, closed, locked, unblinded or archived".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trial_goes_from_registered_to_archived_and_never_back() {
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
            (Closed, "locked", true),
            (Enrolling, "locked", false),
            (Closed, "unblinded", false),
            (Locked, "unblinded", true),
            (Locked, "enrolling", false),
            (Unblinded, "locked", false),
            (Unblinded, "archived", true),
            (Archived, "enrolling", false),
            (Enrolling, "elsewhere", false),
        ] {
            assert_eq!(decide(from, to).is_ok(), allowed, "{from} to {to}");
        }
    }
}
