//! Follows the protocol's plan over the columns: which estimator, on which endpoint, against what.

use super::baseline;
use super::columns::{Dataset, Values};
use super::document::{Aim, Confidence, DataRef, Document, Entry, ProtocolRef, Software};
use super::estimators::{Comparison, Made, kaplan_meier};
use crate::protocol::{Better, Endpoint, Hypothesis, Protocol};
use crate::statistics::catalogue::{self, Entry as Known};
use crate::statistics::{Alternative, Estimate, Fault, Question};
use std::collections::BTreeMap;

/// Analyses the columns by arm. `digest` names the protocol.
pub fn run(protocol: &Protocol, digest: String, dataset: &Dataset) -> Document {
    let mut estimates = Vec::new();
    for endpoint in endpoints(protocol) {
        for known in estimators(protocol, endpoint) {
            estimates.extend(entries(protocol, dataset, endpoint, known));
        }
    }
    Document {
        protocol: ProtocolRef {
            id: protocol.id.clone(),
            digest,
        },
        data: DataRef {
            rows: dataset.rows(),
            digest: dataset.digest.clone(),
        },
        software: Software::this(),
        flow: dataset.flow.clone(),
        balance: baseline::balance_of(protocol, dataset),
        estimates,
        sequential: None,
        subgroups: Vec::new(),
        warnings: warnings(protocol, dataset),
    }
}

/// The endpoints, the primary one first.
fn endpoints(protocol: &Protocol) -> impl Iterator<Item = &Endpoint> {
    let primary = protocol.endpoint(&protocol.analysis.primary);
    let others = protocol
        .endpoints
        .iter()
        .filter(|e| e.id != protocol.analysis.primary);
    primary.into_iter().chain(others)
}

/// The estimators of an endpoint, the primary one first.
fn estimators(protocol: &Protocol, endpoint: &Endpoint) -> Vec<&'static Known> {
    let mut wanted: Vec<&Known> = match &endpoint.estimators {
        Some(ids) => ids.iter().filter_map(|id| catalogue::find(id)).collect(),
        None => catalogue::defaults(endpoint.outcome()).collect(),
    };
    if let Some(primary) = primary_estimator(protocol, endpoint) {
        wanted.retain(|known| known.id != primary.id);
        wanted.insert(0, primary);
    }
    wanted
}

/// The one primary estimator, where this is the primary endpoint.
fn primary_estimator(protocol: &Protocol, endpoint: &Endpoint) -> Option<&'static Known> {
    (endpoint.id == protocol.analysis.primary)
        .then(|| protocol.primary_estimator(endpoint).ok())
        .flatten()
}

fn entries(
    protocol: &Protocol,
    dataset: &Dataset,
    endpoint: &Endpoint,
    known: &Known,
) -> Vec<Entry> {
    let control = protocol.control();
    if known.id == "kaplan_meier" {
        return (0..protocol.arms.len())
            .map(|arm| one_arm(protocol, dataset, endpoint, known, arm))
            .collect();
    }
    (0..protocol.arms.len())
        .filter(|arm| *arm != control)
        .map(|arm| two_arms(protocol, dataset, endpoint, known, arm))
        .collect()
}

/// A curve of its own for each arm.
fn one_arm(
    protocol: &Protocol,
    dataset: &Dataset,
    endpoint: &Endpoint,
    known: &Known,
    arm: usize,
) -> Entry {
    let question = Question::two_sided(protocol.analysis.confidence_level());
    let Values::Time(times) = &dataset.endpoints[&endpoint.id] else {
        unreachable!("the catalogue lets only times through")
    };
    let observations: Vec<_> = dataset
        .arms
        .iter()
        .zip(times)
        .filter(|(other, _)| **other == arm)
        .filter_map(|(_, observation)| *observation)
        .collect();
    let made = kaplan_meier(&observations, endpoint.horizon_weeks, &question);
    let mut entry = blank(protocol, dataset, endpoint, known, &[arm]);
    entry.arm = Some(protocol.arms[arm].id.clone());
    fill(&mut entry, made, &question);
    entry
}

