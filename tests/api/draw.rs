//! The draw through the service: every method, public randomness, units that join, and repeats.

use crate::on_both;
use crate::support::{
    Client, TRIAL, TRIAL_ID, TestApp, citizen, draws_follow_the_seed, invalid, number, protocol_by,
    registration,
};
use lodkast::conduct::FactKind;
use lodkast::randomization::{Minimization, MinimizationState, StratumLabel};
use serde_json::{Value, json};

/// Every method that draws, with its keys.
pub fn methods() -> Vec<Value> {
    let units: Vec<Value> = (0..7).map(|n| json!({"id": format!("Sted {n}")})).collect();
    vec![
        json!({"method": "simple"}),
        json!({"method": "permuted_blocks", "block_sizes": [2, 6]}),
        json!({"method": "biased_coin", "probability": [2, 3]}),
        json!({"method": "big_stick", "limit": 2}),
        json!({"method": "block_urn", "lambda": 3}),
        json!({"method": "minimization", "probability": [3, 4], "weights": {"site": 2}}),
        json!({"method": "clusters", "units": units}),
    ]
}

fn at(n: usize) -> Value {
    let mut request = citizen(&number(n));
    request["site"] = json!(format!("Sted {}", n % 7));
    let groups = ["unemployment_benefit", "sickness_benefit"];
    request["factors"]["target_group"] = json!(groups[n / 3 % 2]);
    request
}

fn enrol(enroller: &Client, request: &Value) -> Value {
    enroller
        .post(&format!("{TRIAL}/enrolments"), request)
        .expect(201)
}

/// The kept state of a minimization is the one that its draws, read from the facts, lead to.
pub fn minimization_is_what_the_facts_say(app: &TestApp) {
    let registration = registration(app);
    let keys = registration.keys().unwrap();
    let beginning = MinimizationState::default();
    let mut rebuilt = Minimization::resume(&registration.protocol, &keys, beginning).unwrap();
    let (facts, kept) = app
        .service
        .store
        .write(|tx| -> Result<_, lodkast::store::StoreError> {
            let facts = tx.list_facts(TRIAL_ID, FactKind::Draw.as_str(), i64::MAX)?;
            Ok((facts, tx.lock_minimization(TRIAL_ID, 1)?.unwrap()))
        })
        .unwrap();
    for fact in facts {
        let record: Value = serde_json::from_str(&fact.record).unwrap();
        let label = record["body"]["label"].as_str().unwrap().to_owned();
        rebuilt.draw(&StratumLabel::parse(&label).unwrap()).unwrap();
    }
    let kept: MinimizationState = serde_json::from_str(&kept).unwrap();
    assert_eq!(rebuilt.state(), kept);
}

