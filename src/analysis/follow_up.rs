//! From the facts of a data cut to the columns of the analysis.
//!
//! A participant whose horizon (plus the weeks that a job must last) lies beyond the day to which
//! the source is complete is not mature: missing for values at the horizon, censored for times.

use super::columns::{Column, Dataset, Values};
use super::facts::{About, Conversation, CutData, Enrolled, Outcome};
use super::flow::Flow;
use super::spells::{Report, Spell, spells};
use crate::clock::danish_day;
use crate::conduct::record::{ConversationStatus, OutcomeKind};
use crate::protocol::{
    Better, Endpoint, EndpointKind, FactorKind, IntercurrentEvent, Origin, Protocol, SITE, Strategy,
};
use crate::statistics::survival::Observation;
use chrono::{NaiveDate, TimeDelta};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// One participant with everything that was recorded about them.
struct Person<'a> {
    enrolled: &'a Enrolled,
    conversations: Vec<&'a About<Conversation>>,
    outcomes: Vec<&'a About<Outcome>>,
    spells: Vec<Spell>,
    /// Day to which employment at their site is completely reported.
    complete: Option<NaiveDate>,
    events: BTreeMap<IntercurrentEvent, NaiveDate>,
}

impl Person<'_> {
    /// The day `weeks` after the draw.
    fn day(&self, weeks: u32) -> NaiveDate {
        self.enrolled.enrolled_on + TimeDelta::days(7 * i64::from(weeks))
    }

    /// The first day, up to the horizon, of an intercurrent event with this strategy.
    fn event(
        &self,
        protocol: &Protocol,
        strategy: Strategy,
        horizon: Option<u32>,
    ) -> Option<NaiveDate> {
        let last = horizon.map(|weeks| self.day(weeks));
        self.events
            .iter()
            .filter(|(event, day)| {
                protocol.analysis.strategy(**event) == strategy
                    && last.is_none_or(|last| **day <= last)
            })
            .map(|(_, day)| *day)
            .min()
    }
}

impl Dataset {
    /// The columns of a data cut under a protocol.
    pub fn from_cut(protocol: &Protocol, data: &CutData) -> Self {
        let people = people(protocol, data);
        let mut dataset = Self {
            arms: people
                .iter()
                .map(|p| protocol.arm_index(&p.enrolled.arm).unwrap_or_default())
                .collect(),
            digest: data.digest.clone(),
            flow: flow(protocol, data),
            ..Self::default()
        };
        for factor in &protocol.factors {
            let column = match factor.kind {
                FactorKind::Level => Column::Levels(
                    people
                        .iter()
                        .map(|p| level(p.enrolled, &factor.id))
                        .collect(),
                ),
                FactorKind::Number => Column::Numbers(
                    people
                        .iter()
                        .map(|p| p.enrolled.factors.get(&factor.id).and_then(|v| v.as_f64()))
                        .collect(),
                ),
            };
            dataset.factors.insert(factor.id.clone(), column);
        }
        let recorded_until = data.recorded_until.map(danish_day);
        for endpoint in &protocol.endpoints {
            let values = values(protocol, endpoint, &people, recorded_until);
            dataset.endpoints.insert(endpoint.id.clone(), values);
            let warnings = endpoint_warnings(endpoint, &people);
            if !warnings.is_empty() {
                dataset
                    .endpoint_warnings
                    .insert(endpoint.id.clone(), warnings);
            }
        }
        dataset.warnings = warnings(data);
        dataset
    }
}

fn level(enrolled: &Enrolled, factor: &str) -> Option<String> {
    if factor == SITE {
        return enrolled.site.clone();
    }
    enrolled
        .factors
        .get(factor)
        .and_then(|value| value.as_str())
        .map(str::to_owned)
}

