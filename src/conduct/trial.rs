//! A trial as the use cases see it: its status, its protocol, its seed.

use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::protocol::{self, Protocol};
use crate::randomization::Seed;
use crate::store::{RegistrationRow, TrialRow, Tx};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

crate::vocabulary! {
    /// Where a trial stands in its life.
    pub enum Status {
        Draft = "draft",
        Registered = "registered",
        Enrolling = "enrolling",
        Paused = "paused",
        Closed = "closed",
    }
}

impl Status {
    /// Whether the trial has or had participants.
    pub fn has_begun(self) -> bool {
        matches!(self, Status::Enrolling | Status::Paused | Status::Closed)
    }
}

/// A registration: what was frozen, opened.
#[derive(Debug)]
pub struct Registration {
    pub number: i32,
    pub version: i32,
    pub protocol: Protocol,
    pub seed: Seed,
    pub commitment: String,
    pub protocol_commitment: String,
    pub draw_version: String,
    pub registered_at: chrono::NaiveDateTime,
}

/// A trial with the registration in force.
#[derive(Debug, Clone)]
pub struct Trial {
    pub id: String,
    pub status: Status,
    /// None while it is a draft.
    pub registration: Option<Arc<Registration>>,
}

impl Trial {
    /// The registration, or why there is none.
    pub fn registered(&self) -> Result<&Arc<Registration>, Refusal> {
        self.registration
            .as_ref()
            .ok_or_else(|| Refusal::WrongStatus {
                status: self.status.to_string(),
                why: "it is not registered yet".into(),
            })
    }
}

/// Registrations that were opened before: they never change.
#[derive(Default)]
pub struct Cache(RwLock<HashMap<(String, i32), Arc<Registration>>>);

/// What the sealed columns are bound to.
pub(super) fn purpose(trial: &str, what: &str) -> String {
    format!("{what}/{trial}")
}

impl Service {
    /// The trial, if the caller has the right and may know of it.
    pub fn trial(&self, caller: &Caller, id: &str, right: Right) -> Result<Trial, Refusal> {
        if !caller.sees_trial(id) {
            return Err(Refusal::NotFound("trial"));
        }
        if !caller.may(right) {
            return Err(Refusal::MissingRight(right));
        }
        self.store.read(|tx| {
            let row = tx.find_trial(id)?.ok_or(Refusal::NotFound("trial"))?;
            self.open_trial(tx, row)
        })
    }

    /// A trial from its row.
    pub(super) fn open_trial(&self, tx: &mut Tx, row: TrialRow) -> Result<Trial, Refusal> {
        let status = Status::parse(&row.status)
            .ok_or_else(|| Refusal::Internal("a trial's status is not known".into()))?;
        let registration = match row.registration {
            0 => None,
            number => Some(self.registration(tx, &row.id, number)?),
        };
        Ok(Trial {
            id: row.id,
            status,
            registration,
        })
    }

    /// A registration by its number.
    pub(crate) fn registration(
        &self,
        tx: &mut Tx,
        trial: &str,
        number: i32,
    ) -> Result<Arc<Registration>, Refusal> {
        let key = (trial.to_owned(), number);
        let cache = &self.trials.0;
        if let Some(known) = cache
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key)
        {
            return Ok(known.clone());
        }
        let row = tx
            .find_registration(trial, number)?
            .ok_or_else(|| Refusal::Internal("a registration is missing".into()))?;
        let registration = Arc::new(self.open_registration(row)?);
        cache
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, registration.clone());
        Ok(registration)
    }

    fn open_registration(&self, row: RegistrationRow) -> Result<Registration, Refusal> {
        let seed = self
            .unseal(&row.trial_id, "seed", &row.sealed_seed)?
            .try_into()
            .map_err(|_| Refusal::Internal("a seed is not of 32 bytes".into()))?;
        Ok(Registration {
            number: row.number,
            version: row.version,
            protocol: self.open_protocol(&row.trial_id, &row.sealed_protocol)?,
            seed: Seed::new(seed),
            commitment: row.commitment,
            protocol_commitment: row.protocol_commitment,
            draw_version: row.draw_version,
            registered_at: row.registered_at,
        })
    }

    /// A sealed protocol, opened and read.
    pub(crate) fn open_protocol(&self, trial: &str, sealed: &[u8]) -> Result<Protocol, Refusal> {
        let text = String::from_utf8(self.unseal(trial, "protocol", sealed)?)
            .map_err(|_| Refusal::Internal("a protocol is not UTF-8".into()))?;
        protocol::from_json(&text)
            .map_err(|faults| Refusal::Internal(format!("a protocol has {} faults", faults.len())))
    }

    pub(super) fn seal_protocol(&self, protocol: &Protocol) -> Vec<u8> {
        self.secrets.seal(
            &purpose(&protocol.id, "protocol"),
            protocol.canonical().as_bytes(),
        )
    }

    fn unseal(&self, trial: &str, what: &str, sealed: &[u8]) -> Result<Vec<u8>, Refusal> {
        self.secrets
            .open(&purpose(trial, what), sealed)
            .map_err(|fault| Refusal::Internal(format!("{what}: {fault}")))
    }
}
