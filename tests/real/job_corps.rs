//! National Job Corps Study, imported through the HTTP API week by week, as a system would post it.
//!
//! The arms were drawn elsewhere. Week w of the file lies 7w days after the enrolment: whoever works
//! in week 26 is in a spell that holds on day 182, where the endpoint looks.

use super::support::{Client, TestApp};
use super::{data, entry, printed};
use chrono::{NaiveDate, TimeDelta};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const TRIAL: &str = "/v1/trials/job-corps";
/// Citizens were enrolled over some sixteen months from this day on.
const FIRST_DAY: &str = "1994-11-17";
const DAYS_OF_ENROLMENT: i64 = 480;
const CLIENTS: usize = 8;

struct Youth {
    reference: String,
    arm: String,
    female: String,
    enrolled_on: NaiveDate,
    weeks: Vec<bool>,
}

fn read(text: &str) -> Vec<Youth> {
    let first: NaiveDate = FIRST_DAY.parse().unwrap();
    csv::Reader::from_reader(text.as_bytes())
        .records()
        .enumerate()
        .map(|(n, record)| {
            let record = record.unwrap();
            Youth {
                reference: record[0].to_owned(),
                arm: record[1].to_owned(),
                female: record[2].to_owned(),
                // The day of the draw is not in the public file: spread evenly.
                enrolled_on: first + TimeDelta::days(n as i64 * 7 % DAYS_OF_ENROLMENT),
                weeks: record[9].bytes().map(|week| week == b'1').collect(),
            }
        })
        .collect()
}

fn protocol() -> Value {
    json!({
        "id": "job-corps",
        "title": "National Job Corps Study",
        "citizen_scheme": "reference",
        "arms": [
            {"id": "control", "ratio": 2, "control": true},
            {"id": "job_corps", "ratio": 3},
        ],
        "factors": [{"id": "female", "levels": ["0", "1"], "stratify": true}],
        "randomization": {"method": "external"},
        "endpoints": [
            {"id": "employed_26w", "kind": "binary", "from": "employment", "horizon_weeks": 26,
             "estimators": ["risk_difference_miettinen_nurminen", "cochran_mantel_haenszel",
                            "difference_in_means_welch"]},
            {"id": "weeks_52", "kind": "continuous", "from": "employment", "horizon_weeks": 52},
            {"id": "sustained", "kind": "time_to_event", "from": "employment",
             "horizon_weeks": 104, "sustained_weeks": 4},
        ],
        "analysis": {"primary": "employed_26w", "alpha": 0.05, "sides": 2},
    })
}

