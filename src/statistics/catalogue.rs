//! The estimators by their ids: which outcome each one takes, and which are made by default.
//!
//! An option may stand behind an id, after a colon: `ancova:hc3`, `cox:breslow`, `fleming_harrington:0,1`.

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
    /// Two ends between which an effect lies.
    Bounds,
    /// The effect in groups that were not drawn.
    Regrouped,
    /// The effect by level of a factor.
    Subgroups,
}

/// What may stand behind the id, after a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Options {
    None,
    OneOf(&'static [&'static str]),
    /// rho and gamma, each from 0 to 10.
    Weights,
    /// A whole number from 2 to 1000.
    Number,
    /// The id of an endpoint.
    Endpoint,
}

/// One entry of the catalogue.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub id: &'static str,
    /// The outcomes that the estimator takes.
    pub outcomes: &'static [Outcome],
    pub gives: Gives,
    /// The outcomes to whose default set it belongs, where participants are drawn one by one.
    pub default_for: &'static [Outcome],
    /// The same where units are drawn whole.
    pub default_for_units: &'static [Outcome],
    /// It uses the analysis strata.
    pub stratified: bool,
    pub options: Options,
}

use Outcome::{Binary, Continuous, Count, TimeToEvent};

const fn made(id: &'static str, outcomes: &'static [Outcome]) -> Entry {
    Entry {
        id,
        outcomes,
        gives: Gives::Effect,
        default_for: &[],
        default_for_units: &[],
        stratified: false,
        options: Options::None,
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

    /// Whether a larger effect means a shorter time: ratios of hazards.
    pub fn shortens_time(&self) -> bool {
        ["cox", "fine_gray", "cause_specific_cox"]
            .iter()
            .any(|id| self.id.starts_with(id))
    }

    /// It needs to know what was received; by default it is made only where the data tell.
    pub fn needs_received(&self) -> bool {
        ["complier_average_effect", "per_protocol", "as_treated"].contains(&self.id)
    }

    /// It needs the participants' weights; by default it is made only where the data have them.
    pub fn needs_weights(&self) -> bool {
        self.id.ends_with("_weighted")
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

    const fn by_default_of_units(self, outcomes: &'static [Outcome]) -> Self {
        Self {
            default_for_units: outcomes,
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

    const fn with(self, options: Options) -> Self {
        Self { options, ..self }
    }
}

const NUMBER: &[Outcome] = &[Continuous, Count, Binary];
const COUNTED: &[Outcome] = &[Count];
const DICHOTOMY: &[Outcome] = &[Binary];
const TIME: &[Outcome] = &[TimeToEvent];
const ANY: &[Outcome] = &[Binary, Continuous, Count, TimeToEvent];

const HC: Options = Options::OneOf(&["hc0", "hc1", "hc2", "hc3"]);
const CR: Options = Options::OneOf(&["cr0", "cr1", "cr2"]);
const TIES: Options = Options::OneOf(&["efron", "breslow", "exact", "robust"]);

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
    made("risk_difference_miettinen_nurminen_stratified", DICHOTOMY)
        .by_default()
        .by_strata(),
    made("cochran_mantel_haenszel", DICHOTOMY)
        .giving(Gives::Test)
        .by_default()
        .by_strata(),
    made("breslow_day_tarone", DICHOTOMY)
        .giving(Gives::Test)
        .by_strata(),
    made("standardized_risk_difference", DICHOTOMY)
        .by_default()
        .by_strata(),
    made("difference_in_means_welch", NUMBER).by_default_for(&[Continuous]),
    made("blocked_difference_in_means", NUMBER)
        .by_default_for(&[Continuous])
        .by_strata(),
    made("ancova", NUMBER).by_strata().with(HC),
    made("lin", NUMBER)
        .by_default_for(&[Continuous])
        .by_strata()
        .with(HC),
    made("difference_in_means_clustered", NUMBER)
        .by_default_of_units(NUMBER)
        .with(CR),
    made("ancova_clustered", NUMBER).by_strata().with(CR),
    made("lin_clustered", NUMBER).by_strata().with(CR),
    made("difference_in_means_weighted", NUMBER)
        .by_default()
        .with(HC),
    made("ancova_weighted", NUMBER).by_strata().with(HC),
    made("lin_weighted", NUMBER).by_strata().with(HC),
    made("log_rank", TIME).giving(Gives::Test).by_default(),
    made("log_rank_stratified", TIME)
        .giving(Gives::Test)
        .by_default()
        .by_strata(),
    made("fleming_harrington", TIME)
        .giving(Gives::Test)
        .with(Options::Weights),
    made("cox", TIME).by_default().with(TIES),
    made("cox_stratified", TIME)
        .by_default()
        .by_strata()
        .with(TIES),
    made("cox_clustered", TIME)
        .by_default_of_units(TIME)
        .with(TIES),
    made("cox_weighted", TIME)
        .by_default()
        .with(Options::OneOf(&["efron", "breslow"])),
    made("rmst_difference", TIME).by_default(),
    made("kaplan_meier", TIME)
        .by_default()
        .giving(Gives::Curve)
        .with(Options::OneOf(&["log_log", "log", "plain"])),
    made("rmst_ratio", TIME),
    made("rmst_difference_adjusted", TIME).by_strata(),
    made("cumulative_incidence", TIME).giving(Gives::Curve),
    made("gray_test", TIME).giving(Gives::Test).by_strata(),
    made("fine_gray", TIME),
    made("cause_specific_cox", TIME).with(TIES),
    made("rate_ratio_lwyy", COUNTED).by_default(),
    made("rate_ratio_negative_binomial", COUNTED).by_default(),
    made("complier_average_effect", NUMBER).by_default(),
    made("per_protocol", ANY).giving(Gives::Regrouped),
    made("as_treated", ANY).giving(Gives::Regrouped),
    made("lee_bounds", NUMBER).giving(Gives::Bounds),
    made("manski_bounds", NUMBER).giving(Gives::Bounds),
    made("multiple_imputation", NUMBER)
        .by_strata()
        .with(Options::Number),
    made("randomization_test", ANY)
        .giving(Gives::Test)
        .by_default()
        .by_default_of_units(ANY),
    made("subgroup_effects", ANY)
        .giving(Gives::Subgroups)
        .by_default(),
    made("cost_effectiveness", NUMBER).with(Options::Endpoint),
];

/// An estimator with the option that stands behind its id: `ancova:hc3`.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    pub entry: &'static Entry,
    pub option: Option<&'a str>,
}

impl<'a> Asked<'a> {
    /// Reads an id with its option.
    pub fn parse(text: &'a str) -> Result<Self, String> {
        let (id, option) = match text.split_once(':') {
            Some((id, option)) => (id, Some(option)),
            None => (text, None),
        };
        let entry = find(id).ok_or("is not the id of an estimator")?;
        if let Some(option) = option {
            check(entry.options, option)?;
        }
        Ok(Self { entry, option })
    }

    /// The id with its option, as it was asked for.
    pub fn name(&self) -> String {
        match self.option {
            Some(option) => format!("{}:{option}", self.entry.id),
            None => self.entry.id.to_owned(),
        }
    }
}

fn check(options: Options, option: &str) -> Result<(), String> {
    match options {
        Options::None => Err("takes no option behind a colon".into()),
        Options::OneOf(known) if known.contains(&option) => Ok(()),
        Options::OneOf(known) => Err(format!(
            "takes one of these behind the colon: {}",
            known.join(", ")
        )),
        Options::Weights => {
            let power = |text: &str| text.parse::<f64>().is_ok_and(|v| (0.0..=10.0).contains(&v));
            match option.split_once(',') {
                Some((rho, gamma)) if power(rho) && power(gamma) => Ok(()),
                _ => Err("takes rho,gamma behind the colon, each from 0 to 10".into()),
            }
        }
        Options::Number => match option.parse::<u32>() {
            Ok(2..=1000) => Ok(()),
            _ => Err("takes a whole number from 2 to 1000 behind the colon".into()),
        },
        Options::Endpoint if option.is_empty() => {
            Err("takes the id of an endpoint behind the colon".into())
        }
        Options::Endpoint => Ok(()),
    }
}

/// The entry with this id.
pub fn find(id: &str) -> Option<&'static Entry> {
    ESTIMATORS.iter().find(|entry| entry.id == id)
}

/// The estimator with this id and option where it takes such an outcome, or what is wrong with it.
pub fn usable(text: &str, outcome: Outcome) -> Result<Asked<'_>, String> {
    let asked = Asked::parse(text)?;
    if asked.entry.outcomes.contains(&outcome) {
        Ok(asked)
    } else {
        Err("does not take an endpoint of this kind".into())
    }
}

