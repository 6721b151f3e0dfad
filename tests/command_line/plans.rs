//! `lodkast analyse` and `design` where the plan goes on: weights, several arms, enlarged trials, sequences that
//! hold at any moment.

use super::{lodkast, printed, refused};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Output;

/// Two arms, one binary endpoint; `plan` is the rest.
fn protocol(plan: &str) -> String {
    format!(
        "id = 'plans'\ntitle = 'Plans'\n\
         arms = [{{id = 'control', ratio = 1, control = true}}, {{id = 'new', ratio = 1}}]\n\
         [randomization]\nmethod = 'simple'\n\
         [[endpoints]]\nid = 'work'\nkind = 'binary'\nfrom = 'reported'\n{plan}\n"
    )
}

/// `n` participants an arm, of whom so many have the event.
fn data(n: usize, control: usize, new: usize) -> String {
    let mut text = String::from("participant,arm,work\n");
    for (arm, events) in [("control", control), ("new", new)] {
        for i in 0..n {
            text.push_str(&format!("{arm}{i},{arm},{}\n", u8::from(i < events)));
        }
    }
    text
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

fn analyse(data: &Path, protocol: &Path, more: &[&str]) -> Output {
    let paths = [data, Path::new("--protocol"), protocol];
    let mut command = lodkast();
    command.arg("analyse").args(paths).args(["--draws", "999"]);
    command.args(more).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_str(&printed(output)).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

const WALD: &str =
    "[analysis]\nprimary = 'work'\nestimator = 'risk_difference_wald'\nalpha = 0.025\nsides = 1\n";

#[test]
fn weights_are_used_where_the_data_have_them() {
    let folder = Folder::new();
    let plan = folder.file("protocol.toml", &protocol(WALD));
    let mut lines: Vec<String> = data(100, 40, 50).lines().map(str::to_owned).collect();
    lines[0].push_str(",weight");
    for (i, line) in lines.iter_mut().enumerate().skip(1) {
        // One of the control arm stands for as many as all others of it; two have no weight.
        let weight = match i {
            1 => "97",
            2 => "0",
            3 => "",
            _ => "1",
        };
        line.push_str(&format!(",{weight}"));
    }
    let told = json(&analyse(
        &folder.file("data.csv", &lines.join("\n")),
        &plan,
        &["--format", "json"],
    ));
    let entry = told["estimates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["estimator"] == "difference_in_means_weighted")
        .expect("made by default, because there are weights")
        .clone();
    let control = (97.0 + 37.0) / (97.0 + 97.0);
    assert!(
        (number(&entry["estimate"]) - (0.5 - control)).abs() < 1e-12,
        "{entry}"
    );
    assert_eq!(entry["details"]["n_weighted"]["control"], 98);
    let effective = 194.0_f64.powi(2) / (97.0_f64.powi(2) + 97.0);
    assert!((number(&entry["details"]["effective_n"]["control"]) - effective).abs() < 1e-9);
    let warnings = entry["warnings"].to_string();
    assert!(
        warnings.contains("2 participants with a value have no weight"),
        "{warnings}"
    );
    assert!(
        warnings.contains("weights of the control arm are extreme"),
        "{warnings}"
    );
    assert!(!warnings.contains("weights of the new arm"), "{warnings}");
    let negative = folder.file("bad.csv", &lines.join("\n").replace(",97", ",-97"));
    let error = refused(&analyse(&negative, &plan, &[]), 2);
    assert!(error.contains("column weight is neither 0 nor"), "{error}");
}

const LOOKS: &str = "[analysis.looks]\ninformation = [0.5, 1.0]\nspending = 'obrien_fleming'\n";
const GROWS: &str = "[analysis.looks.reestimation]\nleast = 0.3\ntarget = 0.9\nmost = 2.0\n";
const SIZE: &str = "[sample_size]\nplanned = 400\npower = 0.9\n";

#[test]
fn a_trial_in_the_promising_zone_grows_and_weighs_its_stages_as_planned() {
    let folder = Folder::new();
    let plan = folder.file(
        "protocol.toml",
        &protocol(&format!("{WALD}{LOOKS}{GROWS}{SIZE}")),
    );
    let first = folder.file("first.csv", &data(100, 40, 50));
    let one = analyse(&first, &plan, &["--format", "json", "--look", "1"]);
    let document = folder.file("look-1.json", &printed(&one));
    let at = json(&one)["sequential"]["arms"][0].clone();
    let advice = &at["reestimation"];
    assert_eq!(advice["zone"], "promising", "{at}");
    let factor = number(&advice["factor"]);
    assert!(factor > 1.0 && factor <= 2.0);
    // 200 with a value at half of the information.
    let participants = (400.0 * (0.5 + factor * 0.5) * (1.0 - 1e-12)).ceil() as u64;
    assert_eq!(advice["participants"], participants);
    let text = printed(&analyse(&first, &plan, &["--look", "1"]));
    assert!(text.contains("promising zone, conditional power"), "{text}");

    // The second stage was enlarged: 400 an arm at the end.
    let last = folder.file("last.csv", &data(400, 160, 192));
    let without = json(&analyse(&last, &plan, &["--format", "json", "--look", "2"]));
    let held = &without["sequential"]["arms"][0];
    assert!(held["decision"].is_null(), "{held}");
    assert!(
        held["warnings"]
            .to_string()
            .contains("nothing is known here"),
        "{held}"
    );
    let earlier = document.display().to_string();
    let told = json(&analyse(
        &last,
        &plan,
        &["--format", "json", "--look", "2", "--earlier", &earlier],
    ));
    let end = &told["sequential"]["arms"][0];
    let (z1, i1) = (number(&at["z"]), number(&at["information"]));
    let (z, i) = (number(&end["z"]), number(&end["information"]));
    let second = (z * i.sqrt() - z1 * i1.sqrt()) / (i - i1).sqrt();
    let t = number(&at["fraction"]);
    let weighted = t.sqrt() * z1 + (1.0 - t).sqrt() * second;
    assert!(
        (number(&end["weighted_z"]) - weighted).abs() < 1e-12,
        "{end}"
    );
    // The final boundary is that of the plan, whatever the size became: rpact, 0.5 and 1, alpha 0.025.
    assert!(
        (number(&end["boundary"]["upper"]) - 1.968_596_376).abs() < 1e-6,
        "{end}"
    );
    assert_eq!(end["decision"], "success");
    // The limits are the effects at which the weighted statistic meets the boundary.
    let lower = number(&end["repeated_confidence"]["lower"]);
    let shifted =
        t.sqrt() * (z1 - lower * i1.sqrt()) + (1.0 - t).sqrt() * (second - lower * (i - i1).sqrt());
    assert!((shifted - number(&end["boundary"]["upper"])).abs() < 1e-9);
    assert!(end["after_stop"]["median_unbiased"].is_null());
}

#[test]
fn documents_of_earlier_looks_are_checked() {
    let folder = Folder::new();
    let plan = folder.file("protocol.toml", &protocol(&format!("{WALD}{LOOKS}{SIZE}")));
    let other = folder.file(
        "other.toml",
        &protocol(&format!("{WALD}{LOOKS}{SIZE}")).replace("Plans", "x"),
    );
    let cut = folder.file("data.csv", &data(100, 40, 50));
    let look = |protocol: &Path, more: &[&str]| {
        let mut all = vec!["--format", "json", "--look"];
        all.extend(more);
        analyse(&cut, protocol, &all)
    };
    let first = folder
        .file("1.json", &printed(&look(&plan, &["1"])))
        .display()
        .to_string();
    let foreign = folder
        .file("x.json", &printed(&look(&other, &["1"])))
        .display()
        .to_string();
    let none = folder.file("none.json", "{}").display().to_string();
    let written = |name: &str, document: &Value| {
        folder
            .file(name, &document.to_string())
            .display()
            .to_string()
    };
    let plain = written(
        "plain.json",
        &json(&analyse(&cut, &plan, &["--format", "json"])),
    );
    let mut document = json(&look(&plan, &["1"]));
    document["sequential"]["arms"][0]["information"] = (-1.0).into();
    let forged = written("forged.json", &document);
    document["sequential"]["arms"] = Value::Array(Vec::new());
    let short = written("short.json", &document);
    let broken = folder.file("broken.json", "{").display().to_string();
    let cases = [
        (vec!["2", "--earlier", &foreign], "is not of this protocol"),
        (vec!["1", "--earlier", &first], "is no look before this one"),
        (
            vec!["2", "--earlier", &first, "--earlier", &first],
            "another file told already",
        ),
        (vec!["2", "--earlier", &none], "is not of this protocol"),
        (vec!["2", "--earlier", &plain], "is no planned look"),
        (
            vec!["2", "--earlier", &forged],
            "numbers that no look can have",
        ),
        (
            vec!["2", "--earlier", &short],
            "does not tell of each arm once",
        ),
        (vec!["2", "--earlier", &broken], "is not JSON"),
    ];
    for (more, why) in cases {
        let error = refused(&look(&plan, &more), 2);
        assert!(error.contains(why), "{error}");
    }
    // The look is at half of the information by both, so that the boundary does not change.
    let at = |more: &[&str]| {
        let end = folder.file("end.csv", &data(200, 80, 110));
        let mut all = vec!["--format", "json", "--look", "2"];
        all.extend(more);
        json(&analyse(&end, &plan, &all))["sequential"]["arms"][0]["boundary"]["upper"].clone()
    };
    let (by_plan, as_told) = (at(&[]), at(&["--earlier", &first]));
    assert!((number(&by_plan) - number(&as_told)).abs() < 1e-12);
}

/// R: uniroot on pmvnorm over two looks at 0.5 and 0.6.
const HARM: f64 = 1.731_732_47;

const MIXTURE: f64 = 16.619_341_161_442_247;
const STITCHED: f64 = 16.855_998_315_804_26;

#[test]
fn sequences_of_shares_hold_at_any_size() {
    let folder = Folder::new();
    let cut = folder.file("data.csv", &data(100, 40, 50));
    let at = |kind: &str| {
        let plan = format!("{WALD}{LOOKS}confidence_sequence = '{kind}'\n{SIZE}");
        let plan = folder.file(&format!("{kind}.toml"), &protocol(&plan));
        let told = json(&analyse(&cut, &plan, &["--format", "json"]));
        let limits = told["sequential"]["arms"][0]["always_valid"].clone();
        (number(&limits["lower"]), number(&limits["upper"]))
    };
    // Each arm's share at half of the error, Hoeffding's variance n/4, best at 400/2/4: by the formulas of Howard
    // and others 2021 in Python (the boundaries themselves are held against confseq in tests/golden/inference.py).
    for (kind, bound) in [("mixture", MIXTURE), ("stitched", STITCHED)] {
        let ((lower, upper), half) = (at(kind), bound / 100.0);
        assert!((lower - (0.1 - 2.0 * half)).abs() < 1e-9, "{kind} {lower}");
        assert!((upper - (0.1 + 2.0 * half)).abs() < 1e-9, "{kind} {upper}");
    }
    let (asymptotic, mixture) = (at("asymptotic"), at("mixture"));
    assert!(asymptotic.0 > mixture.0 && asymptotic.1 < mixture.1);
}

/// Three arms; 60 participants each.
fn several(plan: &str) -> (Folder, PathBuf, PathBuf) {
    let folder = Folder::new();
    let text = protocol(plan).replace(
        "{id = 'new', ratio = 1}",
        "{id = 'new', ratio = 1}, {id = 'newer', ratio = 1}",
    );
    let mut rows = data(60, 20, 34);
    for i in 0..60 {
        rows.push_str(&format!("newer{i},newer,{}\n", u8::from(i < 31)));
    }
    let (plan, rows) = (
        folder.file("protocol.toml", &text),
        folder.file("data.csv", &rows),
    );
    (folder, plan, rows)
}

#[test]
fn the_planned_method_says_which_arms_are_shown() {
    let holm = format!("{WALD}[analysis.multiplicity]\nmethod = 'holm'\n");
    let (_folder, plan, rows) = several(&holm);
    let told = json(&analyse(&rows, &plan, &["--format", "json"]))["multiplicity"].clone();
    assert_eq!(told["planned"], "holm");
    for comparison in told["comparisons"].as_array().unwrap() {
        let shown = number(&comparison["adjusted"]["holm"]) <= 0.025;
        assert_eq!(comparison["shown"], shown, "{comparison}");
    }
    let graph = format!(
        "{WALD}[analysis.multiplicity]\nmethod = 'graphical'\nweights = {{new = 1.0}}\n\
         transitions = {{new = {{newer = 1.0}}}}\n"
    );
    let (_folder, plan, rows) = several(&graph);
    let told = json(&analyse(&rows, &plan, &["--format", "json"]))["multiplicity"].clone();
    // All weight on the first, then on the second: the sequence in the order of the arms.
    for comparison in told["comparisons"].as_array().unwrap() {
        assert_eq!(
            comparison["adjusted"]["graphical"],
            comparison["adjusted"]["fixed_sequence"]
        );
    }
    let text = printed(&analyse(&rows, &plan, &[]));
    assert!(text.contains("planned: graphical"), "{text}");
    let page = printed(&analyse(&rows, &plan, &["--format", "html"]));
    for part in [
        "several arms (planned: graphical)",
        "re-draws",
        "effective n",
    ] {
        assert_eq!(page.contains(part), part != "effective n", "{part}");
    }
}

#[test]
fn arms_share_the_error_of_the_looks() {
    let plan = format!("{WALD}[analysis.multiplicity]\nmethod = 'bonferroni'\n{LOOKS}{SIZE}");
    let (_folder, plan, rows) = several(&plan);
    let told = json(&analyse(&rows, &plan, &["--format", "json", "--look", "1"]));
    let at = &told["sequential"]["arms"][0];
    let fraction = number(&at["fraction"]);
    let upper = |p: f64| -lodkast::statistics::distributions::normal_quantile(p);
    let spent = 2.0
        * lodkast::statistics::distributions::normal_upper(upper(0.0125 / 2.0) / fraction.sqrt());
    assert!(
        (number(&at["boundary"]["alpha_spent"]) - spent).abs() < 1e-12,
        "{at}"
    );
    let level = number(&at["repeated_confidence"]["level"]);
    assert!((level - 0.975).abs() < 1e-12, "{level}");
}

#[test]
fn plans_that_cannot_be_followed_are_refused() {
    let cases = [
        (
            format!("{WALD}[analysis.multiplicity]\nmethod = 'holm'\n"),
            "needs two arms",
        ),
        (
            format!("{WALD}{LOOKS}confidence_sequence = 'mixture'\n"),
            "needs sample_size.planned",
        ),
        (
            format!("{WALD}{LOOKS}confidence_sequence = 'mixture'\n{SIZE}")
                .replace("risk_difference_wald", "risk_ratio_katz"),
            "takes a difference of risks",
        ),
        (
            format!("{WALD}{LOOKS}{}", GROWS.replace("0.3", "0.95")),
            "least must lie between",
        ),
        (
            format!("{WALD}{LOOKS}{}", GROWS.replace("2.0", "1.0")),
            "most must lie above 1",
        ),
        (
            WALD.to_owned() + "hypothesis = 'equivalence'\nmargin = 0.1\n" + LOOKS + GROWS,
            "is not for equivalence",
        ),
        (
            format!("{WALD}{LOOKS}{GROWS}").replace("[0.5, 1.0]", "[1.0]"),
            "needs a look before the last",
        ),
        (
            format!("{WALD}[sample_size]\nassume = {{control = 0.5, effect = -0.1}}"),
            "lies on the wrong side of 0",
        ),
        (
            WALD.replace("risk_difference_wald", "risk_ratio_katz")
                + "hypothesis = 'equivalence'\nmargin = 1.0\n",
            "must not be 1 for a ratio",
        ),
        (
            format!("{WALD}[sample_size]\npower = nan"),
            "sample_size.power must be a finite number",
        ),
        (
            format!("estimators = ['cost_effectiveness:costs']\n{WALD}"),
            "names no endpoint that is a number",
        ),
    ];
    let folder = Folder::new();
    for (plan, why) in cases {
        let path = folder
            .file("protocol.toml", &protocol(&plan))
            .display()
            .to_string();
        let made = lodkast()
            .args(["design", "--protocol", &path])
            .output()
            .unwrap();
        let error = refused(&made, 2);
        assert!(error.contains(why), "{why}: {error}");
    }
}

fn reestimated(endpoint: &str, plan: &str, rows: &str) -> Value {
    let folder = Folder::new();
    let keys = endpoint.replace(", ", "\n");
    let text = protocol(plan).replace("kind = 'binary'", &keys);
    let plan = folder.file("protocol.toml", &text).display().to_string();
    let rows = folder.file("data.csv", rows).display().to_string();
    let args = [
        "design",
        "--protocol",
        &plan,
        "--blinded",
        &rows,
        "--format",
        "json",
    ];
    json(&lodkast().args(args).output().unwrap())["reestimated"].clone()
}

#[test]
fn a_size_is_computed_anew_without_a_look_at_the_arms() {
    let plan =
        format!("{WALD}[sample_size]\npower = 0.9\nassume = {{control = 0.5, effect = 0.1}}\n");
    // 60 of 200 have the event: the control arm has 0.25 if the other has 0.35.
    let blind: String = data(100, 20, 40)
        .lines()
        .map(|line| {
            let parts: Vec<&str> = line.split(',').collect();
            format!("{},{}\n", parts[0], parts[2])
        })
        .collect();
    let told = reestimated("kind = 'binary'", &plan, &blind);
    assert!(
        (number(&told["assume"]["control"]) - 0.25).abs() < 1e-9,
        "{told}"
    );
    assert_eq!((&told["n"], &told["missing"]), (&200.into(), &0.into()));
    // R 4.2.2: (qnorm(0.975) + qnorm(0.9))^2 * (0.25 * 0.75 + 0.35 * 0.65) * 2 / 0.1^2 = 872.1.
    assert_eq!(told["sample_size"]["total"], 873);
    // Wilson's limits of 60 of 200, by R's prop.test(60, 200, correct = FALSE): 0.24075, 0.36679.
    assert!(
        (number(&told["pooled"]["lower"]) - 0.24075).abs() < 5e-5,
        "{told}"
    );
    assert!(
        (number(&told["pooled"]["upper"]) - 0.36679).abs() < 5e-5,
        "{told}"
    );
    let at = |i: usize| number(&told["total_at_limits"][i]);
    assert!(at(0) < 873.0 && at(1) > 873.0, "{told}");
    // With the arms the same number comes out: they are not read.
    let with = reestimated("kind = 'binary'", &plan, &data(100, 20, 40));
    assert_eq!(with["sample_size"], told["sample_size"]);

    let plan = format!(
        "{}[sample_size]\npower = 0.9\nassume = {{control = 10, effect = 1.0, standard_deviation = 3}}\n",
        WALD.replace("risk_difference_wald", "difference_in_means_welch")
    );
    let mut rows = String::from("participant,work\n");
    (0..100).for_each(|i| rows.push_str(&format!("p{i},{}\n", i % 10)));
    let told = reestimated("kind = 'continuous'", &plan, &rows);
    // The variance of 0 to 9, ten times each, is 8.25 * 100/99; the effect between the arms is taken off.
    let within = (8.25 - 0.25) * 100.0 / 99.0;
    assert!(
        (number(&told["assume"]["standard_deviation"]) - f64::sqrt(within)).abs() < 1e-9,
        "{told}"
    );
    assert!(
        (number(&told["assume"]["control"]) - 4.0).abs() < 1e-9,
        "{told}"
    );
    assert_eq!(told["assume"]["effect"], 1.0);
}

#[test]
fn too_few_blinded_data_give_no_size() {
    let folder = Folder::new();
    let text = format!("{WALD}[sample_size]\nassume = {{control = 0.5, effect = 0.1}}\n");
    let plan = folder
        .file("protocol.toml", &protocol(&text))
        .display()
        .to_string();
    for (rows, why) in [
        (data(10, 2, 4), "at least 30"),
        ("participant\np1\n".into(), "column work"),
    ] {
        let rows = folder.file("data.csv", &rows).display().to_string();
        let made = lodkast()
            .args(["design", "--protocol", &plan, "--blinded", &rows])
            .output();
        let error = refused(&made.unwrap(), 2);
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_count_is_compared_by_its_rate_whatever_columns_there_are() {
    let folder = Folder::new();
    let text = protocol("[analysis]\nprimary = 'work'\nalpha = 0.05\nsides = 2\n")
        .replace("'binary'", "'count'");
    let plan = folder.file("protocol.toml", &text);
    let rows: String = data(50, 20, 30)
        .lines()
        .enumerate()
        .map(|(i, line)| format!("{line},{}\n", if i == 0 { "weight" } else { "1" }))
        .collect();
    let told = json(&analyse(
        &folder.file("data.csv", &rows),
        &plan,
        &["--format", "json"],
    ));
    assert_eq!(told["estimates"][0]["estimator"], "rate_ratio_lwyy");
    assert_eq!(told["estimates"][0]["primary"], true);
}

#[test]
fn an_arm_that_is_worse_is_not_shown() {
    let holm = "[analysis]\nprimary = 'work'\nestimator = 'risk_difference_wald'\nalpha = 0.05\nsides = 2\n\
        [analysis.multiplicity]\nmethod = 'holm'\n";
    let (folder, plan, _) = several(holm);
    let mut rows = data(60, 40, 10);
    (0..60).for_each(|i| rows.push_str(&format!("newer{i},newer,{}\n", u8::from(i < 58))));
    let rows = folder.file("worse.csv", &rows);
    let told = json(&analyse(&rows, &plan, &["--format", "json"]))["multiplicity"].clone();
    let shown: Vec<&Value> = told["comparisons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["shown"])
        .collect();
    assert_eq!(shown, [&Value::Bool(false), &Value::Bool(true)], "{told}");
}

#[test]
fn a_line_is_counted_alike_with_returns_and_without() {
    let folder = Folder::new();
    let plan = folder.file("protocol.toml", &protocol(WALD));
    let wrong = data(10, 4, 5).replace("control3,control,1", "control3,control,7");
    for text in [wrong.clone(), wrong.replace('\n', "\r\n")] {
        let error = refused(&analyse(&folder.file("data.csv", &text), &plan, &[]), 2);
        assert!(error.contains("line 5, column work"), "{error}");
    }
}

#[test]
fn shapes_binding_futility_and_harm_are_followed_at_looks() {
    let folder = Folder::new();
    let at = |looks: &str, events: usize| {
        let text = format!("{WALD}[analysis.looks]\ninformation = [0.5, 1.0]\n{looks}\n{SIZE}");
        let plan = folder.file("protocol.toml", &protocol(&text));
        let cut = folder.file("data.csv", &data(100, 50, events));
        let told = json(&analyse(&cut, &plan, &["--format", "json", "--look", "1"]));
        told["sequential"]["arms"][0].clone()
    };
    // R rpact 3.3.4: Haybittle and Peto 3; Wang and Tsiatis 0.25 at half: the last is c, the first c / 0.5^0.25.
    let peto = at("spending = 'haybittle_peto'", 50);
    assert!(
        (number(&peto["boundary"]["upper"]) - 3.0).abs() < 1e-6,
        "{peto}"
    );
    let tsiatis = at("spending = 'wang_tsiatis'\ndelta = 0.5", 50);
    assert!(
        (number(&tsiatis["boundary"]["upper"]) - 2.178_272).abs() < 1e-5,
        "{tsiatis}"
    );
    let binding = at(
        "spending = 'hwang_shih_decani'\ngamma = -4\nfutility = 'binding_beta'",
        30,
    );
    assert_eq!(binding["decision"], "futility", "{binding}");
    assert!(binding["after_stop"]["p_value"].is_f64(), "{binding}");
    let advised = at(
        "spending = 'hwang_shih_decani'\ngamma = -4\nfutility = 'nonbinding_beta'",
        30,
    );
    assert_eq!(advised["decision"], "futility");
    assert!(advised["chances"]["predictive_power"].is_f64(), "{advised}");
    let harm = at("spending = 'pocock'\nharm = 0.05", 30);
    assert_eq!(harm["decision"], "harm", "{harm}");
    // Pocock's share of 0.05 at half of the information, on the other side.
    let spent = 0.05 * (0.5 * (std::f64::consts::E - 1.0)).ln_1p();
    let lower = lodkast::statistics::distributions::normal_quantile(spent);
    assert!(
        (number(&harm["boundary"]["lower"]) - lower).abs() < 1e-6,
        "{harm}"
    );
}

#[test]
fn binding_futility_is_obeyed_and_harm_spends_what_is_left() {
    let folder = Folder::new();
    let protocol = |looks: &str| {
        let text = format!("{WALD}[analysis.looks]\ninformation = [0.5, 1.0]\n{looks}\n{SIZE}");
        folder.file("protocol.toml", &protocol(&text))
    };
    let look = |plan: &Path, rows: &str, more: &[&str]| {
        let rows = folder.file("data.csv", rows);
        let mut all = vec!["--format", "json", "--look"];
        all.extend(more);
        json(&analyse(&rows, plan, &all))
    };
    let plan = protocol("spending = 'obrien_fleming'\nfutility = 'binding_beta'");
    let end = data(200, 80, 110);
    let untold = look(&plan, &end, &["2"])["sequential"]["arms"][0].clone();
    assert!(untold["decision"].is_null(), "{untold}");
    assert!(
        untold["warnings"]
            .to_string()
            .contains("nothing is known of look 1"),
        "{untold}"
    );
    let first = |events: usize| {
        let document = look(&plan, &data(100, 50, events), &["1"]).to_string();
        folder
            .file(&format!("first-{events}.json"), &document)
            .display()
            .to_string()
    };
    let stopped =
        look(&plan, &end, &["2", "--earlier", &first(35)])["sequential"]["arms"][0].clone();
    assert!(
        stopped["warnings"]
            .to_string()
            .contains("had to stop for futility at look 1"),
        "{stopped}"
    );
    let going = look(&plan, &end, &["2", "--earlier", &first(58)])["sequential"]["arms"][0].clone();
    // What binds makes success easier: the plain boundary is 1.968596.
    let upper = number(&going["boundary"]["upper"]);
    assert!(upper < 1.968 && upper > 1.9, "{going}");
    // The interval that holds at all looks does not count on futility.
    let limits = &going["repeated_confidence"];
    let estimate = 30.0 / 200.0;
    let error = f64::sqrt(0.4 * 0.6 / 200.0 + 0.55 * 0.45 / 200.0);
    let reach = (estimate - number(&limits["lower"])) / error;
    assert!((reach - 1.968_596).abs() < 1e-5, "{reach}");

    // R mvtnorm: Pocock's share of 0.05 at 0.5, all of it at a last look at 0.6.
    let plan = protocol("spending = 'pocock'\nharm = 0.05");
    let document = look(&plan, &data(100, 50, 50), &["1"]).to_string();
    let told = folder.file("harm.json", &document).display().to_string();
    let early = look(&plan, &data(120, 60, 60), &["2", "--earlier", &told]);
    let lower = number(&early["sequential"]["arms"][0]["boundary"]["lower"]);
    assert!((lower + HARM).abs() < 1e-6, "{lower}");
}
