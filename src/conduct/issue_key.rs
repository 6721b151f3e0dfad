//! Issue, list and revoke API keys.
//!
//! The first keys are made on the command line. Over HTTP an administrator makes others; once
//! enrolment has begun, a key that sees results (monitor, statistician) takes a second administrator,
//! another person whose key goes back to no key that the first one's goes back to, and is written to
//! the ledger. So is such a key that is made on the command line.

use super::citizen::holds_number;
use super::fact::{Draft, FactKind};
use super::{Refusal, Service, Status, new_id};
use crate::access::{Caller, KeyText, Right, Role};
use crate::clock::Clock;
use crate::document::{Faults, Identifier, Object};
use crate::protocol::canonical::nfc;
use crate::store::{KeyRequestRow, KeyRow, StoreError, Tx};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// What a key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub role: Role,
    pub name: String,
    pub trial: Option<String>,
    pub sites: Option<BTreeSet<String>>,
}

/// A key that was made; its text is shown this once.
#[derive(Debug)]
pub struct Issued {
    pub key: KeyText,
}

/// What came of asking for a key.
#[derive(Debug)]
pub enum Answer {
    Issued(Issued),
    /// The id of the request that another administrator has to approve.
    Awaiting(String),
}

impl Wish {
    /// Reads `{role, name, trial?, sites?}`.
    pub fn read(value: &Value) -> Result<Self, Refusal> {
        let faults = Faults::default();
        let wish = Object::open(value, "", &faults).and_then(|object| {
            let role = object.required::<Role>("role");
            let name = object.required::<String>("name");
            let trial = object.optional::<Identifier>("trial").map(|id| id.0);
            let sites = object.has("sites").then(|| {
                object
                    .values::<String>("sites")
                    .iter()
                    .map(|site| nfc(site))
                    .collect::<BTreeSet<_>>()
            });
            object.finish();
            if sites.as_ref().is_some_and(BTreeSet::is_empty) {
                object.fault("sites", "must name at least one site, or be left out");
            }
            if sites.is_some() && !matches!(role, Some(Role::Enroller | Role::Source) | None) {
                object.fault("sites", "hold for enrollers and sources only");
            }
            let hides = |text: &String| holds_number(text);
            if name.as_ref().is_some_and(hides) {
                object.fault("name", "must not hold a citizen's number");
            }
            if sites.iter().flatten().any(hides) {
                object.fault("sites", "must not hold a citizen's number");
            }
            if name
                .as_ref()
                .is_some_and(|name| name.contains(char::is_control))
            {
                object.fault("name", "must be one line");
            }
            if name.as_ref().is_some_and(|name| name.chars().count() > 100) {
                object.fault("name", "must not be longer than 100 characters");
            }
            Some(Self {
                role: role?,
                name: name?,
                trial,
                sites,
            })
        });
        faults.settle(wish).map_err(Refusal::Invalid)
    }

    fn sites_json(&self) -> Option<String> {
        self.sites.as_ref().map(|sites| json!(sites).to_string())
    }
}

/// Makes a key on the command line, with no one to ask. One that sees results is written to the
/// ledger of every trial whose enrolment has begun.
pub fn by_hand(service: &Service, wish: &Wish) -> Result<KeyText, Refusal> {
    let key = KeyText::random();
    let hand = Caller::command_line(Role::Administrator);
    service.store.write(|tx| {
        insert(tx, &service.clock, wish, &key, None, None)?;
        if wish.role.takes_two_persons() {
            note_issue(tx, service, &hand, wish, &key, None)?;
        }
        Ok::<_, Refusal>(())
    })?;
    Ok(key)
}

