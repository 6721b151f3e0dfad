//! Estimators that weigh participants by the column `weight`.

use super::{Comparison, Made, as_numbers};
use crate::analysis::columns::Values;
use crate::statistics::catalogue::Asked;
use crate::statistics::regression::{self, Form, Robust, Sample};
use crate::statistics::survival::Observation;
use crate::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use crate::statistics::weights::Weighed;
use crate::statistics::{ARM, Fault, Question, REFERENCE};
use serde_json::Map;

impl Comparison<'_> {
    pub(super) fn weighted(&self, asked: &Asked, question: &Question) -> Result<Made, Fault> {
        let weights = self.dataset.weights.as_ref().ok_or(Fault::NoWeights)?;
        let stands: Vec<Option<usize>> = self
            .groups
            .iter()
            .zip(weights)
            .map(|(group, weight)| group.filter(|_| weight.is_some()))
            .collect();
        let own = Comparison {
            groups: &stands,
            ..self.clone()
        };
        let lost = self.rows().len() - own.rows().len();
        let mut made = match &self.dataset.endpoints[&self.endpoint.id] {
            Values::Time(times) => own.weighted_cox(asked, times, weights, question)?,
            values => own.weighted_means(asked, &as_numbers(values), weights, question)?,
        };
        if lost > 0 {
            made.estimate.warnings.push(format!(
                "{lost} participants with a value have no weight and are left out"
            ));
        }
        let (mut n, mut effective, mut largest) = (Map::new(), Map::new(), Map::new());
        for arm in [self.arm, self.reference] {
            let of_arm: Vec<f64> = own
                .rows()
                .into_iter()
                .filter(|row| self.groups[*row] == Some(arm))
                .filter_map(|row| weights[row])
                .collect();
            let id = &self.protocol.arms[arm].id;
            let Some(weighed) = Weighed::of(&of_arm) else {
                continue;
            };
            n.insert(id.clone(), weighed.n.into());
            effective.insert(id.clone(), weighed.effective_n.into());
            largest.insert(id.clone(), weighed.largest_share.into());
            made.estimate.warnings.extend(weighed.warning(id));
        }
        Ok(made
            .with("n_weighted", n)
            .with("effective_n", effective)
            .with("largest_weight_share", largest))
    }

    fn weighted_means(
        &self,
        asked: &Asked,
        values: &[Option<f64>],
        weights: &[Option<f64>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let robust = asked.option.and_then(Robust::parse).unwrap_or(Robust::Hc2);
        let (form, covariates) = match asked.entry.id {
            "lin_weighted" => (Form::Interacted, true),
            "ancova_weighted" => (Form::Main, true),
            _ => (Form::Main, false),
        };
        let adjusted = if covariates {
            self.adjusted(true)
        } else {
            self.unadjusted()
        };
        let outcome = adjusted.outcome(values);
        let weights = adjusted.outcome(weights);
        let sample = Sample {
            weights: Some(&weights),
            ..adjusted.sample(&outcome, None)
        };
        let mut made = regression::fit(&sample, form, robust, question)?;
        made.warnings.extend(adjusted.warnings);
        Ok(Made::of("difference_in_means", made))
    }

    fn weighted_cox(
        &self,
        asked: &Asked,
        times: &[Option<Observation>],
        weights: &[Option<f64>],
        question: &Question,
    ) -> Result<Made, Fault> {
        let rows = self.rows();
        let observed: Vec<Observation> = rows.iter().filter_map(|row| times[*row]).collect();
        let time: Vec<f64> = observed.iter().map(|o| o.time).collect();
        let event: Vec<bool> = observed.iter().map(|o| o.event).collect();
        let weights: Vec<f64> = rows.iter().filter_map(|row| weights[*row]).collect();
        let treated = self.treated(&rows);
        // The error of one participant is no error: robust residuals of a single row tell nothing.
        for (arm, name) in [(true, ARM), (false, REFERENCE)] {
            if treated.iter().filter(|treated| **treated == arm).count() == 1 {
                return Err(Fault::TooFew(name));
            }
        }
        let follow = Follow {
            weights: Some(&weights),
            ..Follow::new(&time, &event, &treated)
        };
        let ties = asked.option.and_then(Ties::parse).unwrap_or(Ties::Efron);
        let fitted = Cox::fit(&follow, ties)?;
        let estimate = fitted.estimate(Spread::Robust, question)?;
        Ok(Made::of("hazard_ratio", estimate).with("ties", ties.as_str()))
    }
}
