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

/// What an estimator gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gives {
    /// An effect of an arm against the reference, with its interval.
    Effect,
    /// A test of two arms without an estimate.
    Test,
    /// A description of one arm.
    Curve,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub id: &'static str,
    /// The outcomes that the estimator takes.
    pub outcomes: &'static [Outcome],
    pub gives: Gives,
    /// The outcomes to whose default set it belongs.
    pub default_for: &'static [Outcome],
    /// It uses the analysis strata.
    pub stratified: bool,
    /// This version makes it.
    pub made: bool,
}

use Outcome::{Binary, Continuous, Count, TimeToEvent};

const fn planned(id: &'static str, outcomes: &'static [Outcome]) -> Entry {
    Entry {
        id,
        outcomes,
        gives: Gives::Effect,
        default_for: &[],
        stratified: false,
        made: false,
    }
}

const fn made(id: &'static str, outcomes: &'static [Outcome]) -> Entry {
    Entry {
        made: true,
        ..planned(id, outcomes)
    }
}

impl Entry {
    /// Whether the effect is a ratio, with 1 for no effect.
    pub fn is_ratio(&self) -> bool {
        self.id.contains("ratio")
            || ["cox", "fine_gray", "cause_specific_cox", "fisher_exact"]
                .iter()
                .any(|id| self.id.starts_with(id))
    }

    const fn by_default(self) -> Self {
        Self {
            default_for: self.outcomes,
            ..self
        }
    }

    const fn by_default_for(self, outcomes: &'static [Outcome]) -> Self {
        Self {
            default_for: outcomes,
            ..self
        }
    }

    const fn giving(self, gives: Gives) -> Self {
        Self { gives, ..self }
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
    made("risk_ratio_katz", DICHOTOMY),
    made("risk_ratio_miettinen_nurminen", DICHOTOMY).by_default(),
    made("odds_ratio_woolf", DICHOTOMY),
    made("odds_ratio_miettinen_nurminen", DICHOTOMY).by_default(),
    made("fisher_exact", DICHOTOMY),
    made("mantel_haenszel_risk_difference", DICHOTOMY)
        .by_default()
        .by_strata(),
    made("mantel_haenszel_risk_ratio", DICHOTOMY)
        .by_default()
        .by_strata(),
    made("mantel_haenszel_odds_ratio", DICHOTOMY)
        .by_default()
        .by_strata(),
    planned("risk_difference_miettinen_nurminen_stratified", DICHOTOMY).by_strata(),
    made("cochran_mantel_haenszel", DICHOTOMY)
        .giving(Gives::Test)
        .by_default()
        .by_strata(),
    made("breslow_day_tarone", DICHOTOMY)
        .giving(Gives::Test)
        .by_strata(),
    planned("standardized_risk_difference", DICHOTOMY).by_strata(),
    made("difference_in_means_welch", NUMBER).by_default_for(&[Continuous]),
    planned("blocked_difference_in_means", NUMBER).by_strata(),
    planned("ancova", NUMBER).by_strata(),
    planned("lin", NUMBER).by_strata(),
    planned("ancova_clustered", NUMBER).by_strata(),
    planned("lin_clustered", NUMBER).by_strata(),
    planned("difference_in_means_clustered", NUMBER),
    made("log_rank", TIME).giving(Gives::Test).by_default(),
    made("log_rank_stratified", TIME)
        .giving(Gives::Test)
        .by_default()
        .by_strata(),
    planned("fleming_harrington", TIME).giving(Gives::Test),
    planned("cox", TIME),
    planned("cox_stratified", TIME).by_strata(),
    planned("cox_clustered", TIME),
    made("rmst_difference", TIME).by_default(),
    made("kaplan_meier", TIME).by_default().giving(Gives::Curve),
    planned("rmst_ratio", TIME),
    planned("rmst_difference_adjusted", TIME),
    planned("cumulative_incidence", TIME).giving(Gives::Curve),
    planned("gray_test", TIME).giving(Gives::Test),
    planned("fine_gray", TIME),
    planned("cause_specific_cox", TIME),
    planned("rate_ratio_lwyy", COUNTED).by_default(),
    planned("rate_ratio_negative_binomial", COUNTED).by_default(),
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
pub fn defaults(outcome: Outcome) -> impl Iterator<Item = &'static Entry> {
    ESTIMATORS
        .iter()
        .filter(move |entry| entry.default_for.contains(&outcome))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_default_compares_arms() {
        for outcome in ANY {
            let first = defaults(*outcome).next().expect("a default");
            assert_ne!(first.gives, Gives::Curve, "{outcome:?}");
        }
    }

    #[test]
    fn a_default_takes_the_outcome_that_it_is_a_default_for() {
        for entry in ESTIMATORS {
            let own = |outcome: &Outcome| entry.outcomes.contains(outcome);
            assert!(entry.default_for.iter().all(own), "{}", entry.id);
        }
    }

    #[test]
    fn ids_stand_once() {
        let ids: std::collections::BTreeSet<_> = ESTIMATORS.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), ESTIMATORS.len());
    }
}
