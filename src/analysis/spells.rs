//! Spells of employment, and the endpoints that are read off them.
//!
//! A spell runs from `employment_started` (the first day in the job) to `employment_ended` (the
//! first day without it), or to `until` where the start names it; overlapping jobs are one spell.

use chrono::{NaiveDate, TimeDelta};

/// Days in employment: from `start`, up to but not including `end`; none goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spell {
    pub start: NaiveDate,
    pub end: Option<NaiveDate>,
}

/// What a source reported of one participant's employment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    Started {
        on: NaiveDate,
        until: Option<NaiveDate>,
    },
    Ended {
        on: NaiveDate,
    },
}

/// The spells in order, and how many ends had no start.
///
/// Each end closes the earliest job that is still open; jobs that overlap or touch are merged.
pub fn spells(reports: &[Report]) -> (Vec<Spell>, u64) {
    let mut starts: Vec<(NaiveDate, Option<NaiveDate>)> = Vec::new();
    let mut ends: Vec<NaiveDate> = Vec::new();
    for report in reports {
        match *report {
            Report::Started { on, until } => starts.push((on, until)),
            Report::Ended { on } => ends.push(on),
        }
    }
    starts.sort_unstable();
    ends.sort_unstable();
    let mut jobs: Vec<Spell> = Vec::new();
    let mut lonely = 0;
    for &(start, until) in &starts {
        jobs.push(Spell { start, end: until });
    }
    // An end that was reported stands over an end that was only announced.
    let mut closed = vec![false; jobs.len()];
    for end in ends {
        let begun = |i: &usize| !closed[*i] && jobs[*i].start <= end;
        let open_then = |i: &usize| jobs[*i].end.is_none_or(|announced| end <= announced);
        let open = (0..jobs.len()).filter(begun).find(open_then);
        // A job that went on beyond its announced end.
        match open.or_else(|| (0..jobs.len()).rfind(begun)) {
            Some(i) => {
                jobs[i].end = Some(end);
                closed[i] = true;
            }
            None => lonely += 1,
        }
    }
    (merged(jobs), lonely)
}

/// Jobs that overlap or touch as one spell, in order; a job that ends before it begins is none.
pub fn merged(mut jobs: Vec<Spell>) -> Vec<Spell> {
    jobs.sort_by_key(|job| job.start);
    let mut merged: Vec<Spell> = Vec::new();
    for job in jobs
        .into_iter()
        .filter(|job| job.end.is_none_or(|end| end > job.start))
    {
        match merged.last_mut() {
            Some(last) if last.end.is_none_or(|end| job.start <= end) => {
                last.end = match (last.end, job.end) {
                    (Some(a), Some(b)) => Some(a.max(b)),
                    _ => None,
                };
            }
            _ => merged.push(job),
        }
    }
    merged
}

impl Spell {
    /// Whether the citizen is employed on this day.
    pub fn holds_on(&self, day: NaiveDate) -> bool {
        self.start <= day && self.end.is_none_or(|end| day < end)
    }

    /// Whether the spell lasts at least so many weeks; one that goes on is judged by the day to
    /// which its source is complete.
    pub fn lasts(&self, weeks: u32, complete: NaiveDate) -> bool {
        let end = self.end.unwrap_or(complete + TimeDelta::days(1));
        (end - self.start).num_days() >= 7 * i64::from(weeks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(n: i64) -> NaiveDate {
        NaiveDate::from_ymd_opt(2026, 1, 1).unwrap() + TimeDelta::days(n)
    }

    fn started(on: i64) -> Report {
        Report::Started {
            on: day(on),
            until: None,
        }
    }

    fn ended(on: i64) -> Report {
        Report::Ended { on: day(on) }
    }

    #[test]
    fn a_spell_runs_from_its_start_to_the_day_before_its_end() {
        let (found, lonely) = spells(&[ended(10), started(3)]);
        assert_eq!((found.len(), lonely), (1, 0));
        assert!(!found[0].holds_on(day(2)) && found[0].holds_on(day(3)));
        assert!(found[0].holds_on(day(9)) && !found[0].holds_on(day(10)));
    }

    #[test]
    fn overlapping_and_touching_jobs_are_one_spell() {
        let (found, _) = spells(&[started(0), started(5), ended(7), ended(20), started(20)]);
        assert_eq!(
            found,
            [Spell {
                start: day(0),
                end: None
            }]
        );
    }

    #[test]
    fn an_announced_end_holds_until_another_is_reported() {
        let announced = Report::Started {
            on: day(0),
            until: Some(day(30)),
        };
        assert_eq!(spells(&[announced]).0[0].end, Some(day(30)));
        assert_eq!(spells(&[announced, ended(12)]).0[0].end, Some(day(12)));
    }

    #[test]
    fn an_end_closes_the_job_that_was_open_and_not_one_that_had_ended() {
        let announced = Report::Started {
            on: day(0),
            until: Some(day(10)),
        };
        let (found, _) = spells(&[announced, started(20), ended(30)]);
        assert_eq!(
            found,
            [
                Spell {
                    start: day(0),
                    end: Some(day(10))
                },
                Spell {
                    start: day(20),
                    end: Some(day(30))
                }
            ]
        );
        assert_eq!(spells(&[announced, ended(14)]).0[0].end, Some(day(14)));
    }

    #[test]
    fn an_end_without_a_start_is_counted() {
        assert_eq!(spells(&[ended(4), started(9)]).1, 1);
    }

    #[test]
    fn a_spell_that_goes_on_lasts_as_long_as_its_source_tells() {
        let spell = Spell {
            start: day(0),
            end: None,
        };
        assert!(!spell.lasts(4, day(26)) && spell.lasts(4, day(27)));
        let ended = Spell {
            start: day(0),
            end: Some(day(28)),
        };
        assert!(ended.lasts(4, day(400)) && !ended.lasts(5, day(400)));
    }
}