fn flow(protocol: &Protocol, data: &CutData) -> Flow {
    let mut arms: HashMap<String, i64> = HashMap::new();
    for enrolled in &data.participants {
        *arms.entry(enrolled.arm.clone()).or_default() += 1;
    }
    let ids = data
        .participants
        .iter()
        .map(|enrolled| enrolled.id.clone())
        .collect();
    Flow::of(protocol, &data.screenings, &ids, &arms)
}

fn people<'a>(protocol: &Protocol, data: &'a CutData) -> Vec<Person<'a>> {
    let complete = Completeness::of(data);
    let mut people: Vec<Person> = data
        .participants
        .iter()
        .map(|enrolled| Person {
            enrolled,
            conversations: Vec::new(),
            outcomes: Vec::new(),
            spells: Vec::new(),
            complete: complete.at(enrolled.site.as_deref()),
            events: BTreeMap::new(),
        })
        .collect();
    let place: HashMap<&str, usize> = data
        .participants
        .iter()
        .enumerate()
        .map(|(i, p)| (p.id.as_str(), i))
        .collect();
    for conversation in &data.conversations {
        if let Some(&i) = place.get(conversation.participant.as_str()) {
            people[i].conversations.push(conversation);
        }
    }
    for outcome in &data.outcomes {
        if let Some(&i) = place.get(outcome.participant.as_str()) {
            people[i].outcomes.push(outcome);
        }
    }
    for person in &mut people {
        person.spells = spells(&reports(person)).0;
        person.events = events(protocol, person);
    }
    people
}

fn reports(person: &Person) -> Vec<Report> {
    person
        .outcomes
        .iter()
        .filter_map(|outcome| match outcome.body.kind {
            OutcomeKind::EmploymentStarted => {
                let (on, until) = (outcome.body.effective_on, outcome.body.until);
                Some(Report::Started { on, until })
            }
            OutcomeKind::EmploymentEnded => Some(Report::Ended {
                on: outcome.body.effective_on,
            }),
            _ => None,
        })
        .collect()
}

/// The first day of each intercurrent event that the records show.
fn events(protocol: &Protocol, person: &Person) -> BTreeMap<IntercurrentEvent, NaiveDate> {
    let mut events: BTreeMap<IntercurrentEvent, NaiveDate> = BTreeMap::new();
    let mut note = |event, day: NaiveDate| {
        events
            .entry(event)
            .and_modify(|known| *known = day.min(*known))
            .or_insert(day);
    };
    for outcome in &person.outcomes {
        match outcome.body.kind {
            OutcomeKind::Died => note(IntercurrentEvent::Death, outcome.body.effective_on),
            OutcomeKind::Emigrated => {
                note(IntercurrentEvent::Emigration, outcome.body.effective_on)
            }
            _ => {}
        }
    }
    let arm = protocol
        .arms
        .iter()
        .find(|arm| arm.id == person.enrolled.arm);
    let mut first_held: Option<NaiveDate> = None;
    for conversation in &person.conversations {
        let day = danish_day(conversation.body.scheduled_at);
        match (conversation.body.status, conversation.body.held_channel) {
            (ConversationStatus::Exempt, _) => note(IntercurrentEvent::Exemption, day),
            (ConversationStatus::Held, channel) => {
                first_held = Some(first_held.map_or(day, |known| known.min(day)));
                let as_allocated = match (channel, arm) {
                    (Some(channel), Some(arm)) => arm.channels.contains(&channel),
                    _ => true,
                };
                if !as_allocated {
                    note(IntercurrentEvent::ChannelSwitch, day);
                }
            }
            _ => {}
        }
    }
    // A job before the first conversation was held: nothing of the arm can have brought it about.
    if let Some(start) = person.spells.first().map(|spell| spell.start)
        && first_held.is_none_or(|held| start <= held)
    {
        note(IntercurrentEvent::EarlyJob, start);
    }
    events
}

/// To which day the employment of each site is reported: the latest extract of a source that
/// reports employment and covers the site.
struct Completeness<'a> {
    everywhere: Option<NaiveDate>,
    sites: HashMap<&'a str, NaiveDate>,
}

