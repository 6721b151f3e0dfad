//! The form of a level that joins by being used, where the protocol does not list the levels.

use super::canonical::nfc;
use crate::document::is_invisible;

/// Longest name of a level, in characters.
const LONGEST: usize = 200;

/// What is wrong with the form of a level. Two spellings that look alike must not be two strata.
pub fn level_fault(level: &str) -> Option<&'static str> {
    if level.is_empty() || level.trim() != level {
        return Some("must be a text without white space at its ends");
    }
    if level.chars().any(|c| c.is_control() || is_invisible(c)) {
        return Some("must not hold control or invisible characters");
    }
    if level.starts_with(['=', '+', '-', '@']) {
        // It would be a formula in the spreadsheet of whoever opens an export.
        return Some("must not begin with =, +, - or @");
    }
    if level.chars().count() > LONGEST {
        return Some("must not be longer than 200 characters");
    }
    if nfc(level) != level {
        return Some("must be in Unicode NFC");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_looks_like_another_level_is_none() {
        for level in ["Aalborg", "Ærø", "Job centre, north"] {
            assert_eq!(level_fault(level), None, "{level}");
        }
        let long = "x".repeat(201);
        for level in [
            "",
            " a",
            "a ",
            "a\u{200b}",
            "a\u{ad}b",
            "=1",
            "@a",
            "a\n",
            "a\u{30a}",
            &long,
        ] {
            assert!(level_fault(level).is_some(), "{level:?}");
        }
    }
}
