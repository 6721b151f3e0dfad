//! From the columns of two arms to the estimator that was asked for.

use super::columns::{Column, Dataset, Values};
use super::document::CurvePoint;
use crate::protocol::Endpoint;
use crate::statistics::proportions::{self, Counts};
use crate::statistics::stratified::{self, Table};
use crate::statistics::survival::{self, Curve, Observation};
use crate::statistics::{Estimate, Fault, Question, fisher, means, ratios};
use std::collections::BTreeMap;

/// One comparison of an endpoint: the rows of an arm against those of the reference.
pub(super) struct Comparison<'a> {
    pub dataset: &'a Dataset,
    pub endpoint: &'a Endpoint,
    pub arm: usize,
    pub reference: usize,
    /// Ids of the factors of the analysis strata.
    pub strata: &'a [String],
}

/// What an estimator gives beside its numbers.
#[derive(Default)]
pub(super) struct Made {
    pub estimate: Estimate,
    pub measure: Option<&'static str>,
    pub median: Option<Option<f64>>,
    pub curve: Option<Vec<CurvePoint>>,
}

impl Made {
    fn of(measure: &'static str, estimate: Estimate) -> Self {
        Self {
            estimate,
            measure: Some(measure),
            ..Self::default()
        }
    }

    fn test(estimate: Estimate) -> Self {
        Self {
            estimate,
            ..Self::default()
        }
    }
}

