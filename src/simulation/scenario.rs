//! What the world of a simulated trial is like.

use crate::protocol::{EndpointKind, FactorKind, Protocol, Scheme};
use serde::Deserialize;
use std::collections::BTreeMap;

/// What is wrong with a scenario.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ScenarioFault(pub String);

/// A scenario, as its file has it.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Effect of receiving the arm that is compared: a difference of shares or means, a ratio of rates
    /// or hazards.
    pub effect: f64,
    /// The primary endpoint in the control arm, for groups that do not say otherwise: its share, mean or
    /// rate; for a time the share with the event by the horizon.
    pub control: Option<f64>,
    /// Of a continuous endpoint within a group.
    #[serde(default = "one")]
    pub standard_deviation: f64,
    /// Of a count: its variance is mu + dispersion mu^2.
    #[serde(default)]
    pub dispersion: f64,
    /// Enrolments a week.
    pub per_week: f64,
    /// Sites among which the participants are spread evenly.
    #[serde(default = "few")]
    pub sites: u32,
    /// Share who receive nothing of what was drawn.
    #[serde(default)]
    pub no_show: f64,
    /// Share whose value is never known; times are censored on the way.
    #[serde(default)]
    pub drop_out: f64,
    /// Weeks from the horizon until the value is known.
    #[serde(default)]
    pub reporting_delay_weeks: f64,
    #[serde(default)]
    pub groups: Vec<Group>,
    #[serde(default)]
    pub closures: Vec<Closure>,
}

/// Participants with the same levels of factors.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    pub levels: BTreeMap<String, String>,
    /// Of all participants; shares need not sum to 1.
    pub share: f64,
    pub control: Option<f64>,
    /// Where the effect differs in this group.
    pub effect: Option<f64>,
}

/// Weeks in which a share of the sites may not meet in person: whoever enrols there then and was drawn to
/// meet in person alone receives what another arm offers, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Closure {
    pub sites: f64,
    pub from_week: f64,
    pub until_week: f64,
}

fn one() -> f64 {
    1.0
}

fn few() -> u32 {
    10
}

