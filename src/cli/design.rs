//! `lodkast design`: boundaries, spent error, sample size, power and duration of a protocol.

use super::{Done, Stopped, print, read_file, read_protocol};
use crate::analysis::design::Design;
use crate::report::{design_svg, design_text};
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Json,
    Text,
    Svg,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The protocol, TOML or JSON
    #[arg(long, value_name = "FILE")]
    protocol: PathBuf,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    /// Interim data (CSV as for analyse): the size is computed anew from all participants together; a
    /// column of arms is not read
    #[arg(long, value_name = "FILE")]
    blinded: Option<PathBuf>,
}

pub fn run(options: &Options) -> Done {
    let protocol = read_protocol(&options.protocol)?;
    let mut design = Design::of(&protocol)
        .map_err(|fault| Stopped::input(format!("{}: {fault}", options.protocol.display())))?;
    if let Some(path) = &options.blinded {
        if matches!(options.format, Format::Svg) {
            return Err(Stopped::input(
                "--blinded has no figure: ask for text or json",
            ));
        }
        design
            .reestimate(&protocol, &read_file(path)?)
            .map_err(|faults| Stopped::faults(path, &faults))?;
    }
    match options.format {
        Format::Json => {
            let text = serde_json::to_string_pretty(&design).map_err(Stopped::failed)?;
            print(&format!("{text}\n"))
        }
        Format::Text => print(&design_text(&design)),
        Format::Svg => print(&design_svg(&design).map_err(Stopped::failed)?),
    }
}
