//! Boundaries of futility: advised ones under those of success, and ones that bind.

use super::boundaries::{Boundaries, FARTHEST, Futility, Plan, PlanFault};
use super::spending::Spending;
use super::walk::Walk;
use crate::statistics::roots::brent;

impl Boundaries {
    /// Boundaries of success and futility that count on each other, meeting at the last look.
    pub(super) fn bind(&mut self, plan: &Plan, futility: &Futility) {
        let gap = |drift: f64| {
            let (upper, lower) = self.bound_at(plan, futility, drift);
            lower[lower.len() - 1] - upper[upper.len() - 1]
        };
        let drift = brent(0.0, 30.0, gap);
        let (upper, mut lower) = self.bound_at(plan, futility, drift);
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
            let (upper, mut lower) = boundaries.bound_at(plan, futility, drift);
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
    fn bound_at(&self, plan: &Plan, futility: &Futility, drift: f64) -> (Vec<f64>, Vec<f64>) {
        let (mut null, mut planned) = (Walk::new(0.0), Walk::new(drift));
        let (mut upper, mut lower) = (Vec::new(), Vec::new());
        let (mut spent, mut missed) = (0.0, 0.0);
        for (k, time) in plan.information.iter().copied().enumerate() {
            let step = (self.spent[k] - spent).max(f64::MIN_POSITIVE).ln();
            let high = brent(-FARTHEST, FARTHEST, |z| {
                step - null.above(time, z).max(1e-305).ln()
            });
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
        (upper, lower)
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
