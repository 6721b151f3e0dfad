//! Register a trial: freeze the protocol, take and seal the seed, publish the commitments.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::trial::purpose;
use super::{Refusal, Service, Status, rules};
use crate::access::{Caller, Right};
use crate::protocol::canonical::sha256;
use crate::protocol::{self, Protocol};
use crate::randomization::{DRAW_VERSION, Secret};
use crate::secrets::random_bytes;
use crate::store::RegistrationRow;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What is public of a registration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Registered {
    pub trial: String,
    /// Counts the registrations of this trial: a second one is a new, visible commitment.
    pub registration: i32,
    /// Version of the protocol.
    pub version: i32,
    pub registered_at: DateTime<Utc>,
    pub draw_version: String,
    /// SHA-256 that binds the service to the secret of which the seed is made.
    pub commitment: String,
    /// SHA-256 over a salt and the canonical protocol: a bare digest would let block sizes be
    /// tried out.
    pub protocol_commitment: String,
}

/// The protocol as it is frozen: with the rules by which the trial is conducted, and with all that a trial
/// must have said by now.
fn registrable(protocol: Protocol) -> Result<Protocol, Refusal> {
    if protocol.citizen_scheme.is_none() {
        let detail = "is missing: cpr or reference, by which all citizens of the trial are known";
        return Err(Refusal::field("citizen_scheme", detail));
    }
    match protocol.rules {
        Some(rules) if rules != rules::PRESENT => {
            let detail = format!(
                "must be {}: new trials take no earlier rules",
                rules::PRESENT
            );
            return Err(Refusal::field("rules", detail));
        }
        Some(_) => return Ok(protocol),
        None => {}
    }
    let mut document = protocol.document;
    document["rules"] = json!(rules::PRESENT);
    protocol::from_value(document).map_err(Refusal::Invalid)
}

/// Registers the newest draft.
pub fn run(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
) -> Result<Registered, Refusal> {
    service.trial(caller, trial, Right::ConductTrial)?;
    once(service, caller, idempotency, |tx| {
        service.check_present_key(tx)?;
        let row = tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
        if ![Status::Draft, Status::Registered]
            .iter()
            .any(|s| row.status == s.as_str())
        {
            return Err(Refusal::WrongStatus {
                status: row.status,
                why: "a trial is registered before enrolment opens".into(),
            });
        }
        if tx.find_public_value(trial, row.registration)?.is_some() {
            return Err(Refusal::WrongStatus {
                status: row.status,
                why: "the value of its public randomness is known: a new secret would be taken by \
                      somebody who knows it"
                    .into(),
            });
        }
        if row.registration > 0 && tx.count_kind(trial, FactKind::UnitsJoined.as_str())? > 0 {
            return Err(Refusal::WrongStatus {
                status: row.status,
                why: "units have joined, which a new registration would not know".into(),
            });
        }
        let draft = tx
            .find_draft(trial)?
            .ok_or_else(|| Refusal::Internal("a trial has no draft".into()))?;
        let protocol = registrable(service.open_protocol(trial, &draft.sealed_protocol)?)?;
        let (secret, salt) = (Secret::new(random_bytes()), random_bytes::<32>());
        let canonical = protocol.canonical();
        let now = service.clock.now();
        let registered = Registered {
            trial: trial.to_owned(),
            registration: row.registration + 1,
            version: 1,
            registered_at: now,
            draw_version: DRAW_VERSION.to_owned(),
            commitment: hex::encode(secret.commitment(trial, &protocol.digest()).0),
            protocol_commitment: hex::encode(sha256(&[&salt[..], canonical.as_bytes()].concat())),
        };
        tx.insert_registration(&RegistrationRow {
            trial_id: trial.to_owned(),
            number: registered.registration,
            version: registered.version,
            sealed_protocol: service.seal_protocol(&protocol),
            sealed_seed: service
                .secrets
                .seal(&purpose(trial, "seed"), secret.bytes()),
            sealed_salt: service.secrets.seal(&purpose(trial, "salt"), &salt),
            draw_version: registered.draw_version.clone(),
            commitment: registered.commitment.clone(),
            protocol_commitment: registered.protocol_commitment.clone(),
            registered_at: now.naive_utc(),
            registered_by: caller.key_id.clone(),
        })?;
        tx.update_trial(trial, Status::Registered.as_str(), registered.registration)?;
        let fact = Draft::of_trial(FactKind::Registration, json!(registered));
        fact.append(tx, service, trial, caller)?;
        Ok(registered)
    })
}
