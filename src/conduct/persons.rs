//! Persons, to whom keys belong. Acts of two persons count persons, not keys.

use super::authentic::tampered;
use super::fact::{Draft, FactKind, body_of};
use super::{Refusal, Service, new_id};
use crate::access::{Caller, Right};
use crate::document::{Faults, Object};
use crate::protocol::canonical::nfc;
use crate::protocol::skeleton;
use crate::store::{INSTALLATION, PersonRow, Tx};
use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::{Value, json};
use unicode_normalization::UnicodeNormalization;

/// A person as it is reported.
#[derive(Debug, Clone, Serialize)]
pub struct Person {
    pub person: String,
    pub name: String,
    pub created_at: DateTime<Utc>,
}

impl From<PersonRow> for Person {
    fn from(row: PersonRow) -> Self {
        Self {
            person: row.id,
            name: row.name,
            created_at: row.created_at.and_utc(),
        }
    }
}

/// Reads `{name}`.
pub fn read(value: &Value) -> Result<String, Refusal> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).and_then(|object| {
        let name = object.required::<String>("name");
        object.finish();
        if name.as_ref().is_some_and(|name| !is_name(name)) {
            object.fault("name", "must be one line of at most 100 characters");
        }
        name.map(|name| nfc(&name))
    });
    faults.settle(read).map_err(Refusal::Invalid)
}

/// Whether a text can be the name of a person or key.
pub(super) fn is_name(text: &str) -> bool {
    text.chars().count() <= 100 && !text.contains(char::is_control)
}

/// Two spellings of one name: case, spaces and compatibility forms aside.
pub(super) fn same_name(a: &str, b: &str) -> bool {
    let plain = |text: &str| -> String {
        let folded = text.nfkc().collect::<String>().to_lowercase();
        folded.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    plain(a) == plain(b)
}

/// Enters a person.
pub fn add(service: &Service, caller: &Caller, name: &str) -> Result<Person, Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    service.store.write(|tx| {
        if find_by_name(tx, name)?.is_some() {
            return Err(Refusal::PersonExists);
        }
        enter(tx, service, caller, name, Some(&caller.key_id)).map(Person::from)
    })
}

/// The persons of the installation, after `after`.
pub fn list(
    service: &Service,
    caller: &Caller,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Person>, Refusal> {
    if !caller.may(Right::ManageKeys) {
        return Err(Refusal::MissingRight(Right::ManageKeys));
    }
    let rows = service.store.read(|tx| tx.list_persons(after, limit))?;
    Ok(rows.into_iter().map(Person::from).collect())
}

/// The person with this name, however it is written.
pub(super) fn find_by_name(tx: &mut Tx, name: &str) -> Result<Option<PersonRow>, Refusal> {
    let rows = tx.list_persons(None, i64::MAX)?;
    // A name that only looks like another is no name of somebody else: who signs reads it.
    let alike =
        |row: &PersonRow| same_name(&row.name, name) || skeleton(&row.name) == skeleton(name);
    Ok(rows.into_iter().find(alike))
}

/// Writes a person and the fact of it.
pub(super) fn enter(
    tx: &mut Tx,
    service: &Service,
    caller: &Caller,
    name: &str,
    by: Option<&str>,
) -> Result<PersonRow, Refusal> {
    let row = PersonRow {
        id: new_id(&service.clock),
        name: name.to_owned(),
        created_at: service.clock.now().naive_utc(),
        created_by: by.map(str::to_owned),
    };
    tx.insert_person(&row)?;
    let fact = Draft {
        participant: Some(&row.id),
        ..Draft::of_trial(
            FactKind::PersonAdded,
            json!({"person": row.id, "name": row.name, "command_line": by.is_none()}),
        )
    };
    fact.append(tx, service, INSTALLATION, caller)?;
    Ok(row)
}

/// The row of a person, held against the fact by which the person was entered.
pub(super) fn checked(
    tx: &mut Tx,
    service: &Service,
    id: &str,
) -> Result<Option<PersonRow>, Refusal> {
    let Some(row) = tx.find_person(id)? else {
        return Ok(None);
    };
    let facts = tx.facts_about(INSTALLATION, id)?;
    let facts = service.checked(tx, INSTALLATION, facts)?;
    let entered = facts
        .iter()
        .find(|fact| fact.kind == FactKind::PersonAdded.as_str());
    match entered {
        Some(fact) if body_of(&fact.record)["name"] == row.name.as_str() => Ok(Some(row)),
        _ => Err(tampered(
            INSTALLATION,
            entered.map(|fact| fact.sequence),
            format!("person {id} is not the one who was entered"),
        )),
    }
}
