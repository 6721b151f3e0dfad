//! Sums that neither rounding nor the order of the rows can change.

/// The sum of the values by Neumaier's compensated summation (1974), taken in sorted order, so that
/// any order of the rows gives the same bits.
pub fn stable_sum(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_unstable_by(f64::total_cmp);
    compensated(values)
}

/// Neumaier's sum in the order given.
pub(crate) fn compensated(values: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = sum + value;
        lost += if sum.abs() >= value.abs() {
            (sum - next) + value
        } else {
            (value - next) + sum
        };
        sum = next;
    }
    sum + lost
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_are_not_lost_beside_large_ones() {
        assert_eq!(stable_sum([1.0, 1e100, 1.0, -1e100]), 2.0);
    }

    #[test]
    fn any_order_gives_the_same_bits() {
        let values: Vec<f64> = (0..1_000)
            .map(|i| ((i * 7919) % 1000) as f64 * 0.1 + 1e-7)
            .collect();
        let mut reversed = values.clone();
        reversed.reverse();
        assert_eq!(stable_sum(values).to_bits(), stable_sum(reversed).to_bits());
    }
}
