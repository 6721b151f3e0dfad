//! Reading a request to enrol: its form, and what the protocol says of it.

use super::citizen::{Citizen, could_be_number, guarded_text, holds_number};
use super::trial::Registration;
use super::{Refusal, Service, Trial};
use crate::document::{Faults, Object, is_invisible};
use crate::protocol::{FactorKind, Method, Protocol, SITE, canonical, folded, level_fault};
use crate::randomization::StratumLabel;
use chrono::{Days, NaiveDate};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A citizen who may be enrolled: everything that can be known without looking at the others.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub registration: Arc<Registration>,
    pub pseudonym: String,
    pub site: Option<String>,
    /// Levels of the stratification factors.
    pub label: StratumLabel,
    /// The unit to which the citizen belongs, where units are drawn.
    pub unit: Option<String>,
    /// The day that the enrolment tells.
    pub enrolled_on: NaiveDate,
    /// Time zero, where it is not the day of the draw.
    pub time_zero: Option<NaiveDate>,
    /// Ids of the rules that exclude the citizen.
    pub failed: Vec<String>,
    /// The arm that was drawn elsewhere, with method `external`.
    pub external_arm: Option<String>,
    /// What is recorded of the enrolment.
    pub body: Value,
}

/// Reads a request, or tells every fault of it.
pub fn read(service: &Service, trial: &Trial, value: &Value) -> Result<Candidate, Refusal> {
    let faults = Faults::default();
    let registration = trial.registered()?;
    let candidate = read_with(service, registration, trial.rules, value, &faults);
    faults.settle(candidate).map_err(Refusal::Invalid)
}

fn read_with(
    service: &Service,
    registration: &Arc<Registration>,
    rules: u32,
    value: &Value,
    faults: &Faults,
) -> Option<Candidate> {
    let protocol = &registration.protocol;
    let today = service.clock.today();
    let object = Object::open(value, "", faults)?;
    let citizen = match object.value("citizen") {
        Some(value) => Citizen::read(value, "citizen", faults, protocol.citizen_scheme, today),
        None => {
            object.fault("citizen", "is missing");
            None
        }
    };
    let site = read_site(&object, protocol);
    let enrolled_on = past_date(&object, "enrolled_on", today).unwrap_or(today);
    // Rules 1, and arms drawn elsewhere: time zero is the day that is told. Else it is the day of the draw,
    // and the day that is told may lie a little before it.
    let told = rules < 2 || protocol.randomization.method == Method::External;
    let earliest = today - Days::new(protocol.backdate_days.into());
    if !told && enrolled_on < earliest {
        let detail = match protocol.backdate_days {
            0 => "must be the present day: the protocol takes no earlier one".to_owned(),
            days => format!("must not lie more than {days} days back"),
        };
        object.fault("enrolled_on", detail);
    }
    let unemployed_since = past_date(&object, "unemployed_since", today);
    let factors = read_factors(&object, protocol, faults);
    let (eligibility, failed) = read_eligibility(&object, protocol, faults);
    let consent = object.object("consent").map(|consent| {
        let version = guarded_text(&consent, "version", 100);
        if !consent.has("version") {
            consent.fault("version", "is missing");
        }
        let given_on = past_date(&consent, "given_on", today);
        if !consent.has("given_on") {
            consent.fault("given_on", "is missing");
        }
        consent.finish();
        json!({"version": version, "given_on": given_on})
    });
    let (external_arm, provenance) = read_external(&object, protocol, failed.is_empty());
    object.finish();

    let mut levels: BTreeMap<&str, String> = BTreeMap::new();
    for factor in protocol.stratifiers() {
        let level = if factor.id == SITE {
            site.clone()?
        } else {
            factors.get(&factor.id)?.as_str()?.to_owned()
        };
        levels.insert(&factor.id, level);
    }
    let unit = match protocol.unit_factor() {
        Some(factor) if factor.id == SITE => Some(site.clone()?),
        Some(factor) => Some(factors.get(&factor.id)?.as_str()?.to_owned()),
        None => None,
    };
    let label = StratumLabel::of(levels.iter().map(|(id, level)| (*id, level.as_str())));
    Some(Candidate {
        registration: registration.clone(),
        pseudonym: citizen?.pseudonym(service, &protocol.id),
        label,
        unit,
        enrolled_on,
        time_zero: told.then_some(enrolled_on),
        failed,
        external_arm,
        body: json!({
            "site": site,
            "factors": factors,
            "eligibility": eligibility,
            "enrolled_on": enrolled_on,
            "unemployed_since": unemployed_since,
            "consent": consent,
            "provenance": provenance,
        }),
        site,
    })
}

/// An optional date that must not lie in the future.
pub(super) fn past_date(object: &Object, key: &'static str, today: NaiveDate) -> Option<NaiveDate> {
    let date = object.optional::<NaiveDate>(key)?;
    if date > today {
        object.fault(key, "lies in the future");
        return None;
    }
    Some(date)
}

fn read_site(object: &Object, protocol: &Protocol) -> Option<String> {
    let site = object.optional::<String>("site").map(|site| folded(&site));
    match protocol.factor(SITE) {
        Some(_) if !object.has("site") => {
            object.fault("site", "is missing");
            None
        }
        Some(factor) => {
            let site = site?;
            match check_level(&site, factor.open_levels, &factor.levels) {
                Ok(()) => Some(site),
                Err(detail) => {
                    object.fault("site", detail);
                    None
                }
            }
        }
        None => {
            if object.has("site") {
                object.fault("site", "is not a factor of this protocol");
            }
            None
        }
    }
}

