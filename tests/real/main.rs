//! Two real trials, against values that R computed from the same files.
//!
//! The folder of the data is named by LODKAST_REAL_DATA; where it is not set these tests say loudly
//! that they did not run.

#[path = "../support/mod.rs"]
mod support;

mod job_corps;
mod penn;

use serde_json::Value;

/// The text of a data file, or nothing (said loudly) where the folder is not named.
fn data(name: &str) -> Option<String> {
    let Ok(folder) = std::env::var("LODKAST_REAL_DATA") else {
        eprintln!("!! LODKAST_REAL_DATA is not set: this test on a real trial DID NOT RUN");
        assert!(
            std::env::var("CI").is_err(),
            "in CI the real trials must be there"
        );
        return None;
    };
    let path = std::path::Path::new(&folder).join(name);
    Some(std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
}

/// The entry of an estimator in a result.
fn entry<'a>(result: &'a Value, endpoint: &str, estimator: &str) -> &'a Value {
    result["estimates"]
        .as_array()
        .unwrap()
        .iter()
        .find(|entry| entry["endpoint"] == endpoint && entry["estimator"] == estimator)
        .unwrap_or_else(|| panic!("no {estimator} of {endpoint} in {result}"))
}

/// The reference is printed with so many decimals: half a unit of the last one may differ.
#[track_caller]
fn printed(found: &Value, reference: f64, decimals: i32) {
    let found = found
        .as_f64()
        .unwrap_or_else(|| panic!("{found} instead of {reference}"));
    let half = 0.501 * 10_f64.powi(-decimals);
    assert!(
        (found - reference).abs() <= half,
        "{found} instead of {reference}"
    );
}
