//! Costs held against effects: the incremental ratio, net benefit, and the acceptability curve.
//!
//! Willan and Briggs, "Statistical Analysis of Cost-Effectiveness Data", 2006, chapters 2 and 3. The ratio
//! of the differences in mean cost and mean effect has the limits of Fieller (JRSS B 16, 1954, 175-185),
//! which may have no end where the effect may be 0. Net benefit at a willingness to pay of lambda is
//! lambda times the effect less the cost; the curve gives the chance that it is above 0.

use super::distributions::normal_cdf;
use super::means::Moments;
use super::{ARM, Fault, Question, REFERENCE, stable_sum};

/// Cost and effect of a participant.
pub type Outcome = (f64, f64);

/// A point of the acceptability curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NetBenefit {
    /// Willingness to pay for one unit of effect.
    pub lambda: f64,
    pub net_benefit: f64,
    pub standard_error: f64,
    pub limits: (f64, f64),
    /// Chance that the net benefit is above 0, by the normal distribution.
    pub acceptable: f64,
}

/// What a trial says of costs and effects.
#[derive(Debug, Clone, PartialEq)]
pub struct CostEffectiveness {
    pub cost: f64,
    pub effect: f64,
    pub cost_error: f64,
    pub effect_error: f64,
    /// Cost for one more unit of effect.
    pub ratio: f64,
    /// Fieller's limits of the ratio; none where they have no end.
    pub limits: Option<(f64, f64)>,
    pub curve: Vec<NetBenefit>,
}

/// Compares two arms; the curve has a point for each lambda.
pub fn cost_effectiveness(
    arm: &[Outcome],
    reference: &[Outcome],
    lambdas: &[f64],
    question: &Question,
) -> Result<CostEffectiveness, Fault> {
    let (a, b) = (moments(arm, ARM)?, moments(reference, REFERENCE)?);
    let (cost, effect) = (a.cost - b.cost, a.effect - b.effect);
    let (vc, ve, cov) = (a.vc + b.vc, a.ve + b.ve, a.cov + b.cov);
    if vc <= 0.0 || ve <= 0.0 {
        return Err(Fault::NoVariation);
    }
    if effect == 0.0 {
        return Err(Fault::Input(
            "the arms do not differ in the effect, so that there is no ratio".into(),
        ));
    }
    let z = question.z();
    let curve = lambdas
        .iter()
        .map(|lambda| {
            let benefit = lambda * effect - cost;
            let error = (lambda * lambda * ve + vc - 2.0 * lambda * cov)
                .max(0.0)
                .sqrt();
            NetBenefit {
                lambda: *lambda,
                net_benefit: benefit,
                standard_error: error,
                limits: (benefit - z * error, benefit + z * error),
                acceptable: normal_cdf(benefit / error.max(f64::MIN_POSITIVE)),
            }
        })
        .collect();
    Ok(CostEffectiveness {
        cost,
        effect,
        cost_error: vc.sqrt(),
        effect_error: ve.sqrt(),
        ratio: cost / effect,
        limits: super::regression::anderson_rubin((cost, effect), (vc, cov, ve), z),
        curve,
    })
}

struct Arm {
    cost: f64,
    effect: f64,
    vc: f64,
    ve: f64,
    cov: f64,
}

fn moments(arm: &[Outcome], name: &'static str) -> Result<Arm, Fault> {
    let (costs, effects): (Vec<f64>, Vec<f64>) = arm.iter().copied().unzip();
    let (c, e) = (Moments::of(&costs, name)?, Moments::of(&effects, name)?);
    let n = arm.len() as f64;
    let products = arm
        .iter()
        .map(|(cost, effect)| (cost - c.mean) * (effect - e.mean));
    Ok(Arm {
        cost: c.mean,
        effect: e.mean,
        vc: c.variance / n,
        ve: e.variance / n,
        cov: stable_sum(products) / (n - 1.0) / n,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fieller's set by hand: at its ends the difference cost - r effect is z errors from 0.
    #[test]
    fn at_the_limits_the_net_benefit_is_just_not_zero() {
        let arm: Vec<Outcome> = (0..40)
            .map(|i| (f64::from(i % 7) + 3.0, f64::from(i % 5) + 4.0))
            .collect();
        let reference: Vec<Outcome> = (0..40)
            .map(|i| (f64::from(i % 6), f64::from(i % 5)))
            .collect();
        let question = Question::two_sided(0.95);
        let made = cost_effectiveness(&arm, &reference, &[], &question).unwrap();
        let (lower, upper) = made.limits.unwrap();
        let at = |lambda: f64| {
            cost_effectiveness(&arm, &reference, &[lambda], &question)
                .unwrap()
                .curve[0]
        };
        assert!(at(lower).limits.1.abs() < 1e-9 && at(upper).limits.0.abs() < 1e-9);
        assert!(lower < made.ratio && made.ratio < upper);
    }
}
