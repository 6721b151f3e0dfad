//! `lodkast design`.

use super::{lodkast, printed, refused};
use serde_json::Value;
use std::process::Output;

const EXAMPLE: &str = include_str!("../../config/protocols/digital-conversations.toml");

fn design(protocol: &str, format: &str) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("protocol.toml");
    std::fs::write(&path, protocol).unwrap();
    let path = path.display().to_string();
    lodkast()
        .args(["design", "--protocol", &path, "--format", format])
        .output()
        .unwrap()
}

fn json(protocol: &str) -> Value {
    serde_json::from_str(&printed(&design(protocol, "json"))).unwrap()
}

#[test]
fn a_design_is_told_as_json_text_and_figure() {
    let told = json(EXAMPLE);
    assert_eq!((&told["alpha"], &told["sides"]), (&0.025.into(), &1.into()));
    let looks = told["looks"].as_array().unwrap();
    assert_eq!(looks.len(), 3);
    // R rpact 3.3.4: kMax = 3, informationRates = c(0.33, 0.67, 1), typeOfDesign = "asOF".
    let rpact = [3.730_665_293, 2.503_871_357, 1.993_709_855];
    for (look, expected) in looks.iter().zip(rpact) {
        assert!(
            (look["upper"].as_f64().unwrap() - expected).abs() < 1e-6,
            "{look}"
        );
    }
    assert!(told["sample_size"]["total"].as_u64().unwrap() > 11_000);
    assert!(told["power"].as_array().unwrap().len() > 10);
    let text = printed(&design(EXAMPLE, "text"));
    assert!(
        text.contains("effect <= -0.03 against effect > -0.03"),
        "{text}"
    );
    let svg = printed(&design(EXAMPLE, "svg"));
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn a_design_says_what_it_cannot_compute() {
    let without = EXAMPLE.split("[sample_size]").next().unwrap();
    let told = json(without);
    assert!(told["sample_size"]["total"].is_null());
    assert!(
        told["warnings"][0]
            .as_str()
            .unwrap()
            .contains("no size is computed"),
        "{told}"
    );
    let few = EXAMPLE.replace("planned = 20000", "planned = 5000");
    let warnings = json(&few)["warnings"].to_string();
    assert!(
        warnings.contains("5000 participants are planned"),
        "{warnings}"
    );
    let wrong = EXAMPLE.replace("effect = 0.0", "effect = -0.05");
    let error = refused(&design(&wrong, "json"), 2);
    assert!(error.contains("the wrong side of -0.03"), "{error}");
    refused(&design("id = 'x'", "json"), 2);
}
