//! Boundaries of futility: advised ones under those of success, and ones that bind.

use super::boundaries::{Boundaries, FARTHEST, Futility, Plan, PlanFault};
use super::spending::Spending;
use super::walk::Walk;
use crate::statistics::roots::brent;

/// Boundaries that count on each other.
struct Both {
    upper: Vec<f64>,
    lower: Vec<f64>,
    /// Fewer are left at some look than would have to be stopped for success.
    nobody_left: bool,
}

impl Boundaries {
    /// Boundaries of success and futility that count on each other, meeting at the last look.
    pub(super) fn bind(&mut self, plan: &Plan, futility: &Futility) {
        let gap = |drift: f64| {
            let bounds = self.bound_at(plan, futility, drift);
            let last = bounds.upper.len() - 1;
            // Where futility has stopped everybody before the end, it is too strict by far.
            match bounds.nobody_left {
                true => 2.0 * FARTHEST,
                false => bounds.lower[last] - bounds.upper[last],
            }
        };
        let drift = brent(0.0, 30.0, gap);
        let Both {
            upper, mut lower, ..
        } = self.bound_at(plan, futility, drift);
        let last = lower.len() - 1;
        lower[last] = upper[last];
        (self.upper, self.futility, self.drift) = (upper, Some(lower), Some(drift));
        self.binding = true;
    }

    /// The same with a drift that is given: that of the plan, where looks come at other fractions than planned. The
    /// two meet at the end of the plan only.
    pub fn binding(plan: &Plan, spent: &[f64], drift: f64) -> Result<Self, PlanFault> {
        let without = Plan {
            futility: None,
            ..plan.clone()
        };
        let mut boundaries = Self::spending(&without, spent)?;
        if let Some(futility) = &plan.futility {
            let Both {
                upper, mut lower, ..
            } = boundaries.bound_at(plan, futility, drift);
            let last = lower.len() - 1;
            lower[last] = lower[last].min(upper[last]);
            (boundaries.upper, boundaries.futility) = (upper, Some(lower));
            boundaries.drift = Some(drift);
            boundaries.binding = true;
        }
        Ok(boundaries)
    }

    /// Look by look the upper boundary that spends the type I error without an effect, and the lower one that
    /// spends the type II error under the drift, each among those who were not stopped by either before.
    fn bound_at(&self, plan: &Plan, futility: &Futility, drift: f64) -> Both {
        let (mut null, mut planned) = (Walk::new(0.0), Walk::new(drift));
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let (mut spent, mut missed) = (0.0, 0.0);
        let mut nobody_left = false;
        for (k, time) in plan.information.iter().copied().enumerate() {
            // Without error left, or without anybody who was not stopped before, nothing is near enough.
            let step = self.spent[k] - spent;
            let nobody = null.above(time, -FARTHEST) <= step;
            nobody_left |= nobody;
            let high = if step <= 0.0 || nobody {
                FARTHEST
            } else {
                brent(-FARTHEST, FARTHEST, |z| {
                    step.ln() - null.above(time, z).max(1e-305).ln()
                })
            };
            let total = futility.spending.spent(futility.beta, time);
            let step = (total - missed).max(f64::MIN_POSITIVE).ln();
            let low = below(&planned, time, step);
            let last = k + 1 == plan.information.len();
            // Before the end nobody who could succeed is stopped; at the end the two have to meet.
            let low = if last { low } else { low.min(high) };
            (spent, missed) = (self.spent[k], total);
            if !last {
                null.advance(time, low, high);
                planned.advance(time, low, high);
            }
            upper.push(high);
            lower.push(low);
        }
        Both {
            upper,
            lower,
            nobody_left,
        }
    }

