//! The simulated year: enrolment in its first weeks, and every week what happened in it, posted as
//! municipal systems post: late, twice, corrected, in bulk.

use super::population::{Citizen, Life, Population};
use super::{Done, Stopped};
use crate::cli::client::{Client, Tally};
use crate::clock::{Clock, danish_day};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use indicatif::{ProgressBar, ProgressStyle};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha20Rng;
use serde_json::{Value, json};

/// Weeks of the simulated year.
pub const WEEKS: u64 = 52;
/// Weeks of enrolment: everybody's horizon of 26 weeks, and 4 weeks of a job, end within the year.
const ENROLMENT_WEEKS: u64 = 20;
/// Requests to enrol that are under way at once.
const AT_ONCE: usize = 16;

/// A job centre with the keys of its two systems.
pub struct Site {
    pub name: &'static str,
    pub enroller: Client,
    pub source: Client,
}

/// Records that wait for the week in which they are posted, for each of several sources.
struct Post(Vec<Vec<Vec<Value>>>);

impl Post {
    fn new(sources: usize) -> Self {
        Self(
            (0..sources)
                .map(|_| vec![Vec::new(); WEEKS as usize + 1])
                .collect(),
        )
    }

    /// Posts a record in this week, or in the last one.
    fn put(&mut self, source: usize, week: u64, record: Value) {
        self.0[source][week.min(WEEKS) as usize].push(record);
    }

    fn take(&mut self, source: usize, week: u64) -> Vec<Value> {
        std::mem::take(&mut self.0[source][week as usize])
    }
}

/// Lives the year.
pub fn live(
    trial: &str,
    clock: &Clock,
    end: DateTime<Utc>,
    participants: u32,
    sites: &[Site],
    register: &Client,
) -> Done {
    let mut rng = ChaCha20Rng::seed_from_u64(2020);
    let mut lives: Vec<Life> = Vec::new();
    let (mut meetings, mut outcomes) = (Post::new(sites.len()), Post::new(1));
    let (mut population, mut number) = (Population::default(), 0_u64);
    let mut sums = [Tally::default(); 2];
    let style = ProgressStyle::with_template("{msg:<12} {bar:30} {pos:>7}/{len}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    let bars = indicatif::MultiProgress::new();
    let bar = |name: &'static str, length: u64| {
        bars.add(
            ProgressBar::new(length)
                .with_style(style.clone())
                .with_message(name),
        )
    };
    let (enrolled, weeks) = (bar("Enrolled", participants.into()), bar("Weeks", WEEKS));

    for week in 1..=WEEKS {
        let now = end - TimeDelta::weeks((WEEKS - week) as i64);
        clock.set(now);
        let day = danish_day(now).to_string();
        let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        for life in &mut lives {
            let happened = life.live(&mut rng, &day, &time);
            if let Some(record) = happened.conversation {
                number += 1;
                post_conversation(&mut rng, &mut meetings, life.site, week, number, record);
            }
            if let Some(record) = happened.outcome {
                number += 1;
                post_outcome(&mut rng, &mut outcomes, week, number, record);
            }
        }
        let target = u64::from(participants) * week.min(ENROLMENT_WEEKS) / ENROLMENT_WEEKS;
        while (lives.len() as u64) < target {
            let missing = (target - lives.len() as u64) as usize;
            let batch: Vec<Citizen> = (0..missing.min(500))
                .map(|_| population.next(&mut rng))
                .collect();
            for (citizen, answer) in enrol(trial, sites, &day, batch)? {
                let text = |key: &str| answer[key].as_str().unwrap_or_default().to_owned();
                lives.push(Life::new(
                    &mut rng,
                    &citizen,
                    &text("participant"),
                    &text("arm"),
                ));
            }
            enrolled.set_position(lives.len() as u64);
        }
        for (place, site) in sites.iter().enumerate() {
            let records = meetings.take(place, week);
            let path = format!("{trial}/conversations");
            add(&mut sums[0], send(&site.source, &path, &records)?);
        }
        let mut records = outcomes.take(0, week);
        for record in &mut records {
            record["extracted_on"] = day.as_str().into();
        }
        add(
            &mut sums[1],
            send(register, &format!("{trial}/outcomes"), &records)?,
        );
        weeks.inc(1);
    }
    enrolled.finish();
    weeks.finish();
    for (name, sum) in ["conversations", "outcomes"].iter().zip(sums) {
        eprintln!(
            "{name}: {} recorded, {} sent twice, {} refused",
            sum.recorded, sum.duplicate, sum.refused
        );
    }
    if sums.iter().any(|sum| sum.refused > 0) {
        return Err(Stopped::failed("records of the demonstration were refused"));
    }
    Ok(())
}

