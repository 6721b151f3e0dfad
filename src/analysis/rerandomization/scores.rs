//! The numbers of a comparison, summed over any draw.

use crate::analysis::columns::{Dataset, Values};
use crate::analysis::estimators::as_numbers;
use crate::protocol::{Endpoint, EndpointKind};
use crate::statistics::survival::Observation;

/// Numbers that a comparison rests on, ready to be summed by any draw.
pub(super) struct Scores {
    /// Rows with a value, their analysis stratum and value.
    rows: Vec<(u32, u32, f64)>,
    strata: usize,
    /// The statistic is divided by its standard error.
    pub studentized: bool,
}

/// Sums of one arm in one stratum.
#[derive(Clone, Copy, Default)]
struct Cell {
    n: f64,
    sum: f64,
    squares: f64,
    /// Participants who were in the compared arm in truth.
    moved: f64,
}

impl Scores {
    pub fn of(dataset: &Dataset, endpoint: &Endpoint, strata: &[String]) -> Self {
        let values = &dataset.endpoints[&endpoint.id];
        let factors: Vec<&str> = strata.iter().map(String::as_str).collect();
        let (stratum_of, places) = dataset.strata(&factors);
        let scores = match values {
            Values::Time(times) => log_rank_scores(times, &stratum_of, places.len()),
            other => as_numbers(other),
        };
        let rows = scores.iter().enumerate();
        Self {
            rows: rows
                .filter_map(|(row, value)| value.map(|v| (row as u32, stratum_of[row], v)))
                .collect(),
            strata: places.len(),
            studentized: endpoint.kind == EndpointKind::Binary,
        }
    }

    /// The statistic of a draw, and the same of having been in the compared arm in truth.
    pub fn statistic(&self, drawn: &[u8], truth: &[u8], arm: u8, reference: u8) -> (f64, f64) {
        let mut cells = vec![[Cell::default(); 2]; self.strata];
        for (row, stratum, value) in &self.rows {
            let own = drawn[*row as usize];
            let side = match own {
                own if own == arm => 0,
                own if own == reference => 1,
                _ => continue,
            };
            let cell = &mut cells[*stratum as usize][side];
            cell.n += 1.0;
            cell.sum += value;
            cell.squares += value * value;
            cell.moved += f64::from(u8::from(truth[*row as usize] == arm));
        }
        let (mut total, mut difference, mut moved, mut variance) = (0.0, 0.0, 0.0, 0.0);
        for [a, b] in &cells {
            if a.n == 0.0 || b.n == 0.0 {
                continue;
            }
            let n = a.n + b.n;
            total += n;
            difference += n * (a.sum / a.n - b.sum / b.n);
            moved += n * (a.moved / a.n - b.moved / b.n);
            let spread = |c: &Cell| (c.squares / c.n - (c.sum / c.n).powi(2)).max(0.0) / c.n;
            variance += n * n * (spread(a) + spread(b));
        }
        if total == 0.0 {
            return (0.0, 0.0);
        }
        let statistic = match self.studentized {
            true if variance > 0.0 => difference / variance.sqrt(),
            true => difference.signum() * if difference == 0.0 { 0.0 } else { f64::MAX },
            false => difference / total,
        };
        (statistic, moved / total)
    }
}

/// Event less the hazard met, within the strata: what the log-rank test sums over an arm.
fn log_rank_scores(
    times: &[Option<Observation>],
    stratum_of: &[u32],
    strata: usize,
) -> Vec<Option<f64>> {
    let mut scores = vec![None; times.len()];
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); strata];
    for (row, time) in times.iter().enumerate() {
        if time.is_some() {
            members[stratum_of[row] as usize].push(row);
        }
    }
    for rows in &mut members {
        let time = |row: usize| times[row].map_or(0.0, |o| o.time);
        rows.sort_by(|a, b| time(*a).total_cmp(&time(*b)));
        let (mut left, mut hazard) = (rows.len(), 0.0);
        for group in rows.chunk_by(|a, b| time(*a) == time(*b)) {
            let event = |row: &usize| times[*row].is_some_and(|o| o.event);
            let events = group.iter().filter(|row| event(row)).count();
            hazard += events as f64 / left as f64;
            for row in group {
                scores[*row] = Some(f64::from(u8::from(event(row))) - hazard);
            }
            left -= group.len();
        }
    }
    scores
}
