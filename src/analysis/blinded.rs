//! What a blinded role sees of a data cut, row by row.
//!
//! Rows stand in the order of ids that hold for this cut only. What those who enrol know of a participant
//! (site, week of the draw, factors) is coded, banded and made coarser until every combination is shared
//! by enough participants; days are offsets from the draw, and no calendar day stands beside them. What
//! shows the arm is left out. Offsets and values are what the trial measures: they are not made coarser,
//! and docs/randomization.md says what they allow.

use super::columns::{Column, Dataset, Values};
use super::export::{Field, field};
use super::facts::CutData;
use crate::protocol::{EndpointKind, FactorKind, Protocol, SITE};
use chrono::{Datelike, NaiveDate};
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// Width of the bands of numbers, before and after they are doubled.
const BAND: f64 = 5.0;

/// Gives ids and codes that hold for one cut.
pub trait Blinding {
    /// The id of a participant.
    fn participant(&self, id: &str) -> String;
    /// The code of a site.
    fn site(&self, site: &str) -> String;
}

/// One step by which rows were made coarser, and how many it was done to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    pub step: String,
    pub rows: usize,
}

/// An outcome as a blinded role sees it.
#[derive(Debug, Clone, PartialEq, PartialOrd, Serialize)]
pub struct Outcome {
    pub participant: String,
    pub kind: String,
    /// Days from the draw.
    pub day: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until_day: Option<i64>,
    /// Band of hours a week.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<u32>,
}

/// The participants of a cut, blinded.
#[derive(Debug)]
pub struct Participants {
    pub fields: Vec<Field>,
    pub rows: Vec<Vec<String>>,
    pub steps: Vec<Step>,
}

/// What an enroller knows of a participant: a text for each column, empty where it is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Known {
    week: String,
    site: String,
    factors: Vec<String>,
}

/// The ISO week of a day, as in `2027-W10`.
fn week(day: NaiveDate) -> String {
    let week = day.iso_week();
    format!("{}-W{:02}", week.year(), week.week())
}

/// The band of a number, as in `35-39`: whole bands from 0.
fn band(value: f64, width: f64) -> String {
    let from = (value / width).floor() * width;
    format!("{from}-{}", from + width - 1.0)
}

/// The outcomes of a cut in the order of their blinded ids.
pub fn outcomes(data: &CutData, blinding: &impl Blinding) -> Vec<Outcome> {
    let drawn: HashMap<&str, NaiveDate> = data
        .participants
        .iter()
        .map(|enrolled| (enrolled.id.as_str(), enrolled.enrolled_on))
        .collect();
    let mut rows: Vec<Outcome> = data
        .outcomes
        .iter()
        .filter_map(|record| {
            let zero = *drawn.get(record.participant.as_str())?;
            let offset = |day: NaiveDate| (day - zero).num_days();
            let body = &record.body;
            Some(Outcome {
                participant: blinding.participant(&record.participant),
                kind: body.kind.to_string(),
                day: offset(body.effective_on),
                until_day: body.until.map(offset),
                hours: body.hours.map(|hours| band(hours, BAND)),
                endpoint: body.endpoint.clone(),
                value: body.value,
                event: body.event,
            })
        })
        .collect();
    // By content alone: the order in which records came in would tell whose they are.
    rows.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    rows
}

/// Whether each participant's primary endpoint is followed to its end.
pub fn followed(protocol: &Protocol, dataset: &Dataset) -> Vec<bool> {
    let primary = &protocol.analysis.primary;
    let known = |row: usize| {
        dataset
            .endpoints
            .get(primary)
            .is_some_and(|v| v.is_known(row))
    };
    let judged = dataset.immature.contains_key(primary);
    (0..dataset.rows())
        .map(|row| match judged {
            true => !dataset.is_immature(primary, row),
            false => known(row),
        })
        .collect()
}

