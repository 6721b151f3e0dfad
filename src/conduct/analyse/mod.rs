//! Analyse a data cut, and keep the result with its provenance.
//!
//! What is asked is written first (an analysis by arm is a look, which the ledger counts), then it is
//! computed outside of any transaction, then the result is written. After a crash the service
//! finishes what was left; a cut gives the same result for ever.

mod compute;

pub use compute::{Running, resume, wait};

use super::authentic::tampered;
use super::fact::{Draft, FactKind, body_of};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, blinding, new_id};
use crate::access::{Caller, Right};
use crate::analysis::Earlier;
use crate::protocol::canonical::sha256;
use crate::store::{AnalysisRow, ResultRow};
use compute::start;
use serde::Serialize;
use serde_json::{Value, json};

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub data_cut: i64,
    pub look: Option<u32>,
}

crate::vocabulary! {
    /// How far an analysis has come.
    pub enum Progress { Running = "running", Done = "done", Failed = "failed" }
}

/// An analysis as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct Told {
    pub analysis: String,
    pub status: Progress,
    pub data_cut: i64,
    pub look: Option<i32>,
    pub pooled: bool,
    /// How often this trial has been looked at by arm, by analysis or export, this time included.
    pub looks_so_far: i32,
    pub protocol_version: i32,
    pub software: String,
    pub requested_at: chrono::DateTime<chrono::Utc>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<Value>,
}

/// Asks for an analysis; returns its id. It is being computed when this returns.
pub fn ask(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    trial: &str,
    request: &Request,
) -> Result<String, Refusal> {
    let known = service.trial(caller, trial, Right::Analyse)?;
    let registration = known.registered()?;
    let looks = registration.protocol.analysis.looks.as_ref();
    let planned = looks.map_or(0, |looks| looks.information.len());
    if request
        .look
        .is_some_and(|look| look == 0 || look as usize > planned)
    {
        return Err(Refusal::field(
            "look",
            format!("the protocol plans {planned} looks"),
        ));
    }
    let pooled = !caller.role.sees_arms(known.status.is_open());
    if pooled && request.look.is_some() {
        return Err(Refusal::field(
            "look",
            "is for analyses by arm; this key sees the arms as one",
        ));
    }
    if pooled {
        blinding::admit(service, caller, &known, request.data_cut)?;
    }
    let id = new_id(&service.clock);
    let id = once(service, caller, idempotency, |tx| {
        tx.lock_trial_shared(trial)?;
        if tx.find_cut(trial, request.data_cut)?.is_none() {
            return Err(Refusal::field(
                "data_cut",
                "is not a data cut of this trial",
            ));
        }
        let now = service.clock.now();
        if !pooled {
            let body = json!({"analysis": id, "data_cut": request.data_cut, "look": request.look});
            let fact = Draft::of_trial(FactKind::Look, body);
            fact.append(tx, service, trial, caller)?;
        }
        if let Some(look) = request.look {
            a_look_is_made_once(tx, trial, look as i32, planned as i32, request.data_cut)?;
            if looks.is_some_and(|looks| looks.reestimation.is_some()) && look as usize == planned {
                the_look_before_was_made(tx, service, trial, look as i32 - 1, request.data_cut)?;
            }
        }
        // The head of the ledger is locked by now: no other look is being counted.
        let looks_so_far = tx.count_kind(trial, FactKind::Look.as_str())? as i32;
        tx.insert_analysis(&AnalysisRow {
            id: id.clone(),
            trial_id: trial.to_owned(),
            data_cut: request.data_cut,
            registration: registration.number,
            look: request.look.map(|look| look as i32),
            pooled,
            looks_so_far,
            software: env!("CARGO_PKG_VERSION").to_owned(),
            requested_at: now.naive_utc(),
            requested_by: caller.key_id.clone(),
        })?;
        Ok(id.clone())
    })?;
    start(service, &id);
    Ok(id)
}

/// A look tests one data cut, and looks come in their order: else the error that is spent would be spent
/// again. The same look over the same cut may be asked for any number of times.
fn a_look_is_made_once(
    tx: &mut crate::store::Tx,
    trial: &str,
    look: i32,
    planned: i32,
    cut: i64,
) -> Result<(), Refusal> {
    let other = tx
        .list_looks(trial, look)?
        .into_iter()
        .find(|row| row.data_cut != cut);
    if let Some(row) = other {
        let text = format!("was made over data cut {} already", row.data_cut);
        return Err(Refusal::field("look", text));
    }
    for later in look + 1..=planned {
        let made_before = tx
            .list_looks(trial, look)?
            .iter()
            .any(|row| row.data_cut == cut);
        if !made_before && !tx.list_looks(trial, later)?.is_empty() {
            return Err(Refusal::field(
                "look",
                format!("look {later} was made already"),
            ));
        }
    }
    Ok(())
}

