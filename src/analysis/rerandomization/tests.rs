use super::*;
use crate::analysis::columns::{Column, Gone, Values};
use crate::randomization::StratumLabel;

fn trial(n: usize, blocks: &str) -> (Protocol, Dataset) {
    trial_by(
        n,
        &format!("method = 'permuted_blocks'\nblock_sizes = {blocks}"),
    )
}

fn trial_by(n: usize, method: &str) -> (Protocol, Dataset) {
    let protocol = crate::protocol::from_toml(&format!(
        "id = 't'\ntitle = 't'\n\
         arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
         factors = [{{id = 'site', levels = ['x', 'y'], stratify = true}}]\n\
         endpoints = [{{id = 'e', kind = 'continuous', from = 'reported'}}]\n\
         [randomization]\n{method}\n\
         [analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n"
    ))
    .unwrap();
    let sites = (0..n)
        .map(|i| Some(if i < 8 { "x" } else { "y" }.to_owned()))
        .collect();
    let dataset = Dataset {
        arms: (0..n).map(|i| usize::from(i % 2 == 0)).collect(),
        factors: [("site".to_owned(), Column::Levels(sites))].into(),
        ..Dataset::default()
    };
    (protocol, dataset)
}

/// Blocks of 8 and of 6 in two strata have 70 * 20 outcomes; where one arm has the larger values
/// throughout, the draw and its mirror image are the only ones as extreme: p = 2/1400.
#[test]
fn the_exact_test_of_two_blocks_is_two_in_1400() {
    let text = |blocks: &str| trial(14, blocks);
    let (protocol, mut dataset) = text("[14]");
    // Both blocks have their own stratum and size; 8 and 6 are made of one list by hand below.
    let values = (0..14).map(|i| {
        Some(if i % 2 == 0 {
            10.0 + i as f64
        } else {
            i as f64 / 10.0
        })
    });
    dataset
        .endpoints
        .insert("e".into(), Values::Number(values.collect()));
    let all: Vec<Vec<u8>> = {
        let blocks = |n: usize| {
            let (p, _) = trial(n, &format!("[{n}]"));
            let strata = vec![StratumLabel::of([("site", "x")])];
            let redraw = Redraw::new(&p, strata, vec![0; n], None).unwrap();
            let all = redraw.all(100).unwrap();
            (0..all.total())
                .map(|i| {
                    let mut arms = Vec::new();
                    all.arms(i, &mut arms);
                    arms
                })
                .collect::<Vec<_>>()
        };
        let (eight, six) = (blocks(8), blocks(6));
        eight
            .iter()
            .flat_map(|a| six.iter().map(move |b| [&a[..], &b[..]].concat()))
            .collect()
    };
    assert_eq!(all.len(), 1400);
    let endpoint = protocol.endpoint("e").unwrap();
    let scores = Scores::of(&dataset, endpoint, &["site".to_owned()]);
    let truth: Vec<u8> = dataset.arms.iter().map(|arm| *arm as u8).collect();
    let observed = scores.statistic(&truth, &truth, 1, 0).0;
    let extreme = all
        .iter()
        .filter(|arms| scores.statistic(arms, &truth, 1, 0).0.abs() >= observed.abs() - 1e-9);
    assert_eq!(extreme.count(), 2);
}

fn made(threads: usize, seed: u8) -> (f64, (f64, f64)) {
    let (protocol, mut dataset) = trial(60, "[2, 4]");
    let values = (0..60).map(|i| Some(((i * 37) % 23) as f64 + if i % 2 == 0 { 4.0 } else { 0.0 }));
    dataset
        .endpoints
        .insert("e".into(), Values::Number(values.collect()));
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap();
    let endpoint = protocol.endpoint("e").unwrap();
    let question = Question::two_sided(0.95);
    let strata = ["site".to_owned()];
    let wanted = [Wanted {
        endpoint,
        arm: 1,
        strata: &strata,
    }];
    let made = pool
        .install(|| {
            let redraws = Redraws::of(&protocol, &dataset, &wanted, [seed; 32], 999).unwrap();
            test(&redraws, &dataset, endpoint, (1, 0), &question)
        })
        .unwrap();
    (
        made.estimate.p_value.unwrap(),
        made.estimate.limits.unwrap(),
    )
}

#[test]
fn the_number_of_threads_changes_nothing_and_the_seed_does() {
    assert_eq!(made(1, 1), made(2, 1));
    assert_ne!(made(2, 1), made(2, 2));
}

#[test]
fn test_and_limits_agree() {
    let (p, (lower, upper)) = made(2, 1);
    assert_eq!(
        p < 0.05,
        !(lower..=upper).contains(&0.0),
        "{p} {lower} {upper}"
    );
    assert!(lower < upper);
}

/// A trial of 60 from which some were erased draws those who are left as the whole trial does.
#[test]
fn an_erased_participant_shifts_no_later_draw() {
    erased_shift_nothing("method = 'permuted_blocks'\nblock_sizes = [2, 4]");
    erased_shift_nothing("method = 'minimization'\nprobability = [4, 5]");
}

fn erased_shift_nothing(method: &str) {
    let (protocol, whole) = trial_by(60, method);
    let keep = |row: &usize| ![3, 4, 17, 59].contains(row);
    let Column::Levels(levels) = &whole.factors["site"] else {
        panic!("the site is a level")
    };
    let rows: Vec<usize> = (0..60).filter(keep).collect();
    let left = Dataset {
        arms: rows.iter().map(|row| whole.arms[*row]).collect(),
        factors: [(
            "site".to_owned(),
            Column::Levels(rows.iter().map(|row| levels[*row].clone()).collect()),
        )]
        .into(),
        gone: (0..60)
            .filter(|row| !keep(row))
            .map(|row| Gone {
                before: (0..row).filter(keep).count(),
                arm: whole.arms[row],
                levels: [("site".to_owned(), levels[row].clone().unwrap())].into(),
            })
            .collect(),
        ..Dataset::default()
    };
    let draw = |dataset: &Dataset| {
        let order = Order::of(&protocol, dataset).unwrap();
        let places = order.rows.clone();
        let redraw = Redraw::new(&protocol, order.strata, order.stratum_of, None).unwrap();
        let mut arms = Vec::new();
        redraw.arms(&Seed::new([9; 32]), &mut arms);
        match places {
            Some(places) => places.iter().map(|place| arms[*place as usize]).collect(),
            None => arms,
        }
    };
    let all = draw(&whole);
    let expected: Vec<u8> = rows.iter().map(|row| all[*row]).collect();
    assert_eq!(draw(&left), expected);
    let order = Order::of(&protocol, &left).unwrap();
    assert_eq!(order.arms(&left), whole.arms);
}
