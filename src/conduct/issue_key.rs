//! Issue, list, rotate and revoke API keys.
//!
//! A key belongs to a person. A key that one person may make belongs to that person, who is shown it once;
//! a key that sees all arms or results, or that is to be another person's, takes two persons, and its
//! secret is made by its holder and seen by nobody else. The command line of the service's machine makes
//! any key, as whoever holds database and secret key can. Every issue, revocation and rotation is a fact of
//! the installation's ledger, and a row of a key that these facts do not bear out opens nothing.

use super::authentic::tampered;
use super::fact::{Draft, FactKind, body_of};
use super::persons;
use super::requests::{self, Act, Request};
use super::{Refusal, Service, Status};
use crate::access::{Caller, KeyText, Right, Role};
use crate::document::{Faults, Object};
use crate::protocol::canonical::nfc;
use crate::store::{FactRow, INSTALLATION, KeyRow, RequestRow, Tx};
use chrono::{DateTime, Duration, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Days for which a key is good where nothing is said, and for which one is good at most.
const USUAL_DAYS: i64 = 365;
const MOST_DAYS: i64 = 5 * 366;
/// Days for which a key that was replaced goes on working, and for which it does at most.
const OVERLAP_DAYS: i64 = 7;
const MOST_OVERLAP_DAYS: i64 = 30;

/// What a key is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub role: Role,
    pub name: String,
    pub trial: Option<String>,
    pub sites: Option<BTreeSet<String>>,
    /// The person to whom it shall belong; none is the one who asks.
    pub person: Option<String>,
    /// The holder's own key: its id, and the SHA-256 of its secret.
    pub own: Option<Own>,
    pub expires_at: Option<DateTime<Utc>>,
}

/// A key whose secret its holder made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Own {
    pub key_id: String,
    pub secret_sha256: String,
}

/// A key that was made.
#[derive(Debug)]
pub enum Made {
    /// Its text is shown this once.
    Shown(KeyText),
    /// Its holder has the secret.
    Own(String),
}

/// What came of asking for a key.
#[derive(Debug)]
pub enum Answer {
    Made(Made),
    /// Another person has to sign.
    Awaiting(Box<Request>),
}

impl Wish {
    /// A key of a role with a name, for all trials and sites.
    pub fn new(role: Role, name: &str) -> Self {
        Self {
            role,
            name: name.to_owned(),
            trial: None,
            sites: None,
            person: None,
            own: None,
            expires_at: None,
        }
    }

    /// Reads `{role, name, trial?, sites?, person?, key_id?, secret_sha256?, expires_at?}`.
    pub fn read(value: &Value, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let faults = Faults::default();
        let wish = Object::open(value, "", &faults).and_then(|object| {
            let role = object.required::<Role>("role");
            let name = object.required::<String>("name").map(|name| nfc(&name));
            let trial = object
                .optional::<crate::document::Identifier>("trial")
                .map(|id| id.0);
            let sites = object.has("sites").then(|| {
                object
                    .values::<String>("sites")
                    .iter()
                    .map(|site| nfc(site))
                    .collect::<BTreeSet<_>>()
            });
            let person = object
                .optional::<crate::document::AnyText>("person")
                .map(|id| id.0);
            let own = read_own(&object);
            let expires_at = read_expiry(&object, now);
            object.finish();
            if sites.as_ref().is_some_and(BTreeSet::is_empty) {
                object.fault("sites", "must name at least one site, or be left out");
            }
            if sites.is_some() && !matches!(role, Some(Role::Enroller | Role::Source) | None) {
                object.fault("sites", "hold for enrollers and sources only");
            }
            if name.as_ref().is_some_and(|name| !persons::is_name(name)) {
                object.fault("name", "must be one line of at most 100 characters");
            }
            Some(Self {
                role: role?,
                name: name?,
                trial,
                sites,
                person,
                own,
                expires_at,
            })
        });
        faults.settle(wish).map_err(Refusal::Invalid)
    }