impl Scenario {
    /// Reads the file.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioFault> {
        toml::from_str(text).map_err(|fault| {
            let line = fault
                .span()
                .map(|span| 1 + text[..span.start].matches('\n').count());
            let place = line.map_or(String::new(), |line| format!("line {line}: "));
            ScenarioFault(format!("{place}{}", fault.message()))
        })
    }

    /// Holds the scenario against the protocol; every fault names its key.
    pub fn check(&self, protocol: &Protocol) -> Result<(), ScenarioFault> {
        let fault = |text: String| Err(ScenarioFault(text));
        let share = |name: &str, value: f64| match (0.0..1.0).contains(&value) {
            true => Ok(()),
            false => fault(format!("{name} must lie between 0 and 1")),
        };
        share("no_show", self.no_show)?;
        share("drop_out", self.drop_out)?;
        let limits = [
            ("per_week", self.per_week, 1e-3, 1e6),
            ("sites", f64::from(self.sites), 1.0, 100_000.0),
            ("standard_deviation", self.standard_deviation, 1e-12, 1e12),
            ("dispersion", self.dispersion, 0.0, 1e6),
            (
                "reporting_delay_weeks",
                self.reporting_delay_weeks,
                0.0,
                1_040.0,
            ),
        ];
        for (name, value, least, most) in limits {
            if !(least..=most).contains(&value) {
                return fault(format!("{name} must lie between {least} and {most}"));
            }
        }
        if self.closures.len() > 1000 || self.groups.len() > 1000 {
            return fault("closures and groups are at most 1000".into());
        }
        for closure in &self.closures {
            share("sites of a closure", closure.sites)?;
            let span = closure.until_week - closure.from_week;
            if span.is_nan() || span <= 0.0 {
                return fault("from_week of a closure must lie before its until_week".into());
            }
        }
        if matches!(
            protocol.randomization.scheme,
            Scheme::External | Scheme::Clusters { .. }
        ) {
            return fault(
                "trials that are drawn elsewhere, or draw units, are not simulated".into(),
            );
        }
        let primary = protocol.endpoint(&protocol.analysis.primary);
        let chosen = primary.and_then(|endpoint| protocol.primary_estimator(endpoint).ok());
        if chosen.is_some_and(|entry| entry.needs_weights() || entry.id.ends_with("_clustered")) {
            return fault(
                "the primary estimator needs weights or clusters, which no scenario has".into(),
            );
        }
        self.check_groups(protocol)?;
        self.check_values(protocol)
    }

    fn check_groups(&self, protocol: &Protocol) -> Result<(), ScenarioFault> {
        let fault = |text: String| Err(ScenarioFault(text));
        for group in &self.groups {
            if !(1e-9..=1e9).contains(&group.share) {
                return fault(
                    "share of a group must lie between 0.000000001 and 1000000000".into(),
                );
            }
            for (id, level) in &group.levels {
                match protocol.factor(id) {
                    Some(factor) if factor.kind == FactorKind::Level => {
                        if !factor.open_levels && !factor.levels.contains(level) {
                            return fault(format!("groups: {level} is not a level of {id}"));
                        }
                    }
                    _ => return fault(format!("groups: {id} is not a factor with levels")),
                }
            }
        }
        for factor in protocol.stratifiers().filter(|factor| !factor.open_levels) {
            let named = |group: &Group| group.levels.contains_key(&factor.id);
            if !self.groups.iter().all(named) || self.groups.is_empty() {
                return fault(format!("every group must name its level of {}", factor.id));
            }
        }
        Ok(())
    }

    fn check_values(&self, protocol: &Protocol) -> Result<(), ScenarioFault> {
        let fault = |text: String| Err(ScenarioFault(text));
        let Some(endpoint) = protocol.endpoint(&protocol.analysis.primary) else {
            return fault("the protocol has no primary endpoint".into());
        };
        for (control, effect, _) in self.worlds() {
            let Some(control) = control else {
                return fault("control is missing: name it for all, or in every group".into());
            };
            let ok = match endpoint.kind {
                EndpointKind::Binary => {
                    (0.0..=1.0).contains(&control) && (0.0..=1.0).contains(&(control + effect))
                }
                EndpointKind::TimeToEvent => control > 0.0 && control < 1.0 && effect > 0.0,
                EndpointKind::Count => {
                    control > 0.0 && effect > 0.0 && control <= 1e6 && effect <= 1e3
                }
                EndpointKind::Continuous => control.is_finite() && effect.is_finite(),
            };
            if !ok || !effect.is_finite() {
                return fault(format!(
                    "control {control} with effect {effect} is nothing that a {} endpoint can be",
                    endpoint.kind
                ));
            }
            if endpoint.kind == EndpointKind::TimeToEvent && endpoint.horizon_weeks.is_none() {
                return fault(
                    "a time to an event is simulated to its horizon, and there is none".into(),
                );
            }
        }
        Ok(())
    }

    /// Control value, effect and share of each group.
    pub(super) fn worlds(&self) -> Vec<(Option<f64>, f64, f64)> {
        if self.groups.is_empty() {
            return vec![(self.control, self.effect, 1.0)];
        }
        let total: f64 = self.groups.iter().map(|group| group.share).sum();
        self.groups
            .iter()
            .map(|group| {
                let effect = group.effect.unwrap_or(self.effect);
                (group.control.or(self.control), effect, group.share / total)
            })
            .collect()
    }

    /// The same world with another effect, for all groups.
    pub(super) fn with_effect(&self, effect: f64) -> Self {
        let mut other = self.clone();
        other.effect = effect;
        other
            .groups
            .iter_mut()
            .for_each(|group| group.effect = None);
        other
    }

    /// Whether a site may not meet in person in a week.
    pub(super) fn is_closed(&self, site: u32, week: f64) -> bool {
        let place = (f64::from(site) + 0.5) / f64::from(self.sites);
        self.closures.iter().any(|closure| {
            (closure.from_week..closure.until_week).contains(&week) && place < closure.sites
        })
    }

    pub(super) fn warnings(&self, protocol: &Protocol, size: usize) -> Vec<String> {
        let mut warnings = Vec::new();
        if super::truth::truth(protocol, self, size).is_none() {
            warnings.push(
                "being drawn has no single effect on this scale here: there is neither bias nor coverage, and \
                 the null is that of receiving"
                    .into(),
            );
        }
        if protocol.analysis.looks.is_some() && protocol.compared().count() > 1 {
            warnings
                .push("with looks and several arms the first compared arm alone decides".into());
        }
        if protocol.analysis.looks.is_none() {
            warnings.push("the protocol plans no looks: every trial goes to its end".into());
        }
        if protocol
            .factors
            .iter()
            .any(|factor| factor.kind == FactorKind::Number)
        {
            warnings.push(
                "numbers among the factors are simulated without a bearing on the endpoint".into(),
            );
        }
        warnings
    }
}
