//! Rows sorted for the partial likelihood.

use super::Follow;
use crate::statistics::regression::Covariate;
use crate::statistics::{ARM, Fault, REFERENCE, weights};
use rayon::prelude::*;
use std::cmp::Ordering;
use std::ops::Range;

/// More columns than this are not fitted.
const MOST_COLUMNS: usize = 400;

/// The distinct times of events in one stratum, and where its rows lie.
pub(super) struct Stratum {
    /// Its rows, by time.
    pub rows: Range<usize>,
    /// Its event times, as positions in [`Rows::times`].
    pub times: Range<usize>,
}

/// An event time of a stratum with the rows whose event it is.
pub(super) struct EventTime {
    pub time: f64,
    pub events: Range<usize>,
}

/// The rows by stratum and time, events before others of their time; the order follows from the data
/// alone, so that no sum depends on the order in which they came.
pub(super) struct Rows {
    pub names: Vec<String>,
    /// Row-major: the arm, then the covariates, centred and scaled.
    pub x: Vec<f64>,
    pub time: Vec<f64>,
    pub event: Vec<bool>,
    pub cluster: Option<Vec<u32>>,
    pub weight: Option<Vec<f64>>,
    pub strata: Vec<Stratum>,
    pub times: Vec<EventTime>,
    /// For each row the event times (positions in `times`) during which it is at risk.
    pub at_risk: Vec<Range<u32>>,
    /// For each stratum its rows by time of entry, latest first; empty where all enter at the start.
    pub by_entry: Vec<u32>,
    pub entry: Option<Vec<f64>>,
}

impl Rows {
    pub fn of(follow: &Follow) -> Result<Self, Fault> {
        check(follow)?;
        let n = follow.time.len();
        let p = 1 + follow.covariates.len();
        if p > MOST_COLUMNS {
            return Err(Fault::Wide(p));
        }
        let order = order(follow);
        let (means, scales) = centre(follow, &order)?;
        let mut x = vec![0.0; n * p];
        x.par_chunks_mut(p)
            .zip(order.par_iter())
            .for_each(|(x, row)| {
                let row = *row as usize;
                x[0] = f64::from(u8::from(follow.treated[row])) - means[0];
                for (j, covariate) in follow.covariates.iter().enumerate() {
                    x[1 + j] = (covariate.values[row] - means[1 + j]) / scales[1 + j];
                }
            });
        fn pick<T: Copy>(order: &[u32], values: &[T]) -> Vec<T> {
            order.iter().map(|row| values[*row as usize]).collect()
        }
        let mut rows = Self {
            names: std::iter::once("the arm".to_owned())
                .chain(follow.covariates.iter().map(|c| c.name.clone()))
                .collect(),
            x,
            time: pick(&order, follow.time),
            event: pick(&order, follow.event),
            cluster: follow.clusters.map(|clusters| pick(&order, clusters)),
            weight: follow.weights.map(|weights| pick(&order, weights)),
            strata: Vec::new(),
            times: Vec::new(),
            at_risk: vec![0..0; n],
            by_entry: Vec::new(),
            entry: follow.entry.map(|entry| pick(&order, entry)),
        };
        let strata = follow.strata.map(|strata| pick(&order, strata));
        rows.divide(strata.as_deref());
        if rows.times.is_empty() {
            return Err(Fault::NoEvents);
        }
        Ok(rows)
    }

    pub fn columns(&self) -> usize {
        self.names.len()
    }

    pub fn row(&self, row: usize) -> &[f64] {
        let p = self.columns();
        &self.x[row * p..(row + 1) * p]
    }

    /// How many a row stands for.
    pub fn weight(&self, row: usize) -> f64 {
        self.weight.as_ref().map_or(1.0, |weights| weights[row])
    }

    /// Finds the strata, their event times, and when each row is at risk.
    fn divide(&mut self, strata: Option<&[u32]>) {
        let n = self.time.len();
        let mut start = 0;
        while start < n {
            let end = match strata {
                Some(strata) => start + strata[start..].partition_point(|s| *s == strata[start]),
                None => n,
            };
            let first = self.times.len();
            let mut row = start;
            while row < end {
                let time = self.time[row];
                let events = self.event[row..end].iter().zip(&self.time[row..end]);
                let d = events
                    .take_while(|(event, t)| **event && **t == time)
                    .count();
                if d > 0 {
                    let events = row..row + d;
                    self.times.push(EventTime { time, events });
                }
                let here = self.times.len() as u32;
                while row < end && self.time[row] == time {
                    self.at_risk[row] = first as u32..here;
                    row += 1;
                }
            }
            self.strata.push(Stratum {
                rows: start..end,
                times: first..self.times.len(),
            });
            start = end;
        }
        let Some(entry) = &self.entry else { return };
        for stratum in &self.strata {
            let times = &self.times[stratum.times.clone()];
            let mut late: Vec<u32> = Vec::new();
            for row in stratum.rows.clone() {
                // At risk from after the entry on: an event at that very time is not its own.
                let passed = times.partition_point(|t| t.time <= entry[row]);
                self.at_risk[row].start = (stratum.times.start + passed) as u32;
                late.push(row as u32);
            }
            late.sort_by(|a, b| entry[*b as usize].total_cmp(&entry[*a as usize]));
            self.by_entry.extend(late);
        }
    }
}

