//! Multiple imputation of an outcome, and how far from "missing at random" a result would tip.
//!
//! Within each arm the outcome is regressed on the covariates; parameters are drawn from their posterior
//! (Rubin 1987, example 5.1; for 0/1 outcomes the normal approximation around the logistic fit), then the
//! missing values. The completed trials give differences in means, pooled by Rubin's rules. Values of the
//! compared arm can be shifted by delta (on the log odds for 0/1): the smallest shift that undoes the
//! result is the tipping point (Cro, Morris, Kenward and Carpenter, Statistics in Medicine 39, 2020).

use super::rubin::{Pooled, pool};
use crate::statistics::linear::{Cholesky, add_square, dot, mirror};
use crate::statistics::means::Moments;
use crate::statistics::random::Random;
use crate::statistics::regression::Covariate;
use crate::statistics::roots::brent;
use crate::statistics::{ARM, Fault, Question, REFERENCE};

/// Imputed values that are kept at most.
const MOST_VALUES: usize = 50_000_000;

/// Participants with an outcome that may be missing.
#[derive(Debug, Clone, Copy)]
pub struct Incomplete<'a> {
    pub outcome: &'a [Option<f64>],
    pub treated: &'a [bool],
    pub covariates: &'a [Covariate],
    /// The outcome is 0 or 1.
    pub binary: bool,
}

/// The pooled result with its tipping point.
#[derive(Debug, Clone, PartialEq)]
pub struct Imputed {
    pub pooled: Pooled,
    pub imputations: u32,
    /// The shift of the imputed values of the compared arm at which the interval first holds the null;
    /// none where it holds the null already, or no shift of a sensible size brings it there.
    pub tipping_point: Option<f64>,
}

/// One drawn imputation: what a missing value is before its shift.
struct Draw {
    /// Linear predictor, and the random part: a deviation, or a uniform number for 0/1 outcomes.
    parts: Vec<(f64, f64)>,
}

/// Imputes `m` times; the seed decides every number.
pub fn impute(
    data: &Incomplete,
    m: u32,
    seed: [u8; 32],
    question: &Question,
) -> Result<Imputed, Fault> {
    check(data)?;
    let arms = [Arm::of(data, true)?, Arm::of(data, false)?];
    let missing = arms[0].missing.len() + arms[1].missing.len();
    if missing.saturating_mul(m as usize) > MOST_VALUES {
        return Err(Fault::Input(format!(
            "{m} imputations of {missing} values are too many to be kept: ask for fewer"
        )));
    }
    let draws: Vec<[Draw; 2]> = (0..m)
        .map(|i| {
            let mut random = Random::new(seed, u64::from(i));
            Ok([arms[0].draw(&mut random)?, arms[1].draw(&mut random)?])
        })
        .collect::<Result<_, Fault>>()?;
    let at = |shift: f64| pooled(&arms, &draws, shift, question);
    let result = at(0.0)?;
    Ok(Imputed {
        tipping_point: tipping_point(data.binary, &arms, &result, question, at),
        pooled: result,
        imputations: m,
    })
}

fn check(data: &Incomplete) -> Result<(), Fault> {
    let n = data.outcome.len();
    if data.treated.len() != n || data.covariates.iter().any(|c| c.values.len() != n) {
        return Err(Fault::Lengths);
    }
    let values = data.covariates.iter().flat_map(|c| &c.values);
    if values
        .chain(data.outcome.iter().flatten())
        .any(|v| !v.is_finite())
    {
        return Err(Fault::NotFinite);
    }
    if data.binary
        && data
            .outcome
            .iter()
            .flatten()
            .any(|y| *y != 0.0 && *y != 1.0)
    {
        return Err(Fault::Input("an outcome is neither 0 nor 1".into()));
    }
    Ok(())
}

