//! Data cuts and analyses.

use crate::on_both;
use crate::support::{
    Client, TRIAL, TestApp, citizen, conversation, enrol, number, outcome, protocol,
};
use serde_json::{Value, json};

/// 40 citizens; every second one finds a job after ten weeks.
fn populate(app: &TestApp) {
    let (enroller, source) = (app.enroller(), app.source());
    for n in 0..40 {
        let mut request = citizen(&number(n));
        request["factors"]["target_group"] =
            json!(["unemployment_benefit", "sickness_benefit"][n / 2 % 2]);
        let participant = enrol(&enroller, &request);
        source
            .post(
                &format!("{TRIAL}/conversations"),
                &conversation(&format!("c{n}"), &participant),
            )
            .expect(201);
        if n % 2 == 0 {
            let job = outcome(
                &format!("o{n}"),
                &participant,
                "employment_started",
                "2026-03-16",
            );
            source.post(&format!("{TRIAL}/outcomes"), &job).expect(201);
        }
    }
}

fn cut(client: &Client) -> Value {
    client
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201)["data_cut"]
        .clone()
}

fn analyse(client: &Client, cut: &Value) -> Value {
    client
        .post(&format!("{TRIAL}/analyses"), &json!({"data_cut": cut}))
        .expect(201)
}

fn entry<'a>(result: &'a Value, endpoint: &str, estimator: &str) -> &'a Value {
    let list = result["estimates"].as_array().unwrap();
    list.iter()
        .find(|entry| entry["endpoint"] == endpoint && entry["estimator"] == estimator)
        .unwrap_or_else(|| panic!("no {estimator} of {endpoint}"))
}

