//! `lodkast erase`: forget a person, where a law demands it.

use super::{ConfigOption, Done, open_service};
use crate::clock::Clock;
use crate::conduct::erase;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[arg(long, value_name = "ID")]
    trial: String,
    /// The participant's (or screened person's) id
    #[arg(long, value_name = "ID")]
    participant: String,
    /// Why; it is written to the ledger
    #[arg(long)]
    reason: String,
}

pub fn run(options: &Options) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let erased = erase::run(
        &service,
        &options.trial,
        &options.participant,
        &options.reason,
    )
    .map_err(super::import::stopped)?;
    let again = if erased.again {
        " (asked for before)"
    } else {
        ""
    };
    eprintln!("{} records were erased{again}", erased.facts);
    Ok(())
}
