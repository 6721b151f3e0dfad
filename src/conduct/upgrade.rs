//! Take over a database of release 0.1, once, when the service first opens it; or begin a new one.
//!
//! Keys get persons and an end, every ledger gets a signed note over all that it holds (its salts vouch
//! for nothing), stored results get a digest in the ledger, and open levels are listed. All of it is
//! written down in the installation's own ledger, which vouches for itself.

use super::authentic::{Boundary, tampered};
use super::fact::{Draft, FactKind, body_of};
use super::{Refusal, Service, Status, checkpoint, issue_key, levels, persons};
use crate::access::{Caller, Role};
use crate::ledger::tree::from_hex;
use crate::store::{FactRow, INSTALLATION, KeyRow, PersonRow, Store, Tx};
use chrono::Duration;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Days for which keys of release 0.1 go on working.
const GRACE_DAYS: i64 = 365;

/// Whether this release has taken the database over.
pub(super) fn is_done(store: &Store) -> Result<bool, Refusal> {
    store.read(|tx| Ok(tx.has_installation_ledger()?))
}

/// Reads what each ledger held when the database was taken over.
pub(super) fn boundaries(service: &Service) -> Result<BTreeMap<String, Boundary>, Refusal> {
    service.store.read(|tx| {
        let fact = tx
            .find_facts(INSTALLATION, &[1])?
            .pop()
            .filter(|fact| fact.kind == FactKind::Adopted.as_str())
            .ok_or_else(|| tampered(INSTALLATION, Some(1), "it does not say how it began"))?;
        service.check_fact(tx, INSTALLATION, &fact)?;
        let mut found = BTreeMap::new();
        for (ledger, told) in body_of(&fact.record)["ledgers"]
            .as_object()
            .into_iter()
            .flatten()
        {
            let root = told["root"].as_str().and_then(from_hex);
            let (Some(size), Some(root)) = (told["size"].as_i64(), root) else {
                return Err(tampered(INSTALLATION, Some(1), "its record cannot be read"));
            };
            found.insert(ledger.clone(), Boundary { size, root });
        }
        Ok(found)
    })
}

/// Takes the database over.
pub(super) fn run(service: &Service) -> Result<(), Refusal> {
    let trials = service
        .store
        .read(|tx| tx.list_trials(None, None, i64::MAX))?;
    for trial in &trials {
        checkpoint::grow_all(service, &trial.id)?;
    }
    service.store.long().write(|tx| {
        tx.lock_installation(super::SECRET_KEY)?;
        if tx.has_installation_ledger()? {
            return Ok(());
        }
        begin(tx, service)
    })
}

fn begin(tx: &mut Tx, service: &Service) -> Result<(), Refusal> {
    checkpoint::adopt_keys(tx, &service.secrets)?;
    let hand = Caller::command_line(Role::Administrator);
    let trials = tx.list_trials(None, None, i64::MAX)?;
    let mut ledgers = Map::new();
    let mut boundaries = BTreeMap::new();
    for trial in &trials {
        tx.lock_trial(&trial.id)?;
        let size = tx.last_sequence(&trial.id)?;
        refuse_if_vouched(tx, service, &trial.id)?;
        if size == 0 {
            continue;
        }
        let signed = checkpoint::sign_at(tx, service, &trial.id, size)?;
        let root = signed.root.as_slice().try_into();
        let root = root.map_err(|_| tampered(&trial.id, None, "a root is not of 32 bytes"))?;
        boundaries.insert(trial.id.clone(), Boundary { size, root });
        let told = json!({"size": size, "root": hex::encode(root)});
        ledgers.insert(trial.id.clone(), told);
    }
    // From here on records are read as of release 0.1.
    service.set_boundaries(boundaries);
    let keys = tx.list_keys(None, None, i64::MAX)?;
    let from = (!trials.is_empty() || !keys.is_empty()).then_some("0.1");
    tx.insert_installation_ledger(service.clock.now().naive_utc())?;
    let body = json!({"from": from, "ledgers": Value::Object(ledgers)});
    Draft::of_trial(FactKind::Adopted, body).append(tx, service, INSTALLATION, &hand)?;
    adopt_keys(tx, service, &hand, keys)?;
    for trial in &trials {
        adopt_results(tx, service, &hand, &trial.id)?;
        if Status::parse(&trial.status).is_some_and(Status::has_begun) {
            let registration = service.registration(tx, &trial.id, trial.registration)?;
            levels::adopt(tx, &registration.protocol)?;
        }
    }
    Ok(())
}