/// Makes a key, or a request for one that another administrator has to approve.
pub fn ask(service: &Service, caller: &Caller, wish: &Wish) -> Result<Answer, Refusal> {
    check_scope(caller, wish)?;
    let (key, request) = (KeyText::random(), new_id(&service.clock));
    service.store.write(|tx| {
        if let Some(trial) = &wish.trial
            && tx.find_trial(trial)?.is_none()
        {
            return Err(Refusal::field("trial", "is not a trial"));
        }
        if wish.role.takes_two_persons() && !begun_trials(tx, wish)?.is_empty() {
            tx.insert_key_request(&KeyRequestRow {
                id: request.clone(),
                name: wish.name.clone(),
                role: wish.role.to_string(),
                trial_id: wish.trial.clone(),
                sites: wish.sites_json(),
                requested_at: service.clock.now().naive_utc(),
                requested_by: caller.key_id.clone(),
                key_id: None,
            })?;
            return Ok(Answer::Awaiting(request.clone()));
        }
        insert(tx, &service.clock, wish, &key, Some(&caller.key_id), None)?;
        Ok(Answer::Issued(Issued { key: key.clone() }))
    })
}

/// Approves a request for a key; the key is shown to the one who approves.
pub fn approve(service: &Service, caller: &Caller, request: &str) -> Result<Issued, Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    let key = KeyText::random();
    service.store.write(|tx| {
        let row = tx
            .find_key_request(request)?
            .ok_or(Refusal::NotFound("request"))?;
        let wish = wish_of(&row)?;
        check_scope(caller, &wish).map_err(|_| Refusal::NotFound("request"))?;
        if row.key_id.is_some() {
            return Err(Refusal::SecondPersonNeeded(
                "the request was approved before".into(),
            ));
        }
        check_second_person(tx, &row.requested_by, caller)?;
        let first = Some(row.requested_by.as_str());
        insert(tx, &service.clock, &wish, &key, first, Some(&caller.key_id))?;
        if !tx.fulfil_key_request(request, &key.id)? {
            return Err(Refusal::SecondPersonNeeded(
                "the request was approved before".into(),
            ));
        }
        note_issue(tx, service, caller, &wish, &key, first)?;
        Ok(Issued { key: key.clone() })
    })
}

/// Writes the issue of a key to the ledger of every trial that it sees and that has begun, in the
/// order of their ids: heads of several ledgers are locked.
fn note_issue(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    wish: &Wish,
    key: &KeyText,
    requested_by: Option<&str>,
) -> Result<(), Refusal> {
    for trial in begun_trials(tx, wish)? {
        tx.lock_trial_shared(&trial)?;
        let body = json!({
            "key": key.id, "role": wish.role, "name": wish.name,
            "requested_by": requested_by, "approved_by": caller.key_id,
        });
        let fact = Draft::of_trial(FactKind::KeyIssued, body);
        let number = tx.take_sequence(&trial, 1)?;
        let sealed = fact.seal(service, caller, service.clock.now());
        tx.insert_facts(&trial, number, vec![sealed])?;
    }
    Ok(())
}

/// Revokes a key; from then on it opens nothing.
pub fn revoke(service: &Service, caller: &Caller, id: &str) -> Result<(), Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    service.store.write(|tx| {
        tx.find_key(id)?
            .filter(|row| within(caller, row.trial_id.as_deref()))
            .ok_or(Refusal::NotFound("key"))?;
        tx.revoke_key(id, service.clock.now().naive_utc(), &caller.key_id)?;
        Ok(())
    })
}

/// Keys that the caller may manage, without their secrets.
pub fn list(
    service: &Service,
    caller: &Caller,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<KeyRow>, Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    service
        .store
        .read(|tx| Ok(tx.list_keys(caller.trial.as_deref(), after, limit)?))
}

/// The caller that a key's text stands for.
pub fn authenticate(service: &Service, text: &str) -> Result<Caller, Refusal> {
    let key = KeyText::parse(text).ok_or(Refusal::Unauthenticated)?;
    let row = service
        .store
        .read(|tx| tx.find_key(&key.id))?
        .filter(|row| key.matches(&row.secret_hash) && row.revoked_at.is_none())
        .ok_or(Refusal::Unauthenticated)?;
    let role = Role::parse(&row.role)
        .ok_or_else(|| Refusal::Internal("a key's role is not known".into()))?;
    let sites = read_sites(row.sites.as_deref())?;
    Ok(Caller {
        key_id: row.id,
        name: row.name,
        role,
        trial: row.trial_id,
        sites,
    })
}

