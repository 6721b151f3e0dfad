//! More of what no scenario has: weights, clusters with covariates and times, curves, weak instruments, costs,
//! tests of heterogeneity and balance.

use crate::Claimed;
use crate::direct::{Line, holds, share};
use lodkast::analysis::{Dataset, Settings, Values};
use lodkast::protocol::Protocol;
use lodkast::randomization::{Redraw, Seed, StratumLabel};
use lodkast::statistics::cost_effectiveness::cost_effectiveness;
use lodkast::statistics::heterogeneity::heterogeneity;
use lodkast::statistics::means::welch;
use lodkast::statistics::proportions::Counts;
use lodkast::statistics::random::Random;
use lodkast::statistics::regression::{
    ClusterRobust, Covariate, Form, Robust, Sample, balance_test, complier_average_effect, fit,
    fit_clustered,
};
use lodkast::statistics::stratified::{Table, breslow_day_tarone};
use lodkast::statistics::survival::cox::{Cox, Follow, Spread, Ties};
use lodkast::statistics::survival::{
    Curve, Ended, Limits, Observation, cumulative_incidence, incidence_estimate,
};
use lodkast::statistics::{Fault, Question};

const EFFECT: f64 = 0.5;
const LEVEL: f64 = 0.95;

fn plain() -> Question {
    Question::two_sided(LEVEL)
}

fn of_ratio() -> Question {
    Question {
        null: 1.0,
        ..plain()
    }
}

pub fn claims(trials: u32) -> Vec<Line> {
    let near = Claimed::Near(0.95, 0.006);
    let wider = Claimed::Near(0.95, 0.012);
    let errs = Claimed::Near(0.05, 0.006);
    let clusters = "24 unequal clusters, drawn as wholes";
    vec![
        (
            "`difference_in_means_weighted` covers",
            "answers by a covariate, weighed by their inverse chance, n = 400",
            near,
            share(trials, |random| weighted_mean(random, false)),
        ),
        (
            "`lin_weighted` covers",
            "answers by a covariate, weighed by their inverse chance, n = 400",
            near,
            share(trials, |random| weighted_mean(random, true)),
        ),
        (
            "`cox_weighted` covers",
            "weights from 0.5 to 2, n = 400",
            near,
            share(trials, weighted_hazard),
        ),
        (
            "`ancova_clustered` covers",
            clusters,
            wider,
            share(trials, |random| clustered(random, Form::Main)),
        ),
        (
            "`lin_clustered` covers",
            clusters,
            wider,
            share(trials, |random| clustered(random, Form::Interacted)),
        ),
        (
            "`cox_clustered` covers",
            "60 clusters of 8, drawn as wholes, a gamma rate each",
            // Robust errors count on many clusters: with 60 they are a little small.
            Claimed::Near(0.95, 0.02),
            share(trials, clustered_hazard),
        ),
        (
            "`kaplan_meier` covers",
            "n = 100, a third censored",
            near,
            share(trials, |random| survival(random, Limits::LogLog)),
        ),
        (
            "`cumulative_incidence` covers",
            "two ways to end, n = 100",
            near,
            share(trials, incidence),
        ),
        (
            "Anderson-Rubin limits cover",
            "one in eight moved by the draw, n = 200",
            // Sets without an end are told as holding all.
            Claimed::AtLeast(0.95),
            share(trials, weak),
        ),
        (
            "`cost_effectiveness` covers (Fieller)",
            "skew costs, n = 300",
            near,
            share(trials, costs),
        ),
        (
            "`breslow_day_tarone` errs",
            "4 strata of 100, one odds ratio",
            errs,
            share(trials, odds),
        ),
        (
            "`subgroup_effects`: the interaction errs",
            "3 groups of 100, one effect",
            Claimed::Near(0.05, 0.01),
            share(trials, interaction),
        ),
        (
            "`balance_test` errs",
            "5 covariates, n = 200, drawn one by one",
            errs,
            share(trials, balance),
        ),
    ]
}

fn weighted_mean(random: &mut Random, adjusted: bool) -> bool {
    let (mut y, mut treated, mut x, mut weights) = (vec![], vec![], vec![], vec![]);
    for i in 0..400 {
        let (covariate, arm) = (random.normal(), i % 2 == 1);
        // The effect grows with the covariate, and so does the chance to answer.
        let effect = if arm { EFFECT + 0.4 * covariate } else { 0.0 };
        let value = covariate + random.normal() + effect;
        let answers = 1.0 / (1.0 + (-0.5 - covariate).exp());
        if random.uniform() < answers {
            y.push(value);
            treated.push(arm);
            x.push(covariate);
            weights.push(1.0 / answers);
        }
    }
    let covariates = [Covariate {
        name: "x".into(),
        values: x,
    }];
    let sample = Sample {
        covariates: if adjusted { &covariates } else { &[] },
        weights: Some(&weights),
        ..Sample::new(&y, &treated)
    };
    let form = if adjusted {
        Form::Interacted
    } else {
        Form::Main
    };
    let made = fit(&sample, form, Robust::Hc2, &plain()).unwrap();
    holds(made.limits.unwrap(), EFFECT)
}

