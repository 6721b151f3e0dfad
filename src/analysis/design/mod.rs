//! The design of a trial from its protocol: boundaries, spent error, sample size, power, and what to
//! expect of it. No data is needed.

mod blinded;
mod boundaries;
mod size;

use crate::protocol::{Better, Hypothesis, Protocol};
use crate::statistics::Alternative;
use crate::statistics::distributions::normal_upper;
use crate::statistics::sequential::{Boundaries, PlanFault, Spending, inflation};
pub use blinded::{Pooled, Reestimated};
use boundaries::plan;
pub(super) use boundaries::{harm, planned_power, spending_of, spent};
use rayon::prelude::*;
use serde::Serialize;
pub use size::{SampleSize, Sized};

/// One planned look.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Look {
    pub information: f64,
    /// Z in the direction of the hypothesis from which on it is shown.
    pub upper: f64,
    /// Z below which the opposite is shown in a two-sided trial, or harm where it is planned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    /// Type I error spent up to here, over both sides where there are two.
    pub alpha_spent: f64,
    /// The p-value of a test with one look that has this boundary.
    pub nominal_p: f64,
    /// Z below which a stop for futility is advised, or, where it binds, made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub futility: Option<f64>,
    /// Chance of first crossing `upper` here, without an effect and under the planned one.
    pub crossing: Crossing,
}

/// Chances of a crossing.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct Crossing {
    pub null: f64,
    pub planned: f64,
}

/// A point of the power curve.
#[derive(Debug, Clone, Copy, Serialize, PartialEq)]
pub struct Power {
    /// The effect as a multiple of the one that is planned (counted from the margin).
    pub of_planned: f64,
    /// The effect on its own scale, where the protocol assumes one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effect: Option<f64>,
    pub power: f64,
    /// Expected information at the stop, as a fraction of the maximum; futility is obeyed.
    pub expected_information: f64,
    /// Expected number of participants at the stop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_size: Option<f64>,
}

/// The design of a trial.
#[derive(Debug, Clone, Serialize, PartialEq)]
pub struct Design {
    pub protocol: String,
    pub primary: String,
    pub hypothesis: Hypothesis,
    pub null: String,
    pub alternative: String,
    /// Type I error in total.
    pub alpha: f64,
    pub sides: u32,
    pub looks: Vec<Look>,
    /// How much more information than with one look the planned power takes.
    pub inflation: f64,
    pub sample_size: SampleSize,
    pub power: Vec<Power>,
    /// Mean of z at full information under the planned effect.
    #[serde(skip)]
    pub drift: f64,
    /// How the error is spent.
    #[serde(skip)]
    pub spending: Spending,
    /// The size computed anew from blinded interim data, where there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reestimated: Option<Reestimated>,
    pub warnings: Vec<String>,
}

impl Design {
    /// Computes the design of a protocol.
    pub fn of(protocol: &Protocol) -> Result<Self, PlanFault> {
        let analysis = &protocol.analysis;
        let (alpha, symmetric) = protocol.error_of_one_side();
        let power = planned_power(protocol);
        let plan = plan(analysis.looks.as_ref(), alpha, symmetric, power)?;
        let boundaries = Boundaries::of(&plan)?;
        let harm = match analysis
            .looks
            .as_ref()
            .and_then(|looks| Some((looks, looks.harm?)))
        {
            Some((looks, error)) => Some(harm(looks, &looks.information, error, true)?),
            None => None,
        };
        let drift = boundaries
            .drift
            .unwrap_or_else(|| boundaries.drift_for(power));
        let inflation = inflation(drift, alpha, power);
        let sample_size = SampleSize::of(protocol, alpha, power, inflation);
        let (null, alternative) = hypotheses(protocol);
        let mut warnings = sample_size.warnings.clone();
        if analysis.hypothesis == Hypothesis::Equivalence {
            warnings.push(
                "equivalence is shown by two one-sided tests: each is held against these boundaries, \
                 and the power is that of one of them"
                    .into(),
            );
        }
        if alpha * f64::from(if symmetric { 2_u8 } else { 1 }) < analysis.alpha {
            warnings.push(format!(
                "boundaries, size and power are those of one of {} comparisons, at its part of the error",
                protocol.compared().count()
            ));
        }
        Ok(Self {
            protocol: protocol.id.clone(),
            primary: analysis.primary.clone(),
            hypothesis: analysis.hypothesis,
            null,
            alternative,
            alpha: analysis.alpha,
            sides: analysis.sides,
            looks: looks(&boundaries, drift, symmetric, harm.as_deref()),
            inflation,
            power: curve(&boundaries, drift, &sample_size),
            sample_size,
            drift,
            spending: plan.spending,
            reestimated: None,
            warnings,
        })
    }
}

impl Design {
    /// The information (1 / variance of the estimate) at which the planned power is reached, where the
    /// protocol assumes an effect.
    pub fn maximum_information(&self) -> Option<f64> {
        let distance = self.sample_size.distance()?;
        (distance != 0.0).then(|| (self.drift / distance).powi(2))
    }
}

fn looks(boundaries: &Boundaries, drift: f64, symmetric: bool, harm: Option<&[f64]>) -> Vec<Look> {
    let sides = if symmetric { 2.0 } else { 1.0 };
    let (null, planned) = (
        boundaries.reached(0.0, false),
        boundaries.reached(drift, false),
    );
    (0..boundaries.upper.len())
        .map(|k| Look {
            information: boundaries.information[k],
            upper: boundaries.upper[k],
            lower: boundaries.lower.as_deref().or(harm).map(|lower| lower[k]),
            alpha_spent: sides * boundaries.spent[k],
            nominal_p: sides * normal_upper(boundaries.upper[k]),
            futility: boundaries.futility.as_ref().map(|futility| futility[k]),
            crossing: Crossing {
                null: null.upper[k],
                planned: planned.upper[k],
            },
        })
        .collect()
}

