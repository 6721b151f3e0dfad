//! The estimators against independent software. Each golden file names the script that made it and
//! the versions; each tolerance is relative to the larger of the two values and has its reason.

mod bounds;
mod hazards;
mod inference;
mod regression;
mod sequential;
mod weighted;

use lodkast::statistics::proportions::{self, Counts};
use lodkast::statistics::stratified::{self, Table};
use lodkast::statistics::survival::{self, Curve, Observation};
use lodkast::statistics::{Alternative, Estimate, Question, fisher, means, ratios};
use std::collections::BTreeMap;

/// Closed forms, and roots found to the last bits: nothing but rounding separates two right programs.
const CLOSED_FORM: f64 = 1e-9;

/// The rows of a golden file, without comments and header.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .skip(1)
        .map(|line| line.split(',').collect())
}

fn number(text: &str) -> f64 {
    text.parse()
        .unwrap_or_else(|_| panic!("{text} is not a number"))
}

/// The expected quantities of each case.
fn expected(text: &str) -> BTreeMap<&str, Vec<(&str, f64)>> {
    let mut cases: BTreeMap<&str, Vec<(&str, f64)>> = BTreeMap::new();
    for row in rows(text) {
        cases
            .entry(row[0])
            .or_default()
            .push((row[1], number(row[2])));
    }
    cases
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64, what: &str) {
    let scale = found.abs().max(expected.abs());
    let near = (found - expected).abs() <= tolerance * scale;
    assert!(near, "{what}: {found} instead of {expected}");
}

#[test]
fn risk_differences_agree_with_statsmodels_and_with_another_program_of_the_score() {
    let mut compared = 0;
    for row in rows(include_str!("proportions_expected.csv")) {
        let count = |i: usize| row[i].parse::<u64>().unwrap();
        let arm = Counts {
            events: count(1),
            n: count(2),
        };
        let reference = Counts {
            events: count(3),
            n: count(4),
        };
        let question = Question::two_sided(number(row[5]));
        let (lower, upper) = (number(row[6]), number(row[7]));
        let (made, tolerance) = match row[0] {
            "newcombe" => (
                proportions::newcombe(arm, reference, &question),
                CLOSED_FORM,
            ),
            "wald" => (proportions::wald(arm, reference, &question), CLOSED_FORM),
            "agresti_caffo" => (
                proportions::agresti_caffo(arm, reference, &question),
                CLOSED_FORM,
            ),
            "miettinen_nurminen" => (
                proportions::miettinen_nurminen(arm, reference, &question),
                CLOSED_FORM,
            ),
            other => panic!("no estimator {other}"),
        };
        if row[0] == "wald" && lower == upper {
            assert!(made.is_err(), "{row:?}: no variation must be told");
            continue;
        }
        let limits = made.unwrap().limits.unwrap();
        close(limits.0, lower, tolerance, &format!("{row:?} lower"));
        close(limits.1, upper, tolerance, &format!("{row:?} upper"));
        compared += 1;
    }
    assert!(compared > 150, "{compared} comparisons");
}

/// statsmodels finds the limits as roots to 1e-9 or so of their own size; asked is 1e-7, as of every
/// iterated value.
const ITERATED: f64 = 1e-7;

#[test]
fn score_limits_of_ratios_agree_with_statsmodels() {
    let mut compared = 0;
    for row in rows(include_str!("ratios_expected.csv")) {
        let count = |i: usize| row[i].parse::<u64>().unwrap();
        let counts = |events, n| Counts { events, n };
        let (arm, reference) = (counts(count(1), count(2)), counts(count(3), count(4)));
        let question = Question::two_sided(number(row[5]));
        let made = match row[0] {
            "ratio" => ratios::risk_ratio_score(arm, reference, &question),
            "odds-ratio" => ratios::odds_ratio_score(arm, reference, &question),
            other => panic!("no measure {other}"),
        };
        let limits = made.unwrap().limits.unwrap();
        close(
            limits.0,
            number(row[6]),
            ITERATED,
            &format!("{row:?} lower"),
        );
        close(
            limits.1,
            number(row[7]),
            ITERATED,
            &format!("{row:?} upper"),
        );
        compared += 1;
    }
    assert!(compared >= 70, "{compared} limits compared");
}

#[test]
fn fishers_exact_test_agrees_with_scipy() {
    let mut compared = 0;
    for row in rows(include_str!("fisher_expected.csv")) {
        let count = |i: usize| row[i].parse::<u64>().unwrap();
        let counts = |events, n| Counts { events, n };
        let (arm, reference) = (counts(count(0), count(1)), counts(count(2), count(3)));
        let made = |alternative| {
            let question = Question {
                null: 1.0,
                alternative,
                level: number(row[4]),
            };
            fisher::exact(arm, reference, &question).unwrap()
        };
        let two_sided = made(Alternative::TwoSided);
        for (found, expected, tolerance) in [
            (two_sided.p_value, row[5], CLOSED_FORM),
            (made(Alternative::Greater).p_value, row[6], CLOSED_FORM),
            (made(Alternative::Less).p_value, row[7], CLOSED_FORM),
            (two_sided.estimate, row[8], ITERATED),
            (two_sided.limits.map(|limits| limits.0), row[9], ITERATED),
            (two_sided.limits.map(|limits| limits.1), row[10], ITERATED),
        ] {
            close(
                found.unwrap(),
                number(expected),
                tolerance,
                &format!("{row:?} {expected}"),
            );
            compared += 1;
        }
    }
    assert!(compared >= 100, "{compared} values compared");
}