fn check_level(level: &str, open: bool, levels: &[String]) -> Result<(), &'static str> {
    if !open && !levels.iter().any(|known| known == level) {
        return Err("is not a level of this factor");
    }
    if open && let Some(fault) = level_fault(level) {
        return Err(fault);
    }
    if holds_number(level) {
        return Err("must not hold a citizen's number");
    }
    Ok(())
}

fn read_factors(object: &Object, protocol: &Protocol, faults: &Faults) -> Map<String, Value> {
    let mut read = Map::new();
    let mut given: BTreeMap<&str, (String, &Value)> = object
        .entries("factors")
        .into_iter()
        .map(|(path, name, value)| (name, (path, value)))
        .collect();
    for factor in protocol.factors.iter().filter(|factor| factor.id != SITE) {
        let Some((path, value)) = given
            .remove(factor.id.as_str())
            .filter(|(_, v)| !v.is_null())
        else {
            faults.add(format!("factors.{}", factor.id), "is missing");
            continue;
        };
        let checked = match (factor.kind, value) {
            (FactorKind::Number, value) => match value.as_f64().filter(|x| x.is_finite()) {
                Some(x) if could_be_number(x) => Err("must not be a citizen's number"),
                Some(_) => Ok(value.clone()),
                None => Err("must be a number"),
            },
            (FactorKind::Level, Value::String(level)) => {
                let level = folded(level);
                if level.is_empty() || level.chars().any(|c| c.is_control() || is_invisible(c)) {
                    Err("is not a level of this factor")
                } else {
                    check_level(&level, factor.open_levels, &factor.levels)
                        .map(|()| Value::String(level))
                }
            }
            (FactorKind::Level, _) => Err("must be a text"),
        };
        match checked {
            Ok(value) => {
                read.insert(factor.id.clone(), value);
            }
            Err(detail) => faults.add(path, detail),
        }
    }
    for (name, (_, _)) in given {
        let known = name == SITE && protocol.factor(SITE).is_some();
        let detail = if known {
            "is given as the field site"
        } else {
            "is not a known factor"
        };
        let shown = if name.chars().any(|c| c.is_ascii_digit()) {
            "(hidden)"
        } else {
            name
        };
        faults.add(format!("factors.{shown}"), detail);
    }
    read
}

/// The answers to the rules, and the ids of the rules that exclude.
fn read_eligibility(
    object: &Object,
    protocol: &Protocol,
    faults: &Faults,
) -> (Map<String, Value>, Vec<String>) {
    let (mut answers, mut failed) = (Map::new(), Vec::new());
    let mut given: BTreeMap<&str, (String, &Value)> = object
        .entries("eligibility")
        .into_iter()
        .map(|(path, name, value)| (name, (path, value)))
        .collect();
    for rule in &protocol.eligibility {
        let Some((path, value)) = given.remove(rule.id.as_str()).filter(|(_, v)| !v.is_null())
        else {
            faults.add(format!("eligibility.{}", rule.id), "is missing");
            continue;
        };
        let excluded = match (&rule.exclude_if, value) {
            (Value::Bool(bad), Value::Bool(answer)) => Ok(bad == answer),
            (Value::Number(_), Value::Number(answer))
                if answer.as_f64().is_some_and(could_be_number) =>
            {
                Err("must not be a citizen's number")
            }
            (Value::Number(bad), Value::Number(answer)) => Ok(bad.as_f64() == answer.as_f64()),
            (Value::String(bad), Value::String(answer)) => {
                if holds_number(answer) {
                    Err("must not hold a citizen's number")
                } else if answer.chars().any(|c| c.is_control() || is_invisible(c))
                    || answer.len() > 400
                {
                    Err("is not a usable text")
                } else {
                    Ok(*bad == canonical::nfc(answer.trim()))
                }
            }
            (Value::Bool(_), _) => Err("must be true or false"),
            (Value::Number(_), _) => Err("must be a number"),
            _ => Err("must be a text"),
        };
        match excluded {
            Ok(excluded) => {
                answers.insert(rule.id.clone(), value.clone());
                if excluded {
                    failed.push(rule.id.clone());
                }
            }
            Err(detail) => faults.add(path, detail),
        }
    }
    for name in given.keys() {
        let shown = if name.chars().any(|c| c.is_ascii_digit()) {
            "(hidden)"
        } else {
            name
        };
        faults.add(format!("eligibility.{shown}"), "is not a known rule");
    }
    (answers, failed)
}

/// The arm and its provenance where it was drawn elsewhere.
fn read_external(
    object: &Object,
    protocol: &Protocol,
    eligible: bool,
) -> (Option<String>, Option<String>) {
    let arm = object.optional::<String>("arm");
    let provenance = guarded_text(object, "provenance", 500);
    if protocol.randomization.method != Method::External {
        for key in ["arm", "provenance"] {
            if object.has(key) {
                object.fault(key, "cannot be given: the arm is drawn here");
            }
        }
        return (None, None);
    }
    for key in ["arm", "provenance"] {
        if eligible && !object.has(key) {
            object.fault(key, "is missing: arms of this trial are drawn elsewhere");
        }
    }
    if arm
        .as_ref()
        .is_some_and(|arm| protocol.arm_index(arm).is_none())
    {
        object.fault("arm", "is not an arm of this protocol");
    }
    (arm, provenance)
}
