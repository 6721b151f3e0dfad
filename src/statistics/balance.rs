//! Baseline balance: standardized mean differences.
//!
//! Austin, Statistics in Medicine 28 (2009) 3083-3107: the difference of means (or of shares) over
//! the root of the mean of the two variances. In a randomized trial it describes; it tests nothing.

use super::means::Moments;

/// The standardized difference of two samples of numbers; none where it is not defined.
pub fn of_means(arm: Moments, reference: Moments) -> Option<f64> {
    standardized(arm.mean - reference.mean, arm.variance, reference.variance)
}

/// The standardized difference of two shares, each of n participants.
pub fn of_shares(arm: (u64, u64), reference: (u64, u64)) -> Option<f64> {
    let share = |(count, n): (u64, u64)| (n > 0).then(|| count as f64 / n as f64);
    let (p, q) = (share(arm)?, share(reference)?);
    standardized(p - q, p * (1.0 - p), q * (1.0 - q))
}

fn standardized(difference: f64, variance: f64, other: f64) -> Option<f64> {
    let spread = ((variance + other) / 2.0).sqrt();
    if difference == 0.0 {
        Some(0.0)
    } else {
        (spread > 0.0)
            .then(|| difference / spread)
            .filter(|ratio| ratio.is_finite())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_one_standard_deviation_is_one() {
        let arm = Moments {
            n: 10,
            mean: 5.0,
            variance: 4.0,
        };
        let reference = Moments { mean: 3.0, ..arm };
        assert_eq!(of_means(arm, reference), Some(1.0));
    }

    #[test]
    fn it_is_not_defined_without_variation_but_for_equal_values() {
        assert_eq!(of_shares((4, 4), (0, 4)), None);
        assert_eq!(of_shares((4, 4), (5, 5)), Some(0.0));
        assert_eq!(of_shares((0, 0), (1, 4)), None);
    }
}
