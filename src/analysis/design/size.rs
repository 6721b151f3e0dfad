//! How many participants the planned power takes.

use crate::protocol::{Assumptions, Endpoint, EndpointKind, Hypothesis, Protocol, Unit};
use crate::statistics::catalogue::Entry;
use crate::statistics::distributions::normal_quantile;
use crate::statistics::size;
use serde::Serialize;

/// Participants beyond which no size is told.
const MOST: f64 = 1e12;

/// How a size came about.
#[derive(Debug, Clone, Copy, Serialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Sized {
    /// Two proportions, unpooled variance (Fleiss, Levin and Paik, 2003, section 4.2, without
    /// continuity correction).
    TwoProportions,
    /// Events by Schoenfeld (Biometrika 68, 1981), participants by the control arm's share of events.
    LogRank,
    /// Two means with a known standard deviation.
    Means,
    /// Two rates, overdispersed where the protocol says so (Zhu and Lakkis 2014).
    Rates,
}

/// The sample size of a design.
#[derive(Debug, Clone, Default, Serialize, PartialEq)]
pub struct SampleSize {
    /// What the protocol plans.
    pub planned: Option<u32>,
    /// Participants of all arms that the power takes; none where the protocol does not say enough.
    pub total: Option<u64>,
    /// Events of the two arms compared, for a time to an event.
    pub events: Option<u64>,
    /// The same by Freedman, which counts on the ratio and not on its logarithm.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub events_freedman: Option<u64>,
    /// By how much clusters multiply the participants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub design_effect: Option<f64>,
    pub power: f64,
    pub method: Option<Sized>,
    /// Weeks until the last participant is enrolled.
    pub accrual_weeks: Option<f64>,
    /// Weeks until the last participant's follow-up is over.
    pub duration_weeks: Option<f64>,
    #[serde(skip)]
    pub(super) warnings: Vec<String>,
    /// The planned effect and the null, on the scale on which drifts are proportional.
    #[serde(skip)]
    scale: Option<(f64, f64, bool)>,
}

impl SampleSize {
    pub(super) fn of(protocol: &Protocol, alpha: f64, power: f64, inflation: f64) -> Self {
        let mut size = Self {
            power,
            planned: protocol.sample_size.as_ref().and_then(|size| size.planned),
            ..Self::default()
        };
        let assume = protocol
            .sample_size
            .as_ref()
            .and_then(|size| size.assume.as_ref());
        let z = normal_quantile(1.0 - alpha) + normal_quantile(power);
        match assume {
            None => size.warnings.push(
                "no size is computed: [sample_size] assumes nothing of the control arm and the effect"
                    .into(),
            ),
            Some(assume) => match size.compute(protocol, assume, z * z * inflation) {
                Ok(total) => size.settle(protocol, assume, total),
                Err(why) => size.warnings.push(format!("no size is computed: {why}")),
            },
        }
        if let (Some(planned), Some(total)) = (size.planned, size.total)
            && u64::from(planned) < total
        {
            size.warnings.push(format!(
                "{planned} participants are planned, and the power of {power} takes {total}"
            ));
        }
        size
    }