/// One arm's model, fitted to those with a value.
struct Arm {
    binary: bool,
    known: Vec<f64>,
    /// Rows (with an intercept) of those without a value.
    missing: Vec<Vec<f64>>,
    coefficients: Vec<f64>,
    factor: Cholesky,
    residual: f64,
}

impl Arm {
    fn of(data: &Incomplete, treated: bool) -> Result<Self, Fault> {
        let name = if treated { ARM } else { REFERENCE };
        let rows = (0..data.outcome.len()).filter(|row| data.treated[*row] == treated);
        let (known, missing): (Vec<usize>, Vec<usize>) =
            rows.partition(|row| data.outcome[*row].is_some());
        let values: Vec<f64> = known.iter().filter_map(|row| data.outcome[*row]).collect();
        Moments::of(&values, name)?;
        let used = used(data.covariates, &known);
        let x = |row: usize| -> Vec<f64> {
            std::iter::once(1.0)
                .chain(used.iter().map(|c| c.scaled(row)))
                .collect()
        };
        let fitted: Vec<Vec<f64>> = known.iter().map(|row| x(*row)).collect();
        let p = 1 + used.len();
        if values.len() <= p + 1 {
            return Err(Fault::FewRows {
                rows: values.len(),
                columns: p,
            });
        }
        let names: Vec<String> = std::iter::once("the intercept".to_owned())
            .chain(used.iter().map(|c| c.of.name.clone()))
            .collect();
        let (coefficients, factor, residual) = if data.binary {
            let (b, factor) = logistic(&fitted, &values, &names)?;
            (b, factor, 0.0)
        } else {
            least_squares(&fitted, &values, &names)?
        };
        Ok(Self {
            binary: data.binary,
            known: values,
            missing: missing.into_iter().map(x).collect(),
            coefficients,
            factor,
            residual,
        })
    }

    /// Draws parameters and what is random in each missing value.
    fn draw(&self, random: &mut Random) -> Result<Draw, Fault> {
        let p = self.coefficients.len();
        let df = (self.known.len() - p) as f64;
        let sigma = if self.binary {
            1.0
        } else {
            (self.residual / random.chi_square(df)).sqrt()
        };
        let deviates: Vec<f64> = (0..p).map(|_| random.normal()).collect();
        // b + sigma L'^-1 z has the covariance sigma^2 (X'X)^-1.
        let shift = self.factor.half_transposed(&deviates);
        let b: Vec<f64> = self
            .coefficients
            .iter()
            .zip(shift)
            .map(|(b, s)| b + sigma * s)
            .collect();
        let parts = self.missing.iter().map(|x| {
            let random = if self.binary {
                random.uniform()
            } else {
                sigma * random.normal()
            };
            (dot(x, &b), random)
        });
        Ok(Draw {
            parts: parts.collect(),
        })
    }

    /// The completed values, those imputed shifted by delta.
    fn completed(&self, draw: &Draw, delta: f64) -> Vec<f64> {
        let imputed = draw
            .parts
            .iter()
            .map(|(predictor, random)| match self.binary {
                true => f64::from(u8::from(*random < 1.0 / (1.0 + (-predictor - delta).exp()))),
                false => predictor + random + delta,
            });
        self.known.iter().copied().chain(imputed).collect()
    }
}

/// A covariate centred and scaled over the rows that are fitted.
struct Scaled<'a> {
    of: &'a Covariate,
    mean: f64,
    scale: f64,
}

impl Scaled<'_> {
    fn scaled(&self, row: usize) -> f64 {
        (self.of.values[row] - self.mean) / self.scale
    }
}

/// The covariates that vary among those with a value in the arm; the others can tell nothing there.
fn used<'a>(covariates: &'a [Covariate], known: &[usize]) -> Vec<Scaled<'a>> {
    covariates
        .iter()
        .filter_map(|of| {
            let values: Vec<f64> = known.iter().map(|row| of.values[*row]).collect();
            let moments = Moments::of(&values, ARM).ok()?;
            let scale = moments.variance.sqrt();
            (scale > 1e-13 * moments.mean.abs() && scale > 0.0).then_some(Scaled {
                of,
                mean: moments.mean,
                scale,
            })
        })
        .collect()
}

