//! Who enrols cannot move the lot: by another number of the same person, by a stratum of their own, by
//! another day, or by asking until they know.

use crate::on_both;
use crate::support::{
    Client, TRIAL, TestApp, citizen, conversation, enrol, invalid, number, protocol, today,
};
use lodkast::access::Role;
use serde_json::{Value, json};

fn path() -> String {
    format!("{TRIAL}/enrolments")
}

fn at(n: usize, site: &str) -> Value {
    let mut request = today(citizen(&number(n)));
    request["site"] = json!(site);
    request
}

on_both! {
    fn one_person_has_one_number(app: &TestApp) {
        let administrator = app.administrator();
        // Without a scheme no trial is registered any more.
        let mut without = protocol();
        without["id"] = json!("without");
        without.as_object_mut().unwrap().remove("citizen_scheme");
        administrator.post("/v1/trials", &without).expect(201);
        let problem = administrator.post("/v1/trials/without/registration", &json!({})).expect(422);
        assert_eq!(invalid(&problem), ["citizen_scheme"]);
        app.enrolling();
        let enroller = app.enroller();
        enrol(&enroller, &citizen("010190-1234"));
        let mut other = citizen("010190-1234");
        other["citizen"] = json!({"scheme": "reference", "value": "case 17"});
        assert_eq!(invalid(&enroller.post(&path(), &other).expect(422)), ["citizen.scheme"]);
    }

    /// A number under the name of a reference would draw a second time.
    fn what_looks_like_a_number_is_no_reference(app: &TestApp) {
        let mut protocol = protocol();
        protocol["citizen_scheme"] = json!("reference");
        app.enrolling_with(&protocol);
        let enroller = app.enroller();
        for text in ["010190-1234", "0101901234", "010190 1234", "01.01.90-1234", "case 010190-1234"] {
            let mut request = today(citizen("x"));
            request["citizen"] = json!({"scheme": "reference", "value": text});
            let problem = enroller.post(&path(), &request).expect(422);
            assert_eq!(invalid(&problem), ["citizen.value"], "{text}");
            assert!(!problem.to_string().contains(text));
        }
    }

    fn the_day_of_the_draw_is_time_zero_and_cannot_be_moved(app: &TestApp) {
        let mut shifted = protocol();
        shifted["backdate_days"] = json!(7);
        app.enrolling_with(&shifted);
        app.set_time("2027-09-01T10:00:00Z");
        // Without the calendar of the tests, which lets enrolments happen on their day.
        let enroller = Client::new(&app.address, &app.enroller().key);
        let send = |n: usize, day: &str| {
            let mut request = citizen(&number(n));
            request["enrolled_on"] = json!(day);
            enroller.post(&path(), &request)
        };
        assert_eq!(invalid(&send(1, "2027-03-01").expect(422)), ["enrolled_on"]);
        assert_eq!(invalid(&send(1, "2027-08-24").expect(422)), ["enrolled_on"]);
        assert_eq!(invalid(&send(1, "2027-09-02").expect(422)), ["enrolled_on"]);
        let person = send(1, "2027-08-27").expect(201)["participant"].as_str().unwrap().to_owned();
        let told = enroller.get(&format!("{TRIAL}/participants/{person}")).expect(200);
        assert_eq!(told["enrolled_on"], "2027-09-01");
    }

    fn levels_that_look_alike_are_one_stratum(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        enroller.post(&path(), &at(0, "Vejle Midt")).expect(201);
        let mut n = 1;
        for site in [
            "vejle midt", "VEJLE MIDT", "Vejle\u{a0}Midt", "Vejle\u{2009}Midt", "Vejle  Midt", "VejleMidt",
            "Vejle\u{3164}Midt", "Ve\u{458}le Midt", "Vej\u{406}e Midt", "Ve\u{200d}jle Midt", "Vej1e Midt",
            "\u{ff36}ejle Midt", "Vejle M\u{131}dt", "V\u{435}jle Midt", "Vejle\u{2028}Midt",
        ] {
            let answer = enroller.post(&path(), &at(n, site));
            if answer.status == 201 {
                // White space is folded before anything is compared: it is the level itself.
                let person = answer["participant"].as_str().unwrap();
                let told = enroller.get(&format!("{TRIAL}/participants/{person}")).expect(200);
                assert_eq!(told["site"], "Vejle Midt", "{site:?}");
            } else {
                let problem = answer.expect(422);
                assert_eq!(invalid(&problem), ["site"], "{site:?}");
            }
            n += 1;
        }
        for site in ["Vejle Nord", "Vejle Midt 2", "K\u{f8}ge", "Koge"] {
            enroller.post(&path(), &at(n, site)).expect(201);
            n += 1;
        }
        // Two that come at once are no other case.
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| enroller.post(&path(), &at(n, "Ribe")).status);
            let other = scope.spawn(|| enroller.post(&path(), &at(n + 1, "RIBE")).status);
            (one.join().unwrap(), other.join().unwrap())
        });
        assert_eq!([one.min(other), one.max(other)], [201, 422]);
    }

    fn an_administrator_holds_a_factor_to_codes(app: &TestApp) {
        let administrator = app.enrolling();
        let enroller = app.enroller();
        enroller.post(&path(), &at(0, "Aarhus")).expect(201);
        let codes = |factor: &str| format!("{TRIAL}/factors/{factor}/codes");
        let list = json!({"codes": ["Aalborg", "Odense"]});
        enroller.post(&codes("site"), &list).expect_problem(403, "missing-right");
        administrator.post(&codes("age"), &list).expect(404);
        administrator.post(&codes("nothing"), &list).expect(404);
        assert_eq!(invalid(&administrator.post(&codes("site"), &json!({"codes": []})).expect(422)), ["codes"]);
        let held = administrator.post(&codes("site"), &list).expect(201);
        assert_eq!(held, json!({"factor": "site", "codes": ["Aalborg", "Odense"]}));
        enroller.post(&path(), &at(1, "Odense")).expect(201);
        for site in ["Aarhus", "Vejle", "odense"] {
            assert_eq!(invalid(&enroller.post(&path(), &at(2, site)).expect(422)), ["site"], "{site}");
        }
        let records = administrator.get(&format!("{TRIAL}/flow")).expect(200);
        assert_eq!(records["records"]["codes_held"], 1);
    }

    fn whoever_asks_for_those_of_others_is_counted_and_stopped(app: &TestApp) {
        let administrator = app.enrolling();
        for n in 0..60 {
            enrol(&app.enroller(), &citizen(&number(n)));
        }
        let far = app.key(Role::Enroller, "far", None, &["Odense"]);
        for n in 0..25 {
            far.post(&path(), &at(n, "Odense")).expect_problem(409, "citizen-elsewhere");
        }
        let search = |client: &Client, n: usize| {
            let body = json!({"citizen": {"scheme": "cpr", "value": number(n)}});
            client.post(&format!("{TRIAL}/participants/search"), &body)
        };
        // In vain or for a citizen of elsewhere: the answer is the same, and each counts.
        let known = search(&far, 30).expect_problem(404, "unknown-participant");
        let unknown = search(&far, 900).expect_problem(404, "unknown-participant");
        assert_eq!(known, unknown);
        for n in 27..50 {
            search(&far, n).expect(404);
        }
        search(&far, 51).expect_problem(429, "too-many-repeats");
        far.post(&path(), &at(52, "Odense")).expect_problem(429, "too-many-repeats");
        let flow = administrator.get(&format!("{TRIAL}/flow")).expect(200);
        assert_eq!(flow["records"]["look_up"], 50);
        // Whoever asks for their own, and other keys, go on.
        search(&app.enroller(), 1).expect(200);
        far.post(&path(), &at(100, "Odense")).expect(201);
        app.set_time("2026-11-22T13:00:00Z");
        search(&far, 51).expect(404);
    }

    fn participants_of_whom_nothing_was_heard_are_told_by_key_and_site(app: &TestApp) {
        app.enrolling();
        let enroller = app.enroller();
        let people: Vec<String> = (0..3).map(|n| enrol(&enroller, &citizen(&number(n)))).collect();
        app.source().post(&format!("{TRIAL}/conversations"), &conversation("c", &people[0])).expect(201);
        let report = lodkast::conduct::check::run(&app.service, None).unwrap();
        assert_eq!(report.differences, Vec::<String>::new());
        let silent = report.notes.iter().find(|note| note.contains("Aalborg")).unwrap();
        assert!(silent.contains('2'), "{silent}");
    }
}
