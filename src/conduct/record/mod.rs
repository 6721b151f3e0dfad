//! Record what sources post: conversations and outcomes.
//!
//! A record is known by its source and source_id: sent twice it counts once. A correction is a new
//! record that names the one it replaces. A record that is refused touches no other.

mod conversation;
mod decide;
mod outcome;

pub(super) use decide::decide;

pub use conversation::{Content as ConversationContent, ConversationKind, ConversationStatus};
pub use outcome::OutcomeKind;

use super::citizen::{Citizen, guarded_text, holds_number};
use super::fact::FactKind;
use super::group::{Task, Work};
use super::{Refusal, Service, Trial};
use crate::access::{Caller, Right};
use crate::document::{AnyText, Faults, Object};
use crate::store::FactRow;
use chrono::NaiveDate;
use serde_json::{Value, json};

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
        let person = read_person(service, trial, &object, &faults, today);
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
    let text = object.optional::<AnyText>(key)?.0;
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
    trial: &Trial,
    object: &Object,
    faults: &Faults,
    today: NaiveDate,
) -> Option<Person> {
    let scheme = trial.registration.as_ref()?.protocol.citizen_scheme;
    match (object.has("participant"), object.value("citizen")) {
        (true, None) => {
            let AnyText(id) = object.required("participant")?;
            // Anything but an id of ours is refused unseen: it may be a citizen's number.
            if uuid::Uuid::try_parse(&id).is_err() {
                object.fault("participant", "must be the id of a participant");
                return None;
            }
            Some(Person::Participant(id))
        }
        (false, Some(value)) => Citizen::read(value, "citizen", faults, scheme, today)
            .map(|citizen| Person::Pseudonym(citizen.pseudonym(service, &trial.id))),
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
) -> Result<Vec<FactRow>, Refusal> {
    service.trial(caller, trial, stream.read_right())?;
    let sites = caller.site_list();
    let facts = service.store.read(|tx| {
        let page = crate::store::Page {
            kind: stream.kind().as_str(),
            sites: sites.as_deref(),
            participant,
            after,
            limit,
        };
        Ok::<_, Refusal>(tx.page_facts(trial, &page)?)
    })?;
    Ok(facts)
}