fn welch_data() -> BTreeMap<String, (Vec<f64>, Vec<f64>)> {
    let mut cases: BTreeMap<String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for row in rows(include_str!("means_data.csv")) {
        let case = cases.entry(row[0].to_owned()).or_default();
        if row[1] == "1" {
            case.0.push(number(row[2]))
        } else {
            case.1.push(number(row[2]))
        }
    }
    let million = cases.entry("million".into()).or_default();
    for i in 0..1_000_000_u64 {
        let value = ((i * 7919) % 10_007) as f64 / 100.0;
        if i % 2 == 1 {
            million.0.push(value + 0.05)
        } else {
            million.1.push(value)
        }
    }
    cases
}

#[test]
fn the_difference_in_means_agrees_with_r() {
    let data = welch_data();
    for (name, quantities) in expected(include_str!("means_expected.csv")) {
        let (arm, reference) = &data[name];
        let made = means::welch(arm, reference, &Question::two_sided(0.95)).unwrap();
        let shifted = Question {
            null: 0.5,
            alternative: Alternative::Greater,
            level: 0.95,
        };
        let greater = means::welch(arm, reference, &shifted).unwrap();
        let statistic = made.statistic.unwrap();
        for (quantity, value) in quantities {
            let found = match quantity {
                "estimate" => made.estimate.unwrap(),
                "standard_error" => made.standard_error.unwrap(),
                "df" => statistic.df.unwrap(),
                "t" => statistic.value,
                "p" => made.p_value.unwrap(),
                "lower" => made.limits.unwrap().0,
                "upper" => made.limits.unwrap().1,
                "p_greater" => greater.p_value.unwrap(),
                other => panic!("no quantity {other}"),
            };
            close(found, value, CLOSED_FORM, &format!("{name} {quantity}"));
        }
    }
}

#[test]
fn stratified_estimates_agree_with_metafor_and_r() {
    let mut tables: BTreeMap<&str, Vec<Table>> = BTreeMap::new();
    for row in rows(include_str!("tables_data.csv")) {
        let count = |i: usize| row[i].parse::<u64>().unwrap();
        let arm = Counts {
            events: count(1),
            n: count(2),
        };
        let reference = Counts {
            events: count(3),
            n: count(4),
        };
        tables
            .entry(row[0])
            .or_default()
            .push(Table { arm, reference });
    }
    let mut tests = 0;
    let mut ratios_compared = 0;
    for (name, quantities) in expected(include_str!("tables_expected.csv")) {
        let mh = stratified::mantel_haenszel(&tables[name], &Question::two_sided(0.95)).unwrap();
        let test = stratified::cochran_mantel_haenszel(&tables[name]).unwrap();
        let against_one = Question {
            null: 1.0,
            ..Question::two_sided(0.95)
        };
        let first = &tables[name][0];
        for (quantity, value) in quantities {
            let ratio = |kind: &str| match kind {
                "rr" => stratified::mantel_haenszel_risk_ratio(&tables[name], &against_one),
                "or" => stratified::mantel_haenszel_odds_ratio(&tables[name], &against_one),
                "first_rr" => ratios::katz(first.arm, first.reference, &against_one),
                "first_or" => ratios::woolf(first.arm, first.reference, &against_one),
                other => panic!("no ratio {other}"),
            };
            if let Some((kind, part)) = quantity.rsplit_once('_')
                && kind.ends_with("rr") | kind.ends_with("or")
            {
                let made = ratio(kind).unwrap();
                let found = match part {
                    "log" => made.estimate.unwrap().ln(),
                    "se" => made.standard_error.unwrap(),
                    "lower" => made.limits.unwrap().0,
                    "upper" => made.limits.unwrap().1,
                    other => panic!("no quantity {other}"),
                };
                close(found, value, CLOSED_FORM, &format!("{name} {quantity}"));
                ratios_compared += 1;
                continue;
            }
            let common = || stratified::breslow_day_tarone(&tables[name]).unwrap();
            let found = match quantity {
                "tarone" => common().statistic.unwrap().value,
                "tarone_p" => common().p_value.unwrap(),
                "estimate" => mh.estimate.unwrap(),
                "standard_error" => mh.standard_error.unwrap(),
                "lower" => mh.limits.unwrap().0,
                "upper" => mh.limits.unwrap().1,
                "z" => mh.statistic.unwrap().value,
                "p" => mh.p_value.unwrap(),
                "chi_square" => test.statistic.unwrap().value,
                "chi_square_p" => test.p_value.unwrap(),
                other => panic!("no quantity {other}"),
            };
            tests += usize::from(quantity == "chi_square");
            close(found, value, CLOSED_FORM, &format!("{name} {quantity}"));
        }
    }
    assert!(tests >= 5, "{tests} tests compared");
    assert!(ratios_compared >= 40, "{ratios_compared} ratios compared");
}

