//! Weighted means, regressions and hazards against R's sandwich and survival (`weighted.R`).

use super::{CLOSED_FORM, ITERATED, close, expected, number, rows};
use lodkast::statistics::regression::{Covariate, Form, Robust, Sample, fit};
use lodkast::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use lodkast::statistics::weights::Weighed;
use lodkast::statistics::{Alternative, Question};
use std::collections::{BTreeMap, BTreeSet};

/// The rows of one case; a column that a case lacks is empty.
#[derive(Default)]
struct Case {
    y: Vec<f64>,
    treated: Vec<bool>,
    stratum: Vec<String>,
    weight: Vec<f64>,
    x: [Vec<f64>; 2],
    time: Vec<f64>,
    event: Vec<bool>,
}

fn cases() -> BTreeMap<String, Case> {
    let mut cases: BTreeMap<String, Case> = BTreeMap::new();
    for row in rows(include_str!("weighted_data.csv")) {
        let case = cases.entry(row[0].to_owned()).or_default();
        let known = |text: &str| (!text.is_empty()).then(|| number(text));
        case.y.extend(known(row[1]));
        case.treated.push(row[2] == "1");
        case.stratum.push(row[3].to_owned());
        case.weight.push(number(row[4]));
        case.x[0].extend(known(row[5]));
        case.x[1].extend(known(row[6]));
        case.time.extend(known(row[7]));
        case.event.extend(known(row[8]).map(|event| event == 1.0));
    }
    cases.insert("million".into(), million());
    cases
}

/// The case that `weighted.R` makes by the same formulas.
fn million() -> Case {
    let mut case = Case::default();
    for i in 0..1_000_000_u64 {
        let (arm, x) = ((i % 2) as f64, (i * 104_729 % 9973) as f64 / 1000.0);
        case.treated.push(i % 2 == 1);
        case.stratum.push((i % 5).to_string());
        case.weight.push(1.0 + (i * 7919 % 1009) as f64 / 100.0);
        case.x[0].push(x);
        case.y
            .push((i * 31 % 101) as f64 / 10.0 + 0.3 * arm + 0.2 * x + 0.1 * x * arm);
        case.time
            .push((i * 7919 % (521 + 20 * (i % 2))) as f64 / 7.0 + 1.0 / 7.0);
        case.event.push(i * 31 % 10 < 6);
    }
    case
}

impl Case {
    /// Dummies of the strata, a column for each but the first, and the numbers.
    fn covariates(&self) -> Vec<Covariate> {
        let levels: BTreeSet<&String> = self.stratum.iter().collect();
        let dummies = levels.into_iter().skip(1).map(|level| Covariate {
            name: level.clone(),
            values: self
                .stratum
                .iter()
                .map(|own| f64::from(u8::from(own == level)))
                .collect(),
        });
        let numbers = self.x.iter().filter(|x| !x.is_empty()).map(|x| Covariate {
            name: "x".into(),
            values: x.clone(),
        });
        dummies.chain(numbers).collect()
    }

    fn hazard(&self, ties: Ties) -> (f64, f64) {
        let follow = Follow {
            weights: Some(&self.weight),
            ..Follow::new(&self.time, &self.event, &self.treated)
        };
        let fitted = Cox::fit(&follow, ties).unwrap();
        (fitted.log_ratio(), fitted.variance(Spread::Robust).sqrt())
    }

    fn weighed(&self, arm: bool) -> Weighed {
        let own = self.treated.iter().zip(&self.weight);
        let own: Vec<f64> = own
            .filter(|(treated, _)| **treated == arm)
            .map(|(_, weight)| *weight)
            .collect();
        Weighed::of(&own).unwrap()
    }
}

#[test]
fn weighted_estimators_agree_with_r() {
    let cases = cases();
    let mut compared = 0;
    for (name, quantities) in expected(include_str!("weighted_expected.csv")) {
        let case = &cases[name];
        let covariates = case.covariates();
        for (quantity, value) in quantities {
            let what = format!("{name}, {quantity}");
            let (family, rest) = quantity.split_once('_').unwrap();
            let (found, tolerance) = match family {
                "cox" => {
                    let (ties, of) = rest.split_once('_').unwrap();
                    let (estimate, error) = case.hazard(Ties::parse(ties).unwrap());
                    let found = if of == "estimate" { estimate } else { error };
                    (found, ITERATED)
                }
                "effective" => (case.weighed(rest == "n_arm").effective_n, CLOSED_FORM),
                "largest" => (case.weighed(rest == "share_arm").largest_share, CLOSED_FORM),
                _ => {
                    let form = match family {
                        "lin" => Form::Interacted,
                        _ => Form::Main,
                    };
                    let sample = Sample {
                        covariates: if family == "diff" { &[] } else { &covariates },
                        weights: Some(&case.weight),
                        ..Sample::new(&case.y, &case.treated)
                    };
                    let kind = rest.strip_prefix("se_").unwrap_or("hc1");
                    let robust = Robust::parse(kind).unwrap();
                    let made = fit(&sample, form, robust, &Question::two_sided(0.95));
                    let made = made.unwrap_or_else(|fault| panic!("{what}: {fault}"));
                    let found = match rest {
                        "estimate" => made.estimate,
                        "df" => made.statistic.unwrap().df,
                        _ => made.standard_error,
                    };
                    (found.unwrap(), CLOSED_FORM)
                }
            };
            close(found, value, tolerance, &what);
            compared += 1;
        }
    }
    assert!(compared >= 380, "{compared}");
}

/// What R leaves out as singular or without an end is refused by name.
#[test]
fn weighted_fits_that_have_no_answer_are_refused() {
    let cases = cases();
    let question = Question {
        level: 0.95,
        null: 1.0,
        alternative: Alternative::TwoSided,
    };
    let collinear = &cases["collinear"];
    let sample = Sample {
        covariates: &collinear.covariates(),
        weights: Some(&collinear.weight),
        ..Sample::new(&collinear.y, &collinear.treated)
    };
    let fault = fit(&sample, Form::Main, Robust::Hc2, &question).unwrap_err();
    assert!(
        fault.to_string().contains("cannot be told apart"),
        "{fault}"
    );
    let one = &cases["one_event"];
    let weights = vec![f64::NAN; one.time.len()];
    let mut follow = Follow {
        weights: Some(&one.weight),
        ..Follow::new(&one.time, &one.event, &one.treated)
    };
    let fault = Cox::fit(&follow, Ties::Efron).unwrap_err();
    assert!(fault.to_string().contains("no maximum"), "{fault}");
    let fault = Cox::fit(&follow, Ties::Exact).unwrap_err();
    assert!(fault.to_string().contains("takes no weights"), "{fault}");
    follow.weights = Some(&weights);
    let fault = Cox::fit(&follow, Ties::Efron).unwrap_err();
    assert!(fault.to_string().contains("above 0"), "{fault}");
}
