//! Several ways in which follow-up may end: cumulative incidence and Gray's test.
//!
//! The cumulative incidence of a cause is the share that has met it, others having ended in other ways
//! (Aalen and Johansen, Scandinavian Journal of Statistics 5, 1978). Its variance is that of the
//! infinitesimal jackknife, as R's `survfit` has it for several states. Gray's test (Annals of
//! Statistics 16, 1988, 1141-1154) compares it between arms, with his variance and its correction for ties.

use crate::statistics::stratified::lost_warning;
use crate::statistics::{ARM, Estimate, Fault, Question, REFERENCE};

/// How the follow-up of a participant ended: 0 censored, 1 the event, 2 and above in another way.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ended {
    pub time: f64,
    pub cause: u32,
}

impl Ended {
    /// Follow-up ended at the horizon; what happens exactly then counts.
    pub fn until(self, horizon: f64) -> Self {
        if self.time > horizon {
            Self {
                time: horizon,
                cause: 0,
            }
        } else {
            self
        }
    }
}

/// Numbers at one distinct time.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Moment {
    pub time: f64,
    pub at_risk: f64,
    /// Ends by the event and in other ways.
    pub events: f64,
    pub others: f64,
    pub left: f64,
}

/// The distinct times in order.
pub(super) fn moments(ended: &[Ended], arm: &'static str) -> Result<Vec<Moment>, Fault> {
    if ended.is_empty() {
        return Err(Fault::EmptyArm(arm));
    }
    if ended.iter().any(|e| !e.time.is_finite() || e.time < 0.0) {
        return Err(Fault::BadTime);
    }
    let mut sorted = ended.to_vec();
    sorted.sort_unstable_by(|a, b| a.time.total_cmp(&b.time));
    let mut at_risk = sorted.len() as f64;
    let mut found = Vec::new();
    for group in sorted.chunk_by(|a, b| a.time == b.time) {
        let count =
            |wanted: fn(u32) -> bool| group.iter().filter(|e| wanted(e.cause)).count() as f64;
        found.push(Moment {
            time: group[0].time,
            at_risk,
            events: count(|cause| cause == 1),
            others: count(|cause| cause > 1),
            left: group.len() as f64,
        });
        at_risk -= group.len() as f64;
    }
    Ok(found)
}

/// A point of a cumulative incidence curve.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Incidence {
    pub time: f64,
    pub at_risk: u64,
    /// Events of the cause up to this time.
    pub events: u64,
    pub incidence: f64,
    pub standard_error: f64,
}

/// The cumulative incidence of cause 1 in one arm at each of the times, which must increase.
pub fn cumulative_incidence(ended: &[Ended], times: &[f64]) -> Result<Vec<Incidence>, Fault> {
    let moments = moments(ended, ARM)?;
    Ok(times
        .iter()
        .map(|time| incidence_at(&moments, *time))
        .collect())
}

fn incidence_at(moments: &[Moment], time: f64) -> Incidence {
    let passed = moments.partition_point(|m| m.time <= time);
    let (mut survival, mut incidence) = (1.0, 0.0);
    // Survival before, and incidence up to, each time.
    let mut curve = Vec::with_capacity(passed);
    for m in &moments[..passed] {
        incidence += survival * m.events / m.at_risk;
        curve.push((survival, incidence));
        survival *= 1.0 - (m.events + m.others) / m.at_risk;
    }
    // How a participant moves the curve: through those at risk while there, and through the own end.
    let (mut sum, mut running) = (0.0, 0.0);
    for (m, (before, so_far)) in moments[..passed].iter().zip(&curve) {
        let (n, ends) = (m.at_risk, m.events + m.others);
        let direct = before / n;
        let later = if n > ends {
            (incidence - so_far) / (n - ends)
        } else {
            0.0
        };
        running += later * ends / n - direct * m.events / n;
        sum += m.events * (running + direct - later).powi(2);
        sum += m.others * (running - later).powi(2);
        sum += (m.left - ends) * running.powi(2);
    }
    let rest = moments.get(passed).map_or(0.0, |m| m.at_risk);
    sum += rest * running.powi(2);
    let here = moments.iter().find(|m| m.time >= time);
    Incidence {
        time,
        at_risk: here.map_or(0, |m| m.at_risk as u64),
        events: moments[..passed].iter().map(|m| m.events).sum::<f64>() as u64,
        incidence,
        standard_error: sum.sqrt(),
    }
}

