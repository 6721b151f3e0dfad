//! What must hold of the analysis plan: its primary estimator, margins, factors, arms and looks.

use super::{
    Better, ConfidenceSequence, Endpoint, EndpointKind, FactorKind, FamilyMethod, Futility,
    Hypothesis, Protocol, Spending,
};
use crate::document::Faults;
use crate::statistics::Alternative;
use crate::statistics::catalogue::{Asked, Entry, Gives, Options};
use crate::statistics::sequential::{PlanFault, shapes};

pub(super) fn all(protocol: &Protocol, faults: &Faults) {
    let primary = protocol.endpoint(&protocol.analysis.primary);
    match primary {
        None => faults.add("analysis.primary", "is not the id of an endpoint"),
        Some(endpoint) => primary_estimator(protocol, endpoint, faults),
    }
    let chosen =
        primary.and_then(|endpoint| Some((endpoint, protocol.primary_estimator(endpoint).ok()?)));
    margin(protocol, primary, chosen.map(|(_, entry)| entry), faults);
    if let Some((endpoint, entry)) = chosen {
        assumed_effect(protocol, endpoint, entry, faults);
        confidence_sequence(protocol, endpoint, entry, faults);
    }
    enlargement(protocol, faults);
    stops(protocol, faults);
    power(protocol, faults);
    named_factors(protocol, faults);
    costs(protocol, faults);
    family(protocol, faults);
}

fn margin(
    protocol: &Protocol,
    primary: Option<&Endpoint>,
    chosen: Option<&Entry>,
    faults: &Faults,
) {
    let plan = &protocol.analysis;
    let ratio = chosen.is_some_and(|chosen| chosen.is_ratio());
    let binary = |endpoint: &Endpoint| endpoint.kind == EndpointKind::Binary;
    if primary.is_some_and(binary)
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
            match primary.map(|endpoint| endpoint.better) {
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
        (Hypothesis::Equivalence, Some(margin)) if ratio && margin == 1.0 => {
            faults.add(
                "analysis.margin",
                "must not be 1 for a ratio: nothing lies between 1 and 1",
            );
        }
        _ => {}
    }
}

/// A size is computed for an effect on the side of the benefit: of no effect, or of the margin.
fn assumed_effect(protocol: &Protocol, endpoint: &Endpoint, entry: &Entry, faults: &Faults) {
    let plan = &protocol.analysis;
    let assumed = protocol
        .sample_size
        .as_ref()
        .and_then(|size| size.assume.as_ref());
    let Some(effect) = assumed.and_then(|assume| assume.effect) else {
        return;
    };
    let ratio = entry.is_ratio() || endpoint.counts_hazard(entry);
    let none = f64::from(u8::from(ratio));
    let null = match plan.hypothesis {
        Hypothesis::Superiority if plan.sides == 1 => none,
        Hypothesis::NonInferiority => plan.margin.unwrap_or(none),
        Hypothesis::Equivalence => {
            let margin = plan.margin.unwrap_or(f64::INFINITY);
            let within = match ratio {
                true => effect > 0.0 && effect.ln().abs() < margin.ln().abs(),
                false => effect.abs() < margin,
            };
            if !within {
                faults.add(
                    "sample_size.assume.effect",
                    "does not lie within the margins",
                );
            }
            return;
        }
        Hypothesis::Superiority => return,
    };
    let harmful = match endpoint.toward_benefit(entry) {
        Alternative::Less => effect > null,
        _ => effect < null,
    };
    if harmful {
        faults.add(
            "sample_size.assume.effect",
            format!("lies on the wrong side of {null}: it is no benefit"),
        );
    }
}

/// Bounds that hold at any size are those of shares.
fn confidence_sequence(protocol: &Protocol, endpoint: &Endpoint, entry: &Entry, faults: &Faults) {
    let Some(looks) = &protocol.analysis.looks else {
        return;
    };
    if looks.confidence_sequence == ConfidenceSequence::Asymptotic {
        return;
    }
    let share = endpoint.kind == EndpointKind::Binary
        && entry.gives == Gives::Effect
        && !entry.is_ratio()
        && entry.id != "complier_average_effect";
    let field = "analysis.looks.confidence_sequence";
    if !share {
        faults.add(field, "takes a difference of risks as the primary estimate");
    }
    if protocol.draws_units() || entry.id.ends_with("_clustered") {
        faults.add(
            field,
            "counts participants one by one: not for units that are drawn whole",
        );
    }
    let planned = protocol.sample_size.as_ref().and_then(|size| size.planned);
    if planned.is_none() {
        faults.add(field, "needs sample_size.planned, at which it is narrow");
    }
}

/// The two stages of an enlarged trial are tests of one and the same null.
fn enlargement(protocol: &Protocol, faults: &Faults) {
    let plan = &protocol.analysis;
    let looks = plan.looks.as_ref();
    let grows = looks.is_some_and(|looks| looks.reestimation.is_some());
    if grows && plan.hypothesis == Hypothesis::Equivalence {
        faults.add(
            "analysis.looks.reestimation",
            "is not for equivalence: which margin is the nearer one may change between looks",
        );
    }
}

