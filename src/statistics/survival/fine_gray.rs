//! The model of Fine and Gray (JASA 94, 1999, 496-509): proportional hazards of the subdistribution.
//!
//! Whoever ended in another way stays at risk with the weight G(t-)/G(T-), the chance of not having been
//! censored since, G the Kaplan-Meier curve of the censoring. The ratio says whose share with the event
//! is larger, not how fast it comes among those still without any. Breslow's ties; the variance counts
//! that G is estimated (their eq. 7 and 8). Conventions of R's `cmprsk::crr`.

use super::competing::Ended;
use crate::statistics::linear::{Cholesky, add_square, dot, mirror, quadratic};
use crate::statistics::regression::Covariate;
use crate::statistics::{ARM, Estimate, Fault, Question, REFERENCE};
use rayon::prelude::*;
use std::cmp::Ordering;

/// Newton steps after which the fit is given up.
const MOST_STEPS: usize = 60;

/// A coefficient (of a column with a spread of about 1) that stands for an infinite one.
const INFINITE: f64 = 18.0;

/// Participants sorted by time, as the fit works on them.
struct Rows {
    p: usize,
    names: Vec<String>,
    x: Vec<f64>,
    time: Vec<f64>,
    cause: Vec<u32>,
    /// G just before the time of each row.
    free: Vec<f64>,
    /// Rows of each distinct time.
    groups: Vec<std::ops::Range<usize>>,
}

/// The subdistribution hazard ratio of the arm.
pub fn fine_gray(
    ended: &[Ended],
    treated: &[bool],
    covariates: &[Covariate],
    question: &Question,
) -> Result<Estimate, Fault> {
    let rows = Rows::of(ended, treated, covariates)?;
    let (coefficients, factor) = newton(&rows)?;
    let influence = rows.influence(&coefficients);
    let mut unit = vec![0.0; rows.p];
    unit[0] = 1.0;
    let direction = factor.solve(&unit);
    let mut meat = vec![0.0; rows.p * rows.p];
    influence
        .chunks(rows.p)
        .for_each(|row| add_square(&mut meat, row, 1.0));
    mirror(&mut meat, rows.p);
    let variance = quadratic(&meat, &direction);
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate::log_normal(
        coefficients[0].exp(),
        variance.sqrt(),
        question,
    ))
}

impl Rows {
    fn of(ended: &[Ended], treated: &[bool], covariates: &[Covariate]) -> Result<Self, Fault> {
        let n = ended.len();
        if treated.len() != n || covariates.iter().any(|c| c.values.len() != n) {
            return Err(Fault::Lengths);
        }
        if ended.iter().any(|e| !e.time.is_finite() || e.time < 0.0) {
            return Err(Fault::BadTime);
        }
        if covariates
            .iter()
            .flat_map(|c| &c.values)
            .any(|v| !v.is_finite())
        {
            return Err(Fault::NotFinite);
        }
        for (arm, name) in [(true, ARM), (false, REFERENCE)] {
            if !treated.contains(&arm) {
                return Err(Fault::EmptyArm(name));
            }
        }
        if ended.iter().all(|e| e.cause != 1) {
            return Err(Fault::NoEvents);
        }
        let mut order: Vec<u32> = (0..n as u32).collect();
        order.par_sort_unstable_by(|a, b| {
            let (a, b) = (*a as usize, *b as usize);
            let differs = |c: &Covariate| c.values[a].total_cmp(&c.values[b]);
            let by_covariates = || {
                covariates
                    .iter()
                    .map(differs)
                    .find(|o| o.is_ne())
                    .unwrap_or(Ordering::Equal)
            };
            ended[a]
                .time
                .total_cmp(&ended[b].time)
                .then_with(|| ended[a].cause.cmp(&ended[b].cause))
                .then_with(|| treated[a].cmp(&treated[b]))
                .then_with(by_covariates)
        });
        let p = 1 + covariates.len();
        let (means, scales) = spread(covariates)?;
        let mut x = vec![0.0; n * p];
        for (x, row) in x.chunks_mut(p).zip(&order) {
            x[0] = f64::from(u8::from(treated[*row as usize]));
            for (j, covariate) in covariates.iter().enumerate() {
                x[1 + j] = (covariate.values[*row as usize] - means[j]) / scales[j];
            }
        }
        let time: Vec<f64> = order.iter().map(|row| ended[*row as usize].time).collect();
        let cause: Vec<u32> = order.iter().map(|row| ended[*row as usize].cause).collect();
        let mut groups = Vec::new();
        let mut start = 0;
        for group in time.chunk_by(|a, b| a == b) {
            groups.push(start..start + group.len());
            start += group.len();
        }
        let (mut g, mut free) = (1.0, vec![0.0; n]);
        for group in &groups {
            free[group.clone()].fill(g);
            let censored = cause[group.clone()].iter().filter(|c| **c == 0).count();
            g *= 1.0 - censored as f64 / (n - group.start) as f64;
        }
        let mut names = vec!["the arm".to_owned()];
        names.extend(covariates.iter().map(|c| c.name.clone()));
        Ok(Self {
            p,
            names,
            x,
            time,
            cause,
            free,
            groups,
        })
    }

