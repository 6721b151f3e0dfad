//! The size computed anew from interim data without a look at the arms.
//!
//! What the size rests on beside the effect (a share, a rate, a spread) is read off all participants together; the
//! arms' own values follow from it and the assumed effect (Gould and Shih, Communications in Statistics 21,
//! 1992, 2833-2853; Kieser and Friede, Statistics in Medicine 22, 2003, 3571-3581; for counts Friede and
//! Schmidli, Methods of Information in Medicine 49, 2010, 618-624). The effect itself stays assumed, so that
//! the error of the later test is as planned but for terms that vanish with the size of the interim data.

use super::size::SampleSize;
use super::{Design, error_of_one_side};
use crate::analysis::columns::Values;
use crate::analysis::data_file::blinded_values;
use crate::document::Invalid;
use crate::protocol::canonical::sha256;
use crate::protocol::{Assumptions, Protocol};
use crate::statistics::catalogue::Entry;
use crate::statistics::means::Moments;
use crate::statistics::roots::brent;
use crate::statistics::survival::{Curve, Observation};
use serde::Serialize;

/// Participants with a value below which nothing is re-estimated.
const FEWEST: usize = 30;

/// What all arms together show.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Pooled {
    /// Of a binary endpoint, or with the event by the horizon.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
}

/// The size by what the interim data show.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reestimated {
    /// SHA-256 of the data.
    pub data: String,
    /// Participants with and without a value.
    pub n: usize,
    pub missing: usize,
    pub pooled: Pooled,
    /// What follows for the control arm, and what is assumed as before.
    pub assume: Assumptions,
    pub sample_size: SampleSize,
    pub warnings: Vec<String>,
}

impl Design {
    /// Computes the size anew from a data file in which no arm is looked at.
    ///
    /// # Errors
    /// Every fault of the file with its line, and what keeps a size from being made.
    pub fn reestimate(&mut self, protocol: &Protocol, bytes: &[u8]) -> Result<(), Vec<Invalid>> {
        let values = blinded_values(protocol, bytes)?;
        let digest = hex::encode(sha256(bytes));
        let made = self
            .anew(protocol, &values, digest)
            .map_err(|why| vec![Invalid::new("", why)])?;
        self.reestimated = Some(made);
        Ok(())
    }

    fn anew(
        &self,
        protocol: &Protocol,
        values: &Values,
        data: String,
    ) -> Result<Reestimated, String> {
        let size = protocol.sample_size.clone().unwrap_or_default();
        let assume = size.assume.clone().unwrap_or_default();
        let effect = assume.effect.ok_or("[sample_size] assumes no effect")?;
        let all = values.len();
        let n = (0..all).filter(|row| values.is_known(*row)).count();
        if n < FEWEST {
            return Err(format!(
                "{n} participants have a value: at least {FEWEST} are needed"
            ));
        }
        let endpoint = protocol
            .endpoint(&protocol.analysis.primary)
            .ok_or("there is no primary endpoint")?;
        let entry = protocol.primary_estimator(endpoint)?;
        let mixed = Mixed {
            entry,
            effect,
            hazards: endpoint.counts_hazard(entry),
            others: share_of_others(protocol),
        };
        let horizon = endpoint.horizon_weeks.map(f64::from);
        let (pooled, found) = mixed.read(values, horizon, &assume)?;
        let mut changed = protocol.clone();
        changed.sample_size = Some(crate::protocol::SampleSize {
            assume: Some(found.clone()),
            ..size
        });
        let (alpha, _) = error_of_one_side(protocol);
        let sample_size = SampleSize::of(&changed, alpha, self.sample_size.power, self.inflation);
        Ok(Reestimated {
            data,
            n,
            missing: all - n,
            pooled,
            assume: found,
            warnings: sample_size.warnings.clone(),
            sample_size,
        })
    }
}

/// The share of all participants outside of the control arm.
fn share_of_others(protocol: &Protocol) -> f64 {
    let total: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let others: u32 = protocol.compared().map(|arm| arm.ratio).sum();
    f64::from(others) / f64::from(total)
}

/// A mixture of arms, of which all but the control have the assumed effect.
struct Mixed<'a> {
    entry: &'a Entry,
    effect: f64,
    hazards: bool,
    others: f64,
}

