//! Bounds of an effect that some missing values leave open.
//!
//! Manski (Journal of Human Resources 24, 1989, 343-360): whatever the missing values are, within the
//! range of the outcome. Lee (Review of Economic Studies 76, 2009, 1071-1102): the effect among those who
//! answer in either arm, if the draw moves answering in one direction only; the arm with more answers is
//! trimmed from above and from below by its surplus. Variances of his proposition 3; the interval is that of
//! Imbens and Manski (Econometrica 72, 2004, 1845-1857) for the effect, not for the bounds.

use crate::statistics::distributions::{normal_cdf, normal_quantile};
use crate::statistics::means::Moments;
use crate::statistics::roots::bisect;
use crate::statistics::{ARM, Fault, Question, REFERENCE};

/// Bounds of an effect.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    pub lower: f64,
    pub upper: f64,
    pub lower_error: f64,
    pub upper_error: f64,
    /// Interval that holds the effect at the level asked.
    pub limits: (f64, f64),
    /// Lee: the share trimmed of the arm with more answers.
    pub trimmed: Option<f64>,
    /// Lee: the bounds when whole values are dropped beyond the quantile (type 7 of Hyndman and Fan).
    pub by_quantile: Option<(f64, f64)>,
}

impl Bounds {
    fn new(lower: (f64, f64), upper: (f64, f64), level: f64) -> Self {
        Self {
            lower: lower.0,
            upper: upper.0,
            lower_error: lower.1,
            upper_error: upper.1,
            limits: limits(lower, upper, level),
            trimmed: None,
            by_quantile: None,
        }
    }
}

/// c with Phi(c + width / error) - Phi(-c) = level: between the one-sided and the two-sided quantile.
fn limits(lower: (f64, f64), upper: (f64, f64), level: f64) -> (f64, f64) {
    let width = (upper.0 - lower.0) / lower.1.max(upper.1);
    let two_sided = -normal_quantile((1.0 - level) / 2.0);
    let c = bisect(0.0, two_sided, |c| {
        normal_cdf(c + width) - normal_cdf(-c) - level
    });
    (lower.0 - c * lower.1, upper.0 + c * upper.1)
}

/// Values of an arm that are known, and all its participants.
pub type Answers<'a> = (&'a [f64], usize);

/// Manski's bounds for an outcome within `range`.
pub fn manski(
    arm: Answers,
    reference: Answers,
    range: (f64, f64),
    question: &Question,
) -> Result<Bounds, Fault> {
    let outside = |v: &f64| *v < range.0 || *v > range.1;
    if arm.0.iter().chain(reference.0).any(outside) {
        return Err(Fault::Input(
            "a value lies outside of the range of the outcome".into(),
        ));
    }
    let filled = |(known, n): Answers, with: f64, name: &'static str| {
        let mut values = known.to_vec();
        values.resize(n.max(known.len()), with);
        Moments::of(&values, name)
    };
    let side = |with: f64, other: f64| -> Result<(f64, f64), Fault> {
        let (a, b) = (
            filled(arm, with, ARM)?,
            filled(reference, other, REFERENCE)?,
        );
        let variance = a.variance / a.n as f64 + b.variance / b.n as f64;
        Ok((a.mean - b.mean, variance.sqrt()))
    };
    let (lower, upper) = (side(range.0, range.1)?, side(range.1, range.0)?);
    if lower.1 <= 0.0 || upper.1 <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Bounds::new(lower, upper, question.level))
}