fn weighted_hazard(random: &mut Random) -> bool {
    const RATIO: f64 = 1.4;
    let (mut time, mut event, mut treated, mut weights) = (vec![], vec![], vec![], vec![]);
    for i in 0..400 {
        let arm = i % 2 == 1;
        let ends = random.exponential() / if arm { RATIO } else { 1.0 };
        let censored = 2.0 * random.uniform();
        time.push(ends.min(censored));
        event.push(ends <= censored);
        treated.push(arm);
        weights.push(0.5 + 1.5 * random.uniform());
    }
    let follow = Follow {
        weights: Some(&weights),
        ..Follow::new(&time, &event, &treated)
    };
    let fitted = Cox::fit(&follow, Ties::Efron).unwrap();
    let made = fitted.estimate(Spread::Robust, &of_ratio()).unwrap();
    holds(made.limits.unwrap(), RATIO)
}

fn clustered(random: &mut Random, form: Form) -> bool {
    let (mut y, mut treated, mut clusters, mut x) = (vec![], vec![], vec![], vec![]);
    for cluster in 0..24_u32 {
        let common = 0.5 * random.normal();
        for _ in 0..4 + cluster / 2 {
            let (arm, covariate) = (cluster % 2 == 1, random.normal());
            y.push(common + covariate + random.normal() + if arm { EFFECT } else { 0.0 });
            treated.push(arm);
            clusters.push(cluster);
            x.push(covariate);
        }
    }
    let covariates = [Covariate {
        name: "x".into(),
        values: x,
    }];
    let sample = Sample {
        covariates: &covariates,
        clusters: Some(&clusters),
        ..Sample::new(&y, &treated)
    };
    let made = fit_clustered(&sample, form, ClusterRobust::Cr2, &plain()).unwrap();
    holds(made.limits.unwrap(), EFFECT)
}

/// Under the null, so that the marginal ratio is 1 whatever the clusters' own rates are.
fn clustered_hazard(random: &mut Random) -> bool {
    let (mut time, mut event, mut treated, mut clusters) = (vec![], vec![], vec![], vec![]);
    for cluster in 0..60_u32 {
        let rate = random.gamma(4.0) / 4.0;
        for _ in 0..8 {
            let ends = random.exponential() / rate;
            time.push(ends.min(1.5));
            event.push(ends <= 1.5);
            treated.push(cluster % 2 == 1);
            clusters.push(cluster);
        }
    }
    let follow = Follow {
        clusters: Some(&clusters),
        ..Follow::new(&time, &event, &treated)
    };
    let fitted = Cox::fit(&follow, Ties::Efron).unwrap();
    let made = fitted.estimate(Spread::Robust, &of_ratio()).unwrap();
    holds(made.limits.unwrap(), 1.0)
}

fn survival(random: &mut Random, scale: Limits) -> bool {
    let observed: Vec<Observation> = (0..100)
        .map(|_| {
            let (ends, censored) = (random.exponential(), 2.0 * random.exponential());
            Observation {
                time: ends.min(censored),
                event: ends <= censored,
            }
        })
        .collect();
    let curve = Curve::of(&observed, "arm").unwrap();
    let point = curve.with_limits(0.7, plain().z(), scale);
    holds(point.limits.unwrap(), (-0.7_f64).exp())
}

fn incidence(random: &mut Random) -> bool {
    let ended: Vec<Ended> = (0..100)
        .map(|_| {
            let (ends, censored) = (random.exponential(), 2.0 * random.exponential());
            let cause = if random.uniform() < 0.6 { 1 } else { 2 };
            Ended {
                time: ends.min(censored),
                cause: if ends <= censored { cause } else { 0 },
            }
        })
        .collect();
    let points = cumulative_incidence(&ended, &[0.7]).unwrap();
    let made = incidence_estimate(&points[0], &plain());
    holds(made.limits.unwrap(), 0.6 * (1.0 - (-0.7_f64).exp()))
}

/// Whoever is moved gains; the limits may have no end, and then they hold everything.
fn weak(random: &mut Random) -> bool {
    let mut arm = |drawn: bool| {
        (0..100)
            .map(|_| {
                let moved = random.uniform() < 0.125;
                let received = random.uniform() < 0.2 || (moved && drawn);
                let y = random.normal() + if received { EFFECT } else { 0.0 };
                (y, f64::from(u8::from(received)))
            })
            .collect::<Vec<_>>()
    };
    let (a, b) = (arm(true), arm(false));
    match complier_average_effect(&a, &b, &plain()) {
        Ok(made) => made
            .anderson_rubin
            .is_none_or(|limits| holds(limits, EFFECT)),
        // Nobody was moved in the sample: nothing is excluded.
        Err(Fault::NoFirstStage) => true,
        Err(fault) => panic!("{fault}"),
    }
}

