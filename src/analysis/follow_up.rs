//! From the facts of a data cut to the columns of the analysis.
//!
//! A participant whose horizon (plus the weeks that a job must last) lies beyond the day to which
//! the source is complete is not mature: missing for values at the horizon, censored for times.

use super::columns::{Column, Dataset, Values};
use super::facts::{About, Conversation, CutData, Enrolled, Outcome};
use super::flow::Flow;
use super::spells::{Report, Spell, merged, spells};
use crate::clock::danish_day;
use crate::conduct::record::{ConversationStatus, OutcomeKind};
use crate::protocol::{
    Better, Endpoint, EndpointKind, FactorKind, IntercurrentEvent, Origin, Protocol, SITE, Strategy,
};
use crate::statistics::survival::Observation;
use chrono::{NaiveDate, TimeDelta};
use std::collections::{BTreeMap, BTreeSet, HashMap};

const DAYS_OF_A_WEEK: f64 = 7.0;

/// One participant with everything that was recorded about them.
struct Person<'a> {
    enrolled: &'a Enrolled,
    conversations: Vec<&'a About<Conversation>>,
    outcomes: Vec<&'a About<Outcome>>,
    spells: Vec<Spell>,
    /// Day to which employment at their site is completely reported.
    complete: Option<NaiveDate>,
    /// Last day on which a conversation was recorded at their site.
    attended_until: Option<NaiveDate>,
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

/// A draw names an arm that the protocol does not have.
#[derive(Debug, thiserror::Error)]
#[error("a draw names an arm that the protocol does not have")]
pub struct UnknownArm;

