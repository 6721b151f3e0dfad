//! One simulated trial.

mod happened;
mod people;

pub(super) use happened::in_person_alone;

use happened::Happened;
use people::People;

use super::scenario::{Scenario, ScenarioFault};
use super::truth::{compared, truth};
use crate::analysis::design::Design;
use crate::analysis::multiplicity::by_plan;
use crate::analysis::sequential::{Decision, Reestimated};
use crate::analysis::{Column, Dataset, Earlier, Look, Settings, Values, primary_at};
use crate::protocol::{Endpoint, EndpointKind, Protocol};
use std::collections::BTreeMap;

/// Re-draws of a simulated trial whose primary estimator is the randomization test.
const REDRAWS: u32 = 499;

/// A world in which trials can be run.
pub(super) struct World<'a> {
    protocol: &'a Protocol,
    scenario: Scenario,
    design: &'a Design,
    endpoint: &'a Endpoint,
    /// Participants that are planned, and those that an enlarged trial has at the most.
    size: usize,
    reach: usize,
    /// Weeks from the enrolment until a value is known.
    due: f64,
    pub truth: Option<f64>,
}

/// What came of one trial.
#[derive(Debug, Clone, Copy)]
pub(super) struct Outcome {
    /// A boundary was reached, or without looks the p-value is at most alpha; in either direction
    /// where there are two sides.
    pub success: bool,
    pub decision: Option<Decision>,
    /// The look at which it stopped, counted from 1, and how many were planned.
    pub stopped: usize,
    pub last: bool,
    /// Participants enrolled, and weeks gone, at the stop.
    pub enrolled: usize,
    pub weeks: f64,
    pub estimate: Option<f64>,
    /// Whether the interval of a fixed sample, and that after the stop, hold the truth.
    pub covered: Option<bool>,
    pub covered_after_stop: Option<bool>,
    pub median_unbiased: Option<f64>,
    /// Whether the confidence sequence held the truth at every look.
    pub always_covered: Option<bool>,
}

/// Participants of a trial that was enlarged as far as its rule allows.
pub(super) fn reach(protocol: &Protocol, size: usize) -> usize {
    let looks = protocol.analysis.looks.as_ref();
    let most = looks
        .and_then(|looks| looks.reestimation.as_ref())
        .map_or(1.0, |rule| rule.most);
    (size as f64 * most).ceil() as usize
}

/// The week in which this share of the values that will ever be known is there.
fn made_at(weeks: &[Option<f64>], share: f64) -> f64 {
    let mut times: Vec<f64> = weeks.iter().flatten().copied().collect();
    times.sort_unstable_by(f64::total_cmp);
    let needed = ((share * times.len() as f64).ceil() as usize).clamp(1, times.len().max(1));
    times.get(needed - 1).copied().unwrap_or(0.0)
}

impl<'a> World<'a> {
    pub fn of(
        protocol: &'a Protocol,
        scenario: &Scenario,
        design: &'a Design,
        size: usize,
    ) -> Result<Self, ScenarioFault> {
        let endpoint = protocol
            .endpoint(&protocol.analysis.primary)
            .ok_or_else(|| ScenarioFault("the protocol has no primary endpoint".into()))?;
        let scenario = scenario.clone();
        // The null of a margin may ask for more than shares can give.
        scenario
            .check(protocol)
            .map_err(|fault| ScenarioFault(format!("under the null: {fault}")))?;
        Ok(Self {
            reach: reach(protocol, size),
            truth: truth(protocol, &scenario, size),
            due: endpoint.horizon_weeks.map_or(0.0, f64::from) + scenario.reporting_delay_weeks,
            protocol,
            design,
            endpoint,
            scenario,
            size,
        })
    }

