//! Limits of curves, the cohort of Amsterdam, Lee's errors, and costs against effects, against R
//! (`bounds_and_limits.R`).

use super::{CLOSED_FORM, ITERATED, close, expected, number, rows};
use lodkast::statistics::cost_effectiveness::{CostEffectiveness, cost_effectiveness};
use lodkast::statistics::missing::lee;
use lodkast::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use lodkast::statistics::survival::{
    Curve, Ended, Limits, Observation, cumulative_incidence, fine_gray, incidence_estimate,
};
use lodkast::statistics::{Alternative, Question};
use std::collections::BTreeMap;

const EXPECTED: &str = include_str!("bounds_and_limits_expected.csv");

fn question(null: f64) -> Question {
    Question {
        level: 0.95,
        null,
        alternative: Alternative::TwoSided,
    }
}

/// The cohort: times, and whether the other genotype.
fn aidssi() -> (Vec<Ended>, Vec<bool>) {
    let known = rows(include_str!("aidssi_data.csv")).filter(|row| !row[2].is_empty());
    known
        .map(|row| {
            let ended = Ended {
                time: number(row[0]),
                cause: row[1].parse().unwrap(),
            };
            (ended, row[2] == "2")
        })
        .unzip()
}

/// Estimate and error of a cause: as if it were the first.
fn of_cause(cause: u32, subdistribution: bool) -> (f64, f64) {
    let (mut ended, treated) = aidssi();
    for one in &mut ended {
        one.cause = match one.cause {
            0 => 0,
            own if own == cause => 1,
            _ => 2,
        };
    }
    let made = if subdistribution {
        fine_gray(&ended, &treated, &[], &question(1.0)).unwrap()
    } else {
        let time: Vec<f64> = ended.iter().map(|one| one.time).collect();
        let event: Vec<bool> = ended.iter().map(|one| one.cause == 1).collect();
        let follow = Follow::new(&time, &event, &treated);
        let fitted = Cox::fit(&follow, Ties::Efron).unwrap();
        fitted.estimate(Spread::Model, &question(1.0)).unwrap()
    };
    (made.estimate.unwrap().ln(), made.standard_error.unwrap())
}

#[test]
fn the_cohort_of_amsterdam_has_its_published_hazards() {
    for (quantity, value) in &expected(EXPECTED)["aidssi"] {
        let parts: Vec<&str> = quantity.split('_').collect();
        let (estimate, error) = of_cause(parts[1].parse().unwrap(), parts[0] == "fg");
        let found = if parts[2] == "se" { error } else { estimate };
        close(found, *value, ITERATED, quantity);
    }
    // Putter, Fiocco and Geskus 2007: AIDS, then the SI phenotype.
    let published = [
        (1, true, -1.004, 0.295),
        (2, true, 0.024, 0.227),
        (1, false, -1.236, 0.307),
        (2, false, -0.254, 0.238),
    ];
    for (cause, subdistribution, estimate, error) in published {
        let found = of_cause(cause, subdistribution);
        assert!((found.0 - estimate).abs() < 5e-4, "{cause} {found:?}");
        assert!((found.1 - error).abs() < 5e-4, "{cause} {found:?}");
    }
}

/// Times of an arm of a case of `hazards_data.csv`, and the time at which its curves are read.
fn arms() -> BTreeMap<(String, String), (Vec<Ended>, f64)> {
    let mut arms: BTreeMap<(String, String), (Vec<Ended>, f64)> = BTreeMap::new();
    for row in rows(include_str!("hazards_data.csv")) {
        let key = (row[0].to_owned(), row[3].to_owned());
        let arm = arms.entry(key).or_default();
        arm.0.push(Ended {
            time: number(row[1]),
            cause: row[2].parse().unwrap(),
        });
        arm.1 = number(row[8]);
    }
    arms
}

fn incidence(ended: &[Ended], cause: u32, tau: f64, what: &str) -> Option<f64> {
    let as_first: Vec<Ended> = ended
        .iter()
        .map(|one| Ended {
            time: one.time,
            cause: match one.cause {
                0 => 0,
                own if own == cause => 1,
                _ => 2,
            },
        })
        .collect();
    let points = cumulative_incidence(&as_first, &[tau]).unwrap();
    let made = incidence_estimate(&points[0], &question(0.0));
    match what {
        "" => made.estimate,
        "se" => made.standard_error,
        "lower" => made.limits.map(|limits| limits.0),
        _ => made.limits.map(|limits| limits.1),
    }
}

fn survival(ended: &[Ended], tau: f64, what: &str) -> Option<f64> {
    let observed: Vec<Observation> = ended
        .iter()
        .map(|one| Observation {
            time: one.time,
            event: one.cause == 1,
        })
        .collect();
    let curve = Curve::of(&observed, "arm").unwrap();
    let scale = if what.starts_with("log") {
        Limits::Log
    } else {
        Limits::Plain
    };
    let z = question(0.0).z();
    let made = curve.estimate_at(tau, scale, &question(0.0));
    let limits = curve.with_limits(tau, z, scale).limits;
    match what {
        "" => made.estimate,
        "se" => made.standard_error,
        _ if what.ends_with("lower") => limits.map(|limits| limits.0),
        _ => limits.map(|limits| limits.1),
    }
}

