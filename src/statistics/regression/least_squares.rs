//! Least squares with errors that hold whatever the variances are.
//!
//! HC0: White, Econometrica 48 (1980) 817-838; HC1 to HC3: MacKinnon and White, Journal of
//! Econometrics 29 (1985) 305-325. The arm's coefficient is the effect; t with N - k degrees of freedom.

use super::model::{Form, Model, Sample};
use crate::statistics::linear::{Cholesky, add_square, dot, sum_rows};
use crate::statistics::{Estimate, Fault, Question, Statistic, StatisticName};

/// Position of the arm among the columns.
pub(super) const EFFECT: usize = 1;

crate::vocabulary! {
    /// How squared residuals are weighed.
    pub enum Robust { Hc0 = "hc0", Hc1 = "hc1", Hc2 = "hc2", Hc3 = "hc3" }
}

/// A fitted model.
pub(crate) struct Fit {
    pub model: Model,
    pub factor: Cholesky,
    pub coefficients: Vec<f64>,
    pub residuals: Vec<f64>,
}

impl Fit {
    pub fn of(model: Model) -> Result<Self, Fault> {
        let p = model.columns();
        let products = sum_rows(model.rows, p * p, |rows, sums| {
            rows.for_each(|row| add_square(sums, model.row(row), 1.0));
        });
        let factor = Cholesky::named(&products, &model.names)?;
        let mut coefficients = vec![0.0; p];
        let mut residuals = model.y.clone();
        // The second and third round take what rounding left of the normal equations.
        for _ in 0..3 {
            let right = sum_rows(model.rows, p, |rows, sums| {
                for row in rows {
                    for (sum, x) in sums.iter_mut().zip(model.row(row)) {
                        *sum += x * residuals[row];
                    }
                }
            });
            for (coefficient, step) in coefficients.iter_mut().zip(factor.solve(&right)) {
                *coefficient += step;
            }
            for (row, residual) in residuals.iter_mut().enumerate() {
                *residual = model.y[row] - dot(model.row(row), &coefficients);
            }
        }
        Ok(Self {
            model,
            factor,
            coefficients,
            residuals,
        })
    }

    /// The row of (X'X)^-1 that belongs to the effect.
    pub fn effect_row(&self) -> Vec<f64> {
        let mut unit = vec![0.0; self.model.columns()];
        unit[EFFECT] = 1.0;
        self.factor.solve(&unit)
    }

    pub fn df(&self) -> f64 {
        (self.model.rows - self.model.columns()) as f64
    }

    /// The variance of the effect: sum of (a'x_i)^2 e_i^2, weighed by leverage.
    fn variance(&self, kind: Robust) -> Result<f64, Fault> {
        let effect = self.effect_row();
        let p = self.model.columns();
        let leverage = matches!(kind, Robust::Hc2 | Robust::Hc3);
        let sums = sum_rows(self.model.rows, 2, |rows, sums| {
            let mut half = vec![0.0; p];
            for row in rows {
                let x = self.model.row(row);
                let mut squared = (dot(&effect, x) * self.residuals[row]).powi(2);
                if leverage {
                    half.copy_from_slice(x);
                    self.factor.halve(&mut half);
                    let rest = 1.0 - dot(&half, &half);
                    // A row that the model meets by itself has no residual to learn from.
                    if rest < 1e-10 {
                        sums[1] += 1.0;
                        continue;
                    }
                    squared /= if kind == Robust::Hc2 {
                        rest
                    } else {
                        rest * rest
                    };
                }
                sums[0] += squared;
            }
        });
        if sums[1] > 0.0 {
            return Err(Fault::Input(format!(
                "{} participants have a covariate of their own, so that nothing is left to judge their spread by",
                sums[1]
            )));
        }
        let correction = match kind {
            Robust::Hc1 => self.model.rows as f64 / self.df(),
            _ => 1.0,
        };
        Ok(sums[0] * correction)
    }

    /// Spread that is nothing but rounding.
    pub fn is_exact(&self) -> bool {
        let scale = self.model.y.iter().fold(0.0_f64, |a, y| a.max(y.abs()));
        self.residuals.iter().all(|e| e.abs() <= 1e-13 * scale)
    }
}

/// The effect of the arm on the mean of the outcome, adjusted for the covariates.
///
/// # Errors
/// Where an arm has fewer than two participants, a covariate is constant or a mix of others, there are
/// no more rows than columns, or the model meets every value.
pub fn fit(
    sample: &Sample,
    form: Form,
    robust: Robust,
    question: &Question,
) -> Result<Estimate, Fault> {
    let fitted = Fit::of(Model::new(sample, Some(form))?)?;
    if fitted.is_exact() {
        return Err(Fault::NoVariation);
    }
    let variance = fitted.variance(robust)?;
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let effect = fitted.coefficients[EFFECT];
    Ok(Estimate::student(
        effect,
        variance.sqrt(),
        fitted.df(),
        question,
    ))
}

