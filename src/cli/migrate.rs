//! `lodkast migrate`.

use super::{ConfigOption, Done, Stopped, open_store};
use crate::clock::Clock;
use crate::conduct::Service;
use crate::key_file;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
}

pub fn run(options: &Options) -> Done {
    let config = options.config.load()?;
    let store = open_store(&config)?;
    let run = store.migrate().map_err(Stopped::failed)?;
    if run.is_empty() {
        eprintln!("the schema is up to date");
    }
    for name in run {
        eprintln!("migration {name} was run");
    }
    // What an earlier release left is taken over with the service's own keys.
    let secrets = key_file::load(&config).map_err(Stopped::input)?;
    Service::open(store, Clock::system(), secrets, config).map_err(Stopped::failed)?;
    Ok(())
}
