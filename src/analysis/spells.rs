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
    /// The last day of which the source of a spell that goes on has reported.
    pub known_until: NaiveDate,
}

/// Whether something holds, as far as the sources tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    Yes,
    No,
    /// A job goes on of which its source has reported too little.
    Unknown,
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

/// The spells of one source in order, and how many ends had no start.
///
/// Each end closes the earliest job that is still open; jobs that overlap or touch are merged.
pub fn spells(reports: &[Report], known_until: NaiveDate) -> (Vec<Spell>, u64) {
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
        jobs.push(Spell {
            start,
            end: until,
            known_until,
        });
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
                last.known_until = last.known_until.max(job.known_until);
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
    /// Whether the citizen is employed on this day, in a spell of at least so many weeks.
    pub fn holds_on(&self, day: NaiveDate, weeks: u32) -> Told {
        if day < self.start || self.end.is_some_and(|end| end <= day) {
            return Told::No;
        }
        match self.lasts(weeks) {
            Told::Yes if self.end.is_none() && day > self.known_until => Told::Unknown,
            told => told,
        }
    }

    /// Whether the spell lasts at least so many weeks; one that goes on is judged as far as its source
    /// has reported.
    pub fn lasts(&self, weeks: u32) -> Told {
        let end = self.end.unwrap_or(self.known_until + TimeDelta::days(1));
        let long_enough = (end - self.start).num_days() >= 7 * i64::from(weeks);
        match (long_enough, self.end) {
            (true, _) => Told::Yes,
            (false, Some(_)) => Told::No,
            (false, None) => Told::Unknown,
        }
    }
}

/// Whether one of the spells holds on this day: unknown only where none is known to.
pub fn employed_on(spells: &[Spell], day: NaiveDate, weeks: u32) -> Told {
    let mut told = Told::No;
    for spell in spells {
        match spell.holds_on(day, weeks) {
            Told::Yes => return Told::Yes,
            Told::Unknown => told = Told::Unknown,
            Told::No => {}
        }
    }
    told
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
        let (found, lonely) = spells(&[ended(10), started(3)], day(400));
        assert_eq!((found.len(), lonely), (1, 0));
        let holds = |on| found[0].holds_on(day(on), 0) == Told::Yes;
        assert!(!holds(2) && holds(3) && holds(9) && !holds(10));
    }

    #[test]
    fn overlapping_and_touching_jobs_are_one_spell() {
        let (found, _) = spells(
            &[started(0), started(5), ended(7), ended(20), started(20)],
            day(400),
        );
        assert_eq!(
            found,
            [Spell {
                start: day(0),
                end: None,
                known_until: day(400)
            }]
        );
    }

    #[test]
    fn an_announced_end_holds_until_another_is_reported() {
        let announced = Report::Started {
            on: day(0),
            until: Some(day(30)),
        };
        assert_eq!(spells(&[announced], day(400)).0[0].end, Some(day(30)));
        assert_eq!(
            spells(&[announced, ended(12)], day(400)).0[0].end,
            Some(day(12))
        );
    }

    #[test]
    fn an_end_closes_the_job_that_was_open_and_not_one_that_had_ended() {
        let announced = Report::Started {
            on: day(0),
            until: Some(day(10)),
        };
        let (found, _) = spells(&[announced, started(20), ended(30)], day(400));
        assert_eq!(
            found,
            [
                Spell {
                    start: day(0),
                    end: Some(day(10)),
                    known_until: day(400)
                },
                Spell {
                    start: day(20),
                    end: Some(day(30)),
                    known_until: day(400)
                }
            ]
        );
        assert_eq!(
            spells(&[announced, ended(14)], day(400)).0[0].end,
            Some(day(14))
        );
    }

    #[test]
    fn an_end_without_a_start_is_counted() {
        assert_eq!(spells(&[ended(4), started(9)], day(400)).1, 1);
    }

    #[test]
    fn a_spell_that_goes_on_lasts_as_long_as_its_source_tells() {
        let until = |known| Spell {
            start: day(0),
            end: None,
            known_until: day(known),
        };
        assert_eq!(
            (until(26).lasts(4), until(27).lasts(4)),
            (Told::Unknown, Told::Yes)
        );
        assert_eq!(until(27).holds_on(day(28), 0), Told::Unknown);
        let ended = Spell {
            end: Some(day(28)),
            ..until(400)
        };
        assert_eq!((ended.lasts(4), ended.lasts(5)), (Told::Yes, Told::No));
        assert_eq!(employed_on(&[until(5), until(50)], day(40), 0), Told::Yes);
        assert_eq!(employed_on(&[until(5)], day(40), 0), Told::Unknown);
    }
}
