//! What was recorded about each participant, put together: spells, and the days of intercurrent events.

use super::reported::{Known, extracts};
use crate::analysis::facts::{About, Conversation, CutData, Enrolled, Outcome};
use crate::analysis::spells::{Report, Spell, merged, spells};
use crate::clock::danish_day;
use crate::conduct::record::{ConversationStatus, OutcomeKind};
use crate::protocol::{IntercurrentEvent, Protocol, Strategy};
use chrono::{NaiveDate, TimeDelta};
use std::collections::{BTreeMap, HashMap};

/// One participant with everything that was recorded about them.
pub(super) struct Person<'a> {
    pub(super) enrolled: &'a Enrolled,
    pub(super) conversations: Vec<&'a About<Conversation>>,
    pub(super) outcomes: Vec<&'a About<Outcome>>,
    pub(super) spells: Vec<Spell>,
    /// Day to which employment at their site is completely reported.
    pub(super) complete: Option<NaiveDate>,
    /// Last day on which a conversation was recorded at their site.
    pub(super) attended_until: Option<NaiveDate>,
    pub(super) events: BTreeMap<IntercurrentEvent, NaiveDate>,
}

impl Person<'_> {
    /// The day `weeks` after the draw.
    pub(super) fn day(&self, weeks: u32) -> NaiveDate {
        self.enrolled.enrolled_on + TimeDelta::days(7 * i64::from(weeks))
    }

    /// The first day, up to the horizon, of an intercurrent event with this strategy.
    pub(super) fn event(
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

pub(super) fn people<'a>(protocol: &Protocol, data: &'a CutData) -> Vec<Person<'a>> {
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
/// job of another, and a job that goes on is known as far as its own source has reported.
fn read_spells(person: &mut Person, extracts: &HashMap<&str, NaiveDate>) {
    let mut sources: BTreeMap<&str, Vec<Report>> = BTreeMap::new();
    for outcome in &person.outcomes {
        if let Some(report) = report(&outcome.body) {
            sources.entry(&outcome.source).or_default().push(report);
        }
    }
    let mut jobs = Vec::new();
    for (source, reports) in sources {
        let known_until = extracts
            .get(source)
            .copied()
            .unwrap_or(person.enrolled.enrolled_on);
        jobs.extend(spells(&reports, known_until).0);
    }
    person.spells = merged(jobs);
}

pub(super) fn report(outcome: &Outcome) -> Option<Report> {
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
