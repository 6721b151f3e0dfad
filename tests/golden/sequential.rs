//! Group-sequential designs against R rpact 3.3.4 (`sequential.R`).

use super::{number, rows};
use lodkast::statistics::sequential::{Boundaries, Futility, Plan, Spending, shapes};
use std::collections::BTreeMap;

/// Boundaries, powers and expected sizes of rpact are integrals on another grid, and its boundaries
/// roots to a tolerance of its own: they agree to 2e-7, and are asked to 1e-6.
const INTEGRATED: f64 = 1e-6;

struct Case {
    plan: Plan,
    alpha: f64,
    beta: f64,
    with_futility: bool,
}

/// Reads `spending|sides:alpha|times`.
fn case(id: &str) -> Case {
    let parts: Vec<&str> = id.split('|').collect();
    let (name, rest) = parts[0].split_once(':').unwrap_or((parts[0], ""));
    let (sides, alpha) = parts[1].split_once(':').unwrap();
    let tails = number(sides);
    let alpha = number(alpha) / tails;
    let times: Vec<f64> = parts[2].split(';').map(number).collect();
    let mut futility = None;
    let mut beta = 0.1;
    let spending = match name {
        "obrien_fleming" => Spending::ObrienFleming,
        "pocock" => Spending::Pocock,
        "hsd" => Spending::HwangShihDecani {
            gamma: number(rest),
        },
        "power" => Spending::Power { rho: number(rest) },
        "wang_tsiatis" => shapes::wang_tsiatis(&times, alpha, tails == 2.0, number(rest)).unwrap(),
        "haybittle_peto" => {
            shapes::haybittle_peto(&times, alpha, tails == 2.0, number(rest)).unwrap()
        }
        "futility" | "binding" => {
            let (gamma, b) = rest.split_once(':').unwrap();
            beta = number(b);
            futility = Some(Futility {
                beta,
                spending: Spending::HwangShihDecani {
                    gamma: number(gamma),
                },
                binding: name == "binding",
            });
            Spending::HwangShihDecani { gamma: -4.0 }
        }
        other => panic!("{other} is no spending function"),
    };
    Case {
        with_futility: futility.is_some(),
        plan: Plan {
            information: times,
            alpha,
            spending,
            symmetric: tails == 2.0,
            futility,
        },
        alpha,
        beta,
    }
}

#[track_caller]
fn near(found: f64, expected: f64, what: &str) {
    let scale = 1.0_f64.max(expected.abs());
    assert!(
        (found - expected).abs() <= INTEGRATED * scale,
        "{what}: {found} instead of {expected}"
    );
}

#[test]
fn boundaries_powers_and_expected_sizes_agree_with_rpact() {
    let mut designs: BTreeMap<&str, Vec<(&str, usize, f64)>> = BTreeMap::new();
    for row in rows(include_str!("sequential_expected.csv")) {
        let value = (row[1], row[2].parse().unwrap(), number(row[3]));
        designs.entry(row[0]).or_default().push(value);
    }
    assert!(designs.len() >= 120, "{} designs", designs.len());
    for (id, values) in designs {
        let case = case(id);
        let found = Boundaries::of(&case.plan).unwrap();
        for (name, look, expected) in values {
            let what = format!("{id}, {name}, look {look}");
            let (kind, drift) = name.split_once(':').unwrap_or((name, "0"));
            let reached = || found.reached(number(drift), case.with_futility);
            // rpact counts both sides of a two-sided design.
            let both = if case.plan.symmetric { 2.0 } else { 1.0 };
            let value = match kind {
                "upper" => found.upper[look - 1],
                "spent" => both * found.spent[look - 1],
                "futility" => found.futility.as_ref().unwrap()[look - 1],
                "inflation" => found.inflation(case.alpha, 1.0 - case.beta),
                "power" => {
                    let reached = reached();
                    let other: f64 = reached.lower.iter().sum();
                    reached.power() + if case.plan.symmetric { other } else { 0.0 }
                }
                "expected" => reached().expected_information,
                other => panic!("{other} is not compared"),
            };
            near(value, expected, &what);
        }
    }
}
