//! Weights: how many participants each one stands for, be it for having been sampled or for having
//! answered.
//!
//! A few large weights carry an estimate by themselves: its error is then that of few participants, and
//! what is known of large samples does not hold. Kish (Survey Sampling, 1965, section 11.7) counts how many
//! equal weights would tell as much: (sum w)^2 / sum w^2.

use super::{Fault, stable_sum};

/// Share of the participants below which their effective number is worth a warning.
const FEW: f64 = 0.5;

/// Share of an arm's weight that one participant should not have.
const HEAVY: f64 = 0.05;

/// How unequal the weights of one arm are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Weighed {
    pub n: usize,
    /// Kish's effective number, from 1 to `n`.
    pub effective_n: f64,
    /// The largest weight over their sum.
    pub largest_share: f64,
}

impl Weighed {
    /// Weights above 0; none where there is none.
    pub fn of(weights: &[f64]) -> Option<Self> {
        if weights.is_empty() {
            return None;
        }
        // Divided by the largest, so that no square leaves the range of numbers.
        let most = weights.iter().fold(0.0_f64, |most, w| most.max(*w));
        let sum = stable_sum(weights.iter().map(|w| w / most));
        let squares = stable_sum(weights.iter().map(|w| (w / most).powi(2)));
        Some(Self {
            n: weights.len(),
            effective_n: sum * sum / squares,
            largest_share: 1.0 / sum,
        })
    }

    /// What a reader must know where the weights of the arm called `arm` are extreme.
    pub fn warning(&self, arm: &str) -> Option<String> {
        let alone = 1.0 / self.n as f64;
        let heavy = self.largest_share >= HEAVY && self.largest_share > 2.0 * alone;
        let few = self.effective_n < FEW * self.n as f64;
        (heavy || few).then(|| {
            format!(
                "the weights of the {arm} arm are extreme: {} participants tell as much as {:.1} of equal weight, \
                 and one has {:.1}% of the weight",
                self.n,
                self.effective_n,
                100.0 * self.largest_share
            )
        })
    }
}

/// Each must be a finite number above 0.
pub(crate) fn check(weights: &[f64]) -> Result<(), Fault> {
    match weights.iter().all(|w| w.is_finite() && *w > 0.0) {
        true => Ok(()),
        false => Err(Fault::Input(
            "a weight is not a finite number above 0".into(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_weights_count_everybody() {
        let weighed = Weighed::of(&[3.5; 200]).unwrap();
        assert!((weighed.effective_n - 200.0).abs() < 1e-10);
        assert_eq!(weighed.warning("digital"), None);
    }

    #[test]
    fn one_heavy_weight_is_told() {
        let mut weights = vec![1.0; 99];
        weights.push(99.0);
        let weighed = Weighed::of(&weights).unwrap();
        assert!((weighed.largest_share - 0.5).abs() < 1e-12);
        let warning = weighed.warning("digital").unwrap();
        assert!(warning.contains("50.0% of the weight"), "{warning}");
    }

    #[test]
    fn huge_weights_stay_numbers() {
        assert!((Weighed::of(&[1e300, 1e300]).unwrap().effective_n - 2.0).abs() < 1e-12);
        assert!(check(&[1.0, 0.0]).is_err() && check(&[f64::NAN]).is_err());
    }
}
