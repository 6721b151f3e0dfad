//! The file as rows of fields: columns by their names, and every fault with its line.

use crate::document::Invalid;
use crate::protocol::canonical::nfc;
use std::borrow::Cow;
use std::collections::HashMap;

/// Faults beyond this number are counted only.
const MOST_FAULTS: usize = 50;

/// A parsed file: rows of fields, and the places of the columns.
pub(super) struct File {
    pub columns: HashMap<String, usize>,
    pub rows: Vec<csv::StringRecord>,
    pub faults: Vec<Invalid>,
    more: usize,
}

impl File {
    pub fn parse(bytes: &[u8]) -> Result<Self, Vec<Invalid>> {
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

    pub fn settle(mut self) -> Vec<Invalid> {
        if self.more > 0 {
            self.faults
                .push(Invalid::new("", format!("and {} more faults", self.more)));
        }
        self.faults
    }

    pub fn fault(&mut self, row: Option<usize>, column: &str, detail: impl Into<String>) {
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

    pub fn need(&mut self, name: &str) {
        if !self.columns.contains_key(name) {
            self.fault(None, name, "is missing");
        }
    }

    /// The fields of a column; an empty one is missing.
    pub fn fields(&self, name: &str) -> Vec<Option<String>> {
        let place = self.columns[name];
        self.rows
            .iter()
            .map(|row| row.get(place).filter(|field| !field.is_empty()).map(nfc))
            .collect()
    }

    pub fn numbers(&mut self, name: &str) -> Vec<Option<f64>> {
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

    pub fn flags(&mut self, name: &str) -> Vec<Option<bool>> {
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
pub(super) fn printable(name: &str) -> String {
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
