//! The effect of what was received among those whom the draw moved: the complier average effect.
//!
//! The arm is the instrument of the treatment received (Angrist, Imbens and Rubin, JASA 91, 1996,
//! 444-455): difference in outcomes over difference in uptake, two-stage least squares with HC2
//! errors. It assumes that the draw acts through the treatment alone and that nobody does the opposite of
//! the draw. Where uptake hardly differs its limits are wrong; those of Anderson and Rubin (Annals of
//! Mathematical Statistics 20, 1949, 46-63) hold at any strength, and may have no end.

use crate::statistics::distributions::student_quantile_upper;
use crate::statistics::means::Moments;
use crate::statistics::{ARM, Estimate, Fault, Question, REFERENCE, stable_sum};

/// First-stage F below which Wald limits are not to be trusted (Staiger and Stock 1997).
const WEAK: f64 = 10.0;

/// The complier average effect with its limits and the strength of the instrument.
#[derive(Debug, Clone, PartialEq)]
pub struct Compliance {
    /// With the Wald limits of two-stage least squares, t with N - 2 degrees of freedom.
    pub estimate: Estimate,
    /// Limits of Anderson and Rubin; none where they have no end.
    pub anderson_rubin: Option<(f64, f64)>,
    /// Squared ratio of the difference in uptake to its HC2 error.
    pub first_stage_f: f64,
}

/// Outcome and treatment received (1 or 0) of the participants of one arm.
pub type Arm<'a> = &'a [(f64, f64)];

/// Means of one arm with their variances and covariance.
struct Means {
    n: f64,
    outcome: f64,
    received: f64,
    v_outcome: f64,
    v_received: f64,
    covariance: f64,
}

impl Means {
    fn of(arm: Arm, name: &'static str) -> Result<Self, Fault> {
        let (y, d): (Vec<f64>, Vec<f64>) = arm.iter().copied().unzip();
        let (y, d) = (Moments::of(&y, name)?, Moments::of(&d, name)?);
        let n = arm.len() as f64;
        let products = arm.iter().map(|(a, b)| (a - y.mean) * (b - d.mean));
        Ok(Self {
            n,
            outcome: y.mean,
            received: d.mean,
            v_outcome: y.variance / n,
            v_received: d.variance / n,
            covariance: stable_sum(products) / (n - 1.0) / n,
        })
    }
}

/// The complier average effect of the treatment received.
pub fn complier_average_effect(
    arm: Arm,
    reference: Arm,
    question: &Question,
) -> Result<Compliance, Fault> {
    let (a, b) = (Means::of(arm, ARM)?, Means::of(reference, REFERENCE)?);
    let (dy, dd) = (a.outcome - b.outcome, a.received - b.received);
    if dd == 0.0 {
        return Err(Fault::NoFirstStage);
    }
    let (vy, vd) = (a.v_outcome + b.v_outcome, a.v_received + b.v_received);
    let covariance = a.covariance + b.covariance;
    let effect = dy / dd;
    // The residuals y - effect d have one mean in both arms: their HC2 variance is Welch's.
    let variance = (vy - 2.0 * effect * covariance + effect * effect * vd) / (dd * dd);
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let df = a.n + b.n - 2.0;
    let mut estimate = Estimate::student(effect, variance.sqrt(), df, question);
    // With full compliance the first stage has no error at all.
    let first_stage_f = if vd > 0.0 { dd * dd / vd } else { f64::MAX };
    if first_stage_f < WEAK {
        estimate = estimate.warned(format!(
            "the draw hardly moved what was received (first-stage F {first_stage_f:.1}): \
             read the limits of Anderson and Rubin"
        ));
    }
    let quantile = student_quantile_upper((1.0 - question.level) / 2.0, df);
    Ok(Compliance {
        estimate,
        anderson_rubin: anderson_rubin((dy, dd), (vy, covariance, vd), quantile),
        first_stage_f,
    })
}

/// The values b for which dy - b dd is no further from 0 than `quantile` of its errors.
pub fn anderson_rubin(
    (dy, dd): (f64, f64),
    (vy, covariance, vd): (f64, f64, f64),
    quantile: f64,
) -> Option<(f64, f64)> {
    let q = quantile * quantile;
    let a = dd * dd - q * vd;
    let b = dy * dd - q * covariance;
    let c = dy * dy - q * vy;
    // Not convex: the set has no end. Convex, it holds dy/dd, so that the roots are real.
    let root = (b * b - a * c).max(0.0).sqrt();
    (a > 0.0).then(|| ((b - root) / a, (b + root) / a))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_full_compliance_it_is_the_difference_in_means() {
        let arm = [(1.0, 1.0), (4.0, 1.0), (2.5, 1.0)];
        let reference = [(1.0, 0.0), (0.5, 0.0), (2.0, 0.0)];
        let question = Question::two_sided(0.95);
        let made = complier_average_effect(&arm, &reference, &question).unwrap();
        let values = |arm: Arm| arm.iter().map(|(y, _)| *y).collect::<Vec<_>>();
        let welch =
            crate::statistics::means::welch(&values(&arm), &values(&reference), &question).unwrap();
        assert_eq!(made.estimate.estimate, welch.estimate);
        let (lower, upper) = made.anderson_rubin.unwrap();
        let (wald_lower, wald_upper) = made.estimate.limits.unwrap();
        assert!((lower - wald_lower).abs() < 1e-12 && (upper - wald_upper).abs() < 1e-12);
    }

    #[test]
    fn without_a_first_stage_there_is_no_effect_and_a_weak_one_has_no_end() {
        let same = [(1.0, 1.0), (2.0, 0.0)];
        let question = Question::two_sided(0.95);
        assert_eq!(
            complier_average_effect(&same, &same, &question),
            Err(Fault::NoFirstStage)
        );
        let weak = [(1.0, 1.0), (2.0, 0.0), (3.0, 1.0)];
        let made = complier_average_effect(&weak, &same, &question).unwrap();
        assert_eq!(made.anderson_rubin, None);
        assert_eq!(made.estimate.warnings.len(), 1);
    }
}
