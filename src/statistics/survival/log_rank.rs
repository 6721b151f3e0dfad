//! The log-rank test of two arms, plain, stratified and weighted.
//!
//! Mantel 1966; the variance is that of the hypergeometric distribution at each event time, as in
//! R's `survdiff`. Tests the equality of the hazards; it estimates nothing. The weights of Fleming and
//! Harrington ("Counting Processes and Survival Analysis", 1991, section 7.2) are S(t-)^rho (1 - S(t-))^gamma,
//! S the Kaplan-Meier curve of both arms together: rho looks at early differences, gamma at late ones.

use super::super::{ARM, Estimate, Fault, REFERENCE, stratified::lost_warning};
use super::{Observation, Step, steps};

/// Observed minus expected events of the first arm, and the variance.
#[derive(Debug, Clone, Copy, Default)]
struct Score {
    excess: f64,
    variance: f64,
    events: f64,
}

/// The weights of Fleming and Harrington; both 0 is the log-rank test.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Weights {
    pub rho: f64,
    pub gamma: f64,
}

impl Weights {
    fn at(self, survival: f64) -> f64 {
        // 0^0 is 1.
        survival.powf(self.rho) * (1.0 - survival).powf(self.gamma)
    }
}

fn score(arm: &[Observation], reference: &[Observation], weights: Weights) -> Result<Score, Fault> {
    let (arm, reference) = (steps(arm, ARM)?, steps(reference, REFERENCE)?);
    let (mut i, mut j) = (0, 0);
    let mut total = Score::default();
    let mut survival = 1.0;
    while i < arm.len() || j < reference.len() {
        let time = f64::min(time_at(&arm, i), time_at(&reference, j));
        let (n1, d1) = at_risk_and_events(&arm, i, time);
        let (n2, d2) = at_risk_and_events(&reference, j, time);
        let (n, d) = (n1 + n2, d1 + d2);
        if d > 0.0 {
            total.events += d;
            let weight = weights.at(survival);
            survival *= 1.0 - d / n;
            total.excess += weight * (d1 - d * n1 / n);
            if n > 1.0 {
                total.variance += weight * weight * d * n1 * n2 * (n - d) / (n * n * (n - 1.0));
            }
        }
        i += usize::from(time_at(&arm, i) == time);
        j += usize::from(time_at(&reference, j) == time);
    }
    Ok(total)
}

fn time_at(steps: &[Step], i: usize) -> f64 {
    steps.get(i).map_or(f64::INFINITY, |step| step.time)
}

/// Those at risk at `time`, which is not after step `i`, and the events of that very time.
fn at_risk_and_events(steps: &[Step], i: usize, time: f64) -> (f64, f64) {
    match steps.get(i) {
        Some(step) if step.time == time => (step.at_risk as f64, step.events as f64),
        Some(step) => (step.at_risk as f64, 0.0),
        None => (0.0, 0.0),
    }
}

fn test(score: Score) -> Result<(Estimate, f64), Fault> {
    if score.events == 0.0 {
        return Err(Fault::NoEvents);
    }
    // Every event at a time at which nobody else was at risk, or everybody had it.
    if score.variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let made = Estimate::chi_square(score.excess * score.excess / score.variance, 1.0);
    Ok((made, score.excess / score.variance.sqrt()))
}

/// The log-rank test of two arms.
pub fn log_rank(arm: &[Observation], reference: &[Observation]) -> Result<Estimate, Fault> {
    test(score(arm, reference, Weights::default())?).map(|(made, _)| made)
}

/// The weighted test.
pub fn fleming_harrington(
    arm: &[Observation],
    reference: &[Observation],
    weights: Weights,
) -> Result<Estimate, Fault> {
    test(score(arm, reference, weights)?).map(|(made, _)| made)
}

/// The stratified log-rank test: excess and variance are summed over the strata, given in an order
/// that does not depend on the data.
pub fn log_rank_stratified(
    strata: &[(Vec<Observation>, Vec<Observation>)],
) -> Result<Estimate, Fault> {
    log_rank_z(strata, Weights::default()).map(|(made, _)| made)
}

/// The same with weights, and with z: above 0 where the arm has more events than expected.
pub fn log_rank_z(
    strata: &[(Vec<Observation>, Vec<Observation>)],
    weights: Weights,
) -> Result<(Estimate, f64), Fault> {
    if let [(arm, reference)] = strata {
        return test(score(arm, reference, weights)?);
    }
    let mut total = Score::default();
    let mut lost = 0;
    let mut compared = false;
    for (arm, reference) in strata {
        if arm.is_empty() || reference.is_empty() {
            lost += (arm.len() + reference.len()) as u64;
            continue;
        }
        compared = true;
        let stratum = score(arm, reference, weights)?;
        total.excess += stratum.excess;
        total.variance += stratum.variance;
        total.events += stratum.events;
    }
    if !compared {
        return Err(Fault::NoCommonStratum);
    }
    let (mut made, z) = test(total)?;
    made.warnings = lost_warning(lost);
    Ok((made, z))
}

#[cfg(test)]
mod tests {
    use super::super::data::gehan;
    use super::*;

    #[test]
    fn the_statistic_of_gehan_1965_is_that_of_r() {
        let (drug, placebo) = gehan();
        // R survdiff: 16.7929, half a unit of the last printed digit.
        let value = log_rank(&drug, &placebo).unwrap().statistic.unwrap().value;
        assert!((value - 16.7929).abs() < 0.5e-4, "{value}");
    }

    #[test]
    fn one_stratum_is_the_plain_test() {
        let (drug, placebo) = gehan();
        let plain = log_rank(&drug, &placebo).unwrap();
        assert_eq!(log_rank_stratified(&[(drug, placebo)]).unwrap(), plain);
    }

    #[test]
    fn without_events_or_with_one_arm_only_there_is_no_test() {
        let censored = vec![
            Observation {
                time: 3.0,
                event: false
            };
            4
        ];
        assert_eq!(log_rank(&censored, &censored), Err(Fault::NoEvents));
        let at_once = vec![
            Observation {
                time: 5.0,
                event: true
            };
            4
        ];
        assert_eq!(log_rank(&at_once, &at_once), Err(Fault::NoVariation));
        assert_eq!(log_rank(&[], &censored), Err(Fault::EmptyArm(ARM)));
        let lonely = (
            vec![Observation {
                time: 1.0,
                event: true,
            }],
            vec![],
        );
        assert_eq!(
            log_rank_stratified(&[lonely]),
            Err(Fault::EmptyArm(REFERENCE))
        );
    }
}