impl<'a> Completeness<'a> {
    fn of(data: &'a CutData) -> Self {
        let mut extracted: BTreeMap<&str, NaiveDate> = BTreeMap::new();
        let mut of_employment: BTreeSet<&str> = BTreeSet::new();
        for outcome in &data.outcomes {
            let day = outcome.body.extracted_on;
            extracted
                .entry(&outcome.source)
                .and_modify(|known| *known = day.max(*known))
                .or_insert(day);
            if matches!(
                outcome.body.kind,
                OutcomeKind::EmploymentStarted | OutcomeKind::EmploymentEnded
            ) {
                of_employment.insert(&outcome.source);
            }
        }
        // The last word of a source on its coverage holds.
        let coverage: BTreeMap<&str, Option<&Vec<String>>> = data
            .coverage
            .iter()
            .map(|c| (c.source.as_str(), c.sites.as_ref()))
            .collect();
        let mut complete = Self {
            everywhere: None,
            sites: HashMap::new(),
        };
        for (source, day) in extracted {
            if !of_employment.contains(source) {
                continue;
            }
            match coverage.get(source).copied().flatten() {
                None => complete.everywhere = complete.everywhere.max(Some(day)),
                Some(sites) => {
                    for site in sites {
                        let known = complete.sites.entry(site).or_insert(day);
                        *known = day.max(*known);
                    }
                }
            }
        }
        complete
    }

    fn at(&self, site: Option<&str>) -> Option<NaiveDate> {
        self.everywhere
            .max(site.and_then(|site| self.sites.get(site)).copied())
    }
}

fn values(
    protocol: &Protocol,
    endpoint: &Endpoint,
    people: &[Person],
    recorded_until: Option<NaiveDate>,
) -> Values {
    let number = |value: &dyn Fn(&Person) -> Option<f64>| -> Vec<Option<f64>> {
        people
            .iter()
            .map(
                |person| match person.event(protocol, Strategy::Censor, endpoint.horizon_weeks) {
                    Some(_) => None,
                    None => value(person),
                },
            )
            .collect()
    };
    match (&endpoint.from, endpoint.kind) {
        (Origin::Employment, EndpointKind::TimeToEvent) => Values::Time(
            people
                .iter()
                .map(|person| time_to_employment(protocol, endpoint, person))
                .collect(),
        ),
        (Origin::Employment, EndpointKind::Binary) => Values::Binary(
            number(&|person| employed_at_horizon(protocol, endpoint, person).map(f64::from))
                .into_iter()
                .map(|value| value.map(|value| value == 1.0))
                .collect(),
        ),
        (Origin::Employment, _) => Values::Number(number(&|p| weeks_employed(endpoint, p))),
        (Origin::Attendance, kind) => {
            let counts = number(&|p| no_shows(endpoint, p, recorded_until));
            match kind {
                EndpointKind::Binary => {
                    Values::Binary(counts.into_iter().map(|n| n.map(|n| n > 0.0)).collect())
                }
                _ => Values::Number(counts),
            }
        }
        (Origin::DurationMinutes, _) => Values::Number(number(&|p| mean_minutes(endpoint, p))),
        (Origin::Reported, EndpointKind::TimeToEvent) => Values::Time(
            people
                .iter()
                .map(|person| {
                    let (value, event) = reported(endpoint, person)?;
                    let observation = Observation {
                        time: value,
                        event: event == 1,
                    };
                    Some(until_horizon(observation, endpoint))
                })
                .collect(),
        ),
        (Origin::Reported, EndpointKind::Binary) => Values::Binary(
            number(&|p| reported(endpoint, p).map(|(value, _)| value))
                .into_iter()
                .map(|value| value.map(|value| value == 1.0))
                .collect(),
        ),
        (Origin::Reported, _) => {
            Values::Number(number(&|p| reported(endpoint, p).map(|(value, _)| value)))
        }
        (Origin::Survey(_), EndpointKind::Binary) => Values::Binary(vec![None; people.len()]),
        (Origin::Survey(_), _) => Values::Number(vec![None; people.len()]),
    }
}

