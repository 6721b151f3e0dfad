//! Normal, Student and chi-square distributions, accurate in the tails.
//!
//! The normal distribution rests on `erfc` of libm. Student's is the incomplete beta function with
//! the ratio of gamma functions taken by its own series, because differences of large `lgamma`
//! values lose all digits at the degrees of freedom of a trial of a million (statrs 0.19.1 gives a
//! quantile of 1.8266 at df = 1e7 where 1.96 is right).

use super::Alternative;
use std::f64::consts::{FRAC_1_SQRT_2, PI, SQRT_2};

/// P(Z <= z).
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * FRAC_1_SQRT_2)
}

/// P(Z > z), accurate for large z.
pub fn normal_upper(z: f64) -> f64 {
    0.5 * libm::erfc(z * FRAC_1_SQRT_2)
}

/// The density of the normal distribution.
pub fn normal_density(z: f64) -> f64 {
    (-0.5 * z * z).exp() / (2.0 * PI).sqrt()
}

/// The z with P(Z <= z) = p, for p within (0, 1).
///
/// Starts from the rational approximation of Abramowitz and Stegun, 26.2.23 (error 4.5e-4) and
/// takes Halley steps on the tail probability until nothing changes.
pub fn normal_quantile(p: f64) -> f64 {
    assert!(p > 0.0 && p < 1.0, "a probability must lie between 0 and 1");
    if p > 0.5 {
        // Symmetric, and 1 - p is exact for p from 0.5 on.
        return -normal_quantile(1.0 - p);
    }
    if p == 0.5 {
        return 0.0;
    }
    let t = (-2.0 * p.ln()).sqrt();
    let numerator = 2.515517 + t * (0.802853 + t * 0.010328);
    let denominator = 1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    let mut z = numerator / denominator - t;
    for _ in 0..10 {
        let error = (normal_cdf(z) - p) / normal_density(z);
        let step = error / (1.0 + 0.5 * z * error);
        z -= step;
        if step.abs() <= 1e-16 * z.abs() {
            break;
        }
    }
    z
}

/// The p-value of a normal statistic.
pub fn normal_p(z: f64, alternative: Alternative) -> f64 {
    match alternative {
        Alternative::TwoSided => libm::erfc(z.abs() / SQRT_2),
        Alternative::Greater => normal_upper(z),
        Alternative::Less => normal_cdf(z),
    }
}

/// P(X > x) for a chi-square variable with `df` degrees of freedom.
pub fn chi_square_upper(x: f64, df: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    if df == 1.0 {
        return libm::erfc((x / 2.0).sqrt());
    }
    statrs::function::gamma::gamma_ur(df / 2.0, x / 2.0)
}

/// The x with P(X > x) = `tail` for a chi-square variable, by bisection.
pub fn chi_square_quantile(tail: f64, df: f64) -> f64 {
    let far = df + 40.0 * (2.0 * df).sqrt() + 200.0;
    super::roots::bisect(0.0, far, |x| chi_square_upper(x, df) - tail)
}

/// P(F > f) for the F distribution, as the incomplete beta function of d2 / (d2 + d1 f).
pub fn f_upper(f: f64, d1: f64, d2: f64) -> f64 {
    if f <= 0.0 {
        return 1.0;
    }
    statrs::function::beta::beta_reg(d2 / 2.0, d1 / 2.0, d2 / (d2 + d1 * f))
}

/// P(T > t) for Student's t with `df` > 0 degrees of freedom, which need not be whole.
pub fn student_upper(t: f64, df: f64) -> f64 {
    // Beyond, the two cannot be told apart; and nothing is integrated that is not finite.
    if df.is_nan() || df > 1e15 {
        return normal_upper(t);
    }
    let tail = 0.5 * student_two_sided(t, df);
    if t >= 0.0 { tail } else { 1.0 - tail }
}

/// The p-value of a t statistic.
pub fn student_p(t: f64, df: f64, alternative: Alternative) -> f64 {
    let p = match alternative {
        Alternative::TwoSided => student_two_sided(t, df),
        Alternative::Greater => student_upper(t, df),
        Alternative::Less => student_upper(-t, df),
    };
    // Near t = 0 the integral rounds to a little more than 1.
    p.min(1.0)
}

/// P(|T| > |t|).
fn student_two_sided(t: f64, df: f64) -> f64 {
    let t = t.abs();
    if t == 0.0 {
        1.0
    } else if df >= 50.0 && t * t < df {
        2.0 * student_tail_integral(t, df)
    } else {
        student_tail_beta(t, df)
    }
}

/// P(|T| > t) = I_x(df/2, 1/2) with x = df / (df + t^2) (Abramowitz and Stegun, 26.5.27).
fn student_tail_beta(t: f64, df: f64) -> f64 {
    let (a, b) = (df / 2.0, 0.5);
    // x and 1 - x from the smaller one each, so that neither loses digits.
    let ratio = t * t / df;
    let x = 1.0 / (1.0 + ratio);
    let y = ratio / (1.0 + ratio);
    // x^a (1 - x)^b / B(a, b), with B(a, 1/2) = Gamma(a) sqrt(pi) / Gamma(a + 1/2).
    let front = (-a * ratio.ln_1p() + b * y.ln() + ln_gamma_half_step(a)).exp() / PI.sqrt();
    if x < (a + 1.0) / (a + b + 2.0) {
        front * beta_fraction(a, b, x) / a
    } else {
        1.0 - front * beta_fraction(b, a, y) / b
    }
}

