//! Which posted records are new, which are repeats, which correct another, and which are refused.

use super::{Person, Posted, Stream};
use crate::access::Caller;
use crate::conduct::fact::{Draft, FactKind};
use crate::conduct::group::{Batch, Outcome, Task, Work};
use crate::conduct::{Refusal, Service, Trial};
use crate::ledger;
use crate::store::{FactRow, ParticipantRow, SourceKey, Tx};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// A record that is on file, or is about to be by an earlier task of the same group.
struct OnFile {
    place: Place,
    participant: Option<String>,
    site: Option<String>,
    replaces: Option<String>,
    /// In canonical JSON: 36 and 36.0 are one number.
    body: String,
    replaced: bool,
}

#[derive(Clone, Copy)]
enum Place {
    /// Number of a stored fact.
    Stored(i64),
    /// Position among the facts of this group.
    Within(usize),
}

type Filed = HashMap<SourceKey, (OnFile, String)>;

/// Decides and persists every record of the group that has no outcome yet.
pub(in crate::conduct) fn decide(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    tasks: &[Task],
    batch: &mut Batch,
) -> Result<(), Refusal> {
    let open: Vec<(usize, &Task, &Posted)> = tasks
        .iter()
        .enumerate()
        .filter(|(i, _)| batch.is_open(*i))
        .filter_map(|(i, task)| match &task.work {
            Work::Record(posted) => Some((i, task, posted.as_ref())),
            Work::Enrol(_) => None,
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let people = load_people(tx, &trial.id, &open)?;
    let mut filed = load_filed(tx, &trial.id, &open)?;
    let now = service.clock.now();
    for (i, task, posted) in &open {
        let outcome = match judge(trial, &people, &mut filed, task, posted) {
            Err(refusal) => Outcome::Refused(refusal),
            Ok(Judgement::Repeat { place, id }) => match place {
                Place::Stored(sequence) => batch.repeated(id, sequence),
                Place::Within(index) => Outcome::Fact {
                    index,
                    duplicate: true,
                },
            },
            Ok(Judgement::New {
                participant,
                replaces,
            }) => {
                let index = batch.facts.len();
                let draft = Draft {
                    kind: posted.stream.kind(),
                    participant: Some(&participant.id),
                    site: participant.site.as_deref(),
                    effective_on: Some(posted.effective_on),
                    source: Some(&task.caller.name),
                    source_id: Some(&posted.source_id),
                    replaces: posted.replaces.as_deref(),
                    body: posted.body.clone(),
                };
                let mut fact = draft.seal(service, &trial.id, &task.caller, now);
                match replaces {
                    Some(Place::Stored(sequence)) => fact.replaces = Some(sequence),
                    Some(Place::Within(old)) => batch.replaced_within.push((index, old)),
                    None => {}
                }
                let on_file = OnFile {
                    place: Place::Within(index),
                    participant: Some(participant.id.clone()),
                    site: participant.site.clone(),
                    replaces: posted.replaces.clone(),
                    body: ledger::record(&posted.body),
                    replaced: false,
                };
                filed.insert(
                    source_key(task, posted, &posted.source_id),
                    (on_file, fact.id.clone()),
                );
                batch.facts.push(fact);
                Outcome::Fact {
                    index,
                    duplicate: false,
                }
            }
        };
        batch.set(*i, outcome);
    }
    note_coverage(tx, service, trial, &open, batch)
}

enum Judgement<'a> {
    New {
        participant: &'a ParticipantRow,
        replaces: Option<Place>,
    },
    Repeat {
        place: Place,
        id: String,
    },
}

fn judge<'a>(
    trial: &Trial,
    people: &'a People,
    filed: &mut Filed,
    task: &Task,
    posted: &Posted,
) -> Result<Judgement<'a>, Refusal> {
    let participant = people
        .find(&posted.person)
        .filter(|row| task.caller.sees_site(row.site.as_deref()))
        .ok_or(Refusal::NotFound("participant"))?;
    if let Some((known, id)) = filed.get(&source_key(task, posted, &posted.source_id)) {
        let same = known.participant.as_deref() == Some(&participant.id)
            && known.replaces == posted.replaces
            && known.body == ledger::record(&posted.body);
        return if same {
            Ok(Judgement::Repeat {
                place: known.place,
                id: id.clone(),
            })
        } else {
            Err(Refusal::SourceIdTaken)
        };
    }
    if !trial.status.takes_records() {
        let why = match trial.status.has_begun() {
            true => "its final data cut is made: nothing more is recorded",
            false => "enrolment has not begun",
        };
        return Err(Refusal::WrongStatus {
            status: trial.status.to_string(),
            why: why.into(),
        });
    }
    if posted.after_enrolment && posted.effective_on < participant.enrolled_on {
        return Err(Refusal::Impossible(
            "the record lies before the enrolment".into(),
        ));
    }
    let replaces = match &posted.replaces {
        None => None,
        Some(source_id) => {
            let (old, _) = filed
                .get_mut(&source_key(task, posted, source_id))
                .filter(|(old, _)| task.caller.sees_site(old.site.as_deref()))
                .ok_or_else(|| Refusal::field("replaces", "is not a record of this source"))?;
            if old.replaced {
                return Err(Refusal::AlreadyReplaced);
            }
            old.replaced = true;
            Some(old.place)
        }
    };
    Ok(Judgement::New {
        participant,
        replaces,
    })
}

