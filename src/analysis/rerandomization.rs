//! Randomization inference: the trial drawn anew, by its own method, strata and ratios.
//!
//! The null is that nobody's outcome depends on the arm (of all arms, where there are more than two).
//! Under it the outcomes stay and only the draw varies: the p-value is the share of re-draws whose
//! statistic is as extreme, the observed draw counted among them (Rosenberger and Lachin 2016, chapter 6).
//! The statistic is the difference of the arms' mean values within the analysis strata, of times to an
//! event their log-rank scores; for binary endpoints over its standard error. Limits of a constant effect come
//! by inversion: with T(y - d z) linear in d, each re-draw gives the one shift at which it ties with the
//! observed draw, and the limits are order statistics of those shifts.

use super::columns::{Dataset, Values};
use super::estimators::{Made, as_numbers};
use crate::protocol::{Endpoint, EndpointKind, Protocol, Scheme};
use crate::randomization::{Enumerated, Redraw, Seed, StratumLabel};
use crate::statistics::survival::Observation;
use crate::statistics::{Alternative, Estimate, Fault, Question};
use rayon::prelude::*;
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

/// Numbers that a comparison rests on, ready to be summed by any draw.
struct Scores {
    /// Rows with a value, their analysis stratum and value.
    rows: Vec<(u32, u32, f64)>,
    strata: usize,
    /// The statistic is divided by its standard error.
    studentized: bool,
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
    fn of(dataset: &Dataset, endpoint: &Endpoint, strata: &[String]) -> Self {
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
    fn statistic(&self, drawn: &[u8], truth: &[u8], arm: u8, reference: u8) -> (f64, f64) {
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

/// Whether the arms' numbers are what the ratios and the draw let expect.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SampleRatio {
    /// `enrolled`, or `analysed` and `missing` of an endpoint.
    pub of: String,
    pub n: BTreeMap<String, u64>,
    pub chi_square: f64,
    /// Share of the trial's own re-draws with numbers as uneven.
    pub p_value: f64,
    pub redraws: usize,
}

/// Groups of participants whose numbers by arm are held against the re-draws.
struct Groups {
    names: Vec<String>,
    /// Whether each row is in the group.
    members: Vec<Vec<bool>>,
}

impl Groups {
    /// The enrolled, and the analysed and missing of the primary endpoint.
    fn of(protocol: &Protocol, dataset: &Dataset) -> Self {
        let primary = &protocol.analysis.primary;
        let known: Vec<bool> = match dataset.endpoints.get(primary) {
            Some(values) => (0..dataset.rows())
                .map(|row| values.is_known(row))
                .collect(),
            None => vec![false; dataset.rows()],
        };
        let missing = known.iter().map(|known| !known).collect();
        Self {
            names: vec![
                "enrolled".to_owned(),
                format!("analysed for {primary}"),
                format!("missing for {primary}"),
            ],
            members: vec![vec![true; known.len()], known, missing],
        }
    }

    fn counts(&self, arms: &[u8], k: usize, group: usize) -> Vec<u64> {
        let mut counts = vec![0; k];
        for (arm, counted) in arms.iter().zip(&self.members[group]) {
            counts[*arm as usize] += u64::from(*counted);
        }
        counts
    }

    fn uneven(&self, protocol: &Protocol, arms: &[u8]) -> Vec<f64> {
        let k = protocol.arms.len();
        let groups = 0..self.members.len();
        groups
            .map(|group| uneven(protocol, &self.counts(arms, k, group)))
            .collect()
    }
}

/// The chi-square distance from the ratios.
fn uneven(protocol: &Protocol, counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    let ratios: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    if n == 0 {
        return 0.0;
    }
    let parts = protocol.arms.iter().zip(counts).map(|(arm, count)| {
        let expected = n as f64 * f64::from(arm.ratio) / f64::from(ratios);
        (*count as f64 - expected).powi(2) / expected
    });
    parts.sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::columns::Column;

    fn trial(n: usize, blocks: &str) -> (Protocol, Dataset) {
        let protocol = crate::protocol::from_toml(&format!(
            "id = 't'\ntitle = 't'\n\
             arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
             factors = [{{id = 'site', levels = ['x', 'y'], stratify = true}}]\n\
             endpoints = [{{id = 'e', kind = 'continuous', from = 'reported'}}]\n\
             [randomization]\nmethod = 'permuted_blocks'\nblock_sizes = {blocks}\n\
             [analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n"
        ))
        .unwrap();
        let sites = (0..n)
            .map(|i| Some(if i < 8 { "x" } else { "y" }.to_owned()))
            .collect();
        let dataset = Dataset {
            arms: (0..n).map(|i| usize::from(i % 2 == 0)).collect(),
            factors: [("site".to_owned(), Column::Levels(sites))].into(),
            ..Dataset::default()
        };
        (protocol, dataset)
    }

    /// Blocks of 8 and of 6 in two strata have 70 * 20 outcomes; where one arm has the larger values
    /// throughout, the draw and its mirror image are the only ones as extreme: p = 2/1400.
    #[test]
    fn the_exact_test_of_two_blocks_is_two_in_1400() {
        let text = |blocks: &str| trial(14, blocks);
        let (protocol, mut dataset) = text("[14]");
        // Both blocks have their own stratum and size; 8 and 6 are made of one list by hand below.
        let values = (0..14).map(|i| {
            Some(if i % 2 == 0 {
                10.0 + i as f64
            } else {
                i as f64 / 10.0
            })
        });
        dataset
            .endpoints
            .insert("e".into(), Values::Number(values.collect()));
        let all: Vec<Vec<u8>> = {
            let blocks = |n: usize| {
                let (p, _) = trial(n, &format!("[{n}]"));
                let strata = vec![StratumLabel::of([("site", "x")])];
                let redraw = Redraw::new(&p, strata, vec![0; n], None).unwrap();
                let all = redraw.all(100).unwrap();
                (0..all.total())
                    .map(|i| {
                        let mut arms = Vec::new();
                        all.arms(i, &mut arms);
                        arms
                    })
                    .collect::<Vec<_>>()
            };
            let (eight, six) = (blocks(8), blocks(6));
            eight
                .iter()
                .flat_map(|a| six.iter().map(move |b| [&a[..], &b[..]].concat()))
                .collect()
        };
        assert_eq!(all.len(), 1400);
        let endpoint = protocol.endpoint("e").unwrap();
        let scores = Scores::of(&dataset, endpoint, &["site".to_owned()]);
        let truth: Vec<u8> = dataset.arms.iter().map(|arm| *arm as u8).collect();
        let observed = scores.statistic(&truth, &truth, 1, 0).0;
        let extreme = all
            .iter()
            .filter(|arms| scores.statistic(arms, &truth, 1, 0).0.abs() >= observed.abs() - 1e-9);
        assert_eq!(extreme.count(), 2);
    }

    fn made(threads: usize, seed: u8) -> (f64, (f64, f64)) {
        let (protocol, mut dataset) = trial(60, "[2, 4]");
        let values =
            (0..60).map(|i| Some(((i * 37) % 23) as f64 + if i % 2 == 0 { 4.0 } else { 0.0 }));
        dataset
            .endpoints
            .insert("e".into(), Values::Number(values.collect()));
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let endpoint = protocol.endpoint("e").unwrap();
        let question = Question::two_sided(0.95);
        let strata = ["site".to_owned()];
        let wanted = [Wanted {
            endpoint,
            arm: 1,
            strata: &strata,
        }];
        let made = pool
            .install(|| {
                let redraws = Redraws::of(&protocol, &dataset, &wanted, [seed; 32], 999).unwrap();
                test(&redraws, &dataset, endpoint, (1, 0), &question)
            })
            .unwrap();
        (
            made.estimate.p_value.unwrap(),
            made.estimate.limits.unwrap(),
        )
    }

    #[test]
    fn the_number_of_threads_changes_nothing_and_the_seed_does() {
        assert_eq!(made(1, 1), made(2, 1));
        assert_ne!(made(2, 1), made(2, 2));
    }

    #[test]
    fn test_and_limits_agree() {
        let (p, (lower, upper)) = made(2, 1);
        assert_eq!(
            p < 0.05,
            !(lower..=upper).contains(&0.0),
            "{p} {lower} {upper}"
        );
        assert!(lower < upper);
    }
}
