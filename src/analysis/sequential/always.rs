//! The interval that holds at every moment together: a confidence sequence, of the kind that the protocol
//! chose. Its best size was fixed at registration.

use super::hold::level;
use super::scaled::{Scaled, share_of_two};
use crate::analysis::document::{Confidence, Entry};
use crate::protocol::{ConfidenceSequence, EndpointKind, Looks, Protocol};
use crate::statistics::sequential::always::{
    Stitching, asymptotic, mixture_rho, normal_mixture, stitched,
};

/// Participants of an arm below which the asymptotic sequence, which holds for many, is not told.
const FEWEST: u64 = 100;

/// Events (and for shares those without) of an arm, likewise.
const FEW_EVENTS: u64 = 20;

/// Variance of a share at its most, which bounds its tails (Hoeffding, JASA 58, 1963).
const MOST_VARIANCE: f64 = 0.25;

pub(super) fn always_valid(
    protocol: &Protocol,
    looks: &Looks,
    entry: &Entry,
    scaled: Option<&Scaled>,
) -> Option<Confidence> {
    let planned = f64::from(
        protocol
            .sample_size
            .as_ref()
            .and_then(|size| size.planned)?,
    );
    let level = level(protocol.error_of_one_side().0);
    let (lower, upper) = match looks.confidence_sequence {
        ConfidenceSequence::Asymptotic => of_mean(protocol, entry, scaled?, planned, 1.0 - level)?,
        _ => of_shares(protocol, looks, entry, planned, 1.0 - level)?,
    };
    Some(Confidence {
        level,
        lower,
        upper,
    })
}

fn of_mean(
    protocol: &Protocol,
    entry: &Entry,
    scaled: &Scaled,
    planned: f64,
    alpha: f64,
) -> Option<(f64, f64)> {
    let (estimate, error) = scaled.estimate?;
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
    let n = entry.n.values().sum::<u64>() as f64;
    let best = planned * share_of_two(protocol, entry);
    let half = asymptotic(n, error * n.sqrt(), alpha, best);
    Some((scaled.value(estimate - half), scaled.value(estimate + half)))
}

/// Each arm's share has a sequence of its own at half of the error; the difference lies between their ends.
/// It holds at any size, and for any draw that does not look at outcomes.
fn of_shares(
    protocol: &Protocol,
    looks: &Looks,
    entry: &Entry,
    planned: f64,
    alpha: f64,
) -> Option<(f64, f64)> {
    let ratios: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let share = |id: &Option<String>| -> Option<(f64, f64)> {
        let id = id.as_ref()?;
        let arm = &protocol.arms[protocol.arm_index(id)?];
        let (n, events) = (*entry.n.get(id)?, *entry.events.as_ref()?.get(id)?);
        if n == 0 {
            return None;
        }
        let best = planned * f64::from(arm.ratio) / f64::from(ratios) * MOST_VARIANCE;
        let variance = n as f64 * MOST_VARIANCE;
        let bound = match looks.confidence_sequence {
            ConfidenceSequence::Stitched => {
                let shape = Stitching {
                    least: best * looks.information[0],
                    scale: 0.0,
                    s: 1.4,
                    eta: 2.0,
                };
                // One-sided: half of the arm's error on each side.
                stitched(variance, alpha / 4.0, shape)
            }
            _ => normal_mixture(variance, alpha / 2.0, mixture_rho(best, alpha / 2.0)),
        };
        let (p, half) = (events as f64 / n as f64, bound / n as f64);
        Some(((p - half).max(0.0), (p + half).min(1.0)))
    };
    let (arm, reference) = (share(&entry.arm)?, share(&entry.reference)?);
    Some((arm.0 - reference.1, arm.1 - reference.0))
}
