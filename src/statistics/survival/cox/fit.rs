//! Newton's method on the partial likelihood, and what is read off its maximum.

use super::data::Rows;
use super::likelihood::{Evaluated, evaluate};
use super::{Follow, Ties, exact};
use crate::statistics::linear::{Cholesky, dot, quadratic};
use crate::statistics::{Estimate, Fault, Question};

/// Newton steps after which the fit is given up.
const MOST_STEPS: usize = 40;

/// A linear predictor (or a logarithm of a hazard ratio) beyond this stands for an infinite one.
const INFINITE: f64 = 18.0;

/// Where the standard error comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spread {
    /// The information of the model.
    Model,
    /// The rows' own score residuals, summed within clusters where there are any.
    Robust,
}

/// A fitted model. The first coefficient is the arm's: the logarithm of the hazard ratio.
pub struct Cox {
    pub(super) rows: Rows,
    pub(super) ties: Ties,
    /// On the scale of the centred and scaled columns.
    pub(super) coefficients: Vec<f64>,
    pub(super) factor: Cholesky,
    /// Chi-squares of all columns together.
    pub wald: f64,
    pub score: f64,
    pub likelihood_ratio: f64,
}

impl std::fmt::Debug for Cox {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.debug_struct("Cox")
            .field("coefficients", &self.coefficients)
            .finish_non_exhaustive()
    }
}

impl Cox {
    /// Fits the model.
    ///
    /// # Errors
    /// Without events, with a column that is constant or a mix of others, where the likelihood has no
    /// maximum, or where the exact method has too many ties.
    pub fn fit(follow: &Follow, ties: Ties) -> Result<Self, Fault> {
        let rows = Rows::of(follow)?;
        if ties == Ties::Exact && rows.weight.is_some() {
            return Err(Fault::Input("the exact method takes no weights".into()));
        }
        if ties == Ties::Exact && exact::too_long(&rows) {
            return Err(Fault::Input(
                "there are too many ties for the exact method".into(),
            ));
        }
        let mut coefficients = vec![0.0; rows.columns()];
        let mut here = evaluate(&rows, &coefficients, ties);
        let factor = Cholesky::named(&here.information, &rows.names).map_err(|fault| {
            // Nothing to compare at any event: everybody at risk is alike.
            if here.information[0] <= 1e-12 {
                Fault::NoVariation
            } else {
                fault
            }
        })?;
        let (start, score) = (
            here.log_likelihood,
            dot(&factor.solve(&here.score), &here.score),
        );
        let mut step = factor.solve(&here.score);
        for _ in 0..MOST_STEPS {
            let longest = step.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
            let (next, there) = climb(&rows, ties, &coefficients, &step, &here);
            coefficients = next;
            here = there;
            if let Some(column) = infinite(&rows, &coefficients) {
                return Err(Fault::Monotone(rows.names[column].clone()));
            }
            let Ok(factor) = Cholesky::of(&here.information, rows.columns()) else {
                break;
            };
            step = factor.solve(&here.score);
            if longest < 1e-10 {
                return Ok(Self {
                    wald: quadratic(&here.information, &coefficients),
                    score,
                    likelihood_ratio: 2.0 * (here.log_likelihood - start),
                    rows,
                    ties,
                    coefficients,
                    factor,
                });
            }
        }
        Err(Fault::NotConverged)
    }

    /// The logarithm of the hazard ratio of the arm.
    pub fn log_ratio(&self) -> f64 {
        self.coefficients[0]
    }

    /// Its variance.
    pub fn variance(&self, spread: Spread) -> f64 {
        match spread {
            Spread::Model => self.factor.inverse()[0],
            Spread::Robust => self.robust_variance(),
        }
    }

    /// Number of events.
    pub fn events(&self) -> usize {
        self.rows.event.iter().filter(|event| **event).count()
    }

    /// The hazard ratio with its interval; null and limits are ratios, the error is the logarithm's.
    pub fn estimate(&self, spread: Spread, question: &Question) -> Result<Estimate, Fault> {
        let variance = self.variance(spread);
        if variance <= 0.0 {
            return Err(Fault::NoVariation);
        }
        Ok(Estimate::log_normal(
            self.log_ratio().exp(),
            variance.sqrt(),
            question,
        ))
    }
}

/// Goes a step, or half of it and half again where the likelihood falls.
fn climb(
    rows: &Rows,
    ties: Ties,
    from: &[f64],
    step: &[f64],
    here: &Evaluated,
) -> (Vec<f64>, Evaluated) {
    let mut share = 1.0;
    loop {
        let next: Vec<f64> = from.iter().zip(step).map(|(b, s)| b + share * s).collect();
        let there = evaluate(rows, &next, ties);
        // Near the maximum the likelihood changes by its rounding only.
        let slack = 1e-9 * here.log_likelihood.abs();
        if there.log_likelihood >= here.log_likelihood - slack || share < 1e-4 {
            return (next, there);
        }
        share /= 2.0;
    }
}

/// The column whose coefficient runs away, where one does.
fn infinite(rows: &Rows, coefficients: &[f64]) -> Option<usize> {
    // Columns have a spread of about 1, the arm one of a half.
    let (column, largest) = coefficients
        .iter()
        .enumerate()
        .map(|(j, b)| (j, b.abs()))
        .max_by(|a, b| a.1.total_cmp(&b.1))?;
    let reach =
        (0..rows.time.len()).map(|row| (rows.row(row)[column] * coefficients[column]).abs());
    (largest > INFINITE && reach.fold(0.0_f64, f64::max) > INFINITE / 2.0).then_some(column)
}