on_both! {
    fn the_same_cut_gives_the_same_result_to_the_bit_whatever_comes_later(app: &TestApp) {
        app.enrolling();
        populate(app);
        let monitor = app.monitor();
        let frozen = cut(&monitor);
        let first = analyse(&monitor, &frozen);
        assert_eq!((&first["status"], &first["pooled"]), (&json!("done"), &json!(false)));
        let late = enrol(&app.enroller(), &citizen("020290-1234"));
        app.source()
            .post(&format!("{TRIAL}/outcomes"), &outcome("late", &late, "died", "2026-02-01"))
            .expect(201);
        let second = analyse(&monitor, &frozen);
        assert_eq!(first["result"].to_string(), second["result"].to_string());
        assert_eq!(first["looks_so_far"], 1);
        assert_eq!(second["looks_so_far"], 2);
        let after = analyse(&monitor, &cut(&monitor));
        assert_eq!(after["result"]["data"]["rows"], 41);
        assert_ne!(after["result"]["data"]["digest"], first["result"]["data"]["digest"]);
        let kept = monitor
            .get(&format!("{TRIAL}/analyses/{}", first["analysis"].as_str().unwrap()))
            .expect(200);
        assert_eq!(kept["result"].to_string(), first["result"].to_string());
        // Each look by arm is in the ledger.
        let flow = app.administrator().get(&format!("{TRIAL}/flow"));
        assert_eq!(flow["records"]["look"], 3);
    }

    fn the_estimates_follow_the_plan(app: &TestApp) {
        app.enrolling();
        populate(app);
        let monitor = app.monitor();
        let answer = analyse(&monitor, &cut(&monitor));
        let result = &answer["result"];
        let primary = &result["estimates"][0];
        assert_eq!(primary["endpoint"], "sustained_26w");
        assert_eq!(primary["estimator"], "mantel_haenszel_risk_difference");
        assert_eq!(primary["primary"], true);
        assert_eq!((&primary["arm"], &primary["reference"]), (&json!("digital"), &json!("physical")));
        assert_eq!(primary["stratified_by"], json!(["target_group"]));
        assert_eq!((&primary["null"], &primary["alternative"]), (&json!(-0.03), &json!("greater")));
        assert_eq!(primary["confidence"]["level"], 0.95);
        let events = &primary["events"];
        let total = events["digital"].as_i64().unwrap() + events["physical"].as_i64().unwrap();
        assert_eq!((total, &primary["missing"]), (20, &json!(0)));
        let weeks = entry(result, "weeks_employed", "difference_in_means_welch");
        assert_eq!(weeks["measure"], "difference_in_means");
        let log_rank = entry(result, "time_to_employment", "log_rank_stratified");
        assert_eq!((&log_rank["estimate"], &log_rank["confidence"]), (&json!(null), &json!(null)));
        assert_eq!(log_rank["statistic"]["name"], "chi_square");
        let curve = entry(result, "time_to_employment", "kaplan_meier");
        assert_eq!(curve["curve"].as_array().unwrap().len(), 27);
        assert_eq!(entry(result, "no_show", "difference_in_means_welch")["estimate"], json!(null));
        let sequential = &result["sequential"];
        assert_eq!((&sequential["look"], &sequential["planned"]), (&json!(null), &json!([0.33, 0.67, 1.0])));
        assert!(sequential["arms"][0]["boundary"].is_null(), "{sequential}");
        assert!(sequential["arms"][0]["z"].is_f64() && sequential["arms"][0]["fraction"].is_f64());
        let test = entry(result, "sustained_26w", "randomization_test");
        assert_eq!(test["details"]["redraws"], 2000);
        assert!(test["p_value"].as_f64().unwrap() > 0.0);
        assert!(result["warnings"].to_string().contains("plans looks"));
    }

    fn corrections_and_immaturity_are_seen(app: &TestApp) {
        app.enrolling();
        populate(app);
        let (source, monitor) = (app.source(), app.monitor());
        let before = analyse(&monitor, &cut(&monitor));
        let listed = monitor.get(&format!("{TRIAL}/outcomes"));
        let first = &listed["items"][0];
        let mut correction =
            outcome("o0-1", first["participant"].as_str().unwrap(), "employment_started", "2026-10-01");
        correction["replaces"] = json!("o0");
        source.post(&format!("{TRIAL}/outcomes"), &correction).expect(201);
        // Enrolled ten weeks before the last extract: not mature for 26 weeks.
        let mut young = citizen("030390-1234");
        young["enrolled_on"] = json!("2026-09-11");
        enrol(&app.enroller(), &young);
        let after = analyse(&monitor, &cut(&monitor));
        let primary = |answer: &Value| answer["result"]["estimates"][0].clone();
        let events = |entry: &Value| {
            let of = |arm: &str| entry["events"][arm].as_i64().unwrap();
            of("digital") + of("physical")
        };
        let (before, after) = (primary(&before), primary(&after));
        assert_eq!((events(&before), events(&after)), (20, 19));
        assert_eq!((&before["missing"], &after["missing"]), (&json!(0), &json!(1)));
        assert!(after["warnings"].to_string().contains("1 participants have not been followed"));
    }

    fn a_statistician_sees_nothing_by_arm(app: &TestApp) {
        app.enrolling();
        populate(app);
        let (statistician, monitor) = (app.statistician(), app.monitor());
        let frozen = cut(&statistician);
        let by_arm = analyse(&monitor, &frozen);
        let pooled = analyse(&statistician, &frozen);
        assert_eq!(pooled["pooled"], true);
        let text = pooled["result"].to_string();
        for word in ["physical", "digital\"", "telephone", "minutes", "no_show", "balance\":[{"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        let share = entry(&pooled["result"], "employed_26w", "pooled_proportion");
        assert_eq!((&share["estimate"], &share["n"]), (&json!(0.5), &json!({"all": 40})));
        let id = by_arm["analysis"].as_str().unwrap();
        statistician.get(&format!("{TRIAL}/analyses/{id}")).expect_problem(404, "not-found");
        let listed = statistician.get(&format!("{TRIAL}/analyses"));
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
        assert_eq!(monitor.get(&format!("{TRIAL}/analyses"))["items"].as_array().unwrap().len(), 2);
        let path = format!("{TRIAL}/exports/conversations.csv?data_cut={frozen}");
        statistician.get(&path).expect_problem(404, "not-found");
        assert_eq!(monitor.get(&path).status, 200);
        for set in ["participants", "outcomes", "dictionary"] {
            let path = format!("{TRIAL}/exports/{set}.csv?data_cut={frozen}");
            let blind = statistician.get(&path);
            assert_eq!(blind.status, 200, "{}", blind.text);
            let header = blind.text.lines().next().unwrap().to_owned();
            for column in ["arm", "no_show", "minutes", "held_channel", "duration_minutes", "status"] {
                assert!(!header.split(',').any(|name| name == column), "{set}: {header}");
            }
            assert!(!blind.text.contains(",physical,"), "{set}");
            let open = monitor.get(&path);
            if set != "dictionary" {
                assert_eq!(open.text.lines().count(), blind.text.lines().count(), "{set}");
            }
        }
        let open = monitor.get(&format!("{TRIAL}/exports/participants.csv?data_cut={frozen}"));
        assert!(open.text.starts_with("participant,arm,"), "{}", open.text);
    }

    fn a_plan_that_censors_by_channel_shows_a_statistician_no_endpoint(app: &TestApp) {
        let mut plan = protocol();
        plan["analysis"]["intercurrent_events"]["channel_switch"] = json!("censor");
        app.enrolling_with(&plan);
        populate(app);
        let statistician = app.statistician();
        let frozen = cut(&statistician);
        assert_eq!(analyse(&statistician, &frozen)["result"]["estimates"], json!([]));
        let file = statistician.get(&format!("{TRIAL}/exports/participants.csv?data_cut={frozen}"));
        assert_eq!(file.text.lines().next(), Some("participant,drawn_week,site,target_group,age,followed"));
    }

    fn blinded_ids_are_no_ids_of_those_who_enrol(app: &TestApp) {
        app.enrolling();
        populate(app);
        let (statistician, enroller) = (app.statistician(), app.enroller());
        let frozen = cut(&statistician);
        let listed = enroller.get(&format!("{TRIAL}/participants?limit=1000"));
        let blinded = [
            statistician.get(&format!("{TRIAL}/exports/participants.csv?data_cut={frozen}")).text,
            statistician.get(&format!("{TRIAL}/exports/outcomes.csv?data_cut={frozen}")).text,
            statistician.get(&format!("{TRIAL}/outcomes?limit=1000&data_cut={frozen}")).text,
        ];
        for participant in listed["items"].as_array().unwrap() {
            let id = participant["participant"].as_str().unwrap();
            assert!(blinded.iter().all(|text| !text.contains(id)), "{id}");
        }
        // One participant has one blinded id in every data set of a cut, and another in the next cut.
        let id = blinded[1].lines().nth(1).unwrap().split(',').next().unwrap();
        assert!(blinded[0].contains(id) && blinded[2].contains(id), "{id}");
        let later = cut(&statistician);
        let again = statistician.get(&format!("{TRIAL}/exports/outcomes.csv?data_cut={later}"));
        assert!(later != frozen && !again.text.contains(id), "{}", again.text);
        assert_eq!(again.text.lines().count(), blinded[1].lines().count());
    }

    fn an_export_analysed_as_a_file_gives_the_same_estimates(app: &TestApp) {
        app.enrolling();
        populate(app);
        let monitor = app.monitor();
        let frozen = cut(&monitor);
        let answer = analyse(&monitor, &frozen);
        let file = monitor.get(&format!("{TRIAL}/exports/participants.csv?data_cut={frozen}"));
        let read = lodkast::protocol::from_value(protocol()).unwrap();
        let dataset = lodkast::analysis::Dataset::from_csv(&read, file.text.as_bytes()).unwrap();
        // The service's seed comes of its own digests.
        let digest = |of: &str| answer["result"][of]["digest"].as_str().unwrap().to_owned();
        let settings = lodkast::analysis::Settings {
            seed: Some(lodkast::analysis::Settings::usual_seed(&digest("protocol"), &digest("data"))),
            ..Default::default()
        };
        let document = lodkast::analysis::run(&read, String::new(), &dataset, &settings);
        let again = serde_json::to_value(&document.estimates).unwrap();
        for (service, file) in
            answer["result"]["estimates"].as_array().unwrap().iter().zip(again.as_array().unwrap())
        {
            for key in ["endpoint", "estimator", "estimate", "standard_error", "confidence", "statistic",
                "p_value", "null", "alternative", "n", "events", "missing", "details"] {
                assert_eq!(service[key], file[key], "{} {key}", service["estimator"]);
            }
        }
    }

    fn a_look_is_made_once_and_in_its_order(app: &TestApp) {
        app.enrolling();
        populate(app);
        let monitor = app.monitor();
        let path = format!("{TRIAL}/analyses");
        let first = cut(&monitor);
        let look = |cut: &Value, look: u32| monitor.post(&path, &json!({"data_cut": cut, "look": look}));
        let one = look(&first, 1).expect(201)["result"]["sequential"].clone();
        assert_eq!(one["look"], 1);
        let fraction = one["arms"][0]["fraction"].as_f64().unwrap();
        let spent = one["arms"][0]["boundary"]["alpha_spent"].as_f64().unwrap();
        // The same look over the same cut is the same look; over another it would spend the error again.
        assert_eq!(look(&first, 1).expect(201)["result"]["sequential"], one);
        // A look is a test where the information has grown by a thousandth of what is planned.
        for n in 40..90 {
            let participant = enrol(&app.enroller(), &citizen(&number(n)));
            if n % 2 == 0 {
                let job = outcome(&format!("o{n}"), &participant, "employment_started", "2026-03-16");
                app.source().post(&format!("{TRIAL}/outcomes"), &job).expect(201);
            }
        }
        let second = cut(&monitor);
        let refused = look(&second, 1).expect_problem(422, "invalid-request");
        assert!(refused.to_string().contains("was made over data cut"), "{refused}");
        // The second look spends on from the information that the first one had.
        let answer = look(&second, 2).expect(201);
        let two = answer["result"]["sequential"]["arms"][0].clone();
        assert!(two["fraction"].is_number(), "{answer}");
        assert!(two["fraction"].as_f64().unwrap() > fraction, "{two}");
        let later = two["boundary"]["alpha_spent"].as_f64();
        assert!(later.is_some_and(|later| later > spent), "{spent}: {one} {two}");
        // A key that sees the arms as one makes no looks.
        app.statistician()
            .post(&path, &json!({"data_cut": second, "look": 3}))
            .expect_problem(422, "invalid-request");
        assert_eq!(app.administrator().get(&format!("{TRIAL}/flow"))["records"]["look"], 3);
    }

    fn a_look_before_one_that_was_made_is_refused(app: &TestApp) {
        app.enrolling();
        populate(app);
        let monitor = app.monitor();
        let path = format!("{TRIAL}/analyses");
        let frozen = cut(&monitor);
        monitor.post(&path, &json!({"data_cut": frozen, "look": 2})).expect(201);
        let refused = monitor
            .post(&path, &json!({"data_cut": frozen, "look": 1}))
            .expect_problem(422, "invalid-request");
        assert!(refused.to_string().contains("look 2 was made already"), "{refused}");
    }

    fn a_trial_that_may_grow_weighs_what_the_look_before_had(app: &TestApp) {
        let mut plan = protocol();
        plan["analysis"]["looks"]["information"] = json!([0.5, 1.0]);
        plan["analysis"]["looks"]["reestimation"] = json!({"least": 0.01, "target": 0.9, "most": 2.0});
        plan["sample_size"]["planned"] = json!(80);
        plan["sample_size"]["assume"] = Value::Null;
        app.enrolling_with(&plan);
        populate(app);
        let monitor = app.monitor();
        let path = format!("{TRIAL}/analyses");
        let first = cut(&monitor);
        let look = |cut: &Value, look: u32| monitor.post(&path, &json!({"data_cut": cut, "look": look}));
        let refused = look(&first, 2).expect_problem(422, "invalid-request");
        assert!(refused.to_string().contains("look 1 comes first"), "{refused}");
        let one = look(&first, 1).expect(201)["result"]["sequential"]["arms"][0].clone();
        for n in 40..80 {
            let participant = enrol(&app.enroller(), &citizen(&number(n)));
            let job = outcome(&format!("o{n}"), &participant, "employment_started", "2026-03-16");
            if n % 3 == 0 {
                app.source().post(&format!("{TRIAL}/outcomes"), &job).expect(201);
            }
        }
        let two = look(&cut(&monitor), 2).expect(201)["result"]["sequential"]["arms"][0].clone();
        let of = |at: &Value, name: &str| at[name].as_f64().unwrap_or_else(|| panic!("{name}: {at}"));
        let (z1, i1, t) = (of(&one, "z"), of(&one, "information"), of(&one, "fraction"));
        let (z, i) = (of(&two, "z"), of(&two, "information"));
        let second = (z * i.sqrt() - z1 * i1.sqrt()) / (i - i1).sqrt();
        let weighted = t.sqrt() * z1 + (1.0 - t).sqrt() * second;
        assert!((of(&two, "weighted_z") - weighted).abs() < 1e-12, "{one} {two}");
    }

    fn what_is_asked_must_exist(app: &TestApp) {
        app.enrolling();
        let monitor = app.monitor();
        let path = format!("{TRIAL}/analyses");
        monitor.post(&path, &json!({"data_cut": 999})).expect_problem(422, "invalid-request");
        monitor.post(&path, &json!({"data_cut": -1})).expect(422);
        monitor.post(&path, &json!({"data_cut": 1e300})).expect(422);
        let frozen = cut(&monitor);
        monitor.post(&path, &json!({"data_cut": frozen, "look": 4})).expect(422);
        assert_eq!(cut(&monitor), frozen);
        monitor.get(&format!("{TRIAL}/exports/nothing.csv?data_cut=1")).expect_problem(404, "not-found");
        monitor.get(&format!("{TRIAL}/exports/outcomes.csv?data_cut=999")).expect(422);
        monitor.get(&format!("{TRIAL}/exports/outcomes.csv")).expect_problem(400, "bad-query");
        // Nobody is enrolled: every estimate is null and says why, and nothing fails.
        let empty = analyse(&monitor, &frozen);
        for entry in empty["result"]["estimates"].as_array().unwrap() {
            assert!(entry["estimate"].is_null(), "{entry}");
            assert!(entry["warnings"].to_string().contains("no estimate"), "{entry}");
        }
        let key = json!({"data_cut": frozen});
        let first = monitor.post_with_key(&path, "look-1", &key).expect(201);
        let second = monitor.post_with_key(&path, "look-1", &key).expect(201);
        assert_eq!(first["analysis"], second["analysis"]);
    }
}

/// Whoever asks for two looks at once gets the second with the information of the first, whichever of them is
/// computed first.
fn two_looks_at_once(app: &TestApp) {
    app.enrolling();
    populate(app);
    let monitor = app.monitor();
    let path = format!("{TRIAL}/analyses");
    let first = cut(&monitor);
    for n in 40..56 {
        let participant = enrol(&app.enroller(), &citizen(&number(n)));
        let job = outcome(
            &format!("o{n}"),
            &participant,
            "employment_started",
            "2026-03-16",
        );
        app.source()
            .post(&format!("{TRIAL}/outcomes"), &job)
            .expect(201);
    }
    let second = cut(&monitor);
    let ask = |cut: &Value, look: u32| {
        let asked = monitor.post(&path, &json!({"data_cut": cut, "look": look}));
        assert!([201, 202].contains(&asked.status), "{}", asked.text);
        asked.body["analysis"].clone()
    };
    let (one, two) = (ask(&first, 1), ask(&second, 2));
    let done = |id: &Value| loop {
        let told = monitor.get(&format!("{path}/{}", id.as_str().unwrap()));
        if told["status"] == "done" {
            return told["result"]["sequential"]["arms"][0].clone();
        }
        assert_eq!(told["status"], "running", "{:?}", told.text);
        std::thread::sleep(std::time::Duration::from_millis(20));
    };
    let (two, one) = (done(&two), done(&one));
    let number = |value: &Value| value.as_f64().unwrap_or_else(|| panic!("{value}"));
    // The first look spends by its own fraction, and the second goes on from there: its boundary is the one
    // for these very fractions.
    let fractions = [number(&one["fraction"]), number(&two["fraction"])];
    let plan = lodkast::statistics::sequential::Plan {
        information: fractions.to_vec(),
        alpha: 0.025,
        spending: lodkast::statistics::sequential::Spending::ObrienFleming,
        symmetric: false,
        futility: None,
    };
    let boundaries = lodkast::statistics::sequential::Boundaries::of(&plan).unwrap();
    let upper = number(&two["boundary"]["upper"]);
    assert!(
        (upper - boundaries.upper[1]).abs() < 1e-9,
        "{upper} {boundaries:?}"
    );
}

#[test]
fn a_look_counts_on_an_earlier_one_that_is_still_being_computed_on_sqlite() {
    two_looks_at_once(&TestApp::with_settings(|config| {
        config.analysis.wait_seconds = 0;
    }));
}

#[test]
fn a_look_counts_on_an_earlier_one_that_is_still_being_computed_on_postgres() {
    two_looks_at_once(&TestApp::postgres_with_settings(|config| {
        config.analysis.wait_seconds = 0;
    }));
}
