//! From TOML, JSON or a parsed document to a [`Protocol`], or to every fault of it.

use super::{
    Analysis, Arm, CitizenScheme, EligibilityRule, Endpoint, Factor, FactorKind, Protocol,
    Randomization, SampleSize, Unit, canonical, check,
};
use crate::document::{Faults, Field, Identifier, Invalid, Object};
use serde_json::Value;

/// Largest protocol in TOML, in bytes.
const LARGEST_TOML: usize = 256 * 1024;

/// Most days by which an enrolment may be told after it was agreed.
const MOST_BACKDATED: u32 = 7;

/// Reads a protocol written in JSON.
pub fn from_json(text: &str) -> Result<Protocol, Vec<Invalid>> {
    let value: Value = crate::document::parse(text.as_bytes())
        .map_err(|fault| vec![Invalid::new("", fault.to_string())])?;
    from_value(value)
}

/// Reads the canonical text of a protocol that was taken before.
pub fn from_stored(text: &str) -> Result<Protocol, Vec<Invalid>> {
    let document: Value =
        serde_json::from_str(text).map_err(|_| vec![Invalid::new("", "is not JSON any more")])?;
    read_all(document, Faults::trusting())
}

/// Reads a protocol written in TOML.
pub fn from_toml(text: &str) -> Result<Protocol, Vec<Invalid>> {
    // Tables of tables take a thousand times their text in memory.
    if text.len() > LARGEST_TOML {
        let detail = format!("must not be larger than {LARGEST_TOML} bytes as TOML");
        return Err(vec![Invalid::new("", detail)]);
    }
    let table: toml::Table = text.parse().map_err(|fault: toml::de::Error| {
        let place = fault
            .span()
            .map_or(String::new(), |span| place_of(text, span.start));
        vec![Invalid::new(
            "",
            format!("is not TOML{place}: {}", fault.message()),
        )]
    })?;
    // JSON knows no such numbers and would take them for absent.
    if let Some(key) = not_finite("", &toml::Value::Table(table.clone())) {
        return Err(vec![Invalid::new(key, "must be a finite number")]);
    }
    let value = serde_json::to_value(table)
        .map_err(|_| vec![Invalid::new("", "holds a value that JSON does not know")])?;
    from_value(value)
}

/// The first key whose value is infinite or no number.
fn not_finite(path: &str, value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::Float(number) if !number.is_finite() => Some(path.to_owned()),
        toml::Value::Array(values) => values
            .iter()
            .enumerate()
            .find_map(|(i, value)| not_finite(&format!("{path}[{i}]"), value)),
        toml::Value::Table(table) => table.iter().find_map(|(key, value)| {
            let point = if path.is_empty() { "" } else { "." };
            not_finite(&format!("{path}{point}{key}"), value)
        }),
        _ => None,
    }
}

/// Line and column of a place in a text, as errors tell them.
pub fn place_of(text: &str, offset: usize) -> String {
    let before = &text[..offset.min(text.len())];
    let line = before.matches('\n').count() + 1;
    let column = before
        .rsplit('\n')
        .next()
        .map_or(0, |tail| tail.chars().count())
        + 1;
    format!(": line {line}, column {column}")
}

/// Reads a protocol from a parsed document.
pub fn from_value(document: Value) -> Result<Protocol, Vec<Invalid>> {
    canonical::check(&document).map_err(|fault| vec![fault])?;
    read_all(canonical::normalised(document), Faults::default())
}

fn read_all(document: Value, faults: Faults) -> Result<Protocol, Vec<Invalid>> {
    let protocol = read(&document, &faults);
    if let Some(protocol) = &protocol {
        check::all(protocol, &faults);
    }
    faults.settle(protocol)
}

