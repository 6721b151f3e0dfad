//! The partial likelihood with its score and information, ties by Efron or Breslow.
//!
//! At an event time with d events let S be a sum over all at risk and s one over the d events, of
//! w = exp(x'b). The l-th event (l = 0..d-1) meets the risk set S - (l/d) s; Breslow leaves all at S. The
//! information is a sum over rows of w x x' times the hazard that the row has met, less the squared
//! means: only sums of w and w x run through the times, the rest is done row by row on all threads.

use super::Ties;
use super::data::Rows;
use crate::statistics::linear::{add_square, dot, mirror, sum_rows};
use rayon::prelude::*;

/// What happens at one event time, given the coefficients.
#[derive(Clone, Default)]
pub(super) struct Moment {
    /// Hazard of those at risk without an event here, and of those with it.
    pub hazard: f64,
    pub own_hazard: f64,
}

/// The means of the risk set at each event time, row-major, as Efron and Breslow weigh them.
pub(super) struct Means {
    /// Sum over l of mean_l, for the d events.
    pub events: Vec<f64>,
    /// Sum over l of mean_l / S0_l: what the hazard of others goes with.
    pub others: Vec<f64>,
    /// The same with 1 - l/d, for the events themselves.
    pub own: Vec<f64>,
}

/// Value, score and information at some coefficients.
pub(super) struct Evaluated {
    pub log_likelihood: f64,
    pub score: Vec<f64>,
    /// p x p, both triangles.
    pub information: Vec<f64>,
}

/// The coefficients' weights and sums at every event time.
pub(super) struct Pass {
    pub weights: Vec<f64>,
    pub moments: Vec<Moment>,
    pub means: Means,
    pub log_likelihood: f64,
    /// Sum over the events of g^k mean mean', for the powers of the times' function.
    squares: Vec<Vec<f64>>,
}

/// Runs through the event times, latest first. `powers` are the functions of time by which the
/// squares of the means are weighed, one value an event time.
pub(super) fn pass(rows: &Rows, coefficients: &[f64], ties: Ties, powers: &[Vec<f64>]) -> Pass {
    let p = rows.columns();
    let eta: Vec<f64> = rows.x.par_chunks(p).map(|x| dot(x, coefficients)).collect();
    let weights: Vec<f64> = eta
        .par_iter()
        .enumerate()
        .map(|(row, eta)| rows.weight(row) * eta.exp())
        .collect();
    let k = rows.times.len();
    let mut pass = Pass {
        weights,
        moments: vec![Moment::default(); k],
        means: Means {
            events: vec![0.0; k * p],
            others: vec![0.0; k * p],
            own: vec![0.0; k * p],
        },
        log_likelihood: 0.0,
        squares: powers.iter().map(|_| vec![0.0; p * p]).collect(),
    };
    let mut logs = Vec::with_capacity(k);
    let mut all_x = vec![0.0; p];
    let mut own_x = vec![0.0; p];
    let mut turn = Turn::default();
    for stratum in &rows.strata {
        let mut all = 0.0;
        all_x.fill(0.0);
        let mut entered = stratum.rows.end;
        let mut left = stratum.rows.start;
        for t in stratum.times.clone().rev() {
            let at = &rows.times[t];
            while entered > stratum.rows.start && rows.time[entered - 1] >= at.time {
                entered -= 1;
                add(
                    &mut all,
                    &mut all_x,
                    pass.weights[entered],
                    rows.row(entered),
                );
            }
            if let Some(entry) = &rows.entry {
                while left < stratum.rows.end && entry[rows.by_entry[left] as usize] >= at.time {
                    let row = rows.by_entry[left] as usize;
                    add(&mut all, &mut all_x, -pass.weights[row], rows.row(row));
                    left += 1;
                }
            }
            let mut own = 0.0;
            own_x.fill(0.0);
            let (mut sum, mut cases) = (0.0, 0.0);
            for row in at.events.clone() {
                add(&mut own, &mut own_x, pass.weights[row], rows.row(row));
                sum += rows.weight(row) * eta[row];
                cases += rows.weight(row);
            }
            turn.of(all, own, at.events.len(), ties);
            turn.times(cases / at.events.len() as f64);
            logs.push(sum - turn.logs);
            pass.moments[t] = Moment {
                hazard: turn.c[0],
                own_hazard: turn.c[0] - turn.c[1],
            };
            pass.write_means(t, p, &turn, &all_x, &own_x);
            for (square, power) in pass.squares.iter_mut().zip(powers) {
                add_square(square, &all_x, power[t] * turn.c2[0]);
                add_cross(square, &all_x, &own_x, -power[t] * turn.c2[1]);
                add_square(square, &own_x, power[t] * turn.c2[2]);
            }
        }
    }
    pass.log_likelihood = crate::statistics::sum::compensated(logs);
    pass
}

