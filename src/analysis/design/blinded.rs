//! The size computed anew from interim data without a look at the arms.
//!
//! What the size rests on beside the effect (a share, a rate, a spread) is read off all participants together; the
//! arms' own values follow from it and the assumed effect (Gould and Shih, Communications in Statistics 21,
//! 1992, 2833-2853; Kieser and Friede, Statistics in Medicine 22, 2003, 3571-3581; for counts Friede and
//! Schmidli, Methods of Information in Medicine 49, 2010, 618-624). The effect itself stays assumed, so that
//! the error of the later test is as planned but for terms that vanish with the size of the interim data.

use super::Design;
use super::size::{SampleSize, other_share};
use crate::analysis::columns::Values;
use crate::analysis::data_file::blinded_values;
use crate::document::Invalid;
use crate::protocol::canonical::sha256;
use crate::protocol::{Assumptions, Endpoint, Protocol};
use crate::statistics::Question;
use crate::statistics::catalogue::Entry;
use crate::statistics::distributions::chi_square_quantile;
use crate::statistics::means::Moments;
use crate::statistics::proportions::{Counts, wilson};
use crate::statistics::roots::brent;
use crate::statistics::survival::{Curve, Limits, Observation};
use serde::Serialize;

/// Participants with a value below which nothing is re-estimated: the limits would hold any size.
const FEWEST: usize = 30;

/// Level of the interval of what is pooled.
const LEVEL: f64 = 0.95;

/// What all arms together show, with its 95% limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Pooled {
    /// `share` (of a binary endpoint, or with the event by the horizon), `standard_deviation` or `mean` (of
    /// counts).
    pub of: &'static str,
    pub value: f64,
    pub lower: f64,
    pub upper: f64,
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
    /// Sizes at the ends of the limits; null where there is none.
    pub total_at_limits: [Option<u64>; 2],
    pub warnings: Vec<String>,
}

impl Design {
    /// Computes the size anew from a data file in which no arm is looked at.
    ///
    /// # Errors
    /// Every fault of the file with its line, and what keeps a size from being made.
    pub fn reestimate(&mut self, protocol: &Protocol, bytes: &[u8]) -> Result<(), Vec<Invalid>> {
        let (values, warnings) = blinded_values(protocol, bytes)?;
        let digest = hex::encode(sha256(bytes));
        let mut made = self
            .anew(protocol, &values, digest)
            .map_err(|why| vec![Invalid::new("", why)])?;
        made.warnings.extend(warnings);
        self.reestimated = Some(made);
        Ok(())
    }

    fn anew(
        &self,
        protocol: &Protocol,
        values: &Values,
        data: String,
    ) -> Result<Reestimated, String> {
        let assume = protocol
            .sample_size
            .as_ref()
            .and_then(|size| size.assume.clone());
        let assume = assume.unwrap_or_default();
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
        let mixed = Mixed {
            endpoint,
            entry: protocol.primary_estimator(endpoint)?,
            effect,
            others: share_of_others(protocol),
            assume,
        };
        let seen = mixed.seen(values)?;
        let found = mixed.assumed(&seen, seen.pooled.value)?;
        let sample_size = self.sized(protocol, &found);
        let at = |value: f64| {
            let assume = mixed.assumed(&seen, value).ok()?;
            self.sized(protocol, &assume).total
        };
        Ok(Reestimated {
            data,
            n,
            missing: all - n,
            pooled: seen.pooled,
            assume: found,
            total_at_limits: [at(seen.pooled.lower), at(seen.pooled.upper)],
            warnings: sample_size.warnings.clone(),
            sample_size,
        })
    }

    /// The size under other assumptions, at the planned power.
    fn sized(&self, protocol: &Protocol, assume: &Assumptions) -> SampleSize {
        let mut changed = protocol.clone();
        let mut size = protocol.sample_size.clone().unwrap_or_default();
        size.assume = Some(assume.clone());
        changed.sample_size = Some(size);
        let (alpha, _) = protocol.error_of_one_side();
        SampleSize::of(&changed, alpha, self.sample_size.power, self.inflation)
    }
}

/// The share of all participants outside of the control arm.
fn share_of_others(protocol: &Protocol) -> f64 {
    let total: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    let others: u32 = protocol.compared().map(|arm| arm.ratio).sum();
    f64::from(others) / f64::from(total)
}

/// What was read off all participants.
struct Seen {
    pooled: Pooled,
    /// Of numbers.
    moments: Option<Moments>,
}

/// A mixture of arms, of which all but the control have the assumed effect.
struct Mixed<'a> {
    endpoint: &'a Endpoint,
    entry: &'a Entry,
    effect: f64,
    others: f64,
    assume: Assumptions,
}

