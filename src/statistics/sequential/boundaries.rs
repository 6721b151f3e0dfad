//! Boundaries from spent error, and the chances of crossing them.

use super::spending::Spending;
use super::walk::Walk;
use crate::statistics::distributions::normal_quantile;
use crate::statistics::roots::brent;

/// The z beyond which nothing can lie: a normal deviate of 37 has a probability of 1e-299.
pub(super) const FARTHEST: f64 = 37.0;

/// What is planned.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Information fractions of the looks, increasing; the last one need not be 1.
    pub information: Vec<f64>,
    /// Type I error in the direction of success.
    pub alpha: f64,
    pub spending: Spending,
    /// Stop in the opposite direction too, at the same error (a two-sided test).
    pub symmetric: bool,
    pub futility: Option<Futility>,
}

/// How a trial stops without success.
#[derive(Debug, Clone, PartialEq)]
pub struct Futility {
    /// Type II error, and how it is spent.
    pub beta: f64,
    pub spending: Spending,
    /// Success is made easier by it, so that it must be obeyed.
    pub binding: bool,
}

/// What is wrong with a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanFault {
    #[error("the information of the looks must increase from above 0")]
    Information,
    #[error("alpha must lie between 0 and 1/2")]
    Alpha,
    #[error("beta must lie between 0 and 1")]
    Beta,
    #[error("the looks before the last spend the whole error")]
    Interim,
}

/// The boundaries of a plan, by look.
#[derive(Debug, Clone, PartialEq)]
pub struct Boundaries {
    pub information: Vec<f64>,
    /// Z in the direction of success from which on the null hypothesis is rejected.
    pub upper: Vec<f64>,
    /// Z below which the other direction is declared; none without a two-sided test.
    pub lower: Option<Vec<f64>>,
    /// Z below which the trial stops for futility; unless it binds, `upper` holds without it.
    pub futility: Option<Vec<f64>>,
    /// Whether futility binds.
    pub binding: bool,
    /// Type I error spent up to each look, in the direction of success.
    pub spent: Vec<f64>,
    /// The drift at which the plan has its power, where futility is planned.
    pub drift: Option<f64>,
}

/// What a drift leads to.
#[derive(Debug, Clone, PartialEq)]
pub struct Reached {
    /// Probability of crossing the upper boundary first at each look.
    pub upper: Vec<f64>,
    /// Probability of crossing the lower (or futility) boundary first at each look.
    pub lower: Vec<f64>,
    /// Expected information at the stop, as a fraction.
    pub expected_information: f64,
}

impl Reached {
    /// Probability of success at some look.
    pub fn power(&self) -> f64 {
        self.upper.iter().sum()
    }
}

impl Boundaries {
    /// Solves for the boundaries look by look.
    pub fn of(plan: &Plan) -> Result<Self, PlanFault> {
        let spent = plan
            .information
            .iter()
            .map(|time| plan.spending.spent(plan.alpha, *time));
        Self::spending(plan, &spent.collect::<Vec<_>>())
    }

    /// The same where another error has been spent up to each look than the information says: a last
    /// look that comes early still spends all.
    pub fn spending(plan: &Plan, spent: &[f64]) -> Result<Self, PlanFault> {
        check(plan)?;
        let mut upper = Vec::new();
        let mut walk = Walk::new(0.0);
        let mut before = 0.0;
        let last = plan.information.len() - 1;
        for (k, time) in plan.information.iter().copied().enumerate() {
            let total = spent[k];
            // On the log scale: an early look may spend 1e-60.
            let step = (total - before).max(f64::MIN_POSITIVE).ln();
            let bound = brent(-FARTHEST, FARTHEST, |z| {
                step - walk.above(time, z).max(1e-305).ln()
            });
            upper.push(bound);
            before = total;
            if k < last {
                let lower = if plan.symmetric {
                    -bound
                } else {
                    f64::NEG_INFINITY
                };
                walk.advance(time, lower, bound);
            }
        }
        let lower = plan.symmetric.then(|| upper.iter().map(|z| -z).collect());
        let mut boundaries = Self {
            information: plan.information.clone(),
            upper,
            lower,
            futility: None,
            binding: false,
            spent: spent.to_vec(),
            drift: None,
        };
        match &plan.futility {
            Some(futility) if futility.binding => boundaries.bind(plan, futility),
            Some(futility) => {
                let (futility, drift) =
                    boundaries.solve_futility(futility.beta, &futility.spending);
                boundaries.futility = Some(futility);
                boundaries.drift = Some(drift);
            }
            None => {}
        }
        Ok(boundaries)
    }

    /// The chances under a drift; whether futility is obeyed is asked where it does not bind.
    pub fn reached(&self, drift: f64, obey_futility: bool) -> Reached {
        let mut walk = Walk::new(drift);
        let looks = self.upper.len();
        let (mut up, mut down) = (Vec::with_capacity(looks), Vec::with_capacity(looks));
        let mut expected = 0.0;
        let mut going_on = 1.0;
        for (k, (time, upper)) in self.information.iter().zip(&self.upper).enumerate() {
            let obeyed = obey_futility || self.binding;
            let futility = self.futility.as_ref().filter(|_| obeyed);
            let lower = futility
                .or(self.lower.as_ref())
                .map_or(f64::NEG_INFINITY, |bounds| bounds[k]);
            up.push(walk.above(*time, *upper));
            down.push(walk.below(*time, lower));
            let stopped = up[k] + down[k];
            if k + 1 == looks {
                expected += time * going_on;
            } else {
                expected += time * stopped;
                going_on -= stopped;
                walk.advance(*time, lower, *upper);
            }
        }
        Reached {
            upper: up,
            lower: down,
            expected_information: expected,
        }
    }