/// Power from no effect to one and a half times the planned one.
fn curve(boundaries: &Boundaries, drift: f64, size: &SampleSize) -> Vec<Power> {
    (0..=12_u8)
        .into_par_iter()
        .map(|step| {
            let of_planned = f64::from(step) / 8.0;
            let reached = boundaries.reached(drift * of_planned, false);
            let expected = match boundaries.futility {
                Some(_) => {
                    boundaries
                        .reached(drift * of_planned, true)
                        .expected_information
                }
                None => reached.expected_information,
            };
            Power {
                of_planned,
                effect: size.effect_at(of_planned),
                power: reached.power(),
                expected_information: expected,
                expected_size: size.total.map(|total| total as f64 * expected),
            }
        })
        .collect()
}

/// What is tested, in words: the effect is that of an arm against the control.
fn hypotheses(protocol: &Protocol) -> (String, String) {
    let analysis = &protocol.analysis;
    let endpoint = protocol.endpoint(&analysis.primary);
    let entry = endpoint.and_then(|endpoint| protocol.primary_estimator(endpoint).ok());
    let ratio = entry.is_some_and(|entry| entry.is_ratio());
    let toward = endpoint
        .zip(entry)
        .map(|(endpoint, entry)| endpoint.toward_benefit(entry));
    let better = match toward {
        Some(Alternative::Less) => Better::Lower,
        _ => Better::Higher,
    };
    let none = if ratio { 1.0 } else { 0.0 };
    let margin = analysis.margin.unwrap_or(none);
    match (analysis.hypothesis, analysis.sides, better) {
        (Hypothesis::Equivalence, ..) if ratio => {
            let (low, high) = (margin.min(1.0 / margin), margin.max(1.0 / margin));
            (
                format!("effect <= {low} or >= {high}"),
                format!("{low} < effect < {high}"),
            )
        }
        (Hypothesis::Equivalence, ..) => (
            format!("effect <= -{margin} or >= {margin}"),
            format!("-{margin} < effect < {margin}"),
        ),
        (Hypothesis::Superiority, 2, _) => (
            format!("effect = {none}"),
            format!("effect other than {none}"),
        ),
        (hypothesis, _, better) => {
            let null = if hypothesis == Hypothesis::Superiority {
                none
            } else {
                margin
            };
            match better {
                Better::Higher => (format!("effect <= {null}"), format!("effect > {null}")),
                Better::Lower => (format!("effect >= {null}"), format!("effect < {null}")),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Protocol {
        let text = include_str!("../../../config/protocols/digital-conversations.toml");
        crate::protocol::from_toml(text).unwrap()
    }

    #[test]
    fn the_example_has_its_boundaries_size_and_power() {
        let design = Design::of(&example()).unwrap();
        assert_eq!(design.looks.len(), 3);
        assert_eq!(design.null, "effect <= -0.03");
        let last = design.looks.last().unwrap();
        assert!((last.alpha_spent - 0.025).abs() < 1e-15);
        let crossing: f64 = design.looks.iter().map(|look| look.crossing.null).sum();
        assert!((crossing - 0.025).abs() < 1e-9, "{crossing}");
        let crossing: f64 = design.looks.iter().map(|look| look.crossing.planned).sum();
        assert!((crossing - 0.9).abs() < 1e-9, "{crossing}");
        // (1.959964 + 1.281552)^2 * (0.25 / 0.5 + 0.25 / 0.5) / 0.03^2, inflated and with drop-out.
        let fixed = 10.507_418 * 1.0 / 0.0009 / 0.98;
        let total = design.sample_size.total.unwrap() as f64;
        assert!(
            (total / (fixed * design.inflation) - 1.0).abs() < 1e-3,
            "{total}"
        );
        let at_planned = design
            .power
            .iter()
            .find(|point| point.of_planned == 1.0)
            .unwrap();
        assert!((at_planned.power - 0.9).abs() < 1e-9);
        assert!((at_planned.effect.unwrap() - 0.0).abs() < 1e-12);
        assert!((design.power[0].effect.unwrap() + 0.03).abs() < 1e-12);
        assert!((design.power[0].power - 0.025).abs() < 1e-9);
    }

    #[test]
    fn a_protocol_without_looks_and_size_has_one_boundary() {
        let mut protocol = example();
        protocol.analysis.looks = None;
        protocol.sample_size = None;
        let design = Design::of(&protocol).unwrap();
        assert!((design.looks[0].upper - 1.959_963_985).abs() < 1e-8);
        assert!((design.inflation - 1.0).abs() < 1e-9);
        assert_eq!(design.sample_size.total, None);
        assert!(
            design.warnings[0].contains("sample_size"),
            "{:?}",
            design.warnings
        );
    }

    #[test]
    fn a_two_sided_trial_spends_half_on_each_side() {
        let mut protocol = example();
        protocol.analysis.sides = 2;
        protocol.analysis.alpha = 0.05;
        protocol.analysis.hypothesis = Hypothesis::Superiority;
        protocol.analysis.margin = None;
        let looks = Design::of(&protocol).unwrap().looks;
        assert_eq!(looks[0].lower, Some(-looks[0].upper));
        assert!((looks[2].alpha_spent - 0.05).abs() < 1e-15);
    }
}
