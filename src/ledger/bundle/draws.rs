//! Re-drawing what the records of a ledger say was drawn.

use super::Audience;
use super::opened::Opened;
use crate::protocol::{DrawUnit, Scheme, unit_faults};
use crate::randomization::{DRAW_VERSION, Replay, StratumLabel};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};

/// A record of the ledger whose body is read by its kind.
#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow, default)]
    participant: Option<Cow<'a, str>>,
    #[serde(borrow)]
    body: &'a RawValue,
}

#[derive(Deserialize)]
struct DrawBody<'a> {
    #[serde(borrow)]
    label: Cow<'a, str>,
    /// In a canonical record just the text of the label.
    #[serde(borrow)]
    levels: &'a RawValue,
    index: Option<u64>,
    #[serde(borrow)]
    arm: Cow<'a, str>,
    draw_version: Cow<'a, str>,
    registration: i32,
    #[serde(borrow, default)]
    unit: Option<Cow<'a, str>>,
    batch: Option<u32>,
}

#[derive(Deserialize)]
struct RegistrationBody {
    registration: i32,
    version: u32,
    draw_version: String,
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
    units: Vec<DrawUnit>,
}

#[derive(Deserialize)]
struct StatusBody {
    from: String,
    to: String,
    #[serde(default)]
    drawn: Option<u64>,
}

/// The draws of a ledger, followed record by record.
pub(super) struct Redrawing<'a> {
    registrations: &'a BTreeMap<i32, Opened>,
    /// The registration in force.
    current: Option<i32>,
    /// Registrations whose public value is on file, after their own record and before any draw.
    public_values: HashSet<i32>,
    replay: Option<Replay<'a>>,
    /// Units that joined, by registration and in their order.
    pub joined: BTreeMap<i32, Vec<Vec<DrawUnit>>>,
    participants: HashSet<Box<str>>,
    /// Labels of the registration in force that were found right.
    labels: HashMap<Box<str>, StratumLabel>,
    pub draws: u64,
    /// Where the trial stands.
    status: String,
    /// Whether enrolment has begun.
    enrolling: bool,
    closed: bool,
}

