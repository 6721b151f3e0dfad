//! Roles that collude: those who enrol know their people and arms, sources know what they sent and when,
//! and a statistician hands over everything that a blinded role is answered. Nobody may join the two.
//!
//! Each guesser names a row for every participant. A test fails where the exact lower limit (1e-4) of the
//! share of right guesses exceeds one in five: every combination of what an enroller knows is shared by at
//! least five. What offsets of days allow to a source is measured and told in docs/randomization.md; it
//! is no guesser here.

use crate::on_both;
use crate::support::{
    Client, TRIAL, TRIAL_ID, TestApp, citizen, enrol, invalid, number, outcome, protocol,
};
use lodkast::access::Role;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

const PEOPLE: usize = 2_000;
const SITES: [&str; 6] = ["Aalborg", "Esbjerg", "Herning", "Odense", "Ribe", "Vejle"];

/// What an enroller knows of a participant.
struct Known {
    id: String,
    site: usize,
    group: usize,
    age: u32,
    week: u32,
    /// Outcomes that were sent about them.
    outcomes: usize,
}

struct Trial {
    statistician: Client,
    people: Vec<Known>,
    cut: i64,
}

fn day(week: u32) -> chrono::NaiveDate {
    let first: chrono::NaiveDate = "2025-09-03".parse().unwrap();
    first + chrono::Days::new(7 * u64::from(week))
}

/// 2,000 participants in 60 weeks; many of them followed to the end, the others not.
fn trial(app: &TestApp) -> Trial {
    app.enrolling_with(&protocol());
    let (enroller, source) = (app.enroller(), app.source());
    let mut random = 12_345_u64;
    let mut next = |below: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let mut people = Vec::new();
    for n in 0..PEOPLE {
        let (site, group, age) = (next(6) as usize, next(2) as usize, 18 + next(47) as u32);
        let week = (n * 60 / PEOPLE) as u32;
        let mut request = citizen(&number(n));
        request["site"] = json!(SITES[site]);
        request["factors"]["target_group"] =
            json!(["unemployment_benefit", "sickness_benefit"][group]);
        request["factors"]["age"] = json!(age);
        request["enrolled_on"] = json!(day(week));
        let id = enrol(&enroller, &request);
        people.push(Known {
            id,
            site,
            group,
            age,
            week,
            outcomes: 0,
        });
    }
    let mut records = Vec::new();
    for (n, person) in people.iter_mut().enumerate() {
        person.outcomes = next(4) as usize;
        for i in 0..person.outcomes {
            let on = day(person.week) + chrono::Days::new(next(30));
            let kind = ["employment_started", "employment_ended"][i % 2];
            records.push(outcome(
                &format!("o{n}-{i}"),
                &person.id,
                kind,
                &on.to_string(),
            ));
        }
    }
    source
        .post_lines(&format!("{TRIAL}/outcomes"), &records)
        .expect(200);
    let statistician = app.statistician();
    let cut = cut(&statistician);
    Trial {
        statistician,
        people,
        cut,
    }
}

fn cut(client: &Client) -> i64 {
    client
        .post(&format!("{TRIAL}/data-cuts"), &json!({}))
        .expect(201)["data_cut"]
        .as_i64()
        .unwrap()
}

fn rows(client: &Client, set: &str, cut: i64) -> Vec<HashMap<String, String>> {
    let file = client.get(&format!("{TRIAL}/exports/{set}.csv?data_cut={cut}"));
    assert_eq!(file.status, 200, "{}", file.text);
    let mut reader = csv::Reader::from_reader(file.text.as_bytes());
    reader.deserialize().map(|row| row.unwrap()).collect()
}

/// The chance of at least `right` of `n` where each is right with probability `p`.
fn tail(n: usize, right: usize, p: f64) -> f64 {
    let log = |n: usize| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
    let mut factorials = vec![0.0; n + 1];
    for i in 1..=n {
        factorials[i] = factorials[i - 1] + (i as f64).ln();
    }
    assert!((factorials[n] - log(n)).abs() < 1e-6);
    (right..=n)
        .map(|x| {
            let choose = factorials[n] - factorials[x] - factorials[n - x];
            (choose + x as f64 * p.ln() + (n - x) as f64 * (1.0 - p).ln()).exp()
        })
        .sum()
}

/// Whether the exact lower limit (1e-4) of a share exceeds one in five.
fn exceeds_one_in_five(n: usize, right: usize) -> bool {
    tail(n, right, 0.2) < 1e-4
}

