//! Randomization inference: the trial drawn anew, by its own method, strata and ratios.
//!
//! The null is that nobody's outcome depends on the arm (of all arms, where there are more than two).
//! Under it the outcomes stay and only the draw varies: the p-value is the share of re-draws whose
//! statistic is as extreme, the observed draw counted among them (Rosenberger and Lachin 2016, chapter 6).
//! The statistic is the difference of the arms' mean values within the analysis strata, of times to an
//! event their log-rank scores; for binary endpoints over its standard error. Limits of a constant effect come
//! by inversion: with T(y - d z) linear in d, each re-draw gives the one shift at which it ties with the
//! observed draw, and the limits are order statistics of those shifts.

mod order;
mod ratio;
mod scores;

pub use ratio::SampleRatio;

use super::columns::Dataset;
use super::estimators::Made;
use crate::protocol::{Endpoint, EndpointKind, Protocol, Scheme};
use crate::randomization::{Enumerated, Redraw, Seed};
use crate::statistics::{Alternative, Estimate, Fault, Question};
use order::Order;
use ratio::Groups;
use rayon::prelude::*;
use scores::Scores;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;

/// Outcomes of the draw up to which all are gone through.
const EXACT: usize = 20_000;

/// Statistics of all re-draws together that are kept at most.
const MOST_NUMBERS: usize = 50_000_000;

/// Differences of statistics below this (relative) are rounding.
const TIE: f64 = 1e-10;

/// The re-draws of a trial, and what every comparison made of each: all statistics are taken in one pass,
/// so that the trial is drawn anew once.
pub(super) struct Redraws<'a> {
    source: Source<'a>,
    /// The place of each row among the draws, where some draws have none.
    rows: Option<Vec<u32>>,
    seed: [u8; 32],
    draws: usize,
    /// A row for each re-draw, all in one piece (a list for each would cost more than its numbers): for each
    /// comparison its statistic and how the truth is shifted in it, then the groups' distances.
    numbers: Vec<f64>,
    width: usize,
    tests: BTreeMap<(String, usize), Redrawn>,
    ratios: Vec<SampleRatio>,
}

enum Source<'a> {
    All(Enumerated),
    Random(Redraw<'a>),
}

/// A comparison's statistic as observed, and the column of the re-drawn ones.
struct Redrawn {
    observed: f64,
    column: usize,
    studentized: bool,
}

/// Endpoint, arm and analysis strata of a test.
pub(super) struct Wanted<'a> {
    pub endpoint: &'a Endpoint,
    pub arm: usize,
    pub strata: &'a [String],
}

impl<'a> Redraws<'a> {
    /// Goes through all outcomes of the draw where they are few, else `draws` random ones.
    pub fn of(
        protocol: &'a Protocol,
        dataset: &Dataset,
        wanted: &[Wanted],
        seed: [u8; 32],
        draws: u32,
    ) -> Result<Self, Fault> {
        let not_drawn = |fault: crate::randomization::NotDrawn| {
            Fault::Input(format!("the trial cannot be drawn anew: {fault}"))
        };
        let order = Order::of(protocol, dataset)?;
        let units = units(protocol, dataset)?;
        let arms = order.arms(dataset);
        let redraw =
            Redraw::new(protocol, order.strata, order.stratum_of, units).map_err(not_drawn)?;
        let (draws, source) = match redraw.all(EXACT) {
            Some(all) if !all.contains(&arms) => {
                return Err(Fault::Input(
                    "the arms are no outcome of this draw: are the rows in the order of the draws?"
                        .into(),
                ));
            }
            Some(all) => (all.total(), Source::All(all)),
            None => (draws as usize, Source::Random(redraw)),
        };
        if draws.saturating_mul(2 * wanted.len() + 3) > MOST_NUMBERS {
            return Err(Fault::Input(format!(
                "{draws} re-draws of {} comparisons are too many to be kept: ask for fewer draws",
                wanted.len()
            )));
        }
        let mut redraws = Self {
            source,
            rows: order.rows,
            seed,
            draws,
            numbers: Vec::new(),
            width: 0,
            tests: BTreeMap::new(),
            ratios: Vec::new(),
        };
        redraws.take(protocol, dataset, wanted);
        Ok(redraws)
    }

