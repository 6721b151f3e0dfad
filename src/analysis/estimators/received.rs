//! What was received, beside what was drawn.

use super::{Comparison, Made, as_numbers};
use crate::analysis::columns::{Received, Values};
use crate::statistics::catalogue::{self, Asked};
use crate::statistics::regression::{Compliance, complier_average_effect};
use crate::statistics::{Fault, Question};

impl Comparison<'_> {
    fn received(&self) -> Result<&[Received], Fault> {
        self.dataset.received.as_deref().ok_or(Fault::NoReceived)
    }

    pub(super) fn complier_average_effect(&self, question: &Question) -> Result<Made, Fault> {
        let received = self.received()?;
        let numbers = as_numbers(&self.dataset.endpoints[&self.endpoint.id]);
        let both: Vec<Option<(f64, f64)>> = numbers
            .iter()
            .zip(received)
            .map(|(y, received)| {
                let share = match received {
                    Received::Unknown => return None,
                    Received::Nothing => 0.0,
                    Received::Arm(arm) => f64::from(u8::from(*arm == self.arm)),
                };
                Some((((*y)?), share))
            })
            .collect();
        let (arm, reference) = self.split(&both);
        let lost = self.split(&numbers);
        let lost = lost.0.len() + lost.1.len() - arm.len() - reference.len();
        let Compliance {
            mut estimate,
            anderson_rubin,
            first_stage_f,
        } = complier_average_effect(&arm, &reference, question)?;
        if lost > 0 {
            estimate.warnings.push(format!(
                "{lost} participants of whom nobody knows what they received are left out"
            ));
        }
        let made =
            Made::of("complier_average_effect", estimate).with("first_stage_f", first_stage_f);
        Ok(match anderson_rubin {
            Some((lower, upper)) => made
                .with("anderson_rubin_lower", lower)
                .with("anderson_rubin_upper", upper),
            None => {
                let mut made = made;
                made.estimate
                    .warnings
                    .push("the limits of Anderson and Rubin have no end".into());
                made
            }
        })
    }

    /// Only those who received what was drawn.
    pub(super) fn per_protocol(&self, question: &Question) -> Result<Made, Fault> {
        let received = self.received()?;
        let groups: Vec<Option<usize>> = self
            .groups
            .iter()
            .zip(received)
            .map(|(arm, received)| {
                arm.filter(|arm| match received {
                    Received::Arm(got) => got == arm,
                    // An arm that offers nothing is received by receiving nothing.
                    Received::Nothing => {
                        *arm == self.reference && self.protocol.arms[*arm].channels.is_empty()
                    }
                    Received::Unknown => false,
                })
            })
            .collect();
        self.regrouped(
            &groups,
            "only those who received what was drawn: the groups were not randomized; read it beside the \
             as-randomized estimate",
            question,
        )
    }

    /// By what was received.
    pub(super) fn as_treated(&self, question: &Question) -> Result<Made, Fault> {
        let received = self.received()?;
        let groups: Vec<Option<usize>> = received
            .iter()
            .map(|received| match received {
                Received::Arm(arm) => Some(*arm),
                _ => None,
            })
            .collect();
        self.regrouped(
            &groups,
            "by what was received: the groups were not randomized; read it beside the as-randomized \
             estimate",
            question,
        )
    }

    fn regrouped(
        &self,
        groups: &[Option<usize>],
        warning: &str,
        question: &Question,
    ) -> Result<Made, Fault> {
        let comparison = Comparison {
            groups,
            ..self.clone()
        };
        let asked = self.plain();
        // The plain estimator has its own null and its own direction of benefit.
        let question = Question {
            level: question.level,
            ..crate::analysis::plan::question(self.protocol, self.endpoint, asked.entry, false)
        };
        let mut made = comparison.make(&asked, &question)?;
        let n = comparison.rows().len();
        made.estimate.warnings.push(warning.to_owned());
        made.question = Some(question);
        Ok(made.with("n_analysed", n).with("by", asked.entry.id))
    }

    /// The plain estimator of the endpoint's kind, for subgroups and other groupings.
    pub(in crate::analysis) fn plain(&self) -> Asked<'static> {
        let id = match &self.dataset.endpoints[&self.endpoint.id] {
            Values::Binary(_) => "risk_difference_miettinen_nurminen",
            Values::Time(_) => "cox",
            Values::Number(_) => "difference_in_means_welch",
        };
        Asked {
            entry: catalogue::find(id).expect("is in the catalogue"),
            option: None,
        }
    }
}
