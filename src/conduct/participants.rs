//! Look participants up: by id, by page, or by the citizen's number.

use super::citizen::Citizen;
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::document::{Faults, Object};
use crate::store::ParticipantRow;
use serde_json::Value;

/// One participant that the caller may see.
pub fn find(
    service: &Service,
    caller: &Caller,
    trial: &str,
    id: &str,
) -> Result<ParticipantRow, Refusal> {
    service.trial(caller, trial, Right::ReadParticipant)?;
    service.store.read(|tx| {
        tx.find_participants(trial, &[id.to_owned()])?
            .pop()
            .filter(|row| caller.sees_site(row.site.as_deref()))
            .ok_or(Refusal::NotFound("participant"))
    })
}

/// The participants that the caller may see, after `after`.
pub fn list(
    service: &Service,
    caller: &Caller,
    trial: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<ParticipantRow>, Refusal> {
    service.trial(caller, trial, Right::ReadParticipant)?;
    let sites = caller.site_list();
    service
        .store
        .read(|tx| Ok(tx.page_participants(trial, sites.as_deref(), after, limit)?))
}

/// The participant who is this citizen; the number is in the body, never in an address.
pub fn search(
    service: &Service,
    caller: &Caller,
    trial: &str,
    value: &Value,
) -> Result<ParticipantRow, Refusal> {
    service.trial(caller, trial, Right::ReadParticipant)?;
    let faults = Faults::default();
    let today = service.clock.today();
    let citizen = Object::open(value, "", &faults).and_then(|object| {
        let citizen = object
            .value("citizen")
            .map(|value| Citizen::read(value, "citizen", &faults, today));
        if citizen.is_none() {
            object.fault("citizen", "is missing");
        }
        object.finish();
        citizen.flatten()
    });
    let citizen = faults.settle(citizen).map_err(Refusal::Invalid)?;
    let pseudonym = citizen.pseudonym(service, trial);
    service.store.read(|tx| {
        let person = tx.find_citizens(trial, &[pseudonym])?.pop();
        let ids: Vec<String> = person.into_iter().map(|row| row.person_id).collect();
        tx.find_participants(trial, &ids)?
            .pop()
            .filter(|row| caller.sees_site(row.site.as_deref()))
            .ok_or(Refusal::NotFound("participant"))
    })
}
