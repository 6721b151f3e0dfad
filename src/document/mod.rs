//! Reading a JSON document field by field, so that every fault is found at once.
//!
//! `serde` stops at the first fault and repeats the offending text in its message. Here each fault
//! is collected with its path (`arms[1].ratio`), and no message repeats a value: a request's text
//! may hold a citizen's number.

mod citizen_number;
mod strict;

pub use citizen_number::{could_be_number, date_of_birth, holds_number};
pub use strict::{Malformed, parse};

use std::cell::RefCell;
use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Longest text that any field takes, in characters.
pub const LONGEST_TEXT: usize = 2_000;

/// One field that is not usable, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalid {
    /// Path of the field in the document, as in `endpoints[0].horizon_weeks`; empty for the whole.
    pub field: String,
    /// What is wrong with it, without its value.
    pub detail: String,
}

impl Invalid {
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            detail: detail.into(),
        }
    }
}

/// Most faults that are told of one document; one more says that there are others.
const MOST_FAULTS: usize = 99;

/// The faults found so far in one document.
#[derive(Debug, Default)]
pub struct Faults {
    found: RefCell<Vec<Invalid>>,
    /// Texts are not looked through for citizens' numbers.
    trusting: bool,
}

impl Faults {
    /// For a document that was taken before: what is asked of new ones cannot be asked of it any more.
    pub fn trusting() -> Self {
        Self {
            trusting: true,
            ..Self::default()
        }
    }

    /// Notes one fault; beyond the first hundred only that there are more.
    pub fn add(&self, field: impl Into<String>, detail: impl Into<String>) {
        let mut found = self.found.borrow_mut();
        match found.len() {
            0..MOST_FAULTS => found.push(Invalid::new(field, detail)),
            MOST_FAULTS => found.push(Invalid::new("", "has more faults than these")),
            _ => {}
        }
    }

    pub fn is_empty(&self) -> bool {
        self.found.borrow().is_empty()
    }

    /// What was read, where no fault was found; else every fault.
    pub fn settle<T>(self, read: Option<T>) -> Result<T, Vec<Invalid>> {
        match (read, self.found.into_inner()) {
            (Some(read), faults) if faults.is_empty() => Ok(read),
            (None, faults) if faults.is_empty() => Err(vec![Invalid::new("", "could not be read")]),
            (_, faults) => Err(faults),
        }
    }
}

/// A value that one field of a document can hold.
pub trait Field: Sized {
    /// A text that is kept as it is, and must not hold a citizen's number.
    const GUARDED: bool = false;

    /// Reads the value, or says what it must be (never what it was).
    fn read(value: &Value) -> Result<Self, String>;
}

/// The fields of one object of the document.
pub struct Object<'a> {
    map: &'a Map<String, Value>,
    path: String,
    asked: RefCell<BTreeSet<&'static str>>,
    faults: &'a Faults,
}

impl<'a> Object<'a> {
    /// Opens `value`, found at `path`, as an object.
    pub fn open(value: &'a Value, path: impl Into<String>, faults: &'a Faults) -> Option<Self> {
        let path = path.into();
        match value {
            Value::Object(map) => Some(Self {
                map,
                path,
                asked: RefCell::default(),
                faults,
            }),
            _ => {
                faults.add(path, "must be an object");
                None
            }
        }
    }

    /// The path of one of this object's fields.
    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Notes a fault of one of this object's fields.
    pub fn fault(&self, key: &str, detail: impl Into<String>) {
        self.faults.add(self.path_of(key), detail);
    }

    /// Notes a fault at a path that [`entries`](Self::entries) gave.
    pub fn fault_at(&self, path: String, detail: impl Into<String>) {
        self.faults.add(path, detail);
    }

    /// Whether the field is there and not null.
    pub fn has(&self, key: &'static str) -> bool {
        self.value(key).is_some()
    }

    /// The raw value of a field; null counts as absent.
    pub fn value(&self, key: &'static str) -> Option<&'a Value> {
        self.asked.borrow_mut().insert(key);
        self.map.get(key).filter(|value| !value.is_null())
    }

    /// A field that must be there.
    pub fn required<T: Field>(&self, key: &'static str) -> Option<T> {
        match self.value(key) {
            Some(value) => self.typed(key, value),
            None => {
                self.fault(key, "is missing");
                None
            }
        }
    }

    /// A field that may be absent.
    pub fn optional<T: Field>(&self, key: &'static str) -> Option<T> {
        self.value(key).and_then(|value| self.typed(key, value))
    }

    fn typed<T: Field>(&self, key: &str, value: &Value) -> Option<T> {
        read_guarded(value, self.faults)
            .map_err(|detail| self.fault(key, detail))
            .ok()
    }

    /// The elements of a list with their paths; an absent list is empty.
    pub fn list(&self, key: &'static str) -> Vec<(String, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Array(items)) => items
                .iter()
                .enumerate()
                .map(|(i, item)| (format!("{}[{i}]", self.path_of(key)), item))
                .collect(),
            Some(_) => {
                self.fault(key, "must be a list");
                Vec::new()
            }
        }
    }

