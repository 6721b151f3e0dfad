//! `lodkast analyse` with every estimator, at looks, and with what was received.

use super::{lodkast, printed, refused};
use serde_json::Value;
use std::process::Output;

/// A trial with an endpoint of each kind; `{}` is the analysis plan.
const PROTOCOL: &str = "id = 'kinds'\ntitle = 'Kinds'
arms = [{id = 'control', ratio = 1, control = true}, {id = 'new', ratio = 1}]
factors = [{id = 'group', levels = ['a', 'b'], stratify = true}, {id = 'age', kind = 'number'}]
[randomization]
method = 'permuted_blocks'
block_sizes = [4]
";

const BINARY: &str = "risk_difference_wald risk_difference_agresti_caffo risk_ratio_katz odds_ratio_woolf \
    fisher_exact breslow_day_tarone standardized_risk_difference ancova:hc3 lin:hc1 blocked_difference_in_means \
    difference_in_means_clustered ancova_clustered:cr1 lin_clustered complier_average_effect per_protocol as_treated \
    lee_bounds manski_bounds multiple_imputation:20 randomization_test subgroup_effects cost_effectiveness:cost \
    risk_difference_miettinen_nurminen_stratified difference_in_means_weighted:hc3 ancova_weighted lin_weighted";
const TIME: &str = "cox cox:breslow cox:exact cox:robust cox_stratified cox_clustered cause_specific_cox fine_gray \
    gray_test cumulative_incidence kaplan_meier:log fleming_harrington:1,0 rmst_difference rmst_ratio \
    rmst_difference_adjusted randomization_test per_protocol cox_weighted cox_weighted:breslow";
const COUNT: &str =
    "rate_ratio_lwyy rate_ratio_negative_binomial difference_in_means_welch randomization_test";