fn least_squares(
    rows: &[Vec<f64>],
    y: &[f64],
    names: &[String],
) -> Result<(Vec<f64>, Cholesky, f64), Fault> {
    let p = names.len();
    let (mut products, mut right) = (vec![0.0; p * p], vec![0.0; p]);
    for (x, y) in rows.iter().zip(y) {
        add_square(&mut products, x, 1.0);
        right.iter_mut().zip(x).for_each(|(r, x)| *r += x * y);
    }
    mirror(&mut products, p);
    let factor = Cholesky::named(&products, names)?;
    let b = factor.solve(&right);
    let residual = rows
        .iter()
        .zip(y)
        .map(|(x, y)| (y - dot(x, &b)).powi(2))
        .sum();
    Ok((b, factor, residual))
}

fn logistic(rows: &[Vec<f64>], y: &[f64], names: &[String]) -> Result<(Vec<f64>, Cholesky), Fault> {
    let p = names.len();
    let mut b = vec![0.0; p];
    for _ in 0..60 {
        let (mut information, mut score) = (vec![0.0; p * p], vec![0.0; p]);
        for (x, y) in rows.iter().zip(y) {
            let mean = 1.0 / (1.0 + (-dot(x, &b)).exp());
            add_square(&mut information, x, mean * (1.0 - mean));
            score
                .iter_mut()
                .zip(x)
                .for_each(|(s, x)| *s += x * (y - mean));
        }
        mirror(&mut information, p);
        let factor = Cholesky::named(&information, names)?;
        let step = factor.solve(&score);
        b.iter_mut()
            .zip(&step)
            .for_each(|(b, s)| *b += s.clamp(-4.0, 4.0));
        if b.iter().any(|b| b.abs() > 20.0) {
            break;
        }
        if step.iter().all(|s| s.abs() < 1e-10) {
            return Ok((b, factor));
        }
    }
    let largest = (0..p).max_by(|i, j| b[*i].abs().total_cmp(&b[*j].abs()));
    Err(Fault::Separation(names[largest.unwrap_or(0)].clone()))
}