    fn sites_json(&self) -> Option<String> {
        self.sites.as_ref().map(|sites| json!(sites).to_string())
    }

    /// Whether the key takes two persons whoever it is for.
    fn takes_two_persons(&self) -> bool {
        self.role.takes_two_persons(self.sites.is_none())
    }
}

/// Reads `{key_id, secret_sha256}` of a key that its holder made.
fn read_own(object: &Object) -> Option<Own> {
    let id = object.optional::<crate::document::AnyText>("key_id");
    let digest = object.optional::<crate::document::AnyText>("secret_sha256");
    let hexadecimal = |text: &str, length: usize| {
        text.len() == length
            && text
                .bytes()
                .all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    if id.as_ref().is_some_and(|id| !hexadecimal(&id.0, 24)) {
        object.fault(
            "key_id",
            "must be the 24 hexadecimal digits of `lodkast key request`",
        );
    }
    if digest
        .as_ref()
        .is_some_and(|digest| !hexadecimal(&digest.0, 64))
    {
        object.fault("secret_sha256", "must be 64 hexadecimal digits");
    }
    match (id, digest) {
        (None, None) => None,
        (Some(_), None) => {
            object.fault("secret_sha256", "is missing: it stands beside key_id");
            None
        }
        (id, Some(digest)) => Some(Own {
            key_id: id.map_or_else(|| KeyText::random().id, |id| id.0),
            secret_sha256: digest.0,
        }),
    }
}

fn read_expiry(object: &Object, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let at = object.optional::<DateTime<Utc>>("expires_at")?;
    if at <= now || at > now + Duration::days(MOST_DAYS) {
        object.fault("expires_at", "must lie ahead, at most five years");
        return None;
    }
    Some(at)
}

/// A time to the microsecond, as both databases keep it.
fn to_microseconds(time: DateTime<Utc>) -> NaiveDateTime {
    use chrono::DurationRound;
    time.duration_trunc(Duration::microseconds(1))
        .unwrap_or(time)
        .naive_utc()
}

/// Makes a key on the command line, with no one to ask: a fact that says so. It belongs to the person
/// with the wished name.
pub fn by_hand(service: &Service, wish: &Wish) -> Result<KeyText, Refusal> {
    let key = KeyText::random();
    let hand = Caller::command_line(Role::Administrator);
    service.store.write(|tx| {
        let name = wish.person.as_deref().unwrap_or(&wish.name);
        let person = match persons::find_by_name(tx, name)? {
            Some(row) => row,
            None => persons::enter(tx, service, &hand, name, None)?,
        };
        let row = key_row(service, wish, &key.id, key.hash(), &person.id);
        insert(tx, service, &hand, wish, row, None)
    })?;
    Ok(key)
}

/// Makes a key, or a request for one that another person has to sign.
pub fn ask(service: &Service, caller: &Caller, wish: &Wish) -> Result<Answer, Refusal> {
    check_scope(caller, wish)?;
    let key = KeyText::random();
    service.store.write(|tx| {
        if let Some(trial) = &wish.trial
            && tx.find_trial(trial)?.is_none()
        {
            return Err(Refusal::field("trial", "is not a trial"));
        }
        let person = wish.person.as_deref().unwrap_or(&caller.person);
        if persons::checked(tx, service, person)?.is_none() {
            return Err(Refusal::field("person", "is not a person of this installation"));
        }
        if let Some(own) = &wish.own
            && tx.find_key(&own.key_id)?.is_some()
        {
            return Err(Refusal::field("key_id", "is taken"));
        }
        if wish.takes_two_persons() || person != caller.person {
            let Some(own) = &wish.own else {
                let detail = "is missing: the key takes two persons, and its holder makes the secret \
                              (`lodkast key request`)";
                return Err(Refusal::field("secret_sha256", detail));
            };
            let object = json!({
                "role": wish.role, "name": wish.name, "trial": wish.trial, "sites": wish.sites,
                "person": person, "key_id": own.key_id, "secret_sha256": own.secret_sha256,
                "expires_at": wish.expires_at.map(told_time),
            });
            let trial = wish.trial.as_deref();
            let request = requests::ask(tx, service, caller, Act::IssueKey, trial, &object)?;
            return Ok(Answer::Awaiting(Box::new(request)));
        }
        let (id, hash) = match &wish.own {
            Some(own) => (own.key_id.clone(), own.secret_sha256.clone()),
            None => (key.id.clone(), key.hash()),
        };
        let row = key_row(service, wish, &id, hash, person);
        let row = KeyRow {
            created_by: Some(caller.key_id.clone()),
            ..row
        };
        insert(tx, service, caller, wish, row, None)?;
        Ok(Answer::Made(match &wish.own {
            Some(_) => Made::Own(id),
            None => Made::Shown(key.clone()),
        }))
    })
}

fn told_time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// What a wished key rests on: the person as entered, and that its id is free.
pub(super) fn state_of(tx: &mut Tx, service: &Service, object: &Value) -> Result<Value, Refusal> {
    let text = |key: &str| object[key].as_str().unwrap_or_default();
    let person = persons::checked(tx, service, text("person"))?;
    let taken = tx.find_key(text("key_id"))?.is_some();
    Ok(json!([person.map(|person| person.name), taken]))
}

/// Makes the key of a request that the second person signs.
pub(super) fn fulfil(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    request: &RequestRow,
    object: &Value,
) -> Result<Made, Refusal> {
    let unreadable = || Refusal::Internal("a request for a key cannot be read".into());
    let mut value = object.clone();
    if let Some(fields) = value.as_object_mut() {
        fields.retain(|_, field| !field.is_null());
    }
    let wish = Wish::read(&value, request.asked_at.and_utc()).map_err(|_| unreadable())?;
    check_scope(caller, &wish).map_err(|_| Refusal::NotFound("request"))?;
    let (own, person) = (wish.own.as_ref(), wish.person.as_deref());
    let (own, person) = (own.ok_or_else(unreadable)?, person.ok_or_else(unreadable)?);
    let row = key_row(
        service,
        &wish,
        &own.key_id,
        own.secret_sha256.clone(),
        person,
    );
    let row = KeyRow {
        created_by: Some(request.asked_by.clone()),
        approved_by: Some(caller.key_id.clone()),
        ..row
    };
    insert(tx, service, caller, &wish, row, Some(request))?;
    Ok(Made::Own(own.key_id.clone()))
}

fn key_row(service: &Service, wish: &Wish, id: &str, secret_hash: String, person: &str) -> KeyRow {
    let now = service.clock.now();
    let expires_at = wish
        .expires_at
        .unwrap_or_else(|| now + Duration::days(USUAL_DAYS));
    KeyRow {
        id: id.to_owned(),
        name: wish.name.clone(),
        role: wish.role.to_string(),
        trial_id: wish.trial.clone(),
        sites: wish.sites_json(),
        secret_hash,
        created_at: now.naive_utc(),
        created_by: None,
        approved_by: None,
        revoked_at: None,
        revoked_by: None,
        person_id: Some(person.to_owned()),
        expires_at: Some(to_microseconds(expires_at)),
        last_used_on: None,
    }
}

/// Inserts a key with the fact of its issue; one that sees arms is written to the ledger of every trial
/// that it sees and that has begun, too.
fn insert(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    wish: &Wish,
    row: KeyRow,
    request: Option<&RequestRow>,
) -> Result<(), Refusal> {
    if wish.role.sees_arms_while_blinded() || wish.takes_two_persons() {
        // Heads of several ledgers are locked in the order of the trials' ids, the installation's last.
        for trial in begun_trials(tx, wish)? {
            let body = json!({
                "key": row.id, "role": row.role, "name": row.name, "person": row.person_id,
                "requested_by": row.created_by, "approved_by": caller.key_id,
            });
            Draft::of_trial(FactKind::KeyIssued, body).append(tx, service, &trial, caller)?;
        }
    }
    tx.insert_key(&row)?;
    note_issue(
        tx,
        service,
        caller,
        &row,
        request.map(|request| request.id.as_str()),
        None,
    )
}

/// Writes the issue of a key to the installation's ledger.
pub(super) fn note_issue(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    row: &KeyRow,
    request: Option<&str>,
    from: Option<&str>,
) -> Result<(), Refusal> {
    let mut body = issue_of(row);
    body["request"] = json!(request);
    body["command_line"] = json!(row.created_by.is_none());
    body["from"] = json!(from);
    let fact = Draft {
        participant: Some(&row.id),
        ..Draft::of_trial(FactKind::KeyIssued, body)
    };
    fact.append(tx, service, INSTALLATION, caller)?;
    Ok(())
}

/// What the fact of an issue says of a key.
fn issue_of(row: &KeyRow) -> Value {
    json!({
        "key": row.id, "role": row.role, "name": row.name, "person": row.person_id,
        "trial": row.trial_id, "sites": row.sites, "secret_sha256": row.secret_hash,
        "expires_at": row.expires_at.map(|at| told_time(at.and_utc())),
        "created_by": row.created_by, "approved_by": row.approved_by,
    })
}

/// Revokes a key; from then on it opens nothing.
pub fn revoke(service: &Service, caller: &Caller, id: &str) -> Result<(), Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    service.store.write(|tx| {
        check_present(tx, service, caller)?;
        let row = tx
            .find_key(id)?
            .filter(|row| within(caller, row.trial_id.as_deref()))
            .ok_or(Refusal::NotFound("key"))?;
        // Those by which it was replaced end with it: a key that was stolen may have been replaced.
        let mut next = Some(row);
        while let Some(row) = next {
            if row.revoked_at.is_none() {
                tx.revoke_key(&row.id, service.clock.now().naive_utc(), &caller.key_id)?;
                note_revocation(tx, service, caller, &row.id)?;
            }
            next = match replaced_by(tx, service, &row.id)? {
                Some(by) => tx.find_key(&by)?,
                None => None,
            };
        }
        Ok(())
    })
}

