//! Whether an effect differs between subgroups: Cochran's Q.
//!
//! Q = sum of (e_s - mean)^2 / v_s with the inverse-variance mean, chi-square with one degree of freedom
//! less than there are subgroups (Cochran, Biometrics 10, 1954). For independent subgroups it is the Wald
//! test of the interaction.

use super::{Estimate, Fault};

/// Tests that the effects, given with their standard errors, are one and the same.
pub fn heterogeneity(effects: &[(f64, f64)]) -> Result<Estimate, Fault> {
    if effects.len() < 2 {
        return Err(Fault::Input(
            "fewer than two subgroups have an effect".into(),
        ));
    }
    if effects
        .iter()
        .any(|(effect, error)| !effect.is_finite() || error.is_nan() || *error <= 0.0)
    {
        return Err(Fault::NoVariation);
    }
    let weights: Vec<f64> = effects.iter().map(|(_, error)| error.powi(-2)).collect();
    let total: f64 = weights.iter().sum();
    let mean = effects
        .iter()
        .zip(&weights)
        .map(|((e, _), w)| e * w)
        .sum::<f64>()
        / total;
    let q = effects
        .iter()
        .zip(&weights)
        .map(|((e, _), w)| w * (e - mean).powi(2))
        .sum();
    Ok(Estimate::chi_square(q, (effects.len() - 1) as f64))
}