fn source_key(task: &Task, posted: &Posted, source_id: &str) -> SourceKey {
    SourceKey {
        kind: posted.stream.kind().to_string(),
        source: task.caller.name.clone(),
        source_id: source_id.to_owned(),
    }
}

/// The participants that a group's records are about.
struct People {
    participants: HashMap<String, ParticipantRow>,
    persons: HashMap<String, String>,
}

impl People {
    fn find(&self, person: &Person) -> Option<&ParticipantRow> {
        match person {
            Person::Participant(id) => self.participants.get(id),
            Person::Pseudonym(pseudonym) => self.participants.get(self.persons.get(pseudonym)?),
        }
    }
}

fn load_people(
    tx: &mut Tx,
    trial: &str,
    open: &[(usize, &Task, &Posted)],
) -> Result<People, Refusal> {
    let (mut ids, mut pseudonyms) = (Vec::new(), Vec::new());
    for (_, _, posted) in open {
        match &posted.person {
            Person::Participant(id) => ids.push(id.clone()),
            Person::Pseudonym(pseudonym) => pseudonyms.push(pseudonym.clone()),
        }
    }
    let citizens = tx.find_citizens(trial, &pseudonyms)?;
    ids.extend(citizens.iter().map(|row| row.person_id.clone()));
    let participants = tx.find_participants(trial, &ids)?;
    Ok(People {
        participants: participants
            .into_iter()
            .map(|row| (row.id.clone(), row))
            .collect(),
        persons: citizens
            .into_iter()
            .map(|row| (row.pseudonym, row.person_id))
            .collect(),
    })
}

/// What is on file under the source_ids that the group names.
fn load_filed(
    tx: &mut Tx,
    trial: &str,
    open: &[(usize, &Task, &Posted)],
) -> Result<Filed, Refusal> {
    let mut wanted: BTreeMap<(FactKind, &str), Vec<String>> = BTreeMap::new();
    for (_, task, posted) in open {
        let ids = wanted
            .entry((posted.stream.kind(), task.caller.name.as_str()))
            .or_default();
        ids.push(posted.source_id.clone());
        ids.extend(posted.replaces.clone());
    }
    let mut filed = HashMap::new();
    for ((kind, source), ids) in wanted {
        for (source_id, (fact, replaced)) in tx.find_sourced(trial, kind.as_str(), source, &ids)? {
            let key = SourceKey {
                kind: kind.to_string(),
                source: source.to_owned(),
                source_id,
            };
            let id = fact.id.clone();
            filed.insert(key, (on_file(fact, replaced), id));
        }
    }
    Ok(filed)
}

fn on_file(fact: FactRow, replaced: bool) -> OnFile {
    let record: Value = serde_json::from_str(&fact.record).unwrap_or_default();
    OnFile {
        place: Place::Stored(fact.sequence),
        participant: fact.participant_id,
        site: record["site"].as_str().map(str::to_owned),
        replaces: record["replaces"].as_str().map(str::to_owned),
        body: ledger::record(&record["body"]),
        replaced,
    }
}

/// Records which sites a key reports outcomes for, at its first outcome: without it nobody could
/// tell a site without news from a site that nobody reports on. A key's sites never change.
fn note_coverage(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    open: &[(usize, &Task, &Posted)],
    batch: &mut Batch,
) -> Result<(), Refusal> {
    let mut keys: BTreeMap<&str, &Caller> = BTreeMap::new();
    for (i, task, posted) in open {
        let new = matches!(
            batch.outcome(*i),
            Some(Outcome::Fact {
                duplicate: false,
                ..
            })
        );
        if new && posted.stream == Stream::Outcomes {
            keys.insert(&task.caller.key_id, &task.caller);
        }
    }
    for (key, caller) in keys {
        let kind = FactKind::Coverage;
        if tx.last_fact_from(&trial.id, kind.as_str(), key)?.is_some() {
            continue;
        }
        let mut draft = Draft::of_trial(
            kind,
            json!({"source": caller.name, "sites": caller.site_list()}),
        );
        draft.source = Some(key);
        batch
            .facts
            .push(draft.seal(service, &trial.id, caller, service.clock.now()));
    }
    Ok(())
}
