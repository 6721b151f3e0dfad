//! Canonical JSON after RFC 8785 (JCS), with every string in Unicode NFC.
//!
//! Object keys are sorted by their UTF-16 code units, numbers are written as ECMAScript writes
//! them, and there is no white space: two parties that hold the same document hold the same bytes.

use crate::document::Invalid;
use serde_json::{Map, Number, Value};
use sha2::{Digest, Sha256};
use unicode_normalization::UnicodeNormalization;

/// Deepest nesting that is taken.
const DEEPEST: usize = 32;

/// Refuses what has no canonical form: whole numbers beyond 2^53, nesting beyond reason, and keys
/// that are one after normalisation.
pub fn check(value: &Value) -> Result<(), Invalid> {
    check_at(value, "", 0)
}

fn check_at(value: &Value, path: &str, depth: usize) -> Result<(), Invalid> {
    if depth > DEEPEST {
        return Err(Invalid::new(path, "is nested too deeply"));
    }
    match value {
        Value::Number(number) if !is_exact(number) => Err(Invalid::new(
            path,
            "is a whole number beyond 2^53, which JSON does not keep exactly",
        )),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .try_for_each(|(i, item)| check_at(item, &format!("{path}[{i}]"), depth + 1)),
        Value::Object(map) => {
            let keys: std::collections::BTreeSet<String> = map.keys().map(|key| nfc(key)).collect();
            if keys.len() != map.len() {
                return Err(Invalid::new(
                    path,
                    "holds two keys that are one in Unicode NFC",
                ));
            }
            map.iter().try_for_each(|(key, item)| {
                let dot = if path.is_empty() { "" } else { "." };
                check_at(item, &format!("{path}{dot}{key}"), depth + 1)
            })
        }
        _ => Ok(()),
    }
}

fn is_exact(number: &Number) -> bool {
    match (number.as_i64(), number.as_u64()) {
        (Some(n), _) => n.unsigned_abs() <= 1 << 53,
        (None, Some(_)) => false,
        (None, None) => true,
    }
}

/// The same document with every key and string in NFC.
pub fn normalised(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(nfc(&text)),
        Value::Array(items) => items.into_iter().map(normalised).collect(),
        Value::Object(map) => Value::Object(
            map.into_iter()
                .map(|(key, value)| (nfc(&key), normalised(value)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

/// A text in Unicode Normalization Form C.
pub fn nfc(text: &str) -> String {
    text.nfc().collect()
}

/// The canonical text of a document.
pub fn to_string(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        Value::Number(number) => {
            let float = number.as_f64().unwrap_or_default();
            out.push_str(ryu_js::Buffer::new().format(float));
        }
        Value::String(text) => write_string(text, out),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (nfc(key), value)).collect();
            entries.sort_by(|(a, _), (b, _)| a.encode_utf16().cmp(b.encode_utf16()));
            out.push('{');
            for (i, (key, value)) in entries.into_iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(&key, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.nfc() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// SHA-256 (FIPS 180-4).
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_8785_section_3_2_3_is_reproduced() {
        let value: Value = serde_json::from_str(
            r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
                "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
                "literals": [null, true, false]}"#,
        )
        .unwrap();
        assert_eq!(
            to_string(&value),
            "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
             \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
        );
    }

    #[test]
    fn keys_are_sorted_by_utf_16_code_units() {
        // RFC 8785, section 3.2.3: the sorting example, but for its U+FB33, which NFC decomposes.
        let value: Value = serde_json::from_str(
            "{\"\\u20ac\":1,\"\\r\":2,\"\\uff21\":3,\"1\":4,\"\\ud83d\\ude00\":5,\"\\u0080\":6,\"\\u00f6\":7}",
        )
        .unwrap();
        let text = to_string(&value);
        let order: Vec<char> = text.chars().filter(char::is_ascii_digit).collect();
        // "\r", "1" (the key, then its value 4), U+0080, ö, €, 😀 (a surrogate pair), U+FF21 (beyond it).
        assert_eq!(order, ['2', '1', '4', '6', '7', '1', '5', '3']);
    }

    #[test]
    fn composed_and_decomposed_letters_are_one() {
        let composed = serde_json::json!({"site": "K\u{f8}ge \u{e5}"});
        let decomposed = serde_json::json!({"site": "K\u{f8}ge a\u{30a}"});
        assert_eq!(to_string(&composed), to_string(&decomposed));
    }

    #[test]
    fn whole_numbers_beyond_2_to_53_are_refused_with_their_path() {
        let value = serde_json::json!({"a": [0, 9_007_199_254_740_993_u64]});
        assert_eq!(check(&value).unwrap_err().field, "a[1]");
    }
}
