//! Finds citizens' numbers in texts, however they are written. One detector serves every text, name,
//! label, level and file: what looks like a number is refused (or, where a system uses it as its own id,
//! kept as a keyed digest), and never repeated.
//!
//! A number is ten digits that begin with a date of birth. They may stand in groups, with up to
//! [`WIDEST`] other signs between two groups, in any script that has decimal digits. Groups that are a date
//! with a four-digit year are none.

use super::is_invisible;
use chrono::NaiveDate;
use unicode_normalization::UnicodeNormalization;

/// Most signs between two groups of one number, as in `( 010190 ) - ( 1234 )`.
const WIDEST: usize = 7;

/// The zeros of the scripts that have decimal digits (Unicode general category Nd); nine more follow each.
const ZEROS: [u32; 41] = [
    0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xde6,
    0xe50, 0xed0, 0xf20, 0x1040, 0x1090, 0x17e0, 0x1810, 0x1946, 0x19d0, 0x1a80, 0x1a90, 0x1b50,
    0x1bb0, 0x1c40, 0x1c50, 0xa620, 0xa8d0, 0xa900, 0xa9d0, 0xa9f0, 0xaa50, 0xabf0, 0x104a0,
    0x11066, 0x110f0, 0x11136, 0x111d0, 0x1e950,
];

/// The value of a decimal digit of any script.
fn digit(c: char) -> Option<u32> {
    if let Some(digit) = c.to_digit(10) {
        return Some(digit);
    }
    let code = u32::from(c);
    // Circled and parenthesized digits that no compatibility form resolves: negative circled, dingbat.
    if let 0x2776..=0x277e | 0x2780..=0x2788 | 0x278a..=0x2792 = code {
        return Some((code - 0x2776) % 10 + 1);
    }
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .map(|zero| code - zero)
}

/// The date of birth in ten digits; the seventh and the year tell the century.
pub fn date_of_birth(digits: &str) -> Option<NaiveDate> {
    let part = |range: std::ops::Range<usize>| digits[range].parse::<i32>().ok();
    let (day, month, year) = (part(0..2)?, part(2..4)?, part(4..6)?);
    let century = match (part(6..7)?, year) {
        (0..=3, _) | (4 | 9, 37..=99) => 1900,
        (4 | 9, 0..=36) | (5..=8, 0..=57) => 2000,
        _ => 1800,
    };
    NaiveDate::from_ymd_opt(century + year, month as u32, day as u32)
}

/// Whether a text holds what looks like a citizen's number, so that it must not be kept.
pub fn holds_number(text: &str) -> bool {
    // Most texts have too few digits to be looked at twice.
    if text
        .chars()
        .filter(|c| !c.is_ascii() || c.is_ascii_digit())
        .count()
        < 10
    {
        return false;
    }
    let mut groups: Vec<String> = Vec::new();
    let mut between = usize::MAX;
    // A fraction stands for itself: its compatibility form would lend its digits to those beside it.
    let plain = text.chars().map(|c| match c {
        '\u{bc}'..='\u{be}' | '\u{2150}'..='\u{215f}' | '\u{2189}' => ' ',
        c => c,
    });
    let plain = plain.filter(|c| !is_invisible(*c));
    for c in plain.nfkc().filter(|c| !is_invisible(*c)) {
        if let Some(digit) = digit(c) {
            if between > WIDEST {
                if holds_within(&groups) {
                    return true;
                }
                groups.clear();
            }
            if between > 0 {
                groups.push(String::new());
            }
            between = 0;
            if let Some(group) = groups.last_mut() {
                group.push(char::from_digit(digit, 10).unwrap_or('0'));
            }
        } else if c.is_alphabetic() {
            between = usize::MAX;
        } else {
            between = between.saturating_add(1);
        }
    }
    holds_within(&groups)
}

/// Whether some groups that follow each other are a number together.
fn holds_within(groups: &[String]) -> bool {
    (0..groups.len()).any(|first| {
        let mut digits = String::new();
        for (count, group) in (1..).zip(&groups[first..]) {
            digits.push_str(group);
            if digits.len() > 10 {
                break;
            }
            if digits.len() == 10 {
                return date_of_birth(&digits).is_some()
                    && !is_date(groups, first, count)
                    && !follows_year(groups, first);
            }
        }
        false
    })
}

/// Whether the groups begin with a date that has its year in four digits, as in `02.03.2026 09` or
/// `2026-03-02 09`. Nobody writes a number so: its year has two digits.
fn is_date(groups: &[String], first: usize, count: usize) -> bool {
    let groups = &groups[first..first + count];
    let lengths: Vec<usize> = groups.iter().map(String::len).collect();
    let (day, month, year) = match lengths.as_slice() {
        [1..=2, 1..=2, 4, ..] => (0, 1, 2),
        [4, 1..=2, 1..=2, ..] => (2, 1, 0),
        _ => return false,
    };
    let number = |at: usize| groups[at].parse::<i32>().unwrap_or(-1);
    let date = NaiveDate::from_ymd_opt(number(year), number(month) as u32, number(day) as u32);
    (1900..2100).contains(&number(year)) && date.is_some()
}

