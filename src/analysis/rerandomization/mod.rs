//! Randomization inference: the trial drawn anew, by its own method, strata and ratios.
//!
//! The null is that nobody's outcome depends on the arm (of all arms, where there are more than two).
//! Under it the outcomes stay and only the draw varies: the p-value is the share of re-draws whose
//! statistic is as extreme, the observed draw counted among them (Rosenberger and Lachin 2016, chapter 6).
//! The statistic is the difference of the arms' mean values within the analysis strata, of times to an
//! event their log-rank scores; for binary endpoints over its standard error. Limits of a constant effect come
//! by inversion: with T(y - d z) linear in d, each re-draw gives the one shift at which it ties with the
//! observed draw, and the limits are order statistics of those shifts.

mod ratio;
mod scores;

pub use ratio::SampleRatio;

use super::columns::Dataset;
use super::estimators::Made;
use crate::protocol::{Endpoint, EndpointKind, Protocol, Scheme};
use crate::randomization::{Enumerated, Redraw, Seed, StratumLabel};
use crate::statistics::{Alternative, Estimate, Fault, Question};
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
    seed: [u8; 32],
    draws: usize,
    tests: BTreeMap<(String, usize), Redrawn>,
    ratios: Vec<SampleRatio>,
}

enum Source<'a> {
    All(Enumerated),
    Random(Redraw<'a>),
}

