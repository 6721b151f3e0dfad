//! Strata of the draw and their labels.

use crate::protocol::canonical;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A stratum by its levels, as canonical JSON that maps each stratification factor to its level,
/// as in `{"site":"aalborg","target_group":"job_ready"}`; `{}` where there is none.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StratumLabel(String);

impl StratumLabel {
    /// The label of these (factor, level) pairs, in any order.
    pub fn of<'a>(levels: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let map: Map<String, Value> = levels
            .into_iter()
            .map(|(factor, level)| (factor.to_owned(), level.into()))
            .collect();
        Self(canonical::to_string(&Value::Object(map)))
    }

    /// A label in its written form; None for a text that [`StratumLabel::of`] does not write.
    pub fn parse(text: &str) -> Option<Self> {
        let levels: BTreeMap<String, String> = serde_json::from_str(text).ok()?;
        let label = Self::of(
            levels
                .iter()
                .map(|(factor, level)| (factor.as_str(), level.as_str())),
        );
        (label.0 == text).then_some(label)
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The levels as an object.
    pub fn levels(&self) -> Value {
        serde_json::from_str(&self.0).expect("a label is canonical JSON")
    }
}

impl std::fmt::Display for StratumLabel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_canonical_whatever_the_order_and_the_spelling() {
        let label = StratumLabel::of([("target_group", "job_ready"), ("site", "aalborg")]);
        assert_eq!(
            label.as_str(),
            r#"{"site":"aalborg","target_group":"job_ready"}"#
        );
        assert_eq!(StratumLabel::of([]).as_str(), "{}");
        assert_eq!(StratumLabel::parse(label.as_str()), Some(label));
        for other in [
            "",
            "x",
            "[]",
            "{\"a\": \"b\"}",
            "{\"b\":\"1\",\"a\":\"1\"}",
            "{\"a\":1}",
        ] {
            assert_eq!(StratumLabel::parse(other), None, "{other}");
        }
        assert_eq!(
            StratumLabel::of([("s", "a\u{30a}")]),
            StratumLabel::of([("s", "\u{e5}")])
        );
    }
}
