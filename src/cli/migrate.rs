//! `lodkast migrate`.

use super::{ConfigOption, Done, Stopped, open_store};

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
}

pub fn run(options: &Options) -> Done {
    let config = options.config.load()?;
    let run = open_store(&config)?.migrate().map_err(Stopped::failed)?;
    if run.is_empty() {
        eprintln!("the schema is up to date");
    }
    for name in run {
        eprintln!("migration {name} was run");
    }
    Ok(())
}
