//! CSV rows with their line numbers, for the commands that read tables.

use super::Stopped;
use std::collections::HashMap;
use std::path::Path;

/// A table: the names of its columns in order, and its rows.
pub struct Table {
    pub header: Vec<String>,
    pub rows: Vec<Row>,
}

/// One row with the line on which it begins.
pub struct Row {
    pub line: u64,
    pub fields: Vec<String>,
}

impl Table {
    /// Reads CSV; `name` is what errors call the file.
    pub fn read(name: &Path, bytes: &[u8]) -> Result<Self, Stopped> {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .from_reader(bytes);
        let stopped = |error: csv::Error| {
            let line = error.position().map_or(1, csv::Position::line);
            Stopped::input(format!(
                "{}: line {line} is not CSV of this header",
                name.display()
            ))
        };
        let header: Vec<String> = reader
            .headers()
            .map_err(stopped)?
            .iter()
            .map(str::to_owned)
            .collect();
        for (place, column) in header.iter().enumerate() {
            if header[..place].contains(column) {
                let detail = format!("{}: line 1 has the column {column} twice", name.display());
                return Err(Stopped::input(detail));
            }
        }
        let mut rows = Vec::new();
        for record in reader.records() {
            let record = record.map_err(stopped)?;
            let line = record.position().map_or(0, csv::Position::line);
            rows.push(Row {
                line,
                fields: record.iter().map(str::to_owned).collect(),
            });
        }
        Ok(Self { header, rows })
    }

    /// The places of the columns by name.
    pub fn columns(&self) -> HashMap<&str, usize> {
        self.header
            .iter()
            .enumerate()
            .map(|(i, name)| (name.as_str(), i))
            .collect()
    }
}