fn read_sites(text: Option<&str>) -> Result<Option<BTreeSet<String>>, Refusal> {
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|_| Refusal::Internal("a key's sites cannot be read".into()))
}

fn wish_of(row: &KeyRequestRow) -> Result<Wish, Refusal> {
    let role = Role::parse(&row.role)
        .ok_or_else(|| Refusal::Internal("a request's role is not known".into()))?;
    let sites = read_sites(row.sites.as_deref())?;
    Ok(Wish {
        role,
        name: row.name.clone(),
        trial: row.trial_id.clone(),
        sites,
    })
}

fn within(caller: &Caller, trial: Option<&str>) -> bool {
    caller.trial.is_none() || caller.trial.as_deref() == trial
}

/// Nobody gives away more than they have.
fn check_scope(caller: &Caller, wish: &Wish) -> Result<(), Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    if !within(caller, wish.trial.as_deref()) {
        return Err(Refusal::field(
            "trial",
            "must be the trial that the own key is for",
        ));
    }
    Ok(())
}

/// The trials, within the scope of the key, whose enrolment has begun.
fn begun_trials(tx: &mut Tx, wish: &Wish) -> Result<Vec<String>, Refusal> {
    let rows = tx.list_trials(wish.trial.as_deref(), None, i64::MAX)?;
    Ok(rows
        .into_iter()
        .filter(|row| Status::parse(&row.status).is_some_and(Status::has_begun))
        .map(|row| row.id)
        .collect())
}

/// The second person holds another name, and the two keys go back to no common one.
pub(super) fn check_second_person(
    tx: &mut Tx,
    first: &str,
    second: &Caller,
) -> Result<(), Refusal> {
    let refused = |why: &str| Err(Refusal::SecondPersonNeeded(why.to_owned()));
    if first == second.key_id {
        return refused("the same key cannot ask and approve");
    }
    let row = tx.find_key(first)?.ok_or(Refusal::NotFound("key"))?;
    if row.revoked_at.is_some() {
        return refused("the key of the one who asked was revoked");
    }
    if row.name.trim().to_lowercase() == second.name.trim().to_lowercase() {
        return refused("both keys have the same holder");
    }
    if !family(tx, first)?.is_disjoint(&family(tx, &second.key_id)?) {
        return refused("one person made or could make both keys: they go back to the same one");
    }
    Ok(())
}

/// A key and the keys by which it came to be.
fn family(tx: &mut Tx, id: &str) -> Result<BTreeSet<String>, Refusal> {
    let mut found = BTreeSet::from([id.to_owned()]);
    let mut waiting = vec![id.to_owned()];
    while let Some(id) = waiting.pop() {
        let Some(row) = tx.find_key(&id)? else {
            continue;
        };
        for parent in [row.created_by, row.approved_by].into_iter().flatten() {
            if found.insert(parent.clone()) {
                waiting.push(parent);
            }
        }
    }
    Ok(found)
}

fn insert(
    tx: &mut Tx,
    clock: &Clock,
    wish: &Wish,
    key: &KeyText,
    created_by: Option<&str>,
    approved_by: Option<&str>,
) -> Result<(), StoreError> {
    tx.insert_key(&KeyRow {
        id: key.id.clone(),
        name: wish.name.clone(),
        role: wish.role.to_string(),
        trial_id: wish.trial.clone(),
        sites: wish.sites_json(),
        secret_hash: key.hash(),
        created_at: clock.now().naive_utc(),
        created_by: created_by.map(str::to_owned),
        approved_by: approved_by.map(str::to_owned),
        revoked_at: None,
        revoked_by: None,
    })
}
