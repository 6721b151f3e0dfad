//! Pennsylvania Reemployment Bonus Demonstration: arm 4 against arm 0, by `lodkast analyse`.

use super::{data, entry, printed};
use std::process::Command;

const PROTOCOL: &str = r#"
id = "penn-bonus"
title = "Pennsylvania Reemployment Bonus Demonstration, high bonus and 12 weeks against control"

[[arms]]
id = "0"
label = "Control"
ratio = 1
control = true

[[arms]]
id = "4"
label = "High bonus, 12 weeks"
ratio = 1

[[factors]]
id = "quarter"
levels = ["1", "2", "3", "4", "5", "6"]
stratify = true

[randomization]
method = "external"

[[endpoints]]
id = "weeks"
kind = "continuous"
better = "lower"
from = "reported"

[[endpoints]]
id = "spell"
kind = "time_to_event"
from = "reported"
horizon_weeks = 26

[[endpoints]]
id = "off_25"
kind = "binary"
from = "reported"

[analysis]
primary = "weeks"
alpha = 0.05
sides = 2
"#;

/// The file of `lodkast analyse`, made from the public-use file.
fn data_file(source: &str) -> String {
    let mut reader = csv::Reader::from_reader(source.as_bytes());
    let header = reader.headers().unwrap().clone();
    let place = |name: &str| header.iter().position(|column| column == name).unwrap();
    let (arm, weeks) = (place("tg"), place("inuidur1"));
    let quarters: Vec<usize> = (1..=6).map(|q| place(&format!("q{q}"))).collect();
    let mut out = String::from("participant,arm,quarter,weeks,spell,spell_event,off_25\n");
    for (n, record) in reader.records().enumerate() {
        let record = record.unwrap();
        if &record[arm] != "0" && &record[arm] != "4" {
            continue;
        }
        let duration: u32 = record[weeks].parse().unwrap();
        let quarter = quarters.iter().position(|q| &record[*q] == "1").unwrap() + 1;
        let (spell, event) = (duration.min(26), u8::from(duration < 26));
        let off = u8::from(duration <= 25);
        out += &format!(
            "{n},{},{quarter},{duration},{spell},{event},{off}\n",
            &record[arm]
        );
    }
    out
}

#[test]
fn the_values_of_r_are_reproduced() {
    let Some(source) = data("penn_bonus.csv") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (protocol, table) = (
        folder.path().join("penn.toml"),
        folder.path().join("penn.csv"),
    );
    std::fs::write(&protocol, PROTOCOL).unwrap();
    std::fs::write(&table, data_file(&source)).unwrap();
    let done = Command::new(env!("CARGO_BIN_EXE_lodkast"))
        .arg("analyse")
        .arg(&table)
        .arg("--protocol")
        .arg(&protocol)
        .args(["--format", "json"])
        .output()
        .unwrap();
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let result = serde_json::from_slice(&done.stdout).unwrap();

    let weeks = entry(&result, "weeks", "difference_in_means_welch");
    assert_eq!(
        (&weeks["n"]["4"], &weeks["n"]["0"]),
        (&1745.into(), &3354.into())
    );
    printed(&weeks["estimate"], -0.832361479, 9);
    printed(&weeks["standard_error"], 0.310587968, 9);
    let log_rank = entry(&result, "spell", "log_rank");
    printed(&log_rank["statistic"]["value"], 5.88563288, 8);
    let stratified = entry(&result, "spell", "log_rank_stratified");
    assert_eq!(stratified["stratified_by"], serde_json::json!(["quarter"]));
    printed(&stratified["statistic"]["value"], 5.66738, 5);
    let mean = entry(&result, "spell", "rmst_difference");
    printed(&mean["estimate"], -0.788235576, 9);
    printed(&mean["confidence"]["lower"], -1.352159, 6);
    printed(&mean["confidence"]["upper"], -0.224312, 6);
    let off = entry(&result, "off_25", "risk_difference_miettinen_nurminen");
    printed(&off["estimate"], 0.021565492, 9);
    printed(&off["confidence"]["lower"], -0.003340, 6);
    printed(&off["confidence"]["upper"], 0.045911, 6);
}
