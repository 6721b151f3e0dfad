//! The effect by level of each factor, with a test that it is one.
//!
//! Small cells are not told: where a level holds fewer than [`SMALL`] participants of an arm, its numbers are
//! left out here and from the test.

use super::columns::{Column, Dataset};
use super::document::Confidence;
use super::estimators::Comparison;
use crate::protocol::{Endpoint, FactorKind, Protocol};
use crate::statistics::heterogeneity::heterogeneity;
use crate::statistics::{Alternative, Question};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Participants of an arm with a value below which a level is not told.
const SMALL: u64 = 10;

/// The effects by level of one factor.
#[derive(Debug, Clone, Serialize)]
pub struct Subgroup {
    pub endpoint: String,
    pub estimator: String,
    pub arm: String,
    pub reference: String,
    pub factor: String,
    pub levels: Vec<Level>,
    /// Cochran's Q over the levels that are told.
    pub interaction: Option<Interaction>,
    pub warnings: Vec<String>,
}

/// One level; its numbers are null where it is too small.
#[derive(Debug, Clone, Serialize)]
pub struct Level {
    pub level: String,
    pub suppressed: bool,
    pub n: Option<BTreeMap<String, u64>>,
    pub estimate: Option<f64>,
    pub standard_error: Option<f64>,
    pub confidence: Option<Confidence>,
    pub p_value: Option<f64>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Copy, Serialize)]
pub struct Interaction {
    pub q: f64,
    pub df: f64,
    pub p_value: f64,
}

/// Every factor with closed levels, for one comparison.
pub(super) fn of(comparison: &Comparison, protocol: &Protocol) -> Vec<Subgroup> {
    protocol
        .factors
        .iter()
        .filter(|factor| factor.kind == FactorKind::Level && !factor.open_levels)
        .filter_map(|factor| of_factor(comparison, protocol, &factor.id))
        .collect()
}

fn of_factor(comparison: &Comparison, protocol: &Protocol, factor: &str) -> Option<Subgroup> {
    let dataset = comparison.dataset;
    let Some(Column::Levels(levels)) = dataset.factors.get(factor) else {
        return None;
    };
    let asked = comparison.plain();
    let ratio = asked.entry.is_ratio();
    let question = Question {
        level: protocol.analysis.confidence_level(),
        null: f64::from(u8::from(ratio)),
        alternative: Alternative::TwoSided,
    };
    let distinct: BTreeSet<&String> = levels.iter().flatten().collect();
    let mut told = Vec::new();
    let mut effects = Vec::new();
    for level in distinct {
        let groups: Vec<Option<usize>> = comparison
            .groups
            .iter()
            .zip(levels)
            .map(|(group, own)| group.filter(|_| own.as_ref() == Some(level)))
            .collect();
        let within = Comparison {
            groups: &groups,
            ..comparison.clone()
        };
        let n = sizes(&within, dataset, comparison.endpoint);
        if n.0.min(n.1) < SMALL {
            told.push(hidden(level));
            continue;
        }
        let arms = [comparison.arm, comparison.reference].map(|arm| protocol.arms[arm].id.clone());
        let mut line = Level {
            n: Some(arms.into_iter().zip([n.0, n.1]).collect()),
            suppressed: false,
            ..hidden(level)
        };
        match within.make(&asked, &question) {
            Err(fault) => line.warnings.push(format!("no estimate: {fault}")),
            Ok(made) => {
                let made = made.estimate;
                line.estimate = made.estimate;
                line.standard_error = made.standard_error;
                line.p_value = made.p_value;
                line.confidence = made.limits.map(|(lower, upper)| Confidence {
                    level: question.level,
                    lower,
                    upper,
                });
                line.warnings = made.warnings;
                // Ratios are compared by their logarithms, whose error is given.
                let scaled = made.estimate.map(|e| if ratio { e.ln() } else { e });
                effects.extend(
                    scaled
                        .zip(made.standard_error)
                        .filter(|(_, error)| *error > 0.0),
                );
            }
        }
        told.push(line);
    }
    let mut warnings = vec![
        "levels were compared one by one: a difference among many is to be expected by chance"
            .into(),
    ];
    let shown = told.iter().filter(|level| !level.suppressed).count();
    if effects.len() < shown {
        warnings.push(format!(
            "{} levels have no effect with an error and are not in the test of interaction",
            shown - effects.len()
        ));
    }
    let interaction = match heterogeneity(&effects) {
        Ok(test) => test
            .statistic
            .zip(test.p_value)
            .map(|(statistic, p_value)| Interaction {
                q: statistic.value,
                df: statistic.df.unwrap_or_default(),
                p_value,
            }),
        Err(fault) => {
            warnings.push(format!("no test of interaction: {fault}"));
            None
        }
    };
    Some(Subgroup {
        endpoint: comparison.endpoint.id.clone(),
        estimator: asked.entry.id.to_owned(),
        arm: protocol.arms[comparison.arm].id.clone(),
        reference: protocol.arms[comparison.reference].id.clone(),
        factor: factor.to_owned(),
        levels: told,
        interaction,
        warnings,
    })
}

fn hidden(level: &str) -> Level {
    Level {
        level: level.to_owned(),
        suppressed: true,
        n: None,
        estimate: None,
        standard_error: None,
        confidence: None,
        p_value: None,
        warnings: Vec::new(),
    }
}

fn sizes(comparison: &Comparison, dataset: &Dataset, endpoint: &Endpoint) -> (u64, u64) {
    let values = &dataset.endpoints[&endpoint.id];
    let count = |arm: usize| {
        let rows = comparison.groups.iter().enumerate();
        rows.filter(|(row, group)| **group == Some(arm) && values.is_known(*row))
            .count() as u64
    };
    (count(comparison.arm), count(comparison.reference))
}