/// Holds the guesses of one guesser against the truth, over all people and over those who are followed and
/// those who are not. A guess is a blinded id.
#[track_caller]
fn must_not_join(app: &TestApp, trial: &Trial, what: &str, guesses: &[Option<String>]) {
    let of = rows(&trial.statistician, "participants", trial.cut);
    let followed: HashMap<&str, bool> = of
        .iter()
        .map(|row| (row["participant"].as_str(), row["followed"] == "1"))
        .collect();
    let truth: Vec<String> = trial
        .people
        .iter()
        .map(|person| {
            app.service
                .secrets
                .blinded_id(TRIAL_ID, trial.cut, &person.id)
        })
        .collect();
    assert!(truth.iter().all(|id| followed.contains_key(id.as_str())));
    for among in [None, Some(true), Some(false)] {
        let chosen: Vec<usize> = (0..truth.len())
            .filter(|n| among.is_none_or(|wanted| followed[truth[*n].as_str()] == wanted))
            .collect();
        let right = chosen
            .iter()
            .filter(|n| guesses[**n].as_ref() == Some(&truth[**n]))
            .count();
        assert!(
            chosen.len() > 400,
            "{} people, followed {among:?}",
            chosen.len()
        );
        assert!(
            !exceeds_one_in_five(chosen.len(), right),
            "{what}: {right} of {} joined, followed {among:?}",
            chosen.len()
        );
    }
}

/// One of these, another one each time it is asked.
fn pick(candidates: &[String], n: usize) -> Option<String> {
    candidates.get(n.checked_rem(candidates.len())?).cloned()
}

#[test]
fn the_test_finds_a_share_of_one_in_four() {
    // The least number of right guesses among 2,000 that fails, and the chance to see as many at 1/4.
    let least = (0..PEOPLE)
        .find(|right| exceeds_one_in_five(PEOPLE, *right))
        .unwrap();
    let power = tail(PEOPLE, least, 0.25);
    assert!((460..475).contains(&least), "{least}");
    assert!(power > 0.9, "power {power}");
    // And a join that is right every time is found among 20 already.
    assert!(exceeds_one_in_five(20, 20) && !exceeds_one_in_five(PEOPLE, PEOPLE / 5));
}

