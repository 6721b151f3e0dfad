//! Rubin's rules for the results of several imputations ("Multiple Imputation for Nonresponse in
//! Surveys", 1987), with the degrees of freedom of Barnard and Rubin (Biometrika 86, 1999, 948-955).

use crate::statistics::{Estimate, Fault, Question};

/// The pooled result.
#[derive(Debug, Clone, PartialEq)]
pub struct Pooled {
    pub estimate: Estimate,
    /// Share of the variance that is due to the missing values.
    pub fraction_missing: f64,
}

/// Pools estimates and their variances; `complete_df` are the degrees of freedom without missing values.
pub fn pool(
    results: &[(f64, f64)],
    complete_df: f64,
    question: &Question,
) -> Result<Pooled, Fault> {
    let m = results.len() as f64;
    if results.len() < 2 {
        return Err(Fault::Input(
            "fewer than two imputations cannot be pooled".into(),
        ));
    }
    let mean = results.iter().map(|(q, _)| q).sum::<f64>() / m;
    let within = results.iter().map(|(_, u)| u).sum::<f64>() / m;
    let between = results.iter().map(|(q, _)| (q - mean).powi(2)).sum::<f64>() / (m - 1.0);
    let total = within + (1.0 + 1.0 / m) * between;
    if total <= 0.0 {
        return Err(Fault::NoVariation);
    }
    let lambda = (1.0 + 1.0 / m) * between / total;
    let observed = (complete_df + 1.0) / (complete_df + 3.0) * complete_df * (1.0 - lambda);
    let df = if lambda > 0.0 {
        let old = (m - 1.0) / lambda.powi(2);
        old * observed / (old + observed)
    } else {
        observed
    };
    Ok(Pooled {
        estimate: Estimate::student(mean, total.sqrt(), df, question),
        fraction_missing: lambda,
    })
}
