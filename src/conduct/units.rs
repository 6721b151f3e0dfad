//! Let units join a trial that draws units: the next batch, drawn among themselves.

use super::draw::{batches, known_units};
use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::conduct::citizen::holds_number;
use crate::document::{Faults, Object};
use crate::protocol::canonical::nfc;
use crate::protocol::{DrawUnit, scheme, unit_faults};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Most units of one batch.
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
        if units.is_empty() || units.len() > MOST {
            object.fault("units", format!("must list from 1 to {MOST} units"));
        }
        let texts = |unit: &DrawUnit| {
            let levels = unit.factors.values().any(|level| holds_number(level));
            holds_number(&unit.id) || levels
        };
        if units.iter().any(texts) {
            object.fault("units", "must not hold a citizen's number");
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
        let listed: Vec<Value> = units
            .iter()
            .map(|unit| json!({"id": unit.id, "factors": unit.factors}))
            .collect();
        let body = json!({
            "batch": batches.len(), "registration": registration.number, "units": listed,
        });
        let fact = Draft::of_trial(FactKind::UnitsJoined, body);
        let first = tx.take_sequence(trial, 1)?;
        tx.insert_facts(
            trial,
            first,
            vec![fact.seal(service, caller, service.clock.now())],
        )?;
        Ok(Joined {
            trial: trial.to_owned(),
            batch: batches.len(),
            units: units.len(),
        })
    })
}