on_both! {
    fn colluding_roles_cannot_join_rows_to_people(app: &TestApp) {
        let trial = trial(app);
        let participants = rows(&trial.statistician, "participants", trial.cut);
        let outcomes = rows(&trial.statistician, "outcomes", trial.cut);
        assert_eq!(participants.len(), PEOPLE);
        let ids: Vec<String> = participants.iter().map(|row| row["participant"].clone()).collect();
        let join = |what: &str, guesses: Vec<Option<String>>| must_not_join(app, &trial, what, &guesses);

        // By order: of enrolment, and of the participants' own ids, forwards and backwards.
        join("order of enrolment", ids.iter().cloned().map(Some).collect());
        join("order backwards", ids.iter().rev().cloned().map(Some).collect());
        let mut by_id: Vec<usize> = (0..PEOPLE).collect();
        by_id.sort_by(|a, b| trial.people[*a].id.cmp(&trial.people[*b].id));
        let mut guesses = vec![None; PEOPLE];
        for (n, id) in by_id.into_iter().zip(&ids) {
            guesses[n] = Some(id.clone());
        }
        join("order of ids", guesses);

        // By sequence: the order in which the source sent, and was answered.
        let mut first: Vec<&str> = Vec::new();
        for row in &outcomes {
            let id = row["participant"].as_str();
            if !first.contains(&id) {
                first.push(id);
            }
        }
        let told: Vec<usize> = (0..PEOPLE).filter(|n| trial.people[*n].outcomes > 0).collect();
        let mut guesses = vec![None; PEOPLE];
        for (n, id) in told.iter().zip(&first) {
            guesses[*n] = Some((*id).to_owned());
        }
        join("sequence of outcomes", guesses);

        // By all that an enroller knows: the rows that can be the participant's, and one of them.
        let site_of = |row: &HashMap<String, String>| row["site"].clone();
        // An enroller of all sites may find out which code is whose: by the number of rows.
        let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
        for row in &participants {
            *sizes.entry(site_of(row)).or_default() += 1;
        }
        sizes.remove("");
        let mut codes: Vec<(usize, String)> = sizes.into_iter().map(|(code, n)| (n, code)).collect();
        codes.sort();
        let mut own: Vec<(usize, usize)> = (0..6)
            .map(|site| (trial.people.iter().filter(|p| p.site == site).count(), site))
            .collect();
        own.sort();
        let code_of: HashMap<usize, &str> =
            own.iter().zip(&codes).map(|((_, site), (_, code))| (*site, code.as_str())).collect();
        let fits = |person: &Known, row: &HashMap<String, String>| {
            let (from, twice) = (person.age / 5 * 5, person.age / 10 * 10);
            let band = &row["age"];
            let week = &row["drawn_week"];
            let iso = chrono::Datelike::iso_week(&day(person.week));
            let groups = ["unemployment_benefit", "sickness_benefit"];
            (week.is_empty()
                || *week == format!("{}-W{:02}", iso.year(), iso.week())
                || *week == day(person.week).format("%Y-%m").to_string())
                && (band.is_empty()
                    || *band == format!("{from}-{}", from + 4)
                    || *band == format!("{twice}-{}", twice + 9))
                && (row["target_group"].is_empty() || row["target_group"] == groups[person.group])
                && (row["site"].is_empty() || code_of.get(&person.site) == Some(&row["site"].as_str()))
        };
        // How much a row says: the finest that fits is the likeliest.
        let says = |row: &HashMap<String, String>| {
            let shown = ["site", "drawn_week", "target_group", "age"];
            let filled = shown.iter().filter(|name| !row[**name].is_empty()).count();
            filled * 2 + usize::from(row["drawn_week"].contains('W'))
        };
        let guesses = trial.people.iter().enumerate().map(|(n, person)| {
            let fitting: Vec<_> = participants.iter().filter(|row| fits(person, row)).collect();
            let most = fitting.iter().map(|row| says(row)).max()?;
            let finest: Vec<String> = fitting
                .iter()
                .filter(|row| says(row) == most)
                .map(|row| row["participant"].clone())
                .collect();
            pick(&finest, n)
        });
        join("what an enroller knows", guesses.collect());

        // By counts of outcomes.
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for row in &outcomes {
            *counts.entry(row["participant"].as_str()).or_default() += 1;
        }
        let guesses = trial.people.iter().enumerate().map(|(n, person)| {
            let same = ids.iter().filter(|id| counts.get(id.as_str()).copied().unwrap_or(0) == person.outcomes);
            pick(&same.cloned().collect::<Vec<_>>(), n)
        });
        join("counts of outcomes", guesses.collect());

        // By cursors: pages of the list, whose places are those of blinded ids.
        let mut listed = Vec::new();
        let mut path = format!("{TRIAL}/outcomes?limit=1000&data_cut={}", trial.cut);
        loop {
            let page = trial.statistician.get(&path);
            let link = page.header("link").map(str::to_owned);
            let body = page.expect(200);
            listed.extend(body["items"].as_array().unwrap().clone());
            let Some(link) = link else { break };
            path = link[1..link.find('>').unwrap()].to_owned();
        }
        assert_eq!(listed.len(), outcomes.len());
        let mut places: Vec<String> = Vec::new();
        for item in &listed {
            let keys: Vec<&String> = item.as_object().unwrap().keys().collect();
            for hidden in ["sequence", "source", "source_id", "id", "recorded_at", "effective_on", "extracted_on", "code"] {
                assert!(!keys.iter().any(|key| *key == hidden), "{item}");
            }
            let id = item["participant"].as_str().unwrap().to_owned();
            if places.last() != Some(&id) {
                places.push(id);
            }
        }
        let mut guesses = vec![None; PEOPLE];
        for (n, id) in told.iter().zip(&places) {
            guesses[*n] = Some(id.clone());
        }
        join("cursors", guesses);

        // By durations: the latest to be told of is the one with the longest time.
        let mut by_time: Vec<(f64, String)> = participants
            .iter()
            .map(|row| (row["time_to_employment"].parse().unwrap_or(0.0), row["participant"].clone()))
            .collect();
        by_time.sort_by(|a, b| b.partial_cmp(a).unwrap());
        join("durations", by_time.into_iter().map(|(_, id)| Some(id)).collect());

        // Nothing else of a person stands in any answer.
        let texts = [
            trial.statistician.get(&format!("{TRIAL}/exports/participants.csv?data_cut={}", trial.cut)).text,
            trial.statistician.get(&format!("{TRIAL}/exports/outcomes.csv?data_cut={}", trial.cut)).text,
        ];
        for person in trial.people.iter().step_by(50) {
            assert!(texts.iter().all(|text| !text.contains(&person.id)), "{}", person.id);
        }
        for site in SITES {
            assert!(texts.iter().all(|text| !text.contains(site)), "{site}");
        }
        // No calendar day stands beside an offset.
        let has_day = |text: &str| text.split([',', '\n']).any(|cell| cell.parse::<chrono::NaiveDate>().is_ok());
        assert!(texts.iter().all(|text| !has_day(text)));

        // Every combination of what an enroller knows is shared by five.
        let mut combinations: BTreeMap<[&str; 4], usize> = BTreeMap::new();
        for row in &participants {
            let cell = ["drawn_week", "site", "target_group", "age"].map(|name| row[name].as_str());
            *combinations.entry(cell).or_default() += 1;
        }
        let rarest = combinations.iter().filter(|(cells, _)| cells.iter().any(|cell| !cell.is_empty()));
        assert!(rarest.map(|(_, n)| *n).min().unwrap() >= 5);
        let dictionary = trial.statistician.get(&format!("{TRIAL}/exports/dictionary.csv?data_cut={}", trial.cut)).text;
        for step in ["week to month", "bands doubled", "site dropped", "factor age dropped", "all dropped"] {
            assert!(dictionary.contains(&format!("coarsening,{step},")), "{dictionary}");
        }
    }

    fn two_cuts_that_lie_close_are_not_both_answered(app: &TestApp) {
        app.enrolling();
        let (enroller, monitor) = (app.enroller(), app.monitor());
        let (stine, svend) = (app.statistician(), app.key(Role::Statistician, "Svend", None, &[]));
        let enrol_some = |from: usize, to: usize| {
            for n in from..to {
                enrol(&enroller, &citizen(&number(n)));
            }
        };
        let export = |client: &Client, cut: i64| client.get(&format!("{TRIAL}/exports/participants.csv?data_cut={cut}"));
        enrol_some(0, 30);
        let first = cut(&stine);
        export(&stine, first).expect(200);
        // An export around each enrolment would tell the new row: no difference of 1 to 19 is answered, to
        // nobody of the role, by no way.
        for n in 30..49 {
            enrol_some(n, n + 1);
            let close = cut(&stine);
            for client in [&stine, &svend] {
                let problem = export(client, close).expect_problem(409, "too-close-to-another-cut");
                assert!(problem["detail"].as_str().unwrap().contains(&format!("data cut {first}")), "{problem}");
                client.get(&format!("{TRIAL}/outcomes?data_cut={close}")).expect_problem(409, "too-close-to-another-cut");
                client.post(&format!("{TRIAL}/analyses"), &json!({"data_cut": close}))
                    .expect_problem(409, "too-close-to-another-cut");
            }
            // What was answered once is answered again, and monitors see every cut.
            export(&svend, first).expect(200);
            export(&monitor, close).expect(200);
        }
        enrol_some(49, 50);
        let second = cut(&stine);
        export(&svend, second).expect(200);
        // A cut between the two lies close to neither in number, but to one of them.
        enrol_some(50, 55);
        export(&stine, cut(&stine)).expect_problem(409, "too-close-to-another-cut");
        // Nobody new: the same people, and so the same is told.
        let answered = app.administrator().get(&format!("{TRIAL}/flow"))["records"]["cut_answered"].clone();
        assert_eq!(answered, 2);
    }

    fn a_difference_of_those_followed_is_no_less_refused(app: &TestApp) {
        app.enrolling();
        let (enroller, source, stine) = (app.enroller(), app.source(), app.statistician());
        let mut last = String::new();
        for n in 0..30 {
            let mut request = citizen(&number(n));
            // One more of them is followed to the end each day.
            request["enrolled_on"] = json!(day(26) + chrono::Days::new(n as u64));
            last = enrol(&enroller, &request);
        }
        let complete_to = |id: &str, on: chrono::NaiveDate| {
            let mut record = outcome(id, &last, "employment_started", &on.to_string());
            record["extracted_on"] = json!(on);
            source.post(&format!("{TRIAL}/outcomes"), &record).expect(201);
        };
        let end = day(26) + chrono::Days::new(210);
        complete_to("a", end);
        let export = |cut: i64| stine.get(&format!("{TRIAL}/exports/participants.csv?data_cut={cut}"));
        let first = cut(&stine);
        let file = export(first);
        assert_eq!(file.text.lines().filter(|line| line.split(',').nth(5) == Some("1")).count(), 1);
        // The same people are drawn, and three more of them are followed.
        complete_to("b", end + chrono::Days::new(3));
        export(cut(&stine)).expect_problem(409, "too-close-to-another-cut");
        complete_to("c", end + chrono::Days::new(25));
        export(cut(&stine)).expect(200);
    }

    fn the_final_cut_is_always_answered(app: &TestApp) {
        let administrator = app.enrolling();
        let (enroller, stine) = (app.enroller(), app.statistician());
        for n in 0..25 {
            enrol(&enroller, &citizen(&number(n)));
        }
        let export = |cut: i64| stine.get(&format!("{TRIAL}/exports/participants.csv?data_cut={cut}"));
        export(cut(&stine)).expect(200);
        enrol(&enroller, &citizen(&number(25)));
        let to = |status: &str| {
            let body = json!({"to": status, "reason": "as planned"});
            administrator.post(&format!("{TRIAL}/status"), &body).expect(200);
        };
        to("closed");
        app.set_time("2028-12-01T12:00:00Z");
        let last = cut(&stine);
        export(last).expect_problem(409, "too-close-to-another-cut");
        to("locked");
        export(last).expect(200);
    }

    fn blinded_rows_are_those_of_a_cut_only(app: &TestApp) {
        app.enrolling();
        let participant = enrol(&app.enroller(), &citizen(&number(1)));
        let stine = app.statistician();
        let list = |query: &str| stine.get(&format!("{TRIAL}/outcomes{query}"));
        assert_eq!(invalid(&list("").expect(422)), ["data_cut"]);
        assert_eq!(invalid(&list("?data_cut=99").expect(422)), ["data_cut"]);
        assert_eq!(invalid(&list(&format!("?participant={participant}")).expect(422)), ["participant"]);
        let monitor = app.monitor();
        let now: Value = monitor.get(&format!("{TRIAL}/outcomes")).expect(200);
        assert_eq!(now["items"], json!([]));
        assert_eq!(invalid(&monitor.get(&format!("{TRIAL}/outcomes?data_cut=1")).expect(422)), ["data_cut"]);
    }
}

