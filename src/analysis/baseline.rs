//! The baseline table: each factor in each arm, with standardized differences from the reference.

use super::columns::{Column, Dataset};
use super::document::{Balance, BalanceCell, BalanceTest};
use crate::protocol::Protocol;
use crate::statistics::balance;
use crate::statistics::means::Moments;
use crate::statistics::regression::{Covariate, Sample, balance_test};

/// Every factor, level by level, in each arm.
pub(super) fn balance_of(protocol: &Protocol, dataset: &Dataset) -> Vec<Balance> {
    let mut rows = Vec::new();
    for factor in &protocol.factors {
        match dataset.factors.get(&factor.id) {
            Some(Column::Numbers(values)) => {
                rows.push(balance_of_number(protocol, dataset, &factor.id, values));
            }
            Some(Column::Levels(values)) => {
                let mut levels: Vec<&String> = values.iter().flatten().collect();
                levels.sort_unstable();
                levels.dedup();
                rows.extend(
                    levels.into_iter().map(|level| {
                        balance_of_level(protocol, dataset, &factor.id, level, values)
                    }),
                );
            }
            None => {}
        }
    }
    rows
}

/// The omnibus test of each arm against the reference, over all factors with closed levels and all
/// numbers; none where it cannot be made. Missing numbers stand at the mean, missing levels at their own.
pub(super) fn omnibus(protocol: &Protocol, dataset: &Dataset) -> Vec<BalanceTest> {
    // Participants of a unit that is drawn as one are not drawn by themselves.
    if protocol.unit != crate::protocol::Unit::Citizen {
        return Vec::new();
    }
    let control = protocol.control();
    (0..protocol.arms.len())
        .filter(|arm| *arm != control)
        .filter_map(|arm| {
            let rows: Vec<usize> = (0..dataset.rows())
                .filter(|row| dataset.arms[*row] == arm || dataset.arms[*row] == control)
                .collect();
            let covariates = covariates(protocol, dataset, &rows);
            let treated: Vec<bool> = rows.iter().map(|row| dataset.arms[*row] == arm).collect();
            let zeros = vec![0.0; rows.len()];
            let sample = Sample {
                covariates: &covariates,
                ..Sample::new(&zeros, &treated)
            };
            let made = balance_test(&sample).ok()?;
            let statistic = made.statistic?;
            Some(BalanceTest {
                arm: protocol.arms[arm].id.clone(),
                f: statistic.value,
                df: statistic.df?,
                denominator_df: statistic.denominator_df?,
                p_value: made.p_value.filter(|p| p.is_finite())?,
            })
        })
        .collect()
}

fn covariates(protocol: &Protocol, dataset: &Dataset, rows: &[usize]) -> Vec<Covariate> {
    let mut found = Vec::new();
    for factor in protocol.factors.iter().filter(|factor| !factor.open_levels) {
        match dataset.factors.get(&factor.id) {
            Some(Column::Numbers(values)) => {
                let known: Vec<f64> = rows.iter().filter_map(|row| values[*row]).collect();
                let Ok(moments) = Moments::of(&known, "") else {
                    continue;
                };
                if moments.variance > 0.0 {
                    let value = |row: &usize| values[*row].unwrap_or(moments.mean);
                    found.push(Covariate {
                        name: factor.id.clone(),
                        values: rows.iter().map(value).collect(),
                    });
                }
            }
            Some(Column::Levels(values)) => {
                let levels: std::collections::BTreeSet<&Option<String>> =
                    rows.iter().map(|row| &values[*row]).collect();
                for level in levels.into_iter().skip(1) {
                    let is = |row: &usize| f64::from(u8::from(&values[*row] == level));
                    found.push(Covariate {
                        name: factor.id.clone(),
                        values: rows.iter().map(is).collect(),
                    });
                }
            }
            None => {}
        }
    }
    found
}

fn balance_of_number(
    protocol: &Protocol,
    dataset: &Dataset,
    factor: &str,
    values: &[Option<f64>],
) -> Balance {
    let of_arm = |arm: usize| -> Vec<f64> {
        let rows = dataset.arms.iter().zip(values);
        rows.filter(|(other, _)| **other == arm)
            .filter_map(|(_, value)| *value)
            .collect()
    };
    let moments: Vec<_> = (0..protocol.arms.len())
        .map(|arm| Moments::of(&of_arm(arm), "").ok())
        .collect();
    let cell = |arm: usize| BalanceCell {
        n: of_arm(arm).len() as u64,
        count: None,
        mean: moments[arm].map(|m| m.mean).filter(|mean| mean.is_finite()),
        standard_deviation: moments[arm]
            .map(|m| m.variance.sqrt())
            .filter(|sd| sd.is_finite()),
    };
    let against = |arm: usize| balance::of_means(moments[arm]?, moments[protocol.control()]?);
    balance_row(protocol, factor, None, cell, against)
}

fn balance_of_level(
    protocol: &Protocol,
    dataset: &Dataset,
    factor: &str,
    level: &str,
    values: &[Option<String>],
) -> Balance {
    let of_arm = |arm: usize| {
        let rows = || {
            dataset
                .arms
                .iter()
                .zip(values)
                .filter(|(other, _)| **other == arm)
        };
        let at_level = rows()
            .filter(|(_, value)| value.as_deref() == Some(level))
            .count();
        (
            at_level as u64,
            rows().filter(|(_, value)| value.is_some()).count() as u64,
        )
    };
    let cell = |arm: usize| {
        let (count, n) = of_arm(arm);
        BalanceCell {
            n,
            count: Some(count),
            mean: None,
            standard_deviation: None,
        }
    };
    let against = |arm: usize| balance::of_shares(of_arm(arm), of_arm(protocol.control()));
    balance_row(protocol, factor, Some(level.to_owned()), cell, against)
}

fn balance_row(
    protocol: &Protocol,
    factor: &str,
    level: Option<String>,
    cell: impl Fn(usize) -> BalanceCell,
    against: impl Fn(usize) -> Option<f64>,
) -> Balance {
    let arms = || protocol.arms.iter().enumerate();
    Balance {
        factor: factor.to_owned(),
        level,
        arms: arms().map(|(i, arm)| (arm.id.clone(), cell(i))).collect(),
        standardized_difference: arms()
            .filter(|(i, _)| *i != protocol.control())
            .map(|(i, arm)| (arm.id.clone(), against(i)))
            .collect(),
    }
}
