//! `lodkast analyse`: analyses a data file where it lies.

use super::{Done, Stopped, print, read_file, read_protocol};
use crate::analysis::{self, Dataset};
use crate::report;
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Text,
    Html,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The data: CSV, one row a participant (docs/data-file.md)
    data: PathBuf,
    /// The protocol, TOML or JSON
    #[arg(long, value_name = "FILE")]
    protocol: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Seed of the randomization test, 64 hexadecimal digits; this version does not make that test
    #[arg(long, value_name = "HEX")]
    seed: Option<String>,
    /// Draws of the randomization test; this version does not make that test
    #[arg(long, value_name = "N")]
    draws: Option<u32>,
}

pub fn run(options: &Options) -> Done {
    let protocol = read_protocol(&options.protocol)?;
    let bytes = read_file(&options.data)?;
    let dataset = Dataset::from_csv(&protocol, &bytes)
        .map_err(|faults| Stopped::faults(&options.data, &faults))?;
    let mut document = analysis::run(&protocol, hex::encode(protocol.digest()), &dataset);
    if options.seed.is_some() || options.draws.is_some() {
        let unused = "--seed and --draws have no effect: this version makes no randomization test";
        document.warnings.push(unused.into());
    }
    match options.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&document).map_err(Stopped::failed)?;
            print(&format!("{text}\n"))
        }
        Format::Text => print(&report::text(&protocol, &document)),
        Format::Html => print(&report::html(&protocol, &document)),
    }
}
