//! `lodkast import`: an existing trial's enrolments, conversations or outcomes, from CSV.
//!
//! A map (TOML) tells which column fills which field of a request; each row then goes the way of a
//! request. Every row is read before the first is written: a row of the wrong form stops the import
//! and changes nothing. Importing again changes nothing either, because citizens and source_ids are
//! known by then.

use super::rows::{Row, Table};
use super::{ConfigOption, Done, Stopped, open_service, read_file};
use crate::access::{Caller, Right, Role};
use crate::clock::Clock;
use crate::conduct::group::{self, Answer, Task, Work};
use crate::conduct::record::{self, Stream};
use crate::conduct::{Refusal, Service, Trial, enrolment};
use crate::protocol;
use indicatif::ProgressBar;
use serde::Deserialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[arg(long, value_name = "ID")]
    trial: String,
    /// Which column fills which field (docs/import.md)
    #[arg(long, value_name = "FILE")]
    map: PathBuf,
    /// The data: CSV with a header
    data: PathBuf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Into {
    Enrolments,
    Conversations,
    Outcomes,
}

/// The map of an import.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mapping {
    into: Into,
    /// The source under whose name records are kept.
    source: String,
    /// Field of the request (as in `factors.age`) to column of the file.
    columns: BTreeMap<String, String>,
    /// Field of the request to a value that all rows share.
    #[serde(default)]
    constants: BTreeMap<String, Value>,
    /// Column to (text in the file to text in the request).
    #[serde(default)]
    values: BTreeMap<String, BTreeMap<String, String>>,
    /// Fields that are numbers.
    #[serde(default)]
    numbers: Vec<String>,
    /// Fields that are true or false, written as true/false or 1/0.
    #[serde(default)]
    flags: Vec<String>,
}

pub fn run(options: &Options) -> Done {
    let mapping = read_map(options)?;
    let table = Table::read(&options.data, &read_file(&options.data)?)?;
    let service = open_service(options.config.load()?, Clock::system())?;
    let caller = Arc::new(Caller {
        key_id: "command-line".into(),
        name: mapping.source.clone(),
        person: "command-line".into(),
        expires_at: None,
        role: if mapping.into == Into::Enrolments {
            Role::Enroller
        } else {
            Role::Source
        },
        trial: None,
        sites: None,
    });
    let right = match mapping.into {
        Into::Enrolments => Right::Enrol,
        Into::Conversations => Right::WriteConversation,
        Into::Outcomes => Right::WriteOutcome,
    };
    let trial = service
        .trial(&caller, &options.trial, right)
        .map_err(stopped)?;
    let tasks = read_rows(options, &service, &trial, &mapping, &table, &caller)?;
    write(options, &service, &trial, &table.rows, &tasks)
}

fn read_map(options: &Options) -> Result<Mapping, Stopped> {
    let path = options.map.display();
    let text = String::from_utf8(read_file(&options.map)?)
        .map_err(|_| Stopped::input(format!("{path}: is not UTF-8")))?;
    toml::from_str(&text).map_err(|fault| {
        let place = fault
            .span()
            .map_or(String::new(), |span| protocol::place_of(&text, span.start));
        Stopped::input(format!("{path}{place}: {}", fault.message()))
    })
}

/// Reads every row, or tells the first faults of each that cannot be read.
fn read_rows(
    options: &Options,
    service: &Service,
    trial: &Trial,
    mapping: &Mapping,
    table: &Table,
    caller: &Arc<Caller>,
) -> Result<Vec<Task>, Stopped> {
    let columns = table.columns();
    for column in mapping.columns.values() {
        if !columns.contains_key(column.as_str()) {
            let detail = format!("{}: lacks the column {column}", options.data.display());
            return Err(Stopped::input(detail));
        }
    }
    let mut tasks = Vec::with_capacity(table.rows.len());
    let mut faults = Vec::new();
    for row in &table.rows {
        let read = request(mapping, &columns, row)
            .map_err(Refusal::Invalid)
            .and_then(|value| {
                Ok(match mapping.into {
                    Into::Enrolments => {
                        Work::Enrol(Box::new(enrolment::read(service, trial, &value)?))
                    }
                    Into::Conversations => Work::Record(Box::new(record::read(
                        service,
                        trial,
                        Stream::Conversations,
                        &value,
                    )?)),
                    Into::Outcomes => Work::Record(Box::new(record::read(
                        service,
                        trial,
                        Stream::Outcomes,
                        &value,
                    )?)),
                })
            });
        match read {
            Ok(work) => tasks.push(Task {
                caller: caller.clone(),
                idempotency: None,
                work,
            }),
            Err(refusal) => faults.push(complaint(options, row.line, &refusal)),
        }
        if faults.len() == 20 {
            faults.push("and perhaps more".into());
            break;
        }
    }
    if faults.is_empty() {
        Ok(tasks)
    } else {
        Err(Stopped::input(faults.join("\n")))
    }
}

