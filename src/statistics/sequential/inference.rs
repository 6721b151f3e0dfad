//! What may be concluded at a look and after a stop.
//!
//! Repeated confidence intervals hold at all looks together (Jennison and Turnbull, JRSS B 51, 1989,
//! 305-361). After a stop the stagewise ordering (Tsiatis, Rosner and Mehta, Biometrics 40, 1984, 797-803)
//! counts an earlier success as more extreme, whatever later looks would have been: it gives a p-value, an
//! interval and a median-unbiased estimate that allow for the looks.

use super::walk::Walk;
use crate::statistics::distributions::normal_quantile;
use crate::statistics::roots::brent;

/// The looks up to the stop. Z is counted in the direction of success.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stopped<'a> {
    /// Information of the looks that were made, the last one that of the stop; in any one unit.
    pub information: &'a [f64],
    /// Boundaries of the looks before the last.
    pub upper: &'a [f64],
    /// Boundaries of the other direction, where the test has two sides.
    pub lower: Option<&'a [f64]>,
    /// Z at the stop.
    pub z: f64,
}

/// Inference by the stagewise ordering; effects are per root of one unit of information.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stagewise {
    /// Chance without an effect of a result as extreme, one-sided.
    pub p_value: f64,
    pub median_unbiased: f64,
    pub lower: f64,
    pub upper: f64,
}

impl Stopped<'_> {
    /// Chance of a more extreme result where Z has the mean `effect * sqrt(information)`.
    fn exceeded(&self, effect: f64) -> f64 {
        let mut walk = Walk::new(effect);
        let mut chance = 0.0;
        let last = self.information.len() - 1;
        for (k, time) in self.information.iter().enumerate().take(last) {
            chance += walk.above(*time, self.upper[k]);
            let lower = self.lower.map_or(f64::NEG_INFINITY, |lower| lower[k]);
            walk.advance(*time, lower, self.upper[k]);
        }
        chance + walk.above(self.information[last], self.z)
    }

    /// Chance without an effect of a result as extreme, one-sided.
    pub fn p_value(&self) -> f64 {
        // The grid leaves some 1e-10 above 1.
        self.exceeded(0.0).min(1.0)
    }

    /// P-value, interval at a two-sided level and median-unbiased estimate.
    pub fn stagewise(&self, level: f64) -> Stagewise {
        let tail = (1.0 - level) / 2.0;
        // Far enough that each chance lies between its values at the ends.
        let first = self.information[0].sqrt();
        let last = self.information[self.information.len() - 1].sqrt();
        let reach = (normal_quantile(1.0 - tail).abs() + 8.0) / first;
        let centre = self.z / last;
        let (low, high) = (centre.min(0.0) - reach, centre.max(0.0) + reach);
        let at = |chance: f64| brent(low, high, |effect| self.exceeded(effect) - chance);
        Stagewise {
            p_value: self.p_value(),
            median_unbiased: at(0.5),
            lower: at(tail),
            upper: at(1.0 - tail),
        }
    }
}

/// The interval at one look that holds at all looks together: as wide as the boundary.
pub fn repeated_interval(estimate: f64, standard_error: f64, boundary: f64) -> (f64, f64) {
    let half = boundary * standard_error;
    (estimate - half, estimate + half)
}

/// Chance of success later on, given Z at a look.
#[derive(Debug, Clone, Copy)]
pub struct Going<'a> {
    /// Z at this look, in the direction of success, and its information.
    pub z: f64,
    pub information: f64,
    /// The looks that follow: information and boundaries.
    pub later: &'a [f64],
    pub upper: &'a [f64],
    /// Boundaries below which the trial will have stopped, where futility binds.
    pub lower: Option<&'a [f64]>,
}