    /// Participants with a value, of all arms; `needed` is the squared drift.
    fn compute(
        &mut self,
        protocol: &Protocol,
        assume: &Assumptions,
        needed: f64,
    ) -> Result<f64, String> {
        let endpoint = protocol
            .endpoint(&protocol.analysis.primary)
            .ok_or("there is no primary endpoint")?;
        let entry = protocol.primary_estimator(endpoint)?;
        let control = assume
            .control
            .ok_or("assume names no value of the control arm")?;
        let effect = assume.effect.ok_or("assume names no effect")?;
        let margin = protocol.analysis.margin;
        // The tests of times are planned by the ratio of the hazards.
        let hazards = endpoint.counts_hazard(entry);
        let ratio = entry.is_ratio() || hazards;
        let null = match (protocol.analysis.hypothesis, margin) {
            (Hypothesis::Superiority, _) | (_, None) => f64::from(u8::from(ratio)),
            // The nearer of the two margins is the harder one.
            (Hypothesis::Equivalence, Some(margin)) => match ratio {
                true if effect <= 1.0 => margin.min(1.0 / margin),
                true => margin.max(1.0 / margin),
                false if effect <= 0.0 => -margin,
                _ => margin,
            },
            (Hypothesis::NonInferiority, Some(margin)) => margin,
        };
        let share_needed = matches!(endpoint.kind, EndpointKind::Binary) || hazards;
        if share_needed && (!(0.0..1.0).contains(&control) || control == 0.0) {
            return Err("the value of the control arm must be a share between 0 and 1".into());
        }
        if ratio && effect <= 0.0 {
            return Err("the assumed ratio must be above 0".into());
        }
        let distance = if ratio {
            (effect / null).ln()
        } else {
            effect - null
        };
        let shares = shares(protocol);
        let of_both = shares.0 + shares.1;
        let (method, total) = match endpoint.kind {
            EndpointKind::Binary => {
                let odds = of_odds(entry);
                let other = other_share(endpoint, entry, control, effect);
                if !(other > 0.0 && other < 1.0) {
                    return Err("the effect leads to a share outside of 0 and 1".into());
                }
                let total = match (odds, ratio) {
                    (true, _) => size::odds_ratio(needed, (other, control), null, shares),
                    (false, true) => size::risk_ratio(needed, (other, control), null, shares),
                    _ => size::risk_difference(needed, (other, control), null, shares),
                };
                (Sized::TwoProportions, total)
            }
            EndpointKind::TimeToEvent if hazards => {
                let arms = (shares.0 / of_both, shares.1 / of_both);
                let events = size::events_schoenfeld(needed, effect, null, arms);
                if distance == 0.0 || events.is_nan() || events > MOST {
                    return Err("the assumed effect is the null itself, or next to it".into());
                }
                self.events = Some(events.ceil() as u64);
                if null == 1.0 && effect != 1.0 {
                    let freedman = size::events_freedman(needed, effect, arms);
                    self.events_freedman = Some(freedman.ceil() as u64);
                }
                let other = other_share(endpoint, entry, control, effect);
                let per_participant = shares.0 * other + shares.1 * control;
                (Sized::LogRank, events / per_participant)
            }
            EndpointKind::Count if ratio => {
                if control <= 0.0 {
                    return Err("the rate of the control arm must be above 0".into());
                }
                let dispersion = assume.dispersion.unwrap_or(0.0);
                let total = size::rate_ratio(needed, control, effect, null, dispersion, shares);
                (Sized::Rates, total)
            }
            EndpointKind::Continuous | EndpointKind::Count if !ratio => {
                let deviation = assume
                    .standard_deviation
                    .ok_or("assume names no standard_deviation")?;
                (
                    Sized::Means,
                    size::two_means(needed, deviation, distance, shares),
                )
            }
            _ => {
                return Err(format!(
                    "a size for {} with {} is not made",
                    endpoint.kind, entry.id
                ));
            }
        };
        let clusters = self.inflation_by_clusters(protocol, assume)?;
        let total = total * clusters;
        let grown = |events: u64| (events as f64 * clusters).ceil() as u64;
        self.events = self.events.map(grown);
        self.events_freedman = self.events_freedman.map(grown);
        if entry.needs_weights() {
            self.warnings.push(
                "the size is that of equal weights: multiply it by participants over their effective number"
                    .into(),
            );
        }
        if distance != 0.0 && (total.is_nan() || total > MOST) {
            return Err("it is beyond any trial".into());
        }
        if distance == 0.0 {
            return Err("the assumed effect is the null itself".into());
        }
        self.method = Some(method);
        self.scale = Some((null, effect, ratio));
        Ok(total)
    }

    /// What clusters cost, where the protocol assumes them.
    fn inflation_by_clusters(
        &mut self,
        protocol: &Protocol,
        assume: &Assumptions,
    ) -> Result<f64, String> {
        let by_unit = protocol.unit != Unit::Citizen;
        match (assume.cluster_size, assume.intraclass_correlation) {
            (Some(m), Some(icc)) => {
                let effect = size::design_effect(m, icc, assume.cluster_variation.unwrap_or(0.0));
                self.design_effect = Some(effect);
                Ok(effect)
            }
            _ if by_unit => Err(
                "units are drawn, and assume names no cluster_size and intraclass_correlation"
                    .into(),
            ),
            _ => Ok(1.0),
        }
    }

