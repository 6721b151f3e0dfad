//! `lodkast simulate`: operating characteristics of a protocol under a scenario.

use super::{Done, Stopped, print, read_file, read_protocol};
use crate::report;
use crate::simulation::{Scenario, simulate};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Text,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The protocol, TOML or JSON
    #[arg(long, value_name = "FILE")]
    protocol: PathBuf,
    /// What the world is like, TOML (docs/simulation.md)
    #[arg(long, value_name = "FILE")]
    scenario: PathBuf,
    /// Trials under the null, and as many under the effect
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..=1_000_000))]
    trials: u32,
    /// Threads; all cores where none is named
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_024))]
    threads: Option<u32>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub fn run(options: &Options) -> Done {
    let protocol = read_protocol(&options.protocol)?;
    let file = options.scenario.display();
    let bytes = read_file(&options.scenario)?;
    let text =
        String::from_utf8(bytes).map_err(|_| Stopped::input(format!("{file}: is not UTF-8")))?;
    let wrong = |fault| Stopped::input(format!("{file}: {fault}"));
    let scenario = Scenario::from_toml(&text).map_err(wrong)?;
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads.unwrap_or(0) as usize)
        .build()
        .map_err(Stopped::failed)?;
    let bar = ProgressBar::new(2 * u64::from(options.trials));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} trials, {eta} left");
    bar.set_style(style.map_err(Stopped::failed)?);
    let simulated = pool
        .install(|| simulate(&protocol, &scenario, options.trials, || bar.inc(1)))
        .map_err(wrong)?;
    bar.finish_and_clear();
    match options.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&simulated).map_err(Stopped::failed)?;
            print(&format!("{text}\n"))
        }
        Format::Text => print(&report::simulation(&simulated)),
    }
}
