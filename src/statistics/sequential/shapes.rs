//! Boundaries that are given by their shape, told as the error that they spend at the planned looks.
//!
//! At looks that come as planned they are those of the books; at others the error is spent along the line between
//! the planned ones, so that none of it is lost or gained (Lan and DeMets 1983).

use super::boundaries::PlanFault;
use super::spending::Spending;
use super::walk::Walk;
use crate::statistics::roots::brent;

/// Wang and Tsiatis (Biometrics 43, 1987, 193-199): z_k = c t_k^(delta - 1/2), c found for the error. delta 0 is
/// O'Brien and Fleming's shape, 1/2 Pocock's.
///
/// # Errors
/// Where the looks do not increase to 1, or the error is no error.
pub fn wang_tsiatis(
    information: &[f64],
    alpha: f64,
    symmetric: bool,
    delta: f64,
) -> Result<Spending, PlanFault> {
    check(information, alpha)?;
    let bounds = |c: f64| -> Vec<f64> {
        let shape = information.iter().map(|t| t.powf(delta - 0.5));
        shape.map(|shape| c * shape).collect()
    };
    let c = brent(0.01, 20.0, |c| {
        total(&crossed(information, &bounds(c), symmetric)).ln() - alpha.ln()
    });
    Ok(points(information, &bounds(c), symmetric, alpha))
}

/// Haybittle (1971) and Peto and others (1976): one boundary `z` at all looks but the last, whose own is found
/// for the rest of the error.
///
/// # Errors
/// Also where the looks before the last spend the whole error.
pub fn haybittle_peto(
    information: &[f64],
    alpha: f64,
    symmetric: bool,
    z: f64,
) -> Result<Spending, PlanFault> {
    check(information, alpha)?;
    let before = information.len() - 1;
    let bounds = |last: f64| -> Vec<f64> {
        let mut bounds = vec![z; before];
        bounds.push(last);
        bounds
    };
    let interim: f64 = crossed(information, &bounds(37.0), symmetric)[..before]
        .iter()
        .sum();
    if interim >= alpha {
        return Err(PlanFault::Interim);
    }
    let last = brent(-37.0, 37.0, |last| {
        total(&crossed(information, &bounds(last), symmetric)).ln() - alpha.ln()
    });
    Ok(points(information, &bounds(last), symmetric, alpha))
}

/// The error that Haybittle and Peto's boundary spends up to each of these looks, as they come: `z` at every look
/// while error is left, and all of it at the last one where that is the end.
pub fn haybittle_peto_spent(
    information: &[f64],
    alpha: f64,
    symmetric: bool,
    z: f64,
    ends: bool,
) -> Vec<f64> {
    let bounds = vec![z; information.len()];
    let mut total = 0.0;
    let mut spent: Vec<f64> = crossed(information, &bounds, symmetric)
        .into_iter()
        .map(|chance| {
            total += chance;
            f64::min(total, alpha)
        })
        .collect();
    if ends && let Some(last) = spent.last_mut() {
        *last = alpha;
    }
    spent
}

fn check(information: &[f64], alpha: f64) -> Result<(), PlanFault> {
    let increasing = information.windows(2).all(|pair| pair[0] < pair[1]);
    if !increasing || information.first().is_none_or(|first| *first <= 0.0) {
        return Err(PlanFault::Information);
    }
    match alpha > 0.0 && alpha < 0.5 {
        true => Ok(()),
        false => Err(PlanFault::Alpha),
    }
}

fn total(crossed: &[f64]) -> f64 {
    crossed.iter().sum()
}

/// Chances without an effect of first crossing each bound in the direction of success.
fn crossed(information: &[f64], bounds: &[f64], symmetric: bool) -> Vec<f64> {
    let mut walk = Walk::new(0.0);
    let mut found = Vec::with_capacity(bounds.len());
    for (k, (time, bound)) in information.iter().zip(bounds).enumerate() {
        found.push(walk.above(*time, *bound));
        if k + 1 < bounds.len() {
            let lower = if symmetric { -bound } else { f64::NEG_INFINITY };
            walk.advance(*time, lower, *bound);
        }
    }
    found
}

fn points(information: &[f64], bounds: &[f64], symmetric: bool, alpha: f64) -> Spending {
    let mut spent = 0.0;
    let crossed = crossed(information, bounds, symmetric);
    let points = information.iter().zip(crossed).map(|(time, chance)| {
        spent += chance;
        (*time, spent / alpha)
    });
    Spending::Points(points.collect())
}

#[cfg(test)]
mod tests {
    use super::super::{Boundaries, Plan};
    use super::*;

    /// Jennison and Turnbull 2000, tables 2.1 and 2.3: constants of Pocock's and of O'Brien and Fleming's tests with
    /// five looks, two-sided at 0.05.
    #[test]
    fn the_ends_of_the_family_are_the_published_tests() {
        let looks = [0.2, 0.4, 0.6, 0.8, 1.0];
        for (delta, published) in [(0.5, 2.413), (0.0, 2.040)] {
            let spending = wang_tsiatis(&looks, 0.025, true, delta).unwrap();
            let plan = Plan {
                information: looks.to_vec(),
                alpha: 0.025,
                spending,
                symmetric: true,
                futility: None,
            };
            let last = Boundaries::of(&plan).unwrap().upper[4];
            assert!((last - published).abs() < 5e-4, "{last}");
        }
    }

    #[test]
    fn interim_looks_may_not_spend_everything() {
        let fault = haybittle_peto(&[0.5, 1.0], 0.001, false, 3.0).unwrap_err();
        assert_eq!(fault, PlanFault::Interim);
        assert!(haybittle_peto(&[0.5, 1.0], 0.025, false, 3.0).is_ok());
    }

    #[test]
    fn a_late_look_keeps_the_boundary_of_haybittle_and_peto() {
        let times = [0.6, 1.0];
        let plan = Plan {
            information: times.to_vec(),
            alpha: 0.025,
            spending: Spending::ObrienFleming,
            symmetric: false,
            futility: None,
        };
        let spent = haybittle_peto_spent(&times, 0.025, false, 3.0, true);
        let found = Boundaries::spending(&plan, &spent).unwrap();
        assert!((found.upper[0] - 3.0).abs() < 1e-9, "{found:?}");
        let error = found.reached(0.0, false).power();
        assert!((error - 0.025).abs() < 1e-9, "{error}");
    }

    #[test]
    fn the_error_is_spent_along_the_line_between_looks() {
        let spending = haybittle_peto(&[0.5, 1.0], 0.025, false, 3.0).unwrap();
        let at = |t: f64| spending.spent(0.025, t);
        assert!((at(0.25) - at(0.5) / 2.0).abs() < 1e-15);
        assert!((at(0.75) - (at(0.5) + 0.025) / 2.0).abs() < 1e-15);
        assert_eq!(at(1.0), 0.025);
    }
}
