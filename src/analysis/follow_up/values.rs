//! The value of an endpoint for each participant.

use super::person::Person;
use crate::analysis::columns::Values;
use crate::analysis::facts::Conversation;
use crate::analysis::spells::{Told, employed_on};
use crate::clock::danish_day;
use crate::conduct::record::ConversationStatus;
use crate::protocol::{Better, Endpoint, EndpointKind, Origin, Protocol, Strategy};
use crate::statistics::survival::Observation;
use chrono::NaiveDate;

const DAYS_OF_A_WEEK: f64 = 7.0;

pub(super) fn values(protocol: &Protocol, endpoint: &Endpoint, people: &[Person]) -> Values {
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

pub(super) fn composite_event(
    protocol: &Protocol,
    endpoint: &Endpoint,
    person: &Person,
) -> Option<NaiveDate> {
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
pub(in crate::analysis) fn until_horizon(
    observation: Observation,
    endpoint: &Endpoint,
) -> Observation {
    match endpoint.horizon_weeks {
        Some(weeks) => observation.until(f64::from(weeks)),
        None => observation,
    }
}

/// The last day that can be judged, in days after the draw: jobs that begin later may not have
/// lasted long enough yet to be seen.
pub(super) fn judged_days(endpoint: &Endpoint, person: &Person) -> Option<i64> {
    let complete = person.complete?;
    let days = (complete - person.enrolled.enrolled_on).num_days()
        - 7 * i64::from(endpoint.sustained_weeks);
    (days >= 0).then_some(days)
}

pub(super) fn horizon_days(endpoint: &Endpoint) -> i64 {
    7 * i64::from(endpoint.horizon_weeks.unwrap_or(0))
}

fn employed_at_horizon(endpoint: &Endpoint, person: &Person) -> Option<bool> {
    if judged_days(endpoint, person)? < horizon_days(endpoint) {
        return None;
    }
    let day = person.day(endpoint.horizon_weeks?);
    as_far_as_told(employed_on(&person.spells, day, endpoint.sustained_weeks))
}

fn as_far_as_told(told: Told) -> Option<bool> {
    match told {
        Told::Yes => Some(true),
        Told::No => Some(false),
        Told::Unknown => None,
    }
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
    let mut weeks = 0.0;
    for week in 1..=endpoint.horizon_weeks? {
        let day = person.day(week);
        let employed = if composite.is_some_and(|event| event <= day) {
            endpoint.better == Better::Lower
        } else {
            as_far_as_told(employed_on(&person.spells, day, endpoint.sustained_weeks))?
        };
        weeks += f64::from(u8::from(employed));
    }
    Some(weeks)
}

/// Weeks to the start of the first job, held at the draw or begun after it, that lasts long enough.
/// Where its source tells too little of a job to say whether it did, the time is censored there.
fn time_to_employment(endpoint: &Endpoint, person: &Person) -> Observation {
    let drawn = person.enrolled.enrolled_on;
    // Nobody reports yet, or not for long enough to judge a job: censored at the draw.
    let judged = judged_days(endpoint, person)
        .unwrap_or(0)
        .min(horizon_days(endpoint));
    let first = person
        .spells
        .iter()
        .filter(|spell| spell.end.is_none_or(|end| end > drawn))
        .map(|spell| (spell, spell.lasts(endpoint.sustained_weeks)))
        .find(|(_, told)| *told != Told::No)
        // A job held at the draw counts from the draw.
        .map(|(spell, told)| ((spell.start - drawn).num_days().max(0), told))
        .filter(|(days, _)| *days <= judged);
    let weeks = |days: i64| days as f64 / DAYS_OF_A_WEEK;
    match first {
        Some((days, told)) => Observation {
            time: weeks(days),
            event: told == Told::Yes,
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
pub(super) fn reported(endpoint: &Endpoint, person: &Person) -> Option<(f64, u32)> {
    person
        .outcomes
        .iter()
        .filter(|outcome| outcome.body.endpoint.as_deref() == Some(endpoint.id.as_str()))
        .max_by_key(|outcome| (outcome.body.effective_on, outcome.sequence))
        .and_then(|outcome| Some((outcome.body.value?, outcome.body.event.unwrap_or(0))))
}
