//! The document of an analysis as text for a terminal.

use super::numbers::{
    adjusted, aim, by_arm, counts, details, endpoint_label, enlarged, estimate, interval, p_value,
    planned, short, shown, test,
};
use crate::analysis::Document;
use crate::analysis::flow::Flow;
use crate::protocol::Protocol;
use std::fmt::Write;

/// The whole document. Writing to a text cannot fail, so the results of `write!` are let go.
pub fn text(protocol: &Protocol, document: &Document) -> String {
    let mut out = String::new();
    let _ = writeln!(out, "{}\n", protocol.title);
    out.push_str(&flow(&document.flow));
    let mut endpoint = "";
    for entry in &document.estimates {
        if entry.endpoint != endpoint {
            endpoint = &entry.endpoint;
            let _ = writeln!(out, "\n{}", endpoint_label(protocol, endpoint));
        }
        let who = match (&entry.arm, &entry.reference) {
            (Some(arm), Some(reference)) => format!("{arm} against {reference}"),
            (Some(arm), None) => arm.clone(),
            (None, _) => "all arms".into(),
        };
        let mark = if entry.primary { "* " } else { "  " };
        let _ = writeln!(out, "{mark}{} ({who})", entry.estimator);
        let _ = writeln!(out, "      {}", estimate(entry));
        for line in [test(entry), aim(entry).unwrap_or_default(), counts(entry)] {
            if !line.is_empty() {
                let _ = writeln!(out, "      {line}");
            }
        }
        for line in details(entry) {
            let _ = writeln!(out, "      {line}");
        }
        for warning in &entry.warnings {
            let _ = writeln!(out, "      ! {warning}");
        }
    }
    out.push_str(&several_arms(document));
    out.push_str(&looks(document));
    out.push_str(&subgroups(document));
    out.push_str(&numbers_of_the_draw(document));
    out.push('\n');
    for warning in &document.warnings {
        let _ = writeln!(out, "! {warning}");
    }
    let _ = writeln!(
        out,
        "* primary estimate; analysis set as randomized\n{} participants, data {}\nprotocol {}\n{} {}",
        document.data.rows,
        document.data.digest,
        document.protocol.digest,
        document.software.name,
        document.software.version,
    );
    out
}

/// The primary p-values of several arms, adjusted.
fn several_arms(document: &Document) -> String {
    let mut out = String::new();
    let Some(several) = &document.multiplicity else {
        return out;
    };
    let _ = writeln!(
        out,
        "\n{}: p-values adjusted for several arms ({})",
        several.endpoint,
        planned(several)
    );
    for comparison in &several.comparisons {
        let _ = writeln!(
            out,
            "  {}: p {}{}; {}",
            comparison.arm,
            p_value(comparison.p_value),
            shown(comparison),
            adjusted(comparison)
        );
    }
    out
}

/// What the plan of looks makes of the primary estimate.
fn looks(document: &Document) -> String {
    let mut out = String::new();
    let Some(sequential) = &document.sequential else {
        return out;
    };
    let look = sequential
        .look
        .map_or("no planned look".into(), |look| format!("look {look}"));
    let _ = writeln!(
        out,
        "\nLooks ({}, {look} of {})",
        sequential.spending,
        sequential.planned.len()
    );
    for at in &sequential.arms {
        let part = |name: &str, value: Option<f64>| {
            value.map_or(String::new(), |value| format!("  {name} {}", short(value)))
        };
        let _ = writeln!(
            out,
            "  {}{}{}{}{}",
            at.arm,
            part("information fraction", at.fraction),
            part("z", at.weighted_z.or(at.z)),
            part(
                "boundary",
                at.boundary.as_ref().map(|boundary| boundary.upper)
            ),
            at.decision
                .map_or(String::new(), |decision| format!("  {decision}")),
        );
        let intervals = [
            ("holds at all looks", at.repeated_confidence),
            (
                "after the stop",
                at.after_stop.as_ref().and_then(|after| after.confidence),
            ),
            ("holds at any moment", at.always_valid),
        ];
        for (name, limits) in intervals {
            if let Some(limits) = limits {
                let _ = writeln!(out, "      {name}: {}", interval(&limits));
            }
        }
        if let Some(z) = at.weighted_z {
            let _ = writeln!(
                out,
                "      z with the stages weighed as planned: {}",
                short(z)
            );
        }
        if let Some(after) = &at.after_stop {
            let _ = writeln!(out, "      p after the stop: {}", p_value(after.p_value));
        }
        if let Some(advice) = &at.reestimation {
            let _ = writeln!(out, "      {}", enlarged(advice));
        }
        if let Some(chances) = &at.chances {
            let _ = writeln!(
                out,
                "      chance of success later: {} on the trend, {} predictive",
                short(chances.conditional_power_trend),
                short(chances.predictive_power)
            );
        }
        for warning in at.warnings.iter() {
            let _ = writeln!(out, "      ! {warning}");
        }
    }
    for warning in &sequential.warnings {
        let _ = writeln!(out, "  ! {warning}");
    }
    out
}

fn subgroups(document: &Document) -> String {
    let mut out = String::new();
    for group in &document.subgroups {
        let _ = writeln!(
            out,
            "\n{} by {} ({}, {} against {})",
            group.endpoint, group.factor, group.estimator, group.arm, group.reference
        );
        for level in &group.levels {
            let told = match (level.estimate, &level.confidence) {
                _ if level.suppressed => "too few to be told".into(),
                (Some(estimate), Some(limits)) => {
                    format!("{} ({})", short(estimate), interval(limits))
                }
                _ => "not estimated".into(),
            };
            let _ = writeln!(out, "  {:<28} {told}", level.level);
        }
        if let Some(test) = &group.interaction {
            let _ = writeln!(
                out,
                "  interaction: Q {}, df {}, p {}",
                short(test.q),
                test.df,
                p_value(test.p_value)
            );
        }
    }
    out
}

fn numbers_of_the_draw(document: &Document) -> String {
    let mut out = String::new();
    if !document.sample_ratio.is_empty() {
        out.push_str("\nNumbers of the arms against the trial's own re-draws\n");
    }
    for ratio in &document.sample_ratio {
        let _ = writeln!(
            out,
            "  {}: {}, p {}",
            ratio.of,
            by_arm(&ratio.n),
            p_value(ratio.p_value)
        );
    }
    out
}

/// The flow of participants.
pub fn flow(flow: &Flow) -> String {
    let mut out = String::new();
    if let (Some(assessed), Some(excluded)) = (flow.assessed, &flow.excluded) {
        let _ = writeln!(out, "Assessed for eligibility {assessed:>9}");
        let _ = writeln!(out, "  excluded               {:>9}", excluded.n);
        for reason in excluded.reasons.iter().filter(|reason| reason.n > 0) {
            let _ = writeln!(out, "    {:>6}  {}", reason.n, reason.reason);
        }
    }
    let _ = writeln!(out, "Randomized               {:>9}", flow.randomized);
    for arm in flow.arms.iter().flatten() {
        let _ = writeln!(out, "  {:>8}  {}", arm.n, arm.label);
    }
    out
}