fn costs(random: &mut Random) -> bool {
    let mut arm = |cost: f64, effect: f64| {
        (0..150)
            .map(|_| (cost * random.exponential(), effect + random.normal()))
            .collect::<Vec<_>>()
    };
    let (a, b) = (arm(1.4, 0.8), arm(1.0, 0.0));
    let made = cost_effectiveness(&a, &b, &[], &plain()).unwrap();
    made.limits.is_none_or(|limits| holds(limits, EFFECT))
}

fn odds(random: &mut Random) -> bool {
    let events = |random: &mut Random, p: f64| Counts {
        events: (0..50).filter(|_| random.uniform() < p).count() as u64,
        n: 50,
    };
    let tables: Vec<Table> = [0.2, 0.4, 0.5, 0.7]
        .into_iter()
        .map(|p| {
            let odds = 1.5 * p / (1.0 - p);
            Table {
                arm: events(random, odds / (1.0 + odds)),
                reference: events(random, p),
            }
        })
        .collect();
    breslow_day_tarone(&tables).unwrap().p_value.unwrap() <= 0.05
}

fn interaction(random: &mut Random) -> bool {
    let effects: Vec<(f64, f64)> = (0..3)
        .map(|_| {
            let a: Vec<f64> = (0..50).map(|_| EFFECT + random.normal()).collect();
            let b: Vec<f64> = (0..50).map(|_| random.normal()).collect();
            let made = welch(&a, &b, &plain()).unwrap();
            (made.estimate.unwrap(), made.standard_error.unwrap())
        })
        .collect();
    heterogeneity(&effects).unwrap().p_value.unwrap() <= 0.05
}

fn balance(random: &mut Random) -> bool {
    let treated: Vec<bool> = (0..200).map(|_| random.uniform() < 0.5).collect();
    let covariates: Vec<Covariate> = (0..5)
        .map(|j| Covariate {
            name: format!("x{j}"),
            values: (0..200).map(|_| random.exponential()).collect(),
        })
        .collect();
    let sample = Sample {
        covariates: &covariates,
        ..Sample::new(&[0.0; 200], &treated)
    };
    balance_test(&sample).unwrap().p_value.unwrap() <= 0.05
}

/// The sample ratio of trials that were drawn as planned.
pub fn uneven(trials: u32) -> Vec<Line> {
    let drawn = |method: &str| {
        let text = format!(
            "id = 'uneven'\ntitle = 'uneven'\n\
             arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 2}}]\n\
             endpoints = [{{id = 'y', kind = 'continuous', from = 'reported', \
               estimators = ['difference_in_means_welch']}}]\n\
             [randomization]\n{method}\n[analysis]\nprimary = 'y'\nalpha = 0.05\nsides = 2\n"
        );
        lodkast::protocol::from_toml(&text).expect("a protocol")
    };
    let (simple, urn) = (
        drawn("method = 'simple'"),
        drawn("method = 'block_urn'\nlambda = 3"),
    );
    let errs = Claimed::AtMost(0.05);
    vec![
        (
            "`sample_ratio` errs",
            "1:2, drawn one by one, n = 80, a third missing",
            errs,
            share(trials, |random| called_uneven(random, &simple)),
        ),
        (
            "`sample_ratio` errs",
            "1:2, a block urn, n = 80, a third missing",
            errs,
            share(trials, |random| called_uneven(random, &urn)),
        ),
    ]
}

fn called_uneven(random: &mut Random, protocol: &Protocol) -> bool {
    const N: usize = 80;
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&random.uniform().to_le_bytes());
    let one = vec![StratumLabel::of([])];
    let redraw = Redraw::new(protocol, one, vec![0; N], None).unwrap();
    let mut arms = Vec::new();
    redraw.arms(&Seed::new(seed), &mut arms);
    let values = (0..N).map(|_| (random.uniform() > 1.0 / 3.0).then(|| random.normal()));
    let dataset = Dataset {
        arms: arms.into_iter().map(usize::from).collect(),
        endpoints: [("y".to_owned(), Values::Number(values.collect()))].into(),
        ..Dataset::default()
    };
    seed[8] = 1;
    let settings = Settings {
        seed: Some(seed),
        draws: 999,
        look: None,
    };
    let document = lodkast::analysis::run(protocol, String::new(), &dataset, &settings);
    let analysed = &document.sample_ratio[1];
    assert!(analysed.of.starts_with("analysed"), "{}", analysed.of);
    analysed.p_value <= 0.05
}
