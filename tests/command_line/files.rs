//! Commands that read and write files: demo, allocate, analyse, import, export.

use super::{Installation, lodkast, printed, refused};
use crate::support::{TRIAL, protocol};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

const EXAMPLE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/config/protocols/digital-conversations.toml"
);
const SEED: &str = "0707070707070707070707070707070707070707070707070707070707070707";

fn with_input(command: &mut Command, input: &str) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    child.wait_with_output().unwrap()
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn the_demonstration_runs_the_whole_job() {
    let folder = tempfile::tempdir().unwrap();
    let output = lodkast()
        .args(["demo", "--no-serve", "--participants", "240", "--folder"])
        .arg(folder.path().join("demo"))
        .output()
        .unwrap();
    let text = printed(&output);
    for part in [
        "Assessed for eligibility",
        "Randomized",
        "240",
        "Primary result",
        "95% CI",
        "p = ",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        told.contains("0 refused") && told.contains("commitment"),
        "{told}"
    );
}

#[test]
fn allocate_adds_index_stratum_and_arm_in_order() {
    let arguments = ["allocate", "--protocol", EXAMPLE, "--seed", SEED];
    let input = "name,site,target_group\nx,Aalborg,sickness_benefit\ny,Odense,sickness_benefit\nz,Aalborg,sickness_benefit\n";
    let text = printed(&with_input(lodkast().args(arguments), input));
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[0], "name,site,target_group,index,stratum,arm");
    assert!(lines[1].starts_with("x,Aalborg,sickness_benefit,0,\"{\"\"site\"\":\"\"Aalborg\"\""));
    assert!(lines[2].starts_with("y,Odense,sickness_benefit,0,"));
    assert!(lines[3].starts_with("z,Aalborg,sickness_benefit,1,"));
    // Another trial id, another list; the same call, the same list.
    assert_eq!(printed(&with_input(lodkast().args(arguments), input)), text);
    let many: String = std::iter::once("site,target_group\n".to_owned())
        .chain((0..64).map(|_| "Aalborg,sickness_benefit\n".to_owned()))
        .collect();
    let own = printed(&with_input(lodkast().args(arguments), &many));
    let other = printed(&with_input(
        lodkast().args(arguments).args(["--trial", "another"]),
        &many,
    ));
    assert_ne!(own, other);
}

#[test]
fn allocate_names_the_line_and_column_at_fault() {
    let arguments = ["allocate", "--protocol", EXAMPLE, "--seed", SEED];
    let bad = with_input(
        lodkast().args(arguments),
        "site,target_group\nAalborg,sickness_benefit\nAalborg,tourist\n",
    );
    assert!(refused(&bad, 2).contains("line 3, column target_group"));
    let bad = with_input(lodkast().args(arguments), "site\nAalborg\n");
    assert!(refused(&bad, 2).contains("lacks the column target_group"));
    let bad = with_input(
        lodkast().args(["allocate", "--protocol", EXAMPLE, "--seed", "12"]),
        "",
    );
    assert!(refused(&bad, 2).contains("64 hexadecimal digits"));
}

const SMALL: &str = r#"
id = "small"
title = "Small"
arms = [{ id = "a", control = true }, { id = "b" }]
factors = [{ id = "sex", levels = ["f", "m"], stratify = true }, { id = "age", kind = "number" }]
endpoints = [
  { id = "job", kind = "binary", from = "reported" },
  { id = "weeks", kind = "continuous", from = "reported" },
  { id = "spell", kind = "time_to_event", from = "reported", horizon_weeks = 10 },
]
[randomization]
method = "simple"
[analysis]
primary = "job"
alpha = 0.05
sides = 2
"#;

const ROWS: &str = "participant,arm,sex,age,job,weeks,spell,spell_event,extra
1,a,f,30,1,10,3,1,x
2,a,f,31,0,4,12,1,x
3,a,m,32,0,,10,0,x
4,b,m,33,1,12.5,2,1,x
5,b,f,34,1,8,10,1,x
6,b,m,,0,3,9,2,x
";

