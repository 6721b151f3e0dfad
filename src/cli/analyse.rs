//! `lodkast analyse`: analyses a data file where it lies.

use super::{Done, Stopped, print, read_file, read_protocol};
use crate::analysis::settings::USUAL_DRAWS;
use crate::analysis::{self, Dataset, Earlier, Look, Settings};
use crate::protocol::Protocol;
use crate::randomization::Seed;
use crate::report;
use clap::ValueEnum;
use serde_json::Value;
use std::collections::BTreeMap;
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
    /// Seed of re-draws and imputations, 64 hexadecimal digits; else made of the digests of protocol
    /// and data
    #[arg(long, value_name = "HEX")]
    seed: Option<String>,
    /// Re-draws of the randomization test
    #[arg(long, value_name = "N", default_value_t = USUAL_DRAWS,
        value_parser = clap::value_parser!(u32).range(999..=1_000_000))]
    draws: u32,
    /// The planned look that this analysis is, counted from 1
    #[arg(long, value_name = "N")]
    look: Option<usize>,
    /// What `analyse --look --format json` printed at an earlier look; else the planned information
    /// stands for it. Give it once for each
    #[arg(long, value_name = "FILE", requires = "look")]
    earlier: Vec<PathBuf>,
}

pub fn run(options: &Options) -> Done {
    let protocol = read_protocol(&options.protocol)?;
    let settings = settings(options, &protocol)?;
    let bytes = read_file(&options.data)?;
    let dataset = Dataset::from_csv(&protocol, &bytes)
        .map_err(|faults| Stopped::faults(&options.data, &faults))?;
    let digest = hex::encode(protocol.digest());
    let document = analysis::run(&protocol, digest, &dataset, &settings);
    match options.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&document).map_err(Stopped::failed)?;
            print(&format!("{text}\n"))
        }
        Format::Text => print(&report::text(&protocol, &document)),
        Format::Html => print(&report::html(&protocol, &document)),
    }
}

fn settings(options: &Options, protocol: &Protocol) -> Result<Settings, Stopped> {
    let seed = options.seed.as_deref().map(|text| {
        let seed = Seed::from_hex(text)
            .ok_or_else(|| Stopped::input("--seed is not 64 hexadecimal digits"));
        seed.map(|seed| *seed.bytes())
    });
    let planned = protocol
        .analysis
        .looks
        .as_ref()
        .map_or(0, |looks| looks.information.len());
    if options.look.is_some_and(|look| look == 0 || look > planned) {
        return Err(Stopped::input(format!(
            "--look: the protocol plans {planned} looks"
        )));
    }
    let look = options.look.map(|number| {
        earlier(&options.earlier, number, protocol).map(|earlier| Look { number, earlier })
    });
    Ok(Settings {
        seed: seed.transpose()?,
        draws: options.draws,
        look: look.transpose()?,
    })
}

/// What the looks before look `number` had, read from their documents.
fn earlier(
    paths: &[PathBuf],
    number: usize,
    protocol: &Protocol,
) -> Result<Vec<BTreeMap<String, Earlier>>, Stopped> {
    let digest = hex::encode(protocol.digest());
    let mut found = vec![BTreeMap::new(); number - 1];
    for path in paths {
        let fault = |detail: &str| Stopped::input(format!("{}: {detail}", path.display()));
        let document: Value =
            serde_json::from_slice(&read_file(path)?).map_err(|_| fault("is not JSON"))?;
        if document["protocol"]["digest"] != digest.as_str() {
            return Err(fault("is not of this protocol"));
        }
        let look = document["sequential"]["look"].as_u64();
        let place = look
            .and_then(|look| usize::try_from(look).ok()?.checked_sub(1))
            .ok_or_else(|| fault("is no planned look"))?;
        let Some(arms) = found.get_mut(place) else {
            return Err(fault("is no look before this one"));
        };
        if !arms.is_empty() {
            return Err(fault("is a look that another file told already"));
        }
        *arms = Earlier::of_document(&document);
        let mut listed: Vec<&str> = document["sequential"]["arms"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|at| at["arm"].as_str())
            .collect();
        listed.sort_unstable();
        let mut compared: Vec<&str> = protocol.compared().map(|arm| arm.id.as_str()).collect();
        compared.sort_unstable();
        if listed != compared {
            return Err(fault("does not tell of each arm once"));
        }
        if arms.is_empty() {
            return Err(fault("tells no information"));
        }
        if !arms.values().all(Earlier::is_possible) {
            return Err(fault("tells numbers that no look can have"));
        }
    }
    Ok(found)
}
