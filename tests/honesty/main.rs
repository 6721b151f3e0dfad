//! Is the draw fair, bounded and as hard to guess as the documentation says? Statistical tests over
//! about a million draws each. Their seeds are fixed, so that they pass or fail for good; had the seeds
//! been others, each test would fail a fair draw with a probability of 1 in 1,000,000.

mod fairness;
mod predictability;

use lodkast::protocol::{self, Protocol};
use lodkast::randomization::{Allocator, Seed, StratumLabel, StreamKeys};
use sha2::{Digest, Sha256};

/// Quantiles of the chi-square distribution that a fair draw exceeds once in 1,000,000 (R 4.2.2,
/// `qchisq(1e-6, df, lower.tail = FALSE)`), by degrees of freedom.
pub const RARE: [(usize, f64); 4] = [
    (1, 23.928_126_98),
    (2, 27.631_021_12),
    (3, 30.664_849_71),
    (5, 35.888_186_88),
];

/// Holds counts against expected ones.
#[track_caller]
pub fn fits(observed: &[u64], expected: &[f64]) {
    let freedom = observed.len() - 1;
    let statistic: f64 = observed
        .iter()
        .zip(expected)
        .map(|(o, e)| (*o as f64 - e).powi(2) / e)
        .sum();
    let (_, most) = RARE.iter().find(|(df, _)| *df == freedom).unwrap();
    assert!(
        statistic < *most,
        "chi-square {statistic} with {freedom} degrees of freedom: {observed:?}, not {expected:?}"
    );
}

/// A protocol with arms of these ratios and one open stratification factor.
pub fn protocol(method: &str, ratios: &[u32]) -> Protocol {
    let arms: Vec<String> = ratios
        .iter()
        .enumerate()
        .map(|(i, ratio)| format!("{{id = 'arm{i}', ratio = {ratio}, control = {}}}", i == 0))
        .collect();
    protocol::from_toml(&format!(
        "id = 'honesty'\ntitle = 'Honesty'\narms = [{}]\n\
         factors = [{{id = 'site', open_levels = true, stratify = true}}]\n\
         endpoints = [{{id = 'e', kind = 'binary', from = 'reported'}}]\n\
         [randomization]\n{method}\n[analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n",
        arms.join(", ")
    ))
    .unwrap()
}

/// A seed for each test, from its name.
pub fn seed(name: &str) -> Seed {
    Seed::new(Sha256::digest(name).into())
}

/// The allocator of one of the neighbouring strata.
pub fn stratum(protocol: &Protocol, name: &str, number: usize) -> Allocator {
    let keys = StreamKeys::new(&seed(name), &protocol.id, 1);
    let label = StratumLabel::of([("site", number.to_string().as_str())]);
    Allocator::new(protocol, &keys, &label).unwrap()
}
