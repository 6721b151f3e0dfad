//! Inference at looks and for several hypotheses, against mvtnorm, rpact, confseq and `p.adjust`
//! (`inference.R`, `inference.py`, `multiplicity.R`).

use super::{CLOSED_FORM, close, expected, number, rows};
use lodkast::statistics::multiplicity::{Graph, Method, adjust};
use lodkast::statistics::sequential::always::{
    Stitching, asymptotic, mixture_rho, normal_mixture, normal_mixture_one_sided, stitched,
};
use lodkast::statistics::sequential::{
    Boundaries, Going, Plan, Promising, Spending, Stopped, Zone, cui_hung_wang, reestimate,
    repeated_interval,
};
use std::collections::BTreeMap;

/// Integrals over several looks: the grid is good to some 1e-8 where the mean lies beyond a boundary,
/// and asked is 1e-6.
const INTEGRATED: f64 = 1e-7;

type Case<'a> = BTreeMap<&'a str, f64>;

fn cases(text: &str) -> BTreeMap<&str, Case<'_>> {
    expected(text)
        .into_iter()
        .map(|(name, values)| (name, values.into_iter().collect()))
        .collect()
}

fn list(case: &Case, stem: &str) -> Vec<f64> {
    (1..)
        .map_while(|i| case.get(format!("{stem}{i}").as_str()).copied())
        .collect()
}

fn boundaries(case: &Case) -> Boundaries {
    let spending = match case["spending"] as u32 {
        1 => Spending::ObrienFleming,
        2 => Spending::Pocock,
        3 => Spending::HwangShihDecani {
            gamma: case["gamma"],
        },
        _ => Spending::Power { rho: case["rho"] },
    };
    let plan = Plan {
        information: list(case, "t"),
        alpha: case["alpha"],
        spending,
        symmetric: false,
        futility: None,
    };
    Boundaries::of(&plan).unwrap()
}

#[test]
fn inference_after_a_stop_is_that_of_the_definition() {
    let mut compared = 0;
    for (name, case) in cases(include_str!("inference_expected.csv")) {
        if !case.contains_key("p_stagewise") {
            continue;
        }
        let boundaries = boundaries(&case);
        let (stop, info) = (case["stop"] as usize, case["info"]);
        let z = list(&case, "z");
        let information: Vec<f64> = boundaries.information[..stop]
            .iter()
            .map(|t| t * info)
            .collect();
        let stopped = Stopped {
            information: &information,
            upper: &boundaries.upper[..stop - 1],
            lower: None,
            z: z[stop - 1],
        };
        let found = stopped.stagewise(1.0 - 2.0 * case["alpha"]);
        let mut check = |found: f64, what: &str| {
            let scale = found.abs().max(case[what].abs()).max(0.01 / info.sqrt());
            let near = (found - case[what]).abs() <= INTEGRATED * scale;
            assert!(near, "{name} {what}: {found} instead of {}", case[what]);
            compared += 1;
        };
        check(found.p_value, "p_stagewise");
        check(found.median_unbiased, "median_unbiased");
        check(found.lower, "ci_lower");
        check(found.upper, "ci_upper");
        for look in 0..stop {
            let error = 1.0 / information[look].sqrt();
            let (lower, upper) = repeated_interval(z[look] * error, error, boundaries.upper[look]);
            check(lower, &format!("rci_lower_{}", look + 1));
            check(upper, &format!("rci_upper_{}", look + 1));
        }
    }
    assert!(compared >= 80, "{compared}");
}

#[test]
fn conditional_and_predictive_power_are_those_of_the_definition() {
    let mut compared = 0;
    for (name, case) in cases(include_str!("inference_expected.csv")) {
        if !case.contains_key("conditional_power") {
            continue;
        }
        let boundaries = boundaries(&case);
        let (stop, info) = (case["stop"] as usize, case["info"]);
        let at = |t: &f64| t * info;
        let later: Vec<f64> = boundaries.information[stop..].iter().map(at).collect();
        let going = Going {
            z: case[format!("z{stop}").as_str()],
            information: at(&boundaries.information[stop - 1]),
            later: &later,
            upper: &boundaries.upper[stop..],
            lower: None,
        };
        for (found, what) in [
            (going.conditional_power(going.trend()), "conditional_power"),
            (
                going.conditional_power(case["theta"]),
                "conditional_power_planned",
            ),
            (going.predictive_power(), "predictive_power"),
        ] {
            close(found, case[what], INTEGRATED, &format!("{name} {what}"));
            compared += 1;
        }
    }
    assert!(compared >= 24, "{compared}");
}

#[test]
fn weighted_stages_and_confidence_sequences_agree() {
    let mut compared = 0;
    for (name, case) in cases(include_str!("inference_expected.csv")) {
        let mut check = |found: f64, what: &str| {
            close(found, case[what], CLOSED_FORM, &format!("{name} {what}"));
            compared += 1;
        };
        if name.starts_with("chw") {
            check(
                cui_hung_wang(case["t1"], case["z_stage1"], case["z_stage2"]),
                "chw_z",
            );
        } else if name.starts_with("cs_mixture") {
            let (v, alpha) = (case["v"], case["alpha"]);
            let rho = |alpha: f64| mixture_rho(case["v_opt"], alpha);
            let best = case["alpha_opt"];
            check(
                normal_mixture(v, alpha, rho(best)),
                "normal_mixture_two_sided",
            );
            check(
                normal_mixture_one_sided(v, alpha, rho(2.0 * best)),
                "normal_mixture_one_sided",
            );
        } else if name.starts_with("cs_stitching") {
            let shape = Stitching {
                least: case["v_min"],
                scale: case["c"],
                s: case["s"],
                eta: case["eta"],
            };
            check(stitched(case["v"], case["alpha"], shape), "poly_stitching");
        } else if name.starts_with("cs_asymptotic") {
            let width = asymptotic(case["t"], case["sigma"], case["alpha"], case["t_star"]);
            check(width, "asymptotic_half_width");
        }
    }
    assert!(compared >= 30, "{compared}");
}

