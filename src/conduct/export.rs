//! Export a data cut. While the trial is blinded only a monitor's export shows the arms.

use super::blinding::{self, OfCut};
use super::fact::{Draft, FactKind};
use super::load_cut::load_cut;
use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::analysis::blinded::{self, Outcome};
use crate::analysis::export::{DataSet, to_blinded_csv, to_csv};
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
        Draft::of_trial(FactKind::Look, body).append(tx, service, trial, caller)?;
        Ok(())
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
    if !caller.role.sees_arms(known.status.is_open()) {
        // Rows of conversations show who was met how often, and so the attendance.
        if set == DataSet::Conversations {
            return Err(Refusal::NotFound("data set before unblinding"));
        }
        let admitted = blinding::admit(service, caller, &known, data_cut)?;
        let of_cut = OfCut {
            service,
            trial,
            data_cut,
        };
        let text = to_blinded_csv(
            &registration.protocol,
            &admitted.data,
            &admitted.dataset,
            set,
            &of_cut,
            service.config.blinding.smallest_cell,
        );
        return text.ok_or(Refusal::NotFound("data set before unblinding"));
    }
    if set != DataSet::Dictionary {
        note_look(service, caller, trial, data_cut, set)?;
    }
    let data = service.store.long().read(|tx| {
        if tx.find_cut(trial, data_cut)?.is_none() {
            return Err(Refusal::field(
                "data_cut",
                "is not a data cut of this trial",
            ));
        }
        load_cut(tx, service, trial, data_cut)
    })?;
    to_csv(&registration.protocol, &data, set).map_err(|fault| Refusal::Internal(fault.to_string()))
}

/// The outcomes of a cut as a blinded role sees them: from the place `after` on.
pub fn blinded_outcomes(
    service: &Service,
    caller: &Caller,
    trial: &str,
    data_cut: i64,
    after: usize,
    limit: usize,
) -> Result<Vec<Outcome>, Refusal> {
    let known = service.trial(caller, trial, Right::ReadOutcome)?;
    let admitted = blinding::admit(service, caller, &known, data_cut)?;
    let of_cut = OfCut {
        service,
        trial,
        data_cut,
    };
    let rows = blinded::outcomes(&admitted.data, &of_cut);
    Ok(rows.into_iter().skip(after).take(limit).collect())
}