/// Enrols everybody; gives the participant's id of each.
fn enrol(enroller: &Client, youths: &[Youth]) -> Vec<String> {
    let size = youths.len().div_ceil(CLIENTS);
    std::thread::scope(|scope| {
        let threads: Vec<_> = youths
            .chunks(size)
            .map(|chunk| {
                let enroller = enroller.clone();
                scope.spawn(move || {
                    chunk
                        .iter()
                        .map(|youth| {
                            let request = json!({
                                "citizen": {"scheme": "reference", "value": youth.reference},
                                "factors": {"female": youth.female},
                                "eligibility": {},
                                "enrolled_on": youth.enrolled_on,
                                "arm": youth.arm,
                                "provenance": "Public-use file of the National Job Corps Study",
                            });
                            let path = format!("{TRIAL}/enrolments");
                            let answer = enroller.post(&path, &request).expect(201);
                            assert_eq!(answer["arm"], youth.arm);
                            answer["participant"].as_str().unwrap().to_owned()
                        })
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

/// Every change of employment, by the calendar week in which it is posted.
fn changes(youths: &[Youth], participants: &[String]) -> BTreeMap<i64, Vec<Value>> {
    let first: NaiveDate = FIRST_DAY.parse().unwrap();
    let mut posts: BTreeMap<i64, Vec<Value>> = BTreeMap::new();
    for (youth, participant) in youths.iter().zip(participants) {
        let mut employed = false;
        for (n, works) in youth.weeks.iter().enumerate() {
            if *works == employed {
                continue;
            }
            employed = *works;
            let week = n as i64 + 1;
            let day = youth.enrolled_on + TimeDelta::days(7 * week);
            let calendar = (day - first).num_days() / 7;
            let kind = if employed {
                "employment_started"
            } else {
                "employment_ended"
            };
            posts.entry(calendar).or_default().push(json!({
                "source_id": format!("{}-{week}", youth.reference),
                "participant": participant, "kind": kind, "effective_on": day,
                "extracted_on": first + TimeDelta::days(7 * calendar + 6),
            }));
        }
    }
    posts
}

fn reproduce(app: &TestApp) {
    let Some(text) = data("jobcorps_weekly.csv") else {
        return;
    };
    let youths = read(&text);
    assert_eq!(youths.len(), 9_145);
    app.enrolling_with(&protocol());
    // Without the calendar of the tests: arms that were drawn elsewhere have the day that is told.
    let enroller = Client::new(&app.address, &app.enroller().key);
    let participants = enrol(&enroller, &youths);
    let register = app.source();
    for (_, records) in changes(&youths, &participants) {
        let answer = register.post_lines(&format!("{TRIAL}/outcomes"), &records);
        let lines = answer.lines();
        let summary = &lines.last().unwrap()["summary"];
        assert_eq!(summary["recorded"], records.len(), "{}", answer.text);
    }
    let monitor = app.monitor();
    let cut = monitor
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201);
    let body = json!({"data_cut": cut["data_cut"]});
    let mut answer = monitor.post(&format!("{TRIAL}/analyses"), &body).body;
    while answer["status"] == "running" {
        std::thread::sleep(std::time::Duration::from_millis(200));
        let id = answer["analysis"].as_str().unwrap().to_owned();
        answer = monitor.get(&format!("{TRIAL}/analyses/{id}")).expect(200);
    }
    check(&answer["result"]);
}

/// The values that R 4.2 computed from the file.
fn check(result: &Value) {
    let employed = entry(result, "employed_26w", "difference_in_means_welch");
    assert_eq!(
        employed["events"],
        json!({"control": 1348, "job_corps": 1484})
    );
    assert_eq!(employed["n"], json!({"control": 3599, "job_corps": 5546}));
    printed(&employed["estimate"], -0.106968248, 9);
    printed(&employed["standard_error"], 0.010022608, 9);
    let score = entry(result, "employed_26w", "risk_difference_miettinen_nurminen");
    printed(&score["estimate"], -0.106968248, 9);
    let test = entry(result, "employed_26w", "cochran_mantel_haenszel");
    assert_eq!(test["stratified_by"], json!(["female"]));
    printed(&test["statistic"]["value"], 113.46433630, 8);
    let weeks = entry(result, "weeks_52", "difference_in_means_welch");
    printed(&weeks["estimate"], -5.136021826, 9);
    printed(&weeks["standard_error"], 0.381306806, 9);
    let log_rank = entry(result, "sustained", "log_rank");
    printed(&log_rank["statistic"]["value"], 69.21855093, 8);
    let stratified = entry(result, "sustained", "log_rank_stratified");
    printed(&stratified["statistic"]["value"], 64.59390344, 8);
    let mean = entry(result, "sustained", "rmst_difference");
    printed(&mean["estimate"], 49.444464 - 40.290081, 5);
    let error = (0.50871728_f64.powi(2) + 0.64783963_f64.powi(2)).sqrt();
    printed(&mean["standard_error"], error, 7);
}

#[test]
fn the_values_of_r_are_reproduced_on_sqlite() {
    reproduce(&TestApp::sqlite());
}

#[test]
fn the_values_of_r_are_reproduced_on_postgres() {
    reproduce(&TestApp::postgres());
}
