//! Ratios of rates: counts of events that may come again.
//!
//! `lwyy` is the proportional rates model of Lin, Wei, Yang and Ying (JRSS B 62, 2000, 711-730) for
//! participants followed for one and the same time: then neither the estimate nor its robust error
//! depends on when the events came. It assumes nothing of how a participant's events hang together. With
//! times and different follow-up it is [`super::survival::cox`] with entries and clusters.
//!
//! `negative_binomial` gives every participant a rate of its own, gamma distributed with shape theta (Lawless,
//! Canadian Journal of Statistics 15, 1987, 209-225). Errors hold theta fixed and take the expected
//! information, as R's `glm.nb`.

use super::roots::bisect;
use super::{ARM, Estimate, Fault, Question, REFERENCE, means::Moments, stable_sum};
use std::collections::BTreeMap;

/// Events of one participant, and the time under observation (1 where all have the same).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Counted {
    pub events: f64,
    pub exposure: f64,
}

/// The rate ratio with robust errors, all participants followed for the same time.
pub fn lwyy(arm: &[f64], reference: &[f64], question: &Question) -> Result<Estimate, Fault> {
    let (mean, variance) = relative(arm, ARM)?;
    let (other, other_variance) = relative(reference, REFERENCE)?;
    if variance + other_variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let error = (variance + other_variance).sqrt();
    Ok(Estimate::log_normal(mean / other, error, question))
}

/// Mean, and the variance of its logarithm: sum of squared deviations over (n mean)^2.
fn relative(counts: &[f64], arm: &'static str) -> Result<(f64, f64), Fault> {
    check(counts.iter().map(|count| (*count, 1.0)))?;
    let moments = Moments::of(counts, arm)?;
    if moments.mean == 0.0 {
        return Err(Fault::EmptyCell(arm));
    }
    let n = moments.n as f64;
    let squares = moments.variance * (n - 1.0);
    Ok((moments.mean, squares / (n * moments.mean).powi(2)))
}

fn check(counts: impl Iterator<Item = (f64, f64)>) -> Result<(), Fault> {
    for (events, exposure) in counts {
        if !events.is_finite() || !exposure.is_finite() {
            return Err(Fault::NotFinite);
        }
        if events < 0.0 || events.fract() != 0.0 || events > 1e9 {
            return Err(Fault::Input(
                "a count is not a whole number from 0 to 1,000,000,000".into(),
            ));
        }
        if exposure <= 0.0 {
            return Err(Fault::Input(
                "a time under observation is not above 0".into(),
            ));
        }
    }
    Ok(())
}

/// The rate ratio of a negative binomial model, with theta and its standard error.
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeBinomial {
    pub estimate: Estimate,
    /// Shape of the participants' rates; the variance is mu + mu^2 / theta.
    pub theta: f64,
    pub theta_error: f64,
}

/// Equal participants of one arm, counted once.
struct Cells(Vec<(Counted, f64)>);

impl Cells {
    fn of(counted: &[Counted], arm: &'static str) -> Result<Self, Fault> {
        check(counted.iter().map(|c| (c.events, c.exposure)))?;
        if counted.is_empty() {
            return Err(Fault::EmptyArm(arm));
        }
        if counted.iter().all(|c| c.events == 0.0) {
            return Err(Fault::EmptyCell(arm));
        }
        let mut cells: BTreeMap<(u64, u64), (Counted, f64)> = BTreeMap::new();
        for c in counted {
            let key = (c.events.to_bits(), c.exposure.to_bits());
            cells.entry(key).or_insert((*c, 0.0)).1 += 1.0;
        }
        Ok(Self(cells.into_values().collect()))
    }

    fn sum(&self, of: impl Fn(&Counted) -> f64) -> f64 {
        stable_sum(self.0.iter().map(|(counted, n)| n * of(counted)))
    }

    /// The rate with the largest likelihood for a theta: the root of sum (y - mu) / (1 + mu/theta).
    fn rate(&self, theta: f64) -> f64 {
        let crude = self.sum(|c| c.events) / self.sum(|c| c.exposure);
        let slope = |log_rate: f64| {
            let rate = log_rate.exp();
            self.sum(|c| {
                let mu = rate * c.exposure;
                (c.events - mu) / (1.0 + mu / theta)
            })
        };
        bisect(crude.ln() - 12.0, crude.ln() + 12.0, slope).exp()
    }

    /// Expected information of the log rate.
    fn information(&self, rate: f64, theta: f64) -> f64 {
        self.sum(|c| {
            let mu = rate * c.exposure;
            mu / (1.0 + mu / theta)
        })
    }

