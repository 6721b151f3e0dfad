//! Time comes from here only, so that tests and the demonstration can set it.

use chrono::{DateTime, DurationRound, NaiveDate, TimeDelta, Utc};
use chrono_tz::Europe::Copenhagen;
use std::sync::{Arc, Mutex, PoisonError};

/// A source of the present time.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    /// None where the standing clock was let go.
    Set(Arc<Mutex<Option<DateTime<Utc>>>>),
}

impl Clock {
    /// The clock of the machine.
    pub fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still until it is set.
    pub fn standing_at(time: DateTime<Utc>) -> Self {
        Self(Source::Set(Arc::new(Mutex::new(Some(time)))))
    }

    /// Sets a standing clock; the machine's own clock cannot be set.
    pub fn set(&self, time: DateTime<Utc>) {
        self.put(Some(time));
    }

    /// Lets a standing clock go: from now on it is the clock of the machine.
    pub fn release(&self) {
        self.put(None);
    }

    fn put(&self, time: Option<DateTime<Utc>>) {
        if let Source::Set(standing) = &self.0 {
            *standing.lock().unwrap_or_else(PoisonError::into_inner) = time;
        }
    }

    /// Now, in UTC, to the microsecond: PostgreSQL keeps no more, and both databases must agree.
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for the time"
    )]
    pub fn now(&self) -> DateTime<Utc> {
        let now = match &self.0 {
            Source::System => Utc::now(),
            Source::Set(standing) => standing
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .unwrap_or_else(Utc::now),
        };
        now.duration_trunc(TimeDelta::microseconds(1))
            .unwrap_or(now)
    }

    /// The present day in Denmark.
    pub fn today(&self) -> NaiveDate {
        danish_day(self.now())
    }
}

/// The day in Europe/Copenhagen on which a time falls.
pub fn danish_day(time: DateTime<Utc>) -> NaiveDate {
    time.with_timezone(&Copenhagen).date_naive()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_winter_evening_after_23_utc_is_the_next_day_in_denmark() {
        let day = |text: &str| danish_day(text.parse().unwrap()).to_string();
        assert_eq!(day("2026-01-31T22:59:59Z"), "2026-01-31");
        assert_eq!(day("2026-01-31T23:00:00Z"), "2026-02-01");
        assert_eq!(day("2026-07-31T22:00:00Z"), "2026-08-01");
    }
}
