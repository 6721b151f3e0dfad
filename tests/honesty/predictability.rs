//! How often somebody who knows all past arms guesses the next one, and how far the arms drift apart:
//! the table of `docs/randomization.md`, measured.
//!
//! The guesser follows the convergence strategy (Blackwell and Hodges, "Design for the control of
//! selection bias", Annals of Mathematical Statistics 28, 1957): the arm that was drawn less often,
//! and a fair coin where both were drawn alike. A coin counts as half a right guess.

use super::{protocol, seed, stratum};
use lodkast::randomization::{Minimization, MinimizationState, StratumLabel, StreamKeys};

/// Participants of a stratum, and strata.
const SIZE: usize = 42;
const STRATA: usize = 24_000;

const METHODS: [(&str, &str); 11] = [
    ("`simple`", "method = 'simple'"),
    (
        "`biased_coin`, 2/3",
        "method = 'biased_coin'\nprobability = [2, 3]",
    ),
    (
        "`biased_coin`, 3/4",
        "method = 'biased_coin'\nprobability = [3, 4]",
    ),
    ("`big_stick`, limit 3", "method = 'big_stick'\nlimit = 3"),
    ("`big_stick`, limit 5", "method = 'big_stick'\nlimit = 5"),
    ("`block_urn`, lambda 2", "method = 'block_urn'\nlambda = 2"),
    ("`block_urn`, lambda 3", "method = 'block_urn'\nlambda = 3"),
    ("`block_urn`, lambda 4", "method = 'block_urn'\nlambda = 4"),
    (
        "`permuted_blocks`, sizes 4, 6, 8",
        "method = 'permuted_blocks'\nblock_sizes = [4, 6, 8]",
    ),
    (
        "`permuted_blocks`, size 6",
        "method = 'permuted_blocks'\nblock_sizes = [6]",
    ),
    (
        "`permuted_blocks`, size 4",
        "method = 'permuted_blocks'\nblock_sizes = [4]",
    ),
];

struct Measured {
    right: f64,
    largest: i64,
    mean_at_end: f64,
}

fn measure(method: &str) -> Measured {
    let protocol = protocol(method, &[1, 1]);
    let (mut right, mut largest, mut at_end) = (0.0, 0, 0);
    for number in 0..STRATA {
        let mut allocator = stratum(&protocol, "predictability", number);
        let mut difference = 0_i64;
        for _ in 0..SIZE {
            let arm = allocator.next_arm();
            right += match difference {
                0 => 0.5,
                d => f64::from(u8::from((d > 0) == (arm == 1))),
            };
            difference += 1 - 2 * arm as i64;
            largest = largest.max(difference.abs());
        }
        at_end += difference.abs();
    }
    Measured {
        right: right / (SIZE * STRATA) as f64,
        largest,
        mean_at_end: at_end as f64 / STRATA as f64,
    }
}

/// The same for minimization, where the guesser knows everybody's levels and so the preferred arm:
/// trials of 420, in seven sites and four groups.
fn measure_minimization(probability: &str) -> Measured {
    let method = format!("method = 'minimization'\nprobability = {probability}");
    let mut protocol = protocol(&method, &[1, 1]);
    let mut group = protocol.factors[0].clone();
    group.id = "group".into();
    protocol.factors.push(group);
    let (size, trials) = (420, 400);
    let (mut right, mut largest, mut at_end) = (0.0, 0, 0);
    for trial in 0..trials {
        let keys = StreamKeys::new(&seed(&format!("minimized {trial}")), &protocol.id, 1);
        let start = MinimizationState::default();
        let mut minimization = Minimization::resume(&protocol, &keys, start).unwrap();
        let (mut sites, mut groups) = ([0_i64; 7], [0_i64; 4]);
        let mut difference = 0_i64;
        for n in 0..size {
            // Who comes next is as irregular as the trial's own arms.
            let (site, level) = (n * n % 7, (n * 5 + n / 3) % 4);
            let names = [site, level].map(|level| level.to_string());
            let levels = [("site", names[0].as_str()), ("group", names[1].as_str())];
            let lead: i64 = [sites[site], groups[level]]
                .iter()
                .map(|d| (d + 1).abs() - (d - 1).abs())
                .sum();
            let arm = minimization.draw(&StratumLabel::of(levels)).unwrap();
            right += match lead {
                0 => 0.5,
                d => f64::from(u8::from((d > 0) == (arm == 1))),
            };
            let step = 1 - 2 * arm as i64;
            sites[site] += step;
            groups[level] += step;
            difference += step;
            largest = largest.max(difference.abs());
        }
        at_end += difference.abs();
    }
    Measured {
        right: right / (size * trials) as f64,
        largest,
        mean_at_end: at_end as f64 / trials as f64,
    }
}

fn row(name: &str, measured: &Measured) -> String {
    let Measured {
        right,
        largest,
        mean_at_end,
    } = measured;
    format!(
        "| {name} | {:.1}% | {largest} | {mean_at_end:.2} |",
        right * 100.0
    )
}

#[test]
fn the_table_of_the_documentation_is_what_is_measured() {
    let page = include_str!("../../docs/randomization.md");
    let mut rows: Vec<String> = METHODS
        .iter()
        .map(|(name, method)| row(name, &measure(method)))
        .collect();
    for (name, probability) in [("2/3", "[2, 3]"), ("4/5", "[4, 5]"), ("9/10", "[9, 10]")] {
        let measured = measure_minimization(probability);
        rows.push(row(&format!("`minimization`, {name}"), &measured));
    }
    let lacking: Vec<&String> = rows.iter().filter(|row| !page.contains(*row)).collect();
    assert!(
        lacking.is_empty(),
        "docs/randomization.md lacks {lacking:#?}"
    );
}

/// Known results, so that the measurement is not its own judge.
#[test]
fn what_is_measured_agrees_with_theory() {
    // Blackwell and Hodges: in a block of 2b, b + (4^b / C(2b, b) - 1) / 2 right guesses. With 42
    // participants the last block of 4 is cut after 2, where a guess is right with 1/2 and then 2/3.
    let whole = 2.0 + (16.0 / 6.0 - 1.0) / 2.0;
    let expected = (10.0 * whole + 0.5 + 2.0 / 3.0) / 42.0;
    let measured = measure("method = 'permuted_blocks'\nblock_sizes = [4]").right;
    // Standard error below 0.5 / sqrt(42 * 24,000) = 0.0005.
    assert!(
        (measured - expected).abs() < 0.0025,
        "{measured}, not {expected}"
    );
    let whole = 3.0 + (64.0 / 20.0 - 1.0) / 2.0;
    let measured = measure("method = 'permuted_blocks'\nblock_sizes = [6]").right;
    let expected = whole * 7.0 / 42.0;
    assert!(
        (measured - expected).abs() < 0.0025,
        "{measured}, not {expected}"
    );
    let simple = measure("method = 'simple'");
    assert!((simple.right - 0.5).abs() < 0.0025);
    // E|D| of a fair walk of 42 steps: 42 C(42, 21) / 2^42.
    assert!(
        (simple.mean_at_end - 5.140_2).abs() < 0.1,
        "{}",
        simple.mean_at_end
    );
}
