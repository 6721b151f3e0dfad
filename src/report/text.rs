//! The document of an analysis as text for a terminal.

use super::numbers::{aim, counts, endpoint_label, estimate, test};
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
        for warning in &entry.warnings {
            let _ = writeln!(out, "      ! {warning}");
        }
    }
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
