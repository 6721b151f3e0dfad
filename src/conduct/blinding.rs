//! What blinded roles are answered, and that two answers cannot be held against each other.
//!
//! A role is answered from a data cut. The same cut is always answered again; another one is refused
//! where it differs from one answered before by so few participants that the difference would tell
//! something of each. The final cut of a locked trial is always answered.

use super::fact::{Draft, FactKind, body_of};
use super::load_cut::load_cut;
use super::trial::Registration;
use super::{Refusal, Service, Status, Trial};
use crate::access::{Caller, Role};
use crate::analysis::Dataset;
use crate::analysis::blinded::{self, Blinding};
use crate::analysis::facts::CutData;
use crate::store::Tx;
use serde_json::json;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

/// Who is in a cut, and who is followed to the end.
#[derive(Debug)]
pub(super) struct View {
    drawn: u64,
    followed: HashSet<String>,
}

/// Views that were computed before: a cut never changes, but for what an erasure takes out.
#[derive(Default)]
pub struct Views(Mutex<HashMap<(String, i64, usize), Arc<View>>>);

/// Ids and codes of one cut.
pub(super) struct OfCut<'a> {
    pub service: &'a Service,
    pub trial: &'a str,
    pub data_cut: i64,
}

impl Blinding for OfCut<'_> {
    fn participant(&self, id: &str) -> String {
        let secrets = &self.service.secrets;
        secrets.blinded_id(self.trial, self.data_cut, id)
    }

    fn site(&self, site: &str) -> String {
        let secrets = &self.service.secrets;
        let id = secrets.blinded_id(self.trial, self.data_cut, &format!("site/{site}"));
        format!("s-{}", &id[2..12])
    }
}

impl View {
    fn of(registration: &Registration, data: &CutData, dataset: &Dataset) -> Self {
        let followed = blinded::followed(&registration.protocol, dataset);
        Self {
            drawn: (data.participants.len() + data.erased.len()) as u64,
            followed: data
                .participants
                .iter()
                .zip(followed)
                .filter(|(_, followed)| *followed)
                .map(|(enrolled, _)| enrolled.id.clone())
                .collect(),
        }
    }

    /// By how many the two differ, of those drawn and of those followed. Those drawn up to a cut are
    /// among those drawn up to any later one.
    fn differences(&self, other: &Self) -> [u64; 2] {
        let followed = self.followed.symmetric_difference(&other.followed).count();
        [self.drawn.abs_diff(other.drawn), followed as u64]
    }
}

/// A cut as a blinded role may be answered from it.
pub(super) struct Admitted {
    pub data: CutData,
    pub dataset: Dataset,
}

/// Reads a cut for a blinded role, and writes down that the role was answered from it; refused where it
/// lies too close to one that the role was answered from before.
pub(super) fn admit(
    service: &Service,
    caller: &Caller,
    trial: &Trial,
    data_cut: i64,
) -> Result<Admitted, Refusal> {
    let registration = trial.registered()?;
    let read = |cut: i64| -> Result<Admitted, Refusal> {
        let store = service.store.long();
        let data = store.read(|tx| load_cut(tx, service, &trial.id, cut))?;
        let dataset = Dataset::from_cut(&registration.protocol, &data)
            .map_err(|fault| Refusal::Internal(fault.to_string()))?;
        Ok(Admitted { data, dataset })
    };
    let known = service
        .store
        .read(|tx| tx.find_cut(&trial.id, data_cut))?
        .is_some();
    if !known {
        let detail = "is not a data cut of this trial";
        return Err(Refusal::field("data_cut", detail));
    }
    let asked = read(data_cut)?;
    let erased = asked.data.erased.len();
    let view = Arc::new(View::of(registration, &asked.data, &asked.dataset));
    remember(service, (&trial.id, data_cut, erased), &view);
    loop {
        let answered = service
            .store
            .read(|tx| answered(tx, service, &trial.id, caller.role))?;
        if answered.contains(&data_cut) {
            return Ok(asked);
        }
        let last = service.store.read(|tx| tx.last_cut(&trial.id))?;
        let is_final = trial.status == Status::Locked && last == Some(data_cut);
        for other in answered.iter().filter(|_| !is_final) {
            let other_view = match recall(service, (&trial.id, *other, erased)) {
                Some(view) => view,
                None => {
                    let read = read(*other)?;
                    let view = Arc::new(View::of(registration, &read.data, &read.dataset));
                    remember(service, (&trial.id, *other, read.data.erased.len()), &view);
                    view
                }
            };
            let least = service.config.blinding.smallest_difference;
            let close = |n: &u64| *n > 0 && *n < least;
            if view.differences(&other_view).iter().any(close) {
                return Err(Refusal::TooClose { cut: *other, least });
            }
        }
        let noted = service.store.write(|tx| {
            tx.lock_trial(&trial.id)?;
            if answered != self::answered(tx, service, &trial.id, caller.role)? {
                return Ok(false);
            }
            let body = json!({"role": caller.role, "data_cut": data_cut});
            let fact = Draft::of_trial(FactKind::CutAnswered, body);
            fact.append(tx, service, &trial.id, caller)?;
            Ok::<_, Refusal>(true)
        })?;
        // Another request of the role was answered meanwhile: the new cut is held against that one too.
        if noted {
            return Ok(asked);
        }
    }
}

/// The cuts that a role was answered from.
fn answered(tx: &mut Tx, service: &Service, trial: &str, role: Role) -> Result<Vec<i64>, Refusal> {
    let facts = tx.list_facts(trial, FactKind::CutAnswered.as_str(), i64::MAX)?;
    let mut cuts = Vec::new();
    for fact in service.checked(tx, trial, facts)? {
        let body = body_of(&fact.record);
        if body["role"] == role.as_str() {
            cuts.extend(body["data_cut"].as_i64());
        }
    }
    Ok(cuts)
}

fn remember(service: &Service, place: (&str, i64, usize), view: &Arc<View>) {
    let views = &service.views.0;
    let mut views = views.lock().unwrap_or_else(PoisonError::into_inner);
    // Each holds the ids of those followed.
    if views.len() >= 32 {
        views.clear();
    }
    views.insert((place.0.to_owned(), place.1, place.2), view.clone());
}

fn recall(service: &Service, place: (&str, i64, usize)) -> Option<Arc<View>> {
    let views = service
        .views
        .0
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    views.get(&(place.0.to_owned(), place.1, place.2)).cloned()
}
