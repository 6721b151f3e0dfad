//! The estimators by their ids: which outcome each one takes, and which are made by default.
//!
//! An id that is listed with `made: false` is part of the vocabulary of protocols but not made by
//! this version: asking for it gives an estimate of null with a warning, never another estimator.

/// The shape of an outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Binary,
    Continuous,
    Count,
    TimeToEvent,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub id: &'static str,
    /// The outcomes that the estimator takes.
    pub outcomes: &'static [Outcome],
    /// It belongs to the default set of those outcomes.
    pub default: bool,
    /// It uses the analysis strata.
    pub stratified: bool,
    /// This version makes it.
    pub made: bool,
}

use Outcome::{Binary, Continuous, Count, TimeToEvent};

const fn made(id: &'static str, outcomes: &'static [Outcome]) -> Entry {
    Entry {
        id,
        outcomes,
        default: false,
        stratified: false,
        made: true,
    }
}

const fn planned(id: &'static str, outcomes: &'static [Outcome]) -> Entry {
    Entry {
        id,
        outcomes,
        default: false,
        stratified: false,
        made: false,
    }
}

impl Entry {
    const fn by_default(self) -> Self {
        Self {
            default: true,
            ..self
        }
    }

    const fn by_strata(self) -> Self {
        Self {
            stratified: true,
            ..self
        }
    }
}

const NUMBER: &[Outcome] = &[Continuous, Count, Binary];
const COUNTED: &[Outcome] = &[Count];
const DICHOTOMY: &[Outcome] = &[Binary];
const TIME: &[Outcome] = &[TimeToEvent];
const ANY: &[Outcome] = &[Binary, Continuous, Count, TimeToEvent];

/// Every id, in the order in which the estimates of an endpoint are reported.
pub const ESTIMATORS: &[Entry] = &[
    made("risk_difference_miettinen_nurminen", DICHOTOMY).by_default(),
    made("risk_difference_newcombe", DICHOTOMY).by_default(),
    made("risk_difference_wald", DICHOTOMY),
    made("risk_difference_agresti_caffo", DICHOTOMY),
    planned("risk_ratio_katz", DICHOTOMY),
    planned("risk_ratio_miettinen_nurminen", DICHOTOMY),
    planned("odds_ratio_woolf", DICHOTOMY),
    planned("odds_ratio_miettinen_nurminen", DICHOTOMY),
    planned("fisher_exact", DICHOTOMY),
    made("mantel_haenszel_risk_difference", DICHOTOMY)
        .by_default()
        .by_strata(),
    planned("mantel_haenszel_risk_ratio", DICHOTOMY).by_strata(),
    planned("mantel_haenszel_odds_ratio", DICHOTOMY).by_strata(),
    planned("risk_difference_miettinen_nurminen_stratified", DICHOTOMY).by_strata(),
    made("cochran_mantel_haenszel", DICHOTOMY)
        .by_default()
        .by_strata(),
    planned("breslow_day_tarone", DICHOTOMY).by_strata(),
    planned("standardized_risk_difference", DICHOTOMY).by_strata(),
    made("difference_in_means_welch", NUMBER).by_default(),
    planned("blocked_difference_in_means", NUMBER).by_strata(),
    planned("ancova", NUMBER).by_strata(),
    planned("lin", NUMBER).by_strata(),
    planned("ancova_clustered", NUMBER).by_strata(),
    planned("lin_clustered", NUMBER).by_strata(),
    planned("difference_in_means_clustered", NUMBER),
    made("kaplan_meier", TIME).by_default(),
    made("log_rank", TIME).by_default(),
    made("log_rank_stratified", TIME).by_default().by_strata(),
    planned("fleming_harrington", TIME),
    planned("cox", TIME),
    planned("cox_stratified", TIME).by_strata(),
    planned("cox_clustered", TIME),
    made("rmst_difference", TIME).by_default(),
    planned("rmst_ratio", TIME),
    planned("rmst_difference_adjusted", TIME),
    planned("cumulative_incidence", TIME),
    planned("gray_test", TIME),
    planned("fine_gray", TIME),
    planned("cause_specific_cox", TIME),
    planned("rate_ratio_lwyy", COUNTED),
    planned("rate_ratio_negative_binomial", COUNTED),
    planned("complier_average_effect", NUMBER),
    planned("per_protocol", ANY),
    planned("as_treated", ANY),
    planned("lee_bounds", NUMBER),
    planned("manski_bounds", NUMBER),
    planned("multiple_imputation", ANY),
    planned("randomization_test", ANY),
    planned("subgroup_effects", ANY),
    planned("cost_effectiveness", NUMBER),
];

/// The entry with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    ESTIMATORS.iter().find(|entry| entry.id == id)
}

/// The entry with this id where it takes such an outcome, or what is wrong with asking for it.
pub fn usable(id: &str, outcome: Outcome) -> Result<&'static Entry, String> {
    let entry = find(id).ok_or("is not the id of an estimator")?;
    if entry.outcomes.contains(&outcome) {
        Ok(entry)
    } else {
        Err("does not take an endpoint of this kind".into())
    }
}

/// The default set of an outcome, the first one first.
///
/// A binary outcome is not compared by means unless the protocol asks for it.
pub fn defaults(outcome: Outcome) -> impl Iterator<Item = &'static Entry> {
    ESTIMATORS.iter().filter(move |entry| {
        entry.default
            && entry.outcomes.contains(&outcome)
            && !(outcome == Binary && entry.outcomes.len() > 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_outcome_has_a_default_that_this_version_makes() {
        for outcome in ANY {
            assert!(
                defaults(*outcome).next().is_some_and(|entry| entry.made),
                "{outcome:?}"
            );
        }
    }

    #[test]
    fn ids_stand_once() {
        let ids: std::collections::BTreeSet<_> = ESTIMATORS.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), ESTIMATORS.len());
    }
}
