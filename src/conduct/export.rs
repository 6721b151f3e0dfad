//! Export a data cut. While the trial is blinded only a monitor's export shows the arms.

use super::{Refusal, Service};
use crate::access::{Caller, Right};
use crate::analysis::export::{DataSet, to_csv};
use crate::analysis::facts::CutData;

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
    let data = service.store.read(|tx| {
        if tx.find_cut(trial, data_cut)?.is_none() {
            return Err(Refusal::field(
                "data_cut",
                "is not a data cut of this trial",
            ));
        }
        Ok(CutData::load(tx, trial, data_cut)?)
    })?;
    Ok(to_csv(
        &registration.protocol,
        &data,
        set,
        caller.role.sees_arms(),
    ))
}