fn list(ids: &str) -> String {
    ids.split_whitespace()
        .map(|id| format!("'{id}'"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn protocol(plan: &str) -> String {
    format!(
        "{PROTOCOL}\n[[endpoints]]\nid = 'work'\nkind = 'binary'\nfrom = 'reported'\nestimators = [{}]\n\
         [[endpoints]]\nid = 'time'\nkind = 'time_to_event'\nfrom = 'reported'\nbetter = 'lower'\nhorizon_weeks = 26\n\
         estimators = [{}]\n[[endpoints]]\nid = 'missed'\nkind = 'count'\nfrom = 'reported'\nestimators = [{}]\n\
         [[endpoints]]\nid = 'cost'\nkind = 'continuous'\nfrom = 'reported'\n{plan}\n",
        list(BINARY),
        list(TIME),
        list(COUNT)
    )
}

/// 240 participants; numbers that a small generator gives.
fn data() -> String {
    let mut text = String::from(
        "participant,arm,group,age,cluster,received,work,time,time_event,missed,cost,weight\n",
    );
    let mut state = 7_u64;
    let mut next = || {
        state = state * 48_271 % 2_147_483_647;
        state as f64 / 2_147_483_647.0
    };
    for i in 0..240 {
        let new = [true, false, false, true][i % 4];
        let arm = if new { "new" } else { "control" };
        let group = if i / 4 % 2 == 0 { "a" } else { "b" };
        let received = match next() {
            r if r < 0.1 => "none",
            r if r < 0.15 && new => "control",
            _ => arm,
        };
        let p = 0.4 + if received == "new" { 0.2 } else { 0.0 };
        let work = match next() {
            r if r < 0.08 => "",
            _ if next() < p => "1",
            _ => "0",
        };
        let time = (next() * 260.0).ceil() / 7.0;
        let event = match next() {
            r if r < 0.6 => 1,
            r if r < 0.75 => 2,
            _ => 0,
        };
        text.push_str(&format!(
            "p{i},{arm},{group},{:.1},c{},{received},{work},{time},{event},{},{:.2},{:.3}\n",
            20.0 + 40.0 * next(),
            i / 6,
            (next() * 4.0 * next()).floor(),
            100.0 + 50.0 * next(),
            0.5 + next()
        ));
    }
    text
}

fn analyse(protocol: &str, data: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (protocol, data) = (path("protocol.toml", protocol), path("data.csv", data));
    lodkast()
        .args(["analyse", &data, "--protocol", &protocol])
        .args(more)
        .output()
        .unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

const PLAIN: &str = "[analysis]\nprimary = 'work'\nestimator = 'risk_difference_miettinen_nurminen'\n\
    alpha = 0.05\nsides = 2\nadjust_for = ['age']";

#[test]
fn every_estimator_answers_with_numbers_of_its_own() {
    let told = json(&analyse(&protocol(PLAIN), &data(), &["--format", "json"]));
    let entries = told["estimates"].as_array().unwrap();
    let wanted = [BINARY, TIME, COUNT].map(|ids| ids.split_whitespace());
    for id in wanted
        .into_iter()
        .flatten()
        .filter(|id| *id != "subgroup_effects")
    {
        let found: Vec<_> = entries
            .iter()
            .filter(|entry| entry["estimator"] == id)
            .collect();
        assert!(!found.is_empty(), "{id}");
        for entry in found {
            let numbers = ["estimate", "confidence", "p_value", "curve"];
            assert!(
                numbers.iter().any(|name| !entry[*name].is_null()),
                "{entry}"
            );
            assert!(
                !entry["warnings"].to_string().contains("no estimate"),
                "{entry}"
            );
        }
    }
    let of = |id: &str| {
        entries
            .iter()
            .find(|entry| entry["estimator"] == id)
            .unwrap()
    };
    assert!(
        of("complier_average_effect")["details"]["first_stage_f"]
            .as_f64()
            .unwrap()
            > 10.0
    );
    assert_eq!(
        of("difference_in_means_clustered")["details"]["clusters"],
        40
    );
    assert_eq!(of("per_protocol")["analysis_set"], "per_protocol");
    assert_eq!(of("multiple_imputation:20")["details"]["imputations"], 20);
    assert!(of("lee_bounds")["estimate"].is_null() && !of("lee_bounds")["confidence"].is_null());
    assert!(
        of("fine_gray")["warnings"]
            .to_string()
            .find("competing")
            .is_none()
    );
    // A ratio of hazards above 1 means shorter times; both groupings answer the same question.
    assert_eq!(of("cox")["null"], 1.0);
    let subgroups = told["subgroups"].as_array().unwrap();
    assert!(
        subgroups
            .iter()
            .any(|group| group["factor"] == "group" && !group["interaction"].is_null())
    );
    assert_eq!(told["sample_ratio"][0]["n"]["new"], 120);
    assert!(told["balance_test"][0]["f"].is_f64());
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_other_draws_do_not() {
    let (plan, data) = (protocol(PLAIN), data());
    let made = |seed: &str| {
        printed(&analyse(
            &plan,
            &data,
            &["--format", "json", "--seed", seed, "--draws", "999"],
        ))
    };
    let (one, other) = ("1".repeat(64), "2".repeat(64));
    assert_eq!(made(&one), made(&one));
    assert_ne!(made(&one), made(&other));
}

const LOOKS: &str = "[analysis]\nprimary = 'work'\nestimator = 'risk_difference_wald'\nalpha = 0.025\nsides = 1\n\
    [analysis.looks]\ninformation = [0.5, 1.0]\nspending = 'pocock'\n[sample_size]\nplanned = 480\npower = 0.9";

#[test]
fn a_look_is_held_against_the_boundary_of_its_information() {
    let told = json(&analyse(
        &protocol(LOOKS),
        &data(),
        &["--format", "json", "--look", "1"],
    ));
    let (sequential, primary) = (&told["sequential"], &told["estimates"][0]);
    let at = &sequential["arms"][0];
    let number = |value: &Value| value.as_f64().unwrap();
    // Information is 1 / variance; the fraction that of the participants with a value.
    let error = number(&primary["standard_error"]);
    assert!((number(&at["information"]) * error * error - 1.0).abs() < 1e-12);
    let known: f64 = primary["n"].as_object().unwrap().values().map(number).sum();
    assert!((number(&at["fraction"]) - known / 480.0).abs() < 1e-12);
    assert!((number(&at["z"]) - number(&primary["estimate"]) / error).abs() < 1e-9);
    // Pocock's spending at that fraction, and the boundary of one look with this error.
    let spent = 0.025 * ((std::f64::consts::E - 1.0) * known / 480.0).ln_1p();
    assert!((number(&at["boundary"]["alpha_spent"]) - spent).abs() < 1e-12);
    assert!((number(&at["boundary"]["nominal_p"]) - spent).abs() < 1e-9);
    let success = number(&at["z"]) >= number(&at["boundary"]["upper"]);
    assert_eq!(at["decision"], if success { "success" } else { "continue" });
    // The interval that holds at all looks is as wide as the boundary.
    let repeated = &at["repeated_confidence"];
    let width = number(&repeated["upper"]) - number(&repeated["lower"]);
    assert!((width - 2.0 * number(&at["boundary"]["upper"]) * error).abs() < 1e-9);
    let without = json(&analyse(&protocol(LOOKS), &data(), &["--format", "json"]));
    assert!(without["sequential"]["arms"][0]["boundary"].is_null());
    assert!(without["sequential"]["look"].is_null());
    let last = json(&analyse(
        &protocol(LOOKS),
        &data(),
        &["--format", "json", "--look", "2"],
    ));
    let at = &last["sequential"]["arms"][0];
    // The planned first look stands for the one that nobody told of; it came later than this one.
    assert!(at["warnings"].to_string().contains("information"), "{at}");
}

#[test]
fn what_is_asked_wrongly_is_named() {
    let (plan, data) = (protocol(LOOKS), data());
    let error = refused(&analyse(&plan, &data, &["--look", "3"]), 2);
    assert!(error.contains("plans 2 looks"), "{error}");
    let error = refused(&analyse(&plan, &data, &["--seed", "abc"]), 2);
    assert!(error.contains("64 hexadecimal digits"), "{error}");
    let wrong = data.replacen(",c0,new,", ",c0,nobody,", 1);
    let error = refused(&analyse(&plan, &wrong, &[]), 2);
    assert!(error.contains("column received is neither"), "{error}");
    let unknown = plan.replace("'ancova:hc3'", "'ancova:hc9'");
    let error = refused(&analyse(&unknown, &data, &[]), 2);
    assert!(error.contains("hc0, hc1, hc2, hc3"), "{error}");
}

#[test]
fn rows_out_of_their_order_are_no_outcome_of_the_draw() {
    let text = data();
    let mut lines: Vec<&str> = text.lines().take(13).collect();
    lines[1..].sort_by_key(|line| line.split(',').nth(1).unwrap().to_owned());
    let told = json(&analyse(
        &protocol(PLAIN),
        &(lines.join("\n") + "\n"),
        &["--format", "json"],
    ));
    assert_eq!(told["sample_ratio"].as_array().unwrap().len(), 0);
    assert!(
        told["warnings"].to_string().contains("order of the draws"),
        "{}",
        told["warnings"]
    );
}
