//! Each rule by which facts become values, on one participant.

use super::*;
use crate::analysis::columns::Values;
use crate::analysis::facts::{About, Coverage, Outcome};
use chrono::NaiveDate;
use serde_json::json;

const DRAWN: &str = "2026-01-05";

fn day(text: &str) -> NaiveDate {
    text.parse().expect("a day")
}

fn outcome(kind: &str, on: &str) -> About<Outcome> {
    let body = json!({"kind": kind, "effective_on": on, "extracted_on": "2026-12-31"});
    About {
        sequence: 0,
        participant: "p".into(),
        source: "register".into(),
        key: "key".into(),
        site: None,
        recorded_on: day("2026-12-31"),
        body: serde_json::from_value(body).expect("an outcome"),
    }
}

/// A time, a value at the horizon and a count of weeks, with this strategy for every event.
fn protocol(strategy: &str) -> Protocol {
    let (strategy, events) = match strategy.strip_prefix("early_job ") {
        Some(strategy) => (strategy, vec!["early_job"]),
        None => (strategy, vec!["death", "emigration"]),
    };
    let events: serde_json::Map<_, _> = events
        .into_iter()
        .map(|event| (event.to_owned(), json!(strategy)))
        .collect();
    crate::protocol::from_value(json!({
        "id": "t", "title": "t",
        "arms": [{"id": "a", "control": true}, {"id": "b"}],
        "randomization": {"method": "simple"},
        "endpoints": [
            {"id": "time", "kind": "time_to_event", "from": "employment",
             "horizon_weeks": 26, "sustained_weeks": 4},
            {"id": "held", "kind": "binary", "from": "employment", "horizon_weeks": 26},
            {"id": "weeks", "kind": "continuous", "from": "employment", "horizon_weeks": 26},
            {"id": "days", "kind": "time_to_event", "from": "reported", "horizon_weeks": 26,
             "time_unit": "days"},
        ],
        "analysis": {"primary": "held", "alpha": 0.05, "sides": 2,
            "intercurrent_events": events},
    }))
    .expect("a protocol")
}

fn dataset(strategy: &str, outcomes: Vec<About<Outcome>>) -> Dataset {
    let data = CutData {
        participants: vec![Enrolled {
            id: "p".into(),
            arm: "a".into(),
            site: None,
            enrolled_on: day(DRAWN),
            factors: serde_json::Map::new(),
        }],
        coverage: vec![Coverage {
            key: "key".into(),
            sites: None,
        }],
        outcomes,
        ..CutData::default()
    };
    Dataset::from_cut(&protocol(strategy), &data).expect("known arms")
}

fn time_of(dataset: &Dataset, id: &str) -> Option<(f64, bool)> {
    let Values::Time(values) = &dataset.endpoints[id] else {
        panic!("no times")
    };
    values[0].map(|observation| (observation.time, observation.event))
}

fn held(dataset: &Dataset) -> Option<bool> {
    let Values::Binary(values) = &dataset.endpoints["held"] else {
        panic!("no flags")
    };
    values[0]
}

fn weeks(dataset: &Dataset) -> Option<f64> {
    let Values::Number(values) = &dataset.endpoints["weeks"] else {
        panic!("no numbers")
    };
    values[0]
}

#[test]
fn a_job_that_ended_before_the_draw_is_history() {
    let past = || {
        vec![
            outcome("employment_started", "2024-01-01"),
            outcome("employment_ended", "2024-12-31"),
        ]
    };
    let data = dataset("treatment_policy", past());
    assert_eq!(
        (time_of(&data, "time"), held(&data)),
        (Some((26.0, false)), Some(false))
    );
    assert_eq!(held(&dataset("early_job censor", past())), Some(false));
}

#[test]
fn a_job_held_at_the_draw_counts_from_the_draw() {
    let data = dataset(
        "treatment_policy",
        vec![outcome("employment_started", "2025-06-01")],
    );
    assert_eq!(
        (time_of(&data, "time"), held(&data)),
        (Some((0.0, true)), Some(true))
    );
    assert_eq!(weeks(&data), Some(26.0));
}

