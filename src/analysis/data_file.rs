//! The data file of `lodkast analyse`: CSV with a header, one row a participant.
//!
//! Every factor has a column by its id, and every endpoint too; a time to an event has another one,
//! ending in `_event`, that tells how the time ended (`docs/data-file.md`). A field left empty is
//! missing. Every fault names its line.

use super::columns::{Column, Dataset, Received, Values};
use super::flow::{Flow, allocated};
use super::follow_up::{COMPETING, until_horizon};
use crate::document::Invalid;
use crate::protocol::canonical::{nfc, sha256};
use crate::protocol::{Endpoint, EndpointKind, Factor, FactorKind, Protocol};
use crate::statistics::survival::Observation;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Faults beyond this number are counted only.
const MOST_FAULTS: usize = 50;

/// Weights that are usable: beyond, nothing but rounding would be left of the others.
const WEIGHTS: std::ops::RangeInclusive<f64> = 1e-9..=1e9;

/// Columns that are known beside those of the protocol.
const OTHERS: [&str; 4] = ["enrolled_on", "cluster", "received", "weight"];

/// A parsed file: rows of fields, and the places of the columns.
struct File {
    columns: HashMap<String, usize>,
    rows: Vec<csv::StringRecord>,
    faults: Vec<Invalid>,
    more: usize,
}

impl Dataset {
    /// Reads a data file under a protocol.
    pub fn from_csv(protocol: &Protocol, bytes: &[u8]) -> Result<Self, Vec<Invalid>> {
        let mut file = File::parse(bytes)?;
        file.require(protocol);
        if !file.faults.is_empty() {
            return Err(file.settle());
        }
        let arms = file.arms(protocol);
        file.check_participants();
        let mut dataset = Self {
            digest: hex::encode(sha256(bytes)),
            ..Self::default()
        };
        for factor in &protocol.factors {
            let column = file.factor(factor);
            dataset.factors.insert(factor.id.clone(), column);
        }
        dataset.clusters = file.clusters(protocol, &dataset);
        dataset.received = file.received(protocol);
        dataset.weights = file.weights();
        for endpoint in &protocol.endpoints {
            let (values, warnings) = file.endpoint(endpoint, &mut dataset.competing);
            dataset.endpoints.insert(endpoint.id.clone(), values);
            if !warnings.is_empty() {
                dataset
                    .endpoint_warnings
                    .insert(endpoint.id.clone(), warnings);
            }
        }
        if !file.faults.is_empty() {
            return Err(file.settle());
        }
        let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
        for arm in &arms {
            *counts.entry(&protocol.arms[*arm].id).or_default() += 1;
        }
        dataset.flow = Flow {
            randomized: arms.len() as u64,
            arms: Some(allocated(protocol, |arm| {
                counts.get(arm).copied().unwrap_or(0)
            })),
            ..Flow::default()
        };
        dataset.arms = arms;
        dataset.warnings = file.ignored(protocol);
        Ok(dataset)
    }
}

/// The values of the primary endpoint alone, without a look at the arms: the column `arm` need not be there.
pub(super) fn blinded_values(
    protocol: &Protocol,
    bytes: &[u8],
) -> Result<(Values, Vec<String>), Vec<Invalid>> {
    let mut file = File::parse(bytes)?;
    let endpoint = protocol
        .endpoint(&protocol.analysis.primary)
        .ok_or_else(|| {
            vec![Invalid::new(
                "analysis.primary",
                "is not the id of an endpoint",
            )]
        })?;
    file.need("participant");
    file.need_endpoint(endpoint);
    if file.rows.is_empty() {
        file.fault(None, "participant", "has no rows");
    }
    if file.faults.is_empty() {
        file.check_participants();
        let made = file.endpoint(endpoint, &mut BTreeMap::new());
        if file.faults.is_empty() {
            return Ok(made);
        }
    }
    Err(file.settle())
}

