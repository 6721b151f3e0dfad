//! Enrol citizens: screen, find duplicates, draw, and record draw and person.

use super::enrolment::Candidate;
use super::fact::{Draft, FactKind};
use super::group::{Answer, Batch, Outcome, Task, Work};
use super::{Refusal, Service, Status, Trial, new_id};
use crate::access::Caller;
use crate::randomization::{Allocator, DRAW_VERSION, StratumLabel};
use crate::store::{CitizenRow, ParticipantRow, Tx};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::{BTreeMap, HashMap};

/// An enrolled citizen, as the answer tells it.
///
/// Index and stratum are not told: no role that enrols may know the position within a block.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Enrolled {
    pub participant: String,
    pub arm: String,
    pub enrolled_at: DateTime<Utc>,
    pub already_enrolled: bool,
}

/// A citizen who was screened out, and by which rules.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Screened {
    pub failed: Vec<String>,
}

/// What is known of a person while a group is decided.
enum Known {
    /// Seen before, not drawn; with the rules by which the last screening failed.
    Seen {
        person: String,
        failed: Option<Vec<String>>,
    },
    Drawn(ParticipantRow),
    /// To be drawn in this group, for the task with this position.
    Drawing {
        task: usize,
        site: Option<String>,
    },
}

/// A draw to be made.
struct Draw<'a> {
    task: usize,
    person: String,
    candidate: &'a Candidate,
}

/// Decides and persists every enrolment of the group that has no outcome yet.
pub(super) fn decide(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    tasks: &[Task],
    batch: &mut Batch,
) -> Result<(), Refusal> {
    let open: Vec<(usize, &Task, &Candidate)> = tasks
        .iter()
        .enumerate()
        .filter(|(i, _)| batch.is_open(*i))
        .filter_map(|(i, task)| match &task.work {
            Work::Enrol(candidate) => Some((i, task, candidate.as_ref())),
            Work::Record(_) => None,
        })
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    let mut people = load_people(tx, &trial.id, &open)?;
    let mut citizens = Vec::new();
    let mut draws = Vec::new();
    let mut repeats = Vec::new();
    let now = service.clock.now();

    for (i, task, candidate) in open {
        let known = people.get(&candidate.pseudonym);
        match known {
            Some(Known::Drawn(row)) => {
                batch.set(i, already(row, &task.caller));
                continue;
            }
            Some(Known::Drawing { task: first, site }) => {
                if task.caller.sees_site(site.as_deref()) {
                    repeats.push((i, *first));
                } else {
                    batch.set(i, Outcome::Refused(Refusal::CitizenElsewhere));
                }
                continue;
            }
            _ => {}
        }
        if let Err(refusal) = may_draw(trial, candidate) {
            batch.set(i, Outcome::Refused(refusal));
            continue;
        }
        let (person, screened_before) = match known {
            Some(Known::Seen { person, failed }) => (person.clone(), failed.clone()),
            _ => {
                let person = new_id(&service.clock);
                citizens.push(CitizenRow {
                    trial_id: trial.id.clone(),
                    pseudonym: candidate.pseudonym.clone(),
                    person_id: person.clone(),
                });
                (person, None)
            }
        };
        if candidate.failed.is_empty() {
            let site = candidate.site.clone();
            people.insert(
                candidate.pseudonym.clone(),
                Known::Drawing { task: i, site },
            );
            draws.push(Draw {
                task: i,
                person,
                candidate,
            });
            continue;
        }
        let answer = Answer::Screened(Screened {
            failed: candidate.failed.clone(),
        });
        batch.set(i, Outcome::Done(answer));
        if screened_before.as_ref() != Some(&candidate.failed) {
            batch
                .facts
                .push(screening(&person, candidate).seal(service, &task.caller, now));
        }
        let failed = Some(candidate.failed.clone());
        people.insert(candidate.pseudonym.clone(), Known::Seen { person, failed });
    }

    // Inserted in one order by every transaction, so that two of them do not wait in a circle.
    citizens.sort_by(|a, b| a.pseudonym.cmp(&b.pseudonym));
    tx.insert_citizens(&citizens)?;
    draw_all(tx, service, trial, tasks, draws, batch, now)?;
    for (i, first) in repeats {
        if let Some(Outcome::Done(Answer::Enrolled(enrolled))) = batch.outcome(first) {
            let again = Enrolled {
                already_enrolled: true,
                ..enrolled.clone()
            };
            batch.set(i, Outcome::Done(Answer::Enrolled(again)));
        }
    }
    Ok(())
}

fn may_draw(trial: &Trial, candidate: &Candidate) -> Result<(), Refusal> {
    let why = match (trial.status, &trial.registration) {
        (Status::Enrolling, Some(current)) if current.number == candidate.registration.number => {
            return Ok(());
        }
        (Status::Enrolling, _) => "it was registered anew meanwhile: send the request again",
        (Status::Paused, _) => "enrolment is paused",
        (Status::Closed, _) => "enrolment has ended",
        _ => "enrolment has not begun",
    };
    Err(Refusal::WrongStatus {
        status: trial.status.to_string(),
        why: why.into(),
    })
}

