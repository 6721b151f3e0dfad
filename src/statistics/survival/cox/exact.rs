//! The exact partial likelihood of discrete times: of all sets of d among those at risk, the chance of
//! the one that had the event. Sums over sets by the recursion of Gail, Lubin and Rubinstein
//! (Biometrika 68, 1981), with first and second derivatives.

use super::data::Rows;
use super::likelihood::Evaluated;
use crate::statistics::linear::{dot, mirror};

/// Rows at risk times events, summed over the times, beyond which the recursion is not tried.
const MOST_WORK: usize = 30_000_000;

/// Events at one time beyond which the sums leave the range of numbers.
const MOST_TIES: usize = 500;

/// Whether the recursion is too long for these rows.
pub(super) fn too_long(rows: &Rows) -> bool {
    let ties = rows.times.iter().map(|at| at.events.len());
    let work: usize = ties.clone().map(|d| d * rows.time.len()).sum();
    work > MOST_WORK || ties.max().unwrap_or(0) > MOST_TIES
}

pub(super) fn evaluate(rows: &Rows, coefficients: &[f64]) -> Evaluated {
    let p = rows.columns();
    let mut found = Evaluated {
        log_likelihood: 0.0,
        score: vec![0.0; p],
        information: vec![0.0; p * p],
    };
    for stratum in &rows.strata {
        for t in stratum.times.clone() {
            let at = &rows.times[t];
            for row in at.events.clone() {
                found.log_likelihood += dot(rows.row(row), coefficients);
                for (score, x) in found.score.iter_mut().zip(rows.row(row)) {
                    *score += x;
                }
            }
            let at_risk = stratum.rows.clone().filter(|row| {
                let times = &rows.at_risk[*row];
                (times.start as usize) <= t && t < times.end as usize
            });
            sets(
                rows,
                coefficients,
                at_risk.collect(),
                at.events.len(),
                &mut found,
            );
        }
    }
    mirror(&mut found.information, p);
    found
}

/// Takes the logarithm of the sum over all sets of d off the likelihood, with its derivatives.
fn sets(rows: &Rows, coefficients: &[f64], at_risk: Vec<usize>, d: usize, found: &mut Evaluated) {
    let p = rows.columns();
    let weights: Vec<f64> = at_risk
        .iter()
        .map(|row| dot(rows.row(*row), coefficients).exp())
        .collect();
    // Scaled so that no sum over sets is larger than e^d.
    let scale = d as f64 / weights.iter().sum::<f64>();
    let size = 1 + p + p * p;
    let mut sums = vec![0.0; (d + 1) * size];
    sums[0] = 1.0;
    for (row, weight) in at_risk.iter().zip(&weights) {
        let (x, w) = (rows.row(*row), weight * scale);
        for j in (1..=d).rev() {
            let (before, here) = sums[(j - 1) * size..].split_at_mut(size);
            let value = before[0];
            here[0] += w * value;
            for a in 0..p {
                here[1 + a] += w * (before[1 + a] + x[a] * value);
                for b in a..p {
                    let second = before[1 + p + a * p + b]
                        + x[a] * before[1 + b]
                        + x[b] * before[1 + a]
                        + x[a] * x[b] * value;
                    here[1 + p + a * p + b] += w * second;
                }
            }
        }
    }
    let last = &sums[d * size..];
    found.log_likelihood -= last[0].ln() - d as f64 * scale.ln();
    for a in 0..p {
        let mean = last[1 + a] / last[0];
        found.score[a] -= mean;
        for b in a..p {
            found.information[a * p + b] +=
                last[1 + p + a * p + b] / last[0] - mean * last[1 + b] / last[0];
        }
    }
}
