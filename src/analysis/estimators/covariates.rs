//! Baseline covariates as columns of a model.

use super::{Comparison, level};
use crate::analysis::columns::Column;
use crate::protocol::Scheme;
use crate::statistics::Fault;
use crate::statistics::regression::{Covariate, Sample};
use crate::statistics::stable_sum;
use std::collections::{BTreeMap, BTreeSet};

/// Participants of each arm from which on a stratum of the draw counts by itself.
const LARGE: usize = 20;

/// Rows of a regression with their covariates.
pub(super) struct Adjusted {
    pub rows: Vec<usize>,
    pub treated: Vec<bool>,
    pub covariates: Vec<Covariate>,
    pub warnings: Vec<String>,
}

impl Adjusted {
    /// The values of these rows; all are known.
    pub fn outcome(&self, values: &[Option<f64>]) -> Vec<f64> {
        self.rows.iter().filter_map(|row| values[*row]).collect()
    }

    /// The rows as the regressions take them.
    pub fn sample<'a>(&'a self, outcome: &'a [f64], clusters: Option<&'a [u32]>) -> Sample<'a> {
        Sample {
            covariates: &self.covariates,
            clusters,
            ..Sample::new(outcome, &self.treated)
        }
    }
}

impl Comparison<'_> {
    /// The rows with a value, without strata and covariates.
    pub(super) fn unadjusted(&self) -> Adjusted {
        let rows = self.rows();
        Adjusted {
            treated: self.treated(&rows),
            rows,
            covariates: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// The rows with a value, with the strata (as main effects, a dummy for each level but the first) and
    /// the numbers of `adjust_for`. Whoever stands at a level that one arm alone holds is left out.
    pub(super) fn adjusted(&self, strata: bool) -> Adjusted {
        let mut rows = self.rows();
        let mut warnings = Vec::new();
        if strata {
            let before = rows.len();
            self.keep_shared_levels(&mut rows);
            let lost = before - rows.len();
            if lost > 0 {
                warnings.push(format!(
                    "{lost} participants of strata that hold one arm only contribute nothing"
                ));
            }
        }
        let covariates = if strata {
            self.covariates_of(&rows, &mut warnings)
        } else {
            let mut covariates = Vec::new();
            self.add_numbers(&rows, &mut covariates, &mut warnings);
            covariates
        };
        Adjusted {
            treated: self.treated(&rows),
            rows,
            covariates,
            warnings,
        }
    }

    /// Strata and numbers of these rows.
    pub(super) fn covariates_of(
        &self,
        rows: &[usize],
        warnings: &mut Vec<String>,
    ) -> Vec<Covariate> {
        let mut covariates = Vec::new();
        self.strata
            .iter()
            .for_each(|factor| self.add_dummies(factor, rows, &mut covariates));
        self.add_numbers(rows, &mut covariates, warnings);
        covariates
    }

    fn add_numbers(
        &self,
        rows: &[usize],
        covariates: &mut Vec<Covariate>,
        warnings: &mut Vec<String>,
    ) {
        for factor in &self.protocol.analysis.adjust_for {
            self.add_number(factor, rows, covariates, warnings);
        }
    }

    /// Drops rows at levels of one arm only, until every level left holds both.
    fn keep_shared_levels(&self, rows: &mut Vec<usize>) {
        loop {
            let before = rows.len();
            for factor in self.strata {
                let mut held: BTreeMap<String, [bool; 2]> = BTreeMap::new();
                for row in rows.iter() {
                    let arm = usize::from(self.groups[*row] == Some(self.arm));
                    held.entry(level(self.dataset, factor, *row)).or_default()[arm] = true;
                }
                rows.retain(|row| held[&level(self.dataset, factor, *row)] == [true, true]);
            }
            if rows.len() == before {
                return;
            }
        }
    }

    fn add_dummies(&self, factor: &str, rows: &[usize], covariates: &mut Vec<Covariate>) {
        let levels: BTreeSet<String> = rows
            .iter()
            .map(|row| level(self.dataset, factor, *row))
            .collect();
        for own in levels.iter().skip(1) {
            let is = |row: &usize| f64::from(u8::from(level(self.dataset, factor, *row) == *own));
            covariates.push(Covariate {
                name: format!("{factor} = {own}"),
                values: rows.iter().map(is).collect(),
            });
        }
    }

    /// A number; where it is missing its mean, and a column that says so (Zhao and Ding, Biometrika 2024:
    /// the draw does not depend on it, so that nothing is biased by it).
    fn add_number(
        &self,
        factor: &str,
        rows: &[usize],
        covariates: &mut Vec<Covariate>,
        warnings: &mut Vec<String>,
    ) {
        let Some(Column::Numbers(numbers)) = self.dataset.factors.get(factor) else {
            return;
        };
        let known = || rows.iter().filter_map(|row| numbers[*row]);
        let n = known().count();
        if n == 0 {
            warnings.push(format!(
                "{factor} is missing everywhere and is not adjusted for"
            ));
            return;
        }
        let mean = stable_sum(known()) / n as f64;
        covariates.push(Covariate {
            name: factor.to_owned(),
            values: rows
                .iter()
                .map(|row| numbers[*row].unwrap_or(mean))
                .collect(),
        });
        let missing = rows.len() - n;
        if missing > 0 {
            warnings.push(format!(
                "{factor} is missing for {missing} participants: its mean stands for it"
            ));
            let is = |row: &usize| f64::from(u8::from(numbers[*row].is_none()));
            covariates.push(Covariate {
                name: format!("{factor} missing"),
                values: rows.iter().map(is).collect(),
            });
        }
    }

    /// Numbers of the clusters of these rows.
    pub(super) fn clusters(&self, rows: &[usize]) -> Result<Vec<u32>, Fault> {
        let clusters = self.dataset.clusters.as_ref().ok_or(Fault::NoClusters)?;
        let names: Vec<&String> = rows
            .iter()
            .map(|row| clusters[*row].as_ref())
            .collect::<Option<_>>()
            .ok_or_else(|| Fault::Input("a participant's cluster is missing".into()))?;
        Ok(numbered(&names))
    }

    /// Numbers of the analysis strata of these rows.
    pub(super) fn stratum_numbers(&self, rows: &[usize]) -> Vec<u32> {
        let labels: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                self.strata
                    .iter()
                    .map(|id| level(self.dataset, id, *row))
                    .collect()
            })
            .collect();
        numbered(&labels)
    }

    /// Numbers of the strata of the draw, where it balances the arms within them. Open factors do not count,
    /// and strata with few of an arm are taken together (arms that are balanced within each are balanced
    /// within their union): means of few would be taken for what the strata explain.
    pub(super) fn balanced_strata(&self, rows: &[usize]) -> Option<Vec<u32>> {
        match self.protocol.randomization.scheme {
            Scheme::PermutedBlocks { .. }
            | Scheme::BiasedCoin { .. }
            | Scheme::BigStick { .. }
            | Scheme::BlockUrn { .. } => {}
            _ => return None,
        }
        let closed = self
            .protocol
            .stratifiers()
            .filter(|factor| !factor.open_levels);
        let factors: Vec<&str> = closed.map(|factor| factor.id.as_str()).collect();
        let labels: Vec<Vec<String>> = rows
            .iter()
            .map(|row| {
                factors
                    .iter()
                    .map(|id| level(self.dataset, id, *row))
                    .collect()
            })
            .collect();
        let mut strata = numbered(&labels);
        let mut sizes: BTreeMap<u32, [usize; 2]> = BTreeMap::new();
        for (stratum, treated) in strata.iter().zip(self.treated(rows)) {
            sizes.entry(*stratum).or_default()[usize::from(treated)] += 1;
        }
        for stratum in &mut strata {
            if sizes[stratum].iter().any(|n| *n < LARGE) {
                *stratum = u32::MAX;
            }
        }
        Some(strata)
    }
}

/// Each value's place among the distinct ones.
fn numbered<T: Ord>(values: &[T]) -> Vec<u32> {
    let distinct: BTreeSet<&T> = values.iter().collect();
    let places: BTreeMap<&T, u32> = distinct.into_iter().zip(0..).collect();
    values.iter().map(|value| places[value]).collect()
}
