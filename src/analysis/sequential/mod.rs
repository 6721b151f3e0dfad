//! What the plan of looks makes of the primary estimate.
//!
//! At a planned look the error is spent by the information that is really there, the z of the primary estimate
//! is held against its boundary, and what follows from it is told: an interval that holds at all looks,
//! the chance of success later on, and after a stop the inference of the stagewise ordering. Without a
//! planned look there is no test; a confidence sequence, which holds however often one looks, informs.

mod scaled;

use super::design::{Design, error_of_one_side, spending_of};
use super::document::{Confidence, Entry};
use super::settings::Settings;
use crate::protocol::{Futility, Looks, Protocol};
use crate::statistics::distributions::normal_upper;
use crate::statistics::sequential::{Boundaries, Going, Plan, Stopped, repeated_interval};
use scaled::{Scaled, always_valid, maximum};
use serde::Serialize;

/// Growth of the information fraction below which two looks count as one.
const LEAST: f64 = 1e-3;

/// Share of the planned information by which a look may miss it without a warning.
const NEAR: f64 = 0.1;

/// What the looks need.
pub(super) struct Monitored<'a> {
    pub looks: &'a Looks,
    pub settings: &'a Settings,
    pub entries: &'a [Entry],
    pub design: Option<&'a Design>,
    /// z of primary tests without an estimate, arm by arm.
    pub signed: &'a [Option<f64>],
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
        /// The opposite direction, in a two-sided trial.
        Harm = "harm",
        /// Advised, not binding.
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

/// One arm at this look.
#[derive(Debug, Clone, Serialize)]
pub struct AtLook {
    pub arm: String,
    /// 1 / variance of the estimate; events for tests of times.
    pub information: Option<f64>,
    /// The same over the planned maximum.
    pub fraction: Option<f64>,
    /// z against the null, above 0 toward success.
    pub z: Option<f64>,
    pub boundary: Option<Boundary>,
    pub decision: Option<Decision>,
    pub repeated_confidence: Option<Confidence>,
    pub after_stop: Option<AfterStop>,
    pub chances: Option<Chances>,
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
    if primary.len() > 1 {
        warnings.push(
            "each arm is held against the boundaries by itself: the error is that of one comparison".into(),
        );
    }
    if looks.futility == Futility::NonbindingBeta && error_of_one_side(protocol).1 {
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
        information: None,
        fraction: None,
        z: None,
        boundary: None,
        decision: None,
        repeated_confidence: None,
        after_stop: None,
        chances: None,
        always_valid: None,
        warnings: Vec::new(),
    };
    let Some(scaled) = Scaled::of(protocol, entry, signed) else {
        at.warnings
            .push("there is no primary estimate to hold against a boundary".into());
        return at;
    };
    at.z = Some(scaled.z);
    at.information = Some(scaled.information);
    at.always_valid = always_valid(protocol, entry, &scaled);
    let most = maximum(protocol, design, entry, &scaled);
    let Some(most) = most else {
        at.warnings.push(
            "the planned information is not known: [sample_size] names no size and assumes no effect".into(),
        );
        return at;
    };
    let fraction = scaled.information / most;
    at.fraction = Some(fraction);
    if let Some(look) = &monitored.settings.look {
        if let Err(why) = hold(
            protocol,
            monitored.looks,
            design,
            look,
            &scaled,
            most,
            &mut at,
        ) {
            at.warnings.push(why);
        }
    }
    at
}

/// Holds z against the boundary of the look, and tells what follows.
fn hold(
    protocol: &Protocol,
    looks: &Looks,
    design: Option<&Design>,
    look: &super::settings::Look,
    scaled: &Scaled,
    most: f64,
    at: &mut AtLook,
) -> Result<(), String> {
    let (k, last) = (look.number, looks.information.len());
    let fraction = scaled.information / most;
    let planned = looks.information[k - 1];
    if (fraction / planned - 1.0).abs() > NEAR {
        at.warnings.push(format!(
            "the look was planned at {:.0}% of the information and has {:.0}%: the error is spent by \
             what is there",
            planned * 100.0,
            fraction * 100.0
        ));
    }
    let mut times: Vec<f64> = (0..k - 1)
        .map(|j| {
            let known = look.earlier.get(j).and_then(|arms| arms.get(&at.arm));
            known.copied().unwrap_or(looks.information[j])
        })
        .collect();
    times.push(fraction);
    if times.windows(2).any(|pair| pair[1] < pair[0] + LEAST) {
        return Err("the information has not grown since the look before: there is no test".into());
    }
    let (alpha, symmetric) = error_of_one_side(protocol);
    let spending = spending_of(looks);
    // The last look spends all that is left, wherever it stands.
    let spends: Vec<f64> = times
        .iter()
        .enumerate()
        .map(|(j, t)| if j + 1 == last { 1.0 } else { *t })
        .collect();
    let boundaries = boundaries(&times, &spends, alpha, symmetric, spending)?;
    let upper = boundaries.upper[k - 1];
    let sides = if symmetric { 2.0 } else { 1.0 };
    let futility = (looks.futility == Futility::NonbindingBeta && !symmetric && k < last)
        .then(|| futility(looks, &times, k, alpha, protocol))
        .flatten();
    at.boundary = Some(Boundary {
        upper,
        lower: symmetric.then_some(-upper),
        futility,
        alpha_spent: sides * boundaries.spent[k - 1],
        nominal_p: sides * normal_upper(upper),
    });
    let decision = match scaled.z {
        z if z >= upper => Decision::Success,
        z if symmetric && z <= -upper => Decision::Harm,
        _ if k == last => Decision::NotShown,
        z if futility.is_some_and(|futility| z <= futility) => Decision::Futility,
        _ => Decision::Continue,
    };
    at.decision = Some(decision);
    let level = if symmetric {
        1.0 - 2.0 * alpha
    } else {
        protocol.analysis.confidence_level()
    };
    if let Some((estimate, error)) = scaled.estimate {
        let (lower, higher) = repeated_interval(scaled.sign * estimate, error, upper);
        at.repeated_confidence = Some(scaled.back(lower, higher, level));
    }
    if decision == Decision::Continue || decision == Decision::Futility {
        at.chances = chances(looks, design, &times, scaled, alpha, symmetric, spending);
    } else {
        at.after_stop = Some(after_stop(&boundaries, k, scaled, level));
    }
    Ok(())
}