impl Mixed<'_> {
    fn seen(&self, values: &Values) -> Result<Seen, String> {
        let z = Question::two_sided(LEVEL).z();
        match values {
            Values::Binary(values) => {
                let known: Vec<bool> = values.iter().flatten().copied().collect();
                let counts = Counts {
                    events: known.iter().filter(|event| **event).count() as u64,
                    n: known.len() as u64,
                };
                let (lower, upper) = wilson(counts, z);
                Ok(Seen::of(
                    "share",
                    counts.events as f64 / counts.n as f64,
                    lower,
                    upper,
                ))
            }
            Values::Time(times) if self.endpoint.counts_hazard(self.entry) => {
                let known: Vec<Observation> = times.iter().flatten().copied().collect();
                let curve = Curve::of(&known, "pooled").map_err(|fault| fault.to_string())?;
                let at = self.endpoint.horizon_weeks.map(f64::from);
                let at =
                    at.ok_or("the endpoint has no horizon_weeks at which to read the share")?;
                if at > curve.last_time() && curve.last_survival() > 0.0 {
                    return Err("the horizon lies beyond the follow-up of these data".into());
                }
                let point = curve.with_limits(at, z, Limits::LogLog);
                let (low, high) = point
                    .limits
                    .ok_or("nobody has the event by the horizon, or everybody has it")?;
                Ok(Seen::of(
                    "share",
                    1.0 - point.survival,
                    1.0 - high,
                    1.0 - low,
                ))
            }
            Values::Time(_) => Err("no size is made for this estimator".into()),
            Values::Number(values) => {
                let known: Vec<f64> = values.iter().flatten().copied().collect();
                let moments = Moments::of(&known, "pooled").map_err(|fault| fault.to_string())?;
                if !(moments.variance.is_finite() && moments.mean.is_finite()) {
                    return Err("the values are too large to compute with".into());
                }
                let (n, spread) = (moments.n as f64, moments.variance.sqrt());
                let mut seen = if self.entry.is_ratio() {
                    let half = z * spread / n.sqrt();
                    Seen::of(
                        "mean",
                        moments.mean,
                        (moments.mean - half).max(0.0),
                        moments.mean + half,
                    )
                } else {
                    let limit = |tail: f64| {
                        spread * ((n - 1.0) / chi_square_quantile(tail, n - 1.0)).sqrt()
                    };
                    let tail = (1.0 - LEVEL) / 2.0;
                    Seen::of("standard_deviation", spread, limit(tail), limit(1.0 - tail))
                };
                seen.moments = Some(moments);
                Ok(seen)
            }
        }
    }

    /// What is assumed of the arms where this is the pooled value.
    fn assumed(&self, seen: &Seen, value: f64) -> Result<Assumptions, String> {
        let mut found = self.assume.clone();
        match &seen.moments {
            None => found.control = Some(self.control(value)?),
            Some(moments) if self.entry.is_ratio() => self.rates(value, moments, &mut found)?,
            Some(moments) => self.means(value, moments, &mut found)?,
        }
        Ok(found)
    }

    /// The control arm's share at which the mixture has the pooled one.
    fn control(&self, pooled: f64) -> Result<f64, String> {
        let other = |control: f64| other_share(self.endpoint, self.entry, control, self.effect);
        let gap =
            |control: f64| (1.0 - self.others) * control + self.others * other(control) - pooled;
        let (low, high) = (1e-12, 1.0 - 1e-12);
        let control = brent(low, high, gap);
        let possible = (1e-9..=1.0 - 1e-9).contains(&other(control));
        if gap(low) > 0.0 || gap(high) < 0.0 || !possible {
            return Err(
                "no share of the control arm fits the pooled one and the assumed effect".into(),
            );
        }
        Ok(control)
    }

    /// The spread within the arms: what the effect adds between them is taken off.
    fn means(&self, spread: f64, moments: &Moments, found: &mut Assumptions) -> Result<(), String> {
        let between = self.others * (1.0 - self.others) * self.effect * self.effect;
        let n = moments.n as f64;
        let within = spread * spread - between * n / (n - 1.0);
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
    fn rates(&self, mean: f64, moments: &Moments, found: &mut Assumptions) -> Result<(), String> {
        let rates = |mean: f64| {
            let control = mean / (1.0 - self.others + self.others * self.effect);
            (control, control * self.effect)
        };
        let (control, _) = rates(mean);
        if control <= 0.0 {
            return Err("nobody has an event".into());
        }
        let (own, other) = rates(moments.mean);
        let between = self.others * (1.0 - self.others) * (other - own).powi(2);
        let squares = (1.0 - self.others) * own * own + self.others * other * other;
        let k = (moments.variance - moments.mean - between) / squares;
        found.control = Some(control);
        found.dispersion = Some(k.max(0.0));
        Ok(())
    }
}

impl Seen {
    fn of(of: &'static str, value: f64, lower: f64, upper: f64) -> Self {
        Self {
            pooled: Pooled {
                of,
                value,
                lower,
                upper,
            },
            moments: None,
        }
    }
}
