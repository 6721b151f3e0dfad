//! A trial as the use cases see it: its status, its protocol, its seed.

use super::fact::{FactKind, body_of};
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::protocol::{self, Protocol};
use crate::randomization::{Secret, Seed, StreamKeys};
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
        /// The final cut is made: nothing more is recorded.
        Locked = "locked",
        /// Arms and payloads are open.
        Unblinded = "unblinded",
        Archived = "archived",
    }
}

impl Status {
    /// Whether the trial has or had participants.
    pub fn has_begun(self) -> bool {
        !matches!(self, Status::Draft | Status::Registered)
    }

    /// Whether outcomes and conversations are still recorded.
    pub fn takes_records(self) -> bool {
        matches!(self, Status::Enrolling | Status::Paused | Status::Closed)
    }

    /// Whether nobody is drawn any more.
    pub fn has_ended(self) -> bool {
        self.has_begun() && !matches!(self, Status::Enrolling | Status::Paused)
    }

    /// Whether arms are no secret any more.
    pub fn is_open(self) -> bool {
        matches!(self, Status::Unblinded | Status::Archived)
    }
}

/// A registration: what was frozen, opened.
pub struct Registration {
    pub number: i32,
    pub version: i32,
    pub protocol: Protocol,
    pub secret: Secret,
    /// None as long as the protocol's public randomness is awaited.
    pub seed: Option<Seed>,
    pub public_value: Option<String>,
    /// What the protocol was hashed with.
    pub salt: [u8; 32],
    pub commitment: String,
    pub protocol_commitment: String,
    pub draw_version: String,
    pub registered_at: chrono::NaiveDateTime,
}

// Protocol and salt in a log would tell block sizes.
impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Registration({})", self.number)
    }
}

impl Registration {
    /// The keys of its streams.
    pub fn keys(&self) -> Result<StreamKeys, Refusal> {
        let seed = self.seed.as_ref().ok_or_else(|| {
            Refusal::Internal("a draw before the public randomness is known".into())
        })?;
        Ok(StreamKeys::new(
            seed,
            &self.protocol.id,
            self.version as u32,
        ))
    }
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
            .ok_or_else(|| self.refuse("it is not registered yet"))
    }

    /// What its status does not allow.
    pub fn refuse(&self, why: impl Into<String>) -> Refusal {
        Refusal::WrongStatus {
            status: self.status.to_string(),
            why: why.into(),
        }
    }
}

/// Registrations that were opened before: they never change once their seed is known.
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
        if !caller.role.may_once_open(right) {
            return Err(Refusal::MissingRight(right));
        }
        let trial = self.store.read(|tx| match tx.find_trial(id)? {
            Some(row) => self.open_trial(tx, row).map(Some),
            None => Ok::<_, Refusal>(None),
        })?;
        // A right that comes with unblinding is missing before, and in a trial that does not exist.
        if !caller.may(right) && !trial.as_ref().is_some_and(|trial| trial.status.is_open()) {
            return Err(Refusal::MissingRight(right));
        }
        trial.ok_or(Refusal::NotFound("trial"))
    }

    /// The trial, locked for changing it.
    pub(super) fn lock_trial(&self, tx: &mut Tx, id: &str) -> Result<Trial, Refusal> {
        let row = tx.lock_trial(id)?.ok_or(Refusal::NotFound("trial"))?;
        self.open_trial(tx, row)
    }

    /// A trial from its row.
    pub(super) fn open_trial(&self, tx: &mut Tx, row: TrialRow) -> Result<Trial, Refusal> {
        let status = Status::parse(&row.status)
            .ok_or_else(|| Refusal::Internal("a trial's status is not known".into()))?;
        // What opens the arms must stand in the ledger: a changed row does not.
        if status.is_open() && !self.is_noted(tx, &row.id, status)? {
            let why = "a trial's status is not the one of its ledger";
            return Err(Refusal::Internal(why.into()));
        }
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

    fn is_noted(&self, tx: &mut Tx, trial: &str, status: Status) -> Result<bool, Refusal> {
        let last = tx.last_fact(trial, FactKind::Status.as_str())?;
        Ok(last.is_some_and(|fact| body_of(&fact.record)["to"] == status.as_str()))
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
        let public_value = tx.find_public_value(trial, number)?.map(|row| row.value);
        let registration = Arc::new(self.open_registration(row, public_value)?);
        if registration.seed.is_none() {
            return Ok(registration);
        }
        cache
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, registration.clone());
        Ok(registration)
    }

    fn open_registration(
        &self,
        row: RegistrationRow,
        public_value: Option<String>,
    ) -> Result<Registration, Refusal> {
        let unseal = |what: &str, sealed: &[u8]| -> Result<[u8; 32], Refusal> {
            self.unseal(&row.trial_id, what, sealed)?
                .try_into()
                .map_err(|_| Refusal::Internal(format!("a {what} is not of 32 bytes")))
        };
        let secret = Secret::new(unseal("seed", &row.sealed_seed)?);
        let protocol = self.open_protocol(&row.trial_id, &row.sealed_protocol)?;
        let seed = match (&protocol.randomization.public_randomness, &public_value) {
            (None, _) => Some(secret.alone()),
            (Some(_), Some(value)) => Some(secret.mixed_with(value)),
            (Some(_), None) => None,
        };
        Ok(Registration {
            number: row.number,
            version: row.version,
            salt: unseal("salt", &row.sealed_salt)?,
            protocol,
            secret,
            seed,
            public_value,
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