fn read(document: &Value, faults: &Faults) -> Option<Protocol> {
    let root = Object::open(document, "", faults)?;
    let id = root.required::<Identifier>("id");
    let title = root.required::<String>("title");
    let unit = root.optional::<Unit>("unit").unwrap_or(Unit::Citizen);
    let arms = each(&root, "arms", faults, Arm::read);
    let factors = each(&root, "factors", faults, Factor::read);
    let eligibility = each(&root, "eligibility", faults, EligibilityRule::read);
    let randomization =
        section(&root, "randomization").and_then(|object| Randomization::read(&object, faults));
    let endpoints = each(&root, "endpoints", faults, Endpoint::read);
    let analysis = section(&root, "analysis").and_then(|object| Analysis::read(&object, faults));
    let sample_size = root
        .object("sample_size")
        .map(|object| SampleSize::read(&object));
    let rules = root.optional::<u32>("rules");
    if rules.is_some_and(|rules| !(1..=2).contains(&rules)) {
        root.fault("rules", "must be 1 or 2");
    }
    let citizen_scheme = root.optional::<CitizenScheme>("citizen_scheme");
    let backdate_days = root.optional::<u32>("backdate_days").unwrap_or(0);
    if backdate_days > MOST_BACKDATED {
        root.fault("backdate_days", "must be from 0 to 7");
    }
    root.finish();
    Some(Protocol {
        id: id?.0,
        title: title?,
        unit,
        arms: arms?,
        factors: factors?,
        eligibility: eligibility?,
        randomization: randomization?,
        endpoints: endpoints?,
        analysis: analysis?,
        sample_size,
        rules,
        citizen_scheme,
        backdate_days,
        document: document.clone(),
    })
}

fn section<'a>(root: &Object<'a>, key: &'static str) -> Option<Object<'a>> {
    if !root.has(key) {
        root.fault(key, "is missing");
    }
    root.object(key)
}

/// Reads every element of a list; nothing if one of them could not be read.
fn each<T>(
    root: &Object,
    key: &'static str,
    faults: &Faults,
    read: impl Fn(&Value, String, &Faults) -> Option<T>,
) -> Option<Vec<T>> {
    let read: Vec<Option<T>> = root
        .list(key)
        .into_iter()
        .map(|(path, value)| read(value, path, faults))
        .collect();
    read.into_iter().collect()
}

impl Arm {
    fn read(value: &Value, path: String, faults: &Faults) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let id = object.required::<Identifier>("id").map(|id| id.0);
        let label = object.optional::<String>("label");
        let ratio = object.optional::<u32>("ratio").unwrap_or(1);
        let control = object.optional::<bool>("control").unwrap_or(false);
        let channels = object.values("channels");
        object.finish();
        if !(1..=1_000).contains(&ratio) {
            object.fault("ratio", "must be a whole number from 1 to 1000");
        }
        Some(Self {
            label: label.or_else(|| id.clone())?,
            id: id?,
            ratio,
            control,
            channels,
        })
    }
}

impl Factor {
    fn read(value: &Value, path: String, faults: &Faults) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let id = object.required::<Identifier>("id").map(|id| id.0);
        let label = object.optional::<String>("label");
        let kind = object
            .optional::<FactorKind>("kind")
            .unwrap_or(FactorKind::Level);
        let levels = object.values::<String>("levels");
        let open_levels = object.optional::<bool>("open_levels").unwrap_or(false);
        let stratify = object.optional::<bool>("stratify").unwrap_or(false);
        let codes = object
            .has("codes")
            .then(|| object.values::<String>("codes"));
        object.finish();
        if codes.is_some() && !(open_levels && kind == FactorKind::Level) {
            object.fault("codes", "hold a factor with open_levels");
        }
        if codes
            .as_ref()
            .is_some_and(|codes| codes.is_empty() || codes.len() > 10_000)
        {
            object.fault("codes", "must list from 1 to 10000 levels");
        }
        Some(Self {
            label: label.or_else(|| id.clone())?,
            id: id?,
            kind,
            levels,
            open_levels,
            stratify,
            codes,
        })
    }
}

impl EligibilityRule {
    fn read(value: &Value, path: String, faults: &Faults) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let id = object.required::<Identifier>("id").map(|id| id.0);
        let reason = object.optional::<String>("reason");
        let exclude_if = object.value("exclude_if");
        object.finish();
        let exclude_if = match exclude_if {
            Some(Value::Bool(_) | Value::Number(_)) => exclude_if.cloned(),
            Some(text @ Value::String(_)) => String::read(text).ok().map(Value::String),
            Some(_) => None,
            None => {
                object.fault("exclude_if", "is missing");
                return None;
            }
        };
        if exclude_if.is_none() {
            object.fault("exclude_if", "must be true, false, a text or a number");
        }
        Some(Self {
            reason: reason.or_else(|| id.clone())?,
            id: id?,
            exclude_if: exclude_if?,
        })
    }
}
