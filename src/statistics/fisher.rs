//! Fisher's exact test of a 2 x 2 table, with the conditional odds ratio and its exact limits.
//!
//! Given the margins, the events of the arm follow Fisher's noncentral hypergeometric distribution,
//! whose parameter is the odds ratio. The two-sided p-value adds up the tables that are no more likely
//! than the observed one (as R's `fisher.test` does); the limits are those of two one-sided tests
//! (Clopper and Pearson's way), so that test and interval need not agree at the margin.

use super::proportions::Counts;
use super::roots::bisect;
use super::{ARM, Alternative, Estimate, Fault, Question, REFERENCE};

/// Farthest logarithm of an odds ratio.
const FARTHEST: f64 = 60.0;

/// Tables whose probabilities differ by less than this count as equally likely (R's convention).
const TIE: f64 = 1.0 + 1e-7;

/// The events of the arm, given the margins of the table.
struct Conditional {
    low: u64,
    /// Probability of each count, at an odds ratio of 1, relative to the greatest.
    weights: Vec<f64>,
    observed: usize,
}

impl Conditional {
    fn of(arm: Counts, reference: Counts) -> Self {
        let (n1, n2, m) = (arm.n, reference.n, arm.events + reference.events);
        let (low, high) = (m.saturating_sub(n2), n1.min(m));
        // From one count to the next by the ratio of their probabilities: no logarithm of a large
        // factorial, which would lose digits.
        let ratio = |x: u64| {
            let (x, n1, n2, m) = (x as f64, n1 as f64, n2 as f64, m as f64);
            (n1 - x) * (m - x) / ((x + 1.0) * (n2 - m + x + 1.0))
        };
        let mode = ((n1 + 1) as f64 * (m + 1) as f64 / (n1 + n2 + 2) as f64).floor() as u64;
        let mode = mode.clamp(low, high);
        let mut weights = vec![0.0; (high - low + 1) as usize];
        let at = |x: u64| (x - low) as usize;
        weights[at(mode)] = 1.0;
        for x in mode..high {
            weights[at(x + 1)] = weights[at(x)] * ratio(x);
        }
        for x in (low..mode).rev() {
            weights[at(x)] = weights[at(x + 1)] / ratio(x);
        }
        Self {
            low,
            weights,
            observed: at(arm.events),
        }
    }

    /// The probabilities at an odds ratio.
    fn at(&self, log_ratio: f64) -> Vec<f64> {
        let logs = self
            .weights
            .iter()
            .zip(0..)
            .map(|(weight, step)| weight.ln() + log_ratio * f64::from(step as u32));
        let logs: Vec<f64> = logs.collect();
        let most = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let shares: Vec<f64> = logs.iter().map(|log| (log - most).exp()).collect();
        let total: f64 = shares.iter().sum();
        shares.into_iter().map(|share| share / total).collect()
    }

    fn mean(&self, log_ratio: f64) -> f64 {
        let shares = self.at(log_ratio);
        self.low as f64
            + shares
                .iter()
                .zip(0..)
                .map(|(p, i)| p * f64::from(i))
                .sum::<f64>()
    }

    /// Probability of the observed count or more.
    fn or_more(&self, log_ratio: f64) -> f64 {
        self.at(log_ratio)[self.observed..].iter().sum()
    }

    /// Probability of the observed count or less.
    fn or_less(&self, log_ratio: f64) -> f64 {
        self.at(log_ratio)[..=self.observed].iter().sum()
    }
}

/// The test against the odds ratio of the null (1 for no difference).
pub fn exact(arm: Counts, reference: Counts, question: &Question) -> Result<Estimate, Fault> {
    for (counts, name) in [(arm, ARM), (reference, REFERENCE)] {
        if counts.n == 0 {
            return Err(Fault::EmptyArm(name));
        }
    }
    let table = Conditional::of(arm, reference);
    let last = table.weights.len() - 1;
    if last == 0 {
        return Err(Fault::NoVariation);
    }
    let null = question.null.ln();
    let p_value = match question.alternative {
        Alternative::Greater => table.or_more(null),
        Alternative::Less => table.or_less(null),
        Alternative::TwoSided => {
            let shares = table.at(null);
            let most = shares[table.observed] * TIE;
            shares.iter().filter(|share| **share <= most).sum()
        }
    };
    let tail = (1.0 - question.level) / 2.0;
    let observed = arm.events as f64;
    // With all events on one side the ratio is 0 or beyond all bounds.
    let lower = match table.observed {
        0 => 0.0,
        _ => bisect(-FARTHEST, FARTHEST, |log| table.or_more(log) - tail).exp(),
    };
    let mut made = Estimate {
        p_value: Some(p_value.min(1.0)),
        ..Estimate::default()
    };
    if table.observed == last {
        made.warnings.push(format!(
            "the odds ratio is beyond all bounds; its lower limit is {lower:.6}"
        ));
        return Ok(made);
    }
    let upper = bisect(-FARTHEST, FARTHEST, |log| table.or_less(log) - tail).exp();
    made.estimate = Some(match table.observed {
        0 => 0.0,
        _ => bisect(-FARTHEST, FARTHEST, |log| table.mean(log) - observed).exp(),
    });
    made.limits = Some((lower, upper));
    Ok(made)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(events: u64, n: u64) -> Counts {
        Counts { events, n }
    }

    /// Fisher's tea taster, 3 of 4 against 1 of 4: R 4.2.2 `fisher.test`, which finds the estimate to four
    /// digits.
    #[test]
    fn the_tea_taster_is_reproduced() {
        let question = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        let made = exact(counts(3, 4), counts(1, 4), &question).unwrap();
        assert!((made.p_value.unwrap() - 0.485_714_285_714).abs() < 1e-12);
        assert!((made.estimate.unwrap() - 6.408).abs() < 1e-3);
        let greater = Question {
            alternative: Alternative::Greater,
            ..question
        };
        let made = exact(counts(3, 4), counts(1, 4), &greater).unwrap();
        assert!((made.p_value.unwrap() - 0.242_857_142_857).abs() < 1e-12);
    }

    #[test]
    fn a_table_that_can_be_no_other_and_one_at_its_end_are_told() {
        let question = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        assert_eq!(
            exact(counts(0, 5), counts(0, 5), &question),
            Err(Fault::NoVariation)
        );
        let made = exact(counts(5, 5), counts(0, 5), &question).unwrap();
        assert_eq!(
            (made.estimate, made.limits, made.warnings.len()),
            (None, None, 1)
        );
        assert!((made.p_value.unwrap() - 2.0 / 252.0).abs() < 1e-15);
        let made = exact(counts(0, 5), counts(5, 5), &question).unwrap();
        assert_eq!(made.estimate, Some(0.0));
        assert_eq!(made.limits.unwrap().0, 0.0);
    }
}
