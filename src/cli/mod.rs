//! The command line, one file for each subcommand.
//!
//! A command ends with 0 where it did what was asked. It ends with 2 where it was asked wrongly, and
//! with 1 for every other failure; standard error then says what was wrong, and where.

mod allocate;
mod analyse;
mod backup;
mod check;
mod client;
mod demo;
mod design;
mod erase;
mod export;
mod import;
mod key;
mod migrate;
mod rows;
mod serve;
mod simulate;
mod verify;
mod witness;

use crate::clock::Clock;
use crate::conduct::Service;
use crate::config::Config;
use crate::document::Invalid;
use crate::protocol::{self, Protocol};
use crate::store::Store;
use crate::{key_file, telemetry};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Randomized controlled trials in public employment services.
#[derive(Debug, Parser)]
#[command(version, about)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a whole trial on synthetic citizens through the real HTTP API, then go on serving
    Demo(demo::Options),
    /// Run the service
    Serve(serve::Options),
    /// Bring the schema of the database up to date
    Migrate(migrate::Options),
    /// Manage API keys
    #[command(subcommand)]
    Key(key::Command),
    /// Draw offline: factors as CSV on standard input, allocations on standard output
    Allocate(allocate::Options),
    /// Analyse a data file
    Analyse(analyse::Options),
    /// Boundaries, sample size and power of a protocol
    Design(design::Options),
    /// Run the protocol many times over in a made-up world: type I error, power, size, coverage
    Simulate(simulate::Options),
    /// Import an existing trial's enrolments, conversations or outcomes
    Import(import::Options),
    /// Export the data sets of a data cut, or the bundle of an unblinded trial
    Export(export::Options),
    /// Check the bundle of a trial: commitments, draws, ledger
    Verify(verify::Options),
    /// Sign the checkpoints of a ledger as an independent witness
    Witness(witness::Options),
    /// Forget a person, where a law demands it
    Erase(erase::Options),
    /// Examine the database: records, rows, draws, notes; each difference is named
    Check(check::Options),
    /// Copy an SQLite database as it is at one moment
    Backup(backup::Options),
}

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct Stopped {
    code: u8,
    message: String,
}

impl Stopped {
    /// Wrong usage or input.
    fn input(message: impl std::fmt::Display) -> Self {
        Self {
            code: 2,
            message: message.to_string(),
        }
    }

    /// The service or the machine failed.
    fn failed(message: impl std::fmt::Display) -> Self {
        Self {
            code: 1,
            message: message.to_string(),
        }
    }

    /// A file with these faults, one a line.
    fn faults(file: &Path, faults: &[Invalid]) -> Self {
        let lines: Vec<String> = faults
            .iter()
            .map(|fault| match fault.field.as_str() {
                "" => format!("{}: {}", file.display(), fault.detail),
                field => format!("{}: {field} {}", file.display(), fault.detail),
            })
            .collect();
        Self::input(lines.join("\n"))
    }
}

type Done = Result<(), Stopped>;

/// How a command prints what it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// Runs a command.
pub fn run(arguments: Arguments) -> ExitCode {
    let done = match arguments.command {
        Command::Demo(options) => demo::run(&options),
        Command::Serve(options) => serve::run(&options),
        Command::Migrate(options) => migrate::run(&options),
        Command::Key(command) => key::run(&command),
        Command::Allocate(options) => allocate::run(&options),
        Command::Analyse(options) => analyse::run(&options),
        Command::Simulate(options) => simulate::run(&options),
        Command::Design(options) => design::run(&options),
        Command::Import(options) => import::run(&options),
        Command::Export(options) => export::run(&options),
        Command::Verify(options) => verify::run(&options),
        Command::Witness(options) => witness::run(&options),
        Command::Erase(options) => erase::run(&options),
        Command::Check(options) => check::run(&options),
        Command::Backup(options) => backup::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(stopped) => {
            eprintln!("lodkast: {}", stopped.message);
            ExitCode::from(stopped.code)
        }
    }
}

/// Where a command finds its settings.
#[derive(Debug, clap::Args)]
struct ConfigOption {
    /// Settings that override the defaults; the environment (LODKAST_...) overrides both
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigOption {
    /// The settings, with the log started.
    fn load(&self) -> Result<Config, Stopped> {
        let config = Config::load(self.config.as_deref()).map_err(Stopped::input)?;
        telemetry::start(&config.log).map_err(Stopped::input)?;
        for name in crate::config::unknown_names() {
            tracing::warn!(name, "a name in the environment that is no setting");
        }
        Ok(config)
    }
}

fn open_store(config: &Config) -> Result<Store, Stopped> {
    let wait = Duration::from_secs(config.database.wait_seconds);
    let statement = Duration::from_secs(config.database.statement_seconds);
    Store::open(
        &config.database.url,
        config.database.connections,
        wait,
        statement,
    )
    .map_err(Stopped::failed)
}

/// The service on its database, with the schema brought up to date where configured.
fn open_service(config: Config, clock: Clock) -> Result<Service, Stopped> {
    let store = open_store(&config)?;
    if config.database.migrate_at_start {
        store.migrate().map_err(Stopped::failed)?;
    }
    let secrets = key_file::load(&config).map_err(Stopped::input)?;
    Service::open(store, clock, secrets, config).map_err(Stopped::failed)
}

fn read_file(path: &Path) -> Result<Vec<u8>, Stopped> {
    std::fs::read(path).map_err(|fault| Stopped::input(format!("{}: {fault}", path.display())))
}

/// Reads a protocol file; the ending tells JSON from TOML.
fn read_protocol(path: &Path) -> Result<Protocol, Stopped> {
    let text = String::from_utf8(read_file(path)?)
        .map_err(|_| Stopped::input(format!("{}: is not UTF-8", path.display())))?;
    let json = path.extension().is_some_and(|ending| ending == "json");
    let read = if json {
        protocol::from_json(&text)
    } else {
        protocol::from_toml(&text)
    };
    read.map_err(|faults| Stopped::faults(path, &faults))
}

/// Writes to standard output; a reader that has gone away ends the command quietly.
fn print(text: &str) -> Done {
    use std::io::Write;
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(fault) if fault.kind() != std::io::ErrorKind::BrokenPipe => Err(Stopped::failed(fault)),
        _ => Ok(()),
    }
}