/// A ledger that holds a record of this release was taken over before: somebody has removed the
/// installation's ledger, and with it what vouched for keys.
fn refuse_if_vouched(tx: &mut Tx, service: &Service, trial: &str) -> Result<(), Refusal> {
    let mut after = 0;
    loop {
        let rows = tx.page_all_facts(trial, after, i64::MAX, PAGE)?;
        let Some(last) = rows.last() else {
            return Ok(());
        };
        after = last.sequence;
        let is_vouched = |fact: &FactRow| {
            fact.salt.len() == 32
                && service
                    .voucher
                    .vouch(trial, &fact.id, &fact.salt[..16], &fact.record)
                    == fact.salt[16..]
        };
        if rows.iter().any(is_vouched) {
            return Err(tampered(INSTALLATION, None, "it was removed"));
        }
    }
}

/// Records that are looked at together.
const PAGE: i64 = 5_000;

/// Keys of one family (made by one another over HTTP, or administrators' of one name) become one person.
fn adopt_keys(
    tx: &mut Tx,
    service: &Service,
    hand: &Caller,
    keys: Vec<KeyRow>,
) -> Result<(), Refusal> {
    let expires_at = (service.clock.now() + Duration::days(GRACE_DAYS)).naive_utc();
    let mut families: BTreeMap<String, PersonRow> = BTreeMap::new();
    let root = |key: &KeyRow| -> String {
        let mut at = key;
        // Each key was made after its parent: no chain is longer than the list.
        for _ in 0..keys.len() {
            match keys
                .iter()
                .find(|other| Some(&other.id) == at.created_by.as_ref())
            {
                Some(parent) => at = parent,
                None => break,
            }
        }
        let administrator = Role::Administrator.as_str();
        let namesake = keys.iter().find(|other| {
            other.created_by.is_none()
                && other.role == administrator
                && at.role == administrator
                && persons::same_name(&other.name, &at.name)
        });
        namesake.unwrap_or(at).id.clone()
    };
    for key in &keys {
        let root = root(key);
        let person = match families.get(&root) {
            Some(person) => person.clone(),
            None => {
                let of = keys.iter().find(|other| other.id == root).unwrap_or(key);
                let person = persons::enter(tx, service, hand, &of.name, None)?;
                families.insert(root, person.clone());
                person
            }
        };
        tx.adopt_key(&key.id, &person.id, expires_at)?;
        let row = KeyRow {
            person_id: Some(person.id),
            expires_at: Some(expires_at),
            ..key.clone()
        };
        issue_key::note_issue(tx, service, hand, &row, None, Some("release 0.1"))?;
        if row.revoked_at.is_some() {
            issue_key::note_revocation(tx, service, hand, &row.id)?;
        }
    }
    Ok(())
}

/// Stored results get a digest in the ledger.
fn adopt_results(
    tx: &mut Tx,
    service: &Service,
    hand: &Caller,
    trial: &str,
) -> Result<(), Refusal> {
    for row in tx.list_analyses(trial, false, None, i64::MAX)? {
        if let Some(result) = tx.find_result(&row.id)? {
            super::analyse::note_result(tx, service, hand, &row, &result)?;
        }
        // Rows and pooled results of this cut have been in the hands of statisticians.
        if row.pooled {
            let body = json!({"role": Role::Statistician, "data_cut": row.data_cut});
            let fact = Draft::of_trial(FactKind::CutAnswered, body);
            fact.append(tx, service, trial, hand)?;
        }
    }
    Ok(())
}
