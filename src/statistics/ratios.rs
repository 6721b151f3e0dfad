//! Ratios of two proportions: Katz's risk ratio and Woolf's odds ratio with limits on the log scale,
//! and both with the score limits of Miettinen and Nurminen.
//!
//! Assumes independent participants. Katz and Woolf also assume events enough for the logarithm to be
//! near normal: an empty cell is an error, not a half event. Sources: Katz, Baptista, Azen and Pike,
//! Biometrics 34 (1978) 469-474; Woolf, Annals of Human Genetics 19 (1955) 251-253; Miettinen and
//! Nurminen, Statistics in Medicine 4 (1985) 213-226.

use super::proportions::Counts;
use super::{ARM, Estimate, Fault, Question, REFERENCE, Statistic, StatisticName};
use super::{distributions::normal_p, roots::bisect};

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

/// The risk ratio with score limits, the variance times N/(N - 1).
///
/// The limits are the ratios that the score test does not reject, and the test is that score test. Without
/// an event in the arm the estimate and its lower limit are 0; without one in the reference no ratio
/// is finite.
pub fn risk_ratio_score(
    arm: Counts,
    reference: Counts,
    question: &Question,
) -> Result<Estimate, Fault> {
    let estimate = (
        arm.share() / reference.share(),
        katz(arm, reference, question),
    );
    by_score(arm, reference, question, estimate, risk_score)
}

/// The odds ratio with score limits, the variance times N/(N - 1).
pub fn odds_ratio_score(
    arm: Counts,
    reference: Counts,
    question: &Question,
) -> Result<Estimate, Fault> {
    if reference.events == reference.n && reference.n > 0 {
        return Err(Fault::EmptyCell(REFERENCE));
    }
    if arm.events == arm.n && arm.n > 0 {
        return Err(Fault::EmptyCell(ARM));
    }
    let odds = |counts: Counts| counts.events as f64 / (counts.n - counts.events) as f64;
    let estimate = (odds(arm) / odds(reference), woolf(arm, reference, question));
    by_score(arm, reference, question, estimate, odds_score)
}

/// Farthest logarithm of a ratio that a limit may have.
const FARTHEST: f64 = 60.0;

/// Inverts a score that falls as the ratio grows.
fn by_score(
    arm: Counts,
    reference: Counts,
    question: &Question,
    (estimate, on_log): (f64, Result<Estimate, Fault>),
    score: fn(Counts, Counts, f64) -> f64,
) -> Result<Estimate, Fault> {
    for (counts, name) in [(arm, ARM), (reference, REFERENCE)] {
        if counts.n == 0 {
            return Err(Fault::EmptyArm(name));
        }
    }
    if arm.events + reference.events == 0 {
        return Err(Fault::NoEvents);
    }
    if reference.events == 0 {
        return Err(Fault::EmptyCell(REFERENCE));
    }
    let critical = question.z();
    let centre = if arm.events == 0 {
        -FARTHEST
    } else {
        estimate.ln()
    };
    let lower = match arm.events {
        0 => 0.0,
        _ => bisect(-FARTHEST, centre, |log| {
            score(arm, reference, log.exp()) - critical
        })
        .exp(),
    };
    let upper = bisect(centre, FARTHEST, |log| {
        score(arm, reference, log.exp()) + critical
    })
    .exp();
    let z = score(arm, reference, question.null);
    Ok(Estimate {
        estimate: Some(estimate),
        // Of the logarithm, where it has one.
        standard_error: on_log.ok().and_then(|made| made.standard_error),
        limits: Some((lower, upper)),
        statistic: Some(Statistic {
            name: StatisticName::Z,
            value: z,
            df: None,
            denominator_df: None,
        }),
        p_value: Some(normal_p(z, question.alternative)),
        warnings: Vec::new(),
    })
}

/// The score of a risk ratio; the constrained risks are roots of a
/// quadratic.
fn risk_score(arm: Counts, reference: Counts, ratio: f64) -> f64 {
    let (x1, n1) = (arm.events as f64, arm.n as f64);
    let (x2, n2) = (reference.events as f64, reference.n as f64);
    let n = n1 + n2;
    let (a, b, c) = (n * ratio, n1 * ratio + x1 + n2 + x2 * ratio, x1 + x2);
    // The form that does not cancel: both terms of the denominator are positive.
    let p2 = 2.0 * c / (b + (b * b - 4.0 * a * c).max(0.0).sqrt());
    let p1 = (ratio * p2).min(1.0);
    let variance = (p1 * (1.0 - p1) / n1 + ratio * ratio * p2 * (1.0 - p2) / n2) * n / (n - 1.0);
    toward(x1 / n1 - ratio * x2 / n2, variance)
}

/// The score of an odds ratio.
fn odds_score(arm: Counts, reference: Counts, ratio: f64) -> f64 {
    let (x1, n1) = (arm.events as f64, arm.n as f64);
    let (n2, m) = (reference.n as f64, (arm.events + reference.events) as f64);
    let n = n1 + n2;
    let (a, c) = (n2 * (ratio - 1.0), -m);
    let b = n1 * ratio + n2 - m * (ratio - 1.0);
    let root = (b * b - 4.0 * a * c).max(0.0).sqrt();
    let p2 = if b >= 0.0 {
        -2.0 * c / (b + root)
    } else {
        (root - b) / (2.0 * a)
    };
    // The fitted events add up to the observed ones; the odds themselves cancel where p2 is near 1.
    let p1 = ((m - n2 * p2) / n1).clamp(0.0, 1.0);
    let (v1, v2) = (n1 * p1 * (1.0 - p1), n2 * p2 * (1.0 - p2));
    // Divided by the variance of x1 given the margins.
    toward(x1 - n1 * p1, v1 * v2 / (v1 + v2) * n / (n - 1.0))
}

fn toward(distance: f64, variance: f64) -> f64 {
    if distance == 0.0 {
        0.0
    } else if variance > 0.0 {
        distance / variance.sqrt()
    } else {
        distance.signum() * f64::MAX
    }
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
    fn a_score_test_at_a_limit_has_the_level_of_the_interval() {
        let (arm, reference) = (counts(12, 40), counts(21, 50));
        for estimator in [risk_ratio_score, odds_ratio_score] {
            let made = estimator(arm, reference, &Question::two_sided(0.95)).unwrap();
            let (lower, upper) = made.limits.unwrap();
            for null in [lower, upper] {
                let question = Question {
                    null,
                    ..Question::two_sided(0.95)
                };
                let p = estimator(arm, reference, &question)
                    .unwrap()
                    .p_value
                    .unwrap();
                assert!((p - 0.05).abs() < 1e-9, "{p}");
            }
        }
    }

    #[test]
    fn without_an_event_in_the_arm_the_score_has_an_upper_limit_only() {
        for estimator in [risk_ratio_score, odds_ratio_score] {
            let made = estimator(counts(0, 20), counts(4, 20), &Question::two_sided(0.95)).unwrap();
            let (lower, upper) = made.limits.unwrap();
            assert_eq!((made.estimate, lower), (Some(0.0), 0.0));
            assert!((0.5..2.0).contains(&upper), "{upper}");
            let none = estimator(counts(0, 5), counts(0, 5), &Question::two_sided(0.95));
            assert_eq!(none, Err(Fault::NoEvents));
            let no_reference = estimator(counts(2, 5), counts(0, 5), &Question::two_sided(0.95));
            assert_eq!(no_reference, Err(Fault::EmptyCell(REFERENCE)));
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