/// P(T > t) for t > 0 and many degrees of freedom, as the integral of the density.
///
/// The continued fraction loses a digit for each tenfold of `df`; here every term is positive, and
/// panels of half the tail's own scale make the 8-point Gauss-Legendre rule exact to the last bits.
fn student_tail_integral(t: f64, df: f64) -> f64 {
    const NODES: [(f64, f64); 4] = [
        (0.183_434_642_495_649_8, 0.362_683_783_378_362),
        (0.525_532_409_916_329, 0.313_706_645_877_887_3),
        (0.796_666_477_413_626_7, 0.222_381_034_453_374_48),
        (0.960_289_856_497_536_3, 0.101_228_536_290_376_26),
    ];
    let half = 0.25 / (1.0 + t);
    let mut total = 0.0;
    let mut centre = t + half;
    loop {
        let panel: f64 = NODES
            .iter()
            .map(|(node, weight)| {
                let (left, right) = (centre - half * node, centre + half * node);
                weight * (student_density(left, df) + student_density(right, df))
            })
            .sum();
        total += half * panel;
        if half * panel <= 1e-18 * total {
            return total;
        }
        centre += 2.0 * half;
    }
}

fn student_density(t: f64, df: f64) -> f64 {
    let scale = ln_gamma_half_step(df / 2.0) - 0.5 * (df * PI).ln();
    (scale - (df + 1.0) / 2.0 * (t * t / df).ln_1p()).exp()
}

/// ln(Gamma(a + 1/2) / Gamma(a)).
fn ln_gamma_half_step(a: f64) -> f64 {
    if a < 30.0 {
        return libm::lgamma(a + 0.5) - libm::lgamma(a);
    }
    // Asymptotic series of the ratio (Tricomi and Erdelyi 1951); the next term is below 1e-16.
    let r = 1.0 / a;
    0.5 * a.ln() - r / 8.0 + r.powi(3) / 192.0 - r.powi(5) / 640.0 + 17.0 * r.powi(7) / 14_336.0
}

/// The continued fraction of the incomplete beta function (DLMF 8.17.22), by Lentz's method.
///
/// It takes some sqrt(max(a, b)) steps at most, and is used where it takes far fewer.
fn beta_fraction(a: f64, b: f64, x: f64) -> f64 {
    const TINY: f64 = 1e-300;
    let away = |value: f64| if value.abs() < TINY { TINY } else { value };
    let mut c = 1.0;
    let mut d = 1.0 / away(1.0 - (a + b) * x / (a + 1.0));
    let mut fraction = d;
    for m in 1..200_000 {
        let m = f64::from(m);
        let even = m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m));
        d = 1.0 / away(1.0 + even * d);
        c = away(1.0 + even / c);
        fraction *= d * c;
        let odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));
        d = 1.0 / away(1.0 + odd * d);
        c = away(1.0 + odd / c);
        let change = d * c;
        fraction *= change;
        if (change - 1.0).abs() < 1e-16 {
            break;
        }
    }
    fraction
}

/// The t with P(T > t) = tail, for tail within (0, 0.5].
///
/// Newton steps on ln P(T > t), which is concave, from the normal quantile.
pub fn student_quantile_upper(tail: f64, df: f64) -> f64 {
    if df.is_nan() || df > 1e15 {
        return -normal_quantile(tail);
    }
    assert!(
        tail > 0.0 && tail <= 0.5,
        "a tail must lie between 0 and 0.5"
    );
    if tail == 0.5 {
        return 0.0;
    }
    let mut t = -normal_quantile(tail);
    for _ in 0..200 {
        let upper = student_upper(t, df);
        let step = (upper / tail).ln() * upper / student_density(t, df);
        // Heavy tails (df near 1) need steps that cannot overshoot below the start.
        let next = (t + step).max(t / 2.0);
        if (next - t).abs() <= 1e-15 * t.abs() {
            return next;
        }
        t = next;
    }
    t
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: f64, expected: f64, relative: f64) {
        assert!(
            (found / expected - 1.0).abs() < relative,
            "{found} instead of {expected}"
        );
    }

    // The expected values are R 4.2.2's pnorm, qnorm, pt, qt and pchisq, printed to 17 digits by
    // tests/golden/distributions.R; 1e-13 allows for the rounding of exp and ln near their limits.
    #[test]
    fn the_distributions_agree_with_r() {
        let golden = include_str!("../../tests/golden/distributions.csv");
        for line in golden.lines().skip(1) {
            let fields: Vec<&str> = line.split(',').collect();
            let number = |i: usize| fields[i].parse::<f64>().unwrap();
            let (x, df, expected) = (number(1), number(2), number(3));
            let found = match fields[0] {
                "normal_upper" => normal_upper(x),
                "normal_quantile" => normal_quantile(x),
                "student_upper" => student_upper(x, df),
                "student_quantile_upper" => student_quantile_upper(x, df),
                "chi_square_upper" => chi_square_upper(x, df),
                other => panic!("no function {other}"),
            };
            assert!((found / expected - 1.0).abs() < 1e-12, "{line}: {found}");
        }
    }

    #[test]
    fn a_quantile_leads_back_to_its_probability() {
        for p in [1e-300, 1e-12, 0.001, 0.025, 0.3, 0.5] {
            if p < 0.5 {
                close(normal_cdf(normal_quantile(p)), p, 1e-12);
            }
            for df in [1.0, 2.5, 30.0, 1e4, 1e7] {
                if p > 1e-13 {
                    close(student_upper(student_quantile_upper(p, df), df), p, 1e-11);
                }
            }
        }
    }
}