    /// The futility boundary that spends `beta` under the drift at which it meets the upper one at
    /// the last look, and this drift.
    pub(super) fn solve_futility(&self, beta: f64, spending: &Spending) -> (Vec<f64>, f64) {
        let last = *self.upper.last().expect("at least one look");
        let gap = |drift: f64| {
            let at_end = *self
                .futility_at(beta, spending, drift)
                .last()
                .expect("a look");
            at_end - last
        };
        let drift = brent(0.0, 30.0, gap);
        let mut bounds = self.futility_at(beta, spending, drift);
        if let Some(end) = bounds.last_mut() {
            *end = last;
        }
        (bounds, drift)
    }

    fn futility_at(&self, beta: f64, spending: &Spending, drift: f64) -> Vec<f64> {
        let mut walk = Walk::new(drift);
        let mut before = 0.0;
        let mut bounds = Vec::with_capacity(self.upper.len());
        for (time, upper) in self.information.iter().zip(&self.upper) {
            let total = spending.spent(beta, *time);
            let step = (total - before).max(f64::MIN_POSITIVE).ln();
            let solved = below(&walk, *time, step);
            // Before the end nobody who could succeed is stopped; at the end the two have to meet.
            let last = bounds.len() + 1 == self.upper.len();
            let bound = if last { solved } else { solved.min(*upper) };
            bounds.push(bound);
            before = total;
            if bounds.len() < self.upper.len() {
                walk.advance(*time, bound, *upper);
            }
        }
        bounds
    }
}

/// The bound below which the logarithm of the chance is this one.
fn below(walk: &Walk, time: f64, log_chance: f64) -> f64 {
    let excess = |z: f64| walk.below(time, z).max(1e-305).ln() - log_chance;
    // Under a large drift too few are left to spend the error on: no bound is far enough.
    match excess(FARTHEST) < 0.0 {
        true => FARTHEST,
        false => brent(-FARTHEST, FARTHEST, excess),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(information: &[f64]) -> Plan {
        Plan {
            information: information.to_vec(),
            alpha: 0.025,
            spending: Spending::Pocock,
            symmetric: false,
            futility: Some(Futility {
                beta: 0.2,
                spending: Spending::Pocock,
                binding: true,
            }),
        }
    }

    fn spent(information: &[f64]) -> Vec<f64> {
        let spent = information
            .iter()
            .map(|t| Spending::Pocock.spent(0.025, *t));
        spent.collect()
    }

    #[test]
    fn looks_as_planned_have_the_boundaries_of_the_plan() {
        let times = [0.25, 0.5, 0.75, 1.0];
        let whole = Boundaries::of(&plan(&times)).unwrap();
        let drift = whole.drift.unwrap();
        let anew = Boundaries::binding(&plan(&times), &spent(&times), drift).unwrap();
        for k in 0..4 {
            assert!((anew.upper[k] - whole.upper[k]).abs() < 1e-9);
            let (a, b) = (
                anew.futility.as_ref().unwrap(),
                whole.futility.as_ref().unwrap(),
            );
            assert!((a[k] - b[k]).abs() < 1e-6, "{a:?} {b:?}");
        }
        // It binds: without it the same error takes boundaries further out.
        let without = Plan {
            futility: None,
            ..plan(&times)
        };
        assert!(whole.upper[3] < Boundaries::of(&without).unwrap().upper[3] - 0.05);
    }

    #[test]
    fn the_error_is_what_is_planned_at_looks_off_the_plan() {
        let drift = Boundaries::of(&plan(&[0.33, 0.67, 1.0]))
            .unwrap()
            .drift
            .unwrap();
        let times = [0.4, 0.55, 1.03];
        let mut all = spent(&times);
        all[2] = 0.025;
        let found = Boundaries::binding(&plan(&times), &all, drift).unwrap();
        let error = found.reached(0.0, true).power();
        assert!((error - 0.025).abs() < 1e-9, "{error}");
    }

    #[test]
    fn without_error_left_nothing_succeeds() {
        let drift = Boundaries::of(&plan(&[0.5, 1.0])).unwrap().drift.unwrap();
        let times = [0.5, 1.1, 1.3];
        let found = Boundaries::binding(&plan(&times), &spent(&times), drift).unwrap();
        assert_eq!(found.upper[2], FARTHEST);
    }
}
