//! `lodkast check`: examine the database.

use super::{ConfigOption, Done, Format, Stopped, open_service, print};
use crate::clock::Clock;
use crate::conduct::check::{self, Report};

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// Examine one trial, and the installation's own ledger; without it, everything
    #[arg(long, value_name = "ID")]
    trial: Option<String>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub fn run(options: &Options) -> Done {
    let mut config = options.config.load()?;
    // It reads for as long as it takes.
    config.database.statement_seconds = 0;
    let service = open_service(config, Clock::system())?;
    let report = check::run(&service, options.trial.as_deref()).map_err(super::import::stopped)?;
    match options.format {
        Format::Json => {
            let report = serde_json::to_string_pretty(&report).map_err(Stopped::failed)?;
            print(&format!("{report}\n"))?;
        }
        Format::Text => print(&as_text(&report))?,
    }
    match report.differences.len() {
        0 => Ok(()),
        n => Err(Stopped::failed(format!(
            "{n} differences: the database is not as it was written"
        ))),
    }
}

fn as_text(report: &Report) -> String {
    let mut text = format!(
        "records      {} are those of their leaves\ndraws        {} follow from their seeds\n",
        report.records, report.draws
    );
    for note in &report.notes {
        text.push_str(&format!("note         {note}\n"));
    }
    for difference in &report.differences {
        text.push_str(&format!("difference   {difference}\n"));
    }
    if report.differences.is_empty() {
        text.push_str("the database is as it was written\n");
    }
    text
}