    /// The drift at which the design has this power, futility not obeyed.
    pub fn drift_for(&self, power: f64) -> f64 {
        brent(0.0, 30.0, |drift| {
            self.reached(drift, false).power() - power
        })
    }

    /// How much more information than a design with one look takes the same power.
    pub fn inflation(&self, alpha: f64, power: f64) -> f64 {
        let drift = self.drift.unwrap_or_else(|| self.drift_for(power));
        inflation(drift, alpha, power)
    }
}

/// How much more information than with one look a power takes that is reached at this drift.
pub fn inflation(drift: f64, alpha: f64, power: f64) -> f64 {
    let fixed = normal_quantile(1.0 - alpha) + normal_quantile(power);
    (drift / fixed).powi(2)
}

fn check(plan: &Plan) -> Result<(), PlanFault> {
    let times = &plan.information;
    let increasing = times.windows(2).all(|pair| pair[0] < pair[1]);
    if times.is_empty() || !increasing || !times.iter().all(|t| *t > 0.0 && t.is_finite()) {
        return Err(PlanFault::Information);
    }
    if !(plan.alpha > 0.0 && plan.alpha < 0.5) {
        return Err(PlanFault::Alpha);
    }
    if plan
        .futility
        .as_ref()
        .is_some_and(|futility| !(futility.beta > 0.0 && futility.beta < 1.0))
    {
        return Err(PlanFault::Beta);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(looks: usize, spending: Spending) -> Plan {
        Plan {
            information: (1..=looks).map(|k| k as f64 / looks as f64).collect(),
            alpha: 0.025,
            spending,
            symmetric: false,
            futility: None,
        }
    }

    #[track_caller]
    fn near(found: &[f64], expected: &[f64], tolerance: f64) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!(
                (found - expected).abs() <= tolerance,
                "{found}, not {expected}"
            );
        }
    }

    /// Computed twice elsewhere, by integration and by reference packages: see docs/validation.md.
    #[test]
    fn the_boundaries_of_equal_looks_are_the_published_ones() {
        let hsd = Spending::HwangShihDecani { gamma: -4.0 };
        let cases: [(Spending, [f64; 3], [f64; 5]); 4] = [
            (
                Spending::ObrienFleming,
                [3.710303, 2.511427, 1.993047],
                [4.876885, 3.357012, 2.680280, 2.289817, 2.031032],
            ),
            (
                Spending::Pocock,
                [2.279428, 2.294911, 2.295940],
                [2.437977, 2.426814, 2.410194, 2.396649, 2.386000],
            ),
            (
                hsd,
                [3.010739, 2.546531, 1.999226],
                [3.252668, 2.986046, 2.691657, 2.373667, 2.025321],
            ),
            (
                Spending::Power { rho: 2.0 },
                [2.772921, 2.347272, 2.061914],
                [3.090232, 2.714112, 2.472777, 2.279863, 2.114028],
            ),
        ];
        for (spending, three, five) in cases {
            // The tables give six places.
            near(
                &Boundaries::of(&plan(3, spending.clone())).unwrap().upper,
                &three,
                1e-6,
            );
            near(
                &Boundaries::of(&plan(5, spending)).unwrap().upper,
                &five,
                1e-6,
            );
        }
    }

    /// HSD -4 for success, HSD -2 for non-binding futility, power 0.9: R rpact 3.3.4.
    #[test]
    fn futility_and_inflation_are_those_of_rpact() {
        let with_futility = Plan {
            futility: Some(Futility {
                beta: 0.1,
                spending: Spending::HwangShihDecani { gamma: -2.0 },
                binding: false,
            }),
            ..plan(3, Spending::HwangShihDecani { gamma: -4.0 })
        };
        let found = Boundaries::of(&with_futility).unwrap();
        let expected = [-0.238_724_034, 0.941_067_235, 1.999_226_353];
        near(found.futility.as_ref().unwrap(), &expected, 1e-7);
        near(&[found.inflation(0.025, 0.9)], &[1.069_883_117], 1e-7);
    }

    #[test]
    fn one_look_has_the_boundary_of_a_plain_test() {
        let found = Boundaries::of(&plan(1, Spending::ObrienFleming)).unwrap();
        near(&found.upper, &[1.959_963_984_540_054], 1e-12);
        near(&found.spent, &[0.025], 1e-15);
    }

    #[test]
    fn a_two_sided_plan_spends_half_in_each_tail() {
        let symmetric = Plan {
            symmetric: true,
            ..plan(3, Spending::ObrienFleming)
        };
        let found = Boundaries::of(&symmetric).unwrap();
        near(&found.upper[..1], &[3.710_303], 5e-7);
        let reached = found.reached(0.0, false);
        near(
            &[reached.power(), reached.lower.iter().sum()],
            &[0.025, 0.025],
            1e-9,
        );
    }

    #[test]
    fn the_spent_error_is_the_chance_of_crossing_without_an_effect() {
        for spending in [Spending::Pocock, Spending::Power { rho: 2.0 }] {
            let found = Boundaries::of(&plan(5, spending)).unwrap();
            let reached = found.reached(0.0, false);
            let mut total = 0.0;
            for (chance, spent) in reached.upper.iter().zip(&found.spent) {
                total += chance;
                assert!((total - spent).abs() < 1e-10, "{total}, not {spent}");
            }
        }
    }

    #[test]
    fn an_early_look_has_a_boundary_far_out() {
        let early = Plan {
            information: vec![0.02, 1.0],
            ..plan(2, Spending::ObrienFleming)
        };
        let found = Boundaries::of(&early).unwrap();
        assert!((found.upper[0] - 15.81).abs() < 0.005, "{}", found.upper[0]);
    }
}
