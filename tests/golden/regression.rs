//! Regression with randomized arms against R's sandwich, clubSandwich, estimatr, AER, metafor and mice
//! (`regression.R`, which tells which quantities it had to program itself).

use super::{CLOSED_FORM, ITERATED, expected, number, rows};
use lodkast::statistics::heterogeneity::heterogeneity;
use lodkast::statistics::means;
use lodkast::statistics::missing;
use lodkast::statistics::regression::{
    self, ClusterRobust, Covariate, Draws, Form, Robust, Sample, fit, fit_clustered,
};
use lodkast::statistics::{Estimate, Question};
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct Case {
    y: Vec<Option<f64>>,
    treated: Vec<bool>,
    stratum: Vec<String>,
    cluster: Vec<String>,
    received: Vec<Option<f64>>,
    numbers: Vec<Covariate>,
    /// What was made already: a million rows are fitted once.
    made: RefCell<BTreeMap<String, Option<Estimate>>>,
}

fn optional(text: &str) -> Option<f64> {
    (!text.is_empty()).then(|| number(text))
}

fn cases() -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for row in rows(include_str!("regression_data.csv")) {
        let case = cases.entry(row[0].to_owned()).or_default();
        case.y.push(optional(row[1]));
        case.treated.push(row[2] == "1");
        case.stratum.push(row[3].to_owned());
        case.cluster.push(row[4].to_owned());
        case.received.push(optional(row[5]));
        for (j, x) in row[6..9].iter().enumerate() {
            let Some(x) = optional(x) else { continue };
            if case.numbers.len() <= j {
                case.numbers.push(Covariate {
                    name: format!("x{}", j + 1),
                    values: Vec::new(),
                });
            }
            case.numbers[j].values.push(x);
        }
    }
    cases.insert("million".into(), million());
    cases
}

fn million() -> Case {
    let n = 1_000_000_u64;
    let x1: Vec<f64> = (0..n)
        .map(|i| ((i * 7919) % 10_007) as f64 / 100.0)
        .collect();
    let x2: Vec<f64> = (0..n)
        .map(|i| ((i * 104_729) % 9973) as f64 / 1000.0)
        .collect();
    let y = |i: u64| {
        let (arm, row) = ((i % 2) as f64, i as usize);
        ((i * 31) % 101) as f64 / 10.0 + 0.3 * arm + 0.02 * x1[row] + 0.1 * x2[row] * arm
    };
    Case {
        y: (0..n).map(|i| Some(y(i))).collect(),
        treated: (0..n).map(|i| i % 2 == 1).collect(),
        stratum: (0..n).map(|i| (i % 5).to_string()).collect(),
        cluster: (0..n).map(|i| ((i % 1000) / 2).to_string()).collect(),
        received: vec![None; n as usize],
        numbers: vec![
            Covariate {
                name: "x1".into(),
                values: x1,
            },
            Covariate {
                name: "x2".into(),
                values: x2,
            },
        ],
        made: RefCell::default(),
    }
}

fn codes(names: &[String]) -> Vec<u32> {
    let levels: BTreeSet<&String> = names.iter().collect();
    let places: BTreeMap<&String, u32> = levels.into_iter().zip(0..).collect();
    names.iter().map(|name| places[name]).collect()
}

impl Case {
    fn known(&self) -> Vec<f64> {
        self.y.iter().map(|y| y.unwrap()).collect()
    }

    /// Dummies of the strata but the first, then the numbers.
    fn covariates(&self) -> Vec<Covariate> {
        let levels: BTreeSet<&String> = self.stratum.iter().collect();
        let dummy = |level: &String| Covariate {
            name: level.clone(),
            values: self
                .stratum
                .iter()
                .map(|s| f64::from(u8::from(s == level)))
                .collect(),
        };
        levels
            .into_iter()
            .skip(1)
            .map(dummy)
            .chain(self.numbers.iter().cloned())
            .collect()
    }

    fn by_stratum(&self) -> Vec<(Vec<f64>, Vec<f64>)> {
        let mut strata: BTreeMap<&String, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for (i, y) in self.known().into_iter().enumerate() {
            let stratum = strata.entry(&self.stratum[i]).or_default();
            if self.treated[i] {
                stratum.0.push(y)
            } else {
                stratum.1.push(y)
            }
        }
        strata.into_values().collect()
    }

    fn arm(&self, treated: bool) -> Vec<Option<f64>> {
        let rows = self.y.iter().zip(&self.treated);
        rows.filter(|(_, t)| **t == treated)
            .map(|(y, _)| *y)
            .collect()
    }