impl Dataset {
    /// The columns of a data cut under a protocol.
    ///
    /// # Errors
    /// Where a draw names an arm that the protocol does not have.
    pub fn from_cut(protocol: &Protocol, data: &CutData) -> Result<Self, UnknownArm> {
        let people = people(protocol, data);
        let mut dataset = Self {
            arms: people
                .iter()
                .map(|p| protocol.arm_index(&p.enrolled.arm).ok_or(UnknownArm))
                .collect::<Result<_, _>>()?,
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
        for endpoint in &protocol.endpoints {
            let values = values(protocol, endpoint, &people);
            dataset.endpoints.insert(endpoint.id.clone(), values);
            let warnings = endpoint_warnings(protocol, endpoint, &people);
            if !warnings.is_empty() {
                dataset
                    .endpoint_warnings
                    .insert(endpoint.id.clone(), warnings);
            }
        }
        dataset.warnings = warnings(data);
        Ok(dataset)
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
    let (employment, attendance) = (Known::employment(data), Known::attendance(data));
    let extracts = extracts(data);
    let mut people: Vec<Person> = data
        .participants
        .iter()
        .map(|enrolled| Person {
            enrolled,
            conversations: Vec::new(),
            outcomes: Vec::new(),
            spells: Vec::new(),
            complete: employment.at(enrolled.site.as_deref()),
            attended_until: attendance.at(enrolled.site.as_deref()),
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
        read_spells(person, &extracts);
        end_with_death(person);
        person.events = events(protocol, person);
    }
    people
}

/// No job outlives its holder, whatever was reported of its end.
fn end_with_death(person: &mut Person) {
    let died = person
        .outcomes
        .iter()
        .filter(|outcome| outcome.body.kind == OutcomeKind::Died)
        .map(|outcome| outcome.body.effective_on)
        .min();
    let Some(died) = died else { return };
    person.spells.retain(|spell| spell.start < died);
    for spell in &mut person.spells {
        spell.end = Some(spell.end.map_or(died, |end| end.min(died)));
    }
}

/// The spells that the sources report, each source by itself: an end of one source does not close a
/// job of another. Where a job goes on, nothing is judged beyond the day to which its own source has
/// reported.
fn read_spells(person: &mut Person, extracts: &HashMap<&str, NaiveDate>) {
    let mut sources: BTreeMap<&str, Vec<Report>> = BTreeMap::new();
    for outcome in &person.outcomes {
        if let Some(report) = report(&outcome.body) {
            sources.entry(&outcome.source).or_default().push(report);
        }
    }
    let mut jobs = Vec::new();
    for (source, reports) in sources {
        let (found, _) = spells(&reports);
        if found.iter().any(|spell| spell.end.is_none()) {
            person.complete = person.complete.min(extracts.get(source).copied());
        }
        jobs.extend(found);
    }
    person.spells = merged(jobs);
}

fn report(outcome: &Outcome) -> Option<Report> {
    match outcome.kind {
        OutcomeKind::EmploymentStarted => Some(Report::Started {
            on: outcome.effective_on,
            until: outcome.until,
        }),
        OutcomeKind::EmploymentEnded => Some(Report::Ended {
            on: outcome.effective_on,
        }),
        _ => None,
    }
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
    // Jobs that had ended by the draw are history.
    let after_draw = |spell: &&Spell| {
        spell
            .end
            .is_none_or(|end| end > person.enrolled.enrolled_on)
    };
    if let Some(start) = person
        .spells
        .iter()
        .find(after_draw)
        .map(|spell| spell.start)
        && first_held.is_none_or(|held| start <= held)
    {
        note(IntercurrentEvent::EarlyJob, start);
    }
    events
}

/// To which day something is reported: everywhere, and at single sites.
#[derive(Default)]
struct Known<'a> {
    everywhere: Option<NaiveDate>,
    sites: HashMap<&'a str, NaiveDate>,
}

impl<'a> Known<'a> {
    /// The day to which the employment of each site is reported: the latest extract that came, under
    /// a key that covers the site, from a source that reports employment.
    fn employment(data: &'a CutData) -> Self {
        let of_employment: BTreeSet<&str> = data
            .outcomes
            .iter()
            .filter(|outcome| is_of_employment(outcome))
            .map(|outcome| outcome.source.as_str())
            .collect();
        let coverage: BTreeMap<&str, Option<&Vec<String>>> = data
            .coverage
            .iter()
            .map(|c| (c.key.as_str(), c.sites.as_ref()))
            .collect();
        let mut known = Self::default();
        for outcome in &data.outcomes {
            if !of_employment.contains(outcome.source.as_str()) {
                continue;
            }
            let day = outcome.body.extracted_on;
            match coverage.get(outcome.key.as_str()).copied().flatten() {
                None => known.everywhere = known.everywhere.max(Some(day)),
                Some(sites) => sites.iter().for_each(|site| known.note(site, day)),
            }
        }
        known
    }

    /// The last day on which a conversation was recorded of each site.
    fn attendance(data: &'a CutData) -> Self {
        let mut known = Self::default();
        for conversation in &data.conversations {
            match &conversation.site {
                Some(site) => known.note(site, conversation.recorded_on),
                None => known.everywhere = known.everywhere.max(Some(conversation.recorded_on)),
            }
        }
        known
    }

    fn note(&mut self, site: &'a str, day: NaiveDate) {
        let known = self.sites.entry(site).or_insert(day);
        *known = day.max(*known);
    }

    fn at(&self, site: Option<&str>) -> Option<NaiveDate> {
        self.everywhere
            .max(site.and_then(|site| self.sites.get(site)).copied())
    }
}

fn is_of_employment(outcome: &About<Outcome>) -> bool {
    matches!(
        outcome.body.kind,
        OutcomeKind::EmploymentStarted | OutcomeKind::EmploymentEnded
    )
}

/// To which day each source has reported anything at all.
fn extracts(data: &CutData) -> HashMap<&str, NaiveDate> {
    let mut days = HashMap::new();
    for outcome in &data.outcomes {
        let day = outcome.body.extracted_on;
        let known = days.entry(outcome.source.as_str()).or_insert(day);
        *known = day.max(*known);
    }
    days
}

fn values(protocol: &Protocol, endpoint: &Endpoint, people: &[Person]) -> Values {
    match endpoint.kind {
        EndpointKind::TimeToEvent => {
            Values::Time(people.iter().map(|p| time(protocol, endpoint, p)).collect())
        }
        EndpointKind::Binary => Values::Binary(
            people
                .iter()
                .map(|p| binary(protocol, endpoint, p))
                .collect(),
        ),
        EndpointKind::Continuous | EndpointKind::Count => Values::Number(
            people
                .iter()
                .map(|p| number(protocol, endpoint, p))
                .collect(),
        ),
    }
}

/// Whether an intercurrent event ended the follow-up before the endpoint's value was due.
fn is_censored(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> bool {
    person
        .event(protocol, Strategy::Censor, endpoint.horizon_weeks)
        .is_some()
}

fn composite_event(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> Option<NaiveDate> {
    person.event(protocol, Strategy::Composite, endpoint.horizon_weeks)
}

fn binary(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> Option<bool> {
    // The event itself is an unfavourable outcome, known from its day on.
    if composite_event(protocol, endpoint, person).is_some() {
        return Some(endpoint.better == Better::Lower);
    }
    if is_censored(protocol, endpoint, person) {
        return None;
    }
    match &endpoint.from {
        Origin::Employment => employed_at_horizon(endpoint, person),
        Origin::Attendance => no_shows(endpoint, person).map(|n| n > 0.0),
        Origin::Reported => reported(endpoint, person).map(|(value, _)| value == 1.0),
        Origin::DurationMinutes | Origin::Survey(_) => None,
    }
}

fn number(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> Option<f64> {
    if is_censored(protocol, endpoint, person) {
        return None;
    }
    match &endpoint.from {
        Origin::Employment => weeks_employed(
            endpoint,
            person,
            composite_event(protocol, endpoint, person),
        ),
        Origin::Attendance => no_shows(endpoint, person),
        Origin::DurationMinutes => mean_minutes(endpoint, person),
        Origin::Reported => reported(endpoint, person).map(|(value, _)| value),
        Origin::Survey(_) => None,
    }
}

/// The time to the event, with intercurrent events dealt with as the protocol says.
fn time(protocol: &Protocol, endpoint: &Endpoint, person: &Person) -> Option<Observation> {
    let observed = match &endpoint.from {
        Origin::Employment => time_to_employment(endpoint, person),
        _ => {
            let (value, event) = reported(endpoint, person)?;
            let unit = endpoint.time_unit.per_week();
            until_horizon(
                Observation {
                    time: value / unit,
                    event: event == 1,
                },
                endpoint,
            )
        }
    };
    let weeks = |day: NaiveDate| {
        (day - person.enrolled.enrolled_on).num_days().max(0) as f64 / DAYS_OF_A_WEEK
    };
    // An event of the endpoint on the very day comes first.
    let before = |time: &f64| *time < observed.time;
    let composite = composite_event(protocol, endpoint, person)
        .map(weeks)
        .filter(before);
    let censored = person
        .event(protocol, Strategy::Censor, endpoint.horizon_weeks)
        .map(weeks)
        .filter(before);
    Some(match (composite, censored) {
        // The event itself is unfavourable: the endpoint's event is never reached where a short
        // time is the benefit, and is reached then where a long one is.
        (Some(time), other) if other.is_none_or(|other| time <= other) => match endpoint.better {
            Better::Lower => {
                let never = endpoint.horizon_weeks.map_or(observed.time, f64::from);
                Observation {
                    time: never,
                    event: false,
                }
            }
            Better::Higher => Observation { time, event: true },
        },
        (_, Some(time)) => Observation { time, event: false },
        _ => observed,
    })
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

fn employed_at_horizon(endpoint: &Endpoint, person: &Person) -> Option<bool> {
    if judged_days(endpoint, person)? < horizon_days(endpoint) {
        return None;
    }
    let (day, complete) = (person.day(endpoint.horizon_weeks?), person.complete?);
    Some(
        person
            .spells
            .iter()
            .any(|spell| spell.holds_on(day) && spell.lasts(endpoint.sustained_weeks, complete)),
    )
}

/// Weeks, of the first to the horizon, at whose last day the citizen is employed. From a composite
/// event on, every week is an unfavourable one.
fn weeks_employed(
    endpoint: &Endpoint,
    person: &Person,
    composite: Option<NaiveDate>,
) -> Option<f64> {
    if judged_days(endpoint, person)? < horizon_days(endpoint) {
        return None;
    }
    let complete = person.complete?;
    let weeks = (1..=endpoint.horizon_weeks?).filter(|week| {
        let day = person.day(*week);
        if composite.is_some_and(|event| event <= day) {
            return endpoint.better == Better::Lower;
        }
        person
            .spells
            .iter()
            .any(|spell| spell.holds_on(day) && spell.lasts(endpoint.sustained_weeks, complete))
    });
    Some(weeks.count() as f64)
}

/// Weeks to the start of the first job, held at the draw or begun after it, that lasts long enough.
fn time_to_employment(endpoint: &Endpoint, person: &Person) -> Observation {
    let drawn = person.enrolled.enrolled_on;
    // Nobody reports yet, or not for long enough to judge a job: censored at the draw.
    let judged = judged_days(endpoint, person)
        .unwrap_or(0)
        .min(horizon_days(endpoint));
    let complete = person.complete.unwrap_or(drawn);
    let counts = |spell: &&Spell| {
        spell.end.is_none_or(|end| end > drawn) && spell.lasts(endpoint.sustained_weeks, complete)
    };
    let start = person
        .spells
        .iter()
        .find(counts)
        // A job held at the draw counts from the draw.
        .map(|spell| (spell.start - drawn).num_days().max(0))
        .filter(|days| *days <= judged);
    let weeks = |days: i64| days as f64 / DAYS_OF_A_WEEK;
    match start {
        Some(days) => Observation {
            time: weeks(days),
            event: true,
        },
        None => Observation {
            time: weeks(judged),
            event: false,
        },
    }
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

/// Conversations that the citizen did not come to; missing until conversations of the site have been
/// recorded after the horizon.
fn no_shows(endpoint: &Endpoint, person: &Person) -> Option<f64> {
    let until = person.attended_until?;
    if endpoint
        .horizon_weeks
        .is_some_and(|weeks| until < person.day(weeks))
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

fn endpoint_warnings(protocol: &Protocol, endpoint: &Endpoint, people: &[Person]) -> Vec<String> {
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
    let no_worst_value = !matches!(
        endpoint.kind,
        EndpointKind::Binary | EndpointKind::TimeToEvent
    ) && endpoint.from != Origin::Employment;
    if no_worst_value {
        let met = people
            .iter()
            .filter(|p| composite_event(protocol, endpoint, p).is_some())
            .count();
        if met > 0 {
            warnings.push(format!(
                "{met} participants met an event whose strategy is composite: this endpoint has no \
                 worst value, and theirs are used as they are"
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
    let mut reports: HashMap<(&str, &str), Vec<Report>> = HashMap::new();
    for outcome in &data.outcomes {
        if let Some(report) = report(&outcome.body) {
            reports
                .entry((&outcome.participant, &outcome.source))
                .or_default()
                .push(report);
        }
    }
    let lonely: u64 = reports.values().map(|reports| spells(reports).1).sum();
    if lonely > 0 {
        return vec![format!(
            "{lonely} ends of employment without a start are left out"
        )];
    }
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::facts::Coverage;
    use serde_json::json;

    const DRAWN: &str = "2026-01-05";

    fn day(text: &str) -> NaiveDate {
        text.parse().expect("a day")
    }

    fn outcome(kind: &str, on: &str) -> About<Outcome> {
        let body = json!({"kind": kind, "effective_on": on, "extracted_on": "2026-12-31"});
        About {
            sequence: 0,
            participant: "p".into(),
            source: "register".into(),
            key: "key".into(),
            site: None,
            recorded_on: day("2026-12-31"),
            body: serde_json::from_value(body).expect("an outcome"),
        }
    }

    /// A time, a value at the horizon and a count of weeks, with this strategy for every event.
    fn protocol(strategy: &str) -> Protocol {
        let (strategy, events) = match strategy.strip_prefix("early_job ") {
            Some(strategy) => (strategy, vec!["early_job"]),
            None => (strategy, vec!["death", "emigration"]),
        };
        let events: serde_json::Map<_, _> = events
            .into_iter()
            .map(|event| (event.to_owned(), json!(strategy)))
            .collect();
        crate::protocol::from_value(json!({
            "id": "t", "title": "t",
            "arms": [{"id": "a", "control": true}, {"id": "b"}],
            "randomization": {"method": "simple"},
            "endpoints": [
                {"id": "time", "kind": "time_to_event", "from": "employment",
                 "horizon_weeks": 26, "sustained_weeks": 4},
                {"id": "held", "kind": "binary", "from": "employment", "horizon_weeks": 26},
                {"id": "weeks", "kind": "continuous", "from": "employment", "horizon_weeks": 26},
                {"id": "days", "kind": "time_to_event", "from": "reported", "horizon_weeks": 26,
                 "time_unit": "days"},
            ],
            "analysis": {"primary": "held", "alpha": 0.05, "sides": 2,
                "intercurrent_events": events},
        }))
        .expect("a protocol")
    }

    fn dataset(strategy: &str, outcomes: Vec<About<Outcome>>) -> Dataset {
        let data = CutData {
            participants: vec![Enrolled {
                id: "p".into(),
                arm: "a".into(),
                site: None,
                enrolled_on: day(DRAWN),
                factors: serde_json::Map::new(),
            }],
            coverage: vec![Coverage {
                key: "key".into(),
                sites: None,
            }],
            outcomes,
            ..CutData::default()
        };
        Dataset::from_cut(&protocol(strategy), &data).expect("known arms")
    }

    fn time_of(dataset: &Dataset, id: &str) -> Option<(f64, bool)> {
        let Values::Time(values) = &dataset.endpoints[id] else {
            panic!("no times")
        };
        values[0].map(|observation| (observation.time, observation.event))
    }

    fn held(dataset: &Dataset) -> Option<bool> {
        let Values::Binary(values) = &dataset.endpoints["held"] else {
            panic!("no flags")
        };
        values[0]
    }

    fn weeks(dataset: &Dataset) -> Option<f64> {
        let Values::Number(values) = &dataset.endpoints["weeks"] else {
            panic!("no numbers")
        };
        values[0]
    }

    #[test]
    fn a_job_that_ended_before_the_draw_is_history() {
        let past = || {
            vec![
                outcome("employment_started", "2024-01-01"),
                outcome("employment_ended", "2024-12-31"),
            ]
        };
        let data = dataset("treatment_policy", past());
        assert_eq!(
            (time_of(&data, "time"), held(&data)),
            (Some((26.0, false)), Some(false))
        );
        assert_eq!(held(&dataset("early_job censor", past())), Some(false));
    }

    #[test]
    fn a_job_held_at_the_draw_counts_from_the_draw() {
        let data = dataset(
            "treatment_policy",
            vec![outcome("employment_started", "2025-06-01")],
        );
        assert_eq!(
            (time_of(&data, "time"), held(&data)),
            (Some((0.0, true)), Some(true))
        );
        assert_eq!(weeks(&data), Some(26.0));
    }

    #[test]
    fn a_short_job_is_no_sustained_one() {
        let short = vec![
            outcome("employment_started", "2026-02-02"),
            outcome("employment_ended", "2026-02-16"),
            outcome("employment_started", "2026-04-06"),
        ];
        let data = dataset("treatment_policy", short);
        assert_eq!(time_of(&data, "time"), Some((13.0, true)));
    }

    #[test]
    fn whoever_has_not_passed_the_horizon_is_missing_or_censored() {
        let mut young = outcome("employment_started", "2026-03-02");
        young.body.extracted_on = day("2026-03-16");
        let data = dataset("treatment_policy", vec![young]);
        // 70 days are reported; jobs that began in the last 28 of them cannot be judged yet.
        assert_eq!(time_of(&data, "time"), Some((6.0, false)));
        assert_eq!((held(&data), weeks(&data)), (None, None));
        assert!(data.endpoint_warnings["held"][0].starts_with("1 participants"));
    }

    #[test]
    fn death_ends_every_job_and_is_unfavourable_where_it_is_composite() {
        let died = || {
            vec![
                outcome("employment_started", "2026-02-02"),
                outcome("died", "2026-03-30"),
            ]
        };
        // Eight weeks, 2 February to 29 March, end on days on which the citizen was employed.
        for strategy in ["treatment_policy", "composite"] {
            let data = dataset(strategy, died());
            assert_eq!(
                (held(&data), weeks(&data)),
                (Some(false), Some(8.0)),
                "{strategy}"
            );
            assert_eq!(time_of(&data, "time"), Some((4.0, true)), "{strategy}");
        }
        let only = || {
            vec![
                outcome("died", "2026-03-30"),
                outcome("employment_started", "2026-04-01"),
            ]
        };
        assert_eq!(
            time_of(&dataset("composite", only()), "time"),
            Some((26.0, false))
        );
        let data = dataset("censor", only());
        assert_eq!(
            (time_of(&data, "time"), held(&data)),
            (Some((12.0, false)), None)
        );
    }

    #[test]
    fn reported_times_are_read_in_the_unit_of_the_protocol() {
        let mut value = outcome("endpoint_value", "2026-06-01");
        value.body.endpoint = Some("days".into());
        (value.body.value, value.body.event) = (Some(70.0), Some(1));
        let data = dataset("treatment_policy", vec![value]);
        assert_eq!(time_of(&data, "days"), Some((10.0, true)));
    }

    #[test]
    fn a_job_is_judged_no_further_than_its_own_source_has_reported() {
        let mut short = outcome("employment_started", "2026-02-02");
        short.body.extracted_on = day("2026-02-03");
        let mut other = outcome("employment_started", "2026-09-01");
        (other.source, other.participant) = ("elsewhere".into(), "somebody else".into());
        let data = dataset("treatment_policy", vec![short, other]);
        assert_eq!((held(&data), weeks(&data)), (None, None));
        assert_eq!(time_of(&data, "time"), Some((1.0 / 7.0, false)));
    }

    #[test]
    fn an_end_from_one_source_closes_no_job_of_another() {
        let mut end = outcome("employment_ended", "2026-03-02");
        end.source = "elsewhere".into();
        let data = dataset(
            "treatment_policy",
            vec![outcome("employment_started", "2026-02-02"), end],
        );
        assert_eq!(held(&data), Some(true));
        assert_eq!(
            data.warnings,
            ["1 ends of employment without a start are left out"]
        );
    }

    #[test]
    fn where_nobody_reports_the_time_is_censored_at_the_draw() {
        let data = dataset(
            "treatment_policy",
            vec![outcome("left_register", "2026-02-02")],
        );
        assert_eq!(
            (time_of(&data, "time"), held(&data)),
            (Some((0.0, false)), None)
        );
    }
}
