//! `lodkast key`: make, ask for, list and revoke API keys on the service's machine or as their holder, and
//! exchange the secret key.

use super::{ConfigOption, Done, Stopped, open_service, print};
use crate::access::{Caller, KeyText, Role};
use crate::clock::Clock;
use crate::conduct::exchange_key;
use crate::conduct::issue_key::{self, Wish};
use crate::document::Field;
use crate::key_file;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

#[derive(Debug, clap::Subcommand)]
pub enum Command {
    /// Make a key and print it, this once; the installation's ledger says that the command line made it
    Create(Options),
    /// As the holder: make a key of your own; print what is to be asked for, keep the key to yourself
    Request(RequestOptions),
    /// List the keys, without their secrets
    List(ListOptions),
    /// Revoke a key
    Revoke(RevokeOptions),
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
pub struct RequestOptions {
    /// File for the key, made with mode 0600; it must not be there yet
    #[arg(long, value_name = "FILE")]
    output: PathBuf,
}

#[derive(Debug, clap::Args)]
pub struct ListOptions {
    #[command(flatten)]
    config: ConfigOption,
}

#[derive(Debug, clap::Args)]
pub struct RevokeOptions {
    #[command(flatten)]
    config: ConfigOption,
    /// Id of the key
    key: String,
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
    /// Name of the person to whom the key belongs; without it, the name of the key
    #[arg(long)]
    person: Option<String>,
    /// A site that the key is for; may be given several times; without it, all sites
    #[arg(long = "site")]
    sites: Vec<String>,
    /// The trial that the key is for; without it, all trials
    #[arg(long)]
    trial: Option<String>,
    /// When it expires, such as 2027-06-30T00:00:00Z; without it, in a year
    #[arg(long, value_name = "TIME")]
    expires_at: Option<String>,
}

pub fn run(command: &Command) -> Done {
    match command {
        Command::Create(options) => create(options),
        Command::Request(options) => request(options),
        Command::List(options) => list(options),
        Command::Revoke(options) => revoke(options),
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
    let clock = Clock::system();
    let wish = options.wish(clock.now())?;
    let service = open_service(options.config.load()?, clock)?;
    let key = issue_key::by_hand(&service, &wish).map_err(Stopped::failed)?;
    print(&format!("{}\n", key.reveal()))
}

/// Needs neither service nor database: the secret never leaves the holder's machine.
fn request(options: &RequestOptions) -> Done {
    let key = KeyText::random();
    let path = options.output.display();
    let write = || -> std::io::Result<()> {
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&options.output)?;
        writeln!(file, "{}", key.reveal())?;
        file.sync_all()
    };
    write().map_err(|fault| Stopped::input(format!("{path}: {fault}")))?;
    eprintln!(
        "the key is in {path}: keep it. It holds once two persons have asked for it and signed:"
    );
    let asked = json!({"key_id": key.id, "secret_sha256": key.hash()});
    print(&format!("{asked}\n"))
}

fn list(options: &ListOptions) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let hand = Caller::command_line(Role::Administrator);
    let rows = issue_key::list(&service, &hand, None, i64::MAX).map_err(super::import::stopped)?;
    let mut text = String::new();
    for row in rows {
        let day = |time: Option<chrono::NaiveDateTime>| {
            time.map_or("-".to_owned(), |time| time.date().to_string())
        };
        text.push_str(&format!(
            "{}  {:<13}  {:<28}  {:<24}  expires {}  used {}{}\n",
            row.id,
            row.role,
            row.name,
            row.sites.as_deref().unwrap_or("all sites"),
            day(row.expires_at),
            row.last_used_on
                .map_or("-".to_owned(), |day| day.to_string()),
            if row.revoked_at.is_some() {
                "  revoked"
            } else {
                ""
            },
        ));
    }
    print(&text)
}

fn revoke(options: &RevokeOptions) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let hand = Caller::command_line(Role::Administrator);
    issue_key::revoke(&service, &hand, &options.key).map_err(super::import::stopped)?;
    eprintln!("key {} is revoked", options.key);
    Ok(())
}

impl Options {
    /// Reads the options by the same rules as a request over HTTP.
    fn wish(&self, now: DateTime<Utc>) -> Result<Wish, Stopped> {
        Role::read(&Value::String(self.role.clone()))
            .map_err(|detail| Stopped::input(format!("--role {detail}")))?;
        let mut value = json!({"role": self.role, "name": self.name});
        if let Some(trial) = &self.trial {
            value["trial"] = trial.as_str().into();
        }
        if let Some(person) = &self.person {
            value["person"] = person.as_str().into();
        }
        if let Some(time) = &self.expires_at {
            value["expires_at"] = time.as_str().into();
        }
        if !self.sites.is_empty() {
            value["sites"] = self.sites.clone().into();
        }
        Wish::read(&value, now).map_err(|refusal| match refusal {
            crate::conduct::Refusal::Invalid(faults) => {
                let lines: Vec<String> = faults
                    .iter()
                    .map(|f| format!("--{} {}", f.field.replace('_', "-"), f.detail))
                    .collect();
                Stopped::input(lines.join("; "))
            }
            other => Stopped::input(other),
        })
    }
}