/// A participant of a golden data set.
struct Row {
    observation: Observation,
    arm: usize,
    stratum: String,
}

fn survival_data() -> BTreeMap<String, (f64, Vec<Row>)> {
    let mut cases: BTreeMap<String, (f64, Vec<Row>)> = BTreeMap::new();
    for row in rows(include_str!("survival_data.csv")) {
        let case = cases
            .entry(row[0].to_owned())
            .or_insert((number(row[5]), Vec::new()));
        case.1.push(Row {
            observation: Observation {
                time: number(row[1]),
                event: row[2] == "1",
            },
            arm: row[3].parse().unwrap(),
            stratum: row[4].to_owned(),
        });
    }
    let million = (0..1_000_000_u64).map(|i| Row {
        observation: Observation {
            time: ((i * 7919) % (521 + 20 * (i % 2))) as f64 / 7.0 + 1.0 / 7.0,
            event: (i * 31) % 10 < 6,
        },
        arm: (i % 2) as usize,
        stratum: (i % 5).to_string(),
    });
    cases.insert("million".into(), (52.0, million.collect()));
    cases
}

#[test]
fn survival_estimates_agree_with_r() {
    let data = survival_data();
    let mut compared = 0;
    for (name, quantities) in expected(include_str!("survival_expected.csv")) {
        let (tau, rows) = &data[name];
        let arms: Vec<Vec<Observation>> = (0..2)
            .map(|arm| {
                rows.iter()
                    .filter(|r| r.arm == arm)
                    .map(|r| r.observation)
                    .collect()
            })
            .collect();
        let mut strata: BTreeMap<&str, (Vec<Observation>, Vec<Observation>)> = BTreeMap::new();
        for row in rows {
            let stratum = strata.entry(&row.stratum).or_default();
            if row.arm == 1 {
                stratum.0.push(row.observation)
            } else {
                stratum.1.push(row.observation)
            }
        }
        let strata: Vec<_> = strata.into_values().collect();
        let question = Question::two_sided(0.95);
        let chi_square = |made: Estimate| made.statistic.unwrap().value;
        for (quantity, value) in quantities {
            let (stem, arm) = match quantity.rsplit_once('_') {
                Some((stem, arm @ ("0" | "1"))) => (stem, arm.parse::<usize>().unwrap()),
                _ => (quantity, 0),
            };
            let curve = || Curve::of(&arms[arm], "x").unwrap();
            let point = || curve().at(tau / 2.0, question.z());
            let mean = || survival::restricted_mean(&arms[arm], *tau, &question);
            let found = match stem {
                "log_rank" => chi_square(survival::log_rank(&arms[1], &arms[0]).unwrap()),
                "log_rank_stratified" => {
                    chi_square(survival::log_rank_stratified(&strata).unwrap())
                }
                "rmst" => match mean() {
                    Ok(made) => made.estimate.unwrap(),
                    // R extends a curve that ends early, and reports an error of 0 without events:
                    // here both are named instead.
                    Err(_) => continue,
                },
                "rmst_se" => match mean() {
                    Ok(made) => made.standard_error.unwrap(),
                    Err(_) => continue,
                },
                "median" => curve().median().unwrap(),
                "survival" => point().survival,
                "survival_se" => point().standard_error,
                "survival_lower" => point().limits.unwrap().0,
                "survival_upper" => point().limits.unwrap().1,
                other => panic!("no quantity {other}"),
            };
            close(found, value, CLOSED_FORM, &format!("{name} {quantity}"));
            compared += 1;
        }
    }
    assert!(compared > 110, "{compared} comparisons");
}

/// The example of R's survRM2: primary biliary cholangitis, restricted means to 10 years.
#[test]
fn the_restricted_means_of_pbc_are_those_that_survrm2_prints() {
    let (tau, rows) = &survival_data()["pbc"];
    let of = |arm| -> Vec<Observation> {
        rows.iter()
            .filter(|row| row.arm == arm)
            .map(|row| row.observation)
            .collect()
    };
    let made = survival::rmst_difference(&of(1), &of(0), *tau, &Question::two_sided(0.95)).unwrap();
    let (lower, upper) = made.limits.unwrap();
    for (found, printed) in [
        (made.estimate.unwrap(), -0.137),
        (lower, -0.939),
        (upper, 0.665),
    ] {
        assert!(
            (found - printed).abs() < 0.5e-3,
            "{found}, printed {printed}"
        );
    }
}