/// Whether the groups are month, day and time after a year: `2026-03-02 09:30:15` from its month on.
fn follows_year(groups: &[String], first: usize) -> bool {
    first > 0
        && groups[first].len() == 2
        && is_date(groups, first - 1, 3.min(groups.len() - first + 1))
}

/// Whether a number could be a citizen's: nine or ten digits that begin with a date of birth.
pub fn could_be_number(value: f64) -> bool {
    let value = value.abs();
    value.fract() == 0.0
        && (1e8..1e10).contains(&value)
        && date_of_birth(&format!("{value:010.0}")).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hundred spellings of the same few numbers.
    const SPELLINGS: [&str; 100] = [
        "0101901234",
        "010190-1234",
        "010190 1234",
        "010190 - 1234",
        "040150 - 0000",
        "040150  -  0000",
        "040150 -- 0000",
        "010190--1234",
        "010190/1234",
        "010190.1234",
        "010190,1234",
        "010190:1234",
        "010190;1234",
        "010190_1234",
        "010190+1234",
        "010190*1234",
        "010190=1234",
        "010190|1234",
        "010190\\1234",
        "010190~1234",
        "010190#1234",
        "010190\u{b7}1234",
        "010190 \u{b7} 1234",
        "010190\u{2022}1234",
        "010190\u{2013}1234",
        "010190\u{2014}1234",
        "010190\u{2212}1234",
        "010190\u{2010}1234",
        "010190\u{2011}1234",
        "010190\u{ad}1234",
        "010190\u{200b}1234",
        "010190\u{a0}1234",
        "010190\u{202f}1234",
        "010190\u{2009}1234",
        "010190\u{3000}1234",
        "010190\t1234",
        "010190\n1234",
        "010190\r\n1234",
        "(010190)1234",
        "(010190) 1234",
        "(010190)(1234)",
        "( 010190 ) ( 1234 )",
        "( 010190 ) - ( 1234 )",
        "[010190]-[1234]",
        "{010190}{1234}",
        "<010190>-<1234>",
        "\"010190\"-\"1234\"",
        "'010190' '1234'",
        "0 1 0 1 9 0 1 2 3 4",
        "0 1 0 1 9 0 - 1 2 3 4",
        "0-1-0-1-9-0-1-2-3-4",
        "0.1.0.1.9.0.1.2.3.4",
        "0, 1, 0, 1, 9, 0, 1, 2, 3, 4",
        "0  1  0  1  9  0  1  2  3  4",
        "01 01 90 1234",
        "01 01 90 12 34",
        "01-01-90-1234",
        "01.01.90-1234",
        "01/01/90 1234",
        "01/01/90, 1234",
        "01:01:90:1234",
        "0101 90 1234",
        "0101-90-1234",
        "0101 901234",
        "01 0190 1234",
        "01019 01234",
        "010 190 1234",
        "010-190-1234",
        "010190 12 34",
        "010190-12-34",
        "010190 1 234",
        "moved, see 010190-1234.",
        "cpr:010190-1234",
        "CPR 010190 1234 (confirmed)",
        "x010190-1234",
        "0101901234-17",
        "17-0101901234",
        "7 010190-1234",
        "a 1 0101901234",
        "0101901234_20260302",
        "no. 3: 010190-1234, no. 4: none",
        "\u{ff10}\u{ff11}\u{ff10}\u{ff11}\u{ff19}\u{ff10}\u{ff11}\u{ff12}\u{ff13}\u{ff14}",
        "\u{ff10}\u{ff11}01901234",
        "\u{660}\u{661}\u{660}\u{661}\u{669}\u{660}\u{661}\u{662}\u{663}\u{664}",
        "\u{660}\u{661}\u{660}\u{661}\u{669}\u{660}-\u{661}\u{662}\u{663}\u{664}",
        "\u{6f0}\u{6f1}\u{6f0}\u{6f1}\u{6f9}\u{6f0} \u{6f1}\u{6f2}\u{6f3}\u{6f4}",
        "\u{966}\u{967}\u{966}\u{967}\u{96f}\u{966}\u{967}\u{968}\u{969}\u{96a}",
        "\u{966}\u{967}\u{966}\u{967}\u{96f}\u{966}-\u{967}\u{968}\u{969}\u{96a}",
        "\u{9e6}\u{9e7}\u{9e6}\u{9e7}\u{9ef}\u{9e6}\u{9e7}\u{9e8}\u{9e9}\u{9ea}",
        "\u{e50}\u{e51}\u{e50}\u{e51}\u{e59}\u{e50}\u{e51}\u{e52}\u{e53}\u{e54}",
        "010190-\u{661}\u{662}\u{663}\u{664}",
        "\u{1d7ce}\u{1d7cf}\u{1d7ce}\u{1d7cf}\u{1d7d7}\u{1d7ce}\u{1d7cf}\u{1d7d0}\u{1d7d1}\u{1d7d2}",
        "\u{2070}\u{b9}\u{2070}\u{b9}\u{2079}\u{2070}\u{b9}\u{b2}\u{b3}\u{2074}",
        "\u{24ea}\u{2460}\u{24ea}\u{2460}\u{2468}\u{24ea}\u{2460}\u{2461}\u{2462}\u{2463}",
        "0\u{301}1\u{301}0\u{301}1\u{301}9\u{301}0\u{301}1\u{301}2\u{301}3\u{301}4\u{301}",
        "010190\u{2026}1234",
        "010190 ... 1234",
        "010190 \u{2192} 1234",
        "290200-4123",
        "311299 / 0007",
    ];

    /// A hundred texts that hold no citizen's number.
    const INNOCENT: [&str; 100] = [
        "",
        "c-17",
        "Aalborg",
        "job centre 12",
        "tel 33 12 34 56, \u{e6}\u{f8}\u{e5}",
        "33 12 34 56",
        "+45 33 12 34 56",
        "+4533123456",
        "(+45) 33 12 34 56",
        "0045 33 12 34 56",
        "88 88 88 88 88",
        "2026-03-02",
        "2026-03-02 09:30",
        "2026-03-02T09:30:00Z",
        "2026-12-31T23:59:59.123456Z",
        "2026-03-02 09:30:15",
        "02.03.2026",
        "02-03-2026",
        "02.03.2026 09:30",
        "02.03.2026 09.30",
        "2.3.2026 kl. 9.30",
        "02/03/2026 14",
        "02-03-2026 14:15",
        "01.01.1990 12",
        "from 02.03.2026 to 27.08.2026",
        "02.03.2026-27.08.2026",
        "02.03.2026 - 27.08.2026",
        "20260302",
        "20260302T0930",
        "202603020930",
        "20260302093015",
        "W10 2026",
        "2027-W10",
        "y_2610",
        "grad_2026_03",
        "9999999999",
        "order 9999999999",
        "90101901234",
        "01019012345",
        "010190123",
        "3201901234",
        "0013901234",
        "0113901234",
        "3002901234",
        "3104901234",
        "2902000123",
        "4504150000",
        "6504150000",
        "7012345678",
        "8812345678",
        "5790001234567",
        "DK12345678",
        "CVR 12345678",
        "EAN 5790000123456",
        "IBAN DK50 0040 0440 1162 43",
        "DK5000400440116243",
        "978-87-02-39876-5",
        "10.1136/bmj.d561",
        "0.010190",
        "3.14159265358979",
        "1,000,000",
        "1 000 000 000",
        "10000000000",
        "37.5 hours",
        "37 hours, 30 minutes",
        "1, 2, 3, 4, 5",
        "1/26, 2/26",
        "18-24, 25-34, 35-44",
        "age 34 to 43",
        "block 4, 6, 8",
        "4 8 15 16 23 42",
        "seed 12345",
        "0x1f2e3d4c5b",
        "a1b2c3d4e5f6a7b8c9d0",
        "b-0123456789abcdef",
        "01890a5d-ac96-774b-bcce-b302099a8057",
        "LAB section 31",
        "law 1750 of 29 December 2025",
        "8000 Aarhus C",
        "9000 Aalborg, 5000 Odense",
        "1050 K\u{f8}benhavn K, 3. tv.",
        "Vestergade 12, 8600 Silkeborg",
        "room 101",
        "version 2026-1",
        "v0.1.0",
        "127.0.0.1:8080",
        "192.168.100.101",
        "255.255.255.255",
        "GB 33 BUKB 2020 1555 5555 55",
        "+1 (555) 010-9999",
        "0800 123 456",
        "112",
        "12:30-13:15",
        "09:30, 10:15",
        "99 of 100",
        "50.0 % (n = 20000)",
        "p = 0.0371",
        "N=20000, alpha=0.025, power=0.9",
        "\u{661}\u{662}\u{663}",
        "week 53 of 2020",
    ];

    #[test]
    fn a_hundred_spellings_are_found() {
        for text in SPELLINGS {
            assert!(holds_number(text), "{text:?}");
        }
        // Fillers are no letters, and a fraction lends no digit.
        for text in [
            "010190\u{3164}1234",
            "010190\u{115f}\u{1160}\u{ffa0}1234",
            "\u{bc}010190-1234",
        ] {
            assert!(holds_number(text), "{text:?}");
        }
    }

    #[test]
    fn a_hundred_innocent_texts_are_let_through() {
        for text in INNOCENT {
            assert!(!holds_number(text), "{text:?}");
        }
    }

    #[test]
    fn a_number_of_nine_or_ten_digits_with_a_date_of_birth_could_be_a_citizens() {
        assert!(could_be_number(3_112_901_234.0) && could_be_number(101_901_234.0));
        assert!(could_be_number(-3_112_901_234.0));
        assert!(!could_be_number(52_000.0) && !could_be_number(9_999_999_999.0));
    }
}
