//! Operating characteristics as text.

use super::numbers::short;
use crate::simulation::{Operating, Share, Simulated};
use std::fmt::Write;

/// The whole answer. Writing to a text cannot fail, so the results of `write!` are let go.
pub fn simulation(simulated: &Simulated) -> String {
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{}: {} trials of {} participants under each effect (standard errors in brackets)",
        simulated.protocol, simulated.trials, simulated.planned
    );
    out.push_str(&part(
        "Under the null",
        "type I error",
        &simulated.under_null,
    ));
    out.push_str(&part("Under the effect", "power", &simulated.under_effect));
    for warning in &simulated.warnings {
        let _ = writeln!(out, "! {warning}");
    }
    out
}

fn part(title: &str, success: &str, operating: &Operating) -> String {
    let mut out = String::new();
    let truth = operating.truth.map_or("no single number".into(), short);
    let _ = writeln!(
        out,
        "\n{title}: effect of receiving {}, of being drawn {truth}",
        short(operating.effect)
    );
    let share = |share: &Share| format!("{:.4} ({:.4})", share.share, share.standard_error);
    let mut line = |name: &str, value: String| {
        let _ = writeln!(out, "  {name:<34} {value}");
    };
    line(success, share(&operating.success));
    line("stopped early", share(&operating.stopped_early));
    if operating.futility.share > 0.0 {
        line("stopped for futility", share(&operating.futility));
    }
    if operating.harm.share > 0.0 {
        line("stopped in the opposite direction", share(&operating.harm));
    }
    if operating.stopped_at.len() > 1 {
        let at: Vec<String> = operating
            .stopped_at
            .iter()
            .map(|share| format!("{:.4}", share.share))
            .collect();
        line("stopped at look", at.join(", "));
    }
    for (name, mean) in [
        ("participants", &operating.participants),
        ("weeks", &operating.weeks),
        ("bias of the estimate", &operating.bias),
        (
            "bias of the median-unbiased one",
            &operating.bias_median_unbiased,
        ),
    ] {
        if let Some(mean) = mean {
            line(
                name,
                format!("{} ({})", short(mean.mean), short(mean.standard_error)),
            );
        }
    }
    for (name, coverage) in [
        ("coverage of a fixed interval", &operating.coverage_fixed),
        ("coverage after the stop", &operating.coverage_after_stop),
        ("coverage at every look", &operating.coverage_always_valid),
    ] {
        if let Some(coverage) = coverage {
            line(name, share(coverage));
        }
    }
    if operating.without_estimate > 0 {
        line(
            "trials without an estimate",
            operating.without_estimate.to_string(),
        );
    }
    out
}
