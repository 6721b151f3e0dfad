//! Units of a trial that draws units: let some join, as a batch that is drawn among themselves; and
//! freeze the list of a unit's citizens while its arm is still unknown. Whoever knows the arm could
//! else choose whom to enrol.

use super::citizen::{Citizen, holds_number};
use super::draw::{batches, clusters, known_units, unit_stream};
use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, Trial};
use crate::access::{Caller, Right};
use crate::document::{Faults, Object};
use crate::protocol::canonical::{nfc, sha256};
use crate::protocol::{DrawUnit, Unit, scheme, unit_faults};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Most units of one batch, and citizens of one list.
const MOST: usize = 10_000;

/// A batch on file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Joined {
    pub trial: String,
    pub batch: usize,
    pub units: usize,
}

/// Reads `{units: [{id, factors}]}`.
pub fn read(value: &Value) -> Result<Vec<DrawUnit>, Refusal> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).map(|object| {
        let units = scheme::units(&object, &faults);
        object.finish();
        if (units.is_empty() && faults.is_empty()) || units.len() > MOST {
            object.fault("units", format!("must list from 1 to {MOST} units"));
        }
        for (i, unit) in units.iter().enumerate() {
            let levels = unit
                .factors
                .iter()
                .map(|(name, level)| (format!("factors.{name}"), level));
            for (field, text) in levels.chain([("id".to_owned(), &unit.id)]) {
                if holds_number(text) {
                    faults.add(
                        format!("units[{i}].{field}"),
                        "must not hold a citizen's number",
                    );
                }
            }
        }
        let normal = |unit: DrawUnit| DrawUnit {
            id: nfc(&unit.id),
            factors: unit.factors.iter().map(|(k, v)| (nfc(k), nfc(v))).collect(),
        };
        units.into_iter().map(normal).collect()
    });
    faults.settle(read).map_err(Refusal::Invalid)
}

/// Draws these units as the trial's next batch. Their arms are told with their citizens' enrolments.
pub fn join(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    units: &[DrawUnit],
) -> Result<Joined, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    once(service, caller, idempotency, |tx| {
        let known = service.lock_trial(tx, trial)?;
        let registration = known.registered()?;
        if known.status.has_ended() {
            return Err(known.refuse("enrolment has ended"));
        }
        let Some(batches) = batches(tx, trial, registration)? else {
            return Err(known.refuse("its protocol draws no units"));
        };
        let before = known_units(&batches);
        let mut faults: Vec<_> = unit_faults(&registration.protocol, units)
            .into_iter()
            .map(|(i, fault)| (i, fault.field, fault.detail))
            .collect();
        for (i, unit) in units.iter().enumerate() {
            if before.contains(unit.id.as_str()) {
                faults.push((i, "id".into(), "is a unit of this trial already".into()));
            }
        }
        if !faults.is_empty() {
            let named = faults.into_iter().map(|(i, field, detail)| {
                crate::document::Invalid::new(format!("units[{i}].{field}"), detail)
            });
            return Err(Refusal::Invalid(named.collect()));
        }
        let body = json!({
            "batch": batches.len(), "registration": registration.number, "units": units,
        });
        let fact = Draft::of_trial(FactKind::UnitsJoined, body);
        fact.append(tx, service, trial, caller)?;
        Ok(Joined {
            trial: trial.to_owned(),
            batch: batches.len(),
            units: units.len(),
        })
    })
}

/// The citizens of a unit who are known before its arm is.
#[derive(Debug, Clone)]
pub struct List {
    unit: String,
    pseudonyms: Vec<String>,
}

/// A list on file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Frozen {
    pub trial: String,
    pub unit: String,
    pub citizens: usize,
}

/// Reads `{unit, citizens: [{scheme, value}]}`.
pub fn read_list(service: &Service, trial: &Trial, value: &Value) -> Result<List, Refusal> {
    let scheme = match &trial.registration {
        Some(registration) => registration.protocol.citizen_scheme,
        None => None,
    };
    let faults = Faults::default();
    let today = service.clock.today();
    let read = Object::open(value, "", &faults).and_then(|object| {
        let unit = object.required::<String>("unit").map(|unit| nfc(&unit));
        let listed = object.list("citizens");
        object.finish();
        if listed.is_empty() || listed.len() > MOST {
            object.fault("citizens", format!("must list from 1 to {MOST} citizens"));
            return None;
        }
        let mut pseudonyms = Vec::new();
        for (path, value) in listed {
            if let Some(citizen) = Citizen::read(value, &path, &faults, scheme, today) {
                pseudonyms.push(citizen.pseudonym(service, &trial.id));
            }
        }
        pseudonyms.sort_unstable();
        pseudonyms.dedup();
        let unit = unit?;
        Some(List { unit, pseudonyms })
    });
    faults.settle(read).map_err(Refusal::Invalid)
}

/// Freezes the list of a unit, once, and before anybody of the unit is enrolled.
pub fn freeze(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    list: &List,
) -> Result<Frozen, Refusal> {
    service.trial(caller, trial, Right::Enrol)?;
    once(service, caller, idempotency, |tx| {
        // Locked against every enrolment: none is told the arm meanwhile.
        let known = service.lock_trial(tx, trial)?;
        let registration = known.registered()?;
        if known.status.has_ended() {
            return Err(known.refuse("enrolment has ended"));
        }
        let Some(clusters) = clusters(tx, service, &known)? else {
            return Err(known.refuse("its protocol draws no units, or their seed is awaited"));
        };
        if clusters.of(&list.unit).is_err() {
            return Err(Refusal::field(
                "unit",
                "is not one of those that were drawn",
            ));
        }
        // The sites of a key say nothing of caseworkers: such a key freezes no list of theirs.
        let site = (registration.protocol.unit == Unit::Site).then_some(list.unit.as_str());
        if !caller.sees_site(site) {
            return Err(Refusal::SiteOutOfScope);
        }
        if tx.find_next_index(trial, &unit_stream(&list.unit))? > 0 {
            return Err(known.refuse("the arm of this unit was told before"));
        }
        if tx
            .find_unit_list(trial, registration.number, &list.unit)?
            .is_some()
        {
            return Err(known.refuse("the list of this unit was frozen before"));
        }
        tx.insert_unit_list(trial, registration.number, &list.unit, &list.pseudonyms)?;
        let citizens = list.pseudonyms.len();
        let body = json!({
            "unit": list.unit, "registration": registration.number, "citizens": citizens,
            "digest": hex::encode(sha256(list.pseudonyms.join("\n").as_bytes())),
        });
        let fact = Draft::of_trial(FactKind::UnitList, body);
        fact.append(tx, service, trial, caller)?;
        Ok(Frozen {
            trial: trial.to_owned(),
            unit: list.unit.clone(),
            citizens,
        })
    })
}
