//! `lodkast backup`: a copy of an SQLite database from one moment, while the service goes on writing.

use super::{ConfigOption, Done, Stopped, open_store};
use crate::store::Address;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// File for the copy; it must not be there yet
    file: PathBuf,
}

pub fn run(options: &Options) -> Done {
    let mut config = options.config.load()?;
    config.database.statement_seconds = 0;
    let file = &options.file;
    let store = open_store(&config)?;
    if let Address::Postgres(_) = store.address() {
        return Err(Stopped::input(
            "a PostgreSQL database is backed up by its own tools: pg_dump for a copy of one moment, \
             pg_basebackup with archived WAL to restore to any moment",
        ));
    }
    if file.exists() {
        return Err(Stopped::input(format!(
            "{}: is there already",
            file.display()
        )));
    }
    store.copy_into(file).map_err(Stopped::failed)?;
    eprintln!(
        "{}: the database as it was when the copy began. Enrolments after that moment are not in it, and a \
         restore draws their arms again: docs/operations.md",
        file.display()
    );
    Ok(())
}
