//! Export a data cut. While the trial is blinded only a monitor's export shows the arms.

use super::fact::{Draft, FactKind};
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::analysis::export::{DataSet, to_csv};
use crate::analysis::facts::CutData;
use serde_json::json;

/// An export that shows the arms is a look, like an analysis: it is written to the ledger first.
fn note_look(
    service: &Service,
    caller: &Caller,
    trial: &str,
    data_cut: i64,
    set: DataSet,
) -> Result<(), Refusal> {
    service.store.write(|tx| {
        tx.lock_trial_shared(trial)?;
        if tx.find_cut(trial, data_cut)?.is_none() {
            return Err(Refusal::field(
                "data_cut",
                "is not a data cut of this trial",
            ));
        }
        let body = json!({"export": set, "data_cut": data_cut});
        let fact = Draft::of_trial(FactKind::Look, body);
        let number = tx.take_sequence(trial, 1)?;
        let sealed = fact.seal(service, caller, service.clock.now());
        Ok(tx.insert_facts(trial, number, vec![sealed])?)
    })
}

/// A data set of a cut as CSV.
pub fn run(
    service: &Service,
    caller: &Caller,
    trial: &str,
    data_cut: i64,
    set: DataSet,
) -> Result<String, Refusal> {
    let known = service.trial(caller, trial, Right::Export)?;
    let registration = known.registered()?;
    let sees_arms = caller.role.sees_arms(known.status.is_open());
    // Rows of conversations show who was met how often, and so the attendance.
    if !sees_arms && set == DataSet::Conversations {
        return Err(Refusal::NotFound("data set before unblinding"));
    }
    if sees_arms && set != DataSet::Dictionary {
        note_look(service, caller, trial, data_cut, set)?;
    }
    let data = service.store.read(|tx| {
        if tx.find_cut(trial, data_cut)?.is_none() {
            return Err(Refusal::field(
                "data_cut",
                "is not a data cut of this trial",
            ));
        }
        Ok(CutData::load(tx, trial, data_cut)?)
    })?;
    let mut data = data;
    if !sees_arms {
        // Under other ids: those who enrol know arms by the participant's own.
        let blinded = |id: &mut String| *id = service.blinded_id(trial, id);
        data.participants
            .iter_mut()
            .for_each(|p| blinded(&mut p.id));
        data.outcomes
            .iter_mut()
            .for_each(|o| blinded(&mut o.participant));
    }
    to_csv(&registration.protocol, &data, set, sees_arms)
        .map_err(|fault| Refusal::Internal(fault.to_string()))
}
