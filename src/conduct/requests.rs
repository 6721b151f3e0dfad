//! Acts that take two persons: one asks, another signs, or the asker withdraws, or time runs out.
//!
//! What is asked for is an object of its own with a digest of what it rests on; the signature holds for
//! just that. Each step is a fact of the installation's ledger, and a row that no fact bears out is
//! refused.

use super::authentic::tampered;
use super::fact::{Draft, FactKind, body_of};
use super::issue_key::{self, Made};
use super::{Refusal, Service, change_status, new_id, rules};
use crate::access::{Caller, Right};
use crate::ledger;
use crate::protocol::canonical::sha256;
use crate::store::{INSTALLATION, RequestRow, Tx};
use chrono::{DateTime, Duration, Utc};
use serde::Serialize;
use serde_json::{Value, json};

crate::vocabulary! {
    /// What takes two persons.
    pub enum Act {
        IssueKey = "issue_key",
        Unblind = "unblind",
        AdoptRules = "adopt_rules",
    }
}

impl Act {
    /// The right of whoever asks and signs.
    fn right(self) -> Right {
        match self {
            Act::IssueKey => Right::ManageKeys,
            Act::Unblind | Act::AdoptRules => Right::ConductTrial,
        }
    }
}

crate::vocabulary! {
    /// Where a request stands.
    pub enum Standing {
        Open = "open",
        Signed = "signed",
        Withdrawn = "withdrawn",
        Expired = "expired",
    }
}

/// A request as it is reported.
#[derive(Debug, Clone, Serialize)]
pub struct Request {
    pub request: String,
    pub act: String,
    pub trial: Option<String>,
    /// What is asked for.
    pub object: Value,
    pub status: Standing,
    pub asked_at: DateTime<Utc>,
    pub asked_by: String,
    /// The person who asked, who cannot sign.
    pub person: String,
    pub expires_at: DateTime<Utc>,
    pub decided_at: Option<DateTime<Utc>>,
    pub decided_by: Option<String>,
}

/// What came of a signature.
#[derive(Debug)]
pub enum Signed {
    Key(Made),
    Unblinded(change_status::Changed),
    Rules(rules::Adopted),
}

fn told(service: &Service, row: RequestRow) -> Request {
    let expired = row.expires_at <= service.clock.now().naive_utc();
    let status = match Standing::parse(&row.status) {
        Some(Standing::Open) | None if expired => Standing::Expired,
        Some(status) => status,
        None => Standing::Open,
    };
    Request {
        object: serde_json::from_str(&row.object).unwrap_or_default(),
        request: row.id,
        act: row.act,
        trial: row.trial_id,
        status,
        asked_at: row.asked_at.and_utc(),
        asked_by: row.asked_by,
        person: row.asked_person,
        expires_at: row.expires_at.and_utc(),
        decided_at: row.decided_at.map(|time| time.and_utc()),
        decided_by: row.decided_by,
    }
}

/// Asks for an act, within the transaction that found it admissible.
pub(super) fn ask(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    act: Act,
    trial: Option<&str>,
    object: &Value,
) -> Result<Request, Refusal> {
    issue_key::check_present(tx, service, caller)?;
    let now = service.clock.now();
    let row = RequestRow {
        id: new_id(&service.clock),
        act: act.to_string(),
        trial_id: trial.map(str::to_owned),
        object: ledger::record(object),
        state: state_of(tx, service, act, trial, object)?,
        status: Standing::Open.to_string(),
        asked_at: now.naive_utc(),
        asked_by: caller.key_id.clone(),
        asked_person: caller.person.clone(),
        expires_at: (now + Duration::days(service.config.requests.days)).naive_utc(),
        decided_at: None,
        decided_by: None,
    };
    tx.insert_request(&row)?;
    note(tx, service, caller, &row, "asked")?;
    Ok(told(service, row))
}

/// Writes a step of a request to the installation's ledger.
fn note(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    row: &RequestRow,
    step: &str,
) -> Result<(), Refusal> {
    let body = json!({
        "request": row.id, "step": step, "act": row.act, "trial": row.trial_id,
        "object": row.object, "state": row.state, "asked_by": row.asked_by,
        "person": caller.person, "expires_at": row.expires_at.and_utc(),
    });
    let fact = Draft {
        participant: Some(&row.id),
        ..Draft::of_trial(FactKind::Request, body)
    };
    fact.append(tx, service, INSTALLATION, caller)?;
    Ok(())
}

/// A digest of what an act rests on: a signature is for this, and for nothing that came later.
fn state_of(
    tx: &mut Tx,
    service: &Service,
    act: Act,
    trial: Option<&str>,
    object: &Value,
) -> Result<String, Refusal> {
    let state = match (act, trial) {
        (Act::IssueKey, _) => issue_key::state_of(tx, service, object)?,
        (_, Some(trial)) => {
            let row = tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
            let known = service.open_trial(tx, row)?;
            let rules = rules::of(tx, service, &known)?;
            json!([known.status, known.registered()?.number, rules])
        }
        (_, None) => return Err(Refusal::Internal("an act without its trial".into())),
    };
    Ok(hex::encode(sha256(ledger::record(&state).as_bytes())))
}

/// The request, if the caller may know of it: of their own trial where the key is for one.
fn visible(tx: &mut Tx, caller: &Caller, id: &str) -> Result<RequestRow, Refusal> {
    tx.find_request(id)?
        .filter(|row| caller.trial.is_none() || caller.trial.as_deref() == row.trial_id.as_deref())
        .ok_or(Refusal::NotFound("request"))
}