/// The participants of a cut, in combinations of at least `smallest`.
pub fn participants(
    protocol: &Protocol,
    data: &CutData,
    dataset: &Dataset,
    blinding: &impl Blinding,
    smallest: usize,
) -> Participants {
    let factors: Vec<_> = protocol.factors.iter().filter(|f| f.id != SITE).collect();
    let has_site = protocol.factor(SITE).is_some();
    let known = |row: usize| {
        let enrolled = &data.participants[row];
        let level = |id: &str| match dataset.factors.get(id) {
            Some(Column::Levels(levels)) => levels[row].clone().unwrap_or_default(),
            Some(Column::Numbers(numbers)) => numbers[row].map_or(String::new(), |x| band(x, BAND)),
            None => String::new(),
        };
        Known {
            week: week(enrolled.enrolled_on),
            site: match &enrolled.site {
                Some(site) if has_site => blinding.site(site),
                _ => String::new(),
            },
            factors: factors.iter().map(|factor| level(&factor.id)).collect(),
        }
    };
    let mut rows: Vec<Known> = (0..dataset.rows()).map(known).collect();
    let mut steps = Vec::new();
    let mut coarser = |name: String, change: &mut dyn FnMut(usize, &mut Known)| {
        let rare = rarer_than(&rows, smallest);
        for row in &rare {
            change(*row, &mut rows[*row]);
        }
        steps.push(Step {
            step: name,
            rows: rare.len(),
        });
    };
    coarser("week to month".into(), &mut |row, known| {
        known.week = data.participants[row]
            .enrolled_on
            .format("%Y-%m")
            .to_string();
    });
    coarser("bands doubled".into(), &mut |row, known| {
        for (factor, text) in factors.iter().zip(&mut known.factors) {
            if let Some(Column::Numbers(numbers)) = dataset.factors.get(&factor.id)
                && let Some(number) = numbers[row]
            {
                *text = band(number, 2.0 * BAND);
            }
        }
    });
    if has_site {
        coarser("site dropped".into(), &mut |_, known| known.site.clear());
    }
    for (place, factor) in factors.iter().enumerate().rev() {
        coarser(format!("factor {} dropped", factor.id), &mut |_, known| {
            known.factors[place].clear();
        });
    }
    coarser("all dropped".into(), &mut |_, known| {
        known.week.clear();
    });
    withhold_more(&mut rows, smallest, &mut steps);
    let followed = followed(protocol, dataset);
    let mut told: Vec<Vec<String>> = rows
        .into_iter()
        .enumerate()
        .map(|(row, known)| {
            let mut cells = vec![blinding.participant(&data.participants[row].id), known.week];
            cells.extend(has_site.then_some(known.site));
            cells.extend(known.factors);
            cells.push(u8::from(followed[row]).to_string());
            cells.extend(values(protocol, dataset, row));
            cells
        })
        .collect();
    told.sort_unstable_by(|a, b| a[0].cmp(&b[0]));
    Participants {
        fields: fields(protocol),
        rows: told,
        steps,
    }
}

/// Those of whom everything is withheld are not few either: while they are, the rarest combination that is
/// shown is withheld with them.
fn withhold_more(rows: &mut [Known], smallest: usize, steps: &mut Vec<Step>) {
    let is_blank = |known: &Known| {
        known.week.is_empty() && known.site.is_empty() && known.factors.iter().all(String::is_empty)
    };
    loop {
        let blank = rows.iter().filter(|known| is_blank(known)).count();
        if blank == 0 || blank >= smallest {
            return;
        }
        let mut counts: HashMap<&Known, usize> = HashMap::new();
        for known in rows.iter().filter(|known| !is_blank(known)) {
            *counts.entry(known).or_default() += 1;
        }
        let key = |known: &Known| {
            (
                known.week.clone(),
                known.site.clone(),
                known.factors.clone(),
            )
        };
        let rarest = counts
            .into_iter()
            .min_by_key(|(known, count)| (*count, key(known)));
        let Some((rarest, count)) = rarest.map(|(known, count)| (known.clone(), count)) else {
            return;
        };
        for known in rows.iter_mut().filter(|known| **known == rarest) {
            known.week.clear();
            known.site.clear();
            known.factors.iter_mut().for_each(String::clear);
        }
        steps.push(Step {
            step: "withheld with the few".into(),
            rows: count,
        });
    }
}

/// Rows whose combination occurs less often than `smallest` times.
fn rarer_than(rows: &[Known], smallest: usize) -> Vec<usize> {
    let mut counts: HashMap<&Known, usize> = HashMap::new();
    for known in rows {
        *counts.entry(known).or_default() += 1;
    }
    let rare: HashSet<&Known> = counts
        .into_iter()
        .filter(|(_, count)| *count < smallest)
        .map(|(known, _)| known)
        .collect();
    (0..rows.len())
        .filter(|row| rare.contains(&rows[*row]))
        .collect()
}

/// The endpoints of a row that do not show the arm; times in whole days.
fn values(protocol: &Protocol, dataset: &Dataset, row: usize) -> Vec<String> {
    let mut cells = Vec::new();
    for endpoint in &protocol.endpoints {
        if protocol.shows_arm(endpoint) {
            continue;
        }
        match dataset.endpoints.get(&endpoint.id) {
            Some(Values::Binary(values)) => {
                cells.push(values[row].map_or(String::new(), |v| u8::from(v).to_string()));
            }
            Some(Values::Number(values)) => {
                cells.push(values[row].map_or(String::new(), |value| value.to_string()));
            }
            Some(Values::Time(values)) => {
                let days = values[row].map(|o| (o.time * 7.0).round().to_string());
                let cause = values[row].map(|o| dataset.ended(&endpoint.id, row, o).cause);
                cells.push(days.unwrap_or_default());
                cells.push(cause.map_or(String::new(), |cause| cause.to_string()));
            }
            None => cells.push(String::new()),
        }
    }
    cells
}

