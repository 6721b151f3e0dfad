//! The baseline table: each factor in each arm, with standardized differences from the reference.

use super::columns::{Column, Dataset};
use super::document::{Balance, BalanceCell};
use crate::protocol::Protocol;
use crate::statistics::balance;
use crate::statistics::means::Moments;

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
