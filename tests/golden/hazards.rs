//! Regression of times and counts against R's survival, cmprsk, MASS and sandwich (`hazards.R`).

use super::{ITERATED, close, expected, number, rows};
use lodkast::statistics::counts::{self, Counted};
use lodkast::statistics::regression::{Covariate, Form, Robust, Sample, fit};
use lodkast::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use lodkast::statistics::survival::{self, Ended, Observation, Weights};
use lodkast::statistics::{Alternative, Estimate, Question};
use std::collections::BTreeMap;

const RATIO: Question = Question {
    level: 0.95,
    null: 1.0,
    alternative: Alternative::TwoSided,
};

/// The rows of one case.
#[derive(Default)]
struct Case {
    time: Vec<f64>,
    cause: Vec<u32>,
    treated: Vec<bool>,
    stratum: Vec<String>,
    cluster: Vec<Option<u32>>,
    covariates: Vec<Covariate>,
    tau: f64,
}

fn optional(text: &str) -> Option<f64> {
    (!text.is_empty()).then(|| number(text))
}

fn cases() -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for row in rows(include_str!("hazards_data.csv")) {
        let case = cases.entry(row[0].to_owned()).or_default();
        case.time.push(number(row[1]));
        case.cause.push(row[2].parse().unwrap());
        case.treated.push(row[3] == "1");
        case.stratum.push(row[4].to_owned());
        case.cluster.push(row[5].parse().ok());
        for (j, x) in [row[6], row[7]].into_iter().enumerate() {
            let Some(x) = optional(x) else { continue };
            if case.covariates.len() <= j {
                case.covariates.push(Covariate {
                    name: format!("x{}", j + 1),
                    values: Vec::new(),
                });
            }
            case.covariates[j].values.push(x);
        }
        case.tau = number(row[8]);
    }
    cases.insert("million".into(), million());
    cases
}

fn million() -> Case {
    let n = 1_000_000_u64;
    let share = |factor: u64, modulus: u64| {
        (0..n)
            .map(|i| (i * factor % modulus) as f64 / modulus as f64)
            .collect()
    };
    Case {
        time: (0..n)
            .map(|i| ((i * 7919) % (521 + 20 * (i % 2))) as f64 / 7.0 + 1.0 / 7.0)
            .collect(),
        cause: (0..n).map(|i| u32::from((i * 31) % 10 < 6)).collect(),
        treated: (0..n).map(|i| i % 2 == 1).collect(),
        stratum: (0..n).map(|i| (i % 5).to_string()).collect(),
        cluster: vec![None; n as usize],
        covariates: vec![
            Covariate {
                name: "x1".into(),
                values: share(7919, 10_007),
            },
            Covariate {
                name: "x2".into(),
                values: share(104_729, 9973),
            },
        ],
        tau: 52.0,
    }
}

impl Case {
    fn fit(&self, ties: Ties, covariates: bool, strata: bool, clusters: bool) -> Cox {
        let event: Vec<bool> = self.cause.iter().map(|cause| *cause == 1).collect();
        let strata = strata.then(|| self.strata());
        let clusters: Option<Vec<u32>> =
            clusters.then(|| self.cluster.iter().map(|c| c.unwrap()).collect());
        let follow = Follow {
            covariates: if covariates { &self.covariates } else { &[] },
            strata: strata.as_deref(),
            clusters: clusters.as_deref(),
            ..Follow::new(&self.time, &event, &self.treated)
        };
        Cox::fit(&follow, ties).unwrap()
    }

    fn strata(&self) -> Vec<u32> {
        let names: std::collections::BTreeSet<&String> = self.stratum.iter().collect();
        let place = |name: &String| names.iter().position(|other| *other == name).unwrap() as u32;
        self.stratum.iter().map(place).collect()
    }

    fn ended(&self, of: Option<bool>) -> Vec<Ended> {
        let all = self.time.iter().zip(&self.cause).zip(&self.treated);
        all.filter(|(_, treated)| of.is_none_or(|of| **treated == of))
            .map(|((time, cause), _)| Ended {
                time: *time,
                cause: *cause,
            })
            .collect()
    }

    fn observed(&self, of: Option<bool>) -> Vec<Observation> {
        let seen = |e: Ended| Observation {
            time: e.time,
            event: e.cause == 1,
        };
        self.ended(of).into_iter().map(seen).collect()
    }

    fn adjusted_mean(&self) -> Estimate {
        let values = survival::pseudo_values(&self.observed(None), self.tau).unwrap();
        let sample = Sample {
            covariates: &self.covariates,
            ..Sample::new(&values, &self.treated)
        };
        fit(&sample, Form::Main, Robust::Hc2, &Question::two_sided(0.95)).unwrap()
    }

    fn by_stratum(&self) -> Vec<(Vec<Ended>, Vec<Ended>)> {
        let mut strata: BTreeMap<&String, (Vec<Ended>, Vec<Ended>)> = BTreeMap::new();
        for (i, ended) in self.ended(None).into_iter().enumerate() {
            let stratum = strata.entry(&self.stratum[i]).or_default();
            if self.treated[i] {
                stratum.0.push(ended)
            } else {
                stratum.1.push(ended)
            }
        }
        strata.into_values().collect()
    }

