//! Estimators of binary endpoints.

use super::{Comparison, Made, as_numbers, counts};
use crate::statistics::catalogue::Asked;
use crate::statistics::proportions::{self, Counts};
use crate::statistics::regression::{Draws, standardized_risk_difference};
use crate::statistics::stratified::{self, Table};
use crate::statistics::{Estimate, Fault, Question, fisher, ratios};

impl Comparison<'_> {
    pub(super) fn binary(
        &self,
        asked: &Asked,
        values: &[Option<bool>],
        question: &Question,
    ) -> Result<Made, Fault> {
        type Compare = fn(Counts, Counts, &Question) -> Result<Estimate, Fault>;
        type Stratified = fn(&[Table], &Question) -> Result<Estimate, Fault>;
        let compare = |measure, make: Compare| {
            let (arm, reference) = self.split(values);
            let made = make(counts(&arm), counts(&reference), question)?;
            Ok(Made::of(measure, made))
        };
        let across = |measure, make: Stratified| {
            Ok(Made::of(measure, make(&self.tables(values), question)?))
        };
        const DIFFERENCE: &str = "risk_difference";
        match asked.entry.id {
            "risk_difference_miettinen_nurminen" => {
                compare(DIFFERENCE, proportions::miettinen_nurminen)
            }
            "risk_difference_newcombe" => compare(DIFFERENCE, proportions::newcombe),
            "risk_difference_wald" => compare(DIFFERENCE, proportions::wald),
            "risk_difference_agresti_caffo" => compare(DIFFERENCE, proportions::agresti_caffo),
            "risk_ratio_katz" => compare("risk_ratio", ratios::katz),
            "risk_ratio_miettinen_nurminen" => compare("risk_ratio", ratios::risk_ratio_score),
            "odds_ratio_woolf" => compare("odds_ratio", ratios::woolf),
            "odds_ratio_miettinen_nurminen" => compare("odds_ratio", ratios::odds_ratio_score),
            "fisher_exact" => compare("odds_ratio", fisher::exact),
            "mantel_haenszel_risk_difference" => across(DIFFERENCE, stratified::mantel_haenszel),
            "mantel_haenszel_risk_ratio" => {
                across("risk_ratio", stratified::mantel_haenszel_risk_ratio)
            }
            "mantel_haenszel_odds_ratio" => {
                across("odds_ratio", stratified::mantel_haenszel_odds_ratio)
            }
            "risk_difference_miettinen_nurminen_stratified" => {
                across(DIFFERENCE, stratified::miettinen_nurminen)
            }
            "breslow_day_tarone" => Ok(Made::test(stratified::breslow_day_tarone(
                &self.tables(values),
            )?)),
            "cochran_mantel_haenszel" => {
                let (estimate, z) = stratified::cochran_mantel_haenszel_z(&self.tables(values))?;
                Ok(Made {
                    signed: Some(z),
                    ..Made::test(estimate)
                })
            }
            "standardized_risk_difference" => self.standardized(question),
            _ => self.number(asked, question),
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

    fn standardized(&self, question: &Question) -> Result<Made, Fault> {
        let adjusted = self.adjusted(true);
        let numbers = as_numbers(&self.dataset.endpoints[&self.endpoint.id]);
        let outcome = adjusted.outcome(&numbers);
        let sample = adjusted.sample(&outcome, None);
        let strata = self.balanced_strata(&adjusted.rows);
        let draws = strata
            .as_deref()
            .map_or(Draws::Simple, Draws::BalancedWithin);
        let mut made = standardized_risk_difference(&sample, draws, question)?;
        made.warnings.extend(adjusted.warnings);
        Ok(Made::of("risk_difference", made))
    }
}
