//! What the plan of looks makes of the primary estimate.
//!
//! At a planned look the error is spent by the information that is really there, the z of the primary estimate
//! is held against its boundary, and what follows from it is told: an interval that holds at all looks,
//! the chance of success later on, and after a stop the inference of the stagewise ordering. Without a
//! planned look there is no test; a confidence sequence, which holds however often one looks, informs.

use super::design::{Design, SampleSize, error_of_one_side, spending_of};
use super::document::{Confidence, Entry};
use super::plan::toward_benefit;
use super::settings::Settings;
use crate::protocol::{EndpointKind, Futility, Hypothesis, Looks, Protocol};
use crate::statistics::distributions::{normal_quantile, normal_upper, student_upper};
use crate::statistics::sequential::always::asymptotic;
use crate::statistics::sequential::{Boundaries, Going, Plan, Stopped, repeated_interval};
use crate::statistics::{Alternative, Statistic, StatisticName};
use serde::Serialize;

/// Participants of an arm below which the confidence sequence, which holds for many, is not told.
const FEWEST: u64 = 100;

/// Events (and for shares those without) of an arm, likewise.
const FEW_EVENTS: u64 = 20;

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

/// The primary estimate on the scale on which it is normal, turned toward success.
struct Scaled {
    ratio: bool,
    /// 1 where a larger value is the benefit, else -1.
    sign: f64,
    estimate: Option<(f64, f64)>,
    null: f64,
    z: f64,
    information: f64,
    /// Information is counted in events.
    events: bool,
    /// A test without an estimate whose information is counted in participants.
    participants: bool,
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

impl Scaled {
    fn of(protocol: &Protocol, entry: &Entry, signed: Option<f64>) -> Option<Self> {
        let endpoint = protocol.endpoint(&entry.endpoint)?;
        let known = protocol.primary_estimator(endpoint).ok()?;
        let ratio = known.is_ratio();
        let sign = match (protocol.analysis.hypothesis, entry.alternative) {
            // The nearer margin is reported, with its own direction.
            (Hypothesis::Equivalence, Some(Alternative::Less)) => -1.0,
            (Hypothesis::Equivalence, _) => 1.0,
            _ if toward_benefit(endpoint, known) == Alternative::Greater => 1.0,
            _ => -1.0,
        };
        let scale = |value: f64| if ratio { value.ln() } else { value };
        let estimate = entry.estimate.map(scale).zip(entry.standard_error);
        let null = entry.null.map_or(0.0, scale);
        let events = endpoint.kind == EndpointKind::TimeToEvent
            && (estimate.is_none() || known.shortens_time());
        let z = match (signed, entry.statistic) {
            (Some(z), _) => sign * z,
            (None, Some(statistic)) if estimate.is_some() => sign * normal(statistic)?,
            _ => return None,
        };
        // No boundary lies further out.
        let z = z.clamp(-37.0, 37.0);
        let participants = !events && estimate.is_none();
        let information = if events {
            entry.events.as_ref()?.values().sum::<u64>() as f64
        } else if participants {
            entry.n.values().sum::<u64>() as f64
        } else {
            estimate
                .map(|(_, error)| error.powi(-2))
                .filter(|i| i.is_finite())?
        };
        (information > 0.0).then_some(Self {
            ratio,
            sign,
            estimate,
            null,
            z,
            information,
            events,
            participants,
        })
    }

    /// An interval given on the normal scale in the direction of success, as one of the estimate.
    fn back(&self, lower: f64, upper: f64, level: f64) -> Confidence {
        let (lower, upper) = if self.sign > 0.0 {
            (lower, upper)
        } else {
            (-upper, -lower)
        };
        Confidence {
            level,
            lower: self.value(lower),
            upper: self.value(upper),
        }
    }

