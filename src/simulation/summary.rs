//! Many trials in a few numbers, each with its Monte Carlo error.

use super::trial::Outcome;
use crate::analysis::sequential::Decision;
use serde::Serialize;

/// A share with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Share {
    pub share: f64,
    pub standard_error: f64,
    pub n: usize,
}

/// A mean with its standard error.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Mean {
    pub mean: f64,
    pub standard_error: f64,
    pub n: usize,
}

/// What trials do under one effect.
#[derive(Debug, Clone, Serialize)]
pub struct Operating {
    /// Effect of receiving the compared arm's offer.
    pub effect: f64,
    /// Effect of being drawn to it, which the estimate is after; null where there is no single one.
    pub truth: Option<f64>,
    /// Share of trials that showed what they set out to show: type I error under the null, else power.
    pub success: Share,
    /// Share that stopped for futility, and in the opposite direction.
    pub futility: Share,
    pub harm: Share,
    /// Share that stopped before the last look.
    pub stopped_early: Share,
    /// Share that stopped at each look.
    pub stopped_at: Vec<Share>,
    pub participants: Option<Mean>,
    pub weeks: Option<Mean>,
    /// Of the estimate at the stop, and of the median-unbiased one, on the estimate's scale.
    pub bias: Option<Mean>,
    pub bias_median_unbiased: Option<Mean>,
    /// Share of intervals that hold the truth: of a fixed sample, and after the stop.
    pub coverage_fixed: Option<Share>,
    pub coverage_after_stop: Option<Share>,
    /// Share of trials whose confidence sequence held the truth at every look that was made.
    pub coverage_always_valid: Option<Share>,
    /// Trials whose primary estimate could not be made.
    pub without_estimate: usize,
}

/// The operating characteristics of a protocol.
#[derive(Debug, Clone, Serialize)]
pub struct Simulated {
    pub protocol: String,
    pub trials: u32,
    pub planned: usize,
    pub under_null: Operating,
    pub under_effect: Operating,
    pub warnings: Vec<String>,
}

fn share(of: impl Iterator<Item = bool>) -> Share {
    let (mut n, mut yes) = (0_usize, 0_usize);
    for one in of {
        n += 1;
        yes += usize::from(one);
    }
    let share = if n == 0 { 0.0 } else { yes as f64 / n as f64 };
    Share {
        share,
        standard_error: (share * (1.0 - share) / n.max(1) as f64).sqrt(),
        n,
    }
}

fn some(share: Share) -> Option<Share> {
    (share.n > 0).then_some(share)
}

fn mean(values: impl Iterator<Item = f64>) -> Option<Mean> {
    let values: Vec<f64> = values.collect();
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = crate::statistics::stable_sum(values.iter().copied()) / n as f64;
    let squares = crate::statistics::stable_sum(values.iter().map(|v| (v - mean).powi(2)));
    let variance = squares / (n.max(2) - 1) as f64;
    Some(Mean {
        mean,
        standard_error: (variance / n as f64).sqrt(),
        n,
    })
}

/// `grows` says that trials may be enlarged: then inference after the stop exists for early stops only, and a mean of
/// these would be one of a selection.
pub(super) fn of(runs: &[Outcome], effect: f64, truth: Option<f64>, grows: bool) -> Operating {
    let decided = |decision: Decision| share(runs.iter().map(|run| run.decision == Some(decision)));
    let looks = runs.iter().map(|run| run.stopped).max().unwrap_or(0);
    let away = |value: Option<f64>| value.zip(truth).map(|(value, truth)| value - truth);
    Operating {
        effect,
        truth,
        success: share(runs.iter().map(|run| run.success)),
        futility: decided(Decision::Futility),
        harm: decided(Decision::Harm),
        stopped_early: share(runs.iter().map(|run| !run.last)),
        stopped_at: (1..=looks)
            .map(|look| share(runs.iter().map(|run| run.stopped == look)))
            .collect(),
        participants: mean(runs.iter().map(|run| run.enrolled as f64)),
        weeks: mean(runs.iter().map(|run| run.weeks)),
        bias: mean(runs.iter().filter_map(|run| away(run.estimate))),
        bias_median_unbiased: mean(runs.iter().filter_map(|run| away(run.median_unbiased)))
            .filter(|_| !grows),
        coverage_fixed: some(share(runs.iter().filter_map(|run| run.covered))),
        coverage_after_stop: some(share(runs.iter().filter_map(|run| run.covered_after_stop)))
            .filter(|_| !grows),
        coverage_always_valid: some(share(runs.iter().filter_map(|run| run.always_covered))),
        without_estimate: runs.iter().filter(|run| run.estimate.is_none()).count(),
    }
}