on_both! {
    fn every_method_draws_as_its_seed_says(app: &TestApp) {
        let administrator = app.administrator();
        let enroller = app.enroller();
        for (i, method) in methods().iter().enumerate() {
            let mut protocol = protocol_by(method);
            protocol["id"] = json!(format!("trial-{i}"));
            let trial = format!("/v1/trials/trial-{i}");
            administrator.post("/v1/trials", &protocol).expect(201);
            administrator.post(&format!("{trial}/registration"), &json!({})).expect(201);
            let open = json!({"to": "enrolling", "reason": "ready"});
            administrator.post(&format!("{trial}/status"), &open).expect(200);
            let arms: Vec<Value> = (0..30)
                .map(|n| enroller.post(&format!("{trial}/enrolments"), &at(n)).expect(201)["arm"].clone())
                .collect();
            // Both arms come up, and who is asked again is told the same.
            assert!(arms.iter().any(|arm| arm == "digital") && arms.iter().any(|arm| arm == "physical"));
            for (n, arm) in arms.iter().enumerate() {
                let again = enroller.post(&format!("{trial}/enrolments"), &at(n)).expect(200);
                assert_eq!(again["arm"], *arm, "{method}");
            }
        }
    }

    fn draws_by_minimization_are_replayed_from_the_ledger(app: &TestApp) {
        app.enrolling_with(&protocol_by(&methods()[5]));
        let enroller = app.enroller();
        for n in 0..40 {
            enrol(&enroller, &at(n));
        }
        assert_eq!(draws_follow_the_seed(app), 40);
        minimization_is_what_the_facts_say(app);
    }

    fn a_unit_is_drawn_whole(app: &TestApp) {
        app.enrolling_with(&protocol_by(&methods()[6]));
        let enroller = app.enroller();
        let arm_of = |n: usize| enrol(&enroller, &at(n))["arm"].clone();
        let first: Vec<Value> = (0..7).map(arm_of).collect();
        let second: Vec<Value> = (7..14).map(arm_of).collect();
        assert_eq!(first, second);
        let digital = first.iter().filter(|arm| **arm == "digital").count();
        assert!((3..=4).contains(&digital), "{digital} of 7 units");
        let mut elsewhere = at(20);
        elsewhere["site"] = json!("Nowhere");
        let problem = enroller.post(&format!("{TRIAL}/enrolments"), &elsewhere).expect(422);
        assert_eq!(invalid(&problem), ["site"]);
        assert_eq!(draws_follow_the_seed(app), 14);
    }

    fn the_citizens_of_a_unit_are_listed_before_its_arm_is_told(app: &TestApp) {
        app.enrolling_with(&protocol_by(&methods()[6]));
        let (enroller, path) = (app.enroller(), format!("{TRIAL}/units/lists"));
        let list = |unit: &str, numbers: &[usize]| {
            let citizens: Vec<Value> = numbers.iter().map(|n| at(*n)["citizen"].clone()).collect();
            json!({"unit": unit, "citizens": citizens})
        };
        let bound = app.key(lodkast::access::Role::Enroller, "Ella", None, &["Sted 3"]);
        bound.post(&path, &list("Sted 1", &[1])).expect_problem(403, "site-out-of-scope");
        let frozen = enroller.post_with_key(&path, "once", &list("Sted 1", &[1, 8, 8])).expect(201);
        assert_eq!(frozen["citizens"], 2);
        assert_eq!(enroller.post_with_key(&path, "once", &list("Sted 1", &[1, 8, 8])).expect(201), frozen);
        enroller.post(&path, &list("Sted 1", &[15])).expect_problem(409, "wrong-status");
        for (n, listed) in [(1, json!(true)), (15, json!(false)), (2, json!(null))] {
            enrol(&enroller, &at(n));
            let facts = app.service.store
                .read(|tx| tx.list_facts(TRIAL_ID, FactKind::Draw.as_str(), i64::MAX))
                .unwrap();
            let record: Value = serde_json::from_str(&facts.last().unwrap().record).unwrap();
            assert_eq!(record["body"]["listed"], listed, "citizen {n}");
        }
        // Too late for whoever knows the arm.
        enroller.post(&path, &list("Sted 2", &[9])).expect_problem(409, "wrong-status");
        assert_eq!(invalid(&enroller.post(&path, &list("Nowhere", &[9])).expect(422)), ["unit"]);
        assert_eq!(invalid(&enroller.post(&path, &list("Sted 3", &[])).expect(422)), ["citizens"]);
        let wrong = json!({"unit": "Sted 3", "citizens": [{"scheme": "cpr", "value": "1"}]});
        assert_eq!(invalid(&enroller.post(&path, &wrong).expect(422)), ["citizens[0].value"]);
        bound.post(&path, &list("Sted 3", &[3])).expect(201);
        assert_eq!(draws_follow_the_seed(app), 3);
    }

    fn units_that_join_are_a_batch_of_their_own(app: &TestApp) {
        let administrator = app.enrolling_with(&protocol_by(&methods()[6]));
        let (enroller, path) = (app.enroller(), format!("{TRIAL}/units"));
        let before = enrol(&enroller, &at(0))["arm"].clone();
        let late = json!({"units": [{"id": "Ny 1", "factors": {}}, {"id": "Ny 2", "factors": {}}]});
        let joined = administrator.post(&path, &late).expect(201);
        assert_eq!((&joined["batch"], &joined["units"]), (&json!(1), &json!(2)));
        let again = administrator.post(&path, &late).expect(422);
        assert_eq!(invalid(&again), ["units[0].id", "units[1].id"]);
        let arm_at = |site: &str, n: usize| {
            let mut request = at(n);
            request["site"] = json!(site);
            enrol(&enroller, &request)["arm"].clone()
        };
        // Two units in two arms: a batch is balanced by itself.
        assert_ne!(arm_at("Ny 1", 1), arm_at("Ny 2", 2));
        assert_eq!(arm_at("Sted 0", 7), before);
        let wrong = json!({"units": [{"id": "010190-1234", "factors": {}}]});
        assert_eq!(invalid(&administrator.post(&path, &wrong).expect(422)), ["units[0].id"]);
        assert_eq!(invalid(&administrator.post(&path, &json!({"units": []})).expect(422)), ["units"]);
        let none = json!({"units": [{"id": "A", "factors": {"region": "x"}}]});
        assert_eq!(
            invalid(&administrator.post(&path, &none).expect(422)),
            ["units[0].factors.region"]
        );
    }

    fn a_trial_that_draws_citizens_takes_no_units(app: &TestApp) {
        let administrator = app.enrolling();
        let late = json!({"units": [{"id": "Ny 1", "factors": {}}]});
        administrator.post(&format!("{TRIAL}/units"), &late).expect_problem(409, "wrong-status");
    }

    fn public_randomness_goes_into_the_seed_before_enrolment_and_once(app: &TestApp) {
        let mut protocol = protocol_by(&json!({"method": "simple", "public_randomness": "the lottery of 4 December"}));
        protocol["eligibility"] = json!([]);
        let administrator = app.administrator();
        let path = format!("{TRIAL}/registration/public-randomness");
        administrator.post("/v1/trials", &protocol).expect(201);
        let given = json!({"value": "3 17 22 41 48"});
        administrator.post(&path, &given).expect_problem(409, "wrong-status");
        administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        let open = json!({"to": "enrolling", "reason": "ready"});
        let problem = administrator.post(&format!("{TRIAL}/status"), &open).expect_problem(409, "wrong-status");
        assert!(problem["detail"].as_str().unwrap().contains("public randomness"), "{problem}");
        assert_eq!(invalid(&administrator.post(&path, &json!({})).expect(422)), ["value"]);
        let answer = administrator.post_with_key(&path, "once", &given).expect(201);
        assert_eq!(answer["source"], "the lottery of 4 December");
        assert_eq!(administrator.post_with_key(&path, "once", &given).expect(201), answer);
        administrator.post(&path, &given).expect_problem(409, "wrong-status");
        administrator.post(&format!("{TRIAL}/status"), &open).expect(200);
        let mut request = citizen(&number(1));
        request["eligibility"] = json!({});
        enrol(&app.enroller(), &request);
        let registration = registration(app);
        let mixed = registration.secret.mixed_with("3 17 22 41 48");
        assert_eq!(registration.seed.as_ref().unwrap().bytes(), mixed.bytes());
        assert_ne!(mixed.bytes(), registration.secret.bytes());
        assert_eq!(draws_follow_the_seed(app), 1);
    }

    fn a_trial_that_names_no_public_randomness_takes_none(app: &TestApp) {
        let administrator = app.administrator();
        administrator.post("/v1/trials", &crate::support::protocol()).expect(201);
        administrator.post(&format!("{TRIAL}/registration"), &json!({})).expect(201);
        administrator
            .post(&format!("{TRIAL}/registration/public-randomness"), &json!({"value": "7"}))
            .expect_problem(409, "wrong-status");
    }

    fn no_secret_is_taken_once_the_public_value_is_known(app: &TestApp) {
        let protocol = protocol_by(&json!({"method": "simple", "public_randomness": "a lottery"}));
        let administrator = app.administrator();
        let register = || administrator.post(&format!("{TRIAL}/registration"), &json!({}));
        administrator.post("/v1/trials", &protocol).expect(201);
        register().expect(201);
        register().expect(201);
        let path = format!("{TRIAL}/registration/public-randomness");
        administrator.post(&path, &json!({"value": "7"})).expect(201);
        register().expect_problem(409, "wrong-status");
    }

    fn trying_strata_for_a_citizen_changes_nothing_and_is_on_file(app: &TestApp) {
        app.enrolling();
        let (enroller, path) = (app.enroller(), format!("{TRIAL}/enrolments"));
        let first = enrol(&enroller, &at(1));
        for site in 0..5 {
            let mut other = at(1);
            other["site"] = json!(format!("Sted {site}"));
            let answer = enroller.post(&path, &other).expect(200);
            assert_eq!((&answer["arm"], &answer["participant"]), (&first["arm"], &first["participant"]));
        }
        // Corrected numbers are no attempt.
        let mut older = at(1);
        older["factors"]["age"] = json!(37);
        enroller.post(&path, &older).expect(200);
        let flow = app.administrator().get(&format!("{TRIAL}/flow"));
        assert_eq!((&flow["records"]["draw"], &flow["records"]["changed_repeat"]), (&json!(1), &json!(4)));
    }
}