    /// The quantity by the name that the script gives it; none where it means another convention.
    fn quantity(&self, million: bool, quantity: &str) -> Option<f64> {
        let covariates = |prefix: &str| prefix != "cox" || million;
        if let Some((prefix, what)) = quantity.split_once('_')
            && ["cox", "coxx", "coxb", "coxe", "coxs"].contains(&prefix)
        {
            let ties = match prefix {
                "coxb" => Ties::Breslow,
                "coxe" => Ties::Exact,
                _ => Ties::Efron,
            };
            // Without an event in an arm only the score at no effect exists.
            if ["one_event", "two_participants"].contains(&self.name_of()) && what == "score" {
                return None;
            }
            let clusters = what == "se_cluster";
            let cox = self.fit(ties, covariates(prefix), prefix == "coxs", clusters);
            let interval = || cox.estimate(Spread::Model, &RATIO).unwrap().limits.unwrap();
            return Some(match what {
                "estimate" => cox.log_ratio(),
                "se" => cox.variance(Spread::Model).sqrt(),
                "se_robust" | "se_cluster" => cox.variance(Spread::Robust).sqrt(),
                "wald" => cox.wald,
                "score" => cox.score,
                "lrt" => cox.likelihood_ratio,
                "lower" => interval().0.ln(),
                "upper" => interval().1.ln(),
                other => panic!("no quantity {other}"),
            });
        }
        let tau = self.tau;
        let proportional = |covariates| {
            self.fit(Ties::Efron, covariates, false, false)
                .proportionality()
                .unwrap()
        };
        let weighted = |rho: f64, gamma: f64| {
            let weights = Weights { rho, gamma };
            let (arm, reference) = (self.observed(Some(true)), self.observed(Some(false)));
            let made = survival::fleming_harrington(&arm, &reference, weights).unwrap();
            made.statistic.unwrap().value
        };
        let ratio = || {
            let (arm, reference) = (self.observed(Some(true)), self.observed(Some(false)));
            survival::rmst_ratio(&arm, &reference, tau, &RATIO)
        };
        let incidence =
            |arm: bool| survival::cumulative_incidence(&self.ended(Some(arm)), &[tau]).unwrap()[0];
        let subdistribution = |covariates: bool| {
            let covariates = if covariates {
                &self.covariates[..]
            } else {
                &[]
            };
            survival::fine_gray(&self.ended(None), &self.treated, covariates, &RATIO).unwrap()
        };
        let gray = |strata: &[_]| {
            survival::gray_test(strata)
                .unwrap()
                .statistic
                .unwrap()
                .value
        };
        Some(match quantity {
            "zph_chisq" => proportional(false).0.chi_square,
            "zph_p" => proportional(false).0.p_value,
            "zphx_chisq" => proportional(true).0.chi_square,
            "zphx_global" => proportional(true).1.chi_square,
            "fh_1_0" => weighted(1.0, 0.0),
            "fh_0_1" => weighted(0.0, 1.0),
            "fh_1_1" => weighted(1.0, 1.0),
            "fh_0_0.5" => weighted(0.0, 0.5),
            // R lets a curve go on beyond its end; here that is an error.
            "rmst_ratio" => ratio().ok()?.estimate.unwrap().ln(),
            "rmst_ratio_log_se" => ratio().ok()?.standard_error.unwrap(),
            "rmst_adj_estimate" => self.adjusted_mean().estimate.unwrap(),
            "rmst_adj_se" => self.adjusted_mean().standard_error.unwrap(),
            "cif_1_0" => incidence(false).incidence,
            "cif_1_1" => incidence(true).incidence,
            "cif_se_1_0" => incidence(false).standard_error,
            "cif_se_1_1" => incidence(true).standard_error,
            "gray_chisq" => gray(&[(self.ended(Some(true)), self.ended(Some(false)))]),
            "gray_strat_chisq" => gray(&self.by_stratum()),
            "fg_estimate" => subdistribution(false).estimate.unwrap().ln(),
            "fg_se" => subdistribution(false).standard_error.unwrap(),
            "fgx_estimate" => subdistribution(true).estimate.unwrap().ln(),
            "fgx_se" => subdistribution(true).standard_error.unwrap(),
            _ => return None,
        })
    }

    fn name_of(&self) -> &'static str {
        match (
            self.time.len(),
            self.cause.iter().filter(|c| **c == 1).count(),
        ) {
            (2, _) => "two_participants",
            (_, 1) => "one_event",
            _ => "",
        }
    }
}

