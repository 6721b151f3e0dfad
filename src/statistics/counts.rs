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

use super::linear::{Cholesky, add_square, dot, mirror};
use super::regression::Covariate;
use super::roots::brent;
use super::{ARM, Estimate, Fault, Question, REFERENCE, means::Moments};
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

/// Participants with their columns; equal ones are counted once.
struct Rows {
    names: Vec<String>,
    /// Row-major: intercept, arm, covariates centred and scaled.
    x: Vec<f64>,
    counted: Vec<Counted>,
    weights: Vec<f64>,
}

impl Rows {
    fn of(counted: &[Counted], treated: &[bool], covariates: &[Covariate]) -> Result<Self, Fault> {
        let n = counted.len();
        if treated.len() != n || covariates.iter().any(|c| c.values.len() != n) {
            return Err(Fault::Lengths);
        }
        check(counted.iter().map(|c| (c.events, c.exposure)))?;
        for (arm, name) in [(true, ARM), (false, REFERENCE)] {
            let mut own = counted
                .iter()
                .zip(treated)
                .filter(|(_, t)| **t == arm)
                .peekable();
            if own.peek().is_none() {
                return Err(Fault::EmptyArm(name));
            }
            if own.all(|(c, _)| c.events == 0.0) {
                return Err(Fault::EmptyCell(name));
            }
        }
        let mut scaled = Vec::new();
        for covariate in covariates {
            let moments = Moments::of(&covariate.values, ARM)?;
            if moments.variance <= 1e-26 * moments.mean.powi(2) {
                return Err(Fault::Constant(covariate.name.clone()));
            }
            scaled.push((covariate, moments.mean, moments.variance.sqrt()));
        }
        // The order of the rows is that of their values.
        let mut cells: BTreeMap<Vec<u64>, (Counted, Vec<f64>, f64)> = BTreeMap::new();
        for (row, counted) in counted.iter().enumerate() {
            let mut x = vec![1.0, f64::from(u8::from(treated[row]))];
            x.extend(
                scaled
                    .iter()
                    .map(|(c, mean, scale)| (c.values[row] - mean) / scale),
            );
            let numbers = [counted.events, counted.exposure];
            let key = numbers.iter().chain(&x).map(|v| v.to_bits()).collect();
            cells.entry(key).or_insert((*counted, x, 0.0)).2 += 1.0;
        }
        let mut names = vec!["the intercept".to_owned(), "the arm".to_owned()];
        names.extend(covariates.iter().map(|c| c.name.clone()));
        Ok(Self {
            names,
            x: cells.values().flat_map(|(_, x, _)| x.clone()).collect(),
            weights: cells.values().map(|(.., weight)| *weight).collect(),
            counted: cells.into_values().map(|(counted, ..)| counted).collect(),
        })
    }

    fn row(&self, row: usize) -> &[f64] {
        let p = self.names.len();
        &self.x[row * p..(row + 1) * p]
    }

    fn means(&self, b: &[f64]) -> Vec<f64> {
        let mean = |(row, counted): (usize, &Counted)| {
            counted.exposure * dot(self.row(row), b).clamp(-300.0, 300.0).exp()
        };
        self.counted.iter().enumerate().map(mean).collect()
    }

    fn sum(&self, of: impl Fn(usize) -> f64) -> f64 {
        crate::statistics::sum::compensated(
            (0..self.counted.len()).map(|row| self.weights[row] * of(row)),
        )
    }

    /// The log rates with the largest likelihood for a theta, by Fisher's scoring, and their information.
    fn coefficients(&self, theta: f64, start: &[f64]) -> Result<(Vec<f64>, Cholesky), Fault> {
        let p = self.names.len();
        let mut b = start.to_vec();
        for _ in 0..200 {
            let means = self.means(&b);
            let (mut information, mut score) = (vec![0.0; p * p], vec![0.0; p]);
            for (row, mu) in means.iter().enumerate() {
                let spread = self.weights[row] / (1.0 + mu / theta);
                add_square(&mut information, self.row(row), mu * spread);
                for (score, x) in score.iter_mut().zip(self.row(row)) {
                    *score += x * (self.counted[row].events - mu) * spread;
                }
            }
            mirror(&mut information, p);
            let factor = Cholesky::named(&information, &self.names)?;
            let step = factor.solve(&score);
            b.iter_mut()
                .zip(&step)
                .for_each(|(b, s)| *b += s.clamp(-3.0, 3.0));
            if step.iter().all(|s| s.abs() < 1e-12) {
                return Ok((b, factor));
            }
        }
        Err(Fault::NotConverged)
    }

    /// Slope of the log likelihood in theta.
    fn slope(&self, means: &[f64], theta: f64) -> f64 {
        self.sum(|row| {
            let (y, mu) = (self.counted[row].events, means[row]);
            rising(y, theta, 1) - (mu / theta).ln_1p() + (mu - y) / (mu + theta)
        })
    }

    /// Its negative curvature.
    fn curvature(&self, means: &[f64], theta: f64) -> f64 {
        self.sum(|row| {
            let (y, rest) = (self.counted[row].events, means[row] + theta);
            rising(y, theta, 2) - 1.0 / theta + 2.0 / rest - (y + theta) / (rest * rest)
        })
    }

    /// One rate for all: where the fit begins.
    fn start(&self) -> Vec<f64> {
        let crude =
            self.sum(|row| self.counted[row].events) / self.sum(|row| self.counted[row].exposure);
        let mut b = vec![0.0; self.names.len()];
        b[0] = crude.ln();
        b
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

/// Fits log rates that are linear in the arm and the covariates, with a common theta.
///
/// # Errors
/// Where an arm is empty or has no events, a covariate is constant or a mix of others, or the counts vary no
/// more than Poisson's do, so that theta has no finite estimate.
pub fn negative_binomial(
    counted: &[Counted],
    treated: &[bool],
    covariates: &[Covariate],
    question: &Question,
) -> Result<NegativeBinomial, Fault> {
    let rows = Rows::of(counted, treated, covariates)?;
    const LARGEST: f64 = 16.0;
    let (start, _) = rows.coefficients(LARGEST.exp(), &rows.start())?;
    let profile = |log_theta: f64| {
        let theta = log_theta.exp();
        let fitted = rows.coefficients(theta, &start);
        fitted.map_or(f64::NAN, |(b, _)| rows.slope(&rows.means(&b), theta))
    };
    if profile(LARGEST) >= 0.0 {
        return Err(Fault::Input(
            "the counts vary no more than those of a Poisson distribution: theta has no finite estimate"
                .into(),
        ));
    }
    let theta = brent(-12.0, LARGEST, profile).exp();
    let (b, factor) = rows.coefficients(theta, &start)?;
    let curvature = rows.curvature(&rows.means(&b), theta);
    if curvature.is_nan() || curvature <= 0.0 {
        return Err(Fault::NotConverged);
    }
    let error = factor.inverse()[rows.names.len() + 1].sqrt();
    Ok(NegativeBinomial {
        estimate: Estimate::log_normal(b[1].exp(), error, question),
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
            negative_binomial(&even, &[true, true, false], &[], &RATIO),
            Err(Fault::Input(_))
        ));
    }
}