impl Mixed<'_> {
    fn read(
        &self,
        values: &Values,
        horizon: Option<f64>,
        assume: &Assumptions,
    ) -> Result<(Pooled, Assumptions), String> {
        let mut found = assume.clone();
        let mut pooled = Pooled::default();
        match values {
            Values::Binary(values) => {
                let known: Vec<bool> = values.iter().flatten().copied().collect();
                let events = known.iter().filter(|event| **event).count();
                let share = events as f64 / known.len() as f64;
                pooled.share = Some(share);
                found.control = Some(self.control(share, |control| self.other_share(control))?);
            }
            Values::Time(times) if self.hazards => {
                let known: Vec<Observation> = times.iter().flatten().copied().collect();
                let curve = Curve::of(&known, "pooled").map_err(|fault| fault.to_string())?;
                let at = horizon.unwrap_or_else(|| curve.last_time());
                if at > curve.last_time() && curve.last_survival() > 0.0 {
                    return Err("the horizon lies beyond the follow-up of these data".into());
                }
                let share = 1.0 - curve.at(at, 0.0).survival;
                pooled.share = Some(share);
                let other = |control: f64| 1.0 - (1.0 - control).powf(self.effect);
                found.control = Some(self.control(share, other)?);
            }
            Values::Time(_) => return Err("no size is made for this estimator".into()),
            Values::Number(values) => {
                let known: Vec<f64> = values.iter().flatten().copied().collect();
                let moments = Moments::of(&known, "pooled").map_err(|fault| fault.to_string())?;
                pooled.mean = Some(moments.mean);
                pooled.standard_deviation = Some(moments.variance.sqrt());
                if self.entry.is_ratio() {
                    self.rates(moments, &mut found)?;
                } else {
                    self.means(moments, &mut found)?;
                }
            }
        }
        Ok((pooled, found))
    }

    /// The control arm's share at which the mixture has the pooled one.
    fn control(&self, pooled: f64, other: impl Fn(f64) -> f64) -> Result<f64, String> {
        let mixture = |control: f64| (1.0 - self.others) * control + self.others * other(control);
        let gap = |control: f64| mixture(control) - pooled;
        let (low, high) = (1e-12, 1.0 - 1e-12);
        if gap(low) > 0.0 || gap(high) < 0.0 {
            return Err(
                "no share of the control arm fits the pooled one and the assumed effect".into(),
            );
        }
        Ok(brent(low, high, gap))
    }

    /// The other arms' share, by the scale of the effect.
    fn other_share(&self, control: f64) -> f64 {
        let odds = self.entry.id.contains("odds_ratio") || self.entry.id == "fisher_exact";
        match (odds, self.entry.is_ratio()) {
            (true, _) => {
                let odds = control / (1.0 - control) * self.effect;
                odds / (1.0 + odds)
            }
            (false, true) => control * self.effect,
            (false, false) => control + self.effect,
        }
    }

    /// The spread within the arms: what the effect adds between them is taken off.
    fn means(&self, moments: Moments, found: &mut Assumptions) -> Result<(), String> {
        let between = self.others * (1.0 - self.others) * self.effect * self.effect;
        let n = moments.n as f64;
        let within = moments.variance - between * n / (n - 1.0);
        if within <= 0.0 {
            return Err(
                "the values vary less than the assumed effect alone would make them".into(),
            );
        }
        found.control = Some(moments.mean - self.others * self.effect);
        found.standard_deviation = Some(within.sqrt());
        Ok(())
    }

    /// Rate and dispersion by moments: variance = sum of shares times (mu + k mu^2), and what lies between the
    /// arms.
    fn rates(&self, moments: Moments, found: &mut Assumptions) -> Result<(), String> {
        let control = moments.mean / (1.0 - self.others + self.others * self.effect);
        if control <= 0.0 {
            return Err("nobody has an event".into());
        }
        let other = control * self.effect;
        let between = self.others * (1.0 - self.others) * (other - control).powi(2);
        let squares = (1.0 - self.others) * control * control + self.others * other * other;
        let k = (moments.variance - moments.mean - between) / squares;
        found.control = Some(control);
        found.dispersion = Some(k.max(0.0));
        Ok(())
    }
}