/// Lee's bounds.
pub fn lee(arm: Answers, reference: Answers, question: &Question) -> Result<Bounds, Fault> {
    let shares = [arm, reference].map(|(known, n)| known.len() as f64 / n as f64);
    // The arm with more answers is the one that is trimmed; the sign of the effect turns with it.
    let turned = shares[1] > shares[0];
    let (more, less) = if turned {
        (reference, arm)
    } else {
        (arm, reference)
    };
    let (high, low) = if turned {
        (shares[1], shares[0])
    } else {
        (shares[0], shares[1])
    };
    let names = if turned {
        (REFERENCE, ARM)
    } else {
        (ARM, REFERENCE)
    };
    Moments::of(more.0, names.0)?;
    let other = Moments::of(less.0, names.1)?;
    let trim = (high - low) / high;
    let mut values = more.0.to_vec();
    values.sort_unstable_by(f64::total_cmp);
    let n = (more.1 + less.1) as f64;
    let assigned = more.1 as f64 / n;
    let answered = more.0.len() as f64 / n;
    // Variance of the trimmed share (Lee's V^p), of the trimmed mean, and of the other arm's mean.
    let kept = 1.0 - trim;
    // As many of the values as the other arm's share of answers leaves.
    let mass = less.0.len() as f64 * more.1 as f64 / less.1 as f64;
    let share_variance = kept.powi(2)
        * ((1.0 - low / kept) / (assigned * (low / kept)) + (1.0 - low) / ((1.0 - assigned) * low));
    let other_variance = other.variance / (less.0.len() as f64 / n);
    let side = |values: &[f64]| -> (f64, f64) {
        let (mean, variance, edge) = lowest(values, mass);
        let spread = variance / (answered * kept)
            + (edge - mean).powi(2) * trim / (answered * kept)
            + ((edge - mean) / kept).powi(2) * share_variance;
        (mean, ((spread + other_variance) / n).sqrt())
    };
    // The highest are the lowest of the negated values.
    let negated: Vec<f64> = values.iter().rev().map(|v| -v).collect();
    let ((low_mean, low_error), (high_mean, high_error)) = (side(&values), side(&negated));
    let lower = (low_mean - other.mean, low_error);
    let upper = (-high_mean - other.mean, high_error);
    let whole = by_quantile(&values, trim, other.mean);
    if lower.1 <= 0.0 || upper.1 <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let turn = |(a, e): (f64, f64)| (-a, e);
    let mut bounds = match turned {
        false => Bounds::new(lower, upper, question.level),
        true => Bounds::new(turn(upper), turn(lower), question.level),
    };
    bounds.trimmed = Some(trim);
    bounds.by_quantile = Some(if turned { (-whole.1, -whole.0) } else { whole });
    Ok(bounds)
}

/// Mean and variance of the lowest `mass` of sorted values, the value at the edge counted in part, and that
/// value: the last that counts at all.
fn lowest(sorted: &[f64], mass: f64) -> (f64, f64, f64) {
    // A whole number is whole, whatever rounding says.
    let whole = ((mass + 1e-9).floor() as usize).min(sorted.len());
    let part = if whole < sorted.len() {
        (mass - whole as f64).max(0.0)
    } else {
        0.0
    };
    let part = if part > 1e-9 { part } else { 0.0 };
    let edge = sorted[if part > 0.0 { whole } else { whole.max(1) - 1 }];
    let sum = crate::statistics::sum::compensated(sorted[..whole].iter().copied());
    let mean = (sum + part * edge) / mass;
    let squares = sorted[..whole].iter().map(|v| (v - mean).powi(2));
    let squares = crate::statistics::sum::compensated(squares) + part * (edge - mean).powi(2);
    (mean, squares / mass, edge)
}

/// Bounds from whole values on the right side of the quantile.
fn by_quantile(sorted: &[f64], trim: f64, other: f64) -> (f64, f64) {
    let mean = |kept: &[f64]| {
        crate::statistics::sum::compensated(kept.iter().copied()) / kept.len() as f64
    };
    let (high, low) = (quantile(sorted, 1.0 - trim), quantile(sorted, trim));
    let below = sorted.partition_point(|v| *v <= high);
    let from = sorted.partition_point(|v| *v < low);
    (
        mean(&sorted[..below]) - other,
        mean(&sorted[from..]) - other,
    )
}

/// The quantile of type 7: linear between order statistics.
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let low = (place + 1e-12).floor() as usize;
    match sorted.get(low + 1) {
        Some(high) => sorted[low] + (place - low as f64).max(0.0) * (high - sorted[low]),
        None => sorted[sorted.len() - 1],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUESTION: Question = Question {
        level: 0.95,
        null: 0.0,
        alternative: crate::statistics::Alternative::TwoSided,
    };

    #[test]
    fn without_missing_values_the_bounds_meet_and_the_interval_is_the_usual_one() {
        let (a, b) = ([1.0, 3.0, 4.0, 6.0], [2.0, 2.5, 1.0, 0.0]);
        for bounds in [
            lee((&a, 4), (&b, 4), &QUESTION).unwrap(),
            manski((&a, 4), (&b, 4), (0.0, 10.0), &QUESTION).unwrap(),
        ] {
            assert!((bounds.lower - bounds.upper).abs() < 1e-12);
            let half = bounds.upper - bounds.limits.0;
            assert!((half / bounds.upper_error - 1.959_963_984_540_054).abs() < 1e-9);
        }
    }

    #[test]
    fn a_value_outside_the_range_is_named() {
        assert!(manski((&[0.0, 2.0], 3), (&[0.0, 1.0], 3), (0.0, 1.0), &QUESTION).is_err());
    }
}
