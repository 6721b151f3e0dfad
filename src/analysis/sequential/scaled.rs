//! The primary estimate as a normal deviate with its information.

use crate::analysis::design::{Design, SampleSize};
use crate::analysis::document::{Confidence, Entry};
use crate::protocol::{EndpointKind, Hypothesis, Protocol};
use crate::statistics::distributions::{normal_quantile, student_upper};
use crate::statistics::{Alternative, Statistic, StatisticName};

/// The primary estimate on the scale on which it is normal, turned toward success.
pub(super) struct Scaled {
    pub ratio: bool,
    /// 1 where a larger value is the benefit, else -1.
    pub sign: f64,
    pub estimate: Option<(f64, f64)>,
    pub null: f64,
    pub z: f64,
    pub information: f64,
    /// Information is counted in events.
    pub events: bool,
    /// Participants of all arms with a value, by the two that are compared.
    pub everybody: f64,
    /// A test without an estimate whose information is counted in participants.
    participants: bool,
}

impl Scaled {
    pub fn of(protocol: &Protocol, entry: &Entry, signed: Option<f64>) -> Option<Self> {
        let endpoint = protocol.endpoint(&entry.endpoint)?;
        let known = protocol.primary_estimator(endpoint).ok()?;
        let ratio = known.is_ratio();
        let sign = match (protocol.analysis.hypothesis, entry.alternative) {
            // The nearer margin is reported, with its own direction.
            (Hypothesis::Equivalence, Some(Alternative::Less)) => -1.0,
            (Hypothesis::Equivalence, _) => 1.0,
            _ if endpoint.toward_benefit(known) == Alternative::Greater => 1.0,
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
            everybody: entry.n.values().sum::<u64>() as f64 / share_of_two(protocol, entry),
            participants,
        })
    }

    /// An interval given on the normal scale in the direction of success, as one of the estimate.
    pub fn back(&self, lower: f64, upper: f64, level: f64) -> Confidence {
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

    pub fn value(&self, scaled: f64) -> f64 {
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
pub(super) fn maximum(
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

/// The share of all participants that the two arms of an entry are to have.
pub(super) fn share_of_two(protocol: &Protocol, entry: &Entry) -> f64 {
    let ratios: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let named = |id: &Option<String>| id.as_ref().and_then(|id| protocol.arm_index(id));
    let own: u32 = [&entry.arm, &entry.reference]
        .into_iter()
        .filter_map(named)
        .map(|arm| protocol.arms[arm].ratio)
        .sum();
    f64::from(own) / f64::from(ratios)
}
