//! Differences of means without the assumption of equal variances.
//!
//! Welch, Biometrika 34 (1947) 28-35; degrees of freedom of Satterthwaite. For two arms without
//! covariates its standard error is the HC2 of least squares.

use super::stable_sum;
use super::{ARM, Estimate, Fault, Question, REFERENCE};

/// Mean and squared standard error of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Moments {
    pub n: u64,
    pub mean: f64,
    /// Sample variance, divisor n - 1.
    pub variance: f64,
}

impl Moments {
    /// Two passes over the sorted values: the mean first, then the squared deviations from it.
    pub fn of(values: &[f64], arm: &'static str) -> Result<Self, Fault> {
        if values.iter().any(|value| !value.is_finite()) {
            return Err(Fault::NotFinite);
        }
        if values.len() < 2 {
            return Err(if values.is_empty() {
                Fault::EmptyArm(arm)
            } else {
                Fault::TooFew(arm)
            });
        }
        let n = values.len() as f64;
        let mean = stable_sum(values.iter().copied()) / n;
        let squares = stable_sum(values.iter().map(|value| (value - mean).powi(2)));
        Ok(Self {
            n: values.len() as u64,
            mean,
            variance: squares / (n - 1.0),
        })
    }
}

/// Welch's difference in means, arm minus reference.
pub fn welch(arm: &[f64], reference: &[f64], question: &Question) -> Result<Estimate, Fault> {
    let (arm, reference) = (Moments::of(arm, ARM)?, Moments::of(reference, REFERENCE)?);
    let (v1, v2) = (
        arm.variance / arm.n as f64,
        reference.variance / reference.n as f64,
    );
    if v1 + v2 <= 0.0 {
        return Err(Fault::NoVariation);
    }
    // By shares of the variance: squares of large ones would leave the range of numbers.
    let share = v1 / (v1 + v2);
    if !share.is_finite() || !(arm.mean - reference.mean).is_finite() {
        return Err(Fault::Input(
            "the values are too large to compute with".into(),
        ));
    }
    let df = 1.0
        / (share * share / (arm.n as f64 - 1.0)
            + (1.0 - share).powi(2) / (reference.n as f64 - 1.0));
    Ok(Estimate::student(
        arm.mean - reference.mean,
        (v1 + v2).sqrt(),
        df,
        question,
    ))
}

/// The mean of one sample, with limits by Student's t.
pub fn mean(values: &[f64], question: &Question) -> Result<Estimate, Fault> {
    let moments = Moments::of(values, ARM)?;
    if moments.variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let n = moments.n as f64;
    Ok(Estimate::student(
        moments.mean,
        (moments.variance / n).sqrt(),
        n - 1.0,
        question,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_values_and_values_without_variation_are_named() {
        let question = Question::two_sided(0.95);
        assert_eq!(
            welch(&[], &[1.0, 2.0], &question),
            Err(Fault::EmptyArm(ARM))
        );
        assert_eq!(
            welch(&[1.0, 2.0], &[1.0], &question),
            Err(Fault::TooFew(REFERENCE))
        );
        assert_eq!(
            welch(&[1.0, 1.0], &[2.0, 2.0], &question),
            Err(Fault::NoVariation)
        );
        assert_eq!(
            welch(&[1.0, f64::NAN], &[2.0, 2.0], &question),
            Err(Fault::NotFinite)
        );
    }

    #[test]
    fn a_large_common_offset_costs_no_digits() {
        let arm: Vec<f64> = (0..100).map(|i| 1e9 + f64::from(i % 7)).collect();
        let reference: Vec<f64> = (0..100).map(|i| 1e9 + f64::from(i % 5)).collect();
        let shift = |values: &[f64]| values.iter().map(|value| value - 1e9).collect::<Vec<_>>();
        let question = Question::two_sided(0.95);
        let far = welch(&arm, &reference, &question).unwrap();
        let near = welch(&shift(&arm), &shift(&reference), &question).unwrap();
        assert!((far.standard_error.unwrap() / near.standard_error.unwrap() - 1.0).abs() < 1e-9);
    }
}