fn boundaries(
    times: &[f64],
    spends: &[f64],
    alpha: f64,
    symmetric: bool,
    spending: crate::statistics::sequential::Spending,
) -> Result<Boundaries, String> {
    let plan = Plan {
        information: times.to_vec(),
        alpha,
        spending,
        symmetric,
        futility: None,
    };
    let spent: Vec<f64> = spends.iter().map(|t| spending.spent(alpha, *t)).collect();
    Boundaries::spending(&plan, &spent).map_err(|fault| fault.to_string())
}

/// The futility boundary of the plan with the information that is there.
fn futility(
    looks: &Looks,
    times: &[f64],
    k: usize,
    alpha: f64,
    protocol: &Protocol,
) -> Option<f64> {
    let power = protocol
        .sample_size
        .as_ref()
        .and_then(|size| size.power)
        .unwrap_or(0.9);
    let mut information = times.to_vec();
    let later = looks.information[k..].iter().copied();
    information.extend(later.filter(|t| *t > times[k - 1]));
    if information.len() <= k {
        return None;
    }
    let plan = Plan {
        information,
        alpha,
        spending: spending_of(looks),
        symmetric: false,
        futility: Some((looks.beta.unwrap_or(1.0 - power), spending_of(looks))),
    };
    Boundaries::of(&plan)
        .ok()?
        .futility
        .map(|bounds| bounds[k - 1])
}

fn chances(
    looks: &Looks,
    design: Option<&Design>,
    times: &[f64],
    scaled: &Scaled,
    alpha: f64,
    symmetric: bool,
    spending: crate::statistics::sequential::Spending,
) -> Option<Chances> {
    let k = times.len();
    let mut all = times.to_vec();
    all.extend(
        looks.information[k..]
            .iter()
            .copied()
            .filter(|t| *t > times[k - 1]),
    );
    if all.len() == k {
        return None;
    }
    let n = all.len();
    let spends: Vec<f64> = all
        .iter()
        .enumerate()
        .map(|(j, t)| if j + 1 == n { 1.0 } else { *t })
        .collect();
    let boundaries = boundaries(&all, &spends, alpha, symmetric, spending).ok()?;
    let going = Going {
        z: scaled.z,
        information: times[k - 1],
        later: &all[k..],
        upper: &boundaries.upper[k..],
    };
    Some(Chances {
        conditional_power_trend: going.conditional_power(going.trend()),
        conditional_power_planned: design.map(|design| going.conditional_power(design.drift)),
        predictive_power: going.predictive_power(),
    })
}

fn after_stop(boundaries: &Boundaries, k: usize, scaled: &Scaled, level: f64) -> AfterStop {
    // In units of the information that is there, effects come out on the estimate's scale.
    let unit = scaled.information / boundaries.information[k - 1];
    let information: Vec<f64> = boundaries.information[..k]
        .iter()
        .map(|t| t * unit)
        .collect();
    let at = |z: f64| Stopped {
        information: &information,
        upper: &boundaries.upper[..k - 1],
        lower: boundaries.lower.as_ref().map(|lower| &lower[..k - 1]),
        z,
    };
    let upper_tail = at(scaled.z).stagewise(level).p_value;
    let p_value = if boundaries.lower.is_some() {
        // The other tail is that of the mirror image, which no subtraction rounds to 0.
        let lower_tail = at(-scaled.z).stagewise(level).p_value;
        (2.0 * upper_tail.min(lower_tail)).min(1.0)
    } else {
        upper_tail
    };
    // Effects by the estimate over its own error: a score test has another. Information in events has no
    // scale of the effect, and beyond the range of the boundaries there is nothing to order.
    let null = scaled.sign * scaled.null;
    let wald = scaled
        .estimate
        .map(|(estimate, error)| (scaled.sign * estimate - null) / error)
        .filter(|wald| !scaled.events && wald.abs() < 37.0);
    let found = wald.map(|wald| at(wald).stagewise(level));
    AfterStop {
        p_value,
        median_unbiased: found
            .map(|found| scaled.value(scaled.sign * (found.median_unbiased + null))),
        confidence: found.map(|found| scaled.back(found.lower + null, found.upper + null, level)),
    }
}
