//! Ratios, blocks, independence and bounds.

use super::{fits, protocol, seed, stratum};
use lodkast::protocol::DrawUnit;
use lodkast::randomization::{Clusters, Minimization, MinimizationState, StratumLabel, StreamKeys};
use std::collections::BTreeMap;

const DRAWS: u64 = 1_000_000;

#[test]
fn simple_draws_come_in_their_ratio() {
    let protocol = protocol("method = 'simple'", &[1, 2, 3]);
    let mut allocator = stratum(&protocol, "ratio", 0);
    let mut counts = [0_u64; 3];
    for _ in 0..DRAWS {
        counts[allocator.next_arm()] += 1;
    }
    let n = DRAWS as f64;
    fits(&counts, &[n / 6.0, n / 3.0, n / 2.0]);
}

#[test]
fn one_simple_draw_says_nothing_of_the_next() {
    let protocol = protocol("method = 'simple'", &[1, 1]);
    let mut allocator = stratum(&protocol, "series", 0);
    let mut pairs = [0_u64; 4];
    for _ in 0..DRAWS {
        pairs[allocator.next_arm() * 2 + allocator.next_arm()] += 1;
    }
    fits(&pairs, &[DRAWS as f64 / 4.0; 4]);
}

#[test]
fn neighbouring_strata_say_nothing_of_each_other() {
    for method in [
        "method = 'simple'",
        "method = 'permuted_blocks'\nblock_sizes = [4]",
        "method = 'block_urn'\nlambda = 2",
        "method = 'biased_coin'\nprobability = [2, 3]",
    ] {
        let protocol = protocol(method, &[1, 1]);
        // Only the first draw of each stratum: within one, restricted draws do depend on each other.
        let first = |n: usize| stratum(&protocol, "neighbours", n).next_arm();
        let mut pairs = [0_u64; 4];
        let strata = 100_000;
        for n in 0..strata {
            pairs[first(2 * n) * 2 + first(2 * n + 1)] += 1;
        }
        fits(&pairs, &[strata as f64 / 4.0; 4]);
    }
}

#[test]
fn every_block_of_every_stratum_holds_the_arms_in_their_ratio() {
    let protocol = protocol("method = 'permuted_blocks'\nblock_sizes = [8]", &[2, 1, 1]);
    for number in 0..500 {
        let mut allocator = stratum(&protocol, "blocks", number);
        for _ in 0..250 {
            let mut counts = [0; 3];
            for _ in 0..8 {
                counts[allocator.next_arm()] += 1;
            }
            assert_eq!(counts, [4, 2, 2]);
        }
    }
}

#[test]
fn every_order_of_a_block_is_as_likely_as_every_other() {
    let protocol = protocol("method = 'permuted_blocks'\nblock_sizes = [4]", &[1, 1]);
    let mut allocator = stratum(&protocol, "orders", 0);
    let mut orders: BTreeMap<[usize; 4], u64> = BTreeMap::new();
    let blocks = DRAWS / 4;
    for _ in 0..blocks {
        *orders
            .entry([(); 4].map(|()| allocator.next_arm()))
            .or_default() += 1;
    }
    let counts: Vec<u64> = orders.into_values().collect();
    assert_eq!(counts.len(), 6);
    fits(&counts, &[blocks as f64 / 6.0; 6]);
}

#[test]
fn block_sizes_are_equally_likely() {
    let protocol = protocol("method = 'permuted_blocks'\nblock_sizes = [2, 4]", &[1, 1]);
    let mut orders = [0_u64; 2];
    let strata = 100_000;
    for number in 0..strata {
        let mut allocator = stratum(&protocol, "sizes", number);
        orders[usize::from(allocator.next_arm() == allocator.next_arm())] += 1;
    }
    // A block of 2 never begins with two alike, one of 4 does in 2 of its 6 orders.
    let alike = strata as f64 / 2.0 / 3.0;
    fits(&orders, &[strata as f64 - alike, alike]);
}

#[test]
fn no_method_lets_the_arms_drift_further_apart_than_it_says() {
    for (method, bound) in [
        ("method = 'permuted_blocks'\nblock_sizes = [4, 6, 8]", 4),
        ("method = 'big_stick'\nlimit = 3", 3),
        ("method = 'block_urn'\nlambda = 3", 3),
    ] {
        let protocol = protocol(method, &[1, 1]);
        let mut largest = 0;
        for number in 0..50 {
            let mut allocator = stratum(&protocol, "bounds", number);
            let mut difference = 0_i64;
            for _ in 0..5_000 {
                difference += 1 - 2 * allocator.next_arm() as i64;
                assert!(difference.abs() <= bound, "{method}: {difference}");
                largest = largest.max(difference.abs());
            }
        }
        assert_eq!(largest, bound, "{method}: the bound is reached");
    }
}

