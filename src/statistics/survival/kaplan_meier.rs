//! The Kaplan-Meier estimator with Greenwood's variance and log-log limits.
//!
//! Kaplan and Meier, JASA 53 (1958) 457-481; limits of Kalbfleisch and Prentice on log(-log S), the
//! conventions of R's `survfit(conf.type = "log-log")`.

use super::super::{Estimate, Fault, Question};
use super::{Observation, Step, steps};

crate::vocabulary! {
    /// The scale on which limits are symmetric.
    pub enum Limits {
        /// log(-log S): the default; stays within 0 and 1.
        LogLog = "log_log",
        /// log S; cut at 1.
        Log = "log",
        /// S itself; cut at 0 and 1.
        Plain = "plain",
    }
}

impl Limits {
    fn around(self, survival: f64, relative: f64, z: f64) -> (f64, f64) {
        let half = z * relative;
        match self {
            Limits::LogLog => {
                let shift = half / survival.ln().abs();
                (survival.powf(shift.exp()), survival.powf((-shift).exp()))
            }
            Limits::Log => (survival * (-half).exp(), (survival * half.exp()).min(1.0)),
            Limits::Plain => {
                let half = half * survival;
                ((survival - half).max(0.0), (survival + half).min(1.0))
            }
        }
    }
}

/// The curve at one time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub time: f64,
    /// Participants under observation just before this time.
    pub at_risk: u64,
    /// Events up to and including this time.
    pub events: u64,
    pub survival: f64,
    pub standard_error: f64,
    /// Limits; none where the curve is still 1 or already 0.
    pub limits: Option<(f64, f64)>,
}

/// A Kaplan-Meier curve.
#[derive(Debug, Clone)]
pub struct Curve {
    steps: Vec<Step>,
    /// S after each step.
    survival: Vec<f64>,
    /// Greenwood's sum of d / (n (n - d)) after each step; infinite once S is 0.
    greenwood: Vec<f64>,
}

impl Curve {
    /// The curve of one arm.
    pub fn of(observations: &[Observation], arm: &'static str) -> Result<Self, Fault> {
        let steps = steps(observations, arm)?;
        let (mut s, mut sum) = (1.0, 0.0);
        let (mut survival, mut greenwood) = (Vec::new(), Vec::new());
        for step in &steps {
            let (n, d) = (step.at_risk as f64, step.events as f64);
            s *= (n - d) / n;
            if step.events > 0 {
                sum += d / (n * (n - d));
            }
            survival.push(s);
            greenwood.push(sum);
        }
        Ok(Self {
            steps,
            survival,
            greenwood,
        })
    }

    /// The last time under observation.
    pub fn last_time(&self) -> f64 {
        self.steps.last().map_or(0.0, |step| step.time)
    }

    /// S after the last time.
    pub fn last_survival(&self) -> f64 {
        self.survival.last().copied().unwrap_or(1.0)
    }

    /// The curve at `time`, with limits for the normal quantile `z`.
    pub fn at(&self, time: f64, z: f64) -> Point {
        self.with_limits(time, z, Limits::LogLog)
    }

    /// The same with limits on a scale of choice.
    pub fn with_limits(&self, time: f64, z: f64, scale: Limits) -> Point {
        let passed = self.steps.partition_point(|step| step.time <= time);
        let at_risk = self.steps[..].iter().find(|step| step.time >= time);
        let (survival, sum) = match passed {
            0 => (1.0, 0.0),
            n => (self.survival[n - 1], self.greenwood[n - 1]),
        };
        let inside = survival > 0.0 && survival < 1.0;
        Point {
            time,
            at_risk: at_risk.map_or(0, |step| step.at_risk),
            events: self.steps[..passed].iter().map(|step| step.events).sum(),
            survival,
            standard_error: if survival > 0.0 {
                survival * sum.sqrt()
            } else {
                0.0
            },
            limits: inside.then(|| scale.around(survival, sum.sqrt(), z)),
        }
    }

    /// Survival at `time` as an estimate of one arm.
    pub fn estimate_at(&self, time: f64, scale: Limits, question: &Question) -> Estimate {
        let point = self.with_limits(time, question.z(), scale);
        let mut estimate = Estimate {
            estimate: Some(point.survival),
            standard_error: Some(point.standard_error),
            limits: point.limits,
            ..Estimate::default()
        };
        if point.limits.is_none() {
            estimate
                .warnings
                .push("no limits where the curve is 0 or 1".into());
        }
        if time > self.last_time() && self.last_survival() > 0.0 {
            estimate
                .warnings
                .push("the horizon lies beyond the follow-up".into());
        }
        estimate
    }

