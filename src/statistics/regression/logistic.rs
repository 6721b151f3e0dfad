//! Logistic regression by Newton's method, as a working model.

use super::model::Model;
use crate::statistics::Fault;
use crate::statistics::linear::{Cholesky, add_square, dot, sum_rows};

/// A linear predictor beyond this stands for a fitted probability of 0 or 1.
const SEPARATED: f64 = 25.0;

/// 1 / (1 + exp(-eta)) without overflow.
pub(super) fn expit(eta: f64) -> f64 {
    if eta >= 0.0 {
        1.0 / (1.0 + (-eta).exp())
    } else {
        let odds = eta.exp();
        odds / (1.0 + odds)
    }
}

/// The coefficients of the model with the outcome's log odds linear in its columns.
///
/// # Errors
/// Where a column is a mix of others, or the columns separate the events from the others, so that the
/// likelihood has no maximum.
pub(super) fn coefficients(model: &Model) -> Result<Vec<f64>, Fault> {
    let p = model.columns();
    let mut found = vec![0.0; p];
    for _ in 0..60 {
        let sums = sum_rows(model.rows, p * p + p, |rows, sums| {
            let (information, score) = sums.split_at_mut(p * p);
            for row in rows {
                let x = model.row(row);
                let mean = expit(dot(x, &found));
                add_square(information, x, mean * (1.0 - mean));
                for (score, x) in score.iter_mut().zip(x) {
                    *score += x * (model.y[row] - mean);
                }
            }
        });
        let factor = match Cholesky::of(&sums[..p * p], p) {
            Ok(factor) => factor,
            // The information runs out where fitted probabilities reach 0 and 1.
            Err(_) if is_separated(model, &found) => break,
            Err(column) => return Err(Fault::Collinear(model.names[column].clone())),
        };
        let mut step = factor.solve(&sums[p * p..]);
        // A step that leaps is shortened: far from the maximum Newton may overshoot.
        let longest = step.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
        if longest > 5.0 {
            step.iter_mut().for_each(|s| *s *= 5.0 / longest);
        }
        for (coefficient, step) in found.iter_mut().zip(&step) {
            *coefficient += step;
        }
        if is_separated(model, &found) {
            break;
        }
        if longest < 1e-11 {
            return Ok(found);
        }
    }
    Err(Fault::Separation(strongest(model, &found)))
}

fn is_separated(model: &Model, found: &[f64]) -> bool {
    (0..model.rows).any(|row| dot(model.row(row), found).abs() > SEPARATED)
}

/// The column that moves the predictor most.
fn strongest(model: &Model, found: &[f64]) -> String {
    let reach = |column: usize| {
        let values = (0..model.rows).map(|row| (model.row(row)[column] * found[column]).abs());
        values.fold(0.0_f64, f64::max)
    };
    let columns = 1..model.columns();
    let best = columns.max_by(|a, b| reach(*a).total_cmp(&reach(*b)));
    model.names[best.unwrap_or(0)].clone()
}
