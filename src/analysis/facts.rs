//! The facts of a data cut, as the analysis reads them.

use crate::clock::danish_day;
use crate::conduct::FactKind;
use crate::conduct::record::{ConversationStatus, OutcomeKind};
use crate::protocol::Channel;
use crate::store::FactRow;
use chrono::{DateTime, NaiveDate, Utc};
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap, HashSet};

/// A record of the ledger with its body.
#[derive(Debug, Deserialize)]
struct Record<B> {
    site: Option<String>,
    recorded_at: DateTime<Utc>,
    recorded_by: String,
    body: B,
}

/// One enrolled participant.
#[derive(Debug, Clone)]
pub struct Enrolled {
    pub id: String,
    pub arm: String,
    pub site: Option<String>,
    /// Time zero: the day of the draw (rules 1 and external draws: the day that was told).
    pub enrolled_on: NaiveDate,
    pub factors: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct DrawBody {
    arm: String,
    #[serde(default)]
    levels: BTreeMap<String, String>,
}

/// A draw whose person was erased since.
#[derive(Debug, Clone)]
pub struct Erased {
    /// Participants who were drawn before and are not erased.
    pub before: usize,
    pub arm: String,
    pub levels: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
struct EnrolmentBody {
    factors: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct ScreeningBody {
    failed: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct CoverageBody {
    sites: Option<Vec<String>>,
}

/// A conversation, as posted.
#[derive(Debug, Clone, Deserialize)]
pub struct Conversation {
    pub number: Option<u32>,
    pub kind: Option<String>,
    pub scheduled_at: DateTime<Utc>,
    pub assigned_channel: Option<Channel>,
    pub offered_channel: Option<Channel>,
    pub chosen_channel: Option<Channel>,
    pub held_channel: Option<Channel>,
    pub status: ConversationStatus,
    pub initiated_by: Option<String>,
    pub preparation_minutes: Option<f64>,
    pub duration_minutes: Option<f64>,
    pub follow_up_minutes: Option<f64>,
    pub content: Option<String>,
}

/// An outcome, as posted.
#[derive(Debug, Clone, Deserialize)]
pub struct Outcome {
    pub kind: OutcomeKind,
    pub effective_on: NaiveDate,
    pub until: Option<NaiveDate>,
    pub code: Option<String>,
    pub hours: Option<f64>,
    pub extracted_on: NaiveDate,
    pub endpoint: Option<String>,
    pub value: Option<f64>,
    pub event: Option<u32>,
}

/// A record about one participant.
#[derive(Debug, Clone)]
pub struct About<B> {
    pub sequence: i64,
    pub participant: String,
    pub source: String,
    /// The API key that posted it.
    pub key: String,
    pub site: Option<String>,
    pub recorded_on: NaiveDate,
    pub body: B,
}

/// Which sites a key reports for; none means all.
#[derive(Debug, Clone)]
pub struct Coverage {
    pub key: String,
    pub sites: Option<Vec<String>>,
}

/// Everything within a data cut, without the records that others replaced.
#[derive(Debug, Default)]
pub struct CutData {
    pub screenings: Vec<super::flow::Screening>,
    pub participants: Vec<Enrolled>,
    pub conversations: Vec<About<Conversation>>,
    pub outcomes: Vec<About<Outcome>>,
    pub coverage: Vec<Coverage>,
    /// Draws of participants who were erased since, in their order.
    pub erased: Vec<Erased>,
    /// SHA-256 over the leaves of the cut.
    pub digest: String,
    /// Root of the ledger's tree over them, in hexadecimal digits.
    pub root: String,
}

/// Why a record cannot be taken: its number, and what is wrong with it.
pub type Fault = (i64, String);

impl CutData {
    /// Puts together the facts of a cut, in the order of their numbers and without those that were
    /// erased. `erased` are the persons whom an erasure names.
    pub fn from_facts(facts: Vec<FactRow>, erased: &HashSet<String>) -> Result<Self, Fault> {
        let mut kinds: HashMap<FactKind, Vec<FactRow>> = HashMap::new();
        for fact in facts {
            if let Some(kind) = FactKind::parse(&fact.kind) {
                kinds.entry(kind).or_default().push(fact);
            }
        }
        let mut take = |kind| kinds.remove(&kind).unwrap_or_default();
        let mut data = Self::default();
        for fact in take(FactKind::Screening) {
            let record: Record<ScreeningBody> = read(&fact)?;
            let person = person_of(&fact)?;
            data.screenings.push(super::flow::Screening {
                person,
                failed: record.body.failed,
            });
        }
        let draws = take(FactKind::Draw);
        let enrolments = take(FactKind::Enrolment);
        let mut persons: HashMap<&Option<String>, &FactRow> = HashMap::new();
        persons.extend(enrolments.iter().map(|fact| (&fact.participant_id, fact)));
        for draw in &draws {
            let id = person_of(draw)?;
            let drawn: Record<DrawBody> = read(draw)?;
            if erased.contains(&id) {
                data.erased.push(Erased {
                    before: data.participants.len(),
                    arm: drawn.body.arm,
                    levels: drawn.body.levels,
                });
                continue;
            }
            let lacking = |what: &str| (draw.sequence, what.to_owned());
            let enrolment = persons
                .get(&draw.participant_id)
                .ok_or_else(|| lacking("its person is missing"))?;
            let person: Record<EnrolmentBody> = read(enrolment)?;
            data.participants.push(Enrolled {
                id,
                arm: drawn.body.arm,
                site: drawn.site,
                enrolled_on: draw.effective_on.ok_or_else(|| lacking("it has no day"))?,
                factors: person.body.factors,
            });
        }
        data.conversations = Self::current(take(FactKind::Conversation))?;
        data.outcomes = Self::current(take(FactKind::Outcome))?;
        for fact in take(FactKind::Coverage) {
            let record: Record<CoverageBody> = read(&fact)?;
            data.coverage.push(Coverage {
                key: record.recorded_by,
                sites: record.body.sites,
            });
        }
        Ok(data)
    }

    /// The records of a kind that no other one replaces.
    fn current<B: for<'de> Deserialize<'de>>(facts: Vec<FactRow>) -> Result<Vec<About<B>>, Fault> {
        let replaced: HashSet<i64> = facts.iter().filter_map(|fact| fact.replaces).collect();
        let mut records = Vec::with_capacity(facts.len());
        for fact in facts {
            if replaced.contains(&fact.sequence) {
                continue;
            }
            let record: Record<B> = read(&fact)?;
            records.push(About {
                sequence: fact.sequence,
                participant: person_of(&fact)?,
                source: fact.source.unwrap_or_default(),
                key: record.recorded_by,
                site: record.site,
                recorded_on: danish_day(record.recorded_at),
                body: record.body,
            });
        }
        Ok(records)
    }
}

/// The person a fact is about; a fact without one has been tampered with.
fn person_of(fact: &FactRow) -> Result<String, Fault> {
    let missing = || (fact.sequence, "it names nobody".to_owned());
    fact.participant_id.clone().ok_or_else(missing)
}

fn read<B: for<'de> Deserialize<'de>>(fact: &FactRow) -> Result<Record<B>, Fault> {
    serde_json::from_str(&fact.record)
        .map_err(|_| (fact.sequence, "its record cannot be read".to_owned()))
}
