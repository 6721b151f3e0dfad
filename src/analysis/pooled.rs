//! The analysis that a statistician sees while the trial is blinded: all arms as one.
//!
//! Endpoints that would show the arm ([`Protocol::shows_arm`]) are left out. Nothing here may be computed by arm, not even a count.

use super::columns::{Dataset, Values};
use super::document::{DataRef, Document, Entry, ProtocolRef, Software};
use super::estimators::{Made, counts, kaplan_meier};
use super::plan::fill;
use crate::protocol::{Endpoint, Protocol};
use crate::statistics::proportions::wilson;
use crate::statistics::survival::Limits;
use crate::statistics::{ARM, Estimate, Fault, Question, means};
use std::collections::BTreeMap;

/// Analyses the columns without the arms.
pub fn run(protocol: &Protocol, digest: String, dataset: &Dataset) -> Document {
    let mut flow = dataset.flow.clone();
    flow.arms = None;
    let shown = |endpoint: &&Endpoint| !protocol.shows_arm(endpoint);
    let mut warnings = dataset.warnings.clone();
    warnings.push("the trial is blinded: all arms are analysed as one".into());
    let withheld: Vec<&str> = protocol
        .endpoints
        .iter()
        .filter(|endpoint| protocol.shows_arm(endpoint))
        .map(|endpoint| endpoint.label.as_str())
        .collect();
    if !withheld.is_empty() {
        warnings.push(format!(
            "withheld because they would show the arm: {}",
            withheld.join("; ")
        ));
    }
    Document {
        protocol: ProtocolRef {
            id: protocol.id.clone(),
            digest,
        },
        data: DataRef {
            rows: dataset.rows(),
            digest: dataset.digest.clone(),
            root: dataset.root.clone(),
        },
        software: Software::this(),
        flow,
        balance: Vec::new(),
        balance_test: Vec::new(),
        sample_ratio: Vec::new(),
        multiplicity: None,
        estimates: protocol
            .endpoints
            .iter()
            .filter(shown)
            .map(|endpoint| entry(protocol, dataset, endpoint))
            .collect(),
        sequential: None,
        subgroups: Vec::new(),
        warnings,
    }
}

fn entry(protocol: &Protocol, dataset: &Dataset, endpoint: &Endpoint) -> Entry {
    let question = Question::two_sided(protocol.analysis.confidence_level());
    let (estimator, n, events, made) = match &dataset.endpoints[&endpoint.id] {
        Values::Binary(values) => {
            let known: Vec<bool> = values.iter().copied().flatten().collect();
            let events = known.iter().filter(|event| **event).count();
            (
                "pooled_proportion",
                known.len(),
                Some(events),
                proportion(&known, &question),
            )
        }
        Values::Number(values) => {
            let known: Vec<f64> = values.iter().copied().flatten().collect();
            let made = means::mean(&known, &question).map(|estimate| made("mean", estimate));
            ("pooled_mean", known.len(), None, made)
        }
        Values::Time(values) => {
            let known: Vec<_> = values.iter().copied().flatten().collect();
            let events = known.iter().filter(|observation| observation.event).count();
            let made = kaplan_meier(&known, endpoint.horizon_weeks, Limits::LogLog, &question);
            ("pooled_kaplan_meier", known.len(), Some(events), made)
        }
    };
    let all = |value: usize| BTreeMap::from([("all".to_owned(), value as u64)]);
    let mut entry = Entry {
        n: all(n),
        events: events.map(all),
        missing: (dataset.rows() - n) as u64,
        warnings: dataset
            .endpoint_warnings
            .get(&endpoint.id)
            .cloned()
            .unwrap_or_default(),
        ..Entry::empty(protocol, &endpoint.id, estimator, "pooled")
    };
    fill(&mut entry, made, &question);
    // No null hypothesis is tested of the pooled sample.
    (
        entry.statistic,
        entry.p_value,
        entry.null,
        entry.alternative,
    ) = (None, None, None, None);
    entry
}

fn made(measure: &'static str, estimate: Estimate) -> Made {
    Made {
        estimate,
        measure: Some(measure),
        ..Made::default()
    }
}

/// The share of events with Wilson's limits.
fn proportion(values: &[bool], question: &Question) -> Result<Made, Fault> {
    let counts = counts(values);
    if counts.n == 0 {
        return Err(Fault::EmptyArm(ARM));
    }
    let share = counts.events as f64 / counts.n as f64;
    let estimate = Estimate {
        estimate: Some(share),
        standard_error: Some((share * (1.0 - share) / counts.n as f64).sqrt()),
        limits: Some(wilson(counts, question.z())),
        ..Estimate::default()
    };
    Ok(made("proportion", estimate))
}
