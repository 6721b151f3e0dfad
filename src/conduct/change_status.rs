//! Open, pause, reopen and close enrolment; lock, unblind and archive the trial.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::issue_key;
use super::requests::{self, Act, Signed};
use super::{Refusal, Service, Status, Trial, checkpoint};
use crate::access::{Caller, Right};
use crate::store::{INSTALLATION, RequestRow, Tx};
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
    /// The request that another person has to sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<String>,
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
            request: None,
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
            Status::Unblinded => return ask_to_unblind(tx, service, caller, &known, reason),
            _ => {}
        }
        if from == Status::Registered {
            name_keys(tx, service, trial, &mut body)?;
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
    Draft::of_trial(kind, body).append(tx, service, trial, caller)?;
    Ok(())
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

/// The first person asks for the unblinding; another who does so signs what the first one asked for.
fn ask_to_unblind(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    trial: &Trial,
    reason: &str,
) -> Result<Changed, Refusal> {
    let now = service.clock.now().naive_utc();
    for open in tx.list_open_requests(Act::Unblind.as_str(), &trial.id)? {
        // One that came to nothing does not stand in the way.
        if open.expires_at <= now || !issue_key::is_valid(tx, service, &open.asked_by)? {
            continue;
        }
        return match requests::sign_in(tx, service, caller, &open.id)? {
            Signed::Unblinded(changed) => Ok(changed),
            _ => Err(Refusal::Internal("another act was signed".into())),
        };
    }
    let object = json!({"to": Status::Unblinded, "reason": reason});
    let request = requests::ask(tx, service, caller, Act::Unblind, Some(&trial.id), &object)?;
    let body = json!({"reason": reason, "request": request.request});
    let kind = FactKind::UnblindingRequested;
    append(tx, service, caller, &trial.id, kind, body)?;
    Ok(Changed {
        trial: trial.id.clone(),
        from: trial.status,
        status: trial.status,
        awaits_second_person: true,
        request: Some(request.request),
    })
}

/// Unblinds a trial by the signature of the second person.
pub(super) fn unblind(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    trial: &str,
    request: &RequestRow,
    object: &Value,
) -> Result<Changed, Refusal> {
    let known = service.lock_trial(tx, trial)?;
    let from = known.status;
    let status = decide(from, Status::Unblinded.as_str()).map_err(|why| known.refuse(why))?;
    let body = json!({
        "from": from, "to": status, "reason": object["reason"],
        "requested_by": request.asked_by, "request": request.id,
    });
    tx.update_trial(trial, status.as_str(), known.registered()?.number)?;
    append(tx, service, caller, trial, FactKind::Status, body)?;
    Ok(Changed {
        trial: trial.to_owned(),
        from,
        status,
        awaits_second_person: false,
        request: None,
    })
}

/// The opening names the keys that are valid for the trial, and the installation's ledger that holds
/// their issues.
fn name_keys(tx: &mut Tx, service: &Service, trial: &str, body: &mut Value) -> Result<(), Refusal> {
    body["keys"] = json!(issue_key::valid_for(tx, service, trial)?);
    let size = tx.greatest_sequence(INSTALLATION)?;
    let root = checkpoint::root_over(tx, INSTALLATION, size)?;
    body["installation"] = json!({"size": size, "root": hex::encode(root)});
    Ok(())
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
