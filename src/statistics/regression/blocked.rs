//! Differences of means within the strata of the draw.
//!
//! The mean of the strata's differences, weighed by their participants, with Neyman's variance
//! (Imbens and Rubin, "Causal Inference", 2015, section 9.5; `difference_in_means` of R's estimatr):
//! sum of (N_b/N)^2 (s1^2/n1 + s0^2/n0), t with N - 2B degrees of freedom. Assumes nothing but the draw.

use crate::statistics::means::Moments;
use crate::statistics::stratified::lost_warning;
use crate::statistics::{ARM, Estimate, Fault, Question, REFERENCE};

/// The blocked difference in means; each stratum gives the values of the arm and of the reference.
///
/// A stratum with one arm only contributes nothing, nor does one with a single participant in an arm,
/// of whom no spread can be known; both are counted in warnings.
pub fn blocked_difference(
    strata: &[(Vec<f64>, Vec<f64>)],
    question: &Question,
) -> Result<Estimate, Fault> {
    let (mut lost, mut single) = (0, 0);
    let mut used = Vec::new();
    for (arm, reference) in strata {
        let n = (arm.len() + reference.len()) as u64;
        if arm.is_empty() || reference.is_empty() {
            lost += n;
        } else if arm.len() == 1 || reference.len() == 1 {
            single += n;
        } else {
            used.push((Moments::of(arm, ARM)?, Moments::of(reference, REFERENCE)?));
        }
    }
    if used.is_empty() {
        return Err(Fault::NoCommonStratum);
    }
    let size = |(arm, reference): &(Moments, Moments)| (arm.n + reference.n) as f64;
    let n: f64 = used.iter().map(size).sum();
    let (mut effect, mut variance) = (0.0, 0.0);
    for stratum in &used {
        let (arm, reference) = stratum;
        let share = size(stratum) / n;
        effect += share * (arm.mean - reference.mean);
        variance +=
            share.powi(2) * (arm.variance / arm.n as f64 + reference.variance / reference.n as f64);
    }
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let df = n - 2.0 * used.len() as f64;
    let mut made = Estimate::student(effect, variance.sqrt(), df, question);
    made.warnings = lost_warning(lost);
    if single > 0 {
        made = made.warned(format!(
            "{single} participants of strata with a single participant in an arm contribute nothing"
        ));
    }
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_stratum_is_the_plain_difference_and_lonely_strata_are_counted() {
        let (arm, reference) = (vec![1.0, 3.0, 8.0], vec![2.0, 2.5, 4.0]);
        let question = Question::two_sided(0.95);
        let plain = crate::statistics::means::welch(&arm, &reference, &question).unwrap();
        let strata = vec![
            (arm, reference),
            (vec![9.0], vec![]),
            (vec![1.0], vec![2.0, 3.0]),
        ];
        let made = blocked_difference(&strata, &question).unwrap();
        assert_eq!(made.estimate, plain.estimate);
        assert_eq!(made.standard_error, plain.standard_error);
        assert_eq!(made.warnings.len(), 2, "{:?}", made.warnings);
        assert_eq!(made.statistic.unwrap().df, Some(4.0));
    }
}