    fn estimate(&self, family: &str) -> Option<Estimate> {
        if let Some(made) = self.made.borrow().get(family) {
            return made.clone();
        }
        let made = self.make(family);
        self.made
            .borrow_mut()
            .insert(family.to_owned(), made.clone());
        made
    }

    fn make(&self, family: &str) -> Option<Estimate> {
        if self.y.iter().any(Option::is_none) {
            return None;
        }
        let question = Question::two_sided(0.95);
        let (y, covariates, clusters) = (self.known(), self.covariates(), codes(&self.cluster));
        let sample = Sample {
            covariates: if family == "dim_cr2" {
                &[]
            } else {
                &covariates
            },
            clusters: Some(&clusters)
                .filter(|_| family.contains("_cr"))
                .map(Vec::as_slice),
            ..Sample::new(&y, &self.treated)
        };
        // Where somebody has a covariate of their own, HC2 and HC3 are refused.
        let hc = |form, robust| fit(&sample, form, robust, &question).ok();
        let cr = |form, robust| fit_clustered(&sample, form, robust, &question).unwrap();
        let strata = codes(&self.stratum);
        let standardized =
            |draws| regression::standardized_risk_difference(&sample, draws, &question).unwrap();
        Some(match family {
            "blocked" => regression::blocked_difference(&self.by_stratum(), &question).unwrap(),
            "ancova" | "ancova_hc2" => hc(Form::Main, Robust::Hc2)?,
            "ancova_hc0" => hc(Form::Main, Robust::Hc0)?,
            "ancova_hc1" => hc(Form::Main, Robust::Hc1)?,
            "ancova_hc3" => hc(Form::Main, Robust::Hc3)?,
            "lin" | "lin_hc2" => hc(Form::Interacted, Robust::Hc2)?,
            "lin_hc0" => hc(Form::Interacted, Robust::Hc0)?,
            "lin_hc1" => hc(Form::Interacted, Robust::Hc1)?,
            "lin_hc3" => hc(Form::Interacted, Robust::Hc3)?,
            "dim_cr2" | "ancova_cr2" => cr(Form::Main, ClusterRobust::Cr2),
            "lin_cr2" => cr(Form::Interacted, ClusterRobust::Cr2),
            "ancova_cr0" => cr(Form::Main, ClusterRobust::Cr0),
            "ancova_cr1" => cr(Form::Main, ClusterRobust::Cr1),
            "std" => standardized(Draws::BalancedWithin(&strata)),
            "std_simple" => standardized(Draws::Simple),
            _ => return None,
        })
    }

    fn compliance(&self) -> regression::Compliance {
        let of = |arm: bool| -> Vec<(f64, f64)> {
            let rows = (0..self.y.len()).filter(|i| self.treated[*i] == arm);
            rows.map(|i| (self.y[i].unwrap(), self.received[i].unwrap()))
                .collect()
        };
        let question = Question::two_sided(0.95);
        regression::complier_average_effect(&of(true), &of(false), &question).unwrap()
    }

    fn bounds(&self, lee: bool) -> missing::Bounds {
        let known = |arm: bool| -> (Vec<f64>, usize) {
            let values = self.arm(arm);
            (values.iter().flatten().copied().collect(), values.len())
        };
        let (arm, reference) = (known(true), known(false));
        let (a, b) = ((&arm.0[..], arm.1), (&reference.0[..], reference.1));
        let question = Question::two_sided(0.95);
        if lee {
            return missing::lee(a, b, &question).unwrap();
        }
        let all = || arm.0.iter().chain(&reference.0).copied();
        let range = (
            all().fold(f64::INFINITY, f64::min),
            all().fold(f64::NEG_INFINITY, f64::max),
        );
        missing::manski(a, b, range, &question).unwrap()
    }

    fn interaction(&self) -> Estimate {
        let question = Question::two_sided(0.95);
        let effects: Vec<(f64, f64)> = self
            .by_stratum()
            .iter()
            .filter(|(arm, reference)| arm.len() > 1 && reference.len() > 1)
            .map(|(arm, reference)| {
                let made = means::welch(arm, reference, &question).unwrap();
                (made.estimate.unwrap(), made.standard_error.unwrap())
            })
            .collect();
        heterogeneity(&effects).unwrap()
    }

    fn balance(&self) -> Estimate {
        let (y, covariates) = (self.known(), self.covariates());
        let sample = Sample {
            covariates: &covariates,
            ..Sample::new(&y, &self.treated)
        };
        regression::balance_test(&sample).unwrap()
    }

