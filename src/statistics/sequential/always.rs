//! Intervals that hold at every moment, however often and whenever one looks: confidence sequences.
//!
//! `asymptotic` is for estimates that are means in the limit (Waudby-Smith, Arbour, Sinha, Kennedy and
//! Ramdas, Annals of Statistics 52, 2024): narrowest near a size t* that is fixed beforehand. The mixture
//! and the stitched boundary bound sums with a known variance process (Howard, Ramdas, McAuliffe and
//! Sekhon, Annals of Statistics 49, 2021, 1055-1080), for outcomes within known limits.

use crate::statistics::distributions::normal_upper;
use crate::statistics::roots::bisect;

/// rho of the normal mixture that is narrowest at the variance `best`, for an error of `alpha` in two
/// tails: rho = best / (-2 ln alpha + ln(1 - 2 ln alpha)).
pub fn mixture_rho(best: f64, alpha: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    best / (log + log.ln_1p())
}

/// The two-sided normal mixture boundary of a sum with variance process `v`.
pub fn normal_mixture(v: f64, alpha: f64, rho: f64) -> f64 {
    let ratio = (v + rho) / rho;
    ((v + rho) * (ratio.ln() - 2.0 * alpha.ln())).sqrt()
}

/// The one-sided one: the root s of ln(2 (rho/(v+rho))^(1/2) exp(s^2 / (2 (v+rho))) Phi(s/(v+rho)^(1/2))) =
/// -ln alpha.
pub fn normal_mixture_one_sided(v: f64, alpha: f64, rho: f64) -> f64 {
    let total = v + rho;
    let excess = |s: f64| {
        let phi = normal_upper(-s / total.sqrt());
        0.5 * (4.0 * rho / total).ln() + s * s / (2.0 * total) + phi.ln() + alpha.ln()
    };
    // The two-sided boundary at half the error lies beyond.
    bisect(0.0, normal_mixture(v, alpha / 2.0, rho) + 1.0, excess)
}

/// How a stitched boundary is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stitching {
    /// Variance from which on the boundary is narrow; below it it is flat.
    pub least: f64,
    /// Scale of the sub-gamma tail: 0 for sub-Gaussian sums.
    pub scale: f64,
    /// Exponent of the error over the epochs, above 1, and growth of the epochs, above 1.
    pub s: f64,
    pub eta: f64,
}

/// The polynomial stitched boundary, one-sided: grows like the law of the iterated logarithm.
pub fn stitched(v: f64, alpha: f64, shape: Stitching) -> f64 {
    let Stitching {
        least,
        scale,
        s,
        eta,
    } = shape;
    let v = v.max(least);
    // Hurwitz's sum of k^-s from 1 on, that the epochs' errors add up to alpha.
    let ell = s * (eta * v / least).ln().ln() + (zeta(s) / (alpha * eta.ln().powf(s))).ln();
    let k1 = (eta.powf(0.25) + eta.powf(-0.25)) / std::f64::consts::SQRT_2;
    let k2 = (eta.sqrt() + 1.0) / 2.0;
    (k1 * k1 * v * ell + (k2 * scale * ell).powi(2)).sqrt() + k2 * scale * ell
}

/// Riemann's zeta function for s > 1, by Euler and Maclaurin's formula.
fn zeta(s: f64) -> f64 {
    const N: f64 = 30.0;
    let direct: f64 = (1..30).map(|k| f64::from(k).powf(-s)).sum();
    let mut correction = 0.0;
    // B_2k / (2k)! times the rising product of s.
    let bernoulli = [1.0 / 12.0, -1.0 / 720.0, 1.0 / 30_240.0, -1.0 / 1_209_600.0];
    let mut rising = s;
    for (k, b) in bernoulli.iter().enumerate() {
        let order = 2.0 * k as f64 + 1.0;
        correction += b * rising * N.powf(-s - order);
        rising *= (s + order) * (s + order + 1.0);
    }
    direct + N.powf(1.0 - s) / (s - 1.0) + N.powf(-s) / 2.0 + correction
}

/// Half the width at size `t` of the asymptotic sequence for a mean of values with standard deviation
/// `sigma`, narrowest near the size `best`; error `alpha` in two tails.
pub fn asymptotic(t: f64, sigma: f64, alpha: f64, best: f64) -> f64 {
    let log = -2.0 * alpha.ln();
    let rho2 = (log + log.ln_1p()) / best;
    let grown = t * rho2 + 1.0;
    sigma * (2.0 * grown / (t * t * rho2) * (grown.sqrt() / alpha).ln()).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeta_has_its_known_values() {
        assert!((zeta(2.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
        assert!((zeta(4.0) - std::f64::consts::PI.powi(4) / 90.0).abs() < 1e-14);
    }

    #[test]
    fn a_sequence_is_wider_than_one_interval_and_shrinks() {
        let (near, far) = (
            asymptotic(1e4, 1.0, 0.05, 1e4),
            asymptotic(4e4, 1.0, 0.05, 1e4),
        );
        assert!(near > 1.96 / 100.0 && near < 3.5 / 100.0, "{near}");
        assert!(far < near);
    }
}