/// The cumulative incidence at a horizon as an estimate of one arm, with limits on log(-log).
pub fn incidence_estimate(point: &Incidence, question: &Question) -> Estimate {
    let (p, error) = (point.incidence, point.standard_error);
    let inside = p > 0.0 && p < 1.0;
    let limits = inside.then(|| {
        let half = question.z() * error / (p * p.ln().abs());
        (p.powf(half.exp()), p.powf((-half).exp()))
    });
    let made = Estimate {
        estimate: Some(p),
        standard_error: Some(error),
        limits,
        ..Estimate::default()
    };
    if inside {
        made
    } else {
        made.warned("no limits on the log-log scale where the curve is 0 or 1")
    }
}

/// What Gray's test keeps of one arm as time goes on.
#[derive(Default, Clone, Copy)]
struct Group {
    survival: f64,
    incidence: f64,
    /// Sum of a over the hazard of the subdistribution: c of the paper, for the first arm.
    c: f64,
    /// Sums of the increments' variance with 1, u and u^2, u the arm's integrand.
    v3: f64,
    v2: f64,
    v: f64,
}

/// Score and variance of one stratum.
fn gray_score(arm: &[Ended], reference: &[Ended]) -> Result<(f64, f64), Fault> {
    let sides = [moments(arm, ARM)?, moments(reference, REFERENCE)?];
    let mut next = [0, 0];
    let fresh = Group {
        survival: 1.0,
        ..Group::default()
    };
    let mut groups = [fresh; 2];
    let (mut score, mut pooled) = (0.0, 0.0);
    loop {
        let time = |k: usize| sides[k].get(next[k]).map_or(f64::INFINITY, |m| m.time);
        let now = f64::min(time(0), time(1));
        if now.is_infinite() {
            break;
        }
        let here = [0, 1].map(|k| match sides[k].get(next[k]) {
            Some(m) if m.time == now => *m,
            Some(m) => Moment {
                at_risk: m.at_risk,
                ..Moment::default()
            },
            None => Moment::default(),
        });
        step(&mut groups, here, &mut score, &mut pooled);
        let reached = [time(0) == now, time(1) == now];
        (0..2).for_each(|k| next[k] += usize::from(reached[k]));
    }
    let variance = groups
        .iter()
        .map(|g| g.v + g.c * g.c * g.v3 + 2.0 * g.c * g.v2)
        .sum();
    Ok((score, variance))
}