fn pooled(
    arms: &[Arm; 2],
    draws: &[[Draw; 2]],
    shift: f64,
    question: &Question,
) -> Result<Pooled, Fault> {
    let results = draws
        .iter()
        .map(|[arm, reference]| {
            let a = Moments::of(&arms[0].completed(arm, shift), ARM)?;
            let b = Moments::of(&arms[1].completed(reference, 0.0), REFERENCE)?;
            let variance = a.variance / a.n as f64 + b.variance / b.n as f64;
            Ok((a.mean - b.mean, variance))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let n: usize = arms
        .iter()
        .map(|arm| arm.known.len() + arm.missing.len())
        .sum();
    pool(&results, n as f64 - 2.0, question)
}

/// The shift toward the null at which the interval first reaches it.
fn tipping_point(
    binary: bool,
    arms: &[Arm; 2],
    result: &Pooled,
    question: &Question,
    at: impl Fn(f64) -> Result<Pooled, Fault>,
) -> Option<f64> {
    let (lower, upper) = result.estimate.limits?;
    let null = question.null;
    if arms[0].missing.is_empty() || (lower <= null && null <= upper) {
        return None;
    }
    // How far the near limit lies beyond the null, on the side of the result.
    let side = if lower > null { 1.0 } else { -1.0 };
    let beyond = |shift: f64| {
        let limits = at(shift).ok().and_then(|pooled| pooled.estimate.limits);
        limits.map_or(0.0, |(lower, upper)| {
            if side > 0.0 {
                lower - null
            } else {
                null - upper
            }
        })
    };
    let largest = if binary {
        12.0
    } else {
        let moments = Moments::of(&arms[0].known, ARM).ok()?;
        20.0 * moments.variance.sqrt()
    };
    (beyond(-side * largest) < 0.0)
        .then(|| -side * brent(0.0, largest, |size| beyond(-side * size)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Alternative;

    const QUESTION: Question = Question {
        level: 0.95,
        null: 0.0,
        alternative: Alternative::TwoSided,
    };

    fn data(binary: bool) -> (Vec<Option<f64>>, Vec<bool>, Vec<Covariate>) {
        let n = 400;
        let mut random = Random::new([3; 32], 0);
        let x: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let treated: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
        let outcome = (0..n)
            .map(|i| {
                let mean = x[i] + if treated[i] { 1.0 } else { 0.0 };
                let y = mean + random.normal();
                let y = if binary {
                    f64::from(u8::from(y > 0.0))
                } else {
                    y
                };
                (i % 10 > 1).then_some(y)
            })
            .collect();
        (
            outcome,
            treated,
            vec![Covariate {
                name: "x".into(),
                values: x,
            }],
        )
    }

    #[test]
    fn the_same_seed_gives_the_same_bits_and_another_one_does_not() {
        for binary in [false, true] {
            let (outcome, treated, covariates) = data(binary);
            let data = Incomplete {
                outcome: &outcome,
                treated: &treated,
                covariates: &covariates,
                binary,
            };
            let made = |seed| impute(&data, 10, [seed; 32], &QUESTION).unwrap();
            assert_eq!(made(1), made(1));
            assert_ne!(made(1), made(2));
        }
    }

    #[test]
    fn at_the_tipping_point_the_interval_ends_at_the_null() {
        let (outcome, treated, covariates) = data(false);
        let incomplete = Incomplete {
            outcome: &outcome,
            treated: &treated,
            covariates: &covariates,
            binary: false,
        };
        let made = impute(&incomplete, 10, [1; 32], &QUESTION).unwrap();
        let delta = made.tipping_point.expect("a clear effect tips somewhere");
        assert!(delta < 0.0, "{delta}");
        let arms = [
            Arm::of(&incomplete, true).unwrap(),
            Arm::of(&incomplete, false).unwrap(),
        ];
        let draws: Vec<[Draw; 2]> = (0..10)
            .map(|i| {
                let mut random = Random::new([1; 32], i);
                [
                    arms[0].draw(&mut random).unwrap(),
                    arms[1].draw(&mut random).unwrap(),
                ]
            })
            .collect();
        let shifted = pooled(&arms, &draws, delta, &QUESTION).unwrap();
        assert!(
            shifted.estimate.limits.unwrap().0.abs() < 1e-9,
            "{shifted:?}"
        );
    }

    #[test]
    fn without_missing_values_it_is_the_difference_in_means() {
        let (outcome, treated, _) = data(false);
        let (outcome, treated): (Vec<Option<f64>>, Vec<bool>) = outcome
            .into_iter()
            .zip(treated)
            .filter(|(y, _)| y.is_some())
            .unzip();
        let data = Incomplete {
            outcome: &outcome,
            treated: &treated,
            covariates: &[],
            binary: false,
        };
        let made = impute(&data, 5, [1; 32], &QUESTION).unwrap();
        let of = |arm: bool| -> Vec<f64> {
            let pairs = outcome.iter().zip(&treated);
            pairs
                .filter(|(_, t)| **t == arm)
                .filter_map(|(y, _)| *y)
                .collect()
        };
        let welch = crate::statistics::means::welch(&of(true), &of(false), &QUESTION).unwrap();
        let difference = made.pooled.estimate.estimate.unwrap() - welch.estimate.unwrap();
        assert!(difference.abs() < 1e-12);
        assert_eq!(made.pooled.fraction_missing, 0.0);
    }
}