#[test]
fn analyse_answers_in_three_formats() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = write(folder.path(), "small.toml", SMALL);
    let data = write(folder.path(), "small.csv", ROWS);
    let run = |format: &str| {
        lodkast()
            .args([
                "analyse",
                &data,
                "--protocol",
                &protocol,
                "--format",
                format,
            ])
            .output()
            .unwrap()
    };
    let json: Value = serde_json::from_str(&printed(&run("json"))).unwrap();
    assert_eq!(json["data"]["rows"], 6);
    assert_eq!(
        json["estimates"][0]["estimator"],
        "risk_difference_miettinen_nurminen"
    );
    assert_eq!(json["estimates"][0]["events"], json!({"a": 1, "b": 2}));
    assert!(
        json["warnings"].to_string().contains("extra"),
        "{}",
        json["warnings"]
    );
    let spell = json["estimates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|e| e["endpoint"] == "spell")
        .unwrap();
    assert!(
        spell["warnings"].to_string().contains("competing"),
        "{spell}"
    );
    assert!(!json.to_string().contains("NaN"));
    let text = printed(&run("text"));
    assert!(
        text.contains("b against a") && text.contains("95% CI"),
        "{text}"
    );
    let html = printed(&run("html"));
    assert!(
        html.starts_with("<!DOCTYPE html>") && html.contains("</html>"),
        "{html}"
    );
    assert_eq!(printed(&run("json")), printed(&run("json")));
}

#[test]
fn values_too_large_to_compute_with_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = write(folder.path(), "small.toml", SMALL);
    let rows = ROWS
        .replace(",1,10,", ",1,1.7e308,")
        .replace(",0,4,", ",0,-1.7e308,");
    let data = write(folder.path(), "huge.csv", &rows);
    for format in ["json", "text", "html"] {
        let arguments = [
            "analyse",
            &data,
            "--protocol",
            &protocol,
            "--format",
            format,
        ];
        let text = printed(&lodkast().args(arguments).output().unwrap());
        assert!(text.contains("too large to compute with"), "{text}");
        assert!(!text.contains("NaN") && !text.contains("inf"), "{text}");
    }
}

#[test]
fn the_order_of_the_rows_changes_no_estimate() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = write(folder.path(), "small.toml", SMALL);
    let mut rows: Vec<&str> = ROWS.lines().skip(1).collect();
    rows.reverse();
    let reversed = format!("{}\n{}\n", ROWS.lines().next().unwrap(), rows.join("\n"));
    let estimates = |name: &str, text: &str| {
        let data = write(folder.path(), name, text);
        let output = lodkast()
            .args([
                "analyse",
                &data,
                "--protocol",
                &protocol,
                "--format",
                "json",
            ])
            .output()
            .unwrap();
        let json: Value = serde_json::from_str(&printed(&output)).unwrap();
        json["estimates"].to_string()
    };
    assert_eq!(estimates("a.csv", ROWS), estimates("b.csv", &reversed));
}

#[test]
fn analyse_names_the_line_and_column_at_fault() {
    let folder = tempfile::tempdir().unwrap();
    let protocol = write(folder.path(), "small.toml", SMALL);
    let run = |text: &str| {
        let data = write(folder.path(), "bad.csv", text);
        let output = lodkast()
            .args(["analyse", &data, "--protocol", &protocol])
            .output()
            .unwrap();
        refused(&output, 2)
    };
    let header = ROWS.lines().next().unwrap();
    assert!(run("").contains("participant is missing"));
    assert!(run(&format!("{header}\n")).contains("has no rows"));
    assert!(run("participant,arm\n1,a\n").contains("line 1, column weeks is missing"));
    let faults = run(&format!(
        "{header}\n1,a,f,1,1,1,1,1,x\n1,c,q,old,2,-,-1,0.5,x\n"
    ));
    for column in [
        "participant",
        "arm",
        "sex",
        "age",
        "job",
        "weeks",
        "spell",
        "spell_event",
    ] {
        assert!(
            faults.contains(&format!("line 3, column {column} ")),
            "{column}: {faults}"
        );
    }
    assert!(run(&format!("{header}\n1,a,f\n")).contains("line 2 has 3 fields"));
    let missing = lodkast()
        .args(["analyse", "none.csv", "--protocol", &protocol])
        .output()
        .unwrap();
    assert!(refused(&missing, 2).contains("none.csv"));
    let broken = write(folder.path(), "broken.toml", "id = \n");
    let output = lodkast()
        .args(["analyse", "none.csv", "--protocol", &broken])
        .output()
        .unwrap();
    assert!(refused(&output, 2).contains("line 1"));
    assert_eq!(
        lodkast().arg("nonsense").output().unwrap().status.code(),
        Some(2)
    );
}

