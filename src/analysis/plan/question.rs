//! What is asked of an estimate: its null, its alternative, its level.

use crate::analysis::estimators::{Comparison, Made};
use crate::protocol::{Endpoint, Hypothesis, Protocol};
use crate::statistics::catalogue::{self, Asked};
use crate::statistics::{Alternative, Fault, Question};

/// The question of a comparison: the primary one is held against the margin, every other against no
/// difference.
pub(in crate::analysis) fn question(
    protocol: &Protocol,
    endpoint: &Endpoint,
    known: &catalogue::Entry,
    primary: bool,
) -> Question {
    let analysis = &protocol.analysis;
    let against_margin = primary && analysis.hypothesis == Hypothesis::NonInferiority;
    Question {
        level: analysis.confidence_level(),
        null: if against_margin {
            analysis.margin.unwrap_or_default()
        } else {
            // A ratio of 1 is no difference.
            f64::from(u8::from(known.is_ratio()))
        },
        alternative: if analysis.sides == 1 {
            endpoint.toward_benefit(known)
        } else {
            Alternative::TwoSided
        },
    }
}

/// Two one-sided tests (Schuirmann 1987): the one that speaks less against its null is reported.
pub(super) fn two_one_sided(
    comparison: &Comparison,
    asked: &Asked,
    margin: f64,
    question: &Question,
) -> Result<(Made, Question), Fault> {
    let (low, high) = match asked.entry.is_ratio() {
        true => (margin.min(1.0 / margin), margin.max(1.0 / margin)),
        false => (-margin, margin),
    };
    let below = Question {
        null: low,
        alternative: Alternative::Greater,
        ..*question
    };
    let above = Question {
        null: high,
        alternative: Alternative::Less,
        ..*question
    };
    let against_below = comparison.make(asked, &below)?;
    let against_above = comparison.make(asked, &above)?;
    let (mut made, reported) = if against_below.estimate.p_value >= against_above.estimate.p_value {
        (against_below, below)
    } else {
        (against_above, above)
    };
    made.estimate.warnings.push(format!(
        "two one-sided tests against {low} and {high}: the larger p-value is given"
    ));
    Ok((made, reported))
}
