//! The flow of participants, as a CONSORT diagram shows it.

use super::fact::{FactKind, body_of};
use super::{Refusal, Service};
use crate::access::{Caller, Right, Role};
use crate::analysis::flow::{Flow, Screening};

/// The flow up to now. Allocation by arm is told for the whole trial only: to a monitor, and to an
/// administrator once enrolment has ended.
pub fn run(service: &Service, caller: &Caller, trial: &str) -> Result<Flow, Refusal> {
    let trial = service.trial(caller, trial, Right::ReadFlow)?;
    let registration = trial.registered()?;
    service.store.read(|tx| {
        let last = tx.last_sequence(&trial.id)?;
        let screenings = tx
            .list_facts(&trial.id, FactKind::Screening.as_str(), last)?
            .into_iter()
            .map(|fact| Screening {
                person: fact.participant_id.unwrap_or_default(),
                failed: serde_json::from_value(body_of(&fact.record)["failed"].take())
                    .unwrap_or_default(),
            })
            .collect::<Vec<_>>();
        let enrolled = tx.list_participant_ids(&trial.id)?;
        let arms = tx.count_arms(&trial.id)?;
        let records = tx.count_facts(&trial.id, last)?;
        // While citizens are drawn, a count by arm that is asked for after each draw tells the draw.
        let shows_arms = match caller.role {
            Role::Administrator => trial.status.has_ended(),
            role => role.sees_arms(trial.status.is_open()),
        };
        let protocol = &registration.protocol;
        let mut flow = Flow::of(
            protocol,
            &screenings,
            &enrolled,
            &arms.into_iter().collect(),
            tx.count_erased_draws(&trial.id)? as u64,
        );
        if !shows_arms {
            flow.arms = None;
        }
        flow.records = Some(records);
        Ok(flow)
    })
}
