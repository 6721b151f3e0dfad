//! Ratios of two proportions with limits on the log scale: Katz's risk ratio and Woolf's odds ratio.
//!
//! Assumes independent participants, and events enough for the logarithm to be near normal: an empty
//! cell is an error, not a half event. Sources: Katz, Baptista, Azen and Pike, Biometrics 34 (1978)
//! 469-474; Woolf, Annals of Human Genetics 19 (1955) 251-253.

use super::proportions::Counts;
use super::{ARM, Estimate, Fault, Question, REFERENCE};

/// The risk ratio of an arm against the reference; var ln RR = 1/a - 1/n1 + 1/c - 1/n2.
pub fn katz(arm: Counts, reference: Counts, question: &Question) -> Result<Estimate, Fault> {
    let ((a, n1), (c, n2)) = (cells(arm, ARM)?, cells(reference, REFERENCE)?);
    let variance = 1.0 / a - 1.0 / n1 + 1.0 / c - 1.0 / n2;
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let ratio = (a / n1) / (c / n2);
    Ok(Estimate::log_normal(ratio, variance.sqrt(), question))
}

/// The odds ratio; var ln OR = 1/a + 1/b + 1/c + 1/d.
pub fn woolf(arm: Counts, reference: Counts, question: &Question) -> Result<Estimate, Fault> {
    let ((a, n1), (c, n2)) = (cells(arm, ARM)?, cells(reference, REFERENCE)?);
    let (b, d) = (n1 - a, n2 - c);
    if b == 0.0 {
        return Err(Fault::EmptyCell(ARM));
    }
    if d == 0.0 {
        return Err(Fault::EmptyCell(REFERENCE));
    }
    let variance = 1.0 / a + 1.0 / b + 1.0 / c + 1.0 / d;
    let ratio = (a / b) / (c / d);
    Ok(Estimate::log_normal(ratio, variance.sqrt(), question))
}

/// Events and participants of an arm that has both.
fn cells(counts: Counts, name: &'static str) -> Result<(f64, f64), Fault> {
    if counts.n == 0 {
        return Err(Fault::EmptyArm(name));
    }
    if counts.events == 0 {
        return Err(Fault::EmptyCell(name));
    }
    Ok((counts.events as f64, counts.n as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(events: u64, n: u64) -> Counts {
        Counts { events, n }
    }

    #[test]
    fn exchanging_the_arms_gives_the_reciprocal() {
        let question = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        let (arm, reference) = (counts(12, 40), counts(21, 50));
        for estimator in [katz, woolf] {
            let there = estimator(arm, reference, &question).unwrap();
            let back = estimator(reference, arm, &question).unwrap();
            assert!((there.estimate.unwrap() * back.estimate.unwrap() - 1.0).abs() < 1e-14);
            let ((l, _), (_, u)) = (there.limits.unwrap(), back.limits.unwrap());
            assert!((l * u - 1.0).abs() < 1e-12);
            assert!((there.p_value.unwrap() - back.p_value.unwrap()).abs() < 1e-14);
        }
    }

    #[test]
    fn empty_cells_and_arms_are_named() {
        let question = Question::two_sided(0.95);
        let some = counts(1, 3);
        assert_eq!(
            katz(counts(0, 3), some, &question),
            Err(Fault::EmptyCell(ARM))
        );
        assert_eq!(
            woolf(some, counts(3, 3), &question),
            Err(Fault::EmptyCell(REFERENCE))
        );
        assert_eq!(
            woolf(some, counts(0, 0), &question),
            Err(Fault::EmptyArm(REFERENCE))
        );
        assert_eq!(
            katz(counts(3, 3), counts(2, 2), &question),
            Err(Fault::NoVariation)
        );
    }
}
