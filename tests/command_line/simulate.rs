//! `lodkast simulate`.

use super::{lodkast, printed, refused};
use serde_json::Value;
use std::process::Output;

const PROTOCOL: &str = "id = 's'\ntitle = 's'
arms = [{id = 'a', ratio = 1, control = true, channels = ['in_person']},
        {id = 'b', ratio = 1, channels = ['telephone']}]
factors = [{id = 'group', levels = ['x', 'y'], stratify = true}, {id = 'site', open_levels = true, stratify = true}]
endpoints = [{id = 'work', kind = 'binary', from = 'reported', horizon_weeks = 26}]
[randomization]
method = 'permuted_blocks'
block_sizes = [4, 6]
[analysis]
primary = 'work'
estimator = 'risk_difference_wald'
alpha = 0.025
sides = 1
[analysis.looks]
information = [0.5, 1.0]
spending = 'obrien_fleming'
[sample_size]
planned = 400
power = 0.9
";
const SCENARIO: &str = "effect = 0.2\nper_week = 20\nno_show = 0.1\ndrop_out = 0.05\nsites = 4
[[groups]]\nlevels = { group = 'x' }\nshare = 1\ncontrol = 0.4
[[groups]]\nlevels = { group = 'y' }\nshare = 1\ncontrol = 0.3
[[closures]]\nsites = 0.5\nfrom_week = 2\nuntil_week = 6
";

fn simulate(scenario: &str, more: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let (protocol, scenario) = (
        path("protocol.toml", PROTOCOL),
        path("scenario.toml", scenario),
    );
    lodkast()
        .args([
            "simulate",
            "--protocol",
            &protocol,
            "--scenario",
            &scenario,
            "--trials",
            "60",
        ])
        .args(["--format", "json"])
        .args(more)
        .output()
        .unwrap()
}

#[test]
fn the_number_of_threads_changes_no_byte_and_the_truth_is_diluted() {
    let one = printed(&simulate(SCENARIO, &["--threads", "1"]));
    assert_eq!(one, printed(&simulate(SCENARIO, &["--threads", "2"])));
    let told: Value = serde_json::from_str(&one).unwrap();
    let effect = &told["under_effect"];
    // 9 of 10 show; 4 of 20 weeks at half of the sites the others get the telephone too.
    let closed = 0.5 * 4.0 / 20.0;
    let truth = 0.2 * 0.9 * (1.0 - closed);
    assert!(
        (effect["truth"].as_f64().unwrap() - truth).abs() < 1e-3,
        "{effect}"
    );
    let bias = effect["bias"]["mean"].as_f64().unwrap();
    assert!(bias.abs() < 0.05, "{bias}");
    assert!(effect["success"]["share"].as_f64().unwrap() > 0.5);
    assert!(told["under_null"]["success"]["share"].as_f64().unwrap() < 0.2);
    assert!(told["under_null"]["truth"].as_f64().unwrap().abs() < 1e-12);
    assert!(effect["weeks"]["mean"].as_f64().unwrap() < 46.1);
}

#[test]
fn a_scenario_that_does_not_fit_is_refused_with_its_key() {
    for (wrong, named) in [
        (
            SCENARIO.replace("no_show = 0.1", "no_show = 1.5"),
            "no_show",
        ),
        (
            SCENARIO.replace("group = 'x'", "group = 'z'"),
            "z is not a level of group",
        ),
        (SCENARIO.replace("per_week = 20", "per_weak = 20"), "line 2"),
        (SCENARIO.replace("control = 0.4", "control = 0.9"), "binary"),
        (
            SCENARIO.replace("until_week = 6", "until_week = nan"),
            "from_week",
        ),
    ] {
        let error = refused(&simulate(&wrong, &[]), 2);
        assert!(error.contains(named), "{error}");
    }
}
