use super::*;
use crate::statistics::survival::data::gehan;
use crate::statistics::{Fault, Question};

struct Table {
    time: Vec<f64>,
    event: Vec<bool>,
    treated: Vec<bool>,
}

fn leukaemia() -> Table {
    let (drug, placebo) = gehan();
    let all = || placebo.iter().chain(&drug);
    Table {
        time: all().map(|o| o.time).collect(),
        event: all().map(|o| o.event).collect(),
        // Gehan's table is read the other way round: placebo against the drug.
        treated: (0..42).map(|i| i < 21).collect(),
    }
}

impl Table {
    fn follow(&self) -> Follow<'_> {
        Follow::new(&self.time, &self.event, &self.treated)
    }
}

/// R `coxph(Surv(time, cens) ~ treat, gehan)`: all printed digits.
#[test]
fn the_hazard_ratio_of_gehan_1965_is_that_of_r() {
    let table = leukaemia();
    let fitted = Cox::fit(&table.follow(), Ties::Efron).unwrap();
    assert!(
        (fitted.log_ratio() - 1.57212515).abs() < 0.5e-8,
        "{}",
        fitted.log_ratio()
    );
    let error = fitted.variance(Spread::Model).sqrt();
    assert!((error - 0.41239672).abs() < 0.5e-8, "{error}");
}

#[test]
fn the_score_test_without_ties_is_the_log_rank_test() {
    let table = Table {
        time: vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        event: vec![true, true, false, true, true, false, true],
        treated: vec![true, false, true, false, true, true, false],
    };
    let fitted = Cox::fit(&table.follow(), Ties::Efron).unwrap();
    let of = |arm: bool| -> Vec<_> {
        (0..7)
            .filter(|i| table.treated[*i] == arm)
            .map(|i| crate::statistics::survival::Observation {
                time: table.time[i],
                event: table.event[i],
            })
            .collect()
    };
    let test = crate::statistics::survival::log_rank(&of(true), &of(false)).unwrap();
    assert!((fitted.score - test.statistic.unwrap().value).abs() < 1e-12);
}

#[test]
fn entries_at_zero_change_nothing() {
    let table = leukaemia();
    let entry = vec![0.0; 42];
    let plain = Cox::fit(&table.follow(), Ties::Efron).unwrap();
    let entered = Follow {
        entry: Some(&entry),
        ..table.follow()
    };
    let with = Cox::fit(&entered, Ties::Efron).unwrap();
    assert!((plain.log_ratio() - with.log_ratio()).abs() < 1e-12);
    let (a, b) = (
        plain.proportionality().unwrap(),
        with.proportionality().unwrap(),
    );
    assert!((a.0.chi_square - b.0.chi_square).abs() < 1e-9);
}

#[test]
fn a_likelihood_without_a_maximum_is_named() {
    let mut table = leukaemia();
    for i in 21..42 {
        table.event[i] = false;
        table.time[i] = 40.0;
    }
    let fault = Cox::fit(&table.follow(), Ties::Efron).unwrap_err();
    assert_eq!(fault, Fault::Monotone("the arm".into()));
    table.event.fill(false);
    assert_eq!(
        Cox::fit(&table.follow(), Ties::Efron).unwrap_err(),
        Fault::NoEvents
    );
}

#[test]
fn the_order_of_the_rows_changes_no_bit() {
    let table = leukaemia();
    let turn: Vec<usize> = (0..42).map(|i| (i * 5 + 3) % 42).collect();
    let turned = Table {
        time: turn.iter().map(|i| table.time[*i]).collect(),
        event: turn.iter().map(|i| table.event[*i]).collect(),
        treated: turn.iter().map(|i| table.treated[*i]).collect(),
    };
    let question = Question {
        null: 1.0,
        ..Question::two_sided(0.95)
    };
    let made = |table: &Table| {
        Cox::fit(&table.follow(), Ties::Efron)
            .unwrap()
            .estimate(Spread::Robust, &question)
    };
    assert_eq!(made(&table), made(&turned));
}