    fn row(&self, row: usize) -> &[f64] {
        &self.x[row * self.p..(row + 1) * self.p]
    }

    fn events(&self, group: &std::ops::Range<usize>) -> impl Iterator<Item = usize> {
        let cause = &self.cause;
        group.clone().filter(move |row| cause[*row] == 1)
    }

    /// Sums of w and w x over the risk set of each distinct time.
    fn risk(&self, weights: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (k, p) = (self.groups.len(), self.p);
        let (mut s0, mut s1) = (vec![0.0; k], vec![0.0; k * p]);
        let (mut all, mut sums) = (0.0, vec![0.0; p]);
        // Those whose follow-up lasts.
        for (t, group) in self.groups.iter().enumerate().rev() {
            for row in group.clone() {
                accumulate(&mut all, &mut sums, weights[row], self.row(row));
            }
            s0[t] = all;
            s1[t * p..(t + 1) * p].copy_from_slice(&sums);
        }
        // Those who ended in another way before, each weighed by what is left of G.
        all = 0.0;
        sums.fill(0.0);
        for (t, group) in self.groups.iter().enumerate() {
            let free = self.free[group.start];
            s0[t] += free * all;
            for (s1, sum) in s1[t * p..(t + 1) * p].iter_mut().zip(&sums) {
                *s1 += free * sum;
            }
            for row in group.clone().filter(|row| self.cause[*row] > 1) {
                accumulate(
                    &mut all,
                    &mut sums,
                    weights[row] / self.free[row],
                    self.row(row),
                );
            }
        }
        (s0, s1)
    }

    fn weights(&self, coefficients: &[f64]) -> Vec<f64> {
        self.x
            .par_chunks(self.p)
            .map(|x| dot(x, coefficients).exp())
            .collect()
    }
}

fn accumulate(sum: &mut f64, sums: &mut [f64], weight: f64, x: &[f64]) {
    *sum += weight;
    for (sum, x) in sums.iter_mut().zip(x) {
        *sum += weight * x;
    }
}

fn spread(covariates: &[Covariate]) -> Result<(Vec<f64>, Vec<f64>), Fault> {
    let (mut means, mut scales) = (Vec::new(), Vec::new());
    for covariate in covariates {
        let moments = crate::statistics::means::Moments::of(&covariate.values, ARM)?;
        if moments.variance <= 1e-26 * moments.mean.powi(2) {
            return Err(Fault::Constant(covariate.name.clone()));
        }
        means.push(moments.mean);
        scales.push(moments.variance.sqrt());
    }
    Ok((means, scales))
}