/// The key by which a key was replaced.
fn replaced_by(tx: &mut Tx, service: &Service, id: &str) -> Result<Option<String>, Refusal> {
    let facts = tx.facts_about(INSTALLATION, id)?;
    let facts = service.checked(tx, INSTALLATION, facts)?;
    let kind = FactKind::KeyRotated.as_str();
    let last = facts.iter().rev().find(|fact| fact.kind == kind);
    Ok(last.and_then(|fact| body_of(&fact.record)["by"].as_str().map(str::to_owned)))
}

pub(super) fn note_revocation(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    id: &str,
) -> Result<(), Refusal> {
    let fact = Draft {
        participant: Some(id),
        ..Draft::of_trial(FactKind::KeyRevoked, json!({"key": id}))
    };
    fact.append(tx, service, INSTALLATION, caller)?;
    Ok(())
}

/// What a holder asks of a rotation.
#[derive(Debug, Clone, Default)]
pub struct Rotation {
    pub own: Option<Own>,
    pub expires_at: Option<DateTime<Utc>>,
    pub overlap_days: i64,
}

impl Rotation {
    /// Reads `{key_id?, secret_sha256?, expires_at?, overlap_days?}`.
    pub fn read(value: &Value, now: DateTime<Utc>) -> Result<Self, Refusal> {
        let faults = Faults::default();
        let read = Object::open(value, "", &faults).map(|object| {
            let own = read_own(&object);
            let expires_at = read_expiry(&object, now);
            let overlap_days = object.optional::<u32>("overlap_days").map(i64::from);
            object.finish();
            if overlap_days.is_some_and(|days| days > MOST_OVERLAP_DAYS) {
                object.fault(
                    "overlap_days",
                    format!("must be from 0 to {MOST_OVERLAP_DAYS}"),
                );
            }
            Self {
                own,
                expires_at,
                overlap_days: overlap_days.unwrap_or(OVERLAP_DAYS),
            }
        });
        faults.settle(read).map_err(Refusal::Invalid)
    }
}

