//! Several arms against one control: the primary p-values adjusted, and simultaneous limits.

use super::document::{Confidence, Entry};
use super::plan::{Run, primary_asked, question};
use crate::protocol::{FamilyMethod, Hypothesis, Protocol};
use crate::statistics::multiplicity::{Method, adjust};
use crate::statistics::{Alternative, Question};
use serde::Serialize;
use std::collections::BTreeMap;

/// The primary comparisons as one family.
#[derive(Debug, Clone, Serialize)]
pub struct Multiplicity {
    pub endpoint: String,
    /// The method that counts; null where the protocol plans none.
    pub planned: Option<FamilyMethod>,
    pub comparisons: Vec<Comparison>,
}

/// One comparison of the family.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    pub arm: String,
    pub p_value: f64,
    /// Adjusted p-values by method.
    pub adjusted: BTreeMap<&'static str, f64>,
    /// Whether the planned method rejects, and the estimate (where there is one) lies on the side of the benefit; null
    /// without a method, and at looks, whose boundaries decide.
    pub shown: Option<bool>,
    /// Limits that hold for all comparisons together (Bonferroni).
    pub simultaneous: Option<Confidence>,
}

/// None where a single arm is compared, or an arm has no p-value.
pub(super) fn of(run: &Run, entries: &[Entry]) -> Option<Multiplicity> {
    let primary: Vec<&Entry> = entries.iter().filter(|entry| entry.primary).collect();
    let p: Vec<f64> = primary
        .iter()
        .map(|entry| entry.p_value)
        .collect::<Option<_>>()?;
    if p.len() < 2 {
        return None;
    }
    let plan = &run.protocol.analysis;
    let planned = plan.multiplicity.as_ref().map(|family| family.method);
    let mut adjusted: Vec<(&'static str, Vec<f64>)> = Method::ALL
        .iter()
        .map(|method| Some((method.as_str(), adjust(&p, *method).ok()?)))
        .collect::<Option<_>>()?;
    if planned == Some(FamilyMethod::Graphical) {
        adjusted.push((FamilyMethod::Graphical.as_str(), by_plan(run.protocol, &p)?));
    }
    let counting = match plan.looks {
        Some(_) => None,
        None => by_plan(run.protocol, &p),
    };
    let comparisons = primary
        .iter()
        .enumerate()
        .map(|(i, entry)| Comparison {
            arm: entry.arm.clone().unwrap_or_default(),
            p_value: p[i],
            adjusted: adjusted.iter().map(|(method, p)| (*method, p[i])).collect(),
            shown: counting
                .as_ref()
                .map(|p| p[i] <= plan.alpha && beneficial(run.protocol, entry)),
            simultaneous: simultaneous(run, entry, p.len()),
        })
        .collect();
    Some(Multiplicity {
        endpoint: primary[0].endpoint.clone(),
        planned,
        comparisons,
    })
}

/// Whether the estimate lies on the side of the benefit of its null; a test without an estimate has no side.
fn beneficial(protocol: &Protocol, entry: &Entry) -> bool {
    let endpoint = protocol.endpoint(&entry.endpoint);
    let known = endpoint.and_then(|e| Some((e, protocol.primary_estimator(e).ok()?)));
    let (Some((endpoint, known)), Some(estimate), Some(null)) = (known, entry.estimate, entry.null)
    else {
        return true;
    };
    match protocol.analysis.hypothesis {
        // The nearer margin is reported, and p speaks of both.
        Hypothesis::Equivalence => true,
        _ => match endpoint.toward_benefit(known) {
            Alternative::Less => estimate < null,
            _ => estimate > null,
        },
    }
}

/// The p-values of the compared arms, adjusted by the planned method; none where none is planned.
pub fn by_plan(protocol: &Protocol, p: &[f64]) -> Option<Vec<f64>> {
    let method = protocol.analysis.multiplicity.as_ref()?.method;
    match Method::parse(method.as_str()) {
        Some(method) => adjust(p, method).ok(),
        None => protocol.graph().ok()?.adjust(p).ok(),
    }
}

fn simultaneous(run: &Run, entry: &Entry, family: usize) -> Option<Confidence> {
    let endpoint = run.protocol.endpoint(&entry.endpoint)?;
    let asked = primary_asked(run.protocol, endpoint)?;
    if asked.entry.id == "randomization_test" {
        return None;
    }
    let arm = run.protocol.arm_index(entry.arm.as_deref()?)?;
    let usual = question(run.protocol, endpoint, asked.entry, true);
    let level = 1.0 - (1.0 - usual.level) / family as f64;
    let wider = Question { level, ..usual };
    let made = run.comparison(endpoint, arm).make(&asked, &wider).ok()?;
    let (lower, upper) = made.estimate.limits?;
    Some(Confidence {
        level,
        lower,
        upper,
    })
}