/// The request that a row stands for.
fn request(
    mapping: &Mapping,
    columns: &std::collections::HashMap<&str, usize>,
    row: &Row,
) -> Result<Value, Vec<crate::document::Invalid>> {
    use crate::document::Invalid;
    let mut request = Map::new();
    let mut faults = Vec::new();
    for (field, value) in &mapping.constants {
        put(&mut request, field, value.clone());
    }
    for (field, column) in &mapping.columns {
        let text = row.fields[columns[column.as_str()]].as_str();
        let text = match mapping.values.get(column) {
            Some(values) => values.get(text).map_or(text, String::as_str),
            None => text,
        };
        if text.is_empty() {
            continue;
        }
        let value = if mapping.numbers.contains(field) {
            number(text)
        } else if mapping.flags.contains(field) {
            match text {
                "true" | "TRUE" | "1" => Some(Value::Bool(true)),
                "false" | "FALSE" | "0" => Some(Value::Bool(false)),
                _ => None,
            }
        } else {
            Some(Value::String(text.to_owned()))
        };
        match value {
            Some(value) => put(&mut request, field, value),
            None => faults.push(Invalid::new(field, "is not of the type that the map names")),
        }
    }
    if faults.is_empty() {
        Ok(Value::Object(request))
    } else {
        Err(faults)
    }
}

/// A number as JSON has it: whole where it is written as a whole one.
fn number(text: &str) -> Option<Value> {
    match text.parse::<i64>() {
        Ok(whole) => Some(Value::from(whole)),
        Err(_) => text
            .parse::<f64>()
            .ok()
            .and_then(serde_json::Number::from_f64)
            .map(Value::Number),
    }
}

/// Puts a value at a path of the form `outer.inner`.
fn put(request: &mut Map<String, Value>, field: &str, value: Value) {
    match field.split_once('.') {
        None => {
            request.insert(field.to_owned(), value);
        }
        Some((outer, inner)) => {
            let entry = request
                .entry(outer)
                .or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(map) = entry {
                put(map, inner, value);
            }
        }
    }
}

fn write(
    options: &Options,
    service: &Service,
    trial: &Trial,
    rows: &[Row],
    tasks: &[Task],
) -> Done {
    let bar = ProgressBar::new(tasks.len() as u64);
    let (mut new, mut known, mut screened) = (0_u64, 0_u64, 0_u64);
    let mut refused = Vec::new();
    let size = service.config.writer.bulk;
    for (rows, tasks) in rows.chunks(size).zip(tasks.chunks(size)) {
        for (row, answer) in rows.iter().zip(group::run(service, &trial.id, tasks)) {
            match answer {
                Ok(Answer::Enrolled(enrolled)) if enrolled.already_enrolled => known += 1,
                Ok(Answer::Recorded(recorded)) if recorded.duplicate => known += 1,
                Ok(Answer::Screened(_)) => screened += 1,
                Ok(_) => new += 1,
                Err(refusal) => refused.push(complaint(options, row.line, &refusal)),
            }
        }
        bar.inc(tasks.len() as u64);
    }
    bar.finish_and_clear();
    eprintln!(
        "{new} new, {known} known before, {screened} screened out, {} refused",
        refused.len()
    );
    if refused.is_empty() {
        Ok(())
    } else {
        Err(Stopped::input(refused.join("\n")))
    }
}

fn complaint(options: &Options, line: u64, refusal: &Refusal) -> String {
    let what = match refusal {
        Refusal::Invalid(faults) => {
            let told: Vec<String> = faults
                .iter()
                .map(|f| format!("{} {}", f.field, f.detail))
                .collect();
            told.join("; ")
        }
        other => other.to_string(),
    };
    format!("{}: line {line}: {what}", options.data.display())
}

/// A refusal as the end of a command.
pub(super) fn stopped(refusal: Refusal) -> Stopped {
    match refusal {
        Refusal::Invalid(faults) => {
            let told: Vec<String> = faults
                .iter()
                .map(|f| format!("{} {}", f.field, f.detail))
                .collect();
            Stopped::input(told.join("; "))
        }
        Refusal::Store(error) => Stopped::failed(error),
        other => Stopped::input(other),
    }
}