impl Comparison<'_> {
    /// Makes the estimate with this id.
    pub fn make(&self, id: &str, question: &Question) -> Result<Made, Fault> {
        match (id, &self.dataset.endpoints[&self.endpoint.id]) {
            ("difference_in_means_welch", values) => {
                let numbers = as_numbers(values);
                let (arm, reference) = self.split(&numbers);
                Ok(Made::of(
                    "difference_in_means",
                    means::welch(&arm, &reference, question)?,
                ))
            }
            (id, Values::Binary(values)) => self.binary(id, values, question),
            (id, Values::Time(values)) => self.time(id, values, question),
            (_, Values::Number(_)) => unreachable!("the catalogue lets only means through"),
        }
    }

    fn binary(
        &self,
        id: &str,
        values: &[Option<bool>],
        question: &Question,
    ) -> Result<Made, Fault> {
        type Compare = fn(Counts, Counts, &Question) -> Result<Estimate, Fault>;
        let compare = |measure, make: Compare| {
            let (arm, reference) = self.split(values);
            let made = make(counts(&arm), counts(&reference), question)?;
            Ok(Made::of(measure, made))
        };
        let difference = |make: Compare| compare("risk_difference", make);
        match id {
            "risk_difference_miettinen_nurminen" => difference(proportions::miettinen_nurminen),
            "risk_difference_newcombe" => difference(proportions::newcombe),
            "risk_difference_wald" => difference(proportions::wald),
            "risk_difference_agresti_caffo" => difference(proportions::agresti_caffo),
            "mantel_haenszel_risk_difference" => {
                let made = stratified::mantel_haenszel(&self.tables(values), question)?;
                Ok(Made::of("risk_difference", made))
            }
            "risk_ratio_katz" => compare("risk_ratio", ratios::katz),
            "risk_ratio_miettinen_nurminen" => compare("risk_ratio", ratios::risk_ratio_score),
            "odds_ratio_miettinen_nurminen" => compare("odds_ratio", ratios::odds_ratio_score),
            "fisher_exact" => compare("odds_ratio", fisher::exact),
            "odds_ratio_woolf" => compare("odds_ratio", ratios::woolf),
            "mantel_haenszel_risk_ratio" => {
                let made = stratified::mantel_haenszel_risk_ratio(&self.tables(values), question)?;
                Ok(Made::of("risk_ratio", made))
            }
            "mantel_haenszel_odds_ratio" => {
                let made = stratified::mantel_haenszel_odds_ratio(&self.tables(values), question)?;
                Ok(Made::of("odds_ratio", made))
            }
            "breslow_day_tarone" => {
                let made = stratified::breslow_day_tarone(&self.tables(values))?;
                Ok(Made::test(made))
            }
            "cochran_mantel_haenszel" => Ok(Made::test(stratified::cochran_mantel_haenszel(
                &self.tables(values),
            )?)),
            other => unreachable!("the catalogue says that {other} is made"),
        }
    }

    fn tables(&self, values: &[Option<bool>]) -> Vec<Table> {
        self.by_stratum(values)
            .into_values()
            .map(|(arm, reference)| Table {
                arm: counts(&arm),
                reference: counts(&reference),
            })
            .collect()
    }

    fn time(
        &self,
        id: &str,
        values: &[Option<Observation>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let (arm, reference) = self.split(values);
        match id {
            "log_rank" => Ok(Made::test(survival::log_rank(&arm, &reference)?)),
            "log_rank_stratified" => {
                let strata: Vec<_> = self.by_stratum(values).into_values().collect();
                Ok(Made::test(survival::log_rank_stratified(&strata)?))
            }
            "rmst_difference" => {
                let tau = f64::from(self.endpoint.horizon_weeks.ok_or(Fault::NoHorizon)?);
                let made = survival::rmst_difference(&arm, &reference, tau, question)?;
                Ok(Made::of("restricted_mean_difference", made))
            }
            other => unreachable!("the catalogue says that {other} is made"),
        }
    }

    /// The values of the two arms, without the missing ones.
    fn split<T: Copy>(&self, values: &[Option<T>]) -> (Vec<T>, Vec<T>) {
        let of = |wanted: usize| {
            let rows = self.dataset.arms.iter().zip(values);
            rows.filter(|(arm, _)| **arm == wanted)
                .filter_map(|(_, value)| *value)
                .collect()
        };
        (of(self.arm), of(self.reference))
    }

    /// The same by analysis stratum, in the order of their levels. A participant whose level is
    /// missing stands in a stratum of its own name, which no level can have.
    fn by_stratum<T: Copy>(&self, values: &[Option<T>]) -> BTreeMap<Vec<String>, (Vec<T>, Vec<T>)> {
        let mut strata: BTreeMap<Vec<String>, (Vec<T>, Vec<T>)> = BTreeMap::new();
        for (row, (arm, value)) in self.dataset.arms.iter().zip(values).enumerate() {
            let Some(value) = value else { continue };
            if *arm != self.arm && *arm != self.reference {
                continue;
            }
            let key = self
                .strata
                .iter()
                .map(|id| level(self.dataset, id, row))
                .collect();
            let cell = strata.entry(key).or_default();
            if *arm == self.arm {
                cell.0.push(*value)
            } else {
                cell.1.push(*value)
            }
        }
        strata
    }
}

fn level(dataset: &Dataset, factor: &str, row: usize) -> String {
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

/// The Kaplan-Meier curve of one arm: survival at the horizon, the median, and the curve at whole
/// weeks up to the horizon (or to the last time, at most 520 points).
pub(super) fn kaplan_meier(
    observations: &[Observation],
    horizon: Option<u32>,
    question: &Question,
) -> Result<Made, Fault> {
    let curve = Curve::of(observations, "reported")?;
    let last = horizon.unwrap_or(curve.last_time().floor().min(520.0) as u32);
    let points = (0..=last)
        .map(|week| {
            let point = curve.at(f64::from(week), question.z());
            CurvePoint {
                time: point.time,
                at_risk: point.at_risk,
                events: point.events,
                survival: point.survival,
                lower: point.limits.map(|limits| limits.0),
                upper: point.limits.map(|limits| limits.1),
            }
        })
        .collect();
    Ok(Made {
        estimate: curve.estimate_at(f64::from(last), survival::Limits::LogLog, question),
        measure: Some("survival_probability"),
        median: Some(curve.median()),
        curve: Some(points),
    })
}