#[test]
fn times_to_events_agree_with_r() {
    let cases = cases();
    let mut compared = BTreeMap::new();
    let mut wrong = Vec::new();
    for (name, quantities) in expected(include_str!("hazards_expected.csv")) {
        let Some(case) = cases.get(name) else {
            continue;
        };
        for (quantity, value) in quantities {
            let Some(found) = case.quantity(name == "million", quantity) else {
                continue;
            };
            // Ratios near 1 keep their digits on the scale of 1.
            let scale = found
                .abs()
                .max(value.abs())
                .max(if quantity == "rmst_ratio" { 1e-3 } else { 0.0 });
            if (found - value).abs() > ITERATED * scale {
                wrong.push(format!("{name} {quantity}: {found} instead of {value}"));
            }
            *compared
                .entry(quantity.split('_').next().unwrap())
                .or_insert(0) += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for family in [
        "cox", "coxx", "coxb", "coxe", "coxs", "zph", "fh", "rmst", "cif", "gray", "fg", "fgx",
    ] {
        assert!(
            compared.get(family).is_some_and(|n| *n >= 8),
            "{family}: {compared:?}"
        );
    }
}

#[test]
fn recurrent_events_agree_with_r() {
    let mut cases: BTreeMap<&str, Vec<Vec<&str>>> = BTreeMap::new();
    for row in rows(include_str!("recurrent_data.csv")) {
        cases.entry(row[0]).or_default().push(row);
    }
    let expected = expected(include_str!("hazards_expected.csv"));
    for (name, rows) in &cases {
        let column = |i: usize| -> Vec<f64> { rows.iter().map(|row| number(row[i])).collect() };
        let (start, stop) = (column(2), column(3));
        let flag = |i: usize| -> Vec<bool> { rows.iter().map(|row| row[i] == "1").collect() };
        let ids: Vec<u32> = rows.iter().map(|row| row[1].parse().unwrap()).collect();
        let (event, treated) = (flag(4), flag(5));
        let follow = Follow {
            entry: Some(&start),
            clusters: Some(&ids),
            ..Follow::new(&stop, &event, &treated)
        };
        let mut compared = 0;
        for (quantity, value) in &expected[name] {
            let (prefix, what) = quantity.split_once('_').unwrap();
            let ties = match prefix {
                "lwyy" => Ties::Efron,
                "lwyyb" => Ties::Breslow,
                _ => continue,
            };
            let cox = Cox::fit(&follow, ties).unwrap();
            let found = match what {
                "estimate" => cox.log_ratio(),
                _ => cox.variance(Spread::Robust).sqrt(),
            };
            close(found, *value, ITERATED, &format!("{name} {quantity}"));
            compared += 1;
        }
        assert_eq!(compared, 4, "{name}");
    }
}

#[test]
fn counts_agree_with_r() {
    #[derive(Default)]
    struct Counts {
        counted: Vec<Counted>,
        treated: Vec<bool>,
        covariates: Vec<Covariate>,
    }
    let mut cases: BTreeMap<&str, Counts> = BTreeMap::new();
    for row in rows(include_str!("counts_data.csv")) {
        let case = cases.entry(row[0]).or_default();
        case.treated.push(row[2] == "1");
        case.counted.push(Counted {
            events: number(row[1]),
            exposure: number(row[3]),
        });
        for (j, x) in row[4..].iter().filter_map(|x| optional(x)).enumerate() {
            if case.covariates.len() <= j {
                case.covariates.push(Covariate {
                    name: format!("x{}", j + 1),
                    values: Vec::new(),
                });
            }
            case.covariates[j].values.push(x);
        }
    }
    let mut compared = 0;
    for (name, quantities) in expected(include_str!("hazards_expected.csv")) {
        let Some(case) = cases.get(name) else {
            continue;
        };
        let exposure = case.counted[0].exposure;
        let equal = case.counted.iter().all(|c| c.exposure == exposure);
        let plain = |arm: bool| -> Vec<f64> {
            let rows = case.counted.iter().zip(&case.treated);
            rows.filter(|(_, t)| **t == arm)
                .map(|(c, _)| c.events)
                .collect()
        };
        for (quantity, value) in quantities {
            let binomial = || {
                counts::negative_binomial(&case.counted, &case.treated, &case.covariates, &RATIO)
                    .unwrap()
            };
            let robust = || counts::lwyy(&plain(true), &plain(false), &RATIO).unwrap();
            let found = match quantity {
                "nb_estimate" => binomial().estimate.estimate.unwrap().ln(),
                "nb_se" => binomial().estimate.standard_error.unwrap(),
                "nb_theta" => binomial().theta,
                "nb_theta_se" => binomial().theta_error,
                "nb_lower" => binomial().estimate.limits.unwrap().0.ln(),
                "nb_upper" => binomial().estimate.limits.unwrap().1.ln(),
                "pois_robust_estimate" if equal && case.covariates.is_empty() => {
                    robust().estimate.unwrap().ln()
                }
                "pois_robust_se" if equal && case.covariates.is_empty() => {
                    robust().standard_error.unwrap()
                }
                _ => continue,
            };
            close(found, value, ITERATED, &format!("{name} {quantity}"));
            compared += 1;
        }
        if name == "quine_full" {
            // MASS prints theta 1.274893 for the main effects of the quine data.
            let theta =
                counts::negative_binomial(&case.counted, &case.treated, &case.covariates, &RATIO)
                    .unwrap()
                    .theta;
            assert!((theta - 1.274893).abs() < 0.5e-6, "{theta}");
        }
    }
    assert!(compared >= 36, "{compared} values compared");
}