/// Most records come in their week; some late, some twice, some are corrected later.
fn post_conversation(
    rng: &mut ChaCha20Rng,
    post: &mut Post,
    site: usize,
    week: u64,
    number: u64,
    mut record: Value,
) {
    record["source_id"] = format!("c-{number}").into();
    let posted = if rng.random_bool(0.08) {
        week + rng.random_range(1..=4)
    } else {
        week
    };
    if rng.random_bool(0.01) {
        post.put(site, posted + 1, record.clone());
    }
    if rng.random_bool(0.03) && record["status"] == "held" {
        let mut correction = record.clone();
        correction["source_id"] = format!("c-{number}-1").into();
        correction["replaces"] = format!("c-{number}").into();
        correction["reason"] = "Minutes were entered wrongly".into();
        correction["duration_minutes"] =
            json!(record["duration_minutes"].as_f64().unwrap_or(20.0) + 5.0);
        // In the last week both stand in one body, the correction after what it corrects.
        post.put(site, posted, record);
        post.put(site, posted + rng.random_range(1..=3), correction);
        return;
    }
    post.put(site, posted, record);
}

fn post_outcome(rng: &mut ChaCha20Rng, post: &mut Post, week: u64, number: u64, mut record: Value) {
    record["source_id"] = format!("o-{number}").into();
    let posted = if rng.random_bool(0.06) {
        week + rng.random_range(1..=3)
    } else {
        week
    };
    post.put(0, posted, record);
}

/// Enrols citizens, several at once; who was screened out is left out of the answer.
fn enrol(
    trial: &str,
    sites: &[Site],
    day: &str,
    citizens: Vec<Citizen>,
) -> Result<Vec<(Citizen, Value)>, Stopped> {
    let path = format!("{trial}/enrolments");
    let size = citizens.len().div_ceil(AT_ONCE).max(1);
    std::thread::scope(|scope| {
        let threads: Vec<_> = citizens
            .chunks(size)
            .map(|chunk| {
                let path = &path;
                scope.spawn(move || {
                    let mut enrolled = Vec::new();
                    for citizen in chunk {
                        let client = &sites[citizen.site].enroller;
                        let (status, answer) = client.try_post(path, &citizen.request(day))?;
                        match (status, answer["type"].as_str()) {
                            (201, _) => enrolled.push((citizen.clone(), answer)),
                            (200, _) | (422, Some("/not-eligible")) => {}
                            _ => {
                                let site = sites[citizen.site].name;
                                let told = format!("enrolment at {site}: {status} {answer}");
                                return Err(Stopped::failed(told));
                            }
                        }
                    }
                    Ok(enrolled)
                })
            })
            .collect();
        let mut enrolled = Vec::new();
        for thread in threads {
            let done = thread
                .join()
                .map_err(|_| Stopped::failed("an enrolment panicked"))?;
            enrolled.extend(done?);
        }
        Ok(enrolled)
    })
}

fn send(client: &Client, path: &str, records: &[Value]) -> Result<Tally, Stopped> {
    if records.is_empty() {
        Ok(Tally::default())
    } else {
        client.post_lines(path, records)
    }
}

fn add(sum: &mut Tally, more: Tally) {
    sum.recorded += more.recorded;
    sum.duplicate += more.duplicate;
    sum.refused += more.refused;
}
