//! The document of an analysis as one page of HTML that needs nothing else.

use super::numbers::{aim, counts, endpoint_label, estimate, test};
use crate::analysis::Document;
use crate::analysis::document::Entry;
use crate::analysis::flow::Flow;
use crate::protocol::Protocol;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:70rem;margin:2rem auto;padding:0 1rem;color:#1b1b1b}\
table{border-collapse:collapse;width:100%;margin:.5rem 0 1.5rem}th,td{text-align:left;padding:.3rem .6rem;border-bottom:1px solid #ddd;vertical-align:top}\
th{font-weight:600}.primary{background:#eef5ee}.warning{color:#8a4b00}small{color:#555}";

/// The whole document as a page.
pub fn html(protocol: &Protocol, document: &Document) -> String {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (protocol.title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (protocol.title) }
                (flow(&document.flow))
                @for group in document.estimates.chunk_by(|a, b| a.endpoint == b.endpoint) {
                    h2 { (endpoint_label(protocol, &group[0].endpoint)) }
                    (table(group))
                }
                @for warning in &document.warnings { p.warning { (warning) } }
                p { small {
                    (document.data.rows) " participants. Data " code { (document.data.digest) }
                    ". Protocol " code { (document.protocol.digest) } ". "
                    (document.software.name) " " (document.software.version)
                    ". The primary estimate is shaded; the analysis set is as randomized."
                } }
            }
        }
    };
    page.into_string()
}

fn flow(flow: &Flow) -> Markup {
    html! {
        h2 { "Flow of participants" }
        table {
            @if let Some(assessed) = flow.assessed { tr { th { "Assessed for eligibility" } td { (assessed) } } }
            @if let Some(excluded) = &flow.excluded {
                tr { th { "Excluded" } td { (excluded.n) } }
                @for reason in &excluded.reasons { tr { td { (reason.reason) } td { (reason.n) } } }
            }
            tr { th { "Randomized" } td { (flow.randomized) } }
            @for arm in flow.arms.iter().flatten() { tr { td { (arm.label) } td { (arm.n) } } }
        }
    }
}

fn table(entries: &[Entry]) -> Markup {
    html! {
        table {
            thead { tr { th { "Estimator" } th { "Arm" } th { "Estimate" } th { "Test" } th { "Counts" } } }
            tbody {
                @for entry in entries {
                    tr.primary[entry.primary] {
                        td { code { (entry.estimator) } }
                        td {
                            (entry.arm.as_deref().unwrap_or("all arms"))
                            @if let Some(reference) = &entry.reference { " against " (reference) }
                        }
                        td { (estimate(entry)) }
                        td { (test(entry)) @if let Some(aim) = aim(entry) { br; (aim) } }
                        td {
                            (counts(entry))
                            @for warning in &entry.warnings { br; span.warning { (warning) } }
                        }
                    }
                }
            }
        }
    }
}
