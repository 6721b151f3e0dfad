//! The test that a coefficient does not change with time.
//!
//! Grambsch and Therneau's as a score test, as R's `cox.zph` makes it since survival 3: the model is
//! given a further column x g(t), g(t) = 1 - S(t-) with S the Kaplan-Meier curve of everybody, and the
//! score for its coefficient at 0 is held against its information.

use super::Ties;
use super::data::Rows;
use super::fit::Cox;
use super::likelihood::pass;
use crate::statistics::Fault;
use crate::statistics::distributions::chi_square_upper;
use crate::statistics::linear::{Cholesky, dot};

/// A chi-square with its p-value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Proportionality {
    pub chi_square: f64,
    pub df: f64,
    pub p_value: f64,
}

impl Cox {
    /// Tests the arm's coefficient, and all coefficients together.
    pub fn proportionality(&self) -> Result<(Proportionality, Proportionality), Fault> {
        let rows = &self.rows;
        if rows.weight.is_some() {
            return Err(Fault::Input("weighted rows have no such test".into()));
        }
        let p = rows.columns();
        let ties = if self.ties == Ties::Exact {
            Ties::Breslow
        } else {
            self.ties
        };
        let g = transformed(rows);
        let powers: Vec<Vec<f64>> = (0..3)
            .map(|k| g.iter().map(|g| g.powi(k)).collect())
            .collect();
        let pass = pass(rows, &self.coefficients, ties, &powers);
        let blocks: Vec<Vec<f64>> = (0..3)
            .map(|k| {
                let met = pass.met(rows, |t| powers[k][t]);
                pass.information(rows, &met, k)
            })
            .collect();
        let mut score = vec![0.0; p];
        for (t, at) in rows.times.iter().enumerate() {
            for (j, score) in score.iter_mut().enumerate() {
                let events: f64 = at.events.clone().map(|row| rows.row(row)[j]).sum();
                *score += g[t] * (events - pass.means.events[t * p + j]);
            }
        }
        let arm = test(&blocks, p, &[0], &score)?;
        let all: Vec<usize> = (0..p).collect();
        Ok((arm, test(&blocks, p, &all, &score)?))
    }
}

/// 1 - S(t-) at each event time, centred: the test does not change by that, its rounding does.
fn transformed(rows: &Rows) -> Vec<f64> {
    let mut times: Vec<f64> = rows.times.iter().map(|at| at.time).collect();
    times.sort_unstable_by(f64::total_cmp);
    times.dedup();
    let mut stops = rows.time.clone();
    stops.sort_unstable_by(f64::total_cmp);
    let mut entries = rows.entry.clone().unwrap_or_default();
    entries.sort_unstable_by(f64::total_cmp);
    let mut events: Vec<f64> = Vec::new();
    for (time, event) in rows.time.iter().zip(&rows.event) {
        if *event {
            events.push(*time);
        }
    }
    events.sort_unstable_by(f64::total_cmp);
    let (mut survival, mut before) = (1.0, Vec::with_capacity(times.len()));
    for time in &times {
        before.push(survival);
        let out = stops.partition_point(|stop| stop < time);
        let n = match rows.entry {
            // Those who have entered before, less those who have left.
            Some(_) => entries.partition_point(|entry| entry < time) - out,
            None => stops.len() - out,
        } as f64;
        let d =
            (events.partition_point(|e| e <= time) - events.partition_point(|e| e < time)) as f64;
        survival *= 1.0 - d / n;
    }
    let at = |time: f64| 1.0 - before[times.partition_point(|t| *t < time)];
    let g: Vec<f64> = rows.times.iter().map(|t| at(t.time)).collect();
    let events: f64 = rows.times.iter().map(|t| t.events.len() as f64).sum();
    let weighed = rows
        .times
        .iter()
        .zip(&g)
        .map(|(t, g)| t.events.len() as f64 * g);
    let mean = weighed.sum::<f64>() / events;
    g.into_iter().map(|g| g - mean).collect()
}

fn test(
    blocks: &[Vec<f64>],
    p: usize,
    tested: &[usize],
    score: &[f64],
) -> Result<Proportionality, Fault> {
    let size = p + tested.len();
    let mut matrix = vec![0.0; size * size];
    for i in 0..p {
        matrix[i * size..i * size + p].copy_from_slice(&blocks[0][i * p..(i + 1) * p]);
        for (k, j) in tested.iter().enumerate() {
            matrix[i * size + p + k] = blocks[1][i * p + j];
        }
    }
    for (k, i) in tested.iter().enumerate() {
        for (l, j) in tested.iter().enumerate() {
            matrix[(p + k) * size + p + l] = blocks[2][i * p + j];
        }
    }
    let mut right = vec![0.0; size];
    for (k, j) in tested.iter().enumerate() {
        right[p + k] = score[*j];
    }
    let factor = Cholesky::of(&matrix, size).map_err(|_| Fault::NoVariation)?;
    let chi_square = dot(&factor.solve(&right), &right);
    let df = tested.len() as f64;
    Ok(Proportionality {
        chi_square,
        df,
        p_value: chi_square_upper(chi_square, df),
    })
}
