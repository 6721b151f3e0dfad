//! Synthetic citizens, with the figures of the Danish reports.
//!
//! No citizen is real: numbers are counted up, and everything else is drawn from a fixed seed.

use rand::RngExt;
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};
use std::collections::HashSet;

/// The job centres of the demonstration.
pub const SITES: [&str; 12] = [
    "Aalborg",
    "Aarhus",
    "Esbjerg",
    "Fredericia",
    "Herning",
    "Hillerød",
    "Kolding",
    "København",
    "Odense",
    "Roskilde",
    "Svendborg",
    "Viborg",
];

/// Target group, its share of the unemployed in percent, and the weekly chance of a job.
const GROUPS: [(&str, u32, f64); 5] = [
    ("unemployment_benefit", 50, 0.036),
    ("job_ready_cash_benefit", 14, 0.024),
    ("activity_ready_cash_benefit", 16, 0.008),
    ("education_benefit", 8, 0.018),
    ("sickness_benefit", 12, 0.026),
];

/// Rules of the protocol, and how many in a thousand meet each.
const RULES: [(&str, u32); 4] = [
    ("first_conversation", 40),
    ("needs_interpreter", 35),
    ("protected_address", 8),
    ("in_another_trial", 12),
];

/// Share of conversations in person to which the citizen does not come; by telephone or video far
/// fewer.
const NO_SHOWS: [f64; 2] = [0.30, 0.11];

/// Minutes of a conversation in person; a digital one is 11 minutes shorter.
const MINUTES: [f64; 2] = [36.0, 25.0];

/// A citizen who is asked to take part.
#[derive(Debug, Clone)]
pub struct Citizen {
    pub number: String,
    pub site: usize,
    pub group: usize,
    age: u32,
    rules: [bool; 4],
}

impl Citizen {
    /// A citizen; the count goes into the number.
    fn draw(rng: &mut ChaCha20Rng, count: u32) -> Self {
        let age = rng.random_range(18..=64);
        let (day, month) = (rng.random_range(1..=28), rng.random_range(1..=12));
        let year = 2026 - age;
        // The seventh digit tells the century: 0 to 3 for the 1900s, 4 for 2000 to 2036.
        let century = if year >= 2000 { 4 } else { count / 1_000 % 4 };
        let number = format!(
            "{day:02}{month:02}{:02}-{century}{:03}",
            year % 100,
            count % 1_000
        );
        Self {
            number,
            site: rng.random_range(0..SITES.len()),
            group: by_share(rng.random_range(0..100)),
            age,
            rules: RULES.map(|(_, of_thousand)| rng.random_range(0..1_000) < of_thousand),
        }
    }

    /// The request to enrol this citizen.
    pub fn request(&self, enrolled_on: &str) -> Value {
        let eligibility: serde_json::Map<String, Value> = RULES
            .iter()
            .zip(self.rules)
            .map(|((rule, _), meets)| ((*rule).to_owned(), meets.into()))
            .collect();
        json!({
            "citizen": {"scheme": "cpr", "value": self.number},
            "site": SITES[self.site],
            "factors": {"target_group": GROUPS[self.group].0, "age": self.age},
            "eligibility": eligibility,
            "consent": {"version": "2026-1", "given_on": enrolled_on},
            "enrolled_on": enrolled_on,
        })
    }
}

/// Draws citizens, no two of whom have one number.
#[derive(Debug, Default)]
pub struct Population {
    drawn: u32,
    numbers: HashSet<String>,
}

impl Population {
    /// The next citizen.
    pub fn next(&mut self, rng: &mut ChaCha20Rng) -> Citizen {
        loop {
            self.drawn += 1;
            let citizen = Citizen::draw(rng, self.drawn);
            if self.numbers.insert(citizen.number.clone()) {
                return citizen;
            }
        }
    }
}

fn by_share(mut percent: u32) -> usize {
    for (group, (_, share, _)) in GROUPS.iter().enumerate() {
        if percent < *share {
            return group;
        }
        percent -= share;
    }
    GROUPS.len() - 1
}

/// The life of one participant after the draw, week by week.
#[derive(Debug)]
pub struct Life {
    pub participant: String,
    pub site: usize,
    digital: bool,
    chance: f64,
    employed: bool,
    left: bool,
    next_conversation: u64,
    conversations: u32,
}

/// What happens in a week.
#[derive(Debug, Default)]
pub struct Week {
    /// A conversation, without its source_id.
    pub conversation: Option<Value>,
    /// An outcome, without its source_id and the day of its extract.
    pub outcome: Option<Value>,
}

impl Life {
    pub fn new(rng: &mut ChaCha20Rng, citizen: &Citizen, participant: &str, arm: &str) -> Self {
        let digital = arm == "digital";
        // Conversations by telephone neither help nor hurt here: the truth of the demonstration.
        let chance = GROUPS[citizen.group].2;
        Self {
            participant: participant.to_owned(),
            site: citizen.site,
            digital,
            chance,
            employed: false,
            left: false,
            next_conversation: rng.random_range(1..=4),
            conversations: 0,
        }
    }

    /// Lives one week; `day` is its last day, `time` an hour of it.
    pub fn live(&mut self, rng: &mut ChaCha20Rng, day: &str, time: &str) -> Week {
        let mut week = Week::default();
        if self.left {
            return week;
        }
        if self.next_conversation > 0 {
            self.next_conversation -= 1;
        }
        if !self.employed && self.next_conversation == 0 {
            self.next_conversation = rng.random_range(4..=6);
            self.conversations += 1;
            week.conversation = Some(self.conversation(rng, time));
        }
        week.outcome = self.outcome(rng, day);
        week
    }

    fn conversation(&self, rng: &mut ChaCha20Rng, time: &str) -> Value {
        // A few are held the other way, on the citizen's wish.
        let digital = self.digital != rng.random_bool(0.03);
        let channel = match digital {
            false => "in_person",
            true if rng.random_bool(0.95) => "telephone",
            true => "video",
        };
        let assigned = if self.digital {
            "telephone"
        } else {
            "in_person"
        };
        let held = !rng.random_bool(NO_SHOWS[usize::from(digital)]);
        let mean = MINUTES[usize::from(digital)];
        let minutes = (mean + rng.random_range(-12..=12) as f64).max(5.0);
        let mut body = json!({
            "participant": self.participant,
            "number": self.conversations,
            "kind": if self.conversations == 1 { "first" } else { "regular" },
            "scheduled_at": time,
            "assigned_channel": assigned,
            "offered_channel": assigned,
            "chosen_channel": channel,
            "status": if held { "held" } else { "no_show" },
        });
        if held {
            body["held_channel"] = channel.into();
            body["preparation_minutes"] = 8.into();
            body["duration_minutes"] = minutes.into();
            body["content"] = "both".into();
        }
        body
    }

    fn outcome(&mut self, rng: &mut ChaCha20Rng, day: &str) -> Option<Value> {
        let kind = if rng.random_bool(0.0001) {
            self.left = true;
            if rng.random_bool(0.5) {
                "died"
            } else {
                "emigrated"
            }
        } else if self.employed && rng.random_bool(0.012) {
            self.employed = false;
            "employment_ended"
        } else if !self.employed && rng.random_bool(self.chance) {
            self.employed = true;
            "employment_started"
        } else {
            return None;
        };
        Some(json!({"participant": self.participant, "kind": kind, "effective_on": day}))
    }
}