#[test]
fn an_import_and_an_export_go_there_and_back() {
    let installation = Installation::sqlite();
    let folder = installation.folder.path();
    let admin = installation.key("administrator", "Anna");
    let statistician = installation.key("statistician", "Stine");
    let monitor = installation.key("monitor", "Mona");
    let service = installation.serve();
    let mut external = protocol();
    external["randomization"] = json!({"method": "external"});
    external["citizen_scheme"] = json!("reference");
    let client = service.client(&admin);
    client.post("/v1/trials", &external).expect(201);
    client
        .post(&format!("{TRIAL}/registration"), &json!({}))
        .expect(201);
    client
        .post(
            &format!("{TRIAL}/status"),
            &json!({"to": "enrolling", "reason": "x"}),
        )
        .expect(200);

    let map = write(
        folder,
        "people.toml",
        r#"
into = "enrolments"
source = "old system"
numbers = ["factors.age"]
[columns]
"citizen.value" = "id"
arm = "tg"
site = "office"
"factors.age" = "age"
enrolled_on = "day"
[constants]
"citizen.scheme" = "reference"
"factors.target_group" = "unemployment_benefit"
"eligibility.first_conversation" = false
"eligibility.needs_interpreter" = false
"eligibility.protected_address" = false
"eligibility.in_another_trial" = false
provenance = "Drawn by the old system in 2025"
[values.tg]
1 = "digital"
0 = "physical"
"#,
    );
    let people = "id,tg,office,age,day\np1,1,Aalborg,40,2025-01-06\np2,0,Odense,31,2025-01-07\n";
    let people_file = write(folder, "people.csv", people);
    let import = |map: &str, data: &str| {
        installation
            .command(&[
                "import",
                "--trial",
                "digital-conversations",
                "--map",
                map,
                data,
            ])
            .output()
            .unwrap()
    };
    let bad = write(folder, "bad.csv", &people.replace("40", "forty"));
    assert!(refused(&import(&map, &bad), 2).contains("line 2: factors.age"));
    printed(&import(&map, &people_file));
    let again = import(&map, &people_file);
    assert!(
        String::from_utf8_lossy(&again.stderr)
            .contains("0 new, 2 known before, 0 screened out, 0 refused")
    );

    let jobs = write(
        folder,
        "jobs.toml",
        r#"
into = "outcomes"
source = "old register"
[columns]
source_id = "nr"
"citizen.value" = "id"
effective_on = "day"
[constants]
"citizen.scheme" = "reference"
kind = "employment_started"
extracted_on = "2026-01-01"
"#,
    );
    let rows = write(
        folder,
        "jobs.csv",
        "nr,id,day\n1,p1,2025-03-01\n2,p9,2025-03-01\n",
    );
    // The unknown citizen is refused by line; the other one is kept.
    assert!(refused(&import(&jobs, &rows), 2).contains("line 3"));

    let cut = service
        .client(&statistician)
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201);
    let number = cut["data_cut"].to_string();
    let export = |output: &str, key: Option<&str>| {
        let mut command = installation.command(&[
            "export",
            "--trial",
            "digital-conversations",
            "--data-cut",
            &number,
            "--output",
            output,
        ]);
        if let Some(key) = key {
            command.env("LODKAST_API_KEY", key);
        }
        command.output().unwrap()
    };
    printed(&export("blind", None));
    printed(&export("open", Some(&monitor)));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    assert!(!read("blind/participants.csv").contains("digital"));
    assert!(
        read("open/participants.csv")
            .lines()
            .nth(1)
            .unwrap()
            .contains(",digital,2025-01-06,1,")
    );
    assert_eq!(read("open/outcomes.csv").lines().count(), 2);
    assert!(folder.join("open/conversations.csv").exists());
    assert!(!folder.join("blind/conversations.csv").exists());
    assert!(!read("blind/participants.csv").contains("2025-01-06"));
    assert!(read("blind/dictionary.csv").contains("coarsening,week to month"));
    assert!(read("open/dictionary.csv").contains("participants,enrolment_order,"));
    assert!(refused(&export("x", Some(&admin)), 2).contains("exports:read"));

    let data = folder.join("open/participants.csv").display().to_string();
    let plan = write(folder, "plan.json", &external.to_string());
    printed(
        &lodkast()
            .args(["analyse", &data, "--protocol", &plan])
            .output()
            .unwrap(),
    );
    service.signal("-TERM");
    service.ended();
}

