//! Claims of what scenarios do not have: clusters, competing events, missing values.

use crate::Claimed;
use lodkast::simulation::Share;
use lodkast::statistics::Question;
use lodkast::statistics::missing::{Incomplete, impute, lee, manski};
use lodkast::statistics::random::Random;
use lodkast::statistics::regression::{ClusterRobust, Covariate, Form, Sample, fit_clustered};
use lodkast::statistics::survival::{Ended, fine_gray, gray_test};
use rayon::prelude::*;

pub type Line = (&'static str, &'static str, Claimed, Share);

pub fn share(trials: u32, of: impl Fn(&mut Random) -> bool + Sync) -> Share {
    let yes = (0..trials)
        .into_par_iter()
        .filter(|number| of(&mut Random::new([9; 32], u64::from(*number))))
        .count();
    let (yes, n) = (yes as f64, f64::from(trials));
    let share = yes / n;
    Share {
        share,
        standard_error: (share * (1.0 - share) / n).sqrt(),
        n: trials as usize,
    }
}

pub fn claims(trials: u32) -> Vec<Line> {
    let near = Claimed::Near(0.95, 0.006);
    vec![
        (
            "`difference_in_means_clustered` covers",
            "16 unequal clusters, drawn as wholes, intraclass correlation 0.2",
            Claimed::Near(0.95, 0.01),
            share(trials, |random| clustered(random, ClusterRobust::Cr2)),
        ),
        (
            "`gray_test` errs",
            "two ways to end, n = 200",
            Claimed::Near(0.05, 0.006),
            share(trials, gray),
        ),
        (
            "`fine_gray` covers",
            "two ways to end, n = 200",
            near,
            share(trials, subdistribution),
        ),
        (
            "`multiple_imputation` covers",
            "3 in 10 missing by a covariate, 20 imputations, n = 200",
            Claimed::Near(0.95, 0.01),
            share(trials, imputed),
        ),
        (
            "`manski_bounds` cover",
            "2 in 10 missing, n = 300",
            Claimed::AtLeast(0.95),
            share(trials, |random| bounded(random, false)),
        ),
        (
            "`lee_bounds` cover",
            "answers 1 in 10 more often in the arm, n = 300",
            Claimed::AtLeast(0.95),
            share(trials, |random| bounded(random, true)),
        ),
    ]
}

const EFFECT: f64 = 0.5;

fn clustered(random: &mut Random, robust: ClusterRobust) -> bool {
    let (mut y, mut treated, mut clusters) = (Vec::new(), Vec::new(), Vec::new());
    for cluster in 0..16_u32 {
        let common = 0.5 * random.normal();
        for _ in 0..5 + 3 * (cluster / 2) {
            let arm = cluster % 2 == 1;
            y.push(common + random.normal() + if arm { EFFECT } else { 0.0 });
            treated.push(arm);
            clusters.push(cluster);
        }
    }
    let sample = Sample {
        clusters: Some(&clusters),
        ..Sample::new(&y, &treated)
    };
    let made = fit_clustered(&sample, Form::Main, robust, &Question::two_sided(0.95)).unwrap();
    holds(made.limits.unwrap(), EFFECT)
}

pub fn holds((lower, upper): (f64, f64), truth: f64) -> bool {
    lower <= truth && truth <= upper
}

/// Times whose share with the event has proportional subdistribution hazards of this ratio: the event by
/// 1 - (1 - p (1 - e^-t))^ratio, else another way out.
fn ended(random: &mut Random, ratio: f64) -> Ended {
    const P: f64 = 0.5;
    let ever = 1.0 - (1.0 - P).powf(ratio);
    let time = if random.uniform() < ever {
        let share = random.uniform() * ever;
        (-(1.0 - (1.0 - (1.0 - share).powf(1.0 / ratio)) / P).ln(), 1)
    } else {
        (random.exponential(), 2)
    };
    let censored = 3.0 * random.uniform();
    Ended {
        time: f64::min(time.0, censored),
        cause: if time.0 <= censored { time.1 } else { 0 },
    }
}

fn gray(random: &mut Random) -> bool {
    let mut arm = || (0..100).map(|_| ended(random, 1.0)).collect::<Vec<_>>();
    let strata = [(arm(), arm())];
    gray_test(&strata).unwrap().p_value.unwrap() <= 0.05
}

fn subdistribution(random: &mut Random) -> bool {
    const RATIO: f64 = 1.5;
    let treated: Vec<bool> = (0..200).map(|i| i % 2 == 0).collect();
    let ended: Vec<Ended> = treated
        .iter()
        .map(|t| ended(random, if *t { RATIO } else { 1.0 }))
        .collect();
    let question = Question {
        null: 1.0,
        ..Question::two_sided(0.95)
    };
    let made = fine_gray(&ended, &treated, &[], &question).unwrap();
    holds(made.limits.unwrap(), RATIO)
}

fn imputed(random: &mut Random) -> bool {
    let n = 200;
    let treated: Vec<bool> = (0..n).map(|i| i % 2 == 0).collect();
    let x: Vec<f64> = (0..n).map(|_| random.normal()).collect();
    let outcome: Vec<Option<f64>> = (0..n)
        .map(|i| {
            let y = x[i] + random.normal() + if treated[i] { EFFECT } else { 0.0 };
            // Whoever has a high x answers less, in one arm more than in the other.
            let missing = if x[i] > 0.0 { 0.5 } else { 0.1 };
            (random.uniform() >= missing * if treated[i] { 1.2 } else { 0.8 }).then_some(y)
        })
        .collect();
    let covariates = [Covariate {
        name: "x".into(),
        values: x,
    }];
    let data = Incomplete {
        outcome: &outcome,
        treated: &treated,
        covariates: &covariates,
        binary: false,
    };
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&random.uniform().to_le_bytes());
    let made = impute(&data, 20, seed, &Question::two_sided(0.95)).unwrap();
    holds(made.pooled.estimate.limits.unwrap(), EFFECT)
}

/// The effect among those who always answer lies within the bounds: at their upper end (Lee), where those who
/// answer in the arm only are the ones with the lowest values; at the lower end (Manski), where the
/// missing are the worst of the arm.
fn bounded(random: &mut Random, by_lee: bool) -> bool {
    let n = 150;
    let question = Question::two_sided(0.95);
    let mut arm: Vec<f64> = Vec::new();
    let mut reference: Vec<f64> = Vec::new();
    for _ in 0..n {
        let (y, z) = (random.uniform(), random.uniform());
        if by_lee {
            // Always answer: y above 0.3. The arm's answer too: y above 0.2.
            if y > 0.2 {
                arm.push(y + EFFECT);
            }
            if z > 0.3 {
                reference.push(z);
            }
        } else {
            if y > 0.2 {
                arm.push(y);
            }
            if z < 0.8 {
                reference.push(z);
            }
        }
    }
    let (a, b) = ((&arm[..], n), (&reference[..], n));
    let bounds = if by_lee {
        lee(a, b, &question).unwrap()
    } else {
        manski(a, b, (0.0, 1.0), &question).unwrap()
    };
    holds(bounds.limits, if by_lee { EFFECT } else { 0.0 })
}