/// One time of Gray's test.
fn step(groups: &mut [Group; 2], here: [Moment; 2], score: &mut f64, pooled: &mut f64) {
    let ends: f64 = here.iter().map(|m| m.events + m.others).sum();
    if ends == 0.0 {
        return;
    }
    let events = here[0].events + here[1].events;
    // Those at risk had nobody ended in another way, and the same without the events so far.
    let h = [0, 1].map(|k| here[k].at_risk / groups[k].survival.max(f64::MIN_POSITIVE));
    let h = [0, 1].map(|k| if here[k].at_risk > 0.0 { h[k] } else { 0.0 });
    let r = [0, 1].map(|k| h[k] * (1.0 - groups[k].incidence));
    let total = h[0] + h[1];
    if here[0].at_risk > 0.0 {
        *score += here[0].events - events * r[0] / (r[0] + r[1]);
    }
    let before = *pooled;
    *pooled += events / total;
    let share = h[0] * (1.0 - h[0] / total);
    let a = [share, -h[0] * h[1] / total];
    for k in 0..2 {
        let (m, group) = (here[k], &mut groups[k]);
        if m.at_risk == 0.0 {
            continue;
        }
        let left = group.survival;
        let right = left * (1.0 - (m.events + m.others) / m.at_risk);
        group.incidence += left * m.events / m.at_risk;
        group.survival = right;
        group.c += a[k] * events / (total * (1.0 - before));
        if events > 0.0 {
            let t4 = if right > 0.0 {
                1.0 - (1.0 - *pooled) / right
            } else {
                1.0
            };
            let ties = if events > 1.0 {
                1.0 - (events - 1.0) / (total * left - 1.0)
            } else {
                1.0
            };
            group.add(
                a[k] - t4 * group.c,
                t4,
                ties * left * events / (total * m.at_risk),
            );
        }
        if m.others > 0.0 && right > 0.0 {
            let t4 = (1.0 - *pooled) / right;
            let ties = if m.others > 1.0 {
                1.0 - (m.others - 1.0) / (m.at_risk - 1.0)
            } else {
                1.0
            };
            let weight = ties * left * left * m.others / (m.at_risk * m.at_risk);
            // Ends in other ways enter with the opposite sign.
            group.add(t4 * group.c, -t4, weight);
        }
    }
}

impl Group {
    fn add(&mut self, integrand: f64, t4: f64, weight: f64) {
        self.v3 += t4 * t4 * weight;
        self.v2 += integrand * t4 * weight;
        self.v += integrand * integrand * weight;
    }
}

/// Gray's test of equal cumulative incidences of cause 1; scores and variances are summed over strata.
pub fn gray_test(strata: &[(Vec<Ended>, Vec<Ended>)]) -> Result<Estimate, Fault> {
    let (mut score, mut variance, mut lost, mut used, mut events) = (0.0, 0.0, 0, false, false);
    for (arm, reference) in strata {
        if arm.is_empty() || reference.is_empty() {
            lost += (arm.len() + reference.len()) as u64;
            continue;
        }
        used = true;
        events |= arm.iter().chain(reference).any(|e| e.cause == 1);
        let part = gray_score(arm, reference)?;
        score += part.0;
        variance += part.1;
    }
    if !used {
        return Err(Fault::NoCommonStratum);
    }
    if !events {
        return Err(Fault::NoEvents);
    }
    if variance <= 0.0 {
        return Err(Fault::NoVariation);
    }
    Ok(Estimate {
        warnings: lost_warning(lost),
        ..Estimate::chi_square(score * score / variance, 1.0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(pairs: &[(f64, u32)]) -> Vec<Ended> {
        pairs
            .iter()
            .map(|(time, cause)| Ended {
                time: *time,
                cause: *cause,
            })
            .collect()
    }

    #[test]
    fn without_censoring_it_is_a_share_with_its_binomial_error() {
        let ended = ended(&[(1.0, 1), (2.0, 2), (3.0, 1), (4.0, 2), (9.0, 1)]);
        let point = cumulative_incidence(&ended, &[5.0]).unwrap()[0];
        assert!((point.incidence - 0.4).abs() < 1e-12);
        assert!((point.standard_error - (0.4_f64 * 0.6 / 5.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn arms_that_are_alike_do_not_differ() {
        let one = ended(&[(1.0, 1), (2.0, 2), (3.0, 1), (4.0, 0)]);
        let test = gray_test(&[(one.clone(), one)]).unwrap();
        assert!(test.statistic.unwrap().value < 1e-20);
    }

    #[test]
    fn no_event_of_the_cause_is_named() {
        let none = ended(&[(1.0, 2), (2.0, 0)]);
        assert_eq!(gray_test(&[(none.clone(), none)]), Err(Fault::NoEvents));
    }
}