    fn value(&self, scaled: f64) -> f64 {
        if self.ratio { scaled.exp() } else { scaled }
    }
}

/// A statistic as a standard normal deviate with the same tail.
fn normal(statistic: Statistic) -> Option<f64> {
    let value = statistic.value;
    match (statistic.name, statistic.df) {
        (StatisticName::Z, _) => Some(value),
        (StatisticName::T, Some(df)) => {
            let tail = student_upper(value.abs(), df);
            // Beyond the range of numbers t is as good as normal.
            let z = if tail > 1e-300 {
                -normal_quantile(tail)
            } else {
                value.abs()
            };
            Some(z.copysign(value))
        }
        _ => None,
    }
}

/// The information at which the trial is planned to end.
fn maximum(
    protocol: &Protocol,
    design: Option<&Design>,
    entry: &Entry,
    scaled: &Scaled,
) -> Option<f64> {
    let size: Option<&SampleSize> = design.map(|design| &design.sample_size);
    if scaled.events
        && let Some(events) = size.and_then(|size| size.events)
    {
        return Some(events as f64);
    }
    if let Some(information) = design.and_then(|design| design.maximum_information())
        && !scaled.events
        && !scaled.participants
    {
        return Some(information);
    }
    if scaled.events {
        return None;
    }
    // Information grows with the participants: those with a value over those that are planned.
    let planned = f64::from(size.and_then(|size| size.planned)?) * share_of_two(protocol, entry);
    let n = entry.n.values().sum::<u64>() as f64;
    Some(scaled.information * planned / n)
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
    if times.windows(2).any(|pair| pair[1] <= pair[0]) {
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
    let stopped = Stopped {
        information: &information,
        upper: &boundaries.upper[..k - 1],
        lower: boundaries.lower.as_ref().map(|lower| &lower[..k - 1]),
        z: scaled.z,
    };
    let found = stopped.stagewise(level);
    let null = scaled.sign * scaled.null;
    // Information in events has no scale of the effect.
    let effects = scaled.estimate.is_some() && !scaled.events;
    AfterStop {
        p_value: if boundaries.lower.is_some() {
            (2.0 * found.p_value.min(1.0 - found.p_value)).min(1.0)
        } else {
            found.p_value
        },
        median_unbiased: effects
            .then(|| scaled.value(scaled.sign * (found.median_unbiased + null))),
        confidence: effects.then(|| scaled.back(found.lower + null, found.upper + null, level)),
    }
}

fn always_valid(protocol: &Protocol, entry: &Entry, scaled: &Scaled) -> Option<Confidence> {
    let (estimate, error) = scaled.estimate?;
    let n: u64 = entry.n.values().sum();
    let planned = f64::from(
        protocol
            .sample_size
            .as_ref()
            .and_then(|size| size.planned)?,
    );
    let few = |arm: &String, n: u64| {
        let events = entry
            .events
            .as_ref()
            .and_then(|events| events.get(arm))
            .copied();
        let binary = protocol
            .endpoint(&entry.endpoint)
            .is_some_and(|endpoint| endpoint.kind == EndpointKind::Binary);
        n < FEWEST || events.is_some_and(|e| e < FEW_EVENTS || (binary && n - e < FEW_EVENTS))
    };
    if entry.n.iter().any(|(arm, n)| few(arm, *n)) {
        return None;
    }
    let level = protocol.analysis.confidence_level();
    let n = n as f64;
    let best = planned * share_of_two(protocol, entry);
    let half = asymptotic(n, error * n.sqrt(), 1.0 - level, best);
    Some(Confidence {
        level,
        lower: scaled.value(estimate - half),
        upper: scaled.value(estimate + half),
    })
}

/// The share of all participants that the two arms of an entry are to have.
fn share_of_two(protocol: &Protocol, entry: &Entry) -> f64 {
    let ratios: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let named = |id: &Option<String>| id.as_ref().and_then(|id| protocol.arm_index(id));
    let own: u32 = [&entry.arm, &entry.reference]
        .into_iter()
        .filter_map(named)
        .map(|arm| protocol.arms[arm].ratio)
        .sum();
    f64::from(own) / f64::from(ratios)
}
