//! `lodkast key`: the first API keys (later ones are made over HTTP), and the exchange of the secret
//! key.

use super::{ConfigOption, Done, Stopped, open_service, print};
use crate::access::Role;
use crate::clock::Clock;
use crate::conduct::exchange_key;
use crate::conduct::issue_key::{self, Wish};
use crate::document::Field;
use crate::key_file;
use serde_json::Value;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key and print it, this once
    Create(Options),
    /// Exchange the secret key: seal everything under a new one
    Rotate(RotateOptions),
}

#[derive(Debug, clap::Args)]
pub struct RotateOptions {
    #[command(flatten)]
    config: ConfigOption,
    /// The file of the new key; made, with mode 0600, where it is missing
    #[arg(long, value_name = "FILE")]
    new_key_file: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    /// administrator, enroller, source, statistician, monitor or auditor
    #[arg(long)]
    role: String,
    /// The holder; for a source, the name under which its records are kept
    #[arg(long)]
    name: String,
    /// A site that the key is for; may be given several times; without it, all sites
    #[arg(long = "site")]
    sites: Vec<String>,
    /// The trial that the key is for; without it, all trials
    #[arg(long)]
    trial: Option<String>,
}

pub fn run(command: &Command) -> Done {
    match command {
        Command::Create(options) => create(options),
        Command::Rotate(options) => rotate(options),
    }
}

/// The new key is on disk before anything is sealed under it.
fn rotate(options: &RotateOptions) -> Done {
    let config = options.config.load()?;
    let service = open_service(config, Clock::system())?;
    let new = key_file::own(&options.new_key_file).map_err(Stopped::input)?;
    let resealed = exchange_key::run(&service, new).map_err(super::import::stopped)?;
    eprintln!(
        "sealed under the key in {2}: registrations {0}, drafts {1}. Start the service with it",
        resealed.registrations,
        resealed.drafts,
        options.new_key_file.display()
    );
    Ok(())
}

fn create(options: &Options) -> Done {
    let wish = options.wish()?;
    let service = open_service(options.config.load()?, Clock::system())?;
    let key = issue_key::by_hand(&service, &wish).map_err(Stopped::failed)?;
    print(&format!("{}\n", key.reveal()))
}

impl Options {
    /// Reads the options by the same rules as a request over HTTP.
    fn wish(&self) -> Result<Wish, Stopped> {
        Role::read(&Value::String(self.role.clone()))
            .map_err(|detail| Stopped::input(format!("--role {detail}")))?;
        let mut value = serde_json::json!({"role": self.role, "name": self.name});
        if let Some(trial) = &self.trial {
            value["trial"] = trial.as_str().into();
        }
        if !self.sites.is_empty() {
            value["sites"] = self.sites.clone().into();
        }
        Wish::read(&value).map_err(|refusal| match refusal {
            crate::conduct::Refusal::Invalid(faults) => {
                let lines: Vec<String> = faults
                    .iter()
                    .map(|f| format!("--{} {}", f.field, f.detail))
                    .collect();
                Stopped::input(lines.join("; "))
            }
            other => Stopped::input(other),
        })
    }
}
