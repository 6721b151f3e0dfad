//! From the columns of two arms to the estimator that was asked for.

mod binary;
mod covariates;
mod missing;
mod number;
mod received;
mod time;
mod weighted;

pub(super) use time::{cumulative_incidence, kaplan_meier};

use super::columns::{Column, Dataset, Values};
use super::document::CurvePoint;
use crate::protocol::{Endpoint, Protocol};
use crate::statistics::catalogue::Asked;
use crate::statistics::proportions::Counts;
use crate::statistics::{Estimate, Fault, Question};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Participants of an arm in a stratum below which the stratum counts as sparse.
const SPARSE: usize = 5;

/// One comparison of an endpoint: the rows of an arm against those of the reference.
#[derive(Clone)]
pub(super) struct Comparison<'a> {
    pub protocol: &'a Protocol,
    pub dataset: &'a Dataset,
    pub endpoint: &'a Endpoint,
    pub arm: usize,
    pub reference: usize,
    /// Ids of the factors of the analysis strata.
    pub strata: &'a [String],
    /// The group of each row: the arm as drawn, but for an analysis as treated. None is left out.
    pub groups: &'a [Option<usize>],
    /// What seeds imputations.
    pub seed: [u8; 32],
}

/// What an estimator gives beside its numbers.
#[derive(Default)]
pub(super) struct Made {
    pub estimate: Estimate,
    pub measure: Option<&'static str>,
    pub median: Option<Option<f64>>,
    pub curve: Option<Vec<CurvePoint>>,
    /// Numbers of this estimator alone.
    pub details: Map<String, Value>,
    /// A test's z with the sign of the effect, where it has one but no estimate.
    pub signed: Option<f64>,
    /// The question that was answered, where it is not the one that was asked.
    pub question: Option<Question>,
}

impl Made {
    pub(super) fn of(measure: &'static str, estimate: Estimate) -> Self {
        Self {
            estimate,
            measure: Some(measure),
            ..Self::default()
        }
    }

    pub(super) fn test(estimate: Estimate) -> Self {
        Self {
            estimate,
            ..Self::default()
        }
    }

    /// With one more number; what is not finite is left out.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        let endless = value
            .as_f64()
            .is_some_and(|number| number.abs() >= f64::MAX);
        if !value.is_null() && !endless {
            self.details.insert(name.to_owned(), value);
        }
        self
    }
}

impl<'a> Comparison<'a> {
    /// Makes the estimate that was asked for.
    pub fn make(&self, asked: &Asked, question: &Question) -> Result<Made, Fault> {
        let made = match asked.entry.id {
            "complier_average_effect" => self.complier_average_effect(question),
            "per_protocol" => self.per_protocol(question),
            "as_treated" => self.as_treated(question),
            "lee_bounds" | "manski_bounds" => self.bounds(asked.entry.id, question),
            "multiple_imputation" => self.imputed(asked, question),
            "cost_effectiveness" => self.cost_effectiveness(asked, question),
            _ if asked.entry.needs_weights() => self.weighted(asked, question),
            _ => match &self.dataset.endpoints[&self.endpoint.id] {
                Values::Binary(values) => self.binary(asked, values, question),
                Values::Number(_) => self.number(asked, question),
                Values::Time(values) => self.time(asked, values, question),
            },
        };
        let sparse = if asked.entry.stratified {
            self.sparse_strata()
        } else {
            None
        };
        made.map(|mut made| {
            made.estimate.warnings.extend(sparse);
            made
        })
    }

    /// Whether the row belongs to one of the two arms, and to which.
    fn side(&self, row: usize) -> Option<bool> {
        match self.groups[row] {
            Some(group) if group == self.arm => Some(true),
            Some(group) if group == self.reference => Some(false),
            _ => None,
        }
    }

    /// The rows of the two arms with a value of the endpoint.
    fn rows(&self) -> Vec<usize> {
        let values = &self.dataset.endpoints[&self.endpoint.id];
        (0..self.dataset.rows())
            .filter(|row| self.side(*row).is_some() && values.is_known(*row))
            .collect()
    }

    /// Which of these rows are in the arm that is compared.
    fn treated(&self, rows: &[usize]) -> Vec<bool> {
        rows.iter()
            .map(|row| self.groups[*row] == Some(self.arm))
            .collect()
    }

    /// The values of the two arms, without the missing ones.
    fn split<T: Copy>(&self, values: &[Option<T>]) -> (Vec<T>, Vec<T>) {
        let (mut arm, mut reference) = (Vec::new(), Vec::new());
        for (row, value) in values.iter().enumerate() {
            match (self.side(row), value) {
                (Some(true), Some(value)) => arm.push(*value),
                (Some(false), Some(value)) => reference.push(*value),
                _ => {}
            }
        }
        (arm, reference)
    }

    /// The same by analysis stratum, in the order of their levels. A participant whose level is
    /// missing stands in a stratum of its own name, which no level can have.
    fn by_stratum<T: Copy>(&self, values: &[Option<T>]) -> Strata<T> {
        let mut strata = Strata::new();
        for (row, value) in values.iter().enumerate() {
            let (Some(treated), Some(value)) = (self.side(row), value) else {
                continue;
            };
            let key = self
                .strata
                .iter()
                .map(|id| level(self.dataset, id, row))
                .collect();
            let cell = strata.entry(key).or_default();
            if treated {
                cell.0.push(*value)
            } else {
                cell.1.push(*value)
            }
        }
        strata
    }

    fn sparse_strata(&self) -> Option<String> {
        let known: Vec<Option<()>> = {
            let values = &self.dataset.endpoints[&self.endpoint.id];
            (0..self.dataset.rows())
                .map(|row| values.is_known(row).then_some(()))
                .collect()
        };
        let strata = self.by_stratum(&known);
        let few = |n: usize| n > 0 && n < SPARSE;
        let sparse = strata
            .values()
            .filter(|(a, b)| few(a.len()) || few(b.len()))
            .count();
        (2 * sparse > strata.len()).then(|| {
            format!(
                "{sparse} of {} strata hold fewer than {SPARSE} participants of an arm",
                strata.len()
            )
        })
    }
}

/// Values of the arm and of the reference by stratum.
type Strata<T> = BTreeMap<Vec<String>, (Vec<T>, Vec<T>)>;

pub(super) fn level(dataset: &Dataset, factor: &str, row: usize) -> String {
    match dataset.factors.get(factor) {
        Some(Column::Levels(levels)) => levels[row].clone().unwrap_or_default(),
        _ => String::new(),
    }
}

pub(super) fn counts(values: &[bool]) -> Counts {
    Counts {
        events: values.iter().filter(|event| **event).count() as u64,
        n: values.len() as u64,
    }
}

/// Binary values as 0 and 1; times have no mean.
pub(super) fn as_numbers(values: &Values) -> Vec<Option<f64>> {
    match values {
        Values::Number(values) => values.clone(),
        Values::Binary(values) => values
            .iter()
            .map(|value| value.map(|v| f64::from(u8::from(v))))
            .collect(),
        Values::Time(values) => vec![None; values.len()],
    }
}
