//! The document of an analysis as one page of HTML that needs nothing else.

use super::numbers::{
    adjusted, aim, by_arm, counts, details, endpoint_label, enlarged, estimate, interval, p_value,
    planned, short, shown, test,
};
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
                (several_arms(document))
                (looks(document))
                (subgroups(document))
                (numbers_of_the_draw(document))
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

/// The primary p-values of several arms, adjusted.
fn several_arms(document: &Document) -> Markup {
    html! {
        @if let Some(several) = &document.multiplicity {
            h2 { (several.endpoint) ": several arms (" (planned(several)) ")" }
            table {
                thead { tr { th { "Arm" } th { "p" } th { "Adjusted p" } th { "Simultaneous limits" } } }
                tbody {
                    @for comparison in &several.comparisons {
                        tr {
                            td { (comparison.arm) }
                            td { (p_value(comparison.p_value)) (shown(comparison)) }
                            td { (adjusted(comparison)) }
                            td { @if let Some(limits) = &comparison.simultaneous { (interval(limits)) } }
                        }
                    }
                }
            }
        }
    }
}

fn numbers_of_the_draw(document: &Document) -> Markup {
    html! {
        @if !document.sample_ratio.is_empty() {
            h2 { "Numbers of the arms against the trial's own re-draws" }
            table {
                thead { tr { th { "Group" } th { "Participants" } th { "p" } } }
                tbody {
                    @for ratio in &document.sample_ratio {
                        tr { td { (ratio.of) } td { (by_arm(&ratio.n)) } td { (p_value(ratio.p_value)) } }
                    }
                }
            }
        }
    }
}

/// What the plan of looks makes of the primary estimate.
fn looks(document: &Document) -> Markup {
    let told = |value: Option<f64>| value.map_or(String::new(), short);
    html! {
        @if let Some(sequential) = &document.sequential {
            h2 { "Looks" }
            table {
                thead { tr { th { "Arm" } th { "Information fraction" } th { "z" } th { "Boundary" } th { "Decision" } th { "Interval at any moment" } } }
                tbody {
                    @for at in &sequential.arms {
                        tr {
                            td { (at.arm) }
                            td { (told(at.fraction)) }
                            td {
                                (told(at.z))
                                @if let Some(z) = at.weighted_z { br; (short(z)) " by planned weights" }
                            }
                            td { (told(at.boundary.as_ref().map(|boundary| boundary.upper))) }
                            td { @if let Some(decision) = at.decision { (decision) } }
                            td {
                                @if let Some(limits) = &at.always_valid { (interval(limits)) }
                                @if let Some(advice) = &at.reestimation { br; (enlarged(advice)) }
                                @for warning in &at.warnings { br; span.warning { (warning) } }
                            }
                        }
                    }
                }
            }
            @for warning in &sequential.warnings { p.warning { (warning) } }
        }
    }
}

fn subgroups(document: &Document) -> Markup {
    html! {
        @for group in &document.subgroups {
            h2 { (group.endpoint) " by " (group.factor) }
            table {
                thead { tr { th { "Level" } th { "Estimate (" (group.arm) " against " (group.reference) ")" } } }
                tbody {
                    @for level in &group.levels {
                        tr {
                            td { (level.level) }
                            td {
                                @match (level.estimate, &level.confidence) {
                                    (Some(estimate), Some(limits)) => { (short(estimate)) " (" (interval(limits)) ")" }
                                    _ if level.suppressed => { "too few to be told" }
                                    _ => { "not estimated" }
                                }
                            }
                        }
                    }
                }
            }
            @if let Some(test) = &group.interaction { p { "Interaction: Q " (short(test.q)) ", df " (test.df) ", p " (p_value(test.p_value)) "." } }
        }
    }
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
                        td {
                            (test(entry))
                            @if let Some(aim) = aim(entry) { br; (aim) }
                            @for line in details(entry) { br; small { (line) } }
                        }
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
