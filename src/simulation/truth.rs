//! What the estimate should come to: the effect of being drawn to an arm, in the simulated world.

use super::scenario::Scenario;
use crate::protocol::{EndpointKind, Hypothesis, Protocol};
use crate::statistics::roots::bisect;

/// Chances of receiving the compared arm's offer, by having been drawn to it or to the reference.
#[derive(Debug, Clone, Copy)]
pub(super) struct Delivery {
    pub compared: f64,
    pub reference: f64,
}

/// How often what is drawn is received, over the enrolment.
pub(super) fn delivery(protocol: &Protocol, scenario: &Scenario, size: usize) -> Delivery {
    // A fine grid over the enrolment and every site, by the very rule of a trial.
    const STEPS: u32 = 2_000;
    let weeks = size as f64 / scenario.per_week;
    let hit: u64 = (0..scenario.sites)
        .map(|site| {
            let at = |step: u32| (f64::from(step) + 0.5) / f64::from(STEPS) * weeks;
            (0..STEPS)
                .filter(|step| scenario.is_closed(site, at(*step)))
                .count() as u64
        })
        .sum();
    let closed = match scenario.closures.is_empty() {
        true => 0.0,
        false => hit as f64 / (f64::from(STEPS) * f64::from(scenario.sites)),
    };
    let show = 1.0 - scenario.no_show;
    let (arm, reference) = compared(protocol);
    // In person alone is what a closure hits.
    let hit = |arm: usize| super::trial::in_person_alone(protocol, arm);
    Delivery {
        compared: show * if hit(arm) { 1.0 - closed } else { 1.0 },
        reference: if hit(reference) && !hit(arm) {
            show * closed
        } else {
            0.0
        },
    }
}

/// The first arm that is compared, and the reference.
pub(super) fn compared(protocol: &Protocol) -> (usize, usize) {
    let control = protocol.control();
    let arm = (0..protocol.arms.len())
        .find(|arm| *arm != control)
        .unwrap_or(0);
    (arm, control)
}

/// The effect of being drawn, on the scale of the primary estimator; none where the world has no single
/// number for it.
pub(super) fn truth(protocol: &Protocol, scenario: &Scenario, size: usize) -> Option<f64> {
    number(protocol, scenario, size).filter(|truth| truth.is_finite())
}

fn number(protocol: &Protocol, scenario: &Scenario, size: usize) -> Option<f64> {
    let endpoint = protocol.endpoint(&protocol.analysis.primary)?;
    let entry = protocol.primary_estimator(endpoint).ok()?;
    let delivery = delivery(protocol, scenario, size);
    let full = delivery.compared == 1.0 && delivery.reference == 0.0;
    // Mean value with a chance of receiving the compared offer.
    let mean = |received: f64, of: &dyn Fn(f64, f64, bool) -> f64| -> f64 {
        scenario
            .worlds()
            .into_iter()
            .map(|(control, effect, share)| {
                let control = control.unwrap_or_default();
                share
                    * (received * of(control, effect, true)
                        + (1.0 - received) * of(control, effect, false))
            })
            .sum()
    };
    let pair = |of: &dyn Fn(f64, f64, bool) -> f64| {
        (mean(delivery.compared, of), mean(delivery.reference, of))
    };
    let added = |control: f64, effect: f64, got: bool| control + if got { effect } else { 0.0 };
    let times = |control: f64, effect: f64, got: bool| control * if got { effect } else { 1.0 };
    let id = entry.id;
    if id == "complier_average_effect" {
        return scenario
            .groups
            .iter()
            .all(|group| group.effect.is_none())
            .then_some(scenario.effect);
    }
    match endpoint.kind {
        EndpointKind::Binary => {
            let (p, q) = pair(&added);
            Some(match id {
                // Common to the strata only where they are alike.
                "mantel_haenszel_odds_ratio" if !alike(scenario) => return None,
                id if id.contains("odds_ratio") || id == "fisher_exact" => {
                    p / (1.0 - p) / (q / (1.0 - q))
                }
                id if id.contains("risk_ratio") => p / q,
                _ => p - q,
            })
        }
        EndpointKind::Continuous => {
            let (p, q) = pair(&added);
            Some(p - q)
        }
        EndpointKind::Count => {
            let (p, q) = pair(&times);
            Some(if entry.is_ratio() { p / q } else { p - q })
        }
        EndpointKind::TimeToEvent => {
            let tau = f64::from(endpoint.horizon_weeks?);
            let area = |control: f64, effect: f64, got: bool| {
                let hazard = -(1.0 - control).ln() / tau * if got { effect } else { 1.0 };
                -(-hazard * tau).exp_m1() / hazard
            };
            let (p, q) = pair(&area);
            match id {
                "rmst_difference" | "rmst_difference_adjusted" => Some(p - q),
                "rmst_ratio" => Some(p / q),
                // Hazards stay proportional only where everybody receives what was drawn, within groups.
                _ if entry.shortens_time() && full => {
                    let one = alike(scenario) || id == "cox_stratified";
                    (one && scenario.groups.iter().all(|g| g.effect.is_none()))
                        .then_some(scenario.effect)
                }
                _ => None,
            }
        }
    }
}

/// Whether all groups have the same control value.
fn alike(scenario: &Scenario) -> bool {
    let worlds = scenario.worlds();
    worlds.iter().all(|(control, ..)| *control == worlds[0].0)
}

/// The effect of receiving at which the effect of being drawn is the null.
pub(super) fn effect_at_null(protocol: &Protocol, scenario: &Scenario, size: usize) -> f64 {
    let endpoint = protocol.endpoint(&protocol.analysis.primary);
    let entry = endpoint.and_then(|endpoint| protocol.primary_estimator(endpoint).ok());
    let multiplied = endpoint.is_some_and(|endpoint| {
        matches!(
            endpoint.kind,
            EndpointKind::Count | EndpointKind::TimeToEvent
        )
    });
    let none = if multiplied { 1.0 } else { 0.0 };
    let margin = match protocol.analysis.hypothesis {
        Hypothesis::Superiority => return none,
        Hypothesis::NonInferiority => protocol.analysis.margin,
        // The nearer of the two margins.
        Hypothesis::Equivalence => protocol.analysis.margin.map(|margin| {
            let ratio = entry.is_some_and(|entry| entry.is_ratio());
            match (ratio, scenario.effect < none) {
                (true, true) => 1.0 / margin,
                (false, true) => -margin,
                _ => margin,
            }
        }),
    };
    let Some(margin) = margin else { return none };
    let at = |effect: f64| truth(protocol, &scenario.with_effect(effect), size);
    if at(none).is_none() {
        return margin;
    }
    let (low, high) = if multiplied { (1e-3, 1e3) } else { (-1e6, 1e6) };
    let (low, high) = match endpoint.map(|endpoint| endpoint.kind) {
        Some(EndpointKind::Binary) => (-1.0, 1.0),
        _ => (low, high),
    };
    bisect(low, high, |effect| at(effect).unwrap_or_default() - margin)
}
