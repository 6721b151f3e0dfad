//! Estimators of means and counts; binary endpoints are counted as 0 and 1.

use super::{Comparison, Made, as_numbers};
use crate::statistics::catalogue::Asked;
use crate::statistics::cost_effectiveness::cost_effectiveness;
use crate::statistics::counts::{self, Counted};
use crate::statistics::regression::{self, ClusterRobust, Form, Robust, blocked_difference};
use crate::statistics::{Fault, Question, means};
use serde_json::json;

const DIFFERENCE: &str = "difference_in_means";

impl Comparison<'_> {
    fn numbers(&self) -> Vec<Option<f64>> {
        as_numbers(&self.dataset.endpoints[&self.endpoint.id])
    }

    pub(super) fn number(&self, asked: &Asked, question: &Question) -> Result<Made, Fault> {
        let values = self.numbers();
        match asked.entry.id {
            "difference_in_means_welch" => {
                let (arm, reference) = self.split(&values);
                Ok(Made::of(
                    DIFFERENCE,
                    means::welch(&arm, &reference, question)?,
                ))
            }
            "blocked_difference_in_means" => {
                let strata: Vec<_> = self.by_stratum(&values).into_values().collect();
                Ok(Made::of(DIFFERENCE, blocked_difference(&strata, question)?))
            }
            "ancova" => self.robust(Form::Main, asked, &values, question),
            "lin" => self.robust(Form::Interacted, asked, &values, question),
            "ancova_clustered" => self.clustered(Some(Form::Main), asked, &values, question),
            "lin_clustered" => self.clustered(Some(Form::Interacted), asked, &values, question),
            "difference_in_means_clustered" => self.clustered(None, asked, &values, question),
            "rate_ratio_lwyy" => {
                let (arm, reference) = self.split(&values);
                Ok(Made::of(
                    "rate_ratio",
                    counts::lwyy(&arm, &reference, question)?,
                ))
            }
            "rate_ratio_negative_binomial" => {
                let rows = self.rows();
                let one = |row: &usize| {
                    values[*row].map(|events| Counted {
                        events,
                        exposure: 1.0,
                    })
                };
                let counted: Vec<Counted> = rows.iter().filter_map(one).collect();
                let treated = self.treated(&rows);
                let made = counts::negative_binomial(&counted, &treated, &[], question)?;
                Ok(Made::of("rate_ratio", made.estimate)
                    .with("theta", made.theta)
                    .with("theta_standard_error", made.theta_error))
            }
            other => Err(Fault::Input(format!("{other} does not take a number"))),
        }
    }

    fn robust(
        &self,
        form: Form,
        asked: &Asked,
        values: &[Option<f64>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let robust = asked.option.and_then(Robust::parse).unwrap_or(Robust::Hc2);
        let adjusted = self.adjusted(true);
        let outcome = adjusted.outcome(values);
        let sample = adjusted.sample(&outcome, None);
        let mut made = regression::fit(&sample, form, robust, question)?;
        made.warnings.extend(adjusted.warnings);
        Ok(Made::of(DIFFERENCE, made))
    }

    fn clustered(
        &self,
        form: Option<Form>,
        asked: &Asked,
        values: &[Option<f64>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let robust = asked
            .option
            .and_then(ClusterRobust::parse)
            .unwrap_or(ClusterRobust::Cr2);
        let adjusted = if form.is_some() {
            self.adjusted(true)
        } else {
            self.unadjusted()
        };
        let clusters = self.clusters(&adjusted.rows)?;
        let outcome = adjusted.outcome(values);
        let sample = adjusted.sample(&outcome, Some(&clusters));
        let form = form.unwrap_or(Form::Main);
        let mut made = regression::fit_clustered(&sample, form, robust, question)?;
        made.warnings.extend(adjusted.warnings);
        let distinct: std::collections::BTreeSet<&u32> = clusters.iter().collect();
        Ok(Made::of(DIFFERENCE, made).with("clusters", distinct.len()))
    }

    /// Costs are the endpoint that the option names, else the first one from the minutes of
    /// conversations.
    pub(super) fn cost_effectiveness(
        &self,
        asked: &Asked,
        question: &Question,
    ) -> Result<Made, Fault> {
        use crate::protocol::Origin;
        let from_minutes = || {
            let mut endpoints = self.protocol.endpoints.iter();
            endpoints
                .find(|e| e.from == Origin::DurationMinutes)
                .map(|e| e.id.as_str())
        };
        let costs = asked.option.or_else(from_minutes);
        let costs = costs
            .and_then(|id| self.dataset.endpoints.get(id))
            .map(as_numbers)
            .ok_or_else(|| Fault::Input("no endpoint gives the costs".into()))?;
        let effects = self.numbers();
        // A benefit is more of the effect.
        let sign = match self.endpoint.better {
            crate::protocol::Better::Higher => 1.0,
            crate::protocol::Better::Lower => -1.0,
        };
        let both: Vec<Option<(f64, f64)>> = costs
            .into_iter()
            .zip(effects)
            .map(|(cost, effect)| Some((cost?, sign * effect?)))
            .collect();
        let (arm, reference) = self.split(&both);
        let first = cost_effectiveness(&arm, &reference, &[], question)?;
        let reach = 2.0 * first.ratio.abs();
        let lambdas: Vec<f64> = (0..=20).map(|i| reach * f64::from(i) / 20.0).collect();
        let made = cost_effectiveness(&arm, &reference, &lambdas, question)?;
        let curve: Vec<_> = made
            .curve
            .iter()
            .map(|point| {
                json!({"willingness_to_pay": point.lambda, "net_benefit": point.net_benefit,
                    "lower": point.limits.0, "upper": point.limits.1, "acceptable": point.acceptable})
            })
            .collect();
        let mut estimate = crate::statistics::Estimate {
            estimate: Some(made.ratio),
            limits: made.limits,
            ..Default::default()
        };
        if made.limits.is_none() {
            estimate
                .warnings
                .push("the effect may be 0: Fieller's limits of the ratio have no end".into());
        }
        Ok(Made::of("incremental_cost_effectiveness_ratio", estimate)
            .with("n_complete", arm.len() + reference.len())
            .with("cost_difference", made.cost)
            .with("cost_standard_error", made.cost_error)
            .with("effect_difference", made.effect)
            .with("effect_standard_error", made.effect_error)
            .with("acceptability", curve))
    }
}
