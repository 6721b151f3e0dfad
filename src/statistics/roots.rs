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

/// The root of a smooth `f` within [low, high] by Brent's method (1973, chapter 4): as safe as bisection,
/// and some ten evaluations where bisection takes sixty. Without a change of sign the nearer end is given.
pub(crate) fn brent(low: f64, high: f64, f: impl Fn(f64) -> f64) -> f64 {
    let (mut a, mut b) = (low, high);
    let (mut fa, mut fb) = (f(a), f(b));
    if (fa > 0.0) == (fb > 0.0) && fa != 0.0 && fb != 0.0 {
        return if fa.abs() <= fb.abs() { a } else { b };
    }
    let (mut c, mut fc) = (a, fa);
    let mut step = b - a;
    let mut before = step;
    for _ in 0..200 {
        if (fb > 0.0) == (fc > 0.0) {
            (c, fc) = (a, fa);
            step = b - a;
            before = step;
        }
        if fc.abs() < fb.abs() {
            (a, b, c) = (b, c, b);
            (fa, fb, fc) = (fb, fc, fb);
        }
        let tolerance = 2.0 * f64::EPSILON * b.abs() + 1e-15;
        let half = (c - b) / 2.0;
        if half.abs() <= tolerance || fb == 0.0 {
            break;
        }
        let tried = interpolated((a, fa), (b, fb), (c, fc), half);
        let sane = before.abs() >= tolerance
            && fa.abs() > fb.abs()
            && tried.is_some_and(|t| {
                2.0 * t.abs() < (3.0 * half.abs() - tolerance).min(before.abs())
                    && t.signum() == half.signum()
            });
        (before, step) = match tried {
            Some(tried) if sane => (step, tried),
            _ => (half, half),
        };
        (a, fa) = (b, fb);
        b += if step.abs() > tolerance {
            step
        } else {
            tolerance.copysign(half)
        };
        fb = f(b);
    }
    b
}

/// The step from b by the secant, or by inverse quadratic interpolation where three points differ.
fn interpolated(
    (a, fa): (f64, f64),
    (b, fb): (f64, f64),
    (c, fc): (f64, f64),
    half: f64,
) -> Option<f64> {
    let s = fb / fa;
    let (p, q) = if a == c {
        (2.0 * half * s, 1.0 - s)
    } else {
        let (q, r) = (fa / fc, fb / fc);
        (
            s * (2.0 * half * q * (q - r) - (b - a) * (r - 1.0)),
            (q - 1.0) * (r - 1.0) * (s - 1.0),
        )
    };
    // With p made positive and the sign given to q.
    let step = -p / q;
    step.is_finite().then_some(step)
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
    fn brents_root_is_as_good_and_needs_few_evaluations() {
        for (low, high, f) in [
            (0.0, 2.0, (|x: f64| x * x - 2.0) as fn(f64) -> f64),
            (2.0, 0.0, |x| x.exp() - 2.0),
            (-10.0, 10.0, |x| x.powi(3) - 1e-3),
            (-37.0, 37.0, |x| (x - 30.0).tanh()),
        ] {
            let count = std::cell::Cell::new(0);
            let counted = |x: f64| {
                count.set(count.get() + 1);
                f(x)
            };
            let root = brent(low, high, counted);
            assert!(f(root).abs() < 1e-12, "{root}");
            assert!(count.get() < 40, "{}", count.get());
        }
    }

    #[test]
    fn without_a_change_of_sign_the_nearer_end_is_given() {
        assert_eq!(bisect(1.0, 2.0, |x| x), 1.0);
    }
}