impl<'a> Redrawing<'a> {
    pub fn new(registrations: &'a BTreeMap<i32, Opened>) -> Self {
        Self {
            registrations,
            current: None,
            public_values: HashSet::new(),
            replay: None,
            joined: BTreeMap::new(),
            participants: HashSet::new(),
            labels: HashMap::new(),
            draws: 0,
            status: "registered".into(),
            enrolling: false,
            closed: false,
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

    /// Registrations are numbered from 1, and each is on file: a secret that was taken back shows.
    fn registration(&mut self, told: &RegistrationBody) -> Result<(), String> {
        let number = told.registration;
        let expected = self.current.map_or(1, |current| current + 1);
        if number != expected {
            return Err(format!(
                "registration {number} stands where {expected} should"
            ));
        }
        let registered = &self.opened(number)?.registered;
        if told.commitment != registered.commitment
            || told.protocol_commitment != registered.protocol_commitment
        {
            return Err(format!(
                "the ledger holds other commitments of registration {number}"
            ));
        }
        if told.version != registered.version || told.draw_version != registered.draw_version {
            return Err(format!(
                "the ledger holds another version of registration {number}"
            ));
        }
        if self.enrolling {
            return Err("it was registered anew after enrolment had begun".into());
        }
        if !self.public_values.is_empty() {
            return Err("it was registered anew after the public randomness was known".into());
        }
        self.current = Some(number);
        self.labels.clear();
        self.replay = None;
        Ok(())
    }

    fn public_value(&mut self, told: &PublicBody) -> Result<(), String> {
        let registered = &self.opened(told.registration)?.registered;
        if self.current != Some(told.registration) || self.enrolling {
            return Err(
                "the public randomness does not stand between registration and enrolment".into(),
            );
        }
        if registered.public_randomness.as_deref() != Some(told.value.as_str()) {
            return Err("the ledger holds another value of the public randomness".into());
        }
        self.public_values.insert(told.registration);
        Ok(())
    }

    fn units(&mut self, told: UnitsBody) -> Result<(), String> {
        let number = told.registration;
        if self.current != Some(number) {
            return Err("units joined by a registration that is not in force".into());
        }
        let protocol = &self.opened(number)?.protocol;
        let Scheme::Clusters { units } = &protocol.randomization.scheme else {
            return Err("units joined a trial that draws none".into());
        };
        let before = self.joined.get(&number).into_iter().flatten().flatten();
        let known: HashSet<&str> = before.chain(units).map(|unit| unit.id.as_str()).collect();
        if let Some(unit) = told
            .units
            .iter()
            .find(|unit| known.contains(unit.id.as_str()))
        {
            return Err(format!("the unit {} joined a second time", unit.id));
        }
        if let Some((i, fault)) = unit_faults(protocol, &told.units).first() {
            return Err(format!("units[{i}].{} {}", fault.field, fault.detail));
        }
        // Before the first draw the replay is not begun: it takes up all batches then.
        if let Some(replay) = &mut self.replay {
            replay.join(&told.units);
        }
        self.joined.entry(number).or_default().push(told.units);
        Ok(())
    }

    fn status(&mut self, told: &StatusBody) -> Result<(), String> {
        if told.from != self.status {
            return Err(format!(
                "the trial goes from {} to {}, and was {} before: a change of status is hidden",
                told.from, told.to, self.status
            ));
        }
        self.status.clone_from(&told.to);
        match told.to.as_str() {
            "enrolling" => self.enrolling = true,
            "closed" => self.closed = true,
            _ => return Ok(()),
        }
        match told.drawn {
            _ if self.status != "closed" => Ok(()),
            Some(drawn) if drawn == self.draws => Ok(()),
            Some(drawn) => Err(format!(
                "{drawn} participants were drawn when enrolment closed, and {} draws stand before it",
                self.draws
            )),
            None => Err("the closing does not say how many were drawn".into()),
        }
    }

    /// What a hidden record would hide. Before enrolment there is nothing about persons: a hidden
    /// registration would be a secret that was taken back.
    pub fn hidden(&self, audience: Audience, sequence: u64) -> Result<(), String> {
        let begun = match audience {
            Audience::Auditor | Audience::Full => self.enrolling,
            // Its opening of enrolment is not shown.
            Audience::Public => sequence > 1,
        };
        if begun {
            Ok(())
        } else {
            Err("its record is hidden, and enrolment had not begun".into())
        }
    }

    /// Takes up the draws of the registration in force.
    fn begin(&mut self, number: i32) -> Result<(), String> {
        if self.replay.is_none() {
            self.replay = self.opened(number)?.replay()?;
            if let Some(replay) = &mut self.replay {
                let joined = self.joined.get(&number).into_iter().flatten();
                joined.for_each(|units| replay.join(units));
            }
        }
        Ok(())
    }

    fn draw(&mut self, record: &Record) -> Result<(), String> {
        let told: DrawBody = body(record)?;
        if self.status != "enrolling" {
            return Err("it was drawn while the trial did not enrol".into());
        }
        if self.current != Some(told.registration) {
            return Err("it was drawn by a registration that is not in force".into());
        }
        let participant = record
            .participant
            .as_deref()
            .ok_or("it names no participant")?;
        if !self.participants.insert(participant.into()) {
            return Err(format!("participant {participant} is drawn a second time"));
        }
        self.draws += 1;
        let opened = self.opened(told.registration)?;
        if opened.awaits_public_value() && !self.public_values.contains(&told.registration) {
            return Err("it was drawn before the public randomness was known".into());
        }
        if told.draw_version != DRAW_VERSION {
            return Err("it was drawn by other rules".into());
        }
        let label = match self.labels.get(told.label.as_ref()) {
            Some(known) => known.clone(),
            None => {
                let label = opened.label(&told.label)?;
                self.labels
                    .insert(told.label.as_ref().into(), label.clone());
                label
            }
        };
        if told.levels.get() != label.as_str() {
            return Err(format!("its levels are not those of stratum {label}"));
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
        let drawn = replay
            .next(&label, told.unit.as_deref())
            .map_err(|fault| fault.to_string())?;
        if let Some(unit) = told.unit.as_deref().and_then(|unit| replay.unit(unit))
            && (unit.label != label || told.batch != Some(unit.batch))
        {
            return Err(format!(
                "its unit is of stratum {}, batch {}",
                unit.label, unit.batch
            ));
        }
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

    /// What the ledger as a whole lacks. Without the record of the closing nobody would miss hidden
    /// draws at the end of a stratum.
    pub fn end(&self, audience: Audience) -> Result<(), String> {
        let registrations = self.registrations.len() as i32;
        if self.current != Some(registrations) {
            return Err(format!(
                "the bundle has {registrations} registrations, the ledger shows {}",
                self.current.unwrap_or(0)
            ));
        }
        for (number, opened) in self.registrations {
            let told = opened.registered.public_randomness.is_some();
            if told && !self.public_values.contains(number) {
                return Err(format!(
                    "the ledger does not show the public randomness of registration {number}"
                ));
            }
        }
        if audience != Audience::Public && !self.closed {
            return Err("the ledger does not show the closing of enrolment".into());
        }
        if audience != Audience::Public
            && !["unblinded", "archived"].contains(&self.status.as_str())
        {
            return Err(format!(
                "the trial is {} at the end, and not unblinded",
                self.status
            ));
        }
        Ok(())
    }
}

fn body<'a, T: Deserialize<'a>>(record: &Record<'a>) -> Result<T, String> {
    serde_json::from_str(record.body.get())
        .map_err(|_| format!("the body of its {} cannot be read", record.kind))
}
