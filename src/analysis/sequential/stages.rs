//! A trial that may be enlarged after the look before the last: the promising zone, and the statistic that
//! holds the error all the same.
//!
//! Whatever the second stage becomes, its own statistic is standard normal without an effect. Weighed as
//! planned (Cui, Hung and Wang, Biometrics 55, 1999, 853-857) the two stages keep the joint distribution of
//! the planned looks, so that the planned boundaries hold.

use super::Reestimated;
use super::hold::Ahead;
use super::scaled::Scaled;
use crate::statistics::sequential::{Promising, cui_hung_wang, reestimate};

/// Information and z at the look before the last, and at the last.
pub(super) struct Stages {
    /// Information fraction of the first of the two, by the plan.
    pub planned: f64,
    pub first: (f64, f64),
    pub all: (f64, f64),
}

impl Stages {
    fn gained(&self) -> f64 {
        self.all.0 - self.first.0
    }

    /// The statistic of both stages, each by its planned weight.
    pub fn z(&self) -> f64 {
        let score = |(information, z): (f64, f64)| z * information.sqrt();
        let second = (score(self.all) - score(self.first)) / self.gained().sqrt();
        cui_hung_wang(self.planned, self.first.1, second)
    }

    /// Every effect that the weighted statistic does not reject at this boundary, in the direction of success;
    /// none where information is counted in events, which has no scale of the effect.
    pub fn interval(&self, scaled: &Scaled, boundary: f64) -> Option<(f64, f64)> {
        if scaled.events {
            return None;
        }
        let per_effect =
            (self.planned * self.first.0).sqrt() + ((1.0 - self.planned) * self.gained()).sqrt();
        let centre = scaled.sign * scaled.null + self.z() / per_effect;
        let half = boundary / per_effect;
        Some((centre - half, centre + half))
    }
}

/// What the rule makes of the interim z.
pub(super) fn advice(scaled: &Scaled, ahead: &Ahead, rule: &Promising) -> Reestimated {
    let upper = ahead.upper[ahead.upper.len() - 1];
    let found = reestimate(scaled.z, ahead.information, upper, *rule);
    let information = ahead.information + found.factor * (1.0 - ahead.information);
    // Information grows with the participants who have a value.
    let participants = scaled.everybody * information / ahead.information;
    let participants = (participants * (1.0 - 1e-12)).ceil() as u64;
    Reestimated {
        zone: found.zone,
        conditional_power: found.conditional_power,
        factor: found.factor,
        information,
        participants: (!scaled.events).then_some(participants),
        conditional_power_afterwards: found.afterwards,
    }
}