on_both! {
    /// The example of the rule: drawn on 10 March 2027, a job on 6 April.
    fn days_are_offsets_from_the_draw(app: &TestApp) {
        app.enrolling();
        let (enroller, source, stine) = (app.enroller(), app.source(), app.statistician());
        app.set_time("2027-06-01T12:00:00Z");
        for n in 0..5 {
            let mut request = citizen(&number(n));
            request["enrolled_on"] = json!("2027-03-10");
            request["factors"]["age"] = json!(34);
            let id = enrol(&enroller, &request);
            let mut job = outcome(&format!("o{n}"), &id, "employment_started", "2027-04-06");
            job["extracted_on"] = json!("2027-05-31");
            job["hours"] = json!(37);
            source.post(&format!("{TRIAL}/outcomes"), &job).expect(201);
        }
        let cut = cut(&stine);
        for row in rows(&stine, "outcomes", cut) {
            assert_eq!((row["day"].as_str(), row["hours"].as_str()), ("27", "35-39"));
        }
        for row in rows(&stine, "participants", cut) {
            assert_eq!((row["drawn_week"].as_str(), row["age"].as_str()), ("2027-W10", "30-34"));
            assert_eq!((row["time_to_employment"].as_str(), row["followed"].as_str()), ("27", "0"));
            assert!(row["site"].starts_with("s-"), "{row:?}");
        }
    }
}

