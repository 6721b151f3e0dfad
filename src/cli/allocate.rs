//! `lodkast allocate`: the draw offline, for audit and for trials that are drawn by hand.

use super::rows::{Row, Table};
use super::{Done, Stopped, print, read_file, read_protocol};
use crate::protocol::canonical::nfc;
use crate::protocol::{Factor, Protocol, Scheme, level_fault};
use crate::randomization::{Clusters, Replay, Seed, StratumLabel, StreamKeys};
use std::io::Read;
use std::path::{Path, PathBuf};

/// The columns that are added.
const ADDED: [&str; 3] = ["index", "stratum", "arm"];

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The protocol, TOML or JSON
    #[arg(long, value_name = "FILE")]
    protocol: PathBuf,
    /// The seed, 64 hexadecimal digits
    #[arg(long, value_name = "HEX", required_unless_present = "seed_file")]
    seed: Option<String>,
    /// A file that holds the seed
    #[arg(long, value_name = "FILE", conflicts_with = "seed")]
    seed_file: Option<PathBuf>,
    /// Id of the trial, where it is not the protocol's
    #[arg(long, value_name = "ID")]
    trial: Option<String>,
}

pub fn run(options: &Options) -> Done {
    let mut protocol = read_protocol(&options.protocol)?;
    if let Some(trial) = &options.trial {
        protocol.id.clone_from(trial);
    }
    let seed = options.seed()?;
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(Stopped::failed)?;
    let table = Table::read(Path::new("standard input"), &bytes)?;
    print(&allocations(&protocol, &seed, &table)?)
}

impl Options {
    fn seed(&self) -> Result<Seed, Stopped> {
        let text = match (&self.seed, &self.seed_file) {
            (Some(text), _) => text.clone(),
            (None, Some(path)) => String::from_utf8_lossy(&read_file(path)?).into_owned(),
            (None, None) => String::new(),
        };
        Seed::from_hex(&text)
            .ok_or_else(|| Stopped::input("the seed must be 64 hexadecimal digits"))
    }
}

/// The columns of the factors by which is drawn, in the order of the protocol.
fn factor_columns<'a>(
    protocol: &'a Protocol,
    table: &Table,
) -> Result<Vec<(&'a Factor, usize)>, Stopped> {
    let columns = table.columns();
    for name in ADDED {
        if columns.contains_key(name) {
            let detail = format!("standard input: line 1 has a column {name} already");
            return Err(Stopped::input(detail));
        }
    }
    // A unit is drawn by its own factors, which the protocol lists: only its name is needed.
    let needed: Vec<&Factor> = match &protocol.randomization.scheme {
        Scheme::Clusters { .. } => protocol.unit_factor().into_iter().collect(),
        _ => protocol.stratifiers().collect(),
    };
    needed
        .into_iter()
        .map(|factor| {
            let place = columns.get(factor.id.as_str()).copied();
            place.map(|place| (factor, place)).ok_or_else(|| {
                Stopped::input(format!(
                    "standard input: line 1 lacks the column {}",
                    factor.id
                ))
            })
        })
        .collect()
}

/// The levels of a row; every one must be known.
fn levels_of<'a>(
    factors: &[(&'a Factor, usize)],
    row: &Row,
) -> Result<Vec<(&'a str, String)>, Stopped> {
    let level_of = |(factor, place): &(&'a Factor, usize)| {
        let level = nfc(&row.fields[*place]);
        let usable = match factor.open_levels {
            true => level_fault(&level).is_none(),
            false => factor.levels.contains(&level),
        };
        if !usable {
            let (line, id) = (row.line, &factor.id);
            let detail =
                format!("standard input: line {line}, column {id} is not a level of this factor");
            return Err(Stopped::input(detail));
        }
        Ok((factor.id.as_str(), level))
    };
    factors.iter().map(level_of).collect()
}

fn allocations(protocol: &Protocol, seed: &Seed, table: &Table) -> Result<String, Stopped> {
    let factors = factor_columns(protocol, table)?;
    let keys = StreamKeys::new(seed, &protocol.id, 1);
    let clusters = match &protocol.randomization.scheme {
        Scheme::Clusters { units } => {
            Some(Clusters::draw(protocol, &keys, std::slice::from_ref(units)))
        }
        _ => None,
    };
    let mut replay = Replay::new(protocol, keys).map_err(Stopped::input)?;
    let mut writer = csv::Writer::from_writer(Vec::new());
    let header = table.header.iter().map(String::as_str).chain(ADDED);
    writer.write_record(header).map_err(Stopped::failed)?;
    for row in &table.rows {
        let levels = levels_of(&factors, row)?;
        let at_line = |fault| Stopped::input(format!("standard input: line {}: {fault}", row.line));
        let (label, unit) = match &clusters {
            Some(clusters) => {
                let unit = levels[0].1.as_str();
                (
                    clusters.of(unit).map_err(at_line)?.label.clone(),
                    Some(unit),
                )
            }
            None => (
                StratumLabel::of(levels.iter().map(|(id, l)| (*id, l.as_str()))),
                None,
            ),
        };
        let drawn = replay.next(&label, unit).map_err(at_line)?;
        let number = drawn.index.to_string();
        let arm = protocol.arms[drawn.arm].id.as_str();
        let fields = row.fields.iter().map(String::as_str);
        let record = fields.chain([number.as_str(), label.as_str(), arm]);
        writer.write_record(record).map_err(Stopped::failed)?;
    }
    let bytes = writer.into_inner().map_err(Stopped::failed)?;
    String::from_utf8(bytes).map_err(Stopped::failed)
}