#[test]
fn a_short_job_is_no_sustained_one() {
    let short = vec![
        outcome("employment_started", "2026-02-02"),
        outcome("employment_ended", "2026-02-16"),
        outcome("employment_started", "2026-04-06"),
    ];
    let data = dataset("treatment_policy", short);
    assert_eq!(time_of(&data, "time"), Some((13.0, true)));
}

#[test]
fn whoever_has_not_passed_the_horizon_is_missing_or_censored() {
    let mut young = outcome("employment_started", "2026-03-02");
    young.body.extracted_on = day("2026-03-16");
    let data = dataset("treatment_policy", vec![young]);
    // 70 days are reported; jobs that began in the last 28 of them cannot be judged yet.
    assert_eq!(time_of(&data, "time"), Some((6.0, false)));
    assert_eq!((held(&data), weeks(&data)), (None, None));
    assert!(data.endpoint_warnings["held"][0].starts_with("1 participants"));
}

#[test]
fn death_ends_every_job_and_is_unfavourable_where_it_is_composite() {
    let died = || {
        vec![
            outcome("employment_started", "2026-02-02"),
            outcome("died", "2026-03-30"),
        ]
    };
    // Eight weeks, 2 February to 29 March, end on days on which the citizen was employed.
    for strategy in ["treatment_policy", "composite"] {
        let data = dataset(strategy, died());
        assert_eq!(
            (held(&data), weeks(&data)),
            (Some(false), Some(8.0)),
            "{strategy}"
        );
        assert_eq!(time_of(&data, "time"), Some((4.0, true)), "{strategy}");
    }
    let only = || {
        vec![
            outcome("died", "2026-03-30"),
            outcome("employment_started", "2026-04-01"),
        ]
    };
    assert_eq!(
        time_of(&dataset("composite", only()), "time"),
        Some((26.0, false))
    );
    let data = dataset("censor", only());
    assert_eq!(
        (time_of(&data, "time"), held(&data)),
        (Some((12.0, false)), None)
    );
}

#[test]
fn reported_times_are_read_in_the_unit_of_the_protocol() {
    let mut value = outcome("endpoint_value", "2026-06-01");
    value.body.endpoint = Some("days".into());
    (value.body.value, value.body.event) = (Some(70.0), Some(1));
    let data = dataset("treatment_policy", vec![value]);
    assert_eq!(time_of(&data, "days"), Some((10.0, true)));
}

#[test]
fn a_job_is_judged_no_further_than_its_own_source_has_reported() {
    let mut short = outcome("employment_started", "2026-02-02");
    short.body.extracted_on = day("2026-02-03");
    let mut other = outcome("employment_started", "2026-09-01");
    (other.source, other.participant) = ("elsewhere".into(), "somebody else".into());
    let data = dataset("treatment_policy", vec![short, other]);
    assert_eq!((held(&data), weeks(&data)), (None, None));
    // Whether the job lasted is not known: censored where it began.
    assert_eq!(time_of(&data, "time"), Some((4.0, false)));
    assert!(data.endpoint_warnings["held"][0].starts_with("1 participants hold a job"));
}

#[test]
fn an_end_from_one_source_closes_no_job_of_another() {
    let mut end = outcome("employment_ended", "2026-03-02");
    end.source = "elsewhere".into();
    let data = dataset(
        "treatment_policy",
        vec![outcome("employment_started", "2026-02-02"), end],
    );
    assert_eq!(held(&data), Some(true));
    assert_eq!(
        data.warnings,
        ["1 ends of employment without a start are left out"]
    );
}

#[test]
fn where_nobody_reports_the_time_is_censored_at_the_draw() {
    let data = dataset(
        "treatment_policy",
        vec![outcome("left_register", "2026-02-02")],
    );
    assert_eq!(
        (time_of(&data, "time"), held(&data)),
        (Some((0.0, false)), None)
    );
}

#[test]
fn a_job_that_a_current_source_confirms_is_known_whatever_another_has_not_told() {
    let mut stale = outcome("employment_started", "2026-02-02");
    stale.body.extracted_on = day("2026-02-03");
    let mut current = outcome("employment_started", "2026-02-02");
    current.source = "elsewhere".into();
    let data = dataset("treatment_policy", vec![stale, current]);
    assert_eq!((held(&data), weeks(&data)), (Some(true), Some(23.0)));
    assert_eq!(time_of(&data, "time"), Some((4.0, true)));
}