    fn settle(&mut self, protocol: &Protocol, assume: &Assumptions, complete: f64) {
        let total = (complete / (1.0 - assume.dropout.unwrap_or(0.0))).ceil();
        // Each arm has two participants at least, else it has no spread.
        let total = total.max(2.0 * protocol.arms.len() as f64);
        if total > MOST {
            self.warnings
                .push("no size is computed: it is beyond any trial".into());
            return;
        }
        self.total = Some(total as u64);
        if let Some(rate) = assume.accrual_per_week {
            let weeks = total / rate;
            self.accrual_weeks = Some(weeks);
            self.duration_weeks = Some(weeks + protocol.follow_up_days() as f64 / 7.0);
        }
    }

    /// The planned effect less the null, ratios by their logarithms.
    pub(super) fn distance(&self) -> Option<f64> {
        let (null, effect, ratio) = self.scale?;
        Some(if ratio {
            (effect / null).ln()
        } else {
            effect - null
        })
    }

    /// The effect that is such a multiple of the planned one, counted from the null.
    pub(super) fn effect_at(&self, of_planned: f64) -> Option<f64> {
        let (null, effect, ratio) = self.scale?;
        Some(match ratio {
            true => null * (effect / null).powf(of_planned),
            false => null + (effect - null) * of_planned,
        })
    }
}

/// Whether the effect is a ratio of odds.
fn of_odds(entry: &Entry) -> bool {
    entry.id.contains("odds_ratio") || entry.id == "fisher_exact"
}

/// The other arm's share, by the scale of the effect. With proportional hazards its share without an event is a
/// power of the control arm's.
pub(super) fn other_share(endpoint: &Endpoint, entry: &Entry, control: f64, effect: f64) -> f64 {
    if endpoint.counts_hazard(entry) {
        return 1.0 - (1.0 - control).powf(effect);
    }
    match (of_odds(entry), entry.is_ratio()) {
        (true, _) => {
            let odds = control / (1.0 - control) * effect;
            odds / (1.0 + odds)
        }
        (false, true) => control * effect,
        (false, false) => control + effect,
    }
}

/// The shares of all participants in the arm that is compared and in the control. With several arms,
/// the one with the smallest ratio is compared.
fn shares(protocol: &Protocol) -> (f64, f64) {
    let total: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let share = |ratio: u32| f64::from(ratio) / f64::from(total);
    let others = protocol.arms.iter().filter(|arm| !arm.control);
    let least = others.map(|arm| arm.ratio).min().unwrap_or(1);
    (share(least), share(protocol.arms[protocol.control()].ratio))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::design::Design;

    fn protocol(endpoint: &str, assume: &str) -> Protocol {
        crate::protocol::from_toml(&format!(
            "id = 't'\ntitle = 't'\n\
             arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
             endpoints = [{{id = 'e', from = 'reported', {endpoint}}}]\n\
             [randomization]\nmethod = 'simple'\n[analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n\
             [sample_size]\npower = 0.8\nassume = {{ {assume} }}\n"
        ))
        .unwrap()
    }

    /// R 4.2.2: 4 * (qnorm(0.975) + qnorm(0.8))^2 / log(0.7)^2 = 246.787, and with a control share
    /// of 0.6, 246.787 / (0.5 * 0.6 + 0.5 * (1 - 0.4^0.7)) = 459.80.
    #[test]
    fn events_are_those_of_schoenfeld() {
        let endpoint =
            "kind = 'time_to_event', better = 'lower', horizon_weeks = 52, estimators = ['cox']";
        let design = Design::of(&protocol(endpoint, "control = 0.6, effect = 0.7")).unwrap();
        assert_eq!(design.sample_size.events, Some(247));
        assert_eq!(design.sample_size.total, Some(460));
    }

    /// R 4.2.2: (qnorm(0.975) + qnorm(0.8))^2 * (0.6 * 0.4 + 0.5 * 0.5) * 2 / 0.1^2 = 769.19.
    #[test]
    fn participants_are_those_of_two_proportions() {
        let design = Design::of(&protocol(
            "kind = 'binary', better = 'higher'",
            "control = 0.5, effect = 0.1",
        ));
        assert_eq!(design.unwrap().sample_size.total, Some(770));
    }
}
