//! Differences of two proportions: Wald, Newcombe, Agresti-Caffo, Miettinen-Nurminen.
//!
//! Assumes independent participants; the interval speaks of the difference in risk, arm minus
//! reference. Sources: Newcombe, Statistics in Medicine 17 (1998) 873-890 (method numbers are his);
//! Agresti and Caffo, The American Statistician 54 (2000) 280-288; Miettinen and Nurminen,
//! Statistics in Medicine 4 (1985) 213-226.

use super::{ARM, Estimate, Fault, Question, REFERENCE, Statistic, StatisticName};
use super::{distributions::normal_p, roots::bisect};

/// Events among the participants of one arm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    pub events: u64,
    /// Participants with a value, at least `events`.
    pub n: u64,
}

impl Counts {
    pub(super) fn share(self) -> f64 {
        self.events as f64 / self.n as f64
    }
}

fn check(arm: Counts, reference: Counts) -> Result<(), Fault> {
    if arm.n == 0 {
        return Err(Fault::EmptyArm(ARM));
    }
    if reference.n == 0 {
        return Err(Fault::EmptyArm(REFERENCE));
    }
    Ok(())
}

/// The unpooled standard error of a difference of proportions.
fn unpooled(arm: Counts, reference: Counts) -> f64 {
    let part = |counts: Counts| counts.share() * (1.0 - counts.share()) / counts.n as f64;
    (part(arm) + part(reference)).sqrt()
}

/// Wald limits with the unpooled variance (Newcombe's method 1).
pub fn wald(arm: Counts, reference: Counts, question: &Question) -> Result<Estimate, Fault> {
    check(arm, reference)?;
    let error = unpooled(arm, reference);
    if error == 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::normal(
        arm.share() - reference.share(),
        error,
        question,
    ))
}

/// Wald limits after one success and one failure are added to each arm (Agresti and Caffo 2000).
/// The estimate is the observed difference; standard error and test belong to the adjusted one.
pub fn agresti_caffo(
    arm: Counts,
    reference: Counts,
    question: &Question,
) -> Result<Estimate, Fault> {
    check(arm, reference)?;
    let plus = |counts: Counts| Counts {
        events: counts.events + 1,
        n: counts.n + 2,
    };
    let adjusted = wald(plus(arm), plus(reference), question)?;
    Ok(Estimate {
        estimate: Some(arm.share() - reference.share()),
        ..adjusted
    })
}

/// Wilson's score limits of one proportion, without continuity correction (1927).
pub fn wilson(counts: Counts, z: f64) -> (f64, f64) {
    let (n, p) = (counts.n as f64, counts.share());
    let (centre, denominator) = (2.0 * n * p + z * z, 2.0 * (n + z * z));
    let half = z * (z * z + 4.0 * n * p * (1.0 - p)).sqrt();
    // Exact at the ends: rounding must not leave 1e-17 where the limit is 0.
    let lower = if counts.events == 0 {
        0.0
    } else {
        (centre - half) / denominator
    };
    let upper = if counts.events == counts.n {
        1.0
    } else {
        (centre + half) / denominator
    };
    (lower, upper)
}

/// Newcombe's method 10: Wilson limits of each arm, combined by their squared distances.
///
/// The test inverts the interval: its z is the one whose limit touches the null value. The standard
/// error is the unpooled one and plays no part in the limits.
pub fn newcombe(arm: Counts, reference: Counts, question: &Question) -> Result<Estimate, Fault> {
    check(arm, reference)?;
    let difference = arm.share() - reference.share();
    let limits = newcombe_limits(arm, reference, question.z());
    let mut made = Estimate {
        estimate: Some(difference),
        standard_error: Some(unpooled(arm, reference)),
        limits: Some(limits),
        ..Estimate::default()
    };
    let distance = |z: f64| match difference > question.null {
        true => newcombe_limits(arm, reference, z).0 - question.null,
        false => question.null - newcombe_limits(arm, reference, z).1,
    };
    match touching(distance) {
        Some(z) => {
            let z = if difference >= question.null || z == 0.0 {
                z
            } else {
                -z
            };
            made.statistic = Some(Statistic {
                name: StatisticName::Z,
                value: z,
                df: None,
                denominator_df: None,
            });
            made.p_value = Some(normal_p(z, question.alternative));
        }
        None => made
            .warnings
            .push("at no level does the interval reach the null value".into()),
    }
    Ok(made)
}