/// Harm and binding futility are those of a trial with one side.
fn stops(protocol: &Protocol, faults: &Faults) {
    let plan = &protocol.analysis;
    let Some(looks) = &plan.looks else { return };
    let one_side = plan.sides == 1 && plan.hypothesis != Hypothesis::Equivalence;
    if looks.harm.is_some() && !one_side {
        faults.add(
            "analysis.looks.harm",
            "is for trials with one side, and not for equivalence",
        );
    }
    if looks.futility == Futility::BindingBeta && !one_side {
        faults.add(
            "analysis.looks.futility",
            "binds in trials with one side only, and not for equivalence",
        );
    }
    if looks.spending == Spending::HaybittlePeto {
        let (alpha, symmetric) = protocol.error_of_one_side();
        let z = looks.z.unwrap_or(3.0);
        let errors = [
            Some((alpha, symmetric)),
            looks.harm.map(|harm| (harm, false)),
        ];
        for (error, symmetric) in errors.into_iter().flatten() {
            let made = shapes::haybittle_peto(&looks.information, error, symmetric, z);
            if made == Err(PlanFault::Interim) {
                faults.add("analysis.looks.z", PlanFault::Interim.to_string());
            }
        }
    }
    if looks.futility == Futility::BindingBeta && looks.reestimation.is_some() {
        faults.add(
            "analysis.looks.futility",
            "cannot bind in a trial that may be enlarged",
        );
    }
}

/// The size is that at which both boundaries meet, so that beta and power are one number.
fn power(protocol: &Protocol, faults: &Faults) {
    let plan = &protocol.analysis;
    let beta = plan.looks.as_ref().and_then(|looks| looks.beta);
    if beta.is_some_and(|beta| 1.0 - beta <= plan.alpha) {
        faults.add(
            "analysis.looks.beta",
            "must leave a power above analysis.alpha",
        );
    }
    let Some(power) = protocol.sample_size.as_ref().and_then(|size| size.power) else {
        return;
    };
    if power <= plan.alpha {
        faults.add("sample_size.power", "must be above analysis.alpha");
    }
    if beta.is_some_and(|beta| (beta - (1.0 - power)).abs() > 1e-9) {
        faults.add("analysis.looks.beta", "must be 1 - sample_size.power");
    }
}

/// An endpoint that holds costs is a number.
fn costs(protocol: &Protocol, faults: &Faults) {
    for (i, endpoint) in protocol.endpoints.iter().enumerate() {
        for (j, text) in endpoint.estimators.iter().flatten().enumerate() {
            let Ok(Asked {
                entry,
                option: Some(id),
            }) = Asked::parse(text)
            else {
                continue;
            };
            let number = |id: &str| {
                let found = protocol.endpoint(id);
                found.is_some_and(|costs| costs.kind != EndpointKind::TimeToEvent)
            };
            if entry.options == Options::Endpoint && !number(id) {
                faults.add(
                    format!("endpoints[{i}].estimators[{j}]"),
                    "names no endpoint that is a number behind the colon",
                );
            }
        }
    }
}

/// The method by which the arms share the error.
fn family(protocol: &Protocol, faults: &Faults) {
    let Some(family) = &protocol.analysis.multiplicity else {
        return;
    };
    let compared: Vec<&str> = protocol.compared().map(|arm| arm.id.as_str()).collect();
    let method = "analysis.multiplicity.method";
    if compared.len() < 2 {
        faults.add(method, "needs two arms or more beside the control");
    }
    if protocol.analysis.looks.is_some() && family.method != FamilyMethod::Bonferroni {
        faults.add(method, "must be bonferroni in a trial with looks");
    }
    let graph = family.method == FamilyMethod::Graphical;
    let drawn = !family.weights.is_empty() || !family.transitions.is_empty();
    if drawn && !graph {
        faults.add(
            method,
            "must be graphical where weights or transitions are given",
        );
    }
    let mut known = true;
    let named = [
        ("weights", family.weights.keys().collect::<Vec<_>>()),
        ("transitions", family.transitions.keys().collect()),
        (
            "transitions",
            family
                .transitions
                .values()
                .flat_map(|row| row.keys())
                .collect(),
        ),
    ];
    for (key, ids) in named {
        if ids.iter().any(|id| !compared.contains(&id.as_str())) {
            known = false;
            faults.add(
                format!("analysis.multiplicity.{key}"),
                "name what is no arm beside the control",
            );
        }
    }
    if graph && family.weights.values().all(|weight| *weight == 0.0) {
        faults.add(
            "analysis.multiplicity.weights",
            "give no arm a share of the error",
        );
    }
    if graph
        && known
        && let Err(fault) = protocol.graph()
    {
        faults.add("analysis.multiplicity", fault.to_string());
    }
}

fn named_factors(protocol: &Protocol, faults: &Faults) {
    let plan = &protocol.analysis;
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
    if protocol.analysis.looks.is_some() && chosen.needs_weights() {
        faults.add(
            "analysis.estimator",
            "has no information that could be planned: its weights are not known before",
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