impl File {
    fn parse(bytes: &[u8]) -> Result<Self, Vec<Invalid>> {
        // A byte order mark, as spreadsheets write it, is no part of the first name.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let bytes = &without_returns(bytes)[..];
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let fault = |line: u64, detail: String| vec![Invalid::new(format!("line {line}"), detail)];
        let header = reader
            .headers()
            .map_err(|e| fault(1, csv_fault(&e)))?
            .clone();
        let mut columns = HashMap::new();
        for (place, name) in header.iter().enumerate() {
            if columns.insert(nfc(name), place).is_some() {
                let name = printable(name);
                return Err(fault(1, format!("the column {name} stands twice")));
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            rows.push(record.map_err(|error| {
                fault(
                    error.position().map_or(0, csv::Position::line),
                    csv_fault(&error),
                )
            })?);
        }
        Ok(Self {
            columns,
            rows,
            faults: Vec::new(),
            more: 0,
        })
    }

    fn settle(mut self) -> Vec<Invalid> {
        if self.more > 0 {
            self.faults
                .push(Invalid::new("", format!("and {} more faults", self.more)));
        }
        self.faults
    }

    fn fault(&mut self, row: Option<usize>, column: &str, detail: impl Into<String>) {
        if self.faults.len() == MOST_FAULTS {
            self.more += 1;
            return;
        }
        let line = row.map_or(1, |row| {
            self.rows[row]
                .position()
                .map_or(row as u64 + 2, csv::Position::line)
        });
        self.faults.push(Invalid::new(
            format!("line {line}, column {column}"),
            detail,
        ));
    }

    /// Every column that the protocol needs must be there.
    fn require(&mut self, protocol: &Protocol) {
        self.need("participant");
        self.need("arm");
        for factor in &protocol.factors {
            self.need(&factor.id);
        }
        for endpoint in &protocol.endpoints {
            self.need_endpoint(endpoint);
        }
        if self.rows.is_empty() {
            self.fault(None, "participant", "has no rows");
        }
    }

    fn need(&mut self, name: &str) {
        if !self.columns.contains_key(name) {
            self.fault(None, name, "is missing");
        }
    }

    fn need_endpoint(&mut self, endpoint: &Endpoint) {
        self.need(&endpoint.id);
        if endpoint.kind == EndpointKind::TimeToEvent {
            self.need(&format!("{}_event", endpoint.id));
        }
    }

    fn ignored(&self, protocol: &Protocol) -> Vec<String> {
        let mut known: BTreeSet<String> = ["participant", "arm"].map(str::to_owned).into();
        known.extend(OTHERS.map(str::to_owned));
        known.extend(protocol.factors.iter().map(|factor| factor.id.clone()));
        for endpoint in &protocol.endpoints {
            known.insert(endpoint.id.clone());
            known.insert(format!("{}_event", endpoint.id));
        }
        let mut ignored: Vec<&String> = self
            .columns
            .keys()
            .filter(|name| !known.contains(*name))
            .collect();
        ignored.sort_unstable();
        ignored
            .into_iter()
            .map(|name| printable(name))
            .map(|name| format!("the column {name} is not in the protocol and was left out"))
            .collect()
    }

    /// The fields of a column; an empty one is missing.
    fn fields(&self, name: &str) -> Vec<Option<String>> {
        let place = self.columns[name];
        self.rows
            .iter()
            .map(|row| row.get(place).filter(|field| !field.is_empty()).map(nfc))
            .collect()
    }

    fn arms(&mut self, protocol: &Protocol) -> Vec<usize> {
        let fields = self.fields("arm");
        let mut arms = Vec::with_capacity(fields.len());
        for (row, field) in fields.iter().enumerate() {
            match field.as_ref().and_then(|field| protocol.arm_index(field)) {
                Some(arm) => arms.push(arm),
                None => self.fault(Some(row), "arm", "is not an arm of the protocol"),
            }
        }
        arms
    }

    /// The column `cluster`; without it the factor that is named like the unit of the draw.
    fn clusters(&self, protocol: &Protocol, dataset: &Dataset) -> Option<Vec<Option<String>>> {
        if self.columns.contains_key("cluster") {
            return Some(self.fields("cluster"));
        }
        match dataset.factors.get(protocol.unit.as_str()) {
            Some(Column::Levels(levels)) => Some(levels.clone()),
            _ => None,
        }
    }

    /// The column `received`: an arm, `none`, or empty where nobody knows.
    fn received(&mut self, protocol: &Protocol) -> Option<Vec<Received>> {
        if !self.columns.contains_key("received") {
            return None;
        }
        let fields = self.fields("received");
        let mut found = Vec::with_capacity(fields.len());
        for (row, field) in fields.iter().enumerate() {
            found.push(match field.as_deref() {
                None => Received::Unknown,
                Some(text) => match protocol.arm_index(text) {
                    Some(arm) => Received::Arm(arm),
                    None if text == "none" => Received::Nothing,
                    None => {
                        self.fault(
                            Some(row),
                            "received",
                            "is neither an arm of the protocol nor none",
                        );
                        Received::Unknown
                    }
                },
            });
        }
        // An empty column tells as little as none.
        found
            .iter()
            .any(|received| *received != Received::Unknown)
            .then_some(found)
    }

    /// The column `weight`: a number above 0; 0 or empty where a participant stands for nobody.
    fn weights(&mut self) -> Option<Vec<Option<f64>>> {
        if !self.columns.contains_key("weight") {
            return None;
        }
        let mut weights = self.numbers("weight");
        for (row, weight) in weights.iter_mut().enumerate() {
            let usable = |weight: f64| weight == 0.0 || WEIGHTS.contains(&weight);
            if weight.is_some_and(|weight| !usable(weight)) {
                self.fault(
                    Some(row),
                    "weight",
                    "is neither 0 nor from 0.000000001 to 1000000000",
                );
            }
            *weight = weight.filter(|weight| *weight > 0.0);
        }
        Some(weights)
    }

    fn check_participants(&mut self) {
        let fields = self.fields("participant");
        let mut seen = BTreeSet::new();
        for (row, field) in fields.into_iter().enumerate() {
            match field {
                None => self.fault(Some(row), "participant", "is missing"),
                Some(id) => {
                    if !seen.insert(id) {
                        self.fault(
                            Some(row),
                            "participant",
                            "stands on an earlier line already",
                        );
                    }
                }
            }
        }
    }

    fn factor(&mut self, factor: &Factor) -> Column {
        if factor.kind == FactorKind::Number {
            return Column::Numbers(self.numbers(&factor.id));
        }
        let levels = self.fields(&factor.id);
        for (row, level) in levels.iter().enumerate() {
            let known = |level: &String| factor.open_levels || factor.levels.contains(level);
            if level.as_ref().is_some_and(|level| !known(level)) {
                self.fault(Some(row), &factor.id, "is not a level of this factor");
            }
        }
        Column::Levels(levels)
    }

    fn numbers(&mut self, name: &str) -> Vec<Option<f64>> {
        let fields = self.fields(name);
        fields
            .into_iter()
            .enumerate()
            .map(|(row, field)| {
                let number = field?
                    .parse::<f64>()
                    .ok()
                    .filter(|number| number.is_finite());
                if number.is_none() {
                    self.fault(Some(row), name, "is not a number");
                }
                number
            })
            .collect()
    }

    fn endpoint(
        &mut self,
        endpoint: &Endpoint,
        competing: &mut BTreeMap<String, Vec<bool>>,
    ) -> (Values, Vec<String>) {
        match endpoint.kind {
            EndpointKind::Binary => (Values::Binary(self.flags(&endpoint.id)), Vec::new()),
            EndpointKind::Continuous => (Values::Number(self.numbers(&endpoint.id)), Vec::new()),
            EndpointKind::Count => {
                let counts = self.numbers(&endpoint.id);
                for (row, count) in counts.iter().enumerate() {
                    if count.is_some_and(|count| count < 0.0 || count.fract() != 0.0) {
                        self.fault(Some(row), &endpoint.id, "is not a count");
                    }
                }
                (Values::Number(counts), Vec::new())
            }
            EndpointKind::TimeToEvent => self.times(endpoint, competing),
        }
    }

    fn flags(&mut self, name: &str) -> Vec<Option<bool>> {
        let fields = self.fields(name);
        fields
            .into_iter()
            .enumerate()
            .map(|(row, field)| match field?.as_str() {
                "1" | "1.0" | "true" | "TRUE" => Some(true),
                "0" | "0.0" | "false" | "FALSE" => Some(false),
                _ => {
                    self.fault(Some(row), name, "is neither 0 nor 1");
                    None
                }
            })
            .collect()
    }

    fn times(
        &mut self,
        endpoint: &Endpoint,
        others: &mut BTreeMap<String, Vec<bool>>,
    ) -> (Values, Vec<String>) {
        let weeks = endpoint.time_unit.per_week();
        let event_column = format!("{}_event", endpoint.id);
        let (times, events) = (self.numbers(&endpoint.id), self.numbers(&event_column));
        let mut observations = Vec::with_capacity(times.len());
        let mut competing = vec![false; times.len()];
        for (row, (time, event)) in times.into_iter().zip(events).enumerate() {
            if time.is_some_and(|time| time < 0.0) {
                self.fault(Some(row), &endpoint.id, "is negative");
            }
            if event.is_some_and(|event| event < 0.0 || event.fract() != 0.0) {
                self.fault(
                    Some(row),
                    &event_column,
                    "is neither 0 nor a whole number above it",
                );
            }
            if time.is_some() != event.is_some() {
                self.fault(
                    Some(row),
                    &event_column,
                    "is missing where its time is given, or the reverse",
                );
            }
            observations.push(time.zip(event).map(|(time, event)| {
                let observation = Observation {
                    time: time / weeks,
                    event: event == 1.0,
                };
                let within = until_horizon(observation, endpoint);
                competing[row] = event > 1.0 && within == observation;
                within
            }));
        }
        let mut warnings = Vec::new();
        if competing.contains(&true) {
            warnings.push(COMPETING.to_owned());
            others.insert(endpoint.id.clone(), competing);
        }
        (Values::Time(observations), warnings)
    }
}

/// The same text with lines that end as on Unix: else the reader counts a line too few.
fn without_returns(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.windows(2).any(|pair| pair == b"\r\n") {
        return Cow::Borrowed(bytes);
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for (i, byte) in bytes.iter().enumerate() {
        if *byte != b'\r' || bytes.get(i + 1) != Some(&b'\n') {
            kept.push(*byte);
        }
    }
    Cow::Owned(kept)
}

/// A column's name as it may be printed on a terminal.
fn printable(name: &str) -> String {
    name.chars().filter(|c| !c.is_control()).take(60).collect()
}

fn csv_fault(error: &csv::Error) -> String {
    match error.kind() {
        csv::ErrorKind::UnequalLengths {
            expected_len, len, ..
        } => {
            format!("has {len} fields where the header has {expected_len}")
        }
        csv::ErrorKind::Utf8 { .. } => "is not UTF-8".into(),
        _ => "is not CSV".into(),
    }
}
