//! The difference of two risks, standardized over the covariates of all participants.
//!
//! A logistic working model predicts each participant's risk in either arm; the effect is the
//! difference of the mean predictions (g-computation). Because the model has the arm and an intercept,
//! the estimate holds whatever the model misses. The variance is that of Ye, Bannick, Yi and Shao
//! (Statistical Theory and Related Fields 7, 2023, 159-163), which counts the covariates as sampled.
//! Where the draw balances the arms within strata, what the strata explain of the residuals is taken off
//! (Bannick, Shao, Liu, Du, Yi and Ye, "A general form of covariate adjustment in clinical trials under
//! covariate-adaptive randomization", 2023); without it the error would be too large, never too small.

use super::logistic::{coefficients, expit};
use super::model::{Form, Model, Sample};
use crate::statistics::linear::{dot, sum_rows};
use crate::statistics::{Estimate, Fault, Question};

/// How the arms were drawn.
#[derive(Debug, Clone, Copy)]
pub enum Draws<'a> {
    /// Each participant for itself, or in a way of which nothing is used.
    Simple,
    /// Balanced within strata; the number of each participant's stratum.
    BalancedWithin(&'a [u32]),
}

/// Predictions of one participant.
struct Predicted {
    y: f64,
    treated: bool,
    /// Risks in the arm and in the reference.
    risk: [f64; 2],
}

/// The standardized risk difference, arm minus reference. Outcomes are 0 or 1.
pub fn standardized_risk_difference(
    sample: &Sample,
    draws: Draws,
    question: &Question,
) -> Result<Estimate, Fault> {
    if sample.outcome.iter().any(|y| *y != 0.0 && *y != 1.0) {
        return Err(Fault::Input("an outcome is neither 0 nor 1".into()));
    }
    if let Draws::BalancedWithin(strata) = draws
        && strata.len() != sample.outcome.len()
    {
        return Err(Fault::Lengths);
    }
    let model = Model::new(sample, Some(Form::Main))?;
    let found = coefficients(&model)?;
    let predicted: Vec<Predicted> = (0..model.rows)
        .map(|row| {
            let x = model.row(row);
            let treated = x[1] == 1.0;
            let eta = dot(x, &found) - x[1] * found[1];
            Predicted {
                y: model.y[row],
                treated,
                risk: [expit(eta + found[1]), expit(eta)],
            }
        })
        .collect();
    let parts = Parts::of(&predicted);
    let n = predicted.len() as f64;
    let mut variance = parts.variance();
    if let Draws::BalancedWithin(strata) = draws {
        let strata: Vec<u32> = model
            .order
            .iter()
            .map(|row| strata[*row as usize])
            .collect();
        variance -= explained(&predicted, &strata, parts.shares);
    }
    if variance <= 1e-15 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::normal(
        parts.means[0] - parts.means[1],
        (variance / n).sqrt(),
        question,
    ))
}

/// The moments that the variance is made of.
struct Parts {
    /// Mean predictions in the arm and in the reference.
    means: [f64; 2],
    /// Shares of the participants in each.
    shares: [f64; 2],
    /// Variance of the residuals of each arm.
    residual: [f64; 2],
    /// Covariance within arm a of the outcome with the prediction for arm b.
    with: [[f64; 2]; 2],
    /// Covariances of the predictions over everybody.
    overall: [[f64; 2]; 2],
}