    /// The first time at which survival is at most one half; where the curve rests on exactly one
    /// half, the middle of that step. None where it stays above.
    pub fn median(&self) -> Option<f64> {
        // A product of rationals that is one half may come out a few units in the last place off.
        const NEAR: f64 = 1e-12;
        let first = self.survival.iter().position(|s| *s <= 0.5 + NEAR)?;
        let time = self.steps[first].time;
        if (self.survival[first] - 0.5).abs() > NEAR {
            return Some(time);
        }
        let next = self.steps[first + 1..].iter().find(|step| step.events > 0);
        let end = next.or(self.steps.last()).map_or(time, |step| step.time);
        Some((time + end) / 2.0)
    }

    /// Area under the curve from 0 to `tau`, and its variance (Greenwood plug-in).
    pub(super) fn area(&self, tau: f64) -> (f64, f64) {
        // Backwards, so that the area to the right of each event is at hand for the variance.
        let within = self.steps.partition_point(|step| step.time <= tau);
        let (mut right, mut area, mut variance) = (tau, 0.0, 0.0);
        for i in (0..within).rev() {
            let step = &self.steps[i];
            area += self.survival[i] * (right - step.time);
            right = step.time;
            let (n, d) = (step.at_risk as f64, step.events as f64);
            if step.events > 0 && step.at_risk > step.events {
                variance += area * area * d / (n * (n - d));
            }
        }
        (area + right, variance)
    }

    /// The area to `tau`, and by how much each participant moves it.
    pub(super) fn area_influence(&self, tau: f64) -> (f64, Influences) {
        let within = self.steps.partition_point(|step| step.time <= tau);
        // The area to the right of each time.
        let (mut right, mut area) = (tau, 0.0);
        let mut beyond = vec![0.0; within];
        for i in (0..within).rev() {
            area += self.survival[i] * (right - self.steps[i].time);
            right = self.steps[i].time;
            beyond[i] = area;
        }
        let mut influences = Influences {
            times: Vec::with_capacity(within),
            met: vec![0.0],
            own: Vec::with_capacity(within),
        };
        for (step, beyond) in self.steps.iter().zip(&beyond) {
            let (n, d) = (step.at_risk as f64, step.events as f64);
            let own = if n > d { beyond / (n - d) } else { 0.0 };
            let before = influences.met[influences.met.len() - 1];
            influences.times.push(step.time);
            influences.met.push(before + own * d / n);
            influences.own.push(own);
        }
        (area + right, influences)
    }
}

/// By how much participants move the area under a curve.
pub(super) struct Influences {
    times: Vec<f64>,
    /// What having been at risk adds, up to each time.
    met: Vec<f64>,
    /// What an event at each time takes.
    own: Vec<f64>,
}

impl Influences {
    pub fn of(&self, observation: &Observation) -> f64 {
        let passed = self.times.partition_point(|time| *time <= observation.time);
        let own_time = passed > 0 && self.times[passed - 1] == observation.time;
        let event = if observation.event && own_time {
            self.own[passed - 1]
        } else {
            0.0
        };
        self.met[passed] - event
    }
}

#[cfg(test)]
mod tests {
    use super::super::data::gehan;
    use super::*;

    #[test]
    fn the_median_of_a_flat_half_is_the_middle_of_the_step() {
        let observation = |time, event| Observation { time, event };
        let four = [1.0, 2.0, 5.0, 7.0].map(|time| observation(time, true));
        assert_eq!(Curve::of(&four, "x").unwrap().median(), Some(3.5));
        let censored = [
            observation(1.0, true),
            observation(9.0, false),
            observation(9.0, false),
        ];
        assert_eq!(Curve::of(&censored, "x").unwrap().median(), None);
    }

    #[test]
    fn the_medians_of_gehan_1965_are_23_and_8_weeks() {
        let (drug, placebo) = gehan();
        assert_eq!(Curve::of(&drug, "x").unwrap().median(), Some(23.0));
        assert_eq!(Curve::of(&placebo, "x").unwrap().median(), Some(8.0));
    }

    #[test]
    fn before_the_first_event_the_curve_is_one_and_has_no_limits() {
        let (drug, _) = gehan();
        let point = Curve::of(&drug, "x").unwrap().at(5.0, 1.96);
        assert_eq!(
            (point.survival, point.at_risk, point.limits),
            (1.0, 21, None)
        );
    }
}
