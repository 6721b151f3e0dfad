//! Roots of monotone functions.

/// The root of `f` within [low, high] by bisection until neighbouring numbers are reached.
///
/// `f` must change its sign once; where it does not, the end whose value lies nearest to 0 is
/// returned. Bisection needs some 60 steps and cannot diverge.
pub(crate) fn bisect(mut low: f64, mut high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (at_low, at_high) = (f(low), f(high));
    if at_low == 0.0 {
        return low;
    }
    if at_high == 0.0 {
        return high;
    }
    if (at_low > 0.0) == (at_high > 0.0) {
        return if at_low.abs() <= at_high.abs() {
            low
        } else {
            high
        };
    }
    for _ in 0..200 {
        let middle = low + (high - low) / 2.0;
        if middle <= low || middle >= high {
            break;
        }
        if (f(middle) > 0.0) == (at_low > 0.0) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low + (high - low) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_found_to_two_units_in_the_last_place() {
        let found = bisect(0.0, 2.0, |x| x * x - 2.0);
        assert!(
            (found - 2.0_f64.sqrt()).abs() <= 2.0 * f64::EPSILON,
            "{found}"
        );
    }

    #[test]
    fn without_a_change_of_sign_the_nearer_end_is_given() {
        assert_eq!(bisect(1.0, 2.0, |x| x), 1.0);
    }
}
