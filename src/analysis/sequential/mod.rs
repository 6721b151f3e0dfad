//! What the plan of looks makes of the primary estimate.
//!
//! At a planned look the error is spent by the information that is really there, the z of the primary estimate
//! is held against its boundary, and what follows from it is told: an interval that holds at all looks,
//! the chance of success later on, and after a stop the inference of the stagewise ordering. Without a
//! planned look there is no test; a confidence sequence, which holds however often one looks, informs.

mod after;
mod always;
mod hold;
mod scaled;
mod stages;

use super::design::{Design, spending_of};
use super::document::{Confidence, Entry};
use super::settings::Settings;
use crate::protocol::{Futility, Looks, Protocol};
use crate::statistics::sequential::Zone;
use always::always_valid;
use hold::Held;
use scaled::{Scaled, maximum};
use serde::Serialize;

/// What the looks need.
pub(super) struct Monitored<'a> {
    pub looks: &'a Looks,
    pub settings: &'a Settings,
    pub entries: &'a [Entry],
    pub design: Option<&'a Design>,
    /// z of primary tests without an estimate, arm by arm.
    pub signed: &'a [Option<f64>],
    /// Whether chances of success later on are wanted: they take as long as all the rest.
    pub chances: bool,
}

/// The state of the trial at this look.
#[derive(Debug, Clone, Serialize)]
pub struct Sequential {
    /// The planned look that this is; null where it is none.
    pub look: Option<usize>,
    /// Planned information fractions.
    pub planned: Vec<f64>,
    pub spending: String,
    pub arms: Vec<AtLook>,
    pub warnings: Vec<String>,
}

crate::vocabulary! {
    /// What a look leads to.
    pub enum Decision {
        Success = "success",
        /// The opposite direction in a two-sided trial, or beyond the boundary of harm.
        Harm = "harm",
        /// Advised, or binding where it is planned so.
        Futility = "futility",
        Continue = "continue",
        /// The last look is over.
        NotShown = "not_shown",
    }
}

/// The boundary of this look; z is counted in the direction of success.
#[derive(Debug, Clone, Serialize)]
pub struct Boundary {
    pub upper: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lower: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub futility: Option<f64>,
    /// Error spent up to this look, over both sides where there are two.
    pub alpha_spent: f64,
    pub nominal_p: f64,
}

/// Inference by the stagewise ordering, on the scale of the estimate.
#[derive(Debug, Clone, Serialize)]
pub struct AfterStop {
    pub p_value: f64,
    pub median_unbiased: Option<f64>,
    pub confidence: Option<Confidence>,
}

/// Chance of success at later looks.
#[derive(Debug, Clone, Serialize)]
pub struct Chances {
    /// If the effect is the one that was seen.
    pub conditional_power_trend: f64,
    /// If it is the planned one.
    pub conditional_power_planned: Option<f64>,
    /// Over the effects that the data so far make likely (flat prior).
    pub predictive_power: f64,
}

/// What the rule of the promising zone advises for the rest of the trial.
#[derive(Debug, Clone, Serialize)]
pub struct Reestimated {
    pub zone: Zone,
    /// Under the trend, with the rest as planned.
    pub conditional_power: f64,
    /// By what the rest of the information is multiplied.
    pub factor: f64,
    /// The information fraction at which the trial is to end.
    pub information: f64,
    /// Participants of all arms that this takes, by those with a value at this look; null where events count.
    pub participants: Option<u64>,
    /// Under the trend, with the rest as advised.
    pub conditional_power_afterwards: f64,
}

/// One arm at this look.
#[derive(Debug, Clone, Default, Serialize)]
pub struct AtLook {
    pub arm: String,
    /// 1 / variance of the estimate; events for tests of times.
    pub information: Option<f64>,
    /// The same over the planned maximum.
    pub fraction: Option<f64>,
    /// z against the null, above 0 toward success.
    pub z: Option<f64>,
    /// The same with the stages weighed as planned, at the last look of a trial that could be enlarged: this
    /// one is held against the boundary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weighted_z: Option<f64>,
    pub boundary: Option<Boundary>,
    pub decision: Option<Decision>,
    pub repeated_confidence: Option<Confidence>,
    pub after_stop: Option<AfterStop>,
    pub chances: Option<Chances>,
    /// At the look before the last, where the protocol plans it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reestimation: Option<Reestimated>,
    /// Confidence sequence: holds at every moment together, however often one looks.
    pub always_valid: Option<Confidence>,
    pub warnings: Vec<String>,
}

pub(super) fn of(protocol: &Protocol, monitored: &Monitored) -> Sequential {
    let looks = monitored.looks;
    let look = monitored.settings.look.as_ref().map(|look| look.number);
    let mut warnings = Vec::new();
    if look.is_none() {
        warnings.push(
            "this is no planned look: nothing is tested, and a boundary is held against nothing"
                .into(),
        );
    }
    let primary: Vec<&Entry> = monitored
        .entries
        .iter()
        .filter(|entry| entry.primary)
        .collect();
    if primary.len() > 1 && protocol.analysis.multiplicity.is_none() {
        warnings.push(
            "each arm is held against the boundaries by itself: the error is that of one comparison".into(),
        );
    }
    if looks.futility != Futility::None && protocol.error_of_one_side().1 {
        warnings.push("the plan of futility has no use in a trial with two sides".into());
    }
    let arms = primary
        .into_iter()
        .enumerate()
        .map(|(i, entry)| {
            let signed = monitored.signed.get(i).copied().flatten();
            at_look(protocol, monitored, monitored.design, entry, signed)
        })
        .collect();
    Sequential {
        look,
        planned: looks.information.clone(),
        spending: looks.spending.to_string(),
        arms,
        warnings,
    }
}

fn at_look(
    protocol: &Protocol,
    monitored: &Monitored,
    design: Option<&Design>,
    entry: &Entry,
    signed: Option<f64>,
) -> AtLook {
    let mut at = AtLook {
        arm: entry.arm.clone().unwrap_or_default(),
        ..AtLook::default()
    };
    let scaled = Scaled::of(protocol, entry, signed);
    at.always_valid = always_valid(protocol, monitored.looks, entry, scaled.as_ref());
    let Some(scaled) = scaled else {
        at.warnings
            .push("there is no primary estimate to hold against a boundary".into());
        return at;
    };
    at.z = Some(scaled.z);
    at.information = Some(scaled.information);
    let Some(most) = maximum(protocol, design, entry, &scaled) else {
        at.warnings.push(
            "the planned information is not known: [sample_size] names no size and assumes no effect".into(),
        );
        return at;
    };
    at.fraction = Some(scaled.information / most);
    if let Some(look) = &monitored.settings.look {
        let (alpha, symmetric) = protocol.error_of_one_side();
        let spending = match design {
            Some(design) => design.spending.clone(),
            None => match spending_of(monitored.looks, alpha, symmetric) {
                Ok(spending) => spending,
                Err(fault) => {
                    at.warnings.push(fault.to_string());
                    return at;
                }
            },
        };
        let held = Held {
            spending,
            protocol,
            looks: monitored.looks,
            design,
            look,
            scaled: &scaled,
            most,
            chances: monitored.chances,
        };
        if let Err(why) = held.tell(&mut at) {
            at.warnings.push(why);
        }
    }
    at
}
