//! Many writes of one trial in one transaction, each isolated from the others.
//!
//! The transaction takes its locks in the order trial (shared), strata (by label), ledger head. All
//! that can be refused is refused by a decision in memory before anything of that write reaches the
//! database, so that a refusal touches nobody else. Where the transaction itself fails, which no
//! single write should cause, its writes are run again one by one.

use super::enrol::{self, Enrolled, Screened};
use super::enrolment::Candidate;
use super::fact::number_facts;
use super::idempotency::{Comparison, Idempotency};
use super::record::{self, Posted};
use super::{Refusal, Service};
use crate::access::Caller;
use crate::store::{NewFact, StoreError, Tx};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What is to be written.
#[derive(Debug, Clone)]
pub enum Work {
    Enrol(Box<Candidate>),
    Record(Box<Posted>),
}

/// One write of a group.
#[derive(Debug, Clone)]
pub struct Task {
    pub caller: Arc<Caller>,
    pub idempotency: Option<Idempotency>,
    pub work: Work,
}

/// A record on file.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub struct Recorded {
    pub id: String,
    /// Its number in the trial's record sequence.
    pub sequence: i64,
    /// It was on file before.
    pub duplicate: bool,
}

/// What came of a write that was not refused.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
pub enum Answer {
    Enrolled(Enrolled),
    Screened(Screened),
    Recorded(Recorded),
}

/// What came of a write, before the facts of the group are numbered.
#[derive(Debug)]
pub(super) enum Outcome {
    Done(Answer),
    Fact {
        index: usize,
        duplicate: bool,
    },
    /// The same request as an earlier one of the group.
    SameAs(usize),
    /// Another request under the Idempotency-Key of an earlier one of the group.
    KeyOf(usize),
    Refused(Refusal),
}

/// A group on its way through a transaction.
#[derive(Default)]
pub(super) struct Batch {
    pub facts: Vec<NewFact>,
    /// Positions of facts that replace a fact of the same group, and of the replaced ones.
    pub replaced_within: Vec<(usize, usize)>,
    outcomes: Vec<Option<Outcome>>,
}

impl Batch {
    pub fn is_open(&self, task: usize) -> bool {
        self.outcomes[task].is_none()
    }

    pub fn outcome(&self, task: usize) -> Option<&Outcome> {
        self.outcomes[task].as_ref()
    }

    pub fn set(&mut self, task: usize, outcome: Outcome) {
        self.outcomes[task] = Some(outcome);
    }

    pub fn repeated(&self, id: String, sequence: i64) -> Outcome {
        Outcome::Done(Answer::Recorded(Recorded {
            id,
            sequence,
            duplicate: true,
        }))
    }
}

/// Writes a group; the answers stand in the order of the tasks.
pub fn run(service: &Service, trial: &str, tasks: &[Task]) -> Vec<Result<Answer, Refusal>> {
    match service.store.write(|tx| attempt(tx, service, trial, tasks)) {
        // A request under the key of a refused one of the same group has no answer yet: a refusal
        // does not use up a key. It is run alone.
        Ok(answers) => answers
            .into_iter()
            .zip(tasks)
            .flat_map(|(answer, task)| match answer {
                Some(answer) => vec![answer],
                None => run(service, trial, std::slice::from_ref(task)),
            })
            .collect(),
        Err(refusal) if tasks.len() == 1 => vec![Err(refusal)],
        // No single write can be at fault: running them one by one would only wait for each.
        Err(Refusal::Store(StoreError::Unreachable(why))) => tasks
            .iter()
            .map(|_| Err(Refusal::Store(StoreError::Unreachable(why.clone()))))
            .collect(),
        Err(refusal) => {
            tracing::warn!(error = ?refusal, tasks = tasks.len(), "a group of writes failed and is run one by one");
            tasks
                .iter()
                .flat_map(|task| run(service, trial, std::slice::from_ref(task)))
                .collect()
        }
    }
}