impl Parts {
    fn of(predicted: &[Predicted]) -> Self {
        let n = predicted.len();
        let totals = sum_rows(n, 10, |rows, s| {
            for p in &predicted[rows] {
                s[0] += p.risk[0];
                s[1] += p.risk[1];
                let arm = 2 + 4 * usize::from(!p.treated);
                s[arm] += 1.0;
                s[arm + 1] += p.y;
                s[arm + 2] += p.risk[0];
                s[arm + 3] += p.risk[1];
            }
        });
        let means = [totals[0] / n as f64, totals[1] / n as f64];
        let sizes = [totals[2], totals[6]];
        // Means within an arm: of the outcome, and of both predictions.
        let within = |arm: usize, what: usize| totals[3 + 4 * arm + what] / sizes[arm];
        let squares = sum_rows(n, 9, |rows, s| {
            for p in &predicted[rows] {
                let arm = usize::from(!p.treated);
                let deviation = |b: usize| p.risk[b] - within(arm, 1 + b);
                let y = p.y - within(arm, 0);
                s[arm] += (y - deviation(arm)).powi(2);
                for b in 0..2 {
                    s[2 + 2 * arm + b] += y * deviation(b);
                }
                let all = [p.risk[0] - means[0], p.risk[1] - means[1]];
                s[6] += all[0] * all[0];
                s[7] += all[0] * all[1];
                s[8] += all[1] * all[1];
            }
        });
        let over = |sum: f64, n: f64| sum / (n - 1.0);
        let cross = over(squares[7], n as f64);
        Self {
            means,
            shares: sizes.map(|size| size / n as f64),
            residual: [over(squares[0], sizes[0]), over(squares[1], sizes[1])],
            with: [
                [over(squares[2], sizes[0]), over(squares[3], sizes[0])],
                [over(squares[4], sizes[1]), over(squares[5], sizes[1])],
            ],
            overall: [
                [over(squares[6], n as f64), cross],
                [cross, over(squares[8], n as f64)],
            ],
        }
    }

    /// n times the variance of the difference, for arms drawn one by one.
    fn variance(&self) -> f64 {
        let own = |a: usize| {
            self.residual[a] / self.shares[a] + 2.0 * self.with[a][a] - self.overall[a][a]
        };
        let crossed = self.with[0][1] + self.with[1][0] - self.overall[0][1];
        own(0) + own(1) - 2.0 * crossed
    }
}

/// What balance within strata takes off n times the variance:
/// sum of n_z/n c'R(z)(diag(pi) - pi pi')R(z)c, R(z) the strata's mean residuals over pi.
fn explained(predicted: &[Predicted], strata: &[u32], shares: [f64; 2]) -> f64 {
    let mut cells: std::collections::BTreeMap<u32, [(f64, f64); 2]> = Default::default();
    for (p, stratum) in predicted.iter().zip(strata) {
        let arm = usize::from(!p.treated);
        let cell = &mut cells.entry(*stratum).or_default()[arm];
        cell.0 += 1.0;
        cell.1 += p.y - p.risk[arm];
    }
    let n = predicted.len() as f64;
    cells
        .values()
        .map(|cell| {
            let r = |arm: usize| {
                let (size, sum) = cell[arm];
                if size > 0.0 {
                    sum / size / shares[arm]
                } else {
                    0.0
                }
            };
            let weighed = shares[0] * r(0).powi(2) + shares[1] * r(1).powi(2);
            let mean = shares[0] * r(0) - shares[1] * r(1);
            (cell[0].0 + cell[1].0) / n * (weighed - mean * mean)
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::regression::Covariate;

    #[test]
    fn without_covariates_it_is_the_difference_of_the_observed_risks() {
        let y = [1.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 0.0];
        let treated = [true, true, true, true, false, false, false, false];
        let sample = Sample::new(&y, &treated);
        let question = Question::two_sided(0.95);
        let made = standardized_risk_difference(&sample, Draws::Simple, &question).unwrap();
        assert!((made.estimate.unwrap() - 0.5).abs() < 1e-12);
        // Sample variances of both arms: 0.25 / 4 * 4/3 each.
        assert!((made.standard_error.unwrap().powi(2) - 0.125).abs() < 1e-12);
    }

    #[test]
    fn separation_is_named() {
        let y = [1.0, 1.0, 1.0, 0.0, 0.0, 0.0];
        let treated = [true, false, true, false, true, false];
        let covariate = Covariate {
            name: "age".into(),
            values: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        };
        let sample = Sample {
            covariates: &[covariate],
            ..Sample::new(&y, &treated)
        };
        let question = Question::two_sided(0.95);
        assert_eq!(
            standardized_risk_difference(&sample, Draws::Simple, &question),
            Err(Fault::Separation("age".into()))
        );
    }
}