/// What cannot be hidden without taking away what the trial measures: whoever knows the days of all records
/// of a participant (their source, or an enroller who was told) finds the row where no other has the same.
/// docs/randomization.md tells the share.
#[test]
fn what_offsets_allow_is_as_documented() {
    let app = TestApp::sqlite();
    let trial = trial(&app);
    let participants = rows(&trial.statistician, "participants", trial.cut);
    let mut days: HashMap<String, Vec<String>> = HashMap::new();
    for row in rows(&trial.statistician, "outcomes", trial.cut) {
        let record = format!("{} {}", row["kind"], row["day"]);
        days.entry(row["participant"].clone())
            .or_default()
            .push(record);
    }
    let mut alike: HashMap<Vec<String>, usize> = HashMap::new();
    let of = |row: &HashMap<String, String>| {
        let known = ["drawn_week", "site", "target_group", "age"];
        let mut all: Vec<String> = known.iter().map(|key| row[*key].clone()).collect();
        let mut own = days.get(&row["participant"]).cloned().unwrap_or_default();
        own.sort();
        all.extend(own);
        all
    };
    for row in &participants {
        *alike.entry(of(row)).or_default() += 1;
    }
    let alone = participants
        .iter()
        .filter(|row| alike[&of(row)] == 1)
        .count();
    let silent = participants
        .iter()
        .filter(|row| !days.contains_key(&row["participant"]) && alike[&of(row)] == 1)
        .count();
    let share = alone as f64 / PEOPLE as f64;
    let page = include_str!("../../docs/randomization.md");
    let told = format!("{:.0}% of the rows", 100.0 * share);
    assert!(page.contains(&told), "{told}");
    // Of those of whom nothing was recorded the days say nothing.
    assert!((silent as f64) < 0.05 * PEOPLE as f64, "{silent}");
}
