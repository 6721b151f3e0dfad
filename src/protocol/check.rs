//! What must hold between the parts of a protocol. Each rule adds its own faults.

use super::{EndpointKind, FactorKind, Protocol, SITE, check_plan, check_scheme};
use crate::document::Faults;
use std::collections::BTreeSet;

/// Checks every rule.
pub(super) fn all(protocol: &Protocol, faults: &Faults) {
    unique_ids(protocol, faults);
    arms(protocol, faults);
    factors(protocol, faults);
    check_scheme::all(protocol, faults);
    check_plan::all(protocol, faults);
}

fn unique_ids(protocol: &Protocol, faults: &Faults) {
    let check = |list: &str, ids: Vec<&str>| {
        let mut seen = BTreeSet::new();
        for (i, id) in ids.into_iter().enumerate() {
            if !seen.insert(id) {
                faults.add(format!("{list}[{i}].id"), "stands twice");
            }
        }
    };
    check(
        "arms",
        protocol.arms.iter().map(|arm| arm.id.as_str()).collect(),
    );
    check(
        "factors",
        protocol
            .factors
            .iter()
            .map(|factor| factor.id.as_str())
            .collect(),
    );
    check(
        "eligibility",
        protocol
            .eligibility
            .iter()
            .map(|rule| rule.id.as_str())
            .collect(),
    );
    check(
        "endpoints",
        protocol
            .endpoints
            .iter()
            .map(|end| end.id.as_str())
            .collect(),
    );
    // The data file of `analyse` has one column for each of these names.
    let reserved = [
        "participant",
        "arm",
        "enrolled_on",
        "enrolment_order",
        "cluster",
        "received",
        "weight",
    ];
    let of_event = |id: &str| {
        protocol.endpoints.iter().any(|other| {
            other.kind == EndpointKind::TimeToEvent && format!("{}_event", other.id) == id
        })
    };
    for (i, factor) in protocol.factors.iter().enumerate() {
        if reserved.contains(&factor.id.as_str()) || of_event(&factor.id) {
            faults.add(
                format!("factors[{i}].id"),
                "is the name of another column of data files",
            );
        }
    }
    for (i, endpoint) in protocol.endpoints.iter().enumerate() {
        if of_event(&endpoint.id) {
            faults.add(
                format!("endpoints[{i}].id"),
                "is the name of another column of data files",
            );
        }
        if reserved.contains(&endpoint.id.as_str()) || protocol.factor(&endpoint.id).is_some() {
            faults.add(
                format!("endpoints[{i}].id"),
                "is the name of another column of data files",
            );
        }
    }
}

fn arms(protocol: &Protocol, faults: &Faults) {
    if !(2..=20).contains(&protocol.arms.len()) {
        faults.add("arms", "must list from 2 to 20 arms");
    }
    if protocol.arms.iter().filter(|arm| arm.control).count() != 1 {
        faults.add("arms", "must have exactly one arm with control = true");
    }
}

fn factors(protocol: &Protocol, faults: &Faults) {
    for (i, factor) in protocol.factors.iter().enumerate() {
        let fault = |key: &str, detail: &str| faults.add(format!("factors[{i}].{key}"), detail);
        match factor.kind {
            FactorKind::Number => {
                if factor.stratify {
                    fault(
                        "stratify",
                        "cannot hold for a number: numbers never enter the draw",
                    );
                }
                if !factor.levels.is_empty() || factor.open_levels {
                    fault("levels", "cannot be given for a number");
                }
            }
            FactorKind::Level if factor.open_levels && !factor.levels.is_empty() => {
                fault("levels", "cannot be listed where open_levels is true");
            }
            FactorKind::Level if !factor.open_levels && factor.levels.is_empty() => {
                fault("levels", "must be listed, or open_levels be true");
            }
            FactorKind::Level => {}
        }
        if factor.id == SITE && factor.kind != FactorKind::Level {
            fault("kind", "cannot be number: the site scopes who may see what");
        }
        if factor
            .levels
            .iter()
            .any(|level| level.starts_with(['=', '+', '-', '@']))
        {
            fault(
                "levels",
                "must not begin with =, +, - or @, which spreadsheets run as formulas",
            );
        }
        let distinct: BTreeSet<_> = factor.levels.iter().collect();
        if distinct.len() != factor.levels.len() {
            fault("levels", "hold a level twice");
        }
    }
}
