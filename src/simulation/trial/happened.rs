//! What happens to the participants of a simulated trial.

use super::World;
use super::people::People;
use crate::analysis::{Received, Values};
use crate::protocol::{Channel, EndpointKind, Protocol};
use crate::simulation::truth::compared;
use crate::statistics::random::Random;
use crate::statistics::survival::Observation;

/// Stream of the random numbers, apart from those of who is enrolled.
const OUTCOMES: u64 = 2;

/// What happens to the participants of one trial.
pub(super) struct Happened {
    pub values: Values,
    /// The week in which each value becomes known; never for some.
    pub weeks: Vec<Option<f64>>,
    pub received: Vec<Received>,
}

/// What is offered where in person is not possible: the first arm that has another way.
pub(in crate::simulation) fn replacement(protocol: &Protocol) -> Option<usize> {
    (0..protocol.arms.len()).find(|arm| !in_person_alone(protocol, *arm))
}

/// Whether an arm is delivered in person and in no other way.
pub(in crate::simulation) fn in_person_alone(protocol: &Protocol, arm: usize) -> bool {
    protocol.arms[arm].channels == [Channel::InPerson]
}

impl World<'_> {
    pub(super) fn outcomes(&self, people: &People, seed: [u8; 32]) -> Happened {
        let mut random = Random::new(seed, OUTCOMES);
        let worlds = self.scenario.worlds();
        let horizon = self.endpoint.horizon_weeks.map_or(0.0, f64::from);
        let delay = horizon + self.scenario.reporting_delay_weeks;
        let (arm, _) = compared(self.protocol);
        let (mut numbers, mut times, mut known) = (Vec::new(), Vec::new(), Vec::new());
        let mut received = Vec::with_capacity(self.reach);
        for row in 0..self.reach {
            let (control, effect, _) = worlds[people.group[row]];
            let control = control.unwrap_or_default();
            let offer = self.receives(people, row, &mut random);
            received.push(offer.map_or(Received::Nothing, Received::Arm));
            let got = offer == Some(arm);
            let lost = random.uniform() < self.scenario.drop_out;
            let (mut value, mut time) = (
                0.0,
                Observation {
                    time: horizon,
                    event: false,
                },
            );
            match self.endpoint.kind {
                EndpointKind::Binary => {
                    let p = control + if got { effect } else { 0.0 };
                    value = f64::from(u8::from(random.uniform() < p));
                }
                EndpointKind::Continuous => {
                    let mean = control + if got { effect } else { 0.0 };
                    value = mean + self.scenario.standard_deviation * random.normal();
                }
                EndpointKind::Count => {
                    let mut mean = control * if got { effect } else { 1.0 };
                    if self.scenario.dispersion > 0.0 {
                        let shape = 1.0 / self.scenario.dispersion;
                        mean *= random.gamma(shape) / shape;
                    }
                    value = random.poisson(mean) as f64;
                }
                EndpointKind::TimeToEvent => {
                    let hazard = -(1.0 - control).ln() / horizon * if got { effect } else { 1.0 };
                    // Days, as registers have them.
                    let event = (random.exponential() / hazard * 7.0).ceil() / 7.0;
                    let end = if lost {
                        horizon * random.uniform()
                    } else {
                        horizon
                    };
                    time = Observation {
                        time: event.min(end),
                        event: event <= end,
                    };
                }
            }
            let never = lost && self.endpoint.kind != EndpointKind::TimeToEvent;
            known.push((!never).then(|| people.week[row] + delay));
            numbers.push(value);
            times.push(time);
        }
        let values = match self.endpoint.kind {
            EndpointKind::Binary => {
                Values::Binary(numbers.iter().map(|v| Some(*v == 1.0)).collect())
            }
            EndpointKind::TimeToEvent => Values::Time(times.into_iter().map(Some).collect()),
            _ => Values::Number(numbers.into_iter().map(Some).collect()),
        };
        Happened {
            values,
            weeks: known,
            received,
        }
    }

    /// The arm whose offer a participant receives, if any.
    fn receives(&self, people: &People, row: usize, random: &mut Random) -> Option<usize> {
        let drawn = people.arms[row];
        if random.uniform() < self.scenario.no_show {
            return None;
        }
        if self.scenario.is_closed(people.site[row], people.week[row])
            && in_person_alone(self.protocol, drawn)
        {
            return replacement(self.protocol);
        }
        Some(drawn)
    }
}
