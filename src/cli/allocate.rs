//! `lodkast allocate`: the draw offline, for audit and for trials that are drawn by hand.

use super::rows::Table;
use super::{Done, Stopped, print, read_file, read_protocol};
use crate::protocol::canonical::nfc;
use crate::protocol::{Factor, Protocol};
use crate::randomization::{Allocator, Seed, StratumLabel};
use std::collections::HashMap;
use std::io::Read;
use std::path::{Path, PathBuf};

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

fn allocations(protocol: &Protocol, seed: &Seed, table: &Table) -> Result<String, Stopped> {
    let columns = table.columns();
    let factors: Vec<(&Factor, usize)> = protocol
        .stratifiers()
        .map(|factor| {
            let place = columns.get(factor.id.as_str()).copied();
            place.map(|place| (factor, place)).ok_or_else(|| {
                Stopped::input(format!(
                    "standard input: line 1 lacks the column {}",
                    factor.id
                ))
            })
        })
        .collect::<Result<_, _>>()?;
    for name in ["index", "stratum", "arm"] {
        if columns.contains_key(name) {
            let detail = format!("standard input: line 1 has a column {name} already");
            return Err(Stopped::input(detail));
        }
    }
    let mut strata: HashMap<StratumLabel, (Allocator, u64)> = HashMap::new();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let added = ["index", "stratum", "arm"];
    let header = table.header.iter().map(String::as_str).chain(added);
    writer.write_record(header).map_err(Stopped::failed)?;
    for row in &table.rows {
        let mut levels = Vec::new();
        for (factor, place) in &factors {
            let level = nfc(&row.fields[*place]);
            if level.is_empty() || (!factor.open_levels && !factor.levels.contains(&level)) {
                let (line, id) = (row.line, &factor.id);
                let detail = format!(
                    "standard input: line {line}, column {id} is not a level of this factor"
                );
                return Err(Stopped::input(detail));
            }
            levels.push((factor.id.as_str(), level));
        }
        let label = StratumLabel::of(levels.iter().map(|(id, level)| (*id, level.as_str())));
        if !strata.contains_key(&label) {
            let allocator = Allocator::new(protocol, seed, &label).map_err(Stopped::input)?;
            strata.insert(label.clone(), (allocator, 0));
        }
        let (allocator, index) = strata.get_mut(&label).expect("inserted above");
        let arm = &protocol.arms[allocator.next_arm()].id;
        let number = index.to_string();
        *index += 1;
        let fields = row.fields.iter().map(String::as_str);
        let record = fields.chain([number.as_str(), label.as_str(), arm]);
        writer.write_record(record).map_err(Stopped::failed)?;
    }
    let bytes = writer.into_inner().map_err(Stopped::failed)?;
    String::from_utf8(bytes).map_err(Stopped::failed)
}