#[test]
fn a_key_that_tries_too_often_is_stopped_and_no_other() {
    let app = TestApp::with_settings(|config| config.limits.changed_repeats_per_day = 3);
    app.enrolling();
    let (enroller, path) = (app.enroller(), format!("{TRIAL}/enrolments"));
    enrol(&enroller, &at(1));
    // Whoever was screened out is tried with other levels just so.
    let mut excluded = at(2);
    excluded["eligibility"]["needs_interpreter"] = json!(true);
    enroller.post(&path, &excluded).expect(422);
    let moved = |mut request: Value, site: &str| {
        request["site"] = json!(site);
        request
    };
    enroller
        .post(&path, &moved(excluded.clone(), "A"))
        .expect(422);
    enroller.post(&path, &moved(at(1), "B")).expect(200);
    enroller.post(&path, &moved(at(1), "C")).expect(200);
    let refused = enroller.post(&path, &moved(at(1), "D"));
    assert!(refused.header("retry-after").is_some());
    refused.expect_problem(429, "too-many-repeats");
    enroller
        .post(&path, &moved(at(2), "E"))
        .expect_problem(429, "too-many-repeats");
    // Nothing else is refused: new citizens, true repeats, other keys; and tomorrow is another day.
    enroller.post(&path, &at(3)).expect(201);
    enroller.post(&path, &at(1)).expect(200);
    app.enroller().post(&path, &moved(at(1), "D")).expect(200);
    // Who takes part elsewhere is told a few times a day only.
    let bound = app.key(lodkast::access::Role::Enroller, "Ella", None, &["Z"]);
    for _ in 0..3 {
        bound
            .post(&path, &moved(at(1), "Z"))
            .expect_problem(409, "citizen-elsewhere");
    }
    bound
        .post(&path, &moved(at(1), "Z"))
        .expect_problem(429, "too-many-repeats");
    app.set_time("2026-11-22T12:00:01Z");
    let mut tomorrow = moved(at(1), "D");
    tomorrow["enrolled_on"] = json!("2026-11-22");
    enroller.post(&path, &tomorrow).expect(200);
}
