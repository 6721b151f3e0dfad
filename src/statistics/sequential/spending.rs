//! How much of an error may have been spent at an information fraction (Lan and DeMets, "Discrete
//! sequential boundaries for clinical trials", Biometrika 70, 1983).

use crate::statistics::distributions::{normal_quantile, normal_upper};
use std::sync::Arc;

/// A spending function.
#[derive(Debug, Clone, PartialEq)]
pub enum Spending {
    /// Lan and DeMets' likeness of O'Brien and Fleming: 2 - 2 Phi(z_{a/2} / sqrt t).
    ObrienFleming,
    /// Lan and DeMets' likeness of Pocock: a ln(1 + (e - 1) t).
    Pocock,
    /// Hwang, Shih and DeCani (1990): a (1 - exp(-gamma t)) / (1 - exp(-gamma)); a t for gamma = 0.
    HwangShihDecani { gamma: f64 },
    /// Kim and DeMets (1987): a t^rho.
    Power { rho: f64 },
    /// Shares of the error at increasing fractions, linear between them and from 0: what boundaries of another
    /// origin spend ([`super::shapes`]).
    Points(Arc<[(f64, f64)]>),
}

impl Spending {
    /// What may have been spent of the error `total` at the fraction `t`; all of it from 1 on.
    pub fn spent(&self, total: f64, t: f64) -> f64 {
        if t >= 1.0 {
            return total;
        }
        match *self {
            Spending::ObrienFleming => 2.0 * normal_upper(-normal_quantile(total / 2.0) / t.sqrt()),
            Spending::Pocock => total * ((std::f64::consts::E - 1.0) * t).ln_1p(),
            Spending::HwangShihDecani { gamma } if gamma.abs() < 1e-12 => total * t,
            Spending::HwangShihDecani { gamma } => {
                total * (-gamma * t).exp_m1() / (-gamma).exp_m1()
            }
            Spending::Power { rho } => total * t.powf(rho),
            Spending::Points(ref points) => total * between(points, t),
        }
    }
}

/// The share at `t` on the line through the points.
fn between(points: &[(f64, f64)], t: f64) -> f64 {
    let next = points.partition_point(|(time, _)| *time < t);
    let (from, low) = match next {
        0 => (0.0, 0.0),
        next => points[next - 1],
    };
    match points.get(next) {
        Some((to, high)) => low + (high - low) * (t - from) / (to - from),
        None => 1.0,
    }
}