/// The last look of a trial that may have been enlarged weighs what the look before had: it must have been made
/// over a cut no later, and not have ended without z and information.
fn the_look_before_was_made(
    tx: &mut crate::store::Tx,
    service: &Service,
    trial: &str,
    before: i32,
    cut: i64,
) -> Result<(), Refusal> {
    for row in tx.list_looks(trial, before)? {
        if row.data_cut > cut {
            continue;
        }
        let usable = match stored(tx, service, &row)? {
            None => true,
            Some(kept) => kept.result.is_some_and(|text| {
                let document: Value = serde_json::from_str(&text).unwrap_or_default();
                let earlier = Earlier::of_document(&document);
                earlier
                    .values()
                    .any(|had| had.z.is_some() && had.information.is_some())
            }),
        };
        if usable {
            return Ok(());
        }
    }
    Err(Refusal::field(
        "look",
        format!(
            "look {before} comes first, over a cut no later and with a result: the trial may be enlarged after it"
        ),
    ))
}

/// What the ledger keeps of a stored result: its digest, and what was asked.
fn result_of(row: &AnalysisRow, result: &ResultRow) -> Value {
    let digest = |text: &String| hex::encode(sha256(text.as_bytes()));
    json!({
        "analysis": row.id, "data_cut": row.data_cut, "registration": row.registration,
        "look": row.look, "pooled": row.pooled, "looks_so_far": row.looks_so_far,
        "software": row.software, "requested_by": row.requested_by,
        "result": result.result.as_ref().map(digest), "failure": result.failure,
    })
}

/// Writes the digest of a stored result to the ledger.
pub(super) fn note_result(
    tx: &mut crate::store::Tx,
    service: &Service,
    caller: &Caller,
    row: &AnalysisRow,
    result: &ResultRow,
) -> Result<(), Refusal> {
    let fact = Draft {
        participant: Some(&row.id),
        ..Draft::of_trial(FactKind::Result, result_of(row, result))
    };
    fact.append(tx, service, &row.trial_id, caller)?;
    Ok(())
}

/// A stored result, held against its digest in the ledger.
pub(super) fn stored(
    tx: &mut crate::store::Tx,
    service: &Service,
    row: &AnalysisRow,
) -> Result<Option<ResultRow>, Refusal> {
    let Some(result) = tx.find_result(&row.id)? else {
        return Ok(None);
    };
    let facts = tx.find_facts_of(
        &row.trial_id,
        FactKind::Result.as_str(),
        std::slice::from_ref(&row.id),
    )?;
    let facts = service.checked(tx, &row.trial_id, facts)?;
    let told = result_of(row, &result);
    if facts.iter().any(|fact| body_of(&fact.record) == told) {
        return Ok(Some(result));
    }
    let number = facts.first().map(|fact| fact.sequence);
    let why = format!(
        "the stored result of analysis {} is not the one that was computed",
        row.id
    );
    Err(tampered(&row.trial_id, number, why))
}

/// An analysis with its result, if the caller may see it.
pub fn find(service: &Service, caller: &Caller, trial: &str, id: &str) -> Result<Told, Refusal> {
    let known = service.trial(caller, trial, Right::ReadAnalysis)?;
    let sees_arms = caller.role.sees_arms(known.status.is_open());
    let told = service.store.read(|tx| {
        let row = tx
            .find_analysis(id)?
            .filter(|row| row.trial_id == trial && (row.pooled || sees_arms))
            .ok_or(Refusal::NotFound("analysis"))?;
        let result = stored(tx, service, &row)?;
        tell(service, tx, row, result)
    })?;
    if told.status == Progress::Running {
        // A cut that does not verify is told each time it is asked for, and computed once it does.
        if let Some(refusal) = service.analyses.take_refusal(id) {
            return Err(refusal);
        }
        start(service, id);
    }
    Ok(told)
}

/// The analyses of a trial that the caller may see, without their results.
pub fn list(
    service: &Service,
    caller: &Caller,
    trial: &str,
    after: Option<&str>,
    limit: i64,
) -> Result<Vec<Told>, Refusal> {
    let known = service.trial(caller, trial, Right::ReadAnalysis)?;
    let pooled_only = !caller.role.sees_arms(known.status.is_open());
    service.store.read(|tx| {
        let rows = tx.list_analyses(trial, pooled_only, after, limit)?;
        rows.into_iter()
            .map(|row| {
                let result = stored(tx, service, &row)?;
                tell(service, tx, row, result).map(|told| Told {
                    result: None,
                    ..told
                })
            })
            .collect()
    })
}

fn tell(
    service: &Service,
    tx: &mut crate::store::Tx,
    row: AnalysisRow,
    result: Option<ResultRow>,
) -> Result<Told, Refusal> {
    let (result, failure) = result.map_or((None, None), |row| (row.result, row.failure));
    let status = match (&result, &failure) {
        (Some(_), _) => Progress::Done,
        (None, Some(_)) => Progress::Failed,
        (None, None) => Progress::Running,
    };
    let result = result
        .map(|text| serde_json::from_str(&text))
        .transpose()
        .map_err(|_| Refusal::Internal("a kept result cannot be read".into()))?;
    Ok(Told {
        status,
        data_cut: row.data_cut,
        look: row.look,
        pooled: row.pooled,
        looks_so_far: row.looks_so_far,
        protocol_version: service
            .registration(tx, &row.trial_id, row.registration)?
            .version,
        software: row.software,
        requested_at: row.requested_at.and_utc(),
        failure,
        result,
        analysis: row.id,
    })
}
