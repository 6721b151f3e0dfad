//! Time to event: Kaplan-Meier, log-rank tests, restricted means, Cox's model, competing events.
//!
//! Assumes censoring that does not depend on the event. Times are in one unit, which the caller
//! chooses; an event and a censoring at the same time count the censored one as still at risk.

mod competing;
pub mod cox;
mod fine_gray;
mod kaplan_meier;
mod log_rank;
mod restricted_mean;

pub use competing::{Ended, Incidence, cumulative_incidence, gray_test, incidence_estimate};
pub use fine_gray::fine_gray;
pub use kaplan_meier::{Curve, Limits, Point};
pub use log_rank::{Weights, fleming_harrington, log_rank, log_rank_stratified, log_rank_z};
pub use restricted_mean::{
    difference as rmst_difference, pseudo_values, ratio as rmst_ratio, restricted_mean,
};

use super::Fault;

/// The follow-up of one participant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Observation {
    /// Time from the draw to the event or to the end of follow-up, at least 0.
    pub time: f64,
    /// Whether the event was seen at that time.
    pub event: bool,
}

impl Observation {
    /// Follow-up ended at the horizon: an event at exactly the horizon counts, a later one does not.
    pub fn until(self, horizon: f64) -> Self {
        if self.time > horizon {
            Self {
                time: horizon,
                event: false,
            }
        } else {
            self
        }
    }
}

/// What happened at one distinct time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    time: f64,
    at_risk: u64,
    events: u64,
    censored: u64,
}

/// The distinct times in order, with the numbers at risk just before each.
pub(crate) fn steps(observations: &[Observation], arm: &'static str) -> Result<Vec<Step>, Fault> {
    if observations.is_empty() {
        return Err(Fault::EmptyArm(arm));
    }
    if observations
        .iter()
        .any(|o| !o.time.is_finite() || o.time < 0.0)
    {
        return Err(Fault::BadTime);
    }
    let mut sorted = observations.to_vec();
    sorted.sort_unstable_by(|a, b| a.time.total_cmp(&b.time));
    let mut at_risk = sorted.len() as u64;
    let mut steps: Vec<Step> = Vec::new();
    for group in sorted.chunk_by(|a, b| a.time == b.time) {
        let events = group.iter().filter(|o| o.event).count() as u64;
        let censored = group.len() as u64 - events;
        steps.push(Step {
            time: group[0].time,
            at_risk,
            events,
            censored,
        });
        at_risk -= group.len() as u64;
    }
    Ok(steps)
}

#[cfg(test)]
pub(crate) mod data {
    use super::Observation;

    /// Weeks of remission of Freireich et al. 1963 (Gehan 1965): 6-mercaptopurine and placebo.
    pub fn gehan() -> (Vec<Observation>, Vec<Observation>) {
        let drug = [
            (6, 1),
            (6, 1),
            (6, 1),
            (6, 0),
            (7, 1),
            (9, 0),
            (10, 1),
            (10, 0),
            (11, 0),
            (13, 1),
            (16, 1),
            (17, 0),
            (19, 0),
            (20, 0),
            (22, 1),
            (23, 1),
            (25, 0),
            (32, 0),
            (32, 0),
            (34, 0),
            (35, 0),
        ];
        let placebo = [
            1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23,
        ]
        .map(|t| (t, 1));
        let read = |pairs: &[(i32, i32)]| {
            pairs
                .iter()
                .map(|(time, event)| Observation {
                    time: f64::from(*time),
                    event: *event == 1,
                })
                .collect()
        };
        (read(&drug), read(&placebo))
    }
}