/// Follow-up shortened to the endpoint's horizon, where it has one.
pub(super) fn until_horizon(observation: Observation, endpoint: &Endpoint) -> Observation {
    match endpoint.horizon_weeks {
        Some(weeks) => observation.until(f64::from(weeks)),
        None => observation,
    }
}

/// The last day that can be judged, in days after the draw: jobs that begin later may not have
/// lasted long enough yet to be seen.
fn judged_days(endpoint: &Endpoint, person: &Person) -> Option<i64> {
    let complete = person.complete?;
    let days = (complete - person.enrolled.enrolled_on).num_days()
        - 7 * i64::from(endpoint.sustained_weeks);
    (days >= 0).then_some(days)
}

fn horizon_days(endpoint: &Endpoint) -> i64 {
    7 * i64::from(endpoint.horizon_weeks.unwrap_or(0))
}

fn employed_at_horizon(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> Option<u8> {
    let composite = person.event(protocol, Strategy::Composite, endpoint.horizon_weeks);
    if composite.is_some() {
        return Some(u8::from(endpoint.better == Better::Lower));
    }
    if judged_days(endpoint, person)? < horizon_days(endpoint) {
        return None;
    }
    let (day, complete) = (person.day(endpoint.horizon_weeks?), person.complete?);
    let holds = person
        .spells
        .iter()
        .any(|spell| spell.holds_on(day) && spell.lasts(endpoint.sustained_weeks, complete));
    Some(u8::from(holds))
}

/// Weeks, of the first to the horizon, at whose last day the citizen is employed.
fn weeks_employed(endpoint: &Endpoint, person: &Person) -> Option<f64> {
    if judged_days(endpoint, person)? < horizon_days(endpoint) {
        return None;
    }
    let complete = person.complete?;
    let weeks = (1..=endpoint.horizon_weeks?).filter(|week| {
        let day = person.day(*week);
        person
            .spells
            .iter()
            .any(|spell| spell.holds_on(day) && spell.lasts(endpoint.sustained_weeks, complete))
    });
    Some(weeks.count() as f64)
}

fn time_to_employment(
    protocol: &Protocol,
    endpoint: &Endpoint,
    person: &Person,
) -> Option<Observation> {
    let judged = judged_days(endpoint, person)?.min(horizon_days(endpoint));
    let in_days = |day: NaiveDate| (day - person.enrolled.enrolled_on).num_days();
    let weeks = |days: i64| days as f64 / 7.0;
    let complete = person.complete?;
    let start = person
        .spells
        .iter()
        .find(|spell| spell.lasts(endpoint.sustained_weeks, complete))
        // A job held at the draw counts from the draw.
        .map(|spell| in_days(spell.start).max(0))
        .filter(|days| *days <= judged);
    let before = |event: Option<NaiveDate>| {
        event
            .map(in_days)
            .filter(|days| start.is_none_or(|start| *days < start))
    };
    let composite = before(person.event(protocol, Strategy::Composite, endpoint.horizon_weeks));
    let censored = before(person.event(protocol, Strategy::Censor, endpoint.horizon_weeks));
    if let Some(days) = composite.filter(|days| censored.is_none_or(|other| *days <= other)) {
        // The event itself is unfavourable: never employed where a short time is the benefit, and
        // the end of a favourable state where a long one is.
        return Some(match endpoint.better {
            Better::Lower => Observation {
                time: weeks(horizon_days(endpoint)),
                event: false,
            },
            Better::Higher => Observation {
                time: weeks(days),
                event: true,
            },
        });
    }
    if let Some(days) = censored.filter(|days| *days < judged) {
        return Some(Observation {
            time: weeks(days.max(0)),
            event: false,
        });
    }
    Some(match start {
        Some(days) => Observation {
            time: weeks(days),
            event: true,
        },
        None => Observation {
            time: weeks(judged),
            event: false,
        },
    })
}

fn within<'a>(
    endpoint: &'a Endpoint,
    person: &'a Person,
) -> impl Iterator<Item = &'a Conversation> {
    let last = endpoint.horizon_weeks.map(|weeks| person.day(weeks));
    person
        .conversations
        .iter()
        .map(|conversation| &conversation.body)
        .filter(move |body| last.is_none_or(|last| danish_day(body.scheduled_at) <= last))
}