/// A comparison's statistic as observed and in each re-draw, with how the truth is shifted in it.
struct Redrawn {
    observed: f64,
    numbers: Vec<(f64, f64)>,
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
        let (strata, stratum_of) = strata(protocol, dataset)?;
        let units = units(protocol, dataset)?;
        let redraw = Redraw::new(protocol, strata, stratum_of, units).map_err(not_drawn)?;
        let (draws, source) = match redraw.all(EXACT) {
            Some(all) if !all.contains(&dataset.arms) => {
                return Err(Fault::Input(
                    "the arms are no outcome of this draw: are the rows in the order of the draws?"
                        .into(),
                ));
            }
            Some(all) => (all.total(), Source::All(all)),
            None => (draws as usize, Source::Random(redraw)),
        };
        if draws.saturating_mul(wanted.len() + 3) > MOST_NUMBERS {
            return Err(Fault::Input(format!(
                "{draws} re-draws of {} comparisons are too many to be kept: ask for fewer draws",
                wanted.len()
            )));
        }
        let mut redraws = Self {
            source,
            seed,
            draws,
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
        let statistics = |drawn: &[u8], out: &mut Vec<(f64, f64)>| {
            for (scores, wanted) in scores.iter().zip(wanted) {
                out.push(scores.statistic(drawn, &truth, wanted.arm as u8, reference));
            }
            out.extend(
                groups
                    .uneven(protocol, drawn)
                    .into_iter()
                    .map(|value| (value, 0.0)),
            );
        };
        let mut observed = Vec::new();
        statistics(&truth, &mut observed);
        let each = |arms: &mut Vec<u8>, number: usize| {
            match &self.source {
                Source::All(all) => all.arms(number, arms),
                Source::Random(redraw) => redraw.arms(&self.seed_of(number as u64), arms),
            }
            let mut out = Vec::with_capacity(observed.len());
            statistics(arms, &mut out);
            out
        };
        let drawn: Vec<Vec<(f64, f64)>> = (0..self.draws)
            .into_par_iter()
            .map_init(Vec::new, each)
            .collect();
        let column = |i: usize| drawn.iter().map(|out| out[i]).collect::<Vec<_>>();
        let tests = wanted
            .iter()
            .zip(&scores)
            .enumerate()
            .map(|(i, (wanted, scores))| {
                let redrawn = Redrawn {
                    observed: observed[i].0,
                    numbers: column(i),
                    studentized: scores.studentized,
                };
                ((wanted.endpoint.id.clone(), wanted.arm), redrawn)
            });
        let tests = tests.collect();
        let ratios = groups
            .names
            .iter()
            .enumerate()
            .filter(|(g, _)| {
                groups
                    .counts(&truth, protocol.arms.len(), *g)
                    .iter()
                    .any(|n| *n > 0)
            })
            .map(|(g, name)| {
                let (i, own) = (scores.len() + g, observed[scores.len() + g].0);
                let extreme = drawn
                    .iter()
                    .filter(|out| out[i].0 >= own - TIE * own.max(1.0));
                let ids = protocol.arms.iter().map(|arm| arm.id.clone());
                SampleRatio {
                    of: name.clone(),
                    n: ids
                        .zip(groups.counts(&truth, protocol.arms.len(), g))
                        .collect(),
                    chi_square: own,
                    p_value: self.p_value(extreme.count()),
                    redraws: self.draws,
                }
            })
            .collect();
        self.tests = tests;
        self.ratios = ratios;
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

/// The stratum labels of the draw, and each row's.
fn strata(protocol: &Protocol, dataset: &Dataset) -> Result<(Vec<StratumLabel>, Vec<u32>), Fault> {
    let factors: Vec<&str> = protocol
        .stratifiers()
        .map(|factor| factor.id.as_str())
        .collect();
    let clusters = matches!(protocol.randomization.scheme, Scheme::Clusters { .. });
    let used = if clusters { &[][..] } else { &factors[..] };
    let (of, levels) = dataset.strata(used);
    if levels.iter().flatten().any(|level| level.is_empty()) {
        return Err(Fault::Input(
            "a stratification factor of a participant is missing".into(),
        ));
    }
    let label =
        |levels: &Vec<&str>| StratumLabel::of(used.iter().copied().zip(levels.iter().copied()));
    let labels = levels.iter().map(label).collect();
    Ok((labels, of))
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
    let (observed, numbers) = (redrawn.observed, &redrawn.numbers);
    let scale = numbers
        .iter()
        .fold(observed.abs(), |most, (t, _)| most.max(t.abs()));
    if scale == 0.0 {
        return Err(Fault::NoVariation);
    }
    let slack = TIE * observed.abs().max(1e-300);
    let extreme = |t: f64| match question.alternative {
        Alternative::TwoSided => t.abs() >= observed.abs() - slack,
        Alternative::Greater => t >= observed - slack,
        Alternative::Less => t <= observed + slack,
    };
    let count = numbers.iter().filter(|(t, _)| extreme(*t)).count();
    let p = redraws.p_value(count);
    let shifts = matches!(
        endpoint.kind,
        EndpointKind::Continuous | EndpointKind::Count
    );
    let others = dataset.arms.iter().any(|a| *a != arm && *a != reference);
    // The effect of a third arm would be taken for that of the compared one.
    let limits = (shifts && !others)
        .then(|| inverted(numbers, observed, redraws, question.level))
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
fn inverted(
    numbers: &[(f64, f64)],
    observed: f64,
    redraws: &Redraws,
    level: f64,
) -> Option<(f64, f64)> {
    let mut shifts: Vec<f64> = numbers
        .iter()
        .filter(|(_, moved)| *moved < 1.0 - 1e-12)
        .map(|(t, moved)| (observed - t) / (1.0 - moved))
        .collect();
    // A re-draw that is the draw itself ties with it at every shift.
    let always = numbers.len() - shifts.len();
    shifts.sort_unstable_by(f64::total_cmp);
    let added = usize::from(!redraws.is_exact()) + always;
    let total = (numbers.len() + usize::from(!redraws.is_exact())) as f64;
    // The smallest count of ties at which a one-sided p-value exceeds half of the error.
    let needed = ((1.0 - level) / 2.0 * total + 1e-9).floor() as usize + 1;
    let k = needed.checked_sub(added).filter(|k| *k >= 1)?;
    Some((*shifts.get(k - 1)?, shifts[shifts.len().checked_sub(k)?]))
}

#[cfg(test)]
mod tests;
