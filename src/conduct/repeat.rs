//! Enrolment is no oracle: whoever sends a citizen again under another site or other levels gets no
//! other draw, is written to the ledger, and is stopped after some such trials a day.

use super::enrolment::Candidate;
use super::fact::{Draft, FactKind, body_of};
use super::group::{Batch, Outcome, Task};
use super::{Refusal, Service, Trial};
use crate::access::Caller;
use crate::protocol::{FactorKind, SITE};
use crate::store::Tx;
use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};
use std::collections::HashMap;

/// The changed repeats of the keys of a group: those on file and those of the group itself.
#[derive(Default)]
pub(super) struct Repeats(HashMap<String, i64>);

impl Repeats {
    /// Notes that a person was sent again with differences; a refusal where the key did so too
    /// often. What came without a difference is neither noted nor counted.
    #[expect(clippy::too_many_arguments, reason = "what a fact of a group needs")]
    pub(super) fn note(
        &mut self,
        tx: &mut Tx,
        service: &Service,
        trial: &Trial,
        task: &Task,
        person: &str,
        differs: Vec<String>,
        batch: &mut Batch,
        now: DateTime<Utc>,
    ) -> Result<Option<Outcome>, Refusal> {
        // A citizen who moved is sent by another site: nothing is told, and nobody tried anything.
        let moved = differs == [SITE] && task.caller.sites.is_some();
        // Once enrolment has ended nobody is drawn, and a final cut must stay final.
        if differs.is_empty() || moved || trial.status.has_ended() {
            return Ok(None);
        }
        if !self.count(tx, service, trial, &task.caller, now)? {
            return Ok(Some(Outcome::Refused(Refusal::TooManyRepeats)));
        }
        let fact = Draft {
            participant: Some(person),
            ..Draft::of_trial(FactKind::ChangedRepeat, json!({"differs": differs}))
        };
        batch
            .facts
            .push(fact.seal(service, &trial.id, &task.caller, now));
        Ok(None)
    }

    /// Notes that a key asked about a citizen who is not of its sites, or was erased; a refusal where the
    /// key did so too often.
    #[expect(clippy::too_many_arguments, reason = "what a fact of a group needs")]
    pub(super) fn look_up(
        &mut self,
        tx: &mut Tx,
        service: &Service,
        trial: &Trial,
        task: &Task,
        person: Option<&str>,
        batch: &mut Batch,
        now: DateTime<Utc>,
    ) -> Result<Option<Outcome>, Refusal> {
        if !self.count(tx, service, trial, &task.caller, now)? {
            return Ok(Some(Outcome::Refused(Refusal::TooManyRepeats)));
        }
        let fact = look_up(person, "enrolment");
        batch
            .facts
            .push(fact.seal(service, &trial.id, &task.caller, now));
        Ok(None)
    }

    /// Counts one more of a key's changed repeats and look-ups of a day; false where there were too many.
    pub(super) fn count(
        &mut self,
        tx: &mut Tx,
        service: &Service,
        trial: &Trial,
        caller: &Caller,
        now: DateTime<Utc>,
    ) -> Result<bool, Refusal> {
        let key = &caller.key_id;
        let so_far = match self.0.get_mut(key) {
            Some(so_far) => so_far,
            None => {
                let since = (now - Duration::days(1)).naive_utc();
                let mut on_file = 0;
                for kind in [FactKind::ChangedRepeat, FactKind::LookUp] {
                    on_file += tx.count_recorded_by(&trial.id, kind.as_str(), key, since)?;
                }
                self.0.entry(key.clone()).or_insert(on_file)
            }
        };
        if *so_far >= service.config.limits.changed_repeats_per_day {
            return Ok(false);
        }
        *so_far += 1;
        Ok(true)
    }
}

/// The fact that a key asked about a citizen, by an enrolment or a search.
pub(super) fn look_up<'a>(person: Option<&'a str>, by: &str) -> Draft<'a> {
    Draft {
        participant: person,
        ..Draft::of_trial(FactKind::LookUp, json!({"by": by}))
    }
}

/// How a candidate differs from the enrolment on file.
pub(super) fn from_enrolment(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    person: &str,
    candidate: &Candidate,
) -> Result<Vec<String>, Refusal> {
    let fact = tx.last_fact_of(trial, FactKind::Enrolment.as_str(), person)?;
    if let Some(fact) = &fact {
        service.check_fact(tx, trial, fact)?;
    }
    Ok(fact.map_or_else(Vec::new, |fact| {
        differences(&body_of(&fact.record), candidate)
    }))
}

/// The fields in which a candidate differs from what was recorded before: the site, and the factors
/// with levels. Numbers never enter the draw, and are corrected often.
pub(super) fn differences(before: &Value, candidate: &Candidate) -> Vec<String> {
    if before.is_null() {
        return Vec::new();
    }
    let mut found = Vec::new();
    if before[SITE] != candidate.body[SITE] {
        found.push(SITE.to_owned());
    }
    let factors = candidate.registration.protocol.factors.iter();
    for factor in factors.filter(|f| f.kind == FactorKind::Level && f.id != SITE) {
        if before["factors"][&factor.id] != candidate.body["factors"][&factor.id] {
            found.push(format!("factors.{}", factor.id));
        }
    }
    found
}
