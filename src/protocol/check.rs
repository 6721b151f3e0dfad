//! What must hold between the parts of a protocol. Each rule adds its own faults.

use super::{EndpointKind, FactorKind, Hypothesis, Protocol, SITE, check_scheme};
use crate::document::Faults;
use crate::protocol::{Better, Endpoint};
use crate::statistics::catalogue::Gives;
use std::collections::BTreeSet;

/// Checks every rule.
pub(super) fn all(protocol: &Protocol, faults: &Faults) {
    unique_ids(protocol, faults);
    arms(protocol, faults);
    factors(protocol, faults);
    check_scheme::all(protocol, faults);
    plan(protocol, faults);
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

fn plan(protocol: &Protocol, faults: &Faults) {
    let plan = &protocol.analysis;
    match protocol.endpoint(&plan.primary) {
        None => faults.add("analysis.primary", "is not the id of an endpoint"),
        Some(endpoint) => primary_estimator(protocol, endpoint, faults),
    }
    let ratio = protocol
        .endpoint(&plan.primary)
        .and_then(|endpoint| protocol.primary_estimator(endpoint).ok())
        .is_some_and(|chosen| chosen.is_ratio());
    let binary = |endpoint: &Endpoint| endpoint.kind == EndpointKind::Binary;
    if protocol.endpoint(&plan.primary).is_some_and(binary)
        && plan.margin.is_some_and(|margin| margin.abs() >= 1.0)
        && !ratio
    {
        faults.add(
            "analysis.margin",
            "must lie between -1 and 1 for a difference of risks",
        );
    }
    if ratio && plan.margin.is_some_and(|margin| margin <= 0.0) {
        faults.add("analysis.margin", "must be above 0 for a ratio");
    }
    match (plan.hypothesis, plan.margin) {
        (Hypothesis::Superiority, _) => {}
        (_, None) => faults.add("analysis.margin", "is missing for this hypothesis"),
        (Hypothesis::NonInferiority, Some(margin)) => {
            // A margin on the side of benefit would be superiority by that much.
            let better = protocol
                .endpoint(&plan.primary)
                .map(|endpoint| endpoint.better);
            match better {
                Some(Better::Higher) if !ratio && margin > 0.0 => {
                    faults.add(
                        "analysis.margin",
                        "must not be above 0 where higher is better",
                    );
                }
                Some(Better::Lower) if !ratio && margin < 0.0 => {
                    faults.add(
                        "analysis.margin",
                        "must not be below 0 where lower is better",
                    );
                }
                _ => {}
            }
        }
        (Hypothesis::Equivalence, Some(margin)) if margin <= 0.0 => {
            faults.add("analysis.margin", "must be above 0 for equivalence");
        }
        _ => {}
    }
    for (i, id) in plan.adjust_for.iter().enumerate() {
        if protocol
            .factor(id)
            .is_none_or(|factor| factor.kind != FactorKind::Number)
        {
            faults.add(
                format!("analysis.adjust_for[{i}]"),
                "is not a factor of kind number",
            );
        }
    }
    for (i, id) in plan.strata.iter().flatten().enumerate() {
        if protocol
            .factor(id)
            .is_none_or(|factor| factor.kind != FactorKind::Level)
        {
            faults.add(
                format!("analysis.analysis_strata[{i}]"),
                "is not a factor with levels",
            );
        }
    }
}

/// The primary estimator compares arms, and gives an effect where a margin is to be held against it.
fn primary_estimator(protocol: &Protocol, endpoint: &Endpoint, faults: &Faults) {
    let chosen = match protocol.primary_estimator(endpoint) {
        Ok(chosen) => chosen,
        Err(detail) => return faults.add("analysis.estimator", detail),
    };
    match chosen.gives {
        Gives::Effect | Gives::Test => {}
        Gives::Curve => faults.add(
            "analysis.estimator",
            "describes one arm: it compares nothing",
        ),
        Gives::Bounds | Gives::Regrouped | Gives::Subgroups => faults.add(
            "analysis.estimator",
            "gives no single effect of the arms as drawn",
        ),
    }
    if ["breslow_day_tarone", "cost_effectiveness"].contains(&chosen.id) {
        faults.add(
            "analysis.estimator",
            "does not test whether the arms differ",
        );
    }
    let no_z = ["randomization_test", "gray_test", "fisher_exact"];
    if protocol.analysis.looks.is_some() && no_z.contains(&chosen.id) {
        faults.add(
            "analysis.estimator",
            "gives no z that a boundary could be held against",
        );
    }
    if chosen.id == "complier_average_effect"
        && protocol.analysis.hypothesis != Hypothesis::Superiority
    {
        faults.add("analysis.estimator", "cannot be held against a margin");
    }
    if chosen.gives == Gives::Test && protocol.analysis.hypothesis != Hypothesis::Superiority {
        let detail = format!(
            "{} is a test without an effect to hold against a margin",
            chosen.id
        );
        faults.add("analysis.estimator", detail);
    }
}
