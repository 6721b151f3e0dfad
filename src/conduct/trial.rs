//! A trial as the use cases see it: its status, its protocol, its seed.

use super::authentic::tampered;
use super::fact::{FactKind, body_of};
use super::{Refusal, Service, rules};
use crate::access::{Caller, Right};
use crate::protocol::canonical::sha256;
use crate::protocol::{self, Protocol};
use crate::randomization::{Secret, Seed, StreamKeys};
use crate::store::{FactRow, RegistrationRow, TrialRow, Tx};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
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
    /// The rules by which it is conducted.
    pub rules: u32,
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
pub struct Cache {
    opened: RwLock<HashMap<(String, i32), Arc<Registration>>>,
    /// Trials whose enrolment has begun, with the registration in force.
    begun: RwLock<HashSet<(String, i32)>>,
}

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
        self.check_status(tx, &row, status)?;
        let registration = match row.registration {
            0 => None,
            number => Some(self.registration(tx, &row.id, number)?),
        };
        let mut trial = Trial {
            id: row.id,
            status,
            registration,
            rules: rules::PRESENT,
        };
        if trial.registration.is_some() {
            trial.rules = rules::of(tx, self, &trial)?;
        }
        Ok(trial)
    }

    /// A trial stands where its last facts say: a changed row, or an old one, is refused.
    fn check_status(&self, tx: &mut Tx, row: &TrialRow, status: Status) -> Result<(), Refusal> {
        let last = |tx: &mut Tx, kind: FactKind| -> Result<Option<FactRow>, Refusal> {
            let fact = tx.last_fact(&row.id, kind.as_str())?;
            if let Some(fact) = &fact {
                self.check_fact(tx, &row.id, fact)?;
            }
            Ok(fact)
        };
        let changed = last(tx, FactKind::Status)?;
        let said = match &changed {
            Some(fact) => body_of(&fact.record)["to"].clone(),
            None => Value::Null,
        };
        // Once enrolment has begun the registration never changes: it is looked up once.
        let place = (row.id.clone(), row.registration);
        let known = &self.trials.begun;
        let seen = |known: &HashSet<_>| changed.is_some() && known.contains(&place);
        let registered = if seen(&known.read().unwrap_or_else(PoisonError::into_inner)) {
            i64::from(row.registration)
        } else {
            let fact = last(tx, FactKind::Registration)?;
            let number = fact.map_or(0, |fact| {
                body_of(&fact.record)["registration"].as_i64().unwrap_or(0)
            });
            if changed.is_some() && number == i64::from(row.registration) {
                known
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(place);
            }
            number
        };
        let expected = match (registered, said.as_str()) {
            (0, None) => Some(Status::Draft),
            (_, None) => Some(Status::Registered),
            (_, Some(to)) => Status::parse(to),
        };
        if expected == Some(status) && registered == i64::from(row.registration) {
            return Ok(());
        }
        let number = changed.map(|fact| fact.sequence);
        let why = "the row of the trial is not what its last change of status says";
        Err(tampered(&row.id, number, why))
    }

    /// A registration by its number.
    pub(crate) fn registration(
        &self,
        tx: &mut Tx,
        trial: &str,
        number: i32,
    ) -> Result<Arc<Registration>, Refusal> {
        let key = (trial.to_owned(), number);
        let cache = &self.trials.opened;
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
        self.check_registration(tx, trial, &registration)?;
        if registration.seed.is_none() {
            return Ok(registration);
        }
        cache
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, registration.clone());
        Ok(registration)
    }

    /// A registration is the one that its facts committed to.
    fn check_registration(
        &self,
        tx: &mut Tx,
        trial: &str,
        opened: &Registration,
    ) -> Result<(), Refusal> {
        let facts = tx.list_facts(trial, FactKind::Registration.as_str(), i64::MAX)?;
        let of_number = |body: &Value| body["registration"] == opened.number;
        let canonical = opened.protocol.canonical();
        let salted = sha256(&[&opened.salt[..], canonical.as_bytes()].concat());
        let commitment = opened.secret.commitment(trial, &opened.protocol.digest());
        let mut holds = false;
        for fact in self.checked(tx, trial, facts)? {
            let body = body_of(&fact.record);
            holds |= of_number(&body)
                && body["commitment"] == hex::encode(commitment.0)
                && body["protocol_commitment"] == hex::encode(salted)
                && body["version"] == opened.version;
        }
        let given = tx.list_facts(trial, FactKind::PublicRandomness.as_str(), i64::MAX)?;
        let given = self.checked(tx, trial, given)?;
        let given = given
            .iter()
            .map(|fact| body_of(&fact.record))
            .rfind(of_number);
        holds &=
            given.map(|body| body["value"].clone()) == opened.public_value.clone().map(Value::from);
        match holds {
            true => Ok(()),
            false => Err(tampered(
                trial,
                None,
                "a registration is not the one that was committed to",
            )),
        }
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
        protocol::from_stored(&text)
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