fn attempt(
    tx: &mut Tx,
    service: &Service,
    trial: &str,
    tasks: &[Task],
) -> Result<Vec<Option<Result<Answer, Refusal>>>, Refusal> {
    let row = tx
        .lock_trial_shared(trial)?
        .ok_or(Refusal::NotFound("trial"))?;
    let trial = service.open_trial(tx, row)?;
    let mut batch = Batch {
        outcomes: tasks.iter().map(|_| None).collect(),
        ..Batch::default()
    };
    answer_repeats(tx, tasks, &mut batch)?;
    enrol::decide(tx, service, &trial, tasks, &mut batch)?;
    record::decide(tx, service, &trial, tasks, &mut batch)?;
    let ids: Vec<String> = batch.facts.iter().map(|fact| fact.id.clone()).collect();
    let first = number(tx, &trial.id, &mut batch)?;

    let mut answers: Vec<Option<Result<Answer, Refusal>>> = Vec::with_capacity(tasks.len());
    for outcome in batch.outcomes {
        answers.push(match outcome {
            Some(Outcome::Done(answer)) => Some(Ok(answer)),
            Some(Outcome::Refused(refusal)) => Some(Err(refusal)),
            Some(Outcome::Fact { index, duplicate }) => {
                let sequence = first + index as i64;
                let id = ids[index].clone();
                Some(Ok(Answer::Recorded(Recorded {
                    id,
                    sequence,
                    duplicate,
                })))
            }
            Some(Outcome::SameAs(earlier)) => match &answers[earlier] {
                Some(Ok(answer)) => Some(Ok(answer.clone())),
                _ => None,
            },
            Some(Outcome::KeyOf(earlier)) => match &answers[earlier] {
                Some(Ok(_)) => Some(Err(Refusal::IdempotencyMismatch)),
                _ => None,
            },
            None => Some(Err(Refusal::Internal("a write was not decided".into()))),
        });
    }
    keep_answers(tx, service, tasks, &answers)?;
    Ok(answers)
}

/// Answers tasks whose Idempotency-Key was used before, or earlier in the group.
fn answer_repeats(tx: &mut Tx, tasks: &[Task], batch: &mut Batch) -> Result<(), Refusal> {
    for (i, task) in tasks.iter().enumerate() {
        let Some(idempotency) = &task.idempotency else {
            continue;
        };
        match idempotency.find(tx, &task.caller) {
            Ok(Some(answer)) => batch.set(i, Outcome::Done(answer)),
            Ok(None) => {}
            Err(Refusal::IdempotencyMismatch) => {
                batch.set(i, Outcome::Refused(Refusal::IdempotencyMismatch));
            }
            Err(other) => return Err(other),
        }
        if !batch.is_open(i) {
            continue;
        }
        // The first task of the group under a key is the one that the key stands for.
        let first = tasks[..i].iter().enumerate().find_map(|(j, earlier)| {
            let same_caller = earlier.caller.key_id == task.caller.key_id;
            let other = earlier.idempotency.as_ref().filter(|_| same_caller)?;
            match idempotency.compare(other) {
                Comparison::OtherKey => None,
                Comparison::Same => Some(Outcome::SameAs(j)),
                Comparison::OtherRequest => Some(Outcome::KeyOf(j)),
            }
        });
        if let Some(outcome) = first {
            batch.set(i, outcome);
        }
    }
    Ok(())
}

/// Numbers and inserts the facts of the group; returns the first number.
fn number(tx: &mut Tx, trial: &str, batch: &mut Batch) -> Result<i64, Refusal> {
    if batch.facts.is_empty() {
        return Ok(0);
    }
    let mut facts = std::mem::take(&mut batch.facts);
    let first = number_facts(tx, trial, facts.len())?;
    for (new, old) in &batch.replaced_within {
        facts[*new].replaces = Some(first + *old as i64);
    }
    tx.insert_facts(trial, first, facts)?;
    Ok(first)
}

fn keep_answers(
    tx: &mut Tx,
    service: &Service,
    tasks: &[Task],
    answers: &[Option<Result<Answer, Refusal>>],
) -> Result<(), Refusal> {
    for (task, answer) in tasks.iter().zip(answers) {
        let (Some(idempotency), Some(Ok(answer))) = (&task.idempotency, answer) else {
            continue;
        };
        if idempotency.find::<Answer>(tx, &task.caller)?.is_none() {
            let participant = match answer {
                Answer::Enrolled(enrolled) => Some(enrolled.participant.as_str()),
                Answer::Screened(_) | Answer::Recorded(_) => None,
            };
            idempotency.keep(tx, service, &task.caller, participant, answer)?;
        }
    }
    Ok(())
}
