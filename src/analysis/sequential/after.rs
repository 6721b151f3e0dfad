//! Inference after a stop, by the stagewise ordering.

use super::AfterStop;
use super::scaled::Scaled;
use crate::statistics::sequential::{Boundaries, Stopped};

/// P-value, median-unbiased effect and interval at look `k`; effects only where a level is given.
pub(super) fn after_stop(
    boundaries: &Boundaries,
    (k, symmetric): (usize, bool),
    harmed: Option<&[f64]>,
    scaled: &Scaled,
    z: f64,
    level: Option<f64>,
) -> AfterStop {
    // In units of the information that is there, effects come out on the estimate's scale.
    let unit = scaled.information / boundaries.information[k - 1];
    let information: Vec<f64> = boundaries.information[..k]
        .iter()
        .map(|t| t * unit)
        .collect();
    // Futility that binds takes part in the order of results, as the other side of a two-sided test does.
    let binding = boundaries.futility.as_ref().filter(|_| boundaries.binding);
    let lower = boundaries
        .lower
        .as_ref()
        .or(binding)
        .map(|lower| &lower[..k - 1]);
    let at = |z: f64, lower| Stopped {
        information: &information,
        upper: &boundaries.upper[..k - 1],
        lower,
        z,
    };
    let upper_tail = at(z, lower).p_value();
    let p_value = if symmetric {
        // The other tail is that of the mirror image, which no subtraction rounds to 0.
        let lower_tail = at(-z, lower).p_value();
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
    // Stops for harm are part of the order of effects. Success does not count on them, and so neither does p.
    let with_harm: Option<Vec<f64>> = harmed.map(|harmed| {
        let other = |j: usize| lower.map_or(f64::NEG_INFINITY, |lower| lower[j]);
        (0..k - 1).map(|j| harmed[j].max(other(j))).collect()
    });
    let lower = with_harm.as_deref().or(lower);
    let found = wald
        .zip(level)
        .map(|(wald, level)| (at(wald, lower).stagewise(level), level));
    AfterStop {
        p_value,
        median_unbiased: found
            .map(|(found, _)| scaled.value(scaled.sign * (found.median_unbiased + null))),
        confidence: found
            .map(|(found, level)| scaled.back(found.lower + null, found.upper + null, level)),
    }
}
