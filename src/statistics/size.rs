//! How many participants or events a power takes.
//!
//! All of one form: (z_alpha + z_power)^2 times the variance of the estimate of one participant, over the
//! squared distance of effect and null. Variances are those under the alternative. Sizes are not rounded.

/// Shares of the participants in the arm and in the reference; they sum to 1 where there are two arms.
pub type Shares = (f64, f64);

/// Participants for a difference of means with a known standard deviation.
pub fn two_means(needed: f64, deviation: f64, distance: f64, shares: Shares) -> f64 {
    needed * deviation * deviation * (1.0 / shares.0 + 1.0 / shares.1) / distance.powi(2)
}

/// Participants for a difference of proportions, unpooled variance (Fleiss, Levin and Paik 2003, section
/// 4.2, without continuity correction).
pub fn risk_difference(needed: f64, (p, q): (f64, f64), null: f64, shares: Shares) -> f64 {
    let variance = p * (1.0 - p) / shares.0 + q * (1.0 - q) / shares.1;
    needed * variance / (p - q - null).powi(2)
}

/// Participants for a ratio of proportions, on the log scale.
pub fn risk_ratio(needed: f64, (p, q): (f64, f64), null: f64, shares: Shares) -> f64 {
    let variance = (1.0 - p) / (p * shares.0) + (1.0 - q) / (q * shares.1);
    needed * variance / (p / q / null).ln().powi(2)
}

/// Participants for a ratio of odds, on the log scale.
pub fn odds_ratio(needed: f64, (p, q): (f64, f64), null: f64, shares: Shares) -> f64 {
    let variance = 1.0 / (p * (1.0 - p) * shares.0) + 1.0 / (q * (1.0 - q) * shares.1);
    let odds = |p: f64| p / (1.0 - p);
    needed * variance / (odds(p) / odds(q) / null).ln().powi(2)
}

/// Participants for a ratio of rates with variance mu + dispersion mu^2 (Zhu and Lakkis, Statistics in
/// Medicine 33, 2014, 376-387, their second approach).
pub fn rate_ratio(
    needed: f64,
    rate: f64,
    ratio: f64,
    null: f64,
    dispersion: f64,
    shares: Shares,
) -> f64 {
    let part = |mu: f64, share: f64| (1.0 / mu + dispersion) / share;
    let variance = part(rate * ratio, shares.0) + part(rate, shares.1);
    needed * variance / (ratio / null).ln().powi(2)
}

/// Events of two arms for a hazard ratio (Schoenfeld, Biometrika 68, 1981, 316-319); `a` and `b` are the
/// arms' shares of the two.
pub fn events_schoenfeld(needed: f64, ratio: f64, null: f64, (a, b): Shares) -> f64 {
    needed / (a * b * (ratio / null).ln().powi(2))
}

/// The same by Freedman (Statistics in Medicine 1, 1982, 121-129), for superiority.
pub fn events_freedman(needed: f64, ratio: f64, (a, b): Shares) -> f64 {
    let k = a / b;
    needed * (1.0 + ratio * k).powi(2) / (k * (1.0 - ratio).powi(2))
}

/// How much more participants clusters of mean size `m` take: 1 + ((1 + cv^2) m - 1) icc, cv the
/// coefficient of variation of their sizes (Eldridge, Ashby and Kerry, International Journal of
/// Epidemiology 35, 2006, 1292-1300).
pub fn design_effect(m: f64, icc: f64, cv: f64) -> f64 {
    1.0 + ((1.0 + cv * cv) * m - 1.0) * icc
}