    /// The elements of a list that are all of one type; an absent list is empty.
    pub fn values<T: Field>(&self, key: &'static str) -> Vec<T> {
        self.list(key)
            .into_iter()
            .filter_map(|(path, item)| {
                read_guarded(item, self.faults)
                    .map_err(|detail| self.faults.add(path, detail))
                    .ok()
            })
            .collect()
    }

    /// An object inside this one.
    pub fn object(&self, key: &'static str) -> Option<Object<'a>> {
        self.value(key)
            .and_then(|value| Object::open(value, self.path_of(key), self.faults))
    }

    /// An object whose keys are chosen by the writer, with the path of each entry.
    pub fn entries(&self, key: &'static str) -> Vec<(String, &'a str, &'a Value)> {
        match self.value(key) {
            None => Vec::new(),
            Some(Value::Object(map)) => map
                .iter()
                .map(|(name, value)| {
                    (
                        format!("{}.{name}", self.path_of(key)),
                        name.as_str(),
                        value,
                    )
                })
                .collect(),
            Some(_) => {
                self.fault(key, "must be an object");
                Vec::new()
            }
        }
    }

    /// Refuses every field that nobody asked for. Call it when all fields have been asked for.
    pub fn finish(&self) {
        let asked = self.asked.borrow();
        for key in self.map.keys().filter(|key| !asked.contains(key.as_str())) {
            self.faults
                .add(self.path_of(&shown_key(key)), "is not a known field");
        }
    }
}

/// Reads a value; a text that is kept must not hold a citizen's number.
fn read_guarded<T: Field>(value: &Value, faults: &Faults) -> Result<T, String> {
    let read = T::read(value)?;
    let text = value.as_str().filter(|_| T::GUARDED && !faults.trusting);
    match text {
        Some(text) if holds_number(text) => Err("must not hold a citizen's number".into()),
        _ => Ok(read),
    }
}

/// A key as it may be shown in an error: cut short, and hidden where it holds a citizen's number.
fn shown_key(key: &str) -> String {
    if key.chars().filter(char::is_ascii_digit).count() >= 6 {
        return "(hidden)".into();
    }
    key.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn text_of(value: &Value) -> Result<&str, String> {
    let text = value.as_str().ok_or("must be a text")?;
    if text.chars().count() > LONGEST_TEXT {
        return Err(format!("must not be longer than {LONGEST_TEXT} characters"));
    }
    // PostgreSQL keeps no NUL, and other control characters forge log lines.
    if text
        .chars()
        .any(|c| c.is_control() && c != '\n' && c != '\t')
    {
        return Err("must not hold control characters".into());
    }
    if text.chars().any(is_invisible) {
        return Err("must not hold invisible characters".into());
    }
    Ok(text)
}

/// Characters that nobody sees and that make two texts of one: soft hyphen, zero-width characters,
/// marks of direction, fillers. They are the Default_Ignorable_Code_Point of Unicode, and blanks that are no
/// white space.
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// A text that may hold a citizen's number, because it is not kept as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnyText(pub String);

impl Field for AnyText {
    fn read(value: &Value) -> Result<Self, String> {
        String::read(value).map(Self)
    }
}

impl Field for String {
    const GUARDED: bool = true;

    fn read(value: &Value) -> Result<Self, String> {
        let text = text_of(value)?.trim();
        if text.is_empty() {
            Err("must not be empty".into())
        } else {
            Ok(text.to_owned())
        }
    }
}

impl Field for bool {
    fn read(value: &Value) -> Result<Self, String> {
        value
            .as_bool()
            .ok_or_else(|| "must be true or false".into())
    }
}

impl Field for f64 {
    fn read(value: &Value) -> Result<Self, String> {
        value
            .as_f64()
            .filter(|x| x.is_finite())
            .ok_or_else(|| "must be a number".into())
    }
}

impl Field for u32 {
    fn read(value: &Value) -> Result<Self, String> {
        value
            .as_u64()
            .and_then(|n| u32::try_from(n).ok())
            .ok_or_else(|| "must be a whole number from 0 to 4294967295".into())
    }
}

impl Field for i64 {
    fn read(value: &Value) -> Result<Self, String> {
        // Numbers beyond 2^53 lose digits in other readers of JSON (RFC 8259, section 6).
        value
            .as_i64()
            .filter(|n| n.unsigned_abs() <= 1 << 53)
            .ok_or_else(|| "must be a whole number".into())
    }
}

impl Field for NaiveDate {
    fn read(value: &Value) -> Result<Self, String> {
        let text = text_of(value)?;
        // The pattern alone would take "+02026-1-1".
        (text.len() == 10)
            .then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok())
            .flatten()
            .filter(|date| chrono::Datelike::year(date) >= 1900)
            .ok_or_else(|| "must be a date of the form YYYY-MM-DD, from 1900 on".into())
    }
}

impl Field for DateTime<Utc> {
    fn read(value: &Value) -> Result<Self, String> {
        DateTime::parse_from_rfc3339(text_of(value)?)
            .ok()
            .map(|time| time.with_timezone(&Utc))
            .filter(|time| (1900..=9999).contains(&chrono::Datelike::year(time)))
            .ok_or_else(|| "must be a time with its zone, as in 2026-03-02T09:30:00Z".into())
    }
}

/// An identifier: letters, digits, `_`, `-` and `.`, at most 100, beginning with a letter or digit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identifier(pub String);

impl Field for Identifier {
    const GUARDED: bool = true;

