//! The form of a level that joins by being used, where the protocol does not list the levels.

use super::canonical::nfc;
use crate::document::is_invisible;
use unicode_normalization::UnicodeNormalization;

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

/// A level as it is kept: in NFC, with one plain space wherever there is white space of any kind.
pub fn folded(level: &str) -> String {
    nfc(&level.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What a level looks like: its skeleton of confusable characters (UTS 39, section 4), case-folded, without
/// white space and characters that show nothing. Two levels of one skeleton cannot be told apart on paper.
pub fn skeleton(level: &str) -> String {
    let shown: String = level
        .nfkc()
        .filter(|c| !c.is_whitespace() && !is_invisible(*c))
        .collect();
    let folded: String = unicode_security::skeleton(&shown)
        .flat_map(char::to_lowercase)
        .collect();
    // What case folding makes may be confusable again; and a capital I, which is folded to i, looks like l.
    unicode_security::skeleton(&folded)
        .map(|c| if c == 'i' { 'l' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_that_look_alike_have_one_skeleton() {
        for (a, b) in [
            ("Vejle Midt", "vejle midt"),
            ("Vejle Midt", "VEJLE MIDT"),
            ("Vejle Midt", "VejleMidt"),
            ("Vejle Midt", "Ve\u{458}le Midt"),
            ("Vejle Midt", "Vejle\u{3164}Midt"),
            ("Vejle-Midt", "Vejle\u{2010}Midt"),
            ("Vejle Midt", "Vej\u{34f}le Midt"),
            ("Aalborg", "AaIborg"),
            ("Aalborg", "Aa1borg"),
            ("Odense", "\u{39f}dense"),
            ("Odense", "0dense"),
            ("Aarhus", "\u{410}arhus"),
            ("Aarhus", "\u{ff21}arhus"),
        ] {
            assert_eq!(skeleton(a), skeleton(b), "{a} and {b}");
        }
        for (a, b) in [
            ("Aalborg", "\u{c5}lborg"),
            ("K\u{f8}ge", "Koge"),
            ("Site 1", "Site 2"),
            ("Herning", "Hobro"),
            ("\u{c6}r\u{f8}", "Aro"),
        ] {
            assert_ne!(skeleton(a), skeleton(b), "{a} and {b}");
        }
    }

    #[test]
    fn white_space_of_any_kind_is_one_plain_space() {
        for text in [
            "Vejle\u{a0}Midt",
            "Vejle\u{2009}Midt",
            "Vejle  Midt",
            " Vejle\tMidt ",
        ] {
            assert_eq!(folded(text), "Vejle Midt");
        }
    }

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