    fn quantity(&self, quantity: &str) -> Option<f64> {
        let (family, what) = quantity.rsplit_once('_').unwrap();
        match quantity {
            "cace_estimate" => return self.compliance().estimate.estimate,
            // Leverage of the projected regressors, as estimatr has it: AER's differs.
            "cace_se_projected" => return self.compliance().estimate.standard_error,
            "cace_first_stage_f" => return Some(self.compliance().first_stage_f),
            "cace_ar_lower" => return self.compliance().anderson_rubin.map(|l| l.0),
            "cace_ar_upper" => return self.compliance().anderson_rubin.map(|l| l.1),
            "std_se_simple" => return self.estimate("std_simple")?.standard_error,
            "interaction_q" => return self.interaction().statistic.map(|s| s.value),
            "interaction_p" => return self.interaction().p_value,
            "balance_f" => return self.balance().statistic.map(|s| s.value),
            "balance_df1" => return self.balance().statistic?.df,
            "balance_df2" => return self.balance().statistic?.denominator_df,
            "balance_p" => return self.balance().p_value,
            "lee7_lower" => return self.bounds(true).by_quantile.map(|b| b.0),
            "lee7_upper" => return self.bounds(true).by_quantile.map(|b| b.1),
            "leef_lower" => return Some(self.bounds(true).lower),
            "leef_upper" => return Some(self.bounds(true).upper),
            "manski_lower" => return Some(self.bounds(false).lower),
            "manski_upper" => return Some(self.bounds(false).upper),
            _ => {}
        }
        if let Some(stem) = family.strip_suffix("_se") {
            return self.estimate(&format!("{stem}_{what}"))?.standard_error;
        }
        let made = self.estimate(family)?;
        match what {
            "estimate" => made.estimate,
            "se" => made.standard_error,
            "df" => made.statistic.unwrap().df,
            "lower" => made.limits.map(|l| l.0),
            "upper" => made.limits.map(|l| l.1),
            "p" => made.p_value,
            _ => None,
        }
    }
}

#[test]
fn regressions_agree_with_r() {
    let cases = cases();
    let (mut wrong, mut compared) = (Vec::new(), BTreeMap::new());
    for (name, quantities) in expected(include_str!("regression_expected.csv")) {
        let Some(case) = cases.get(name) else {
            continue;
        };
        for (quantity, value) in quantities {
            let Some(found) = case.quantity(quantity) else {
                continue;
            };
            let family = quantity.split('_').next().unwrap();
            // A logistic fit is iterated; limits near 0 keep the digits of their distance, not of
            // themselves.
            let tolerance = if family == "std" {
                ITERATED * 0.1
            } else {
                CLOSED_FORM
            };
            let scale = match quantity.rsplit_once('_').unwrap() {
                (family, "lower" | "upper") => case
                    .quantity(&format!("{}_estimate", family.trim_end_matches("_ar")))
                    .unwrap_or(value)
                    .abs()
                    .max(value.abs()),
                _ => value.abs(),
            };
            if (found - value).abs() > tolerance * scale.max(1e-12) {
                wrong.push(format!("{name} {quantity}: {found} instead of {value}"));
            }
            *compared.entry(family).or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let families = [
        "blocked",
        "ancova",
        "lin",
        "dim",
        "std",
        "cace",
        "interaction",
        "balance",
    ];
    for family in families {
        assert!(
            compared.get(family).is_some_and(|n| *n >= 8),
            "{family}: {compared:?}"
        );
    }
    assert!(
        compared["lee7"] + compared["leef"] + compared["manski"] == 12,
        "{compared:?}"
    );
}

#[test]
fn pooled_imputations_agree_with_mice() {
    let mut compared = 0;
    for (name, quantities) in expected(include_str!("regression_expected.csv")) {
        if !name.starts_with("rubin") {
            continue;
        }
        let of = |what: &str| {
            quantities
                .iter()
                .find(|(q, _)| *q == format!("rubin_{what}"))
                .unwrap()
                .1
        };
        let results: Vec<_> = (1..=5)
            .map(|i| (of(&format!("q{i}")), of(&format!("u{i}"))))
            .collect();
        let pooled = missing::pool(&results, of("dfcom"), &Question::two_sided(0.95)).unwrap();
        let made = pooled.estimate;
        for (found, what) in [
            (made.estimate, "estimate"),
            (made.standard_error, "se"),
            (made.statistic.unwrap().df, "df"),
            (made.limits.map(|l| l.0), "lower"),
            (made.limits.map(|l| l.1), "upper"),
        ] {
            super::close(
                found.unwrap(),
                of(what),
                CLOSED_FORM,
                &format!("{name} {what}"),
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 10);
}
