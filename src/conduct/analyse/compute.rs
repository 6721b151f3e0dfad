//! Computes what was asked, outside of any transaction, once, whatever fails meanwhile.

use crate::access::{Caller, Role};
use crate::analysis::{Dataset, Earlier, Look, Settings, run, run_pooled};
use crate::conduct::load_cut::load_cut;
use crate::conduct::{Refusal, Service};
use crate::store::{AnalysisRow, ResultRow, StoreError, Tx};
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

/// The analyses that this process is computing.
#[derive(Default)]
pub struct Running {
    ids: Mutex<HashSet<String>>,
    /// Why analyses were not computed, until it is told.
    refused: Mutex<HashMap<String, Refusal>>,
    turn: Mutex<()>,
    finished: Condvar,
}

impl Running {
    fn refuse(&self, id: &str, refusal: Refusal) {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.insert(id.to_owned(), refusal);
    }

    /// Why an analysis was not computed.
    pub(super) fn take_refusal(&self, id: &str) -> Option<Refusal> {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        refused.remove(id)
    }
}

/// Computes an analysis on a thread of its own, unless this process is at it already.
pub(super) fn start(service: &Service, id: &str) {
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
            // Nothing is kept: once the ledger verifies again, the analysis is computed.
            Ok(Err(refusal @ Refusal::Tampered { .. })) => {
                tracing::error!(analysis = %id, %refusal, "an analysis is not computed");
                service.analyses.refuse(id, refusal);
                return;
            }
            outcome => {
                tracing::error!(analysis = %id, ?outcome, "an analysis failed");
                let reason = "the analysis failed: see the log of the service";
                let row = result_row(service, id, None, Some(reason.into()));
                let _ = service.store.write(|tx| keep(tx, service, &row));
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
        .long()
        .read(|tx| load_cut(tx, service, &row.trial_id, row.data_cut))?;
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
    service.store.write(|tx| keep(tx, service, &row))?;
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
            Ok(Err(refusal @ (Refusal::Store(_) | Refusal::Tampered { .. }))) => {
                return Err(refusal);
            }
            Ok(Ok(())) => {}
            _ => continue,
        }
        let kept = service
            .store
            .read(|tx| super::stored(tx, service, before))?;
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
fn keep(tx: &mut Tx, service: &Service, row: &ResultRow) -> Result<(), Refusal> {
    let analysis = tx
        .find_analysis(&row.analysis_id)?
        .ok_or(Refusal::NotFound("analysis"))?;
    tx.lock_trial_shared(&analysis.trial_id)?;
    if tx.find_result(&row.analysis_id)?.is_none() {
        tx.insert_result(row)?;
        let service_itself = Caller::command_line(Role::Administrator);
        super::note_result(tx, service, &service_itself, &analysis, row)?;
    }
    Ok(())
}