#[test]
fn adjusted_p_values_agree_with_r() {
    let methods = [
        ("bonferroni", Method::Bonferroni),
        ("holm", Method::Holm),
        ("hochberg", Method::Hochberg),
        ("hommel", Method::Hommel),
        ("bh", Method::BenjaminiHochberg),
        ("fixed_sequence", Method::FixedSequence),
    ];
    let mut compared = 0;
    for (name, case) in cases(include_str!("multiplicity_expected.csv")) {
        let p = list(&case, "p");
        let mut check = |found: Vec<f64>, stem: &str| {
            for (found, value) in found.iter().zip(list(&case, &format!("{stem}_"))) {
                close(*found, value, CLOSED_FORM, &format!("{name} {stem}"));
                compared += 1;
            }
        };
        if name.starts_with("graph") {
            let n = p.len();
            let g = |i: usize| case[format!("g{}_{}", i / n + 1, i % n + 1).as_str()];
            let graph = Graph::new(list(&case, "w"), (0..n * n).map(g).collect()).unwrap();
            let found = graph.adjust(&p).unwrap();
            for (i, found) in found.iter().enumerate() {
                let value = case[format!("graphical_{}", i + 1).as_str()];
                close(
                    *found,
                    value,
                    CLOSED_FORM,
                    &format!("{name} graphical_{}", i + 1),
                );
            }
        } else {
            methods
                .iter()
                .for_each(|(stem, method)| check(adjust(&p, *method).unwrap(), stem));
        }
    }
    assert!(compared >= 300, "{compared}");
}

#[test]
fn sizes_agree_with_rpact_and_the_formulas() {
    use lodkast::statistics::distributions::normal_quantile;
    use lodkast::statistics::size;
    let mut compared = BTreeMap::new();
    for (name, case) in cases(include_str!("sizes_expected.csv")) {
        let family = name.split('_').next().unwrap();
        let of = |what: &str| case.get(what).copied();
        let (Some(alpha), Some(power)) = (of("alpha"), of("power")) else {
            continue;
        };
        let needed = (normal_quantile(1.0 - alpha) + normal_quantile(power)).powi(2);
        let ratio = of("ratio").unwrap_or(1.0);
        let shares = (ratio / (1.0 + ratio), 1.0 / (1.0 + ratio));
        let distance = || of("delta").unwrap() + of("margin").unwrap_or(0.0);
        let means = || size::two_means(needed, of("sd").unwrap(), distance(), shares);
        let (found, value) = match family {
            // With an unknown standard deviation R's root of the noncentral t is another formula.
            "means" if name.starts_with("means_t") => continue,
            "means" => (means(), of("total")),
            "proportions" => {
                let shown = (of("p1").unwrap(), of("p0").unwrap());
                (
                    size::risk_difference(needed, shown, 0.0, shares),
                    of("total"),
                )
            }
            "schoenfeld" => {
                let hazards = of("hazard_ratio").unwrap();
                (
                    size::events_schoenfeld(needed, hazards, 1.0, shares),
                    of("events").or(of("total")),
                )
            }
            "freedman" => {
                let hazards = of("hazard_ratio").unwrap();
                (
                    size::events_freedman(needed, hazards, shares),
                    of("events").or(of("total")),
                )
            }
            "cluster" => {
                let cv = of("cv").unwrap_or(0.0);
                let effect = size::design_effect(of("m").unwrap(), of("icc").unwrap(), cv);
                close(effect, of("design_effect").unwrap(), CLOSED_FORM, name);
                (means() * effect, of("total"))
            }
            "rates" => {
                let exposure = of("exposure").unwrap_or(1.0);
                let (rate, times) = (of("rate").unwrap() * exposure, of("rate_ratio").unwrap());
                let spread = of("dispersion").unwrap_or(0.0);
                (
                    size::rate_ratio(needed, rate, times, 1.0, spread, shares),
                    of("total"),
                )
            }
            other => panic!("no size of {other}"),
        };
        close(found, value.unwrap(), CLOSED_FORM, name);
        *compared.entry(family).or_insert(0) += 1;
    }
    for family in [
        "means",
        "proportions",
        "schoenfeld",
        "freedman",
        "cluster",
        "rates",
    ] {
        assert!(
            compared.get(family).is_some_and(|n| *n >= 2),
            "{family}: {compared:?}"
        );
    }
}

#[test]
fn the_promising_zone_agrees_with_its_definition_in_r() {
    let mut zones = BTreeMap::new();
    for row in rows(include_str!("reestimation_expected.csv")) {
        let of: Vec<f64> = row.iter().map(|text| number(text)).collect();
        let rule = Promising {
            least: of[3],
            target: of[4],
            most: of[5],
        };
        let made = reestimate(of[0], of[1], of[2], rule);
        let what = row.join(",");
        let zone = match made.zone {
            Zone::Unfavourable => 1.0,
            Zone::Promising => 2.0,
            Zone::Favourable => 3.0,
        };
        assert_eq!(zone, of[6], "{what}");
        close(made.conditional_power, of[7], CLOSED_FORM, &what);
        close(made.factor, of[8], CLOSED_FORM, &what);
        close(made.afterwards, of[9], CLOSED_FORM, &what);
        *zones.entry(made.zone.as_str()).or_insert(0) += 1;
    }
    assert_eq!(zones.values().sum::<i32>(), 36);
    assert!(
        zones.len() == 3 && zones.values().all(|n| *n >= 5),
        "{zones:?}"
    );
}
