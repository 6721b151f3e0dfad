//! Which rules hold for a trial: those of its registration, or later ones that two persons adopted.
//!
//! A protocol that was registered by release 0.1 names no rules: they are 1. Rules 2 may be adopted as
//! long as nobody has seen anything by arm; afterwards the trial stays with its own.

use super::fact::{Draft, FactKind, body_of};
use super::requests::{self, Act, Request};
use super::{Refusal, Service, Trial};
use crate::access::{Caller, Right, Role};
use crate::protocol::Protocol;
use crate::store::{RequestRow, Tx};
use serde::Serialize;
use serde_json::json;

/// The rules of a registration from now on.
pub const PRESENT: u32 = 2;

/// Rules that were adopted.
#[derive(Debug, Clone, Serialize)]
pub struct Adopted {
    pub trial: String,
    pub rules: u32,
}

/// The rules that a registered protocol names.
pub fn registered(protocol: &Protocol) -> u32 {
    protocol.rules.unwrap_or(1)
}

/// The rules that hold for a trial now.
pub(super) fn of(tx: &mut Tx, service: &Service, trial: &Trial) -> Result<u32, Refusal> {
    let registered = registered(&trial.registered()?.protocol);
    if registered >= PRESENT {
        return Ok(registered);
    }
    let adopted = tx.last_fact(&trial.id, FactKind::RulesAdopted.as_str())?;
    match adopted {
        None => Ok(registered),
        Some(fact) => {
            service.check_fact(tx, &trial.id, &fact)?;
            let rules = body_of(&fact.record)["rules"].as_u64().unwrap_or(1);
            Ok(rules as u32)
        }
    }
}

/// Asks for the adoption of the present rules, which another person has to sign.
pub fn ask(service: &Service, caller: &Caller, trial: &str) -> Result<Request, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    service.store.write(|tx| {
        let known = service.lock_trial(tx, trial)?;
        may_adopt(tx, service, caller, &known)?;
        let object = json!({"rules": PRESENT});
        requests::ask(tx, service, caller, Act::AdoptRules, Some(trial), &object)
    })
}

/// Adopts the present rules by the second person's signature.
pub(super) fn adopt(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    trial: &str,
    request: &RequestRow,
) -> Result<Adopted, Refusal> {
    let known = service.lock_trial(tx, trial)?;
    may_adopt(tx, service, caller, &known)?;
    // Who asked may have got access since.
    if has_access_by_arm(tx, service, &request.asked_person, trial)? {
        return Err(Refusal::SecondPersonNeeded(
            "a person with access by arm has no say in the rules".into(),
        ));
    }
    let body = json!({
        "rules": PRESENT, "request": request.id,
        "persons": [request.asked_person, caller.person],
    });
    Draft::of_trial(FactKind::RulesAdopted, body).append(tx, service, trial, caller)?;
    Ok(Adopted {
        trial: trial.to_owned(),
        rules: PRESENT,
    })
}

/// Before the first look or unblinded access, and by somebody who holds no access by arm.
fn may_adopt(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    trial: &Trial,
) -> Result<(), Refusal> {
    if of(tx, service, trial)? >= PRESENT {
        return Err(trial.refuse(format!("rules {PRESENT} hold already")));
    }
    if trial.status.is_open() || tx.count_kind(&trial.id, FactKind::Look.as_str())? > 0 {
        let why = "results were seen by arm: the trial stays with the rules of its registration";
        return Err(trial.refuse(why));
    }
    if has_access_by_arm(tx, service, &caller.person, &trial.id)? {
        return Err(Refusal::SecondPersonNeeded(
            "a person with access by arm has no say in the rules".into(),
        ));
    }
    Ok(())
}

/// Whether a person holds a key that sees arms of this trial.
pub(super) fn has_access_by_arm(
    tx: &mut Tx,
    service: &Service,
    person: &str,
    trial: &str,
) -> Result<bool, Refusal> {
    let now = service.clock.now().naive_utc();
    let keys = tx.list_keys(None, None, i64::MAX)?;
    Ok(keys.iter().any(|key| {
        key.person_id.as_deref() == Some(person)
            && key.revoked_at.is_none()
            && key.expires_at.is_none_or(|at| at > now)
            && key.trial_id.as_deref().is_none_or(|only| only == trial)
            && Role::parse(&key.role).is_some_and(Role::sees_arms_while_blinded)
    }))
}