/// Replaces a key by another of the same holder and rights; the old one works on for the overlap. The
/// holder may, and whoever may make the key alone.
pub fn rotate(
    service: &Service,
    caller: &Caller,
    id: &str,
    asked: &Rotation,
) -> Result<Made, Refusal> {
    let key = KeyText::random();
    let now = service.clock.now();
    service.store.write(|tx| {
        let old = tx
            .find_key(id)?
            .filter(|row| within(caller, row.trial_id.as_deref()))
            .ok_or(Refusal::NotFound("key"))?;
        let own = caller.key_id == id;
        let role = role_of(&old)?;
        let alone = caller.may(Right::ManageKeys)
            && old.person_id.as_deref() == Some(&caller.person)
            && !role.takes_two_persons(old.sites.is_none());
        if !own && !alone {
            return Err(match caller.may(Right::ManageKeys) {
                true => Refusal::SecondPersonNeeded("its holder replaces this key".into()),
                false => Refusal::NotFound("key"),
            });
        }
        if !is_valid(tx, service, id)? {
            return Err(Refusal::SecondPersonNeeded(
                "the key is no longer valid".into(),
            ));
        }
        check_present(tx, service, caller)?;
        if replaced_by(tx, service, id)?.is_some() {
            return Err(Refusal::SecondPersonNeeded(
                "the key was replaced before: replace the one that replaced it".into(),
            ));
        }
        let (new, hash) = match &asked.own {
            Some(own) => (own.key_id.clone(), own.secret_sha256.clone()),
            None => (key.id.clone(), key.hash()),
        };
        if tx.find_key(&new)?.is_some() {
            return Err(Refusal::field("key_id", "is taken"));
        }
        let expires_at = asked
            .expires_at
            .unwrap_or_else(|| now + Duration::days(USUAL_DAYS));
        let row = KeyRow {
            id: new.clone(),
            secret_hash: hash,
            created_at: now.naive_utc(),
            created_by: Some(id.to_owned()),
            expires_at: Some(to_microseconds(expires_at)),
            last_used_on: None,
            ..old.clone()
        };
        tx.insert_key(&row)?;
        note_issue(tx, service, caller, &row, None, Some(id))?;
        let ends = to_microseconds(now + Duration::days(asked.overlap_days));
        let ends = old.expires_at.map_or(ends, |at| at.min(ends));
        tx.set_key_expiry(id, ends)?;
        let body = json!({"key": id, "by": new, "expires_at": told_time(ends.and_utc())});
        let fact = Draft {
            participant: Some(id),
            ..Draft::of_trial(FactKind::KeyRotated, body)
        };
        fact.append(tx, service, INSTALLATION, caller)?;
        Ok(match &asked.own {
            Some(_) => Made::Own(new),
            None => Made::Shown(key.clone()),
        })
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
    let row = service.store.read(|tx| {
        let row = tx
            .find_key(&key.id)?
            .filter(|row| key.matches(&row.secret_hash))
            .ok_or(Refusal::Unauthenticated)?;
        let facts = tx.facts_about(INSTALLATION, &row.id)?;
        if let Some(why) = fault_of(service, &row, &facts) {
            tracing::error!(key = %row.id, why, "a key is not the one that was issued");
            return Err(Refusal::Unauthenticated);
        }
        Ok(row)
    })?;
    if row.revoked_at.is_some() || has_expired(service, &row) {
        return Err(Refusal::Unauthenticated);
    }
    let sites = read_sites(row.sites.as_deref())?;
    Ok(Caller {
        role: role_of(&row)?,
        person: row.person_id.unwrap_or_default(),
        expires_at: row.expires_at.map(|at| at.and_utc()),
        key_id: row.id,
        name: row.name,
        trial: row.trial_id,
        sites,
    })
}

fn has_expired(service: &Service, row: &KeyRow) -> bool {
    let now = service.clock.now().naive_utc();
    row.expires_at.is_none_or(|at| at <= now)
}

/// What does not agree between the row of a key and the facts about it.
pub(super) fn fault_of(service: &Service, row: &KeyRow, facts: &[FactRow]) -> Option<&'static str> {
    if let Some(why) = facts
        .iter()
        .find_map(|fact| service.fault_of(INSTALLATION, fact))
    {
        return Some(why);
    }
    let mut issued = None;
    let (mut expires_at, mut revoked) = (None, false);
    for fact in facts {
        let body = body_of(&fact.record);
        match FactKind::parse(&fact.kind) {
            Some(FactKind::KeyIssued) if issued.is_none() => {
                expires_at = Some(body["expires_at"].clone());
                issued = Some(body);
            }
            Some(FactKind::KeyRotated) => expires_at = Some(body["expires_at"].clone()),
            Some(FactKind::KeyRevoked) => revoked = true,
            _ => return Some("its facts are not those of a key"),
        }
    }
    let Some(issued) = issued else {
        return Some("nobody issued it");
    };
    let mut told = issue_of(row);
    if Some(&told["expires_at"]) != expires_at.as_ref() {
        return Some("it expires at another time than its facts say");
    }
    told["expires_at"] = issued["expires_at"].clone();
    let same = told
        .as_object()
        .is_some_and(|fields| fields.iter().all(|(key, value)| issued[key] == *value));
    if !same {
        return Some("it is not what was issued");
    }
    (revoked != row.revoked_at.is_some()).then_some("its revocation is not what its facts say")
}

/// Refuses a key that was revoked or has expired since it was last looked at.
pub fn still_valid(service: &Service, id: &str) -> Result<(), Refusal> {
    match service.store.read(|tx| is_valid(tx, service, id))? {
        true => Ok(()),
        false => Err(Refusal::Unauthenticated),
    }
}

/// Whether a key holds now.
pub(super) fn is_valid(tx: &mut Tx, service: &Service, id: &str) -> Result<bool, Refusal> {
    let Some(row) = tx.find_key(id)? else {
        return Ok(false);
    };
    let facts = tx.facts_about(INSTALLATION, id)?;
    if let Some(why) = fault_of(service, &row, &facts) {
        return Err(tampered(INSTALLATION, None, format!("key {id}: {why}")));
    }
    Ok(row.revoked_at.is_none() && !has_expired(service, &row))
}

/// Refuses a caller whose key was revoked or has ended since the request began: its body may have taken
/// its time.
pub(super) fn check_present(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
) -> Result<(), Refusal> {
    if caller.is_command_line() || is_valid(tx, service, &caller.key_id)? {
        return Ok(());
    }
    Err(Refusal::Unauthenticated)
}

/// The keys that are valid for a trial now, as its opening names them.
pub(super) fn valid_for(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
) -> Result<Vec<Value>, Refusal> {
    let mut keys = Vec::new();
    for row in tx.list_keys(None, None, i64::MAX)? {
        let sees = row.trial_id.as_deref().is_none_or(|only| only == trial);
        if !sees || !is_valid(tx, service, &row.id)? {
            continue;
        }
        keys.push(json!({
            "key": row.id, "role": row.role, "person": row.person_id, "sites": row.sites,
            "command_line": row.created_by.is_none(),
        }));
    }
    Ok(keys)
}

fn role_of(row: &KeyRow) -> Result<Role, Refusal> {
    Role::parse(&row.role).ok_or_else(|| Refusal::Internal("a key's role is not known".into()))
}

fn read_sites(text: Option<&str>) -> Result<Option<BTreeSet<String>>, Refusal> {
    text.map(serde_json::from_str)
        .transpose()
        .map_err(|_| Refusal::Internal("a key's sites cannot be read".into()))
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
    let mut begun = Vec::new();
    for row in tx.list_trials(wish.trial.as_deref(), None, i64::MAX)? {
        // Locked before it is looked at: an opening that is under way names the key, or comes before it.
        let Some(row) = tx.lock_trial_shared(&row.id)? else {
            continue;
        };
        if Status::parse(&row.status).is_some_and(Status::has_begun) {
            begun.push(row.id);
        }
    }
    Ok(begun)
}