fn already(row: &ParticipantRow, caller: &Caller) -> Outcome {
    if !caller.sees_site(row.site.as_deref()) {
        return Outcome::Refused(Refusal::CitizenElsewhere);
    }
    Outcome::Done(Answer::Enrolled(Enrolled {
        participant: row.id.clone(),
        arm: row.arm.clone(),
        enrolled_at: row.enrolled_at.and_utc(),
        already_enrolled: true,
    }))
}

fn load_people(
    tx: &mut Tx,
    trial: &str,
    open: &[(usize, &Task, &Candidate)],
) -> Result<HashMap<String, Known>, Refusal> {
    let pseudonyms: Vec<String> = open
        .iter()
        .map(|(_, _, candidate)| candidate.pseudonym.clone())
        .collect();
    let citizens = tx.find_citizens(trial, &pseudonyms)?;
    let ids: Vec<String> = citizens.iter().map(|row| row.person_id.clone()).collect();
    let mut participants: HashMap<String, ParticipantRow> = tx
        .find_participants(trial, &ids)?
        .into_iter()
        .map(|row| (row.id.clone(), row))
        .collect();
    let mut people = HashMap::new();
    for citizen in citizens {
        let known = match participants.remove(&citizen.person_id) {
            Some(row) => Known::Drawn(row),
            None => {
                let kind = FactKind::Screening.as_str();
                let failed = tx
                    .last_fact_of(trial, kind, &citizen.person_id)?
                    .and_then(|fact| {
                        serde_json::from_value(super::fact::body_of(&fact.record)["failed"].take())
                            .ok()
                    });
                Known::Seen {
                    person: citizen.person_id,
                    failed,
                }
            }
        };
        people.insert(citizen.pseudonym, known);
    }
    Ok(people)
}

fn screening<'a>(person: &'a str, candidate: &'a Candidate) -> Draft<'a> {
    let mut body = candidate.body.clone();
    body["failed"] = json!(candidate.failed);
    Draft {
        kind: FactKind::Screening,
        participant: Some(person),
        site: candidate.site.as_deref(),
        effective_on: Some(candidate.enrolled_on),
        source: None,
        source_id: None,
        replaces: None,
        body,
    }
}

/// Draws stratum by stratum, in the order of their labels (the order of locks), and within a
/// stratum in the order in which the tasks came.
fn draw_all(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    tasks: &[Task],
    draws: Vec<Draw>,
    batch: &mut Batch,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let Some(registration) = trial.registration.as_ref() else {
        return Ok(());
    };
    let mut strata: BTreeMap<&StratumLabel, Vec<&Draw>> = BTreeMap::new();
    for draw in &draws {
        strata.entry(&draw.candidate.label).or_default().push(draw);
    }
    let mut participants = Vec::with_capacity(draws.len());
    for (label, draws) in strata {
        let external = draws[0].candidate.external_arm.is_some();
        let mut drawn: Vec<(Option<i64>, String)> = Vec::with_capacity(draws.len());
        if external {
            drawn.extend(draws.iter().map(|draw| {
                (
                    None,
                    draw.candidate
                        .external_arm
                        .clone()
                        .expect("read with method external"),
                )
            }));
        } else {
            let first = tx.take_indexes(&trial.id, label.as_str(), draws.len() as i64)?;
            let protocol = &registration.protocol;
            let mut allocator = Allocator::new(protocol, &registration.seed, label)
                .map_err(|fault| Refusal::Internal(fault.to_string()))?;
            allocator.skip(first as u64);
            drawn.extend(
                (first..)
                    .take(draws.len())
                    .map(|index| (Some(index), protocol.arms[allocator.next_arm()].id.clone())),
            );
        }
        for (draw, (index, arm)) in draws.into_iter().zip(drawn) {
            let caller = &tasks[draw.task].caller;
            for fact in facts_of(draw, label, index, &arm) {
                batch.facts.push(fact.seal(service, caller, now));
            }
            batch.set(
                draw.task,
                Outcome::Done(Answer::Enrolled(Enrolled {
                    participant: draw.person.clone(),
                    arm: arm.clone(),
                    enrolled_at: now,
                    already_enrolled: false,
                })),
            );
            participants.push(ParticipantRow {
                trial_id: trial.id.clone(),
                id: draw.person.clone(),
                site: draw.candidate.site.clone(),
                stratum: label.to_string(),
                draw_index: index,
                arm,
                enrolled_on: draw.candidate.enrolled_on,
                enrolled_at: now.naive_utc(),
            });
        }
    }
    tx.insert_participants(&participants)?;
    Ok(())
}

/// The two facts of an enrolment: the draw, which an auditor re-draws, and the person, which a law
/// may have erased.
fn facts_of<'a>(
    draw: &'a Draw,
    label: &StratumLabel,
    index: Option<i64>,
    arm: &str,
) -> [Draft<'a>; 2] {
    let of = |kind, body| Draft {
        kind,
        participant: Some(&draw.person),
        site: draw.candidate.site.as_deref(),
        effective_on: Some(draw.candidate.enrolled_on),
        source: None,
        source_id: None,
        replaces: None,
        body,
    };
    let draw_body = json!({
        "label": label.as_str(),
        "levels": label.levels(),
        "index": index,
        "arm": arm,
        "draw_version": DRAW_VERSION,
        "registration": draw.candidate.registration.number,
    });
    [
        of(FactKind::Draw, draw_body),
        of(FactKind::Enrolment, draw.candidate.body.clone()),
    ]
}
