//! What must hold between `[randomization]` and the rest of a protocol.

use super::{DrawUnit, Method, Protocol, Scheme, Unit, level_fault};
use crate::document::{Faults, Invalid};
use std::collections::BTreeSet;

/// Checks every rule of the draw.
pub(super) fn all(protocol: &Protocol, faults: &Faults) {
    let total: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let equal_pair = protocol.arms.len() == 2 && protocol.arms.iter().all(|arm| arm.ratio == 1);
    let fault = |key: &str, detail: String| faults.add(format!("randomization.{key}"), detail);
    match &protocol.randomization.scheme {
        Scheme::PermutedBlocks { block_sizes } => {
            for (i, size) in block_sizes.iter().enumerate() {
                if *size == 0 || size % total.max(1) != 0 || *size > 10_000 {
                    fault(
                        &format!("block_sizes[{i}]"),
                        format!(
                            "must be a multiple of the sum of the ratios ({total}), up to 10000"
                        ),
                    );
                }
            }
        }
        Scheme::BiasedCoin {
            probability: (numerator, denominator),
        } => {
            if 2 * numerator <= *denominator {
                fault("probability", "must lie between 1/2 and 1".into());
            }
            if !equal_pair {
                fault(
                    "method",
                    "biased_coin takes two arms with ratios 1:1".into(),
                );
            }
        }
        Scheme::BigStick { .. } if !equal_pair => {
            fault("method", "big_stick takes two arms with ratios 1:1".into());
        }
        Scheme::Minimization {
            probability: (numerator, denominator),
            weights,
        } => {
            minimization(protocol, faults, (*numerator, *denominator), weights.keys());
        }
        Scheme::Clusters { units } => clusters(protocol, faults, units),
        _ => {}
    }
    let method = protocol.randomization.method;
    if protocol.unit != Unit::Citizen && !matches!(method, Method::Clusters | Method::External) {
        fault(
            "method",
            "must be clusters where the unit is not the citizen".into(),
        );
    }
    if protocol.randomization.method == Method::External
        && protocol.randomization.public_randomness.is_some()
    {
        fault(
            "public_randomness",
            "has no use where nothing is drawn".into(),
        );
    }
}

fn minimization<'a>(
    protocol: &Protocol,
    faults: &Faults,
    (numerator, denominator): (u32, u32),
    weights: impl Iterator<Item = &'a String>,
) {
    let arms = protocol.arms.len() as u64;
    if u64::from(numerator) * arms <= u64::from(denominator) {
        faults.add(
            "randomization.probability",
            "must lie between 1/(number of arms) and 1",
        );
    }
    if protocol.arms.iter().any(|arm| arm.ratio != 1) {
        faults.add(
            "randomization.method",
            "minimization takes equal ratios of 1 only",
        );
    }
    if protocol.stratifiers().next().is_none() {
        faults.add(
            "randomization.method",
            "minimization needs a factor with stratify = true",
        );
    }
    for name in weights {
        if !protocol.stratifiers().any(|factor| factor.id == *name) {
            faults.add(
                format!("randomization.weights.{name}"),
                "is not a factor with stratify = true",
            );
        }
    }
}

/// A unit is drawn by its own factors, and a participant belongs to the unit that the factor of the
/// same name as the protocol's `unit` names.
fn clusters(protocol: &Protocol, faults: &Faults, units: &[DrawUnit]) {
    let Some(factor) = protocol.unit_factor() else {
        faults.add(
            "unit",
            "must be caseworker or site, and a factor of this name say who belongs to which",
        );
        return;
    };
    if factor.stratify {
        let i = protocol
            .factors
            .iter()
            .position(|other| other.id == factor.id);
        faults.add(
            format!("factors[{}].stratify", i.unwrap_or_default()),
            "cannot hold for the units themselves: each is drawn once",
        );
    }
    for (i, fault) in unit_faults(protocol, units) {
        faults.add(
            format!("randomization.units[{i}].{}", fault.field),
            fault.detail,
        );
    }
}

/// What is wrong with a list of units, each with its position.
pub fn unit_faults(protocol: &Protocol, units: &[DrawUnit]) -> Vec<(usize, Invalid)> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for (i, unit) in units.iter().enumerate() {
        let mut fault = |field: &str, detail: &str| found.push((i, Invalid::new(field, detail)));
        if !seen.insert(&unit.id) {
            fault("id", "stands twice");
        }
        if let Some(factor) = protocol.unit_factor()
            && !factor.open_levels
            && !factor.levels.contains(&unit.id)
        {
            fault("id", "is not a level of the factor that names the units");
        } else if let Some(detail) = level_fault(&unit.id) {
            fault("id", detail);
        }
        for factor in protocol.stratifiers() {
            match unit.factors.get(&factor.id) {
                None => fault(&format!("factors.{}", factor.id), "is missing"),
                Some(level) if !factor.open_levels && !factor.levels.contains(level) => {
                    fault(
                        &format!("factors.{}", factor.id),
                        "is not a level of this factor",
                    );
                }
                Some(level) => {
                    if let Some(detail) = level_fault(level).filter(|_| factor.open_levels) {
                        fault(&format!("factors.{}", factor.id), detail);
                    }
                }
            }
        }
        for name in unit.factors.keys() {
            if !protocol.stratifiers().any(|factor| factor.id == *name) {
                fault(
                    &format!("factors.{name}"),
                    "is not a factor with stratify = true",
                );
            }
        }
    }
    found
}
