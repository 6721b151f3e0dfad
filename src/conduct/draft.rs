//! Draft a trial, and change the draft. Every revision is kept.

use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, Status};
use crate::access::{Caller, Right};
use crate::protocol::Protocol;
use crate::store::{DraftRow, TrialRow};
use serde::{Deserialize, Serialize};

/// A saved draft.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Saved {
    pub trial: String,
    pub revision: i32,
}

/// Makes a new trial from a protocol; its id is the protocol's.
pub fn create(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    protocol: &Protocol,
) -> Result<Saved, Refusal> {
    if !caller.may(Right::DesignTrial) {
        return Err(Refusal::MissingRight(Right::DesignTrial));
    }
    if !caller.sees_trial(&protocol.id) {
        return Err(Refusal::field("id", "is not the trial that the key is for"));
    }
    once(service, caller, idempotency, |tx| {
        service.check_present_key(tx)?;
        if tx.find_trial(&protocol.id)?.is_some() {
            return Err(Refusal::TrialExists);
        }
        if !is_file_name(&protocol.id) {
            let detail = "is no safe name of a file: it ends with a dot, or is one of a device";
            return Err(Refusal::field("id", detail));
        }
        let has_id = |row: &TrialRow| row.id.eq_ignore_ascii_case(&protocol.id);
        if tx.list_trials(None, None, i64::MAX)?.iter().any(has_id) {
            let detail = "is that of another trial but for capital letters";
            return Err(Refusal::field("id", detail));
        }
        let draft = draft_row(service, caller, protocol, 1);
        let trial = TrialRow {
            id: protocol.id.clone(),
            status: Status::Draft.to_string(),
            registration: 0,
            created_at: draft.saved_at,
            created_by: caller.key_id.clone(),
        };
        tx.insert_trial(&trial, &draft)?;
        Ok(Saved {
            trial: trial.id,
            revision: 1,
        })
    })
}

/// Whether an id can be the name of a file on every system: ids of trials become names of folders and
/// files.
fn is_file_name(id: &str) -> bool {
    let stem = id
        .split('.')
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let device = match stem.as_str() {
        "CON" | "PRN" | "AUX" | "NUL" => true,
        numbered => ["COM", "LPT"].iter().any(|name| {
            numbered
                .strip_prefix(name)
                .is_some_and(|rest| rest.len() == 1 && rest.as_bytes()[0].is_ascii_digit())
        }),
    };
    !device && !id.ends_with('.')
}

/// Saves a new revision of the draft's protocol.
pub fn revise(
    service: &Service,
    caller: &Caller,
    trial: &str,
    protocol: &Protocol,
) -> Result<Saved, Refusal> {
    service.trial(caller, trial, Right::DesignTrial)?;
    if protocol.id != trial {
        return Err(Refusal::field("id", "is not the id of this trial"));
    }
    service.store.write(|tx| {
        service.check_present_key(tx)?;
        let row = tx.lock_trial(trial)?.ok_or(Refusal::NotFound("trial"))?;
        if row.status != Status::Draft.as_str() {
            return Err(Refusal::WrongStatus {
                status: row.status,
                why: "from registration on the protocol is frozen".into(),
            });
        }
        let last = tx.find_draft(trial)?.map_or(0, |draft| draft.revision);
        tx.insert_draft(&draft_row(service, caller, protocol, last + 1))?;
        Ok(Saved {
            trial: trial.to_owned(),
            revision: last + 1,
        })
    })
}

fn draft_row(service: &Service, caller: &Caller, protocol: &Protocol, revision: i32) -> DraftRow {
    DraftRow {
        trial_id: protocol.id.clone(),
        revision,
        sealed_protocol: service.seal_protocol(protocol),
        saved_at: service.clock.now().naive_utc(),
        saved_by: caller.key_id.clone(),
    }
}