    /// Runs the trial with this seed to its end.
    pub fn run(&self, seed: [u8; 32]) -> Result<Outcome, ScenarioFault> {
        let people = self.enrol(seed)?;
        let known = self.outcomes(&people, seed);
        let planned = match &self.protocol.analysis.looks {
            Some(looks) => looks.information.clone(),
            None => vec![1.0],
        };
        let mut earlier = Vec::new();
        let mut always = None;
        // Participants of the trial; more from the look on that enlarges it.
        let mut size = self.size;
        for (k, share) in planned.iter().enumerate() {
            let now = made_at(&known.weeks[..size], *share);
            let dataset = self.dataset(&people, &known, size, now);
            let settings = Settings {
                look: self.protocol.analysis.looks.as_ref().map(|_| Look {
                    number: k + 1,
                    earlier: earlier.clone(),
                }),
                seed: Some(seed),
                draws: REDRAWS,
            };
            let outcome = self.look(
                &dataset,
                &settings,
                &people,
                now,
                k,
                planned.len(),
                &mut always,
            );
            let (outcome, had, enlarged) = outcome;
            size = enlarged.unwrap_or(size).clamp(self.size, self.reach);
            let stop = matches!(
                outcome.decision,
                Some(Decision::Success | Decision::Harm | Decision::Futility)
            );
            if stop || k + 1 == planned.len() {
                return Ok(Outcome {
                    always_covered: always,
                    ..outcome
                });
            }
            let (arm, _) = compared(self.protocol);
            let id = self.protocol.arms[arm].id.clone();
            earlier.push(had.map(|had| (id, had)).into_iter().collect());
        }
        Err(ScenarioFault("the protocol plans no look".into()))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the state of a trial at a look, told once"
    )]
    fn look(
        &self,
        dataset: &Dataset,
        settings: &Settings,
        people: &People,
        now: f64,
        k: usize,
        looks: usize,
        always: &mut Option<bool>,
    ) -> (Outcome, Option<Earlier>, Option<usize>) {
        let (entries, sequential) = primary_at(self.protocol, dataset, settings, self.design);
        let entry = entries.first();
        let at = sequential
            .as_ref()
            .and_then(|sequential| sequential.arms.first());
        let alpha = self.protocol.analysis.alpha;
        // With several arms and a planned method, any arm that it shows.
        let p: Option<Vec<f64>> = entries.iter().map(|entry| entry.p_value).collect();
        let rejected = match (&self.protocol.analysis.multiplicity, p) {
            (Some(_), p) => p
                .and_then(|p| by_plan(self.protocol, &p))
                .is_some_and(|adjusted| adjusted.iter().any(|p| *p <= alpha)),
            (None, _) => entry
                .and_then(|entry| entry.p_value)
                .is_some_and(|p| p <= alpha),
        };
        let decision = at.and_then(|at| at.decision);
        let holds = |lower: f64, upper: f64| self.truth.map(|t| lower <= t && t <= upper);
        if let Some(limits) = at.and_then(|at| at.always_valid) {
            let now = holds(limits.lower, limits.upper);
            *always = now.map(|now| now && always.unwrap_or(true));
        }
        let after = at.and_then(|at| at.after_stop.as_ref());
        let outcome = Outcome {
            success: match &self.protocol.analysis.looks {
                // In a trial with one side harm is no success.
                Some(_) if self.protocol.analysis.sides == 2 => {
                    matches!(decision, Some(Decision::Success | Decision::Harm))
                }
                Some(_) => decision == Some(Decision::Success),
                None => rejected,
            },
            decision,
            stopped: k + 1,
            last: k + 1 == looks,
            enrolled: people.week[..dataset.rows()]
                .iter()
                .filter(|week| **week <= now)
                .count(),
            weeks: now,
            estimate: entry.and_then(|entry| entry.estimate),
            covered: entry
                .and_then(|entry| entry.confidence)
                .and_then(|limits| holds(limits.lower, limits.upper)),
            covered_after_stop: after
                .and_then(|after| after.confidence)
                .and_then(|limits| holds(limits.lower, limits.upper)),
            median_unbiased: after.and_then(|after| after.median_unbiased),
            always_covered: None,
        };
        let had = at.and_then(|at| {
            at.fraction.map(|fraction| Earlier {
                fraction,
                information: at.information,
                z: at.z,
            })
        });
        let enlarged = at
            .and_then(|at| at.reestimation.as_ref())
            .map(|advice| self.enlarged(advice));
        (outcome, had, enlarged)
    }

    /// Participants that the advice takes, whoever will have no value among them.
    fn enlarged(&self, advice: &Reestimated) -> usize {
        let lost = match self.endpoint.kind {
            EndpointKind::TimeToEvent => 0.0,
            _ => self.scenario.drop_out,
        };
        let with_value = advice.participants.map(|n| n as f64 / (1.0 - lost));
        // Events come as planned.
        with_value
            .unwrap_or(self.size as f64 * advice.information)
            .ceil() as usize
    }

    /// What is known of the first participants in a week.
    fn dataset(&self, people: &People, happened: &Happened, size: usize, now: f64) -> Dataset {
        let there = |row: usize| happened.weeks[row].is_some_and(|week| week <= now);
        fn keep<T: Copy>(values: &[Option<T>], there: impl Fn(usize) -> bool) -> Vec<Option<T>> {
            let rows = values.iter().enumerate();
            rows.map(|(row, v)| v.filter(|_| there(row))).collect()
        }
        let values = match &happened.values {
            Values::Binary(values) => Values::Binary(keep(&values[..size], there)),
            Values::Number(values) => Values::Number(keep(&values[..size], there)),
            Values::Time(values) => Values::Time(keep(&values[..size], there)),
        };
        let first = |column: &Column| match column {
            Column::Levels(levels) => Column::Levels(levels[..size].to_vec()),
            Column::Numbers(numbers) => Column::Numbers(numbers[..size].to_vec()),
        };
        let factors = people.factors.iter();
        let immature = (0..size)
            .map(|row| people.week[row] + self.due > now)
            .collect();
        Dataset {
            immature: BTreeMap::from([(self.endpoint.id.clone(), immature)]),
            arms: people.arms[..size].to_vec(),
            factors: factors
                .map(|(id, column)| (id.clone(), first(column)))
                .collect(),
            endpoints: BTreeMap::from([(self.endpoint.id.clone(), values)]),
            received: Some(happened.received[..size].to_vec()),
            ..Dataset::default()
        }
    }
}