    /// Slope of the log likelihood in theta.
    fn slope(&self, rate: f64, theta: f64) -> f64 {
        self.sum(|c| {
            let mu = rate * c.exposure;
            rising(c.events, theta, 1) - (mu / theta).ln_1p() + (mu - c.events) / (mu + theta)
        })
    }

    /// Its negative curvature.
    fn curvature(&self, rate: f64, theta: f64) -> f64 {
        self.sum(|c| {
            let mu = rate * c.exposure;
            let rest = mu + theta;
            rising(c.events, theta, 2) - 1.0 / theta + 2.0 / rest
                - (c.events + theta) / (rest * rest)
        })
    }
}

/// The sum of (theta + j)^-power for j = 0 .. y - 1: differences of the digamma and trigamma functions.
fn rising(y: f64, theta: f64, power: i32) -> f64 {
    const DIRECT: f64 = 20_000.0;
    let direct = y.min(DIRECT) as u64;
    let sum: f64 = (0..direct).map(|j| (theta + j as f64).powi(-power)).sum();
    if y <= DIRECT {
        return sum;
    }
    // The rest by Euler and Maclaurin's formula, whose next term is far below the rounding.
    let (a, b) = (theta + DIRECT, theta + y);
    sum + match power {
        1 => (b / a).ln() + (1.0 / a - 1.0 / b) / 2.0 + (a.powi(-2) - b.powi(-2)) / 12.0,
        _ => 1.0 / a - 1.0 / b + (a.powi(-2) - b.powi(-2)) / 2.0 + (a.powi(-3) - b.powi(-3)) / 6.0,
    }
}

/// Fits one rate an arm and a common theta.
///
/// # Errors
/// Where an arm is empty or has no events, or the counts vary no more than Poisson's do, so that theta
/// has no finite estimate.
pub fn negative_binomial(
    arm: &[Counted],
    reference: &[Counted],
    question: &Question,
) -> Result<NegativeBinomial, Fault> {
    let arms = [Cells::of(arm, ARM)?, Cells::of(reference, REFERENCE)?];
    let profile = |log_theta: f64| {
        let theta = log_theta.exp();
        arms.iter()
            .map(|cells| cells.slope(cells.rate(theta), theta))
            .sum::<f64>()
    };
    const LARGEST: f64 = 16.0;
    if profile(LARGEST) >= 0.0 {
        return Err(Fault::Input(
            "the counts vary no more than those of a Poisson distribution: theta has no finite estimate"
                .into(),
        ));
    }
    let theta = bisect(-16.0, LARGEST, profile).exp();
    let rates = [arms[0].rate(theta), arms[1].rate(theta)];
    let information = |k: usize| arms[k].information(rates[k], theta);
    let error = (1.0 / information(0) + 1.0 / information(1)).sqrt();
    let curvature: f64 = (0..2).map(|k| arms[k].curvature(rates[k], theta)).sum();
    if curvature <= 0.0 {
        return Err(Fault::NotConverged);
    }
    Ok(NegativeBinomial {
        estimate: Estimate::log_normal(rates[0] / rates[1], error, question),
        theta,
        theta_error: 1.0 / curvature.sqrt(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIO: Question = Question {
        level: 0.95,
        null: 1.0,
        alternative: crate::statistics::Alternative::TwoSided,
    };

    #[test]
    fn the_sums_of_reciprocals_agree_where_they_change_their_form() {
        for power in [1, 2] {
            let direct: f64 = (0..30_000).map(|j| (2.5 + f64::from(j)).powi(-power)).sum();
            assert!((rising(30_000.0, 2.5, power) / direct - 1.0).abs() < 1e-14);
        }
    }

    #[test]
    fn counts_without_events_or_without_spread_are_named() {
        assert_eq!(
            lwyy(&[0.0, 0.0], &[1.0, 2.0], &RATIO),
            Err(Fault::EmptyCell(ARM))
        );
        assert_eq!(
            lwyy(&[1.0, 1.0], &[2.0, 2.0], &RATIO),
            Err(Fault::NoVariation)
        );
        assert!(matches!(
            lwyy(&[0.5, 1.0], &[2.0, 3.0], &RATIO),
            Err(Fault::Input(_))
        ));
        let even: Vec<Counted> = [2.0, 2.0, 2.0]
            .map(|events| Counted {
                events,
                exposure: 1.0,
            })
            .to_vec();
        assert!(matches!(
            negative_binomial(&even, &even, &RATIO),
            Err(Fault::Input(_))
        ));
    }
}
