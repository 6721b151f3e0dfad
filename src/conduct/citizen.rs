//! Citizens' numbers: checked at the door, turned into a pseudonym, and kept nowhere.

use super::Service;
use crate::document::{Faults, Object, is_invisible};
use chrono::NaiveDate;
use serde_json::Value;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

crate::vocabulary! {
    /// Which numbers a citizen is known by.
    pub enum Scheme {
        /// The Danish civil registration number.
        Cpr = "cpr",
        /// A reference of the caller's own.
        Reference = "reference",
    }
}

/// The number by which a citizen is known, on its way to a pseudonym. It has no `Debug`, and its
/// memory is cleared.
pub struct Citizen {
    scheme: Scheme,
    number: Zeroizing<String>,
}

impl Citizen {
    /// Reads `{"scheme", "value"}`.
    pub fn read(value: &Value, path: &str, faults: &Faults, today: NaiveDate) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let scheme = object.required::<Scheme>("scheme");
        let number = object.required::<String>("value").map(Zeroizing::new);
        object.finish();
        let (scheme, number) = (scheme?, number?);
        let normal = match scheme {
            Scheme::Cpr => normalised_cpr(&number, today),
            Scheme::Reference => reference(&number),
        };
        match normal {
            Ok(number) => Some(Self {
                scheme,
                number: Zeroizing::new(number),
            }),
            Err(detail) => {
                object.fault("value", detail);
                None
            }
        }
    }

    /// The citizen's pseudonym in one trial.
    pub fn pseudonym(&self, service: &Service, trial: &str) -> String {
        service
            .secrets
            .pseudonym(trial, self.scheme.as_str(), &self.number)
    }
}

fn reference(text: &str) -> Result<String, &'static str> {
    if text.chars().count() > 100 {
        return Err("must not be longer than 100 characters");
    }
    Ok(crate::protocol::canonical::nfc(text))
}

/// Ten digits, with or without a hyphen or space after the sixth, that begin with a date of birth.
/// The modulus-11 check is left out: numbers given since 2007 need not pass it.
fn normalised_cpr(text: &str, today: NaiveDate) -> Result<String, &'static str> {
    let digits: String = match text.len() {
        11 if matches!(text.as_bytes()[6], b'-' | b' ') => [&text[..6], &text[7..]].concat(),
        _ => text.to_owned(),
    };
    if digits.len() != 10 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("must be ten digits, as in DDMMYY-NNNN");
    }
    match date_of_birth(&digits) {
        Some(born) if born <= today => Ok(digits),
        Some(_) => Err("begins with a date in the future"),
        None => Err("does not begin with a date of birth"),
    }
}

/// The date of birth in ten digits; the seventh and the year tell the century.
fn date_of_birth(digits: &str) -> Option<NaiveDate> {
    let part = |range: std::ops::Range<usize>| digits[range].parse::<i32>().ok();
    let (day, month, year) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let century = match (part(6..7)?, year) {
        (0..=3, _) | (4 | 9, 37..=99) => 1900,
        (4 | 9, 0..=36) | (5..=8, 0..=57) => 2000,
        _ => 1800,
    };
    NaiveDate::from_ymd_opt(century + year, month as u32, day as u32)
}

/// Whether a text holds what looks like a citizen's number, so that it must not be kept: groups of
/// digits, one after the other with up to two separators between, that are ten digits together and
/// begin with a date of birth. More digits may stand before and after such groups.
pub fn holds_number(text: &str) -> bool {
    // The groups that follow each other closely enough; another sign starts anew.
    let mut groups: Vec<String> = Vec::new();
    let mut between = usize::MAX;
    for c in text.nfkc().filter(|c| !is_invisible(*c)) {
        match c.to_digit(10) {
            Some(digit) => {
                if between > 2 {
                    groups.clear();
                }
                if between > 0 {
                    groups.push(String::new());
                }
                between = 0;
                if let Some(group) = groups.last_mut() {
                    group.push(char::from_digit(digit, 10).unwrap_or('0'));
                }
            }
            None => {
                if between == 0 && ends_with_number(&groups) {
                    return true;
                }
                between = if is_separator(c) {
                    between.saturating_add(1)
                } else {
                    usize::MAX
                };
            }
        }
    }
    between == 0 && ends_with_number(&groups)
}

/// Whether the last groups together are ten digits that begin with a date of birth.
fn ends_with_number(groups: &[String]) -> bool {
    let mut digits = String::new();
    for group in groups.iter().rev() {
        digits.insert_str(0, group);
        if digits.len() >= 10 {
            break;
        }
    }
    digits.len() == 10 && date_of_birth(&digits).is_some()
}

fn is_separator(c: char) -> bool {
    c.is_whitespace()
        || matches!(
            c,
            '-' | '.' | '/' | '_' | '\u{2010}'..='\u{2015}' | '\u{2212}'
        )
}

/// Whether a number could be a citizen's: nine or ten digits that begin with a date of birth.
pub fn could_be_number(value: f64) -> bool {
    value.fract() == 0.0
        && (1e8..1e10).contains(&value)
        && date_of_birth(&format!("{value:010.0}")).is_some()
}

/// Reads an optional text that must not hold a citizen's number.
pub fn guarded_text(object: &Object, key: &'static str, longest: usize) -> Option<String> {
    let text = object.optional::<String>(key)?;
    if text.chars().count() > longest {
        object.fault(key, format!("must not be longer than {longest} characters"));
        return None;
    }
    if holds_number(&text) {
        object.fault(key, "must not hold a citizen's number");
        return None;
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 11, 21).unwrap()
    }

    #[test]
    fn spellings_of_one_number_are_one() {
        for text in ["0101901234", "010190-1234", "010190 1234"] {
            assert_eq!(normalised_cpr(text, today()), Ok("0101901234".into()));
        }
    }

    #[test]
    fn the_form_and_the_date_are_checked() {
        for bad in [
            "010190123",
            "01019012345",
            "010190/1234",
            "3002901234",
            "0113901234",
            "01O1901234",
            "０101901234",
        ] {
            assert!(normalised_cpr(bad, today()).is_err(), "{bad}");
        }
        // 29 February: 2000 was a leap year (seventh digit 4), 1900 was not (seventh digit 0).
        assert!(normalised_cpr("2902004123", today()).is_ok());
        assert!(normalised_cpr("2902000123", today()).is_err());
        // 31 December 2026 has not come yet.
        assert!(normalised_cpr("3112264123", today()).is_err());
    }

    #[test]
    fn numbers_within_a_text_are_found_in_any_spelling() {
        for text in [
            "0101901234-17",
            "7 010190-1234",
            "0101901234_20260302",
            "17-0101901234",
            "a 1 0101901234",
            "moved, see 010190-1234.",
            "0101901234",
            "x010190-1234",
            "010190\u{2013}1234",
            "010190--1234",
            "0101 90 1234",
            "01.01.90-1234",
            "010190\u{ad}1234",
            "010190\u{200b}1234",
            "010190\u{a0}1234",
            "\u{ff10}\u{ff11}01901234",
        ] {
            assert!(holds_number(text), "{text}");
        }
        for text in [
            "90101901234",
            "order 9999999999",
            "tel 33 12 34 56, \u{e6}\u{f8}\u{e5}",
            "2026-03-02 09:30",
            "c-17",
            "",
        ] {
            assert!(!holds_number(text), "{text}");
        }
        assert!(could_be_number(3_112_901_234.0) && could_be_number(101_901_234.0));
        assert!(!could_be_number(52_000.0) && !could_be_number(9_999_999_999.0));
    }
}
