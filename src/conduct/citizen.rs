//! Citizens' numbers: checked at the door, turned into a pseudonym, and kept nowhere.

use super::Service;
use crate::document::{AnyText, Faults, Object, date_of_birth};
pub use crate::document::{could_be_number, holds_number};
use chrono::NaiveDate;
use serde_json::Value;
use zeroize::Zeroizing;

pub use crate::protocol::CitizenScheme as Scheme;

/// The number by which a citizen is known, on its way to a pseudonym. It has no `Debug`, and its
/// memory is cleared.
pub struct Citizen {
    scheme: Scheme,
    number: Zeroizing<String>,
}

impl Citizen {
    /// Reads `{"scheme", "value"}` of a citizen of a trial, whose protocol names the scheme (one of
    /// release 0.1 may name none, and takes both).
    pub fn read(
        value: &Value,
        path: &str,
        faults: &Faults,
        taken: Option<Scheme>,
        today: NaiveDate,
    ) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let scheme = object.required::<Scheme>("scheme");
        if let (Some(taken), Some(scheme)) = (taken, scheme)
            && taken != scheme
        {
            object.fault(
                "scheme",
                format!("must be {taken}: citizens of this trial are known by it"),
            );
        }
        let number = object
            .required::<AnyText>("value")
            .map(|text| Zeroizing::new(text.0));
        object.finish();
        let (scheme, number) = (scheme?, number?);
        let normal = match scheme {
            Scheme::Cpr => normalised_cpr(&number, today),
            // One person under two schemes would be drawn twice.
            Scheme::Reference if taken.is_some() && holds_number(&number) => {
                Err("must not look like a citizen's number")
            }
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

/// Reads an optional text of a longest length; like every text it must not hold a citizen's number.
pub fn guarded_text(object: &Object, key: &'static str, longest: usize) -> Option<String> {
    let text = object.optional::<String>(key)?;
    if text.chars().count() > longest {
        object.fault(key, format!("must not be longer than {longest} characters"));
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
}