    /// Takes every statistic of every re-draw, on all threads, in the order of the re-draws.
    fn take(&mut self, protocol: &Protocol, dataset: &Dataset, wanted: &[Wanted]) {
        let truth: Vec<u8> = dataset.arms.iter().map(|arm| *arm as u8).collect();
        let reference = protocol.control() as u8;
        let scores: Vec<Scores> = wanted
            .iter()
            .map(|w| Scores::of(dataset, w.endpoint, w.strata))
            .collect();
        let groups = Groups::of(protocol, dataset);
        let statistics = |drawn: &[u8], out: &mut [f64]| {
            let (tests, uneven) = out.split_at_mut(2 * scores.len());
            for ((out, scores), wanted) in tests.chunks_mut(2).zip(&scores).zip(wanted) {
                let (t, moved) = scores.statistic(drawn, &truth, wanted.arm as u8, reference);
                (out[0], out[1]) = (t, moved);
            }
            groups.uneven(protocol, drawn, uneven);
        };
        self.width = 2 * scores.len() + groups.names.len();
        let mut observed = vec![0.0; self.width];
        statistics(&truth, &mut observed);
        let mut numbers = vec![0.0; self.draws * self.width];
        numbers
            .par_chunks_mut(self.width)
            .enumerate()
            .for_each_init(Vec::new, |arms, (number, out)| {
                match &self.source {
                    Source::All(all) => all.arms(number, arms),
                    Source::Random(redraw) => redraw.arms(&self.seed_of(number as u64), arms),
                }
                if let Some(rows) = &self.rows {
                    // No row stands before its place.
                    for (row, place) in rows.iter().enumerate() {
                        arms[row] = arms[*place as usize];
                    }
                    arms.truncate(rows.len());
                }
                statistics(arms, out);
            });
        self.numbers = numbers;
        for (i, (wanted, scores)) in wanted.iter().zip(&scores).enumerate() {
            let redrawn = Redrawn {
                observed: observed[2 * i],
                column: 2 * i,
                studentized: scores.studentized,
            };
            self.tests
                .insert((wanted.endpoint.id.clone(), wanted.arm), redrawn);
        }
        for (g, name) in groups.names.iter().enumerate() {
            let counts = groups.counts(&truth, protocol.arms.len(), g);
            if counts.iter().all(|n| *n == 0) {
                continue;
            }
            let column = 2 * scores.len() + g;
            let own = observed[column];
            let extreme = self
                .column(column)
                .filter(|d| *d >= own - TIE * own.max(1.0));
            let extreme = extreme.count();
            let ids = protocol.arms.iter().map(|arm| arm.id.clone());
            self.ratios.push(SampleRatio {
                of: name.clone(),
                n: ids.zip(counts).collect(),
                chi_square: own,
                p_value: self.p_value(extreme),
                redraws: self.draws,
            });
        }
    }

    /// One number of every re-draw, in their order.
    fn column(&self, column: usize) -> impl Iterator<Item = f64> {
        self.numbers.chunks(self.width).map(move |row| row[column])
    }

    pub fn is_exact(&self) -> bool {
        matches!(self.source, Source::All(_))
    }

    /// The arms' numbers held against the re-draws.
    pub fn sample_ratios(&self) -> &[SampleRatio] {
        &self.ratios
    }

    fn seed_of(&self, number: u64) -> Seed {
        let mut hash = Sha256::new();
        hash.update(b"lodkast re-draw v1\0");
        hash.update(self.seed);
        hash.update(number.to_be_bytes());
        Seed::new(hash.finalize().into())
    }

    /// (1 + as extreme) / (1 + draws); of all outcomes as extreme / all.
    fn p_value(&self, extreme: usize) -> f64 {
        match self.is_exact() {
            true => extreme as f64 / self.draws as f64,
            false => (1 + extreme) as f64 / (1 + self.draws) as f64,
        }
    }
}

