//! Enrol citizens: screen, find duplicates, draw, and record draw and person.

use super::draw::{self, Made, Wanted};
use super::enrolment::Candidate;
use super::fact::{Draft, FactKind};
use super::group::{Answer, Batch, Outcome, Task, Work};
use super::known::{self, Known, Screening};
use super::levels::Levels;
use super::reads;
use super::repeat::{self, Repeats};
use super::{Refusal, Service, Status, Trial, new_id};
use crate::access::Caller;
use crate::clock::danish_day;
use crate::protocol::SITE;
use crate::randomization::{Clusters, DRAW_VERSION, NotDrawn};
use crate::store::{CitizenRow, ParticipantRow, Tx};
use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

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

/// What is told instead of the id of a failed rule where somebody is excluded for a reason that nobody may
/// learn by asking.
pub const EXCLUDED: &str = "excluded";

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
    let mut people = known::load(tx, service, &trial.id, &open)?;
    let mut levels = Levels::load(tx, service, trial)?;
    let clusters = draw::clusters(tx, service, trial)?;
    let mut changed = Repeats::default();
    let mut citizens = Vec::new();
    let mut draws = Vec::new();
    let mut repeats = Vec::new();
    let now = service.clock.now();

    for (i, task, candidate) in open {
        let known = people.get(&candidate.pseudonym);
        match known {
            Some(Known::Drawn { row, by }) => {
                let (row, by) = (row.clone(), by.clone());
                let differs = repeat::from_enrolment(tx, service, &trial.id, &row.id, candidate)?;
                let before = batch.facts.len();
                let mut refused =
                    changed.note(tx, service, trial, task, &row.id, differs, batch, now)?;
                let elsewhere = !task.caller.sees_site(row.site.as_deref());
                if elsewhere && refused.is_none() && batch.facts.len() == before {
                    let person = Some(row.id.as_str());
                    refused = changed.look_up(tx, service, trial, task, person, batch, now)?;
                }
                if !elsewhere && by != task.caller.key_id {
                    let ids = [row.id.as_str()];
                    reads::note(service, &task.caller, trial, &ids, &mut batch.facts);
                }
                batch.set(i, refused.unwrap_or_else(|| already(&row, &task.caller)));
                continue;
            }
            // Answered like a citizen whom a rule excludes; nothing is kept of it but that it was asked.
            Some(Known::Erased) => {
                let refused = changed.look_up(tx, service, trial, task, None, batch, now)?;
                let excluded = Answer::Screened(Screened {
                    failed: vec![EXCLUDED.into()],
                });
                batch.set(i, refused.unwrap_or(Outcome::Done(excluded)));
                continue;
            }
            Some(Known::Drawing {
                task: first,
                person,
                site,
            }) => {
                let (person, first) = (person.clone(), *first);
                let sees = task.caller.sees_site(site.as_deref());
                let differs = match &tasks[first].work {
                    Work::Enrol(other) => repeat::differences(&other.body, candidate),
                    Work::Record(_) => Vec::new(),
                };
                let before = batch.facts.len();
                let mut refused =
                    changed.note(tx, service, trial, task, &person, differs, batch, now)?;
                if !sees && refused.is_none() && batch.facts.len() == before {
                    let person = Some(person.as_str());
                    refused = changed.look_up(tx, service, trial, task, person, batch, now)?;
                }
                match refused {
                    Some(refused) => batch.set(i, refused),
                    None if sees => repeats.push((i, first)),
                    None => batch.set(i, Outcome::Refused(Refusal::CitizenElsewhere)),
                }
                continue;
            }
            Some(Known::Seen {
                person,
                screened: Some(screened),
            }) => {
                let differs = repeat::differences(&screened.body, candidate);
                let person = person.clone();
                if let Some(refused) =
                    changed.note(tx, service, trial, task, &person, differs, batch, now)?
                {
                    batch.set(i, refused);
                    continue;
                }
            }
            _ => {}
        }
        let may = match may_draw(trial, candidate, clusters.as_deref()) {
            Ok(()) => levels.admit(tx, service, &trial.id, candidate)?,
            refused => refused,
        };
        if let Err(refusal) = may {
            batch.set(i, Outcome::Refused(refusal));
            continue;
        }
        let (person, screened_before) = match people.get(&candidate.pseudonym) {
            Some(Known::Seen { person, screened }) => (person.clone(), screened.clone()),
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
                Known::Drawing {
                    task: i,
                    person: person.clone(),
                    site,
                },
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
        let screened = Screening {
            failed: candidate.failed.clone(),
            body: candidate.body.clone(),
        };
        if screened_before.is_none_or(|before| before.failed != screened.failed) {
            batch.facts.push(screening(&person, candidate).seal(
                service,
                &trial.id,
                &task.caller,
                now,
            ));
        }
        let screened = Some(screened);
        people.insert(
            candidate.pseudonym.clone(),
            Known::Seen { person, screened },
        );
    }

    // Inserted in one order by every transaction, so that two of them do not wait in a circle.
    citizens.sort_by(|a, b| a.pseudonym.cmp(&b.pseudonym));
    tx.insert_citizens(&citizens)?;
    draw_all(
        tx,
        service,
        trial,
        tasks,
        &draws,
        clusters.as_deref(),
        batch,
        now,
    )?;
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

fn may_draw(
    trial: &Trial,
    candidate: &Candidate,
    clusters: Option<&Clusters>,
) -> Result<(), Refusal> {
    let why = match (trial.status, &trial.registration) {
        (Status::Enrolling, Some(current)) if current.number == candidate.registration.number => {
            return belongs_to_unit(candidate, clusters);
        }
        (Status::Enrolling, _) => "it was registered anew meanwhile: send the request again",
        (Status::Paused, _) => "enrolment is paused",
        (status, _) if status.has_ended() => "enrolment has ended",
        _ => "enrolment has not begun",
    };
    Err(Refusal::WrongStatus {
        status: trial.status.to_string(),
        why: why.into(),
    })
}

/// Where units are drawn, the citizen belongs to one of them, and says the same of it as the
/// protocol.
fn belongs_to_unit(candidate: &Candidate, clusters: Option<&Clusters>) -> Result<(), Refusal> {
    let (Some(clusters), Some(unit)) = (clusters, &candidate.unit) else {
        return Ok(());
    };
    let protocol = &candidate.registration.protocol;
    let field = |id: &str| match id {
        SITE => SITE.to_owned(),
        id => format!("factors.{id}"),
    };
    let drawn = clusters.of(unit).map_err(|fault: NotDrawn| {
        let name = protocol.unit_factor().map_or(SITE, |factor| &factor.id);
        Refusal::field(&field(name), fault.to_string())
    })?;
    let (told, of_unit) = (candidate.label.levels(), drawn.label.levels());
    match protocol
        .stratifiers()
        .find(|f| told[&f.id] != of_unit[&f.id])
    {
        Some(factor) => Err(Refusal::field(
            &field(&factor.id),
            "is not the level of the citizen's unit",
        )),
        None => Ok(()),
    }
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

/// Draws, and records the draws and the persons in the order in which the tasks came.
#[expect(clippy::too_many_arguments, reason = "what a group of draws needs")]
fn draw_all(
    tx: &mut Tx,
    service: &Service,
    trial: &Trial,
    tasks: &[Task],
    draws: &[Draw],
    clusters: Option<&Clusters>,
    batch: &mut Batch,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    if draws.is_empty() {
        return Ok(());
    }
    let wanted: Vec<Wanted> = draws
        .iter()
        .map(|draw| Wanted {
            label: &draw.candidate.label,
            unit: draw.candidate.unit.as_deref(),
            pseudonym: &draw.candidate.pseudonym,
            external_arm: draw.candidate.external_arm.as_deref(),
        })
        .collect();
    let made = draw::run(tx, service, trial, &wanted, clusters)?;
    let mut participants = Vec::with_capacity(draws.len());
    for (draw, made) in draws.iter().zip(made) {
        let caller = &tasks[draw.task].caller;
        let day = draw.candidate.time_zero.unwrap_or_else(|| danish_day(now));
        for fact in facts_of(draw, &made, day) {
            batch.facts.push(fact.seal(service, &trial.id, caller, now));
        }
        batch.set(
            draw.task,
            Outcome::Done(Answer::Enrolled(Enrolled {
                participant: draw.person.clone(),
                arm: made.arm.clone(),
                enrolled_at: now,
                already_enrolled: false,
            })),
        );
        participants.push(ParticipantRow {
            trial_id: trial.id.clone(),
            id: draw.person.clone(),
            site: draw.candidate.site.clone(),
            stratum: made.stream,
            draw_index: made.index,
            arm: made.arm,
            enrolled_on: day,
            enrolled_at: now.naive_utc(),
        });
    }
    tx.insert_participants(&participants)?;
    Ok(())
}

/// The two facts of an enrolment: the draw, which an auditor re-draws, and the person, which a law
/// may have erased.
fn facts_of<'a>(draw: &'a Draw, made: &Made, day: NaiveDate) -> [Draft<'a>; 2] {
    let of = |kind, body| Draft {
        kind,
        participant: Some(&draw.person),
        site: draw.candidate.site.as_deref(),
        effective_on: Some(day),
        source: None,
        source_id: None,
        replaces: None,
        body,
    };
    let mut body = json!({
        "label": made.label.as_str(),
        "levels": made.label.levels(),
        "index": made.index,
        "arm": made.arm,
        "draw_version": DRAW_VERSION,
        "registration": draw.candidate.registration.number,
    });
    if let Some(unit) = &made.unit {
        body["unit"] = json!(draw.candidate.unit);
        body["batch"] = json!(unit.batch);
        body["index"] = json!(unit.index);
    }
    if let Some(listed) = made.listed {
        body["listed"] = json!(listed);
    }
    [
        of(FactKind::Draw, body),
        of(FactKind::Enrolment, draw.candidate.body.clone()),
    ]
}