fn two_arms(
    protocol: &Protocol,
    dataset: &Dataset,
    endpoint: &Endpoint,
    known: &Known,
    arm: usize,
) -> Entry {
    let reference = protocol.control();
    let strata: Vec<String> = protocol
        .analysis_strata()
        .into_iter()
        .map(|factor| factor.id.clone())
        .collect();
    let primary = primary_estimator(protocol, endpoint).is_some_and(|other| other.id == known.id);
    let mut entry = blank(protocol, dataset, endpoint, known, &[arm, reference]);
    entry.arm = Some(protocol.arms[arm].id.clone());
    entry.reference = Some(protocol.arms[reference].id.clone());
    entry.primary = primary;
    if known.stratified {
        entry.stratified_by.clone_from(&strata);
    }
    if !known.made {
        entry
            .warnings
            .push(format!("this version does not make {}", known.id));
        return entry;
    }
    let comparison = Comparison {
        dataset,
        endpoint,
        arm,
        reference,
        strata: &strata,
    };
    let mut question = question(protocol, endpoint, known, primary);
    let made = if primary && protocol.analysis.hypothesis == Hypothesis::Equivalence {
        two_one_sided(
            &comparison,
            known,
            protocol.analysis.margin.unwrap_or_default(),
            &question,
        )
        .map(|(made, reported)| {
            question = reported;
            made
        })
    } else {
        comparison.make(known.id, &question)
    };
    fill(&mut entry, made, &question);
    if primary {
        let analysis = &protocol.analysis;
        entry.aim = Some(Aim {
            hypothesis: analysis.hypothesis,
            margin: analysis.margin,
        });
        if analysis.hypothesis != Hypothesis::Superiority && entry.estimate.is_none() {
            entry
                .warnings
                .push("this estimator cannot be held against a margin".into());
        }
    }
    entry
}

/// The question of a comparison: the primary one is held against the margin, every other against no
/// difference.
fn question(protocol: &Protocol, endpoint: &Endpoint, known: &Known, primary: bool) -> Question {
    let analysis = &protocol.analysis;
    let toward_benefit = match endpoint.better {
        Better::Higher => Alternative::Greater,
        Better::Lower => Alternative::Less,
    };
    let against_margin = primary && analysis.hypothesis == Hypothesis::NonInferiority;
    Question {
        level: analysis.confidence_level(),
        null: if against_margin {
            analysis.margin.unwrap_or_default()
        } else {
            // A ratio of 1 is no difference.
            f64::from(u8::from(known.is_ratio()))
        },
        alternative: if analysis.sides == 1 {
            toward_benefit
        } else {
            Alternative::TwoSided
        },
    }
}

/// Two one-sided tests (Schuirmann 1987): the one that speaks less against its null is reported.
fn two_one_sided(
    comparison: &Comparison,
    known: &Known,
    margin: f64,
    question: &Question,
) -> Result<(Made, Question), Fault> {
    let (low, high) = match known.is_ratio() {
        true => (margin.min(1.0 / margin), margin.max(1.0 / margin)),
        false => (-margin, margin),
    };
    let below = Question {
        null: low,
        alternative: Alternative::Greater,
        ..*question
    };
    let above = Question {
        null: high,
        alternative: Alternative::Less,
        ..*question
    };
    let against_below = comparison.make(known.id, &below)?;
    let against_above = comparison.make(known.id, &above)?;
    let (mut made, reported) = if against_below.estimate.p_value >= against_above.estimate.p_value {
        (against_below, below)
    } else {
        (against_above, above)
    };
    made.estimate.warnings.push(format!(
        "two one-sided tests against {low} and {high}: the larger p-value is given"
    ));
    Ok((made, reported))
}

/// An entry with its counts and no estimate yet.
fn blank(
    protocol: &Protocol,
    dataset: &Dataset,
    endpoint: &Endpoint,
    known: &Known,
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
            .cloned()
            .unwrap_or_default(),
        ..Entry::empty(protocol, &endpoint.id, known.id, "as_randomized")
    }
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
pub(super) fn fill(entry: &mut Entry, made: Result<Made, Fault>, question: &Question) {
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
            .push("no estimate: the values are too large to compute with".into());
        return;
    }
    entry.measure = made.measure;
    entry.estimate = estimate;
    entry.standard_error = standard_error;
    entry.confidence = limits.map(|(lower, upper)| Confidence {
        level: question.level,
        lower,
        upper,
    });
    entry.statistic = statistic;
    entry.p_value = p_value;
    if statistic.is_some() {
        // A test without an estimate has no direction.
        entry.null = estimate.map(|_| question.null);
        entry.alternative = Some(if estimate.is_some() {
            question.alternative
        } else {
            Alternative::TwoSided
        });
    }
    entry.median = made.median;
    entry.curve = made.curve;
    entry.warnings.extend(warnings);
}

fn warnings(protocol: &Protocol, dataset: &Dataset) -> Vec<String> {
    let mut warnings = dataset.warnings.clone();
    if protocol.analysis.looks.is_some() {
        warnings.push(
            "the protocol plans looks: p-values and intervals here are fixed-sample ones and are \
             not held against its boundaries"
                .into(),
        );
    }
    warnings
}