#[test]
fn limits_of_curves_agree_with_survfit() {
    let arms = arms();
    let mut compared = 0;
    for (name, quantities) in expected(EXPECTED) {
        for (quantity, value) in quantities {
            let parts: Vec<&str> = quantity.split('_').collect();
            let arm = match parts[0] {
                "cif" => parts[2],
                "km" => parts[1],
                _ => continue,
            };
            let (ended, tau) = &arms[&(name.to_owned(), arm.to_owned())];
            let what = format!("{name}, {quantity}");
            let found = if parts[0] == "cif" {
                let rest = parts.get(3).copied().unwrap_or_default();
                incidence(ended, parts[1].parse().unwrap(), *tau, rest)
            } else {
                survival(ended, *tau, &parts[2..].join("_"))
            };
            let found = found.unwrap_or_else(|| panic!("{what} is missing"));
            close(found, value, CLOSED_FORM, &what);
            compared += 1;
        }
    }
    assert!(compared >= 390, "{compared}");
}

/// Values of both arms, known ones first compared.
fn answers(name: &str) -> [(Vec<f64>, usize); 2] {
    let mut arms = [(Vec::new(), 0), (Vec::new(), 0)];
    let made = rows(include_str!("bounds_and_limits_data.csv")).filter(|row| row[0] == name);
    let made = made.map(|row| (row[1], row[2]));
    let known = rows(include_str!("regression_data.csv")).filter(|row| row[0] == name);
    let known = known.map(|row| (row[2], row[1]));
    let rows: Vec<(&str, &str)> = match name {
        "lee_star" | "lee_pbc" => known.collect(),
        _ => made.collect(),
    };
    for (arm, y) in rows {
        let arm = &mut arms[usize::from(arm == "1")];
        arm.1 += 1;
        if !y.is_empty() {
            arm.0.push(number(y));
        }
    }
    arms
}

#[test]
fn lees_bounds_have_the_errors_of_the_paper() {
    let mut compared = 0;
    for (name, quantities) in expected(EXPECTED) {
        if !name.starts_with("lee_") {
            continue;
        }
        let [reference, arm] = answers(name);
        let made = lee((&arm.0, arm.1), (&reference.0, reference.1), &question(0.0)).unwrap();
        for (quantity, value) in quantities {
            let found = match quantity {
                "lee_lower" => made.lower,
                "lee_upper" => made.upper,
                "lee_lower_se" => made.lower_error,
                _ => made.upper_error,
            };
            close(found, value, CLOSED_FORM, &format!("{name}, {quantity}"));
            compared += 1;
        }
    }
    assert_eq!(compared, 24);
}

fn costs(name: &str, lambdas: &[f64]) -> CostEffectiveness {
    let mut arms = [Vec::new(), Vec::new()];
    for row in rows(include_str!("bounds_and_limits_data.csv")).filter(|row| row[0] == name) {
        arms[usize::from(row[1] == "1")].push((number(row[3]), number(row[4])));
    }
    cost_effectiveness(&arms[1], &arms[0], lambdas, &question(0.0)).unwrap()
}

#[test]
fn costs_and_effects_agree_with_r() {
    let mut compared = 0;
    for (name, quantities) in expected(EXPECTED) {
        if !name.starts_with("ce_") {
            continue;
        }
        let of: BTreeMap<&str, f64> = quantities.into_iter().collect();
        let points = ["half", "one", "two"];
        let lambdas = points.map(|point| of[&*format!("lambda_{point}")]);
        let made = costs(name, &lambdas);
        let mut hold = |found: f64, quantity: &str| {
            // At the ratio itself the net benefit is 0 but for the rounding of its parts.
            let scale = made.cost.abs();
            let value = of[quantity];
            let near = (found - value).abs() <= CLOSED_FORM * scale.min(1.0);
            let what = format!("{name}, {quantity}");
            if !near {
                close(found, value, CLOSED_FORM, &what);
            }
            compared += 1;
        };
        hold(made.cost, "diff_cost");
        hold(made.effect, "diff_effect");
        hold(made.cost_error, "se_cost");
        hold(made.effect_error, "se_effect");
        hold(made.ratio, "icer");
        match made.limits {
            Some((lower, upper)) => {
                hold(lower, "fieller_lower");
                hold(upper, "fieller_upper");
                assert_eq!(of["fieller_kind"], 1.0, "{name}");
            }
            None => assert_ne!(of["fieller_kind"], 1.0, "{name}"),
        }
        for (point, made) in points.iter().zip(&made.curve) {
            hold(made.net_benefit, &format!("inb_{point}"));
            hold(made.standard_error, &format!("inb_{point}_se"));
            hold(made.limits.0, &format!("inb_{point}_lower"));
            hold(made.limits.1, &format!("inb_{point}_upper"));
            hold(made.acceptable, &format!("acceptability_{point}"));
        }
    }
    assert!(compared >= 6 * 20, "{compared}");
}
