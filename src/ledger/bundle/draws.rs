//! Re-drawing what the records of a ledger say was drawn.

use super::Registered;
use crate::protocol::canonical::sha256;
use crate::protocol::{self, DrawUnit, Method, Protocol};
use crate::randomization::{DRAW_VERSION, Replay, Secret, Seed, StratumLabel, StreamKeys};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

/// A record of the ledger whose body is read by its kind.
#[derive(Deserialize)]
pub(super) struct Record<'a> {
    #[serde(borrow)]
    pub kind: Cow<'a, str>,
    #[serde(borrow, default)]
    pub participant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct DrawBody<'a> {
    #[serde(borrow)]
    label: Cow<'a, str>,
    index: Option<u64>,
    #[serde(borrow)]
    arm: Cow<'a, str>,
    registration: i32,
    #[serde(borrow, default)]
    unit: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct RegistrationBody {
    registration: i32,
    commitment: String,
    protocol_commitment: String,
}

#[derive(Deserialize)]
struct PublicBody {
    registration: i32,
    value: String,
}

#[derive(Deserialize)]
struct UnitsBody {
    registration: i32,
    units: Vec<UnitBody>,
}

#[derive(Deserialize)]
struct UnitBody {
    id: String,
    factors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct StatusBody {
    to: String,
    #[serde(default)]
    drawn: Option<u64>,
}

/// A registration whose commitments hold.
pub(super) struct Opened {
    registered: Registered,
    pub protocol: Protocol,
    secret: Secret,
}

impl Opened {
    /// Opens a registration of a trial: its protocol and secret must be those committed to.
    pub fn open(registered: Registered, trial: &str) -> Result<Self, String> {
        let number = registered.number;
        let fault = |what: &str| format!("registration {number}: {what}");
        if registered.draw_version != DRAW_VERSION {
            return Err(fault("it draws by rules that this version does not know"));
        }
        let protocol = protocol::from_value(registered.protocol.clone())
            .map_err(|_| fault("its protocol cannot be read"))?;
        if protocol.id != trial {
            return Err(fault("its protocol is of another trial"));
        }
        let salt = hex::decode(&registered.protocol_salt)
            .map_err(|_| fault("the salt is not hexadecimal"))?;
        let canonical = protocol.canonical();
        let salted = sha256(&[&salt[..], canonical.as_bytes()].concat());
        if hex::encode(salted) != registered.protocol_commitment {
            return Err(fault("the protocol is not the one that was committed to"));
        }
        let secret = Secret::from_hex(&registered.secret)
            .ok_or_else(|| fault("the secret is not 64 hexadecimal digits"))?;
        let commitment = secret.commitment(trial, &protocol.digest());
        if hex::encode(commitment.0) != registered.commitment {
            return Err(fault("the secret is not the one that was committed to"));
        }
        Ok(Self {
            registered,
            protocol,
            secret,
        })
    }

    fn seed(&self) -> Result<Seed, String> {
        let named = self.protocol.randomization.public_randomness.is_some();
        match &self.registered.public_randomness {
            None if named => Err("the public randomness that the protocol names is missing".into()),
            Some(_) if !named => Err("the protocol names no public randomness".into()),
            None => Ok(self.secret.alone()),
            Some(value) => Ok(self.secret.mixed_with(value)),
        }
    }

    /// The draws of the trial from their beginning; None where arms are drawn elsewhere.
    pub fn replay(&self) -> Result<Option<Replay<'_>>, String> {
        if self.protocol.randomization.method == Method::External {
            return Ok(None);
        }
        let keys = StreamKeys::new(&self.seed()?, &self.protocol.id, self.registered.version);
        Replay::new(&self.protocol, keys)
            .map(Some)
            .map_err(|fault| fault.to_string())
    }
}

/// The draws of a ledger, followed record by record.
pub(super) struct Redrawing<'a> {
    registrations: &'a BTreeMap<i32, Opened>,
    /// The registration in force.
    current: Option<i32>,
    noted: HashSet<i32>,
    /// Registrations whose public value is on file, before their first draw.
    public_values: HashSet<i32>,
    replay: Option<Replay<'a>>,
    participants: HashSet<Box<str>>,
    pub draws: u64,
}

impl<'a> Redrawing<'a> {
    pub fn new(registrations: &'a BTreeMap<i32, Opened>) -> Self {
        Self {
            registrations,
            current: None,
            noted: HashSet::new(),
            public_values: HashSet::new(),
            replay: None,
            participants: HashSet::new(),
            draws: 0,
        }
    }