/// The primary entry of a file in which 30 of 40 of arm b and 20 of 40 of arm a have the event.
fn primary(plan: &str) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let protocol = format!(
        "id = 'h'\ntitle = 'h'\narms = [{{id = 'a', control = true}}, {{id = 'b'}}]\n\
         [[endpoints]]\nid = 'e'\nkind = 'binary'\nfrom = 'reported'\n{plan}\n\
         [randomization]\nmethod = 'simple'\n"
    );
    let protocol = write(folder.path(), "h.toml", &protocol);
    let mut rows = String::from("participant,arm,e\n");
    for n in 0..80 {
        let (arm, event) = if n < 40 { ("a", n < 20) } else { ("b", n < 70) };
        rows += &format!("{n},{arm},{}\n", u8::from(event));
    }
    let data = write(folder.path(), "h.csv", &rows);
    let output = lodkast()
        .args([
            "analyse",
            &data,
            "--protocol",
            &protocol,
            "--format",
            "json",
        ])
        .output()
        .unwrap();
    let json: Value = serde_json::from_str(&printed(&output)).unwrap();
    json["estimates"][0].clone()
}

#[test]
fn the_primary_p_value_is_against_the_hypothesis_of_the_plan() {
    let wald = "primary = 'e'\nestimator = 'risk_difference_wald'";
    let error = (0.75_f64 * 0.25 / 40.0 + 0.5 * 0.5 / 40.0).sqrt();
    let upper = |z: f64| lodkast::statistics::distributions::normal_upper(z);
    let check = |entry: &Value, h0: f64, alternative: &str, p: f64, level: f64| {
        assert_eq!(entry["primary"], true);
        assert_eq!(
            (&entry["null"], &entry["alternative"]),
            (&json!(h0), &json!(alternative))
        );
        assert!(
            (entry["p_value"].as_f64().unwrap() - p).abs() < 1e-12,
            "{entry}"
        );
        assert_eq!(entry["confidence"]["level"], level);
    };
    let entry = primary(&format!(
        "better = 'higher'\n[analysis]\n{wald}\nalpha = 0.05\nsides = 2"
    ));
    check(&entry, 0.0, "two_sided", 2.0 * upper(0.25 / error), 0.95);
    let entry = primary(&format!(
        "better = 'lower'\n[analysis]\n{wald}\nalpha = 0.025\nsides = 1"
    ));
    check(&entry, 0.0, "less", upper(-0.25 / error), 0.95);
    let margin = "hypothesis = 'non_inferiority'\nalpha = 0.025\nsides = 1\nmargin =";
    let entry = primary(&format!(
        "better = 'higher'\n[analysis]\n{wald}\n{margin} -0.05"
    ));
    check(&entry, -0.05, "greater", upper(0.3 / error), 0.95);
    let entry = primary(&format!(
        "better = 'lower'\n[analysis]\n{wald}\n{margin} 0.4"
    ));
    check(&entry, 0.4, "less", upper(0.15 / error), 0.95);
    let equivalence = "hypothesis = 'equivalence'\nalpha = 0.05\nsides = 2\nmargin = 0.3";
    let entry = primary(&format!("[analysis]\n{wald}\n{equivalence}"));
    // The upper margin is the nearer one: its test is the weaker and the one that is told.
    check(&entry, 0.3, "less", upper(0.05 / error), 0.9);
}

#[test]
fn a_margin_that_cannot_be_tested_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |plan: &str, kind: &str| {
        let protocol = format!(
            "id = 'h'\ntitle = 'h'\narms = [{{id = 'a', control = true}}, {{id = 'b'}}]\n\
             endpoints = [{{id = 'e', kind = '{kind}', from = 'reported', better = 'higher'}}]\n\
             [randomization]\nmethod = 'simple'\n\
             [analysis]\nprimary = 'e'\nalpha = 0.025\nsides = 1\n{plan}\n"
        );
        let protocol = write(folder.path(), "h.toml", &protocol);
        refused(
            &lodkast()
                .args(["analyse", "none.csv", "--protocol", &protocol])
                .output()
                .unwrap(),
            2,
        )
    };
    let ni = "hypothesis = 'non_inferiority'\nmargin = ";
    assert!(refuse(&format!("{ni}0.03"), "binary").contains("must not be above 0"));
    assert!(
        refuse(
            &format!("{ni}-0.03\nestimator = 'cochran_mantel_haenszel'"),
            "binary"
        )
        .contains("without an effect")
    );
    assert!(refuse(&format!("{ni}-0.03"), "time_to_event").contains("without an effect"));
    assert!(refuse("estimator = 'kaplan_meier'", "time_to_event").contains("describes one arm"));
}
