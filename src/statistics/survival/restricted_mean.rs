//! Restricted mean survival time: the mean time without the event, up to a horizon.
//!
//! Royston and Parmar, BMC Medical Research Methodology 13 (2013) 152; the area under the
//! Kaplan-Meier curve with Greenwood's plug-in variance and normal limits, as in R's survRM2.

use super::super::{ARM, Estimate, Fault, Question, REFERENCE};
use super::{Curve, Observation};

fn area(observations: &[Observation], tau: f64, arm: &'static str) -> Result<(f64, f64), Fault> {
    let curve = Curve::of(observations, arm)?;
    // Beyond the last censored time the curve is not known; beyond a last event it is 0.
    if curve.last_time() < tau && curve.last_survival() > 0.0 {
        return Err(Fault::BeyondFollowUp(arm));
    }
    Ok(curve.area(tau))
}

/// The restricted mean of one arm to `tau`, in the unit of the times.
pub fn restricted_mean(
    observations: &[Observation],
    tau: f64,
    question: &Question,
) -> Result<Estimate, Fault> {
    let (mean, variance) = area(observations, tau, ARM)?;
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::normal(mean, variance.sqrt(), question))
}

/// The difference of the restricted means to `tau`, arm minus reference.
pub fn difference(
    arm: &[Observation],
    reference: &[Observation],
    tau: f64,
    question: &Question,
) -> Result<Estimate, Fault> {
    let (mean, variance) = area(arm, tau, ARM)?;
    let (other, other_variance) = area(reference, tau, REFERENCE)?;
    if variance + other_variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::normal(
        mean - other,
        (variance + other_variance).sqrt(),
        question,
    ))
}

/// The ratio of the restricted means to `tau`, arm over reference, by the delta method on its logarithm.
pub fn ratio(
    arm: &[Observation],
    reference: &[Observation],
    tau: f64,
    question: &Question,
) -> Result<Estimate, Fault> {
    let (mean, variance) = area(arm, tau, ARM)?;
    let (other, other_variance) = area(reference, tau, REFERENCE)?;
    let variance = variance / mean.powi(2) + other_variance / other.powi(2);
    if mean <= 0.0 || other <= 0.0 || variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::log_normal(
        mean / other,
        variance.sqrt(),
        question,
    ))
}

/// What each participant stands for in the restricted mean of all: the mean plus n times by how much
/// the participant moves it. Their mean is the restricted mean, so that regression on them adjusts it.
///
/// (Andersen, Hansen and Klein, Lifetime Data Analysis 10, 2004, 335-350; by the infinitesimal
/// jackknife, as R's `survival::pseudo`.)
pub fn pseudo_values(observations: &[Observation], tau: f64) -> Result<Vec<f64>, Fault> {
    let curve = Curve::of(observations, ARM)?;
    if curve.last_time() < tau && curve.last_survival() > 0.0 {
        return Err(Fault::BeyondFollowUp("compared or reference"));
    }
    let n = observations.len() as f64;
    let (mean, influences) = curve.area_influence(tau);
    Ok(observations
        .iter()
        .map(|observation| mean + n * influences.of(observation))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_censoring_the_area_is_the_mean_of_the_shortened_times() {
        let observations: Vec<_> = [1.0, 2.0, 4.0, 9.0]
            .map(|time| Observation { time, event: true })
            .to_vec();
        let found = restricted_mean(&observations, 5.0, &Question::two_sided(0.95)).unwrap();
        assert!((found.estimate.unwrap() - 3.0).abs() < 1e-12);
    }

    #[test]
    fn a_horizon_beyond_the_follow_up_is_named() {
        let short = vec![
            Observation {
                time: 3.0,
                event: false,
            },
            Observation {
                time: 1.0,
                event: true,
            },
        ];
        let long = vec![
            Observation {
                time: 9.0,
                event: false,
            },
            Observation {
                time: 1.0,
                event: true,
            },
        ];
        let question = Question::two_sided(0.95);
        assert_eq!(
            difference(&long, &short, 5.0, &question),
            Err(Fault::BeyondFollowUp(REFERENCE))
        );
    }
}