    /// Follows one record; tells what does not agree.
    pub fn follow(&mut self, text: &str) -> Result<(), String> {
        let record: Record = serde_json::from_str(text)
            .map_err(|_| "its record is not one of a ledger".to_owned())?;
        match record.kind.as_ref() {
            "draw" => self.draw(&record),
            "registration" => self.registration(&body(&record)?),
            "public_randomness" => self.public_value(&body(&record)?),
            "units_joined" => self.units(body(&record)?),
            "status" => self.status(&body(&record)?),
            _ => Ok(()),
        }
    }

    fn opened(&self, number: i32) -> Result<&'a Opened, String> {
        self.registrations
            .get(&number)
            .ok_or_else(|| format!("the bundle lacks registration {number}"))
    }

    fn registration(&mut self, told: &RegistrationBody) -> Result<(), String> {
        let registered = &self.opened(told.registration)?.registered;
        if told.commitment != registered.commitment
            || told.protocol_commitment != registered.protocol_commitment
        {
            return Err(format!(
                "the ledger holds other commitments of registration {}",
                told.registration
            ));
        }
        if self.draws > 0 {
            return Err("it was registered anew after the first draw".into());
        }
        self.noted.insert(told.registration);
        self.current = Some(told.registration);
        self.replay = None;
        Ok(())
    }

    fn public_value(&mut self, told: &PublicBody) -> Result<(), String> {
        let registered = &self.opened(told.registration)?.registered;
        if registered.public_randomness.as_deref() != Some(told.value.as_str()) {
            return Err("the ledger holds another value of the public randomness".into());
        }
        self.public_values.insert(told.registration);
        Ok(())
    }

    fn units(&mut self, joined: UnitsBody) -> Result<(), String> {
        if self.current != Some(joined.registration) {
            return Ok(());
        }
        self.begin(joined.registration)?;
        let units = joined.units.into_iter();
        let units = units.map(|unit| DrawUnit {
            id: unit.id,
            factors: unit.factors,
        });
        if let Some(replay) = &mut self.replay {
            replay.join(units.collect());
        }
        Ok(())
    }

    fn status(&mut self, told: &StatusBody) -> Result<(), String> {
        match told.drawn {
            Some(drawn) if told.to == "closed" && drawn != self.draws => Err(format!(
                "{drawn} participants were drawn when enrolment closed, and {} draws stand before it",
                self.draws
            )),
            _ => Ok(()),
        }
    }

    /// Takes up the draws of the registration in force.
    fn begin(&mut self, number: i32) -> Result<(), String> {
        if self.replay.is_none() {
            self.replay = self.opened(number)?.replay()?;
        }
        Ok(())
    }

    fn draw(&mut self, record: &Record) -> Result<(), String> {
        let told: DrawBody = body(record)?;
        if self.current != Some(told.registration) {
            return Err("it was drawn by a registration that is not in force".into());
        }
        let participant = record.participant.as_deref().unwrap_or_default();
        if !self.participants.insert(participant.into()) {
            return Err(format!("participant {participant} is drawn a second time"));
        }
        self.draws += 1;
        let opened = self.opened(told.registration)?;
        if opened.protocol.randomization.public_randomness.is_some()
            && !self.public_values.contains(&told.registration)
        {
            return Err("it was drawn before the public randomness was known".into());
        }
        self.begin(told.registration)?;
        let protocol = &opened.protocol;
        let Some(replay) = &mut self.replay else {
            let known = protocol.arm_index(&told.arm).is_some();
            return if known {
                Ok(())
            } else {
                Err("the arm is none of the protocol".into())
            };
        };
        let label = StratumLabel::kept(told.label.as_ref().to_owned());
        let drawn = replay
            .next(&label, told.unit.as_deref())
            .map_err(|fault| fault.to_string())?;
        let place = || format!("the draw of stratum {label}");
        if told.index != Some(drawn.index) {
            let index = told.index.map_or("none".into(), |index| index.to_string());
            return Err(format!(
                "{}: the index is {index}, not {}",
                place(),
                drawn.index
            ));
        }
        let arm = &protocol.arms[drawn.arm].id;
        if told.arm != *arm {
            return Err(format!(
                "{}, index {}: the arm is {}, the seed gives {arm}",
                place(),
                drawn.index,
                told.arm
            ));
        }
        Ok(())
    }

    /// What the ledger as a whole lacks.
    pub fn end(&self) -> Result<(), String> {
        match self
            .registrations
            .keys()
            .find(|number| !self.noted.contains(number))
        {
            Some(number) => Err(format!("the ledger has no entry of registration {number}")),
            None => Ok(()),
        }
    }
}

fn body<'a, T: Deserialize<'a>>(record: &Record<'a>) -> Result<T, String> {
    serde_json::from_str(record.body.get())
        .map_err(|_| format!("its {} cannot be read", record.kind))
}
