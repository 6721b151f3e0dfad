//! Analyse a data cut, and keep the result with its provenance.
//!
//! What is asked is written first (an analysis by arm is a look, which the ledger counts), then it is
//! computed outside of any transaction, then the result is written. After a crash the service
//! finishes what was left; a cut gives the same result for ever.

use super::fact::{Draft, FactKind};
use super::idempotency::{Idempotency, once};
use super::{Refusal, Service, new_id};
use crate::access::{Caller, Right};
use crate::analysis::facts::CutData;
use crate::analysis::{Dataset, Earlier, Look, Settings, run, run_pooled};
use crate::store::{AnalysisRow, ResultRow, StoreError};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

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

/// The analyses that this process is computing.
#[derive(Default)]
pub struct Running {
    ids: Mutex<HashSet<String>>,
    turn: Mutex<()>,
    finished: Condvar,
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
            let number = tx.take_sequence(trial, 1)?;
            tx.insert_facts(trial, number, vec![fact.seal(service, caller, now)])?;
        }
        if let Some(look) = request.look {
            a_look_is_made_once(tx, trial, look as i32, planned as i32, request.data_cut)?;
            if looks.is_some_and(|looks| looks.reestimation.is_some()) && look as usize == planned {
                the_look_before_was_made(tx, trial, look as i32 - 1, request.data_cut)?;
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
    trial: &str,
    before: i32,
    cut: i64,
) -> Result<(), Refusal> {
    for row in tx.list_looks(trial, before)? {
        if row.data_cut > cut {
            continue;
        }
        let usable = match tx.find_result(&row.id)? {
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

/// Computes an analysis on a thread of its own, unless this process is at it already.
fn start(service: &Service, id: &str) {
    let running = &service.analyses;
    if !running
        .ids
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(id.to_owned())
    {
        return;
    }
    let (service, id) = (service.clone(), id.to_owned());
    std::thread::spawn(move || {
        let running = &service.analyses;
        compute(&service, &id);
        running
            .ids
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&id);
        running.finished.notify_all();
    });
}

/// Computes an analysis and keeps what came of it. A database that is away for a while fails no
/// analysis: it stays unfinished, and is taken up when somebody asks for it or at the next start.
fn compute(service: &Service, id: &str) {
    for pause in RETRIES {
        // A defect in an estimator fails this analysis and nothing else.
        let outcome = {
            // One at a time: each holds its whole data cut in memory.
            let running = &service.analyses;
            let _turn = running.turn.lock().unwrap_or_else(PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(|| finish(service, id)))
        };
        match outcome {
            Ok(Ok(())) => return,
            Ok(Err(Refusal::Store(error @ (StoreError::Unreachable(_) | StoreError::Race(_))))) => {
                tracing::warn!(analysis = %id, %error, "an analysis is tried again");
                std::thread::sleep(pause);
            }
            outcome => {
                tracing::error!(analysis = %id, ?outcome, "an analysis failed");
                let reason = "the analysis failed: see the log of the service";
                let row = result_row(service, id, None, Some(reason.into()));
                let _ = service.store.write(|tx| keep(tx, &row));
                return;
            }
        }
    }
}

/// Pauses between attempts at an analysis whose database is away.
const RETRIES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];

/// Finishes what a process that ended left unfinished.
pub fn resume(service: &Service) -> Result<(), Refusal> {
    let rows = service.store.read(|tx| tx.list_unfinished())?;
    for row in rows {
        tracing::info!(analysis = %row.id, "an unfinished analysis is computed");
        start(service, &row.id);
    }
    Ok(())
}

/// Waits until the analysis is finished, at most as long as configured.
pub fn wait(service: &Service, id: &str) {
    let limit = Duration::from_secs(service.config.analysis.wait_seconds);
    let running = &service.analyses;
    let ids = running.ids.lock().unwrap_or_else(PoisonError::into_inner);
    let _ = running
        .finished
        .wait_timeout_while(ids, limit, |ids| ids.contains(id));
}

fn finish(service: &Service, id: &str) -> Result<(), Refusal> {
    let (row, done) = service.store.read(|tx| {
        let row = tx.find_analysis(id)?.ok_or(Refusal::NotFound("analysis"))?;
        let done = tx.find_result(id)?.is_some();
        Ok::<_, Refusal>((row, done))
    })?;
    if done {
        return Ok(());
    }
    // Earlier looks first: each holds its whole cut in memory while it is computed.
    let settings = settings(service, &row)?;
    let data = service
        .store
        .read(|tx| CutData::load(tx, &row.trial_id, row.data_cut))?;
    let registration = service
        .store
        .read(|tx| service.registration(tx, &row.trial_id, row.registration))?;
    let dataset = Dataset::from_cut(&registration.protocol, &data)
        .map_err(|fault| Refusal::Internal(fault.to_string()))?;
    // The bare digest of the protocol is not told before unblinding: block sizes could be tried out.
    let digest = registration.protocol_commitment.clone();
    let document = if row.pooled {
        run_pooled(&registration.protocol, digest, &dataset)
    } else {
        run(&registration.protocol, digest, &dataset, &settings)
    };
    let result = serde_json::to_string(&document)
        .map_err(|fault| Refusal::Internal(format!("a result cannot be written: {fault}")))?;
    let row = result_row(service, id, Some(result), None);
    service.store.write(|tx| keep(tx, &row))?;
    Ok(())
}

/// The settings of an analysis by arm; a look counts on what earlier looks had.
fn settings(service: &Service, row: &AnalysisRow) -> Result<Settings, Refusal> {
    let mut look = None;
    if let Some(number) = row.look.and_then(|look| usize::try_from(look).ok()) {
        let before = 1..number as i32;
        let earlier = before.map(|before| earlier_look(service, row, before));
        let earlier = earlier.collect::<Result<Vec<_>, Refusal>>()?;
        look = Some(Look { number, earlier });
    }
    Ok(Settings {
        draws: service.config.analysis.redraws,
        look,
        seed: None,
    })
}

/// What the first analysis had, by arm, that was this look over a cut no later than that of `row`. One that
/// was asked for and is not computed yet is computed first: else the error would be spent by another
/// information than the one that look tells.
fn earlier_look(
    service: &Service,
    row: &AnalysisRow,
    look: i32,
) -> Result<BTreeMap<String, Earlier>, Refusal> {
    let asked = service
        .store
        .read(|tx| tx.list_looks(&row.trial_id, look))?;
    for before in asked
        .iter()
        .filter(|before| before.data_cut <= row.data_cut)
    {
        // One that fails is not known; its own computation tells why.
        match catch_unwind(AssertUnwindSafe(|| finish(service, &before.id))) {
            Ok(Err(Refusal::Store(error))) => return Err(Refusal::Store(error)),
            Ok(Ok(())) => {}
            _ => continue,
        }
        let kept = service.store.read(|tx| tx.find_result(&before.id))?;
        let Some(text) = kept.and_then(|kept| kept.result) else {
            continue;
        };
        let document: Value = serde_json::from_str(&text)
            .map_err(|_| Refusal::Internal("a kept result cannot be read".into()))?;
        let found = Earlier::of_document(&document);
        if !found.is_empty() {
            return Ok(found);
        }
    }
    Ok(BTreeMap::new())
}

fn result_row(
    service: &Service,
    id: &str,
    result: Option<String>,
    failure: Option<String>,
) -> ResultRow {
    let finished_at = service.clock.now().naive_utc();
    ResultRow {
        analysis_id: id.to_owned(),
        finished_at,
        failure,
        result,
    }
}

/// Keeps the first result; another process may have been faster with the same one.
fn keep(tx: &mut crate::store::Tx, row: &ResultRow) -> Result<(), StoreError> {
    if tx.find_result(&row.analysis_id)?.is_none() {
        tx.insert_result(row)?;
    }
    Ok(())
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
        let result = tx.find_result(id)?;
        tell(service, tx, row, result)
    })?;
    if told.status == Progress::Running {
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
                let result = tx.find_result(&row.id)?;
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
