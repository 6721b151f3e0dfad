//! An entry of the document: its counts, and what an estimator made.

use crate::analysis::columns::{Dataset, Values};
use crate::analysis::document::{Confidence, Entry};
use crate::analysis::estimators::Made;
use crate::analysis::follow_up::COMPETING;
use crate::protocol::{Endpoint, Protocol};
use crate::statistics::catalogue::Asked;
use crate::statistics::{Alternative, Estimate, Fault, Question};
use std::collections::BTreeMap;

/// An entry with its counts and no estimate yet.
pub(super) fn blank(
    protocol: &Protocol,
    dataset: &Dataset,
    endpoint: &Endpoint,
    asked: &Asked,
    arms: &[usize],
) -> Entry {
    let values = &dataset.endpoints[&endpoint.id];
    let mut n = BTreeMap::new();
    let mut events = BTreeMap::new();
    let mut missing = 0;
    for &arm in arms {
        let (with_value, with_event, without) = count(dataset, values, arm);
        n.insert(protocol.arms[arm].id.clone(), with_value);
        events.insert(protocol.arms[arm].id.clone(), with_event);
        missing += without;
    }
    Entry {
        n,
        events: (!matches!(values, Values::Number(_))).then_some(events),
        missing,
        warnings: dataset
            .endpoint_warnings
            .get(&endpoint.id)
            .into_iter()
            .flatten()
            .filter(|warning| *warning != COMPETING || !tells_competing(asked))
            .cloned()
            .collect(),
        ..Entry::empty(protocol, &endpoint.id, &asked.name(), "as_randomized")
    }
}

/// Whether the estimator allows for units that were drawn as one.
pub(super) fn allows_for_units(asked: &Asked) -> bool {
    asked.entry.id.ends_with("_clustered") || asked.entry.id == "randomization_test"
}

/// Whether the estimator tells competing events apart.
fn tells_competing(asked: &Asked) -> bool {
    [
        "cumulative_incidence",
        "gray_test",
        "fine_gray",
        "cause_specific_cox",
    ]
    .contains(&asked.entry.id)
}

/// Participants of an arm with a value, with an event, and without a value.
fn count(dataset: &Dataset, values: &Values, arm: usize) -> (u64, u64, u64) {
    let (mut with_value, mut with_event, mut without) = (0, 0, 0);
    for row in (0..dataset.rows()).filter(|row| dataset.arms[*row] == arm) {
        let event = match values {
            Values::Binary(values) => values[row],
            Values::Number(values) => values[row].map(|_| false),
            Values::Time(values) => values[row].map(|observation| observation.event),
        };
        match event {
            Some(event) => {
                with_value += 1;
                with_event += u64::from(event);
            }
            None => without += 1,
        }
    }
    (with_value, with_event, without)
}

/// Writes what was made, or why nothing was, into an entry.
pub(in crate::analysis) fn fill(entry: &mut Entry, made: Result<Made, Fault>, question: &Question) {
    let made = match made {
        Ok(made) => made,
        Err(fault) => {
            entry.warnings.push(format!("no estimate: {fault}"));
            return;
        }
    };
    let Estimate {
        estimate,
        standard_error,
        limits,
        statistic,
        p_value,
        warnings,
    } = made.estimate;
    let numbers = [
        estimate,
        standard_error,
        p_value,
        statistic.map(|s| s.value),
    ];
    let limits_given = limits.into_iter().flat_map(|(lower, upper)| [lower, upper]);
    if numbers
        .into_iter()
        .flatten()
        .chain(limits_given)
        .any(|number| !number.is_finite())
    {
        entry
            .warnings
            .push("no estimate: a number of it is not finite; the values may be too large to compute with".into());
        return;
    }
    let question = made.question.as_ref().unwrap_or(question);
    entry.measure = made.measure;
    entry.details = (!made.details.is_empty()).then_some(made.details);
    entry.estimate = estimate;
    entry.standard_error = standard_error;
    entry.confidence = limits.map(|(lower, upper)| Confidence {
        level: question.level,
        lower,
        upper,
    });
    entry.statistic = statistic;
    entry.p_value = p_value;
    if p_value.is_some() {
        // A test by chi-square has no direction.
        let directed = estimate.is_some() || statistic.is_none();
        entry.null = estimate.map(|_| question.null);
        entry.alternative = Some(if directed {
            question.alternative
        } else {
            Alternative::TwoSided
        });
    }
    entry.median = made.median;
    entry.curve = made.curve;
    entry.warnings.extend(warnings);
}
