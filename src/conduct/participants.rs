//! Look participants up: by id, by page, or by the citizen's number.

use super::citizen::Citizen;
use super::repeat::{Repeats, look_up};
use super::{Refusal, Service, Trial, reads};
use crate::access::{Caller, Right};
use crate::document::{Faults, Object};
use crate::store::{ParticipantRow, Tx};
use serde_json::Value;

/// One participant that the caller may see.
pub fn find(
    service: &Service,
    caller: &Caller,
    trial: &str,
    id: &str,
) -> Result<ParticipantRow, Refusal> {
    let known = service.trial(caller, trial, Right::ReadParticipant)?;
    let found = tell(service, caller, &known, |tx| {
        let mut rows = tx.find_participants(trial, &[id.to_owned()])?;
        rows.retain(|row| caller.sees_site(row.site.as_deref()));
        Ok(rows)
    })?;
    found
        .into_iter()
        .next()
        .ok_or(Refusal::NotFound("participant"))
}

/// The participants that the caller may see, after `after`.
pub fn list(
    service: &Service,
    caller: &Caller,
    trial: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<ParticipantRow>, Refusal> {
    let known = service.trial(caller, trial, Right::ReadParticipant)?;
    let sites = caller.site_list();
    tell(service, caller, &known, |tx| {
        Ok(tx.page_participants(trial, sites.as_deref(), after, limit)?)
    })
}

/// Reads rows, holds each against its draw, and counts those whom others enrolled.
fn tell(
    service: &Service,
    caller: &Caller,
    trial: &Trial,
    read: impl FnOnce(&mut Tx) -> Result<Vec<ParticipantRow>, Refusal>,
) -> Result<Vec<ParticipantRow>, Refusal> {
    let (rows, draws) = service.store.read(|tx| {
        let rows = read(tx)?;
        let draws = service.check_participants(tx, &trial.id, &rows)?;
        Ok::<_, Refusal>((rows, draws))
    })?;
    let others: Vec<&str> = draws
        .iter()
        .filter(|(_, fact)| fact.recorded_by != caller.key_id)
        .map(|(id, _)| id.as_str())
        .collect();
    let mut facts = Vec::new();
    reads::note(service, caller, trial, &others, &mut facts);
    for fact in facts {
        service.store.write(|tx| {
            tx.lock_trial_shared(&trial.id)?;
            let number = super::fact::number_facts(tx, &trial.id, 1)?;
            Ok::<_, Refusal>(tx.insert_facts(&trial.id, number, vec![fact.clone()])?)
        })?;
    }
    Ok(rows)
}

/// The participant who is this citizen; the number is in the body, never in an address. A search that
/// finds nobody of the caller's sites is counted, written down and limited: it could ask who takes part
/// elsewhere.
pub fn search(
    service: &Service,
    caller: &Caller,
    trial: &str,
    value: &Value,
) -> Result<ParticipantRow, Refusal> {
    let known = service.trial(caller, trial, Right::ReadParticipant)?;
    let scheme = match &known.registration {
        Some(registration) => registration.protocol.citizen_scheme,
        None => None,
    };
    let faults = Faults::default();
    let today = service.clock.today();
    let citizen = Object::open(value, "", &faults).and_then(|object| {
        let citizen = object
            .value("citizen")
            .map(|value| Citizen::read(value, "citizen", &faults, scheme, today));
        if citizen.is_none() {
            object.fault("citizen", "is missing");
        }
        object.finish();
        citizen.flatten()
    });
    let citizen = faults.settle(citizen).map_err(Refusal::Invalid)?;
    let pseudonym = citizen.pseudonym(service, trial);
    let mut elsewhere = None;
    let found = tell(service, caller, &known, |tx| {
        let person = tx.find_citizens(trial, &[pseudonym])?.pop();
        let ids: Vec<String> = person.into_iter().map(|row| row.person_id).collect();
        let mut rows = tx.find_participants(trial, &ids)?;
        rows.retain(|row| caller.sees_site(row.site.as_deref()));
        if rows.is_empty() {
            elsewhere = ids.into_iter().next();
        }
        Ok(rows)
    })?;
    if let Some(row) = found.into_iter().next() {
        return Ok(row);
    }
    if known.registration.is_some() {
        note_miss(service, caller, &known, elsewhere.as_deref())?;
    }
    Err(Refusal::NotFound("participant"))
}

fn note_miss(
    service: &Service,
    caller: &Caller,
    trial: &Trial,
    person: Option<&str>,
) -> Result<(), Refusal> {
    service.store.write(|tx| {
        tx.lock_trial_shared(&trial.id)?;
        let now = service.clock.now();
        if !Repeats::default().count(tx, service, trial, caller, now)? {
            return Err(Refusal::TooManyRepeats);
        }
        look_up(person, "search").append(tx, service, &trial.id, caller)?;
        Ok(())
    })
}
