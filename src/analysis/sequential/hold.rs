//! The statistic of a look held against its boundary, and what follows.

use super::after::after_stop;
use super::scaled::Scaled;
use super::stages::{Stages, advice};
use super::{AtLook, Boundary, Chances, Decision};
use crate::analysis::design::{Design, harm, planned_power, spent};
use crate::analysis::settings::{Earlier, Look};
use crate::protocol::{Futility, Looks, Protocol};
use crate::statistics::distributions::normal_upper;
use crate::statistics::sequential::{self, Boundaries, Going, Plan, Spending, repeated_interval};

/// Growth of the information fraction below which two looks count as one.
const LEAST: f64 = 1e-3;

/// Share of the planned information by which a look may miss it without a warning.
const NEAR: f64 = 0.1;

/// One arm at a planned look.
pub(super) struct Held<'a> {
    pub protocol: &'a Protocol,
    pub looks: &'a Looks,
    pub design: Option<&'a Design>,
    pub look: &'a Look,
    pub scaled: &'a Scaled,
    /// The planned maximum of the information.
    pub most: f64,
    /// How the error is spent.
    pub spending: Spending,
    /// Whether chances of success later on are wanted.
    pub chances: bool,
}

impl Held<'_> {
    /// Writes boundary, decision and what follows into `at`.
    pub fn tell(&self, at: &mut AtLook) -> Result<(), String> {
        let (k, last) = (self.look.number, self.looks.information.len());
        let stages = match &self.looks.reestimation {
            Some(_) if k == last => self.stages(&at.arm)?,
            _ => None,
        };
        let fraction = self.scaled.information / self.most;
        if stages.is_none() {
            at.warnings.extend(self.off_plan(fraction));
        }
        // Stages that are weighed as planned end where the plan ends.
        let times = self.times(&at.arm, stages.as_ref().map_or(fraction, |_| 1.0))?;
        let (alpha, symmetric) = self.protocol.error_of_one_side();
        let boundaries = self.boundaries(&times, k == last)?;
        self.obeyed(&boundaries, &at.arm)?;
        at.warnings.extend(spent_before(&times, k == last));
        let upper = boundaries.upper[k - 1];
        let sides = if symmetric { 2.0 } else { 1.0 };
        let futility = match self.looks.futility {
            Futility::NonbindingBeta if !symmetric && k < last => self.futility(&times),
            Futility::BindingBeta if k < last => boundaries.futility.as_ref().map(|z| z[k - 1]),
            _ => None,
        };
        let harmed = match self.looks.harm {
            Some(error) => {
                let bounds = harm(self.looks, &times, error, k == last);
                Some(bounds.map_err(|fault| fault.to_string())?)
            }
            None => None,
        };
        let lower = match &harmed {
            Some(bounds) => Some(bounds[k - 1]),
            None => symmetric.then_some(-upper),
        };
        at.boundary = Some(Boundary {
            upper,
            lower,
            futility,
            alpha_spent: sides * boundaries.spent[k - 1],
            nominal_p: sides * normal_upper(upper),
        });
        at.weighted_z = stages.as_ref().map(Stages::z);
        let z = at.weighted_z.unwrap_or(self.scaled.z);
        let decision = match z {
            z if z >= upper => Decision::Success,
            z if lower.is_some_and(|lower| z <= lower) => Decision::Harm,
            _ if k == last => Decision::NotShown,
            z if futility.is_some_and(|futility| z <= futility) => Decision::Futility,
            _ => Decision::Continue,
        };
        at.decision = Some(decision);
        let level = level(alpha);
        if let Some((estimate, error)) = self.scaled.estimate {
            let limits = match &stages {
                Some(stages) => stages.interval(self.scaled, upper),
                None => {
                    // Holds at all looks together by the boundary that counts on no futility.
                    let alone = self.success_alone(&times, k == last)?;
                    Some(repeated_interval(self.scaled.sign * estimate, error, alone))
                }
            };
            at.repeated_confidence =
                limits.map(|(lower, higher)| self.scaled.back(lower, higher, level));
        }
        let advised = decision == Decision::Futility && !boundaries.binding;
        if decision == Decision::Continue || advised {
            let going = self.going(&times);
            if self.chances {
                at.chances = going.as_ref().map(|going| self.chances(going));
            }
            if let (Some(rule), Some(going)) = (&self.looks.reestimation, &going)
                && k + 1 == last
            {
                at.reestimation = Some(advice(self.scaled, going, rule));
            }
        } else {
            // The second stage of an enlarged trial is not as long as these boundaries count: effects have no
            // scale there.
            let effects = stages.is_none().then_some(level);
            at.after_stop = Some(after_stop(
                &boundaries,
                (k, symmetric),
                harmed.as_deref(),
                self.scaled,
                z,
                effects,
            ));
        }
        Ok(())
    }

    fn earlier(&self, look: usize, arm: &str) -> Option<&Earlier> {
        self.look.earlier.get(look).and_then(|arms| arms.get(arm))
    }

    fn off_plan(&self, fraction: f64) -> Option<String> {
        let planned = self.looks.information[self.look.number - 1];
        ((fraction / planned - 1.0).abs() > NEAR).then(|| {
            let has = match fraction < 100.0 {
                true => format!("{:.0}%", fraction * 100.0),
                false => "more than 10000%".into(),
            };
            format!(
                "the look was planned at {:.0}% of the information and has {has}: the error is spent by what is \
                 there",
                planned * 100.0
            )
        })
    }

    /// The information fractions of the looks so far, this one at `now`.
    fn times(&self, arm: &str, now: f64) -> Result<Vec<f64>, String> {
        let mut times: Vec<f64> = (0..self.look.number - 1)
            .map(|j| {
                let known = self.earlier(j, arm);
                known.map_or(self.looks.information[j], |earlier| earlier.fraction)
            })
            .collect();
        times.push(now);
        if times.windows(2).any(|pair| pair[1] < pair[0] + LEAST) {
            return Err(
                "the information has not grown since the look before: there is no test".into(),
            );
        }
        Ok(times)
    }

    /// The two stages around the look at which the trial could be enlarged; none where that look had all of
    /// the planned information already, so that there was nothing to enlarge.
    fn stages(&self, arm: &str) -> Result<Option<Stages>, String> {
        let before = self.look.number - 2;
        let missing = format!(
            "the trial may have been enlarged after look {}, of which nothing is known here: without it there \
             is no test",
            before + 1
        );
        let earlier = self.earlier(before, arm).ok_or(missing.clone())?;
        let (Some(information), Some(z)) = (earlier.information, earlier.z) else {
            return Err(missing);
        };
        if earlier.fraction >= 1.0 - LEAST {
            return Ok(None);
        }
        if self.scaled.information <= information * (1.0 + LEAST) {
            return Err(
                "the information has not grown since the look before: there is no test".into(),
            );
        }
        Ok(Some(Stages {
            planned: earlier.fraction,
            first: (information, z),
            all: (self.scaled.information, self.scaled.z),
        }))
    }

    /// Boundaries that spend by these fractions; `ends` says that the last of them spends all that is left,
    /// wherever it stands.
    fn boundaries(&self, times: &[f64], ends: bool) -> Result<Boundaries, String> {
        let binds = self.looks.futility == Futility::BindingBeta;
        let plan = self.plan(times, binds.then(|| self.stops(true)));
        let spent = spent(self.looks, &plan, ends);
        let made = match (&plan.futility, self.design) {
            (None, _) => Boundaries::spending(&plan, &spent),
            // The drift is that of the plan: boundaries that were held before do not move.
            (Some(_), Some(design)) => Boundaries::binding(&plan, &spent, design.drift),
            (Some(_), None) => return Err("the plan of futility has no solution".into()),
        };
        made.map_err(|fault| fault.to_string())
    }

    fn plan(&self, times: &[f64], futility: Option<sequential::Futility>) -> Plan {
        let (alpha, symmetric) = self.protocol.error_of_one_side();
        Plan {
            information: times.to_vec(),
            alpha,
            spending: self.spending.clone(),
            symmetric,
            futility,
        }
    }

    /// The boundary of success at this look as it would be without futility.
    fn success_alone(&self, times: &[f64], ends: bool) -> Result<f64, String> {
        let plan = self.plan(times, None);
        let made = Boundaries::spending(&plan, &spent(self.looks, &plan, ends));
        made.map(|made| made.upper[times.len() - 1])
            .map_err(|fault| fault.to_string())
    }

    /// Where futility binds, the boundary of success counts on every look before having been made, and on its
    /// having been obeyed.
    fn obeyed(&self, boundaries: &Boundaries, arm: &str) -> Result<(), String> {
        let Some(futility) = boundaries.futility.as_ref().filter(|_| boundaries.binding) else {
            return Ok(());
        };
        for (j, bound) in futility.iter().enumerate().take(self.look.number - 1) {
            let z = self
                .earlier(j, arm)
                .and_then(|earlier| earlier.z)
                .ok_or(format!(
                    "futility binds, and nothing is known of look {}: without it there is no test",
                    j + 1
                ))?;
            if z <= *bound {
                return Err(format!(
                    "the trial had to stop for futility at look {}: there is no test any more",
                    j + 1
                ));
            }
        }
        Ok(())
    }

    fn stops(&self, binding: bool) -> sequential::Futility {
        sequential::Futility {
            beta: 1.0 - planned_power(self.protocol),
            spending: self.spending.clone(),
            binding,
        }
    }

    /// These fractions, and the planned ones of the looks to come.
    fn with_later(&self, times: &[f64]) -> Vec<f64> {
        let now = times[times.len() - 1];
        let later = self.looks.information[times.len()..].iter().copied();
        times
            .iter()
            .copied()
            .chain(later.filter(|t| *t > now))
            .collect()
    }

    /// The futility boundary of the plan with the information that is there.
    fn futility(&self, times: &[f64]) -> Option<f64> {
        let information = self.with_later(times);
        if information.len() == times.len() {
            return None;
        }
        let plan = self.plan(&information, Some(self.stops(false)));
        let found = Boundaries::of(&plan).ok()?.futility?;
        found.get(times.len() - 1).copied()
    }

    /// Where the trial stands, with the looks and boundaries to come; none at the end.
    fn going(&self, times: &[f64]) -> Option<Ahead> {
        let all = self.with_later(times);
        let k = times.len();
        if all.len() == k {
            return None;
        }
        let boundaries = self.boundaries(&all, true).ok()?;
        Some(Ahead {
            information: times[k - 1],
            later: all[k..].to_vec(),
            upper: boundaries.upper[k..].to_vec(),
            lower: boundaries
                .futility
                .filter(|_| boundaries.binding)
                .map(|lower| lower[k..].to_vec()),
        })
    }

    fn chances(&self, ahead: &Ahead) -> Chances {
        let going = Going {
            z: self.scaled.z,
            information: ahead.information,
            later: &ahead.later,
            upper: &ahead.upper,
            lower: ahead.lower.as_deref(),
        };
        Chances {
            conditional_power_trend: going.conditional_power(going.trend()),
            conditional_power_planned: self
                .design
                .map(|design| going.conditional_power(design.drift)),
            predictive_power: going.predictive_power(),
        }
    }
}

/// The rest of the trial as it is planned.
pub(super) struct Ahead {
    /// Information fraction of this look.
    pub information: f64,
    pub later: Vec<f64>,
    pub upper: Vec<f64>,
    /// Where futility binds.
    pub lower: Option<Vec<f64>>,
}

/// Says that the whole error was spent before the planned end: then no later look can succeed.
fn spent_before(times: &[f64], ends: bool) -> Option<String> {
    let (now, before) = times.split_last()?;
    match (ends, before.iter().any(|t| *t >= 1.0)) {
        (_, true) => Some(
            "the whole error was spent at an earlier look, which had all of the planned information: no \
             success is possible"
                .into(),
        ),
        (false, false) if *now >= 1.0 => Some(
            "all of the planned information is there, and the whole error is spent: no later look can succeed"
                .into(),
        ),
        _ => None,
    }
}

/// The level of two-sided limits at an error of each side, to 12 places.
pub(super) fn level(alpha: f64) -> f64 {
    ((1.0 - 2.0 * alpha) * 1e12).round() / 1e12
}