fn check(follow: &Follow) -> Result<(), Fault> {
    let n = follow.time.len();
    let others = [
        follow.event.len(),
        follow.treated.len(),
        follow.entry.map_or(n, <[f64]>::len),
        follow.strata.map_or(n, <[u32]>::len),
        follow.clusters.map_or(n, <[u32]>::len),
        follow.weights.map_or(n, <[f64]>::len),
    ];
    let covariates = follow.covariates.iter().map(|c| c.values.len());
    if others
        .into_iter()
        .chain(covariates)
        .any(|length| length != n)
    {
        return Err(Fault::Lengths);
    }
    if follow
        .time
        .iter()
        .any(|time| !time.is_finite() || *time < 0.0)
    {
        return Err(Fault::BadTime);
    }
    if let Some(entry) = follow.entry {
        let wrong =
            |(entry, time): (&f64, &f64)| !entry.is_finite() || *entry < 0.0 || entry >= time;
        if entry.iter().zip(follow.time).any(wrong) {
            return Err(Fault::BadTime);
        }
    }
    if follow
        .covariates
        .iter()
        .flat_map(|c| &c.values)
        .any(|value| !value.is_finite())
    {
        return Err(Fault::NotFinite);
    }
    weights::check(follow.weights.unwrap_or_default())?;
    for (arm, name) in [(true, ARM), (false, REFERENCE)] {
        if !follow.treated.contains(&arm) {
            return Err(Fault::EmptyArm(name));
        }
    }
    Ok(())
}

fn order(follow: &Follow) -> Vec<u32> {
    let mut order: Vec<u32> = (0..follow.time.len() as u32).collect();
    let compare = |a: usize, b: usize| -> Ordering {
        let by_stratum = follow.strata.map_or(Ordering::Equal, |s| s[a].cmp(&s[b]));
        let differs = |c: &Covariate| c.values[a].total_cmp(&c.values[b]);
        by_stratum
            .then_with(|| follow.time[a].total_cmp(&follow.time[b]))
            .then_with(|| follow.event[b].cmp(&follow.event[a]))
            .then_with(|| follow.treated[a].cmp(&follow.treated[b]))
            .then_with(|| {
                let first = follow.covariates.iter().map(differs).find(|o| o.is_ne());
                first.unwrap_or(Ordering::Equal)
            })
            .then_with(|| {
                follow
                    .entry
                    .map_or(Ordering::Equal, |e| e[a].total_cmp(&e[b]))
            })
            .then_with(|| follow.clusters.map_or(Ordering::Equal, |c| c[a].cmp(&c[b])))
            .then_with(|| {
                follow
                    .weights
                    .map_or(Ordering::Equal, |w| w[a].total_cmp(&w[b]))
            })
    };
    order.par_sort_unstable_by(|a, b| compare(*a as usize, *b as usize));
    order
}

/// Means of the arm and the covariates, and the covariates' standard deviations.
fn centre(follow: &Follow, order: &[u32]) -> Result<(Vec<f64>, Vec<f64>), Fault> {
    let n = order.len() as f64;
    let share = follow.treated.iter().filter(|treated| **treated).count() as f64 / n;
    let (mut means, mut scales) = (vec![share], vec![1.0]);
    for covariate in follow.covariates {
        let values = || order.iter().map(|row| covariate.values[*row as usize]);
        let mean = crate::statistics::sum::compensated(values()) / n;
        let squares = crate::statistics::sum::compensated(values().map(|v| (v - mean).powi(2)));
        let scale = (squares / n).sqrt();
        if scale <= 1e-13 * mean.abs() || scale == 0.0 {
            return Err(Fault::Constant(covariate.name.clone()));
        }
        means.push(mean);
        scales.push(scale);
    }
    Ok((means, scales))
}