/// The z at which a distance that falls with z is 0; none where it stays above 0.
fn touching(distance: impl Fn(f64) -> f64) -> Option<f64> {
    if distance(0.0) <= 0.0 {
        return Some(0.0);
    }
    let mut high = 1.0;
    while distance(high) > 0.0 {
        high *= 2.0;
        // Beyond a million the limits have reached the ends of their range.
        if high > 1e6 {
            return None;
        }
    }
    Some(bisect(0.0, high, distance))
}

fn newcombe_limits(arm: Counts, reference: Counts, z: f64) -> (f64, f64) {
    let (p1, p2) = (arm.share(), reference.share());
    let ((l1, u1), (l2, u2)) = (wilson(arm, z), wilson(reference, z));
    let lower = p1 - p2 - (p1 - l1).hypot(u2 - p2);
    let upper = p1 - p2 + (u1 - p1).hypot(p2 - l2);
    (lower, upper)
}

/// Miettinen and Nurminen's score limits, with the variance times N/(N - 1).
///
/// The limits are the differences that their score test does not reject; the test is that score
/// test at the null value, so that test and interval agree. The standard error is the unpooled one.
pub fn miettinen_nurminen(
    arm: Counts,
    reference: Counts,
    question: &Question,
) -> Result<Estimate, Fault> {
    check(arm, reference)?;
    if arm.n + reference.n < 3 {
        return Err(Fault::TooFew(ARM));
    }
    let difference = arm.share() - reference.share();
    let critical = question.z();
    let z = score(arm, reference, question.null);
    let lower = bisect(-1.0, difference, |delta| {
        score(arm, reference, delta) - critical
    });
    let upper = bisect(difference, 1.0, |delta| {
        score(arm, reference, delta) + critical
    });
    Ok(Estimate {
        estimate: Some(difference),
        standard_error: Some(unpooled(arm, reference)),
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

/// The score statistic for a difference of `delta` (their equations 8 and 9).
fn score(arm: Counts, reference: Counts, delta: f64) -> f64 {
    let distance = arm.share() - reference.share() - delta;
    if distance == 0.0 {
        return 0.0;
    }
    let variance = constrained_variance(arm, reference, delta);
    if variance <= 0.0 {
        distance.signum() * f64::MAX
    } else {
        distance / variance.sqrt()
    }
}

/// The variance of the difference at the proportions that maximize the likelihood given that the
/// difference is `delta`, times N/(N - 1).
///
/// Their appendix gives those proportions as the root of a cubic in trigonometric form, which loses
/// half of all digits where events are rare. Here the root of the likelihood's own derivative is
/// found, counted from the end of the range at which the proportions are small.
pub(super) fn constrained_variance(arm: Counts, reference: Counts, delta: f64) -> f64 {
    let events = arm.events + reference.events;
    let n = arm.n + reference.n;
    if 2 * events > n {
        // Where most have the event, few do not: the variance is the same of both.
        let others = |counts: Counts| Counts {
            events: counts.n - counts.events,
            ..counts
        };
        return constrained_variance(others(arm), others(reference), -delta);
    }
    let span = 1.0 - delta.abs();
    // The proportions, as far above the ends of their ranges as `t`.
    let shares = |t: f64| {
        if delta >= 0.0 {
            (delta + t, t)
        } else {
            (t, t - delta)
        }
    };
    let t = bisect(0.0, span, |t| {
        let (p1, p2) = shares(t);
        slope(arm, p1, span - t + (-delta).max(0.0))
            + slope(reference, p2, span - t + delta.max(0.0))
    });
    let (p1, p2) = shares(t);
    let part = |p: f64, counts: Counts| (p * (1.0 - p)).max(0.0) / counts.n as f64;
    (part(p1, arm) + part(p2, reference)) * n as f64 / (n as f64 - 1.0)
}

/// The derivative of one arm's log-likelihood at the share `p`; `q` is 1 - p.
fn slope(counts: Counts, p: f64, q: f64) -> f64 {
    let (events, others) = (counts.events as f64, (counts.n - counts.events) as f64);
    let part = |count: f64, share: f64| match (count > 0.0, share > 0.0) {
        (false, _) => 0.0,
        (true, true) => count / share,
        // Far beyond any other term, and finite: infinities of both signs must not meet.
        (true, false) => 1e300,
    };
    part(events, p) - part(others, q)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newcombe 1998, Table II: counts, limits of method 10, limits of Miettinen and Nurminen.
    const TABLE_II: [([u64; 4], [f64; 2], [f64; 2]); 8] = [
        ([56, 70, 48, 80], [0.0524, 0.3339], [0.0528, 0.3382]),
        ([9, 10, 3, 10], [0.1705, 0.8090], [0.1700, 0.8406]),
        ([6, 7, 2, 7], [0.0582, 0.8062], [0.0342, 0.8534]),
        ([5, 56, 0, 29], [-0.0381, 0.1926], [-0.0326, 0.1933]),
        ([0, 10, 0, 20], [-0.1611, 0.2775], [-0.1658, 0.2844]),
        ([0, 10, 0, 10], [-0.2775, 0.2775], [-0.2879, 0.2879]),
        ([10, 10, 0, 20], [0.6791, 1.0], [0.7156, 1.0]),
        ([10, 10, 0, 10], [0.6075, 1.0], [0.6636, 1.0]),
    ];

    #[test]
    fn the_limits_of_newcombe_1998_table_ii_are_reproduced_to_all_printed_digits() {
        for ([x1, n1, x2, n2], by_newcombe, by_score) in TABLE_II {
            let (arm, reference) = (Counts { events: x1, n: n1 }, Counts { events: x2, n: n2 });
            let question = Question::two_sided(0.95);
            let found = newcombe(arm, reference, &question).unwrap().limits.unwrap();
            let score = miettinen_nurminen(arm, reference, &question)
                .unwrap()
                .limits
                .unwrap();
            for (found, printed) in [(found, by_newcombe), (score, by_score)] {
                assert!(
                    (found.0 - printed[0]).abs() <= 0.5e-4,
                    "{x1}/{n1} {x2}/{n2}: {found:?}"
                );
                assert!(
                    (found.1 - printed[1]).abs() <= 0.5e-4,
                    "{x1}/{n1} {x2}/{n2}: {found:?}"
                );
            }
        }
    }

    #[test]
    fn a_test_at_a_limit_has_the_level_of_the_interval() {
        let (arm, reference) = (Counts { events: 56, n: 70 }, Counts { events: 48, n: 80 });
        for estimator in [newcombe, miettinen_nurminen] {
            let (lower, upper) = estimator(arm, reference, &Question::two_sided(0.95))
                .unwrap()
                .limits
                .unwrap();
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
    fn exchanging_the_arms_changes_the_signs_only() {
        let (arm, reference) = (Counts { events: 5, n: 56 }, Counts { events: 0, n: 29 });
        let question = Question::two_sided(0.9);
        for estimator in [wald, newcombe, miettinen_nurminen, agresti_caffo] {
            let there = estimator(arm, reference, &question).unwrap();
            let back = estimator(reference, arm, &question).unwrap();
            let ((l, u), (l2, u2)) = (there.limits.unwrap(), back.limits.unwrap());
            assert!((l + u2).abs() < 1e-12 && (u + l2).abs() < 1e-12);
            assert!((there.p_value.unwrap() - back.p_value.unwrap()).abs() < 1e-12);
        }
    }

    #[test]
    fn newcombes_test_has_no_ceiling_and_says_where_it_has_no_answer() {
        let far = |events| Counts { events, n: 100_000 };
        let made = newcombe(far(60_000), far(40_000), &Question::two_sided(0.95)).unwrap();
        assert!(made.statistic.unwrap().value > 80.0, "{made:?}");
        let (all, none) = (Counts { events: 20, n: 20 }, Counts { events: 0, n: 20 });
        let question = Question {
            null: -0.9,
            ..Question::two_sided(0.95)
        };
        let made = newcombe(all, none, &question).unwrap();
        assert_eq!((made.statistic, made.warnings.len()), (None, 1));
    }

    #[test]
    fn an_empty_arm_and_a_lack_of_variation_are_named() {
        let (some, none) = (Counts { events: 1, n: 2 }, Counts::default());
        let question = Question::two_sided(0.95);
        assert_eq!(newcombe(none, some, &question), Err(Fault::EmptyArm(ARM)));
        assert_eq!(
            miettinen_nurminen(some, none, &question),
            Err(Fault::EmptyArm(REFERENCE))
        );
        let full = Counts { events: 3, n: 3 };
        assert_eq!(wald(full, full, &question), Err(Fault::NoVariation));
    }
}