impl Going<'_> {
    /// Z over the root of its information: the effect that was seen.
    pub fn trend(&self) -> f64 {
        self.z / self.information.sqrt()
    }

    /// Chance of crossing a later boundary, were this the effect (per root of information).
    pub fn conditional_power(&self, effect: f64) -> f64 {
        let mut walk = Walk::from(effect, self.information, self.z);
        let mut chance = 0.0;
        for (k, (time, upper)) in self.later.iter().zip(self.upper).enumerate() {
            chance += walk.above(*time, *upper);
            if k + 1 < self.later.len() {
                let lower = self.lower.map_or(f64::NEG_INFINITY, |lower| lower[k]);
                walk.advance(*time, lower.min(*upper), *upper);
            }
        }
        chance
    }

    /// The same, the effect being as likely as the data so far make it (a flat prior): Spiegelhalter,
    /// Freedman and Blackburn, Controlled Clinical Trials 7, 1986, 8-17.
    pub fn predictive_power(&self) -> f64 {
        // The trapezoidal rule is exact to the last digits for such smooth integrands.
        const STEP: f64 = 0.1;
        let spread = 1.0 / self.information.sqrt();
        let points = (-85..=85).map(|i| f64::from(i) * STEP);
        points
            .map(|u| {
                let density = crate::statistics::distributions::normal_density(u);
                STEP * density * self.conditional_power(self.trend() + u * spread)
            })
            .sum()
    }
}

/// Cui, Hung and Wang's statistic (Biometrics 55, 1999, 853-857): stages weighed as planned, whatever
/// their sizes became. `planned` is the planned information fraction of the first stage.
pub fn cui_hung_wang(planned: f64, first: f64, second: f64) -> f64 {
    planned.sqrt() * first + (1.0 - planned).sqrt() * second
}

crate::vocabulary! {
    /// Where an interim result leaves the trial (Mehta and Pocock, Statistics in Medicine 30, 2011).
    pub enum Zone {
        Unfavourable = "unfavourable",
        Promising = "promising",
        Favourable = "favourable",
    }
}

/// The rule of the promising zone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promising {
    /// Conditional power under the trend below which nothing is changed.
    pub least: f64,
    /// Conditional power that is aimed at.
    pub target: f64,
    /// The most that the information of the second stage is multiplied by.
    pub most: f64,
}

/// What a re-estimation advises.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reestimated {
    pub zone: Zone,
    pub conditional_power: f64,
    /// By what the information of the second stage is multiplied.
    pub factor: f64,
    /// Conditional power afterwards, tested by Cui, Hung and Wang's statistic.
    pub afterwards: f64,
}

/// Re-estimates the second stage at a single interim look of fraction `planned`, the final boundary
/// being `upper`. The final test must be [`cui_hung_wang`]'s.
pub fn reestimate(z: f64, planned: f64, upper: f64, rule: Promising) -> Reestimated {
    let trend = z / planned.sqrt();
    let needed = (upper - planned.sqrt() * z) / (1.0 - planned).sqrt();
    let power = |factor: f64| {
        let drift = trend * (factor * (1.0 - planned)).sqrt();
        crate::statistics::distributions::normal_upper(needed - drift)
    };
    let now = power(1.0);
    let zone = match now {
        power if power < rule.least => Zone::Unfavourable,
        power if power >= rule.target => Zone::Favourable,
        _ => Zone::Promising,
    };
    let factor = if zone == Zone::Promising && trend > 0.0 {
        let drift = needed + normal_quantile(rule.target);
        ((drift / trend).powi(2) / (1.0 - planned)).clamp(1.0, rule.most)
    } else {
        1.0
    };
    Reestimated {
        zone,
        conditional_power: now,
        factor,
        afterwards: power(factor),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_look_has_the_inference_of_a_plain_test() {
        let stopped = Stopped {
            information: &[4.0],
            upper: &[],
            lower: None,
            z: 2.5,
        };
        let found = stopped.stagewise(0.95);
        assert!((found.median_unbiased - 1.25).abs() < 1e-9);
        assert!((found.lower - (2.5 - 1.959_963_984_540_054) / 2.0).abs() < 1e-9);
        assert!((found.p_value - 0.006_209_665_325_776_13).abs() < 1e-15);
    }

    #[test]
    fn a_promising_result_gets_the_size_that_its_target_takes() {
        let rule = Promising {
            least: 0.36,
            target: 0.9,
            most: 3.0,
        };
        let found = reestimate(1.5, 0.5, 1.96, rule);
        assert_eq!(found.zone, Zone::Promising);
        assert!(found.factor > 1.0);
        assert!((found.afterwards - 0.9).abs() < 1e-12 || found.factor == 3.0);
        assert_eq!(reestimate(0.2, 0.5, 1.96, rule).zone, Zone::Unfavourable);
        assert_eq!(reestimate(3.0, 0.5, 1.96, rule).factor, 1.0);
    }
}