    fn read(value: &Value) -> Result<Self, String> {
        let text = text_of(value)?;
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if (1..=100).contains(&text.len())
            && text.chars().all(allowed)
            && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        {
            Ok(Self(text.to_owned()))
        } else {
            Err("must be 1 to 100 letters, digits, '_', '-' or '.', beginning with a letter or digit"
                .into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_fault_of_a_document_is_found_at_once_with_its_path() {
        let value = json!({"a": {"n": "x"}, "list": [1, "two"], "extra": 1});
        let faults = Faults::default();
        let object = Object::open(&value, "", &faults).unwrap();
        object.object("a").unwrap().required::<u32>("n");
        object.values::<u32>("list");
        object.required::<String>("absent");
        object.finish();
        let found = faults.settle::<()>(None).unwrap_err();
        let fields: Vec<_> = found.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(fields, ["a.n", "list[1]", "absent", "extra"]);
    }

    #[test]
    fn no_fault_repeats_a_value_or_a_key_that_looks_like_a_citizens_number() {
        let value = json!({"date": "0101901234", "0101901234": true});
        let faults = Faults::default();
        let object = Object::open(&value, "", &faults).unwrap();
        object.required::<NaiveDate>("date");
        object.finish();
        let shown = format!("{:?}", faults.settle::<()>(None).unwrap_err());
        assert!(!shown.contains("0101901234"), "{shown}");
    }

    #[test]
    fn a_key_that_stands_twice_is_no_json() {
        assert!(parse(br#"{"a": 1, "b": {"c": 2}}"#).is_ok());
        assert!(parse(br#"{"a": 1, "b": {"c": 2, "c": 2}}"#).is_err());
        assert!(parse(b"1 2").is_err() && parse(b"").is_err());
        let text = r#"[null, true, -3, 18446744073709551615, 0.1, "\u00e5", {"k": []}]"#;
        assert_eq!(
            parse(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap()
        );
    }

    #[test]
    fn invisible_characters_are_refused() {
        assert!(String::read(&json!("Aalborg\u{200b}")).is_err());
        assert!(String::read(&json!("\u{202e}groblaA")).is_err());
        for c in [
            '\u{3164}',
            '\u{115f}',
            '\u{ffa0}',
            '\u{fe0f}',
            '\u{34f}',
            '\u{2800}',
            '\u{e0100}',
        ] {
            assert!(String::read(&json!(format!("Abc{c}-1"))).is_err(), "{c:?}");
        }
    }

    #[test]
    fn dates_are_whole_days_in_one_spelling() {
        for bad in [
            "2026-02-30",
            "2026-2-3",
            "20260203",
            "1899-12-31",
            "+2026-01-01",
        ] {
            assert!(NaiveDate::read(&json!(bad)).is_err(), "{bad}");
        }
        assert!(NaiveDate::read(&json!("2024-02-29")).is_ok());
    }
}
