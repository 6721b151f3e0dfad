//! Freeze a data cut: a number of the trial's record sequence.

use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, checkpoint};
use crate::access::{Caller, Right};
use crate::store::{CutRow, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A data cut.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cut {
    /// Number of the last record within the cut.
    pub data_cut: i64,
    pub created_at: DateTime<Utc>,
    /// How many records of each kind it holds.
    pub records: BTreeMap<String, i64>,
    /// Participants whose records are in it no more, because a law had them erased.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub erased: i64,
}

fn is_zero(n: &i64) -> bool {
    *n == 0
}

/// Freezes everything that is recorded now. Where nothing came since the last cut, it is that cut.
pub fn create(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
) -> Result<Cut, Refusal> {
    service
        .trial(caller, trial, Right::WriteDataCut)?
        .registered()?;
    checkpoint::grow_all(service, trial)?;
    once(service, caller, idempotency, |tx| {
        let number = tx.last_sequence(trial)?;
        let row = match tx.find_cut(trial, number)? {
            Some(row) => row,
            None => {
                let row = CutRow {
                    trial_id: trial.to_owned(),
                    sequence: number,
                    created_at: service.clock.now().naive_utc(),
                    created_by: caller.key_id.clone(),
                };
                tx.insert_cut(&row)?;
                // Whoever reads the cut holds its records against this note.
                checkpoint::sign_at(tx, service, trial, number)?;
                row
            }
        };
        describe(tx, row)
    })
}

/// The cuts of a trial, after `after`.
pub fn list(
    service: &Service,
    caller: &Caller,
    trial: &str,
    after: i64,
    limit: i64,
) -> Result<Vec<Cut>, Refusal> {
    service.trial(caller, trial, Right::ReadDataCut)?;
    service.store.read(|tx| {
        let rows = tx.list_cuts(trial, after, limit)?;
        rows.into_iter().map(|row| describe(tx, row)).collect()
    })
}

fn describe(tx: &mut Tx, row: CutRow) -> Result<Cut, Refusal> {
    Ok(Cut {
        records: tx.count_facts(&row.trial_id, row.sequence)?,
        erased: tx.count_erased_draws(&row.trial_id)?,
        data_cut: row.sequence,
        created_at: row.created_at.and_utc(),
    })
}