/// Log likelihood, score and information at some coefficients.
fn evaluate(rows: &Rows, coefficients: &[f64]) -> (f64, Vec<f64>, Vec<f64>) {
    let p = rows.p;
    let weights = rows.weights(coefficients);
    let (s0, s1) = rows.risk(&weights);
    let (mut value, mut score, mut information) = (0.0, vec![0.0; p], vec![0.0; p * p]);
    // The hazard that each row meets, so that w x x' is added once a row.
    let mut hazard = Vec::with_capacity(s0.len() + 1);
    let mut weighed = vec![0.0];
    hazard.push(0.0);
    for (t, group) in rows.groups.iter().enumerate() {
        let mut d = 0.0;
        for row in rows.events(group) {
            d += 1.0;
            let x = rows.row(row);
            value += dot(x, coefficients) - s0[t].ln();
            for ((score, x), s1) in score.iter_mut().zip(x).zip(&s1[t * p..]) {
                *score += x - s1 / s0[t];
            }
        }
        if d > 0.0 {
            let mean: Vec<f64> = s1[t * p..(t + 1) * p].iter().map(|s| s / s0[t]).collect();
            add_square(&mut information, &mean, -d);
        }
        hazard.push(hazard[t] + d / s0[t]);
        weighed.push(weighed[t] + rows.free[group.start] * d / s0[t]);
    }
    let end = rows.groups.len();
    for (t, group) in rows.groups.iter().enumerate() {
        for row in group.clone() {
            let mut met = hazard[t + 1];
            if rows.cause[row] > 1 {
                met += (weighed[end] - weighed[t + 1]) / rows.free[row];
            }
            add_square(&mut information, rows.row(row), weights[row] * met);
        }
    }
    mirror(&mut information, p);
    (value, score, information)
}

fn newton(rows: &Rows) -> Result<(Vec<f64>, Cholesky), Fault> {
    let mut coefficients = vec![0.0; rows.p];
    let (mut value, mut score, information) = evaluate(rows, &coefficients);
    let mut factor = Cholesky::named(&information, &rows.names).map_err(|fault| {
        if information[0] <= 1e-12 {
            Fault::NoVariation
        } else {
            fault
        }
    })?;
    for _ in 0..MOST_STEPS {
        let step = factor.solve(&score);
        let longest = step.iter().fold(0.0_f64, |a, s| a.max(s.abs()));
        let mut share = 1.0;
        loop {
            let next: Vec<f64> = coefficients
                .iter()
                .zip(&step)
                .map(|(b, s)| b + share * s)
                .collect();
            let there = evaluate(rows, &next);
            if there.0 >= value - 1e-9 * value.abs() || share < 1e-4 {
                coefficients = next;
                value = there.0;
                score = there.1;
                let largest = coefficients.iter().map(|b| b.abs()).enumerate();
                if let Some((j, b)) = largest.max_by(|a, b| a.1.total_cmp(&b.1))
                    && b > INFINITE
                {
                    return Err(Fault::Monotone(rows.names[j].clone()));
                }
                factor = Cholesky::named(&there.2, &rows.names)?;
                break;
            }
            share /= 2.0;
        }
        if longest < 1e-10 {
            return Ok((coefficients, factor));
        }
    }
    Err(Fault::NotConverged)
}

impl Rows {
    /// eta_i + psi_i of the paper: the score residual, and what the row does to it through G.
    fn influence(&self, coefficients: &[f64]) -> Vec<f64> {
        let (n, p, k) = (self.time.len(), self.p, self.groups.len());
        let weights = self.weights(coefficients);
        let (s0, s1) = self.risk(&weights);
        // Running sums of the hazard, with the mean, and both weighed by G.
        let width = 2 * (1 + p);
        let mut running = vec![0.0; (k + 1) * width];
        for (t, group) in self.groups.iter().enumerate() {
            let d = self.events(group).count() as f64;
            let (hazard, free) = (d / s0[t], self.free[group.start]);
            for j in 0..width {
                let (j0, weight) = if j <= p { (j, 1.0) } else { (j - p - 1, free) };
                let mean = if j0 == 0 {
                    1.0
                } else {
                    s1[t * p + j0 - 1] / s0[t]
                };
                running[(t + 1) * width + j] = running[t * width + j] + weight * hazard * mean;
            }
        }
        let at = |t: usize| &running[t * width..(t + 1) * width];
        let mut influence = vec![0.0; n * p];
        for (t, group) in self.groups.iter().enumerate() {
            for row in group.clone() {
                let (x, out) = (self.row(row), &mut influence[row * p..(row + 1) * p]);
                for j in 0..p {
                    if self.cause[row] == 1 {
                        out[j] += x[j] - s1[t * p + j] / s0[t];
                    }
                    out[j] -= weights[row] * (x[j] * at(t + 1)[0] - at(t + 1)[1 + j]);
                    if self.cause[row] > 1 {
                        out[j] -= self.after(t, row, j, &running, width) * weights[row];
                    }
                }
            }
        }
        self.add_censoring(&weights, &running, width, &mut influence);
        influence
    }

