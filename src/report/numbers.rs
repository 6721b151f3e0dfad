//! Numbers as they are printed: never more digits than they bear, never a bare estimate.

use crate::analysis::document::{Confidence, Entry};
use crate::analysis::multiplicity::{Comparison, Multiplicity};
use crate::analysis::sequential::Reestimated;
use crate::protocol::Protocol;
use serde_json::Value;
use std::collections::BTreeMap;

/// Four significant digits, at least.
pub(super) fn short(value: f64) -> String {
    let digits = if value == 0.0 {
        4
    } else {
        (3 - value.abs().log10().floor() as i32).clamp(0, 8) as usize
    };
    format!("{value:.digits$}")
}

/// A p-value: four decimals, or that it is below them.
pub(super) fn p_value(value: f64) -> String {
    if value < 0.0001 {
        "< 0.0001".into()
    } else {
        format!("{value:.4}")
    }
}

/// The estimate with its interval, or why there is none.
pub(super) fn estimate(entry: &Entry) -> String {
    match (entry.estimate, entry.confidence) {
        (Some(estimate), Some(limits)) => {
            format!("{} ({})", short(estimate), interval(&limits))
        }
        (None, Some(limits)) => format!("within bounds ({})", interval(&limits)),
        (Some(estimate), None) => short(estimate),
        (None, None) if entry.p_value.is_some() => "a test".into(),
        (None, None) => "not estimated".into(),
    }
}

/// Limits with their level.
pub(super) fn interval(limits: &Confidence) -> String {
    let level = (limits.level * 1_000.0).round() / 10.0;
    format!(
        "{level}% CI {} to {}",
        short(limits.lower),
        short(limits.upper)
    )
}

/// The statistic and p-value.
pub(super) fn test(entry: &Entry) -> String {
    let Some(statistic) = entry.statistic else {
        // An exact test has a p-value and no statistic.
        return entry
            .p_value
            .map_or(String::new(), |p| format!("p {}", p_value(p)));
    };
    let df = statistic
        .df
        .map_or(String::new(), |df| format!(", df {}", short(df)));
    let p = entry
        .p_value
        .map_or(String::new(), |p| format!(", p {}", p_value(p)));
    format!("{} {}{df}{p}", statistic.name, short(statistic.value))
}

/// The numbers behind an entry: participants, and events where there are any.
pub(super) fn counts(entry: &Entry) -> String {
    let arms = entry.n.iter().map(|(arm, n)| match &entry.events {
        Some(events) => format!("{arm} {}/{n}", events.get(arm).copied().unwrap_or(0)),
        None => format!("{arm} n {n}"),
    });
    let mut text = arms.collect::<Vec<_>>().join(", ");
    if entry.missing > 0 {
        text.push_str(&format!(", missing {}", entry.missing));
    }
    text
}

/// What the p-value of a primary estimate is against.
pub(super) fn aim(entry: &Entry) -> Option<String> {
    let (aim, null, alternative) = (entry.aim.as_ref()?, entry.null?, entry.alternative?);
    Some(format!(
        "{}: H0 effect {null}, alternative {alternative}",
        aim.hypothesis
    ))
}

/// The label of an endpoint.
pub(super) fn endpoint_label<'a>(protocol: &'a Protocol, id: &'a str) -> &'a str {
    protocol
        .endpoint(id)
        .map_or(id, |endpoint| endpoint.label.as_str())
}

/// The numbers that an estimator alone gives, a line each; lists are for the JSON.
pub(super) fn details(entry: &Entry) -> Vec<String> {
    let line = |(name, value): (&String, &Value)| {
        detail(value).map(|told| format!("{}: {told}", name.replace('_', " ")))
    };
    entry.details.iter().flatten().filter_map(line).collect()
}

fn detail(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) if number.is_f64() => number.as_f64().map(short),
        Value::Array(_) => None,
        Value::Object(map) => {
            let parts = map
                .iter()
                .map(|(name, value)| Some(format!("{name} {}", detail(value)?)));
            parts
                .collect::<Option<Vec<_>>>()
                .map(|parts| parts.join(", "))
        }
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

/// Counts by arm.
pub(super) fn by_arm(n: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = n.iter().map(|(arm, n)| format!("{arm} {n}")).collect();
    parts.join(", ")
}

/// The method by which several arms share the error.
pub(super) fn planned(several: &Multiplicity) -> String {
    several
        .planned
        .map_or("no method is planned".into(), |method| {
            format!("planned: {method}")
        })
}

/// What the planned method says of one of them.
pub(super) fn shown(comparison: &Comparison) -> &'static str {
    match comparison.shown {
        Some(true) => ", shown",
        Some(false) => ", not shown",
        None => "",
    }
}

/// What the rule of the promising zone advises.
pub(super) fn enlarged(advice: &Reestimated) -> String {
    let participants = advice
        .participants
        .map_or(String::new(), |n| format!(", {n} participants"));
    format!(
        "{} zone, conditional power {}: end at {:.2} of the planned information{participants}, conditional power then {}",
        advice.zone,
        short(advice.conditional_power),
        advice.information,
        short(advice.conditional_power_afterwards)
    )
}

/// The adjusted p-values of one of several arms.
pub(super) fn adjusted(comparison: &Comparison) -> String {
    let parts: Vec<String> = comparison
        .adjusted
        .iter()
        .map(|(method, p)| format!("{method} {}", p_value(*p)))
        .collect();
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_four_significant_digits() {
        assert_eq!(short(0.021565492), "0.02157");
        assert_eq!(short(-5.136021826), "-5.136");
        assert_eq!(short(12345.678), "12346");
        assert_eq!(short(0.0), "0.0000");
        assert_eq!(p_value(0.00004), "< 0.0001");
    }
}
