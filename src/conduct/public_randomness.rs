//! Mix public randomness into the seed: a value that nobody could know when the service committed
//! itself to its secret, so that nobody, the operator included, chose the seed.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, Status};
use crate::access::{Caller, Right};
use crate::document::{AnyText, Faults, Object};
use crate::protocol::canonical::nfc;
use crate::store::PublicValueRow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Longest value, in characters.
const LONGEST: usize = 1_000;

/// A public value on file.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Given {
    pub trial: String,
    pub registration: i32,
    /// The source, as the protocol names it.
    pub source: String,
    pub value: String,
}

/// Reads `{value}`.
pub fn read(value: &Value) -> Result<String, Refusal> {
    let faults = Faults::default();
    let read = Object::open(value, "", &faults).and_then(|object| {
        // Not looked through for citizens' numbers: it is public, and may hold any run of digits.
        let AnyText(value) = object.required("value")?;
        if value.chars().count() > LONGEST {
            let detail = format!("must not be longer than {LONGEST} characters");
            object.fault("value", detail);
        }
        object.finish();
        Some(nfc(&value))
    });
    faults.settle(read).map_err(Refusal::Invalid)
}

/// Writes the value of the public source to the ledger, once for each registration.
pub fn give(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    value: &str,
) -> Result<Given, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    once(service, caller, idempotency, |tx| {
        let known = service.lock_trial(tx, trial)?;
        let registration = known.registered()?;
        let Some(source) = &registration.protocol.randomization.public_randomness else {
            return Err(known.refuse("its protocol names no public randomness"));
        };
        if registration.public_value.is_some() {
            return Err(known.refuse("the value of its public randomness was given before"));
        }
        if known.status != Status::Registered {
            return Err(known.refuse("the value is given before enrolment begins"));
        }
        let now = service.clock.now();
        tx.insert_public_value(&PublicValueRow {
            trial_id: trial.to_owned(),
            registration: registration.number,
            value: value.to_owned(),
            given_at: now.naive_utc(),
            given_by: caller.key_id.clone(),
        })?;
        let given = Given {
            trial: trial.to_owned(),
            registration: registration.number,
            source: source.clone(),
            value: value.to_owned(),
        };
        let fact = Draft::of_trial(FactKind::PublicRandomness, json!(given));
        fact.append(tx, service, trial, caller)?;
        Ok(given)
    })
}