    /// The integral of (x_j - mean_j) G(t-)/G(T-) over the hazard after the row's own time.
    fn after(&self, t: usize, row: usize, j: usize, running: &[f64], width: usize) -> f64 {
        let end = self.groups.len() * width;
        let from = (t + 1) * width;
        let p = self.p;
        let hazard = running[end + p + 1] - running[from + p + 1];
        let mean = running[end + p + 2 + j] - running[from + p + 2 + j];
        (self.row(row)[j] * hazard - mean) / self.free[row]
    }

    /// psi: censoring at u moves G after u, and with it the weights of all who ended in another way
    /// before. q(u) = sum over them of w (x - mean) G/G dH from u on; psi_i = q(T_i)/pi(T_i) where i was
    /// censored, less its compensator.
    fn add_censoring(&self, weights: &[f64], running: &[f64], width: usize, influence: &mut [f64]) {
        let (n, p, k) = (self.time.len(), self.p, self.groups.len());
        let end = k * width;
        // Sums of w/G(T-) and w x/G(T-) of those who ended in another way before.
        let (mut sum, mut sums) = (0.0, vec![0.0; p]);
        let mut compensator = vec![0.0; p];
        for (t, group) in self.groups.iter().enumerate() {
            let at_risk = (n - group.start) as f64;
            let censored = group.clone().filter(|row| self.cause[*row] == 0).count() as f64;
            // At ties the integral of cmprsk: events of this very time count, and those who ended before it.
            let from = t * width;
            let q: Vec<f64> = (0..p)
                .map(|j| {
                    let hazard = running[end + p + 1] - running[from + p + 1];
                    let mean = running[end + p + 2 + j] - running[from + p + 2 + j];
                    sums[j] * hazard - sum * mean
                })
                .collect();
            for j in 0..p {
                compensator[j] += q[j] * censored / (at_risk * at_risk);
            }
            for row in group.clone() {
                for j in 0..p {
                    let own = if self.cause[row] == 0 {
                        q[j] / at_risk
                    } else {
                        0.0
                    };
                    influence[row * p + j] += own - compensator[j];
                }
            }
            for row in group.clone().filter(|row| self.cause[*row] > 1) {
                accumulate(
                    &mut sum,
                    &mut sums,
                    weights[row] / self.free[row],
                    self.row(row),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::survival::cox::{Cox, Follow, Spread, Ties};

    #[test]
    fn without_other_ends_it_is_cox_with_robust_errors() {
        let time = [4.0, 1.0, 7.0, 3.0, 9.0, 2.0, 8.0, 6.0];
        let cause = [1, 1, 0, 1, 1, 1, 0, 1];
        let treated = [true, false, true, false, true, false, false, true];
        let ended: Vec<Ended> = time
            .iter()
            .zip(cause)
            .map(|(time, cause)| Ended { time: *time, cause })
            .collect();
        let question = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        let made = fine_gray(&ended, &treated, &[], &question).unwrap();
        let event = cause.map(|c| c == 1);
        let follow = Follow::new(&time, &event, &treated);
        let cox = Cox::fit(&follow, Ties::Breslow).unwrap();
        let cox = cox.estimate(Spread::Robust, &question).unwrap();
        assert!((made.estimate.unwrap() / cox.estimate.unwrap() - 1.0).abs() < 1e-10);
        let ratio = made.standard_error.unwrap() / cox.standard_error.unwrap();
        assert!((ratio - 1.0).abs() < 1e-10, "{ratio}");
    }
}