/// The act of a request whose row is what its facts say, and which is still open.
fn open_act(tx: &mut Tx, service: &Service, row: &RequestRow) -> Result<Act, Refusal> {
    let facts = tx.facts_about(INSTALLATION, &row.id)?;
    let facts = service.checked(tx, INSTALLATION, facts)?;
    let bodies: Vec<Value> = facts.iter().map(|fact| body_of(&fact.record)).collect();
    let step = |step: &str| bodies.iter().find(|body| body["step"] == step);
    let asked = step("asked").filter(|body| {
        body["act"] == row.act.as_str()
            && body["trial"] == json!(row.trial_id)
            && body["object"] == row.object.as_str()
            && body["state"] == row.state.as_str()
            && body["asked_by"] == row.asked_by.as_str()
            && body["person"] == row.asked_person.as_str()
            && body["expires_at"] == json!(row.expires_at.and_utc())
    });
    if asked.is_none() {
        let why = format!("request {} is not what was asked for", row.id);
        return Err(tampered(INSTALLATION, None, why));
    }
    let refused = |why: &str| Err(Refusal::SecondPersonNeeded(why.to_owned()));
    if step("signed").is_some() || row.status == Standing::Signed.as_str() {
        return refused("the request was signed before");
    }
    if step("withdrawn").is_some() || row.status != Standing::Open.as_str() {
        return refused("the request was withdrawn");
    }
    if row.expires_at <= service.clock.now().naive_utc() {
        return refused("the request has expired: ask again");
    }
    Act::parse(&row.act).ok_or_else(|| Refusal::Internal("a request's act is not known".into()))
}

/// Signs what another person asked for, which is then done.
pub fn sign(service: &Service, caller: &Caller, id: &str) -> Result<Signed, Refusal> {
    may_see(caller)?;
    service.store.write(|tx| sign_in(tx, service, caller, id))
}

pub(super) fn sign_in(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    id: &str,
) -> Result<Signed, Refusal> {
    let row = visible(tx, caller, id)?;
    let act = open_act(tx, service, &row)?;
    if !caller.may(act.right()) {
        return Err(Refusal::MissingRight(act.right()));
    }
    check_second_person(tx, service, &row, caller)?;
    let object: Value = serde_json::from_str(&row.object)
        .map_err(|_| Refusal::Internal("a request cannot be read".into()))?;
    let trial = row.trial_id.as_deref();
    if state_of(tx, service, act, trial, &object)? != row.state {
        return Err(Refusal::SecondPersonNeeded(
            "what was asked for has changed since: ask again".into(),
        ));
    }
    let signed = match (act, trial) {
        (Act::IssueKey, _) => Signed::Key(issue_key::fulfil(tx, service, caller, &row, &object)?),
        (Act::Unblind, Some(trial)) => Signed::Unblinded(change_status::unblind(
            tx, service, caller, trial, &row, &object,
        )?),
        (Act::AdoptRules, Some(trial)) => {
            Signed::Rules(rules::adopt(tx, service, caller, trial, &row)?)
        }
        (_, None) => return Err(Refusal::Internal("an act without its trial".into())),
    };
    end(tx, service, caller, &row, Standing::Signed)?;
    Ok(signed)
}

fn end(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    row: &RequestRow,
    standing: Standing,
) -> Result<(), Refusal> {
    let now = service.clock.now().naive_utc();
    if !tx.end_request(&row.id, standing.as_str(), now, &caller.key_id)? {
        let why = "the request was decided by somebody else at this moment";
        return Err(Refusal::SecondPersonNeeded(why.into()));
    }
    note(tx, service, caller, row, standing.as_str())
}

/// The signer is another person than the asker, whose key still holds.
fn check_second_person(
    tx: &mut Tx,
    service: &Service,
    row: &RequestRow,
    signer: &Caller,
) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::SecondPersonNeeded(why.to_owned()));
    if row.asked_by == signer.key_id {
        return refused("the same key cannot ask and sign");
    }
    if row.asked_person == signer.person {
        return refused("both keys belong to the same person");
    }
    issue_key::check_present(tx, service, signer)?;
    if !issue_key::is_valid(tx, service, &row.asked_by)? {
        return refused("the key of the one who asked was revoked or has expired");
    }
    Ok(())
}

/// Withdraws a request that the caller, or the same person with another key, asked for.
pub fn withdraw(service: &Service, caller: &Caller, id: &str) -> Result<Request, Refusal> {
    may_see(caller)?;
    service.store.write(|tx| {
        let row = visible(tx, caller, id)?;
        open_act(tx, service, &row)?;
        if row.asked_person != caller.person {
            return Err(Refusal::SecondPersonNeeded(
                "only the person who asked withdraws a request".into(),
            ));
        }
        end(tx, service, caller, &row, Standing::Withdrawn)?;
        visible(tx, caller, id).map(|row| told(service, row))
    })
}

/// The requests that the caller may know of, from the oldest on.
pub fn list(
    service: &Service,
    caller: &Caller,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Request>, Refusal> {
    may_see(caller)?;
    let only = caller.trial.as_deref();
    let rows = service
        .store
        .read(|tx| tx.list_requests(only, after, limit))?;
    Ok(rows.into_iter().map(|row| told(service, row)).collect())
}

/// One request.
pub fn find(service: &Service, caller: &Caller, id: &str) -> Result<Request, Refusal> {
    may_see(caller)?;
    service
        .store
        .read(|tx| visible(tx, caller, id).map(|row| told(service, row)))
}

fn may_see(caller: &Caller) -> Result<(), Refusal> {
    if caller.may(Right::ManageKeys) {
        Ok(())
    } else {
        Err(Refusal::MissingRight(Right::ManageKeys))
    }
}