/// Conversations that the citizen did not come to; missing until the horizon has passed.
fn no_shows(
    endpoint: &Endpoint,
    person: &Person,
    recorded_until: Option<NaiveDate>,
) -> Option<f64> {
    if let Some(weeks) = endpoint.horizon_weeks
        && recorded_until? < person.day(weeks)
    {
        return None;
    }
    let missed = within(endpoint, person)
        .filter(|conversation| conversation.status == ConversationStatus::NoShow);
    Some(missed.count() as f64)
}

/// Mean minutes of the conversations held; missing where none tells its minutes.
fn mean_minutes(endpoint: &Endpoint, person: &Person) -> Option<f64> {
    let minutes: Vec<f64> = within(endpoint, person)
        .filter(|conversation| conversation.status == ConversationStatus::Held)
        .filter_map(|conversation| conversation.duration_minutes)
        .collect();
    let n = minutes.len() as f64;
    (!minutes.is_empty()).then(|| crate::statistics::stable_sum(minutes) / n)
}

/// The last value that was reported for the endpoint, with its event code.
fn reported(endpoint: &Endpoint, person: &Person) -> Option<(f64, u32)> {
    person
        .outcomes
        .iter()
        .filter(|outcome| outcome.body.endpoint.as_deref() == Some(endpoint.id.as_str()))
        .max_by_key(|outcome| (outcome.body.effective_on, outcome.sequence))
        .and_then(|outcome| Some((outcome.body.value?, outcome.body.event.unwrap_or(0))))
}

fn endpoint_warnings(endpoint: &Endpoint, people: &[Person]) -> Vec<String> {
    let mut warnings = Vec::new();
    if endpoint.from == Origin::Employment {
        let immature = people
            .iter()
            .filter(|p| judged_days(endpoint, p).is_none_or(|days| days < horizon_days(endpoint)))
            .count();
        if immature > 0 {
            warnings.push(format!(
                "{immature} participants have not been followed to the horizon by a complete source"
            ));
        }
    }
    if matches!(endpoint.from, Origin::Survey(_)) {
        warnings.push("this version takes no answers to surveys".into());
    }
    let several = people.iter().any(|person| {
        person.outcomes.iter().any(|outcome| {
            outcome.body.endpoint.as_deref() == Some(endpoint.id.as_str())
                && outcome.body.event.is_some_and(|event| event > 1)
        })
    });
    if several {
        warnings.push(COMPETING.into());
    }
    warnings
}

/// What is said where other events are treated as censoring.
pub(super) const COMPETING: &str =
    "competing events are treated as censoring: the estimates speak of a world without them";

fn warnings(data: &CutData) -> Vec<String> {
    let mut by_participant: HashMap<&str, Vec<Report>> = HashMap::new();
    for outcome in &data.outcomes {
        let report = match outcome.body.kind {
            OutcomeKind::EmploymentStarted => Report::Started {
                on: outcome.body.effective_on,
                until: outcome.body.until,
            },
            OutcomeKind::EmploymentEnded => Report::Ended {
                on: outcome.body.effective_on,
            },
            _ => continue,
        };
        by_participant
            .entry(&outcome.participant)
            .or_default()
            .push(report);
    }
    let lonely: u64 = by_participant
        .values()
        .map(|reports| spells(reports).1)
        .sum();
    if lonely > 0 {
        return vec![format!(
            "{lonely} ends of employment without a start are left out"
        )];
    }
    Vec::new()
}
