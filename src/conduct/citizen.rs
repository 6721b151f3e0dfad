//! Citizens' numbers: checked at the door, turned into a pseudonym, and kept nowhere.

use super::Service;
use crate::document::{Faults, Object};
use chrono::NaiveDate;
use serde_json::Value;
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

/// How much of a text may look like a citizen's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strictness {
    /// Ten digits in a row are refused too: for words that people write.
    Words,
    /// Only the form with a hyphen is refused: ids of systems may well be ten digits.
    Ids,
}

/// Whether a text holds what looks like a citizen's number, so that it must not be kept.
pub fn holds_number(text: &str, strictness: Strictness) -> bool {
    let bytes = text.as_bytes();
    let digits = |range: &[u8]| range.iter().all(u8::is_ascii_digit);
    let free = |at: Option<&u8>| at.is_none_or(|b| !b.is_ascii_digit());
    (0..bytes.len()).any(|i| {
        let before = free(i.checked_sub(1).and_then(|j| bytes.get(j)));
        let number = match bytes.get(i..i + 11) {
            Some(window)
                if digits(&window[..6])
                    && matches!(window[6], b'-' | b' ')
                    && digits(&window[7..])
                    && free(bytes.get(i + 11)) =>
            {
                Some([&window[..6], &window[7..]].concat())
            }
            _ => None,
        };
        let number = number.or_else(|| {
            let window = bytes.get(i..i + 10)?;
            (strictness == Strictness::Words && digits(window) && free(bytes.get(i + 10)))
                .then(|| window.to_vec())
        });
        before
            && number
                .and_then(|number| String::from_utf8(number).ok())
                .is_some_and(|number| date_of_birth(&number).is_some())
    })
}

/// Whether a number could be a citizen's: nine or ten digits that begin with a date of birth.
pub fn could_be_number(value: f64) -> bool {
    value.fract() == 0.0
        && (1e8..1e10).contains(&value)
        && date_of_birth(&format!("{value:010.0}")).is_some()
}

/// Reads an optional text that must not hold a citizen's number.
pub fn guarded_text(
    object: &Object,
    key: &'static str,
    strictness: Strictness,
    longest: usize,
) -> Option<String> {
    let text = object.optional::<String>(key)?;
    if text.chars().count() > longest {
        object.fault(key, format!("must not be longer than {longest} characters"));
        return None;
    }
    if holds_number(&text, strictness) {
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
    fn numbers_within_a_text_are_found() {
        use Strictness::*;
        assert!(holds_number("moved, see 010190-1234.", Words));
        assert!(holds_number("0101901234", Words));
        assert!(holds_number("x010190-1234", Ids));
        assert!(!holds_number("0101901234", Ids));
        assert!(!holds_number("90101901234", Words));
        assert!(!holds_number("order 9999999999", Words));
        assert!(!holds_number("tel 33 12 34 56, æøå", Words));
        assert!(could_be_number(3_112_901_234.0) && could_be_number(101_901_234.0));
        assert!(!could_be_number(52_000.0) && !could_be_number(9_999_999_999.0));
    }
}