/// The omnibus test of balance: F of the regression of the arm on the covariates, with k and
/// N - k - 1 degrees of freedom. It describes chance: in a randomized trial the null is true.
pub fn balance_test(sample: &Sample) -> Result<Estimate, Fault> {
    let arm: Vec<f64> = sample
        .treated
        .iter()
        .map(|t| f64::from(u8::from(*t)))
        .collect();
    let as_outcome = Sample {
        outcome: &arm,
        ..*sample
    };
    let fitted = Fit::of(Model::new(&as_outcome, None)?)?;
    let n = fitted.model.rows as f64;
    let mean = arm.iter().sum::<f64>() / n;
    let total = n * mean * (1.0 - mean);
    let left: f64 = sum_rows(fitted.model.rows, 1, |rows, sums| {
        rows.for_each(|row| sums[0] += fitted.residuals[row].powi(2));
    })[0];
    let (k, df) = ((fitted.model.columns() - 1) as f64, fitted.df());
    if k == 0.0 || left <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let f = (total - left) / k / (left / df);
    Ok(Estimate {
        statistic: Some(Statistic {
            name: StatisticName::F,
            value: f,
            df: Some(k),
            denominator_df: Some(df),
        }),
        p_value: Some(crate::statistics::distributions::f_upper(f, k, df)),
        ..Estimate::default()
    })
}

#[cfg(test)]
mod tests {
    use super::super::Covariate;
    use super::*;

    fn covariate(name: &str, values: &[f64]) -> Covariate {
        Covariate {
            name: name.into(),
            values: values.to_vec(),
        }
    }

    fn sample<'a>(y: &'a [f64], treated: &'a [bool], covariates: &'a [Covariate]) -> Sample<'a> {
        Sample {
            covariates,
            ..Sample::new(y, treated)
        }
    }

    const Y: [f64; 6] = [1.0, 2.5, 3.0, 2.0, 4.0, 5.5];
    const TREATED: [bool; 6] = [false, false, false, true, true, true];

    #[test]
    fn without_covariates_hc2_is_welchs_error() {
        let question = Question::two_sided(0.95);
        let made = fit(
            &sample(&Y, &TREATED, &[]),
            Form::Main,
            Robust::Hc2,
            &question,
        )
        .unwrap();
        let welch = crate::statistics::means::welch(&Y[3..], &Y[..3], &question).unwrap();
        assert!((made.estimate.unwrap() - welch.estimate.unwrap()).abs() < 1e-14);
        assert!((made.standard_error.unwrap() / welch.standard_error.unwrap() - 1.0).abs() < 1e-13);
    }

    #[test]
    fn constant_and_dependent_covariates_are_named() {
        let question = Question::two_sided(0.95);
        let x = covariate("age", &[30.0, 40.0, 25.0, 33.0, 41.0, 29.0]);
        let same = covariate("country", &[1.0; 6]);
        let double = covariate(
            "age twice",
            &x.values.iter().map(|v| 2.0 * v).collect::<Vec<_>>(),
        );
        let made = |covariates: &[Covariate]| {
            fit(
                &sample(&Y, &TREATED, covariates),
                Form::Main,
                Robust::Hc2,
                &question,
            )
            .unwrap_err()
        };
        assert_eq!(made(&[same]), Fault::Constant("country".into()));
        assert_eq!(made(&[x, double]), Fault::Collinear("age twice".into()));
    }

    #[test]
    fn the_order_of_the_rows_changes_no_bit() {
        let x = covariate("age", &[30.1, 40.2, 25.3, 33.4, 41.5, 29.6]);
        let turned: Vec<usize> = vec![4, 1, 5, 0, 3, 2];
        let y: Vec<f64> = turned.iter().map(|i| Y[*i]).collect();
        let treated: Vec<bool> = turned.iter().map(|i| TREATED[*i]).collect();
        let z = covariate(
            "age",
            &turned.iter().map(|i| x.values[*i]).collect::<Vec<_>>(),
        );
        let question = Question::two_sided(0.95);
        let one = fit(
            &sample(&Y, &TREATED, &[x]),
            Form::Main,
            Robust::Hc3,
            &question,
        );
        let other = fit(
            &sample(&y, &treated, &[z]),
            Form::Main,
            Robust::Hc3,
            &question,
        );
        assert_eq!(one, other);
    }
}
