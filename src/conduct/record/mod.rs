//! Record what sources post: conversations and outcomes.
//!
//! A record is known by its source and source_id: sent twice it counts once. A correction is a new
//! record that names the one it replaces. A record that is refused touches no other.

mod conversation;
mod outcome;

pub use conversation::{Content as ConversationContent, ConversationKind, ConversationStatus};
pub use outcome::OutcomeKind;

use super::citizen::{Citizen, guarded_text, holds_number};
use super::fact::{Draft, FactKind};
use super::group::{Batch, Outcome, Task, Work};
use super::{Refusal, Service, Trial};
use crate::access::{Caller, Right, Role};
use crate::document::{Faults, Object};
use crate::ledger;
use crate::store::{ParticipantRow, SourceKey, StoredFact, Tx};
use chrono::NaiveDate;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// What is posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    Conversations,
    Outcomes,
}

impl Stream {
    pub fn kind(self) -> FactKind {
        match self {
            Stream::Conversations => FactKind::Conversation,
            Stream::Outcomes => FactKind::Outcome,
        }
    }

    pub fn write_right(self) -> Right {
        match self {
            Stream::Conversations => Right::WriteConversation,
            Stream::Outcomes => Right::WriteOutcome,
        }
    }

    pub fn read_right(self) -> Right {
        match self {
            Stream::Conversations => Right::ReadConversation,
            Stream::Outcomes => Right::ReadOutcome,
        }
    }
}

/// Whom a record is about.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Person {
    Participant(String),
    Pseudonym(String),
}

/// A posted record whose form is right.
#[derive(Debug, Clone)]
pub struct Posted {
    stream: Stream,
    source_id: String,
    person: Person,
    effective_on: NaiveDate,
    /// A record before the enrolment is impossible.
    after_enrolment: bool,
    replaces: Option<String>,
    body: Value,
}

/// Reads one record of a stream, or tells every fault of it.
pub fn read(
    service: &Service,
    trial: &Trial,
    stream: Stream,
    value: &Value,
) -> Result<Posted, Refusal> {
    let registration = trial.registered()?;
    let faults = Faults::default();
    let posted = Object::open(value, "", &faults).and_then(|object| {
        let today = service.clock.today();
        let source_id = source_id_of(service, &object, "source_id");
        if !object.has("source_id") {
            object.fault("source_id", "is missing");
        }
        let person = read_person(service, &trial.id, &object, &faults, today);
        let replaces = source_id_of(service, &object, "replaces");
        let reason = guarded_text(&object, "reason", 500);
        if reason.is_some() && !object.has("replaces") {
            object.fault(
                "reason",
                "belongs to a correction, which names the record it replaces",
            );
        }
        if replaces.is_some() && replaces == source_id {
            object.fault("replaces", "is the record itself");
        }
        let content = match stream {
            Stream::Conversations => conversation::read(&object, service.clock.now()),
            Stream::Outcomes => outcome::read(&object, &registration.protocol, today),
        };
        object.finish();
        let mut content = content?;
        if let Some(reason) = reason {
            content.body["reason"] = json!(reason);
        }
        Some(Posted {
            stream,
            source_id: source_id?,
            person: person?,
            effective_on: content.effective_on,
            after_enrolment: content.after_enrolment,
            replaces,
            body: content.body,
        })
    });
    faults.settle(posted).map_err(Refusal::Invalid)
}

/// A source's id of a record. Systems may use a citizen's number for it: an id that could be one is
/// kept as a keyed digest, which is as good for telling records apart.
fn source_id_of(service: &Service, object: &Object, key: &'static str) -> Option<String> {
    let text = object.optional::<String>(key)?;
    if text.chars().count() > 200 {
        object.fault(key, "must not be longer than 200 characters");
        return None;
    }
    if holds_number(&text) {
        return Some(format!(
            "hidden-{}",
            service
                .secrets
                .fingerprint(&[b"source_id", text.as_bytes()])
        ));
    }
    Some(text)
}

/// What the two kinds of record have of their own.
struct Particulars {
    effective_on: NaiveDate,
    after_enrolment: bool,
    body: Value,
}

fn read_person(
    service: &Service,
    trial: &str,
    object: &Object,
    faults: &Faults,
    today: NaiveDate,
) -> Option<Person> {
    match (object.has("participant"), object.value("citizen")) {
        (true, None) => {
            let id = object.required::<String>("participant")?;
            // Anything but an id of ours is refused unseen: it may be a citizen's number.
            if uuid::Uuid::try_parse(&id).is_err() {
                object.fault("participant", "must be the id of a participant");
                return None;
            }
            Some(Person::Participant(id))
        }
        (false, Some(value)) => Citizen::read(value, "citizen", faults, today)
            .map(|citizen| Person::Pseudonym(citizen.pseudonym(service, trial))),
        (false, None) => {
            object.fault("participant", "is missing (or citizen)");
            None
        }
        (true, Some(_)) => {
            object.fault("citizen", "cannot stand beside participant");
            None
        }
    }
}

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
pub(super) fn decide(
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
                let mut fact = draft.seal(service, &task.caller, now);
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
    if !trial.status.has_begun() {
        return Err(Refusal::WrongStatus {
            status: trial.status.to_string(),
            why: "enrolment has not begun".into(),
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

fn on_file(fact: StoredFact, replaced: bool) -> OnFile {
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
            .push(draft.seal(service, caller, service.clock.now()));
    }
    Ok(())
}

/// Writes many records, each by itself: one that is refused touches no other. `values` are the
/// parsed records, or why one could not be parsed.
pub fn bulk(
    service: &Service,
    trial: &Trial,
    stream: Stream,
    caller: &std::sync::Arc<Caller>,
    values: Vec<Result<Value, Refusal>>,
) -> Vec<Result<super::group::Recorded, Refusal>> {
    let read: Vec<Result<Posted, Refusal>> = values
        .into_iter()
        .map(|value| self::read(service, trial, stream, &value?))
        .collect();
    let tasks: Vec<Task> = read
        .iter()
        .filter_map(|posted| posted.as_ref().ok())
        .map(|posted| Task {
            caller: caller.clone(),
            idempotency: None,
            work: Work::Record(Box::new(posted.clone())),
        })
        .collect();
    let mut answers = super::group::run(service, &trial.id, &tasks).into_iter();
    read.into_iter()
        .map(|posted| {
            posted?;
            match answers.next() {
                Some(Ok(super::group::Answer::Recorded(recorded))) => Ok(recorded),
                Some(Err(refusal)) => Err(refusal),
                _ => Err(Refusal::Internal("a record was not answered".into())),
            }
        })
        .collect()
}

/// One page of the records of a stream that the caller may see.
pub fn page(
    service: &Service,
    caller: &Caller,
    trial: &str,
    stream: Stream,
    participant: Option<&str>,
    after: i64,
    limit: i64,
) -> Result<Vec<StoredFact>, Refusal> {
    service.trial(caller, trial, stream.read_right())?;
    let sites = caller.site_list();
    let mut facts = service.store.read(|tx| {
        let page = crate::store::Page {
            kind: stream.kind().as_str(),
            sites: sites.as_deref(),
            participant,
            after,
            limit,
        };
        Ok::<_, Refusal>(tx.page_facts(trial, &page)?)
    })?;
    if caller.role == Role::Statistician {
        for fact in &mut facts {
            let id = fact.participant_id.as_deref();
            fact.participant_id = id.map(|id| service.blinded_id(trial, id));
        }
    }
    Ok(facts)
}