/// The unit of each row, where units are drawn.
fn units(protocol: &Protocol, dataset: &Dataset) -> Result<Option<Vec<String>>, Fault> {
    if !matches!(protocol.randomization.scheme, Scheme::Clusters { .. }) {
        return Ok(None);
    }
    let clusters = dataset.clusters.as_ref().ok_or(Fault::NoClusters)?;
    let all: Option<Vec<String>> = clusters.iter().cloned().collect();
    all.map(Some)
        .ok_or_else(|| Fault::Input("a participant's cluster is missing".into()))
}

/// The randomization test of one comparison, which must have been wanted.
pub(super) fn test(
    redraws: &Redraws,
    dataset: &Dataset,
    endpoint: &Endpoint,
    (arm, reference): (usize, usize),
    question: &Question,
) -> Result<Made, Fault> {
    let redrawn = redraws
        .tests
        .get(&(endpoint.id.clone(), arm))
        .ok_or_else(|| Fault::Input("no re-draws were made for this comparison".into()))?;
    let observed = redrawn.observed;
    let drawn = || redraws.column(redrawn.column);
    let scale = drawn().fold(observed.abs(), |most, t| most.max(t.abs()));
    if scale == 0.0 {
        return Err(Fault::NoVariation);
    }
    let slack = TIE * observed.abs().max(1e-300);
    let extreme = |t: f64| match question.alternative {
        Alternative::TwoSided => t.abs() >= observed.abs() - slack,
        Alternative::Greater => t >= observed - slack,
        Alternative::Less => t <= observed + slack,
    };
    let count = drawn().filter(|t| extreme(*t)).count();
    let p = redraws.p_value(count);
    let shifts = matches!(
        endpoint.kind,
        EndpointKind::Continuous | EndpointKind::Count
    );
    let others = dataset.arms.iter().any(|a| *a != arm && *a != reference);
    // The effect of a third arm would be taken for that of the compared one.
    let limits = (shifts && !others)
        .then(|| inverted(redraws, redrawn, question.level))
        .flatten();
    let mut estimate = Estimate {
        p_value: Some(p),
        limits,
        estimate: shifts.then_some(observed),
        ..Estimate::default()
    };
    if dataset.arms.iter().any(|a| *a != arm && *a != reference) {
        estimate
            .warnings
            .push("the null is that no arm differs from another".into());
    }
    let made = Made {
        measure: shifts.then_some("difference_in_means"),
        estimate,
        ..Made::default()
    };
    let made = made
        .with("redraws", redraws.draws)
        .with("exact", redraws.is_exact())
        .with("as_extreme", count)
        .with("statistic", observed)
        .with("studentized", redrawn.studentized);
    Ok(match redraws.is_exact() {
        true => made,
        false => made.with("seed", hex::encode(redraws.seed)).with(
            "monte_carlo_standard_error",
            (p * (1.0 - p) / redraws.draws as f64).sqrt(),
        ),
    })
}

/// The shifts that neither one-sided test rejects; none where there are too few re-draws for the level.
fn inverted(redraws: &Redraws, redrawn: &Redrawn, level: f64) -> Option<(f64, f64)> {
    let column = redrawn.column;
    let drawn = redraws.column(column).zip(redraws.column(column + 1));
    let mut shifts: Vec<f64> = drawn
        .filter(|(_, moved)| *moved < 1.0 - 1e-12)
        .map(|(t, moved)| (redrawn.observed - t) / (1.0 - moved))
        .collect();
    // A re-draw that is the draw itself ties with it at every shift.
    let always = redraws.draws - shifts.len();
    shifts.sort_unstable_by(f64::total_cmp);
    let added = usize::from(!redraws.is_exact()) + always;
    let total = (redraws.draws + usize::from(!redraws.is_exact())) as f64;
    // The smallest count of ties at which a one-sided p-value exceeds half of the error.
    let needed = ((1.0 - level) / 2.0 * total + 1e-9).floor() as usize + 1;
    let k = needed.checked_sub(added).filter(|k| *k >= 1)?;
    Some((*shifts.get(k - 1)?, shifts[shifts.len().checked_sub(k)?]))
}

#[cfg(test)]
mod tests;