fn add(sum: &mut f64, sums: &mut [f64], weight: f64, x: &[f64]) {
    *sum += weight;
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum += weight * x;
    }
}

/// Adds `weight * (a b' + b a')` to the upper triangle.
fn add_cross(matrix: &mut [f64], a: &[f64], b: &[f64], weight: f64) {
    let n = a.len();
    for i in 0..n {
        for j in i..n {
            matrix[i * n + j] += weight * (a[i] * b[j] + b[i] * a[j]);
        }
    }
}

/// Sums over l of c = 1 / (S0 - f s0) and its powers, f = l/d.
#[derive(Default)]
struct Turn {
    logs: f64,
    /// Sums of c, c f.
    c: [f64; 2],
    /// Sums of c^2, c^2 f, c^2 f^2.
    c2: [f64; 3],
}

impl Turn {
    /// Each of the tied events counts as the mean of their weights.
    fn times(&mut self, weight: f64) {
        let sums = self.c.iter_mut().chain(&mut self.c2);
        sums.chain([&mut self.logs]).for_each(|sum| *sum *= weight);
    }

    fn of(&mut self, all: f64, own: f64, d: usize, ties: Ties) {
        *self = Self::default();
        if ties == Ties::Breslow {
            let (d, c) = (d as f64, 1.0 / all);
            self.logs = d * all.ln();
            self.c = [d * c, 0.0];
            self.c2 = [d * c * c, 0.0, 0.0];
            return;
        }
        for l in 0..d {
            let f = l as f64 / d as f64;
            let s = all - f * own;
            let c = 1.0 / s;
            self.logs += s.ln();
            self.c[0] += c;
            self.c[1] += c * f;
            self.c2[0] += c * c;
            self.c2[1] += c * c * f;
            self.c2[2] += c * c * f * f;
        }
    }
}

impl Pass {
    fn write_means(&mut self, t: usize, p: usize, turn: &Turn, all: &[f64], own: &[f64]) {
        let at = t * p..(t + 1) * p;
        let [c, cf] = turn.c;
        let [c2, c2f, c2ff] = turn.c2;
        for (j, i) in at.enumerate() {
            self.means.events[i] = c * all[j] - cf * own[j];
            self.means.others[i] = c2 * all[j] - c2f * own[j];
            self.means.own[i] = self.means.others[i] - (c2f * all[j] - c2ff * own[j]);
        }
    }

    /// For each row the hazard it has met, weighed by a function of the times.
    pub fn met(&self, rows: &Rows, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut running = Vec::with_capacity(self.moments.len() + 1);
        running.push(0.0);
        for (t, moment) in self.moments.iter().enumerate() {
            running.push(running[t] + weight(t) * moment.hazard);
        }
        let mut met: Vec<f64> = rows
            .at_risk
            .iter()
            .map(|times| running[times.end as usize] - running[times.start as usize])
            .collect();
        for (t, at) in rows.times.iter().enumerate() {
            let less = weight(t) * (self.moments[t].own_hazard - self.moments[t].hazard);
            at.events.clone().for_each(|row| met[row] += less);
        }
        met
    }

    /// The sum of g^k times the variances of the risk sets, where `met` is the hazard weighed by g^k.
    pub fn information(&self, rows: &Rows, met: &[f64], power: usize) -> Vec<f64> {
        let p = rows.columns();
        let mut information = sum_rows(met.len(), p * p, |range, sums| {
            range.for_each(|row| add_square(sums, rows.row(row), self.weights[row] * met[row]));
        });
        for (value, square) in information.iter_mut().zip(&self.squares[power]) {
            *value -= square;
        }
        mirror(&mut information, p);
        information
    }
}

/// The likelihood at some coefficients.
pub(super) fn evaluate(rows: &Rows, coefficients: &[f64], ties: Ties) -> Evaluated {
    if ties == Ties::Exact {
        return super::exact::evaluate(rows, coefficients);
    }
    let p = rows.columns();
    let pass = pass(rows, coefficients, ties, &[vec![1.0; rows.times.len()]]);
    let met = pass.met(rows, |_| 1.0);
    let score = sum_rows(met.len(), p, |range, sums| {
        for row in range {
            // x times the martingale residual.
            let event = rows.weight(row) * f64::from(u8::from(rows.event[row]));
            let residual = event - pass.weights[row] * met[row];
            for (sum, x) in sums.iter_mut().zip(rows.row(row)) {
                *sum += x * residual;
            }
        }
    });
    Evaluated {
        information: pass.information(rows, &met, 0),
        log_likelihood: pass.log_likelihood,
        score,
    }
}