#[test]
fn the_urn_keeps_unequal_ratios_too() {
    let protocol = protocol("method = 'block_urn'\nlambda = 2", &[2, 1]);
    let mut allocator = stratum(&protocol, "urn", 0);
    let mut counts = [0_i64; 2];
    for _ in 0..DRAWS {
        counts[allocator.next_arm()] += 1;
        // Complete sets apart, at most lambda * ratio balls of an arm are out.
        let sets = (counts[0] / 2).min(counts[1]);
        assert!(
            counts[0] - 2 * sets <= 4 && counts[1] - sets <= 2,
            "{counts:?}"
        );
    }
}

#[test]
fn the_biased_coin_favours_the_lagging_arm_as_often_as_it_says() {
    let protocol = protocol("method = 'biased_coin'\nprobability = [3, 4]", &[1, 1]);
    let mut allocator = stratum(&protocol, "coin", 0);
    let (mut lagging, mut ahead, mut even) = (0_u64, 0_u64, [0_u64; 2]);
    let mut difference = 0_i64;
    for _ in 0..DRAWS {
        let arm = allocator.next_arm();
        match difference {
            0 => even[arm] += 1,
            d if (d > 0) == (arm == 1) => lagging += 1,
            _ => ahead += 1,
        }
        difference += 1 - 2 * arm as i64;
    }
    let uneven = (lagging + ahead) as f64;
    fits(&[lagging, ahead], &[uneven * 0.75, uneven * 0.25]);
    fits(&even, &[(even[0] + even[1]) as f64 / 2.0; 2]);
}

#[test]
fn minimization_prefers_as_often_as_it_says_and_balances_every_level() {
    let mut protocol = protocol("method = 'minimization'\nprobability = [4, 5]", &[1, 1]);
    let mut second = protocol.factors[0].clone();
    second.id = "group".into();
    protocol.factors.push(second);
    let keys = StreamKeys::new(&seed("minimization"), &protocol.id, 1);
    let mut minimization =
        Minimization::resume(&protocol, &keys, MinimizationState::default()).unwrap();
    let mut differences: BTreeMap<(usize, usize), i64> = BTreeMap::new();
    let (mut preferred, mut other, mut even) = (0_u64, 0_u64, [0_u64; 2]);
    for n in 0..100_000_usize {
        let levels = [n % 7, n / 7 % 4];
        let names = levels.map(|level| level.to_string());
        let label = StratumLabel::of([("site", names[0].as_str()), ("group", names[1].as_str())]);
        let lead: i64 = (0..2)
            .map(|factor| {
                let d = differences
                    .get(&(factor, levels[factor]))
                    .copied()
                    .unwrap_or(0);
                (d + 1).abs() - (d - 1).abs()
            })
            .sum();
        let arm = minimization.draw(&label).unwrap();
        match lead {
            0 => even[arm] += 1,
            d if (d > 0) == (arm == 1) => preferred += 1,
            _ => other += 1,
        }
        for (factor, level) in levels.into_iter().enumerate() {
            let difference = differences.entry((factor, level)).or_default();
            *difference += 1 - 2 * arm as i64;
            assert!(
                difference.abs() <= 20,
                "{difference} at level {level} of factor {factor}"
            );
        }
    }
    let uneven = (preferred + other) as f64;
    fits(&[preferred, other], &[uneven * 0.8, uneven * 0.2]);
    fits(&even, &[(even[0] + even[1]) as f64 / 2.0; 2]);
}

#[test]
fn units_are_balanced_within_their_stratum_and_each_is_drawn_fairly() {
    let protocol = {
        let mut protocol = protocol("method = 'simple'", &[1, 1]);
        protocol.unit = lodkast::protocol::Unit::Site;
        protocol
    };
    let units: Vec<DrawUnit> = (0..9)
        .map(|n| DrawUnit {
            id: format!("unit {n}"),
            factors: BTreeMap::from([("site".to_owned(), (n % 2).to_string())]),
        })
        .collect();
    let mut first = [0_u64; 2];
    let draws = 100_000_u32;
    for n in 0..draws {
        let keys = StreamKeys::new(&seed(&format!("units {n}")), &protocol.id, 1);
        let drawn = Clusters::draw(&protocol, &keys, std::slice::from_ref(&units));
        let mut differences = [0_i64; 2];
        for (n, unit) in units.iter().enumerate() {
            differences[n % 2] += 1 - 2 * drawn.of(&unit.id).unwrap().arm as i64;
        }
        // Five units in one stratum, four in the other.
        assert!(
            differences[0].abs() == 1 && differences[1] == 0,
            "{differences:?}"
        );
        first[drawn.of("unit 8").unwrap().arm] += 1;
    }
    fits(&first, &[f64::from(draws) / 2.0; 2]);
}