/// The default set of an outcome, the first one first. Where units are drawn whole, it holds only what
/// allows for that.
pub fn defaults(outcome: Outcome, units: bool) -> impl Iterator<Item = &'static Entry> {
    ESTIMATORS.iter().filter(move |entry| {
        let set = match units {
            true => entry.default_for_units,
            false => entry.default_for,
        };
        set.contains(&outcome)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_default_compares_arms() {
        for (outcome, units) in ANY.iter().flat_map(|o| [(o, false), (o, true)]) {
            let first = defaults(*outcome, units).next().expect("a default");
            assert!(
                matches!(first.gives, Gives::Effect | Gives::Test),
                "{outcome:?}"
            );
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
    fn an_option_is_checked() {
        for good in [
            "ancova:hc3",
            "fleming_harrington:0,0.5",
            "multiple_imputation:20",
            "cox",
        ] {
            assert!(Asked::parse(good).is_ok(), "{good}");
        }
        let bad = [
            "ancova:hc9",
            "log_rank:x",
            "fleming_harrington:1",
            "multiple_imputation:1",
            "coxx",
        ];
        for bad in bad {
            assert!(Asked::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ids_stand_once() {
        let ids: std::collections::BTreeSet<_> = ESTIMATORS.iter().map(|entry| entry.id).collect();
        assert_eq!(ids.len(), ESTIMATORS.len());
    }
}