/// The columns of blinded participants.
pub fn fields(protocol: &Protocol) -> Vec<Field> {
    let mut fields = vec![
        field(
            "participant",
            "Id that holds for this data cut only",
            "",
            false,
        ),
        field(
            "drawn_week",
            "ISO week of the draw, its month, or nothing",
            "",
            false,
        ),
    ];
    if let Some(site) = protocol.factor(SITE) {
        let meaning = format!("{}: a code that holds for this data cut only", site.label);
        fields.push(field(SITE, &meaning, "", false));
    }
    for factor in protocol.factors.iter().filter(|f| f.id != SITE) {
        let unit = match factor.kind {
            FactorKind::Level => "",
            FactorKind::Number => "band",
        };
        fields.push(field(&factor.id, &factor.label, unit, false));
    }
    let followed = "1 where the primary endpoint is followed to its end";
    fields.push(field("followed", followed, "0 or 1", false));
    for endpoint in protocol.endpoints.iter().filter(|e| !protocol.shows_arm(e)) {
        let unit = match endpoint.kind {
            EndpointKind::Binary => "0 or 1",
            EndpointKind::TimeToEvent => "days",
            _ => "",
        };
        fields.push(field(&endpoint.id, &endpoint.label, unit, false));
        if endpoint.kind == EndpointKind::TimeToEvent {
            let name = format!("{}_event", endpoint.id);
            let meaning = "1 event, 2 competing event, 0 censored";
            fields.push(field(&name, meaning, "code", false));
        }
    }
    fields
}

/// The columns of blinded outcomes.
pub fn outcome_fields() -> Vec<Field> {
    [
        ("participant", "Id that holds for this data cut only", ""),
        ("kind", "What happened", ""),
        (
            "day",
            "Days from the draw to the day on which it happened",
            "days",
        ),
        (
            "until_day",
            "Days from the draw to the announced first day without the job",
            "days",
        ),
        ("hours", "Hours a week", "band"),
        ("endpoint", "Endpoint of a reported value", ""),
        ("value", "Reported value", ""),
        ("event", "1 event, 0 censored, 2 and above competing", ""),
    ]
    .map(|(name, meaning, unit)| field(name, meaning, unit, false))
    .into()
}

/// The cells of a blinded outcome, in the order of [`outcome_fields`].
pub fn outcome_cells(outcome: &Outcome) -> Vec<String> {
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    vec![
        outcome.participant.clone(),
        outcome.kind.clone(),
        outcome.day.to_string(),
        outcome
            .until_day
            .map_or(String::new(), |day| day.to_string()),
        text(&outcome.hours),
        text(&outcome.endpoint),
        outcome
            .value
            .map_or(String::new(), |value| value.to_string()),
        outcome
            .event
            .map_or(String::new(), |event| event.to_string()),
    ]
}

/// How often each combination of what an enroller knows occurs, for tests and reports: the columns of
/// `participants` between the id and `followed`.
pub fn smallest_combination(told: &Participants) -> usize {
    let end = told
        .fields
        .iter()
        .position(|field| field.name == "followed")
        .unwrap_or(1);
    let mut counts: BTreeMap<&[String], usize> = BTreeMap::new();
    for row in &told.rows {
        *counts.entry(&row[1..end]).or_default() += 1;
    }
    counts.into_values().min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_and_bands_are_those_of_the_example() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        assert_eq!(week(day("2027-03-10")), "2027-W10");
        assert_eq!(week(day("2027-01-01")), "2026-W53");
        assert_eq!((day("2027-04-06") - day("2027-03-10")).num_days(), 27);
        assert_eq!(
            (band(34.0, 5.0).as_str(), band(35.0, 5.0).as_str()),
            ("30-34", "35-39")
        );
        assert_eq!(band(37.5, 10.0), "30-39");
        assert_eq!(band(0.0, 5.0), "0-4");
        assert_eq!(band(-3.0, 5.0), "-5--1");
    }

    #[test]
    fn those_of_whom_all_is_withheld_are_not_few() {
        let known = |site: &str| Known {
            week: String::new(),
            site: site.into(),
            factors: Vec::new(),
        };
        let mut rows = vec![
            known(""),
            known("a"),
            known("a"),
            known("b"),
            known("b"),
            known("b"),
        ];
        let mut steps = Vec::new();
        withhold_more(&mut rows, 2, &mut steps);
        assert_eq!(
            rows,
            [
                known(""),
                known(""),
                known(""),
                known("b"),
                known("b"),
                known("b")
            ]
        );
        assert_eq!(steps[0].rows, 2);
        withhold_more(&mut rows, 2, &mut steps);
        assert_eq!(steps.len(), 1);
    }

    #[test]
    fn rare_combinations_are_found_by_their_number() {
        let known = |site: &str| Known {
            week: "2027-W10".into(),
            site: site.into(),
            factors: Vec::new(),
        };
        let rows = [known("a"), known("b"), known("a"), known("a"), known("b")];
        assert_eq!(rarer_than(&rows, 3), [1, 4]);
        assert!(rarer_than(&rows, 2).is_empty());
    }
}
