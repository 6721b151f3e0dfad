//! `lodkast erase`: forget a person, where a law demands it.

use super::import::stopped;
use super::{ConfigOption, Done, Stopped, open_service};
use crate::clock::Clock;
use crate::conduct::erase::{self, Whom};
use crate::store::Address;
use serde_json::json;
use std::time::Duration;
use zeroize::Zeroizing;

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[arg(long, value_name = "ID")]
    trial: String,
    /// The participant's id
    #[arg(long, value_name = "ID", required_unless_present = "citizen")]
    participant: Option<String>,
    /// Read the citizen's number from standard input; it is of this scheme: cpr or reference
    #[arg(long, value_name = "SCHEME", conflicts_with = "participant")]
    citizen: Option<String>,
    /// Why; it is written to the ledger
    #[arg(long)]
    reason: String,
}

/// Longest wait for readers of the database.
const PATIENCE: Duration = Duration::from_secs(60);

pub fn run(options: &Options) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let trial = &options.trial;
    let whom = match (&options.participant, &options.citizen) {
        (Some(id), _) => Whom::Participant(id.clone()),
        (None, Some(scheme)) => {
            let mut number = Zeroizing::new(String::new());
            std::io::stdin()
                .read_line(&mut number)
                .map_err(Stopped::failed)?;
            let citizen = json!({"scheme": scheme, "value": number.trim()});
            erase::citizen(&service, trial, &citizen).map_err(stopped)?
        }
        (None, None) => return Err(Stopped::input("--participant or --citizen is missing")),
    };
    let erased = erase::run(&service, trial, &whom, &options.reason).map_err(stopped)?;
    let again = if erased.again {
        " (asked for before)"
    } else {
        ""
    };
    eprintln!("records erased: {}{again}", erased.facts);
    if let Address::Postgres(_) = service.store.address() {
        eprintln!(
            "PostgreSQL keeps what was erased in dead rows until VACUUM, in its WAL, replicas and backups"
        );
        Ok(())
    } else if erase::scrub(&service, PATIENCE).map_err(stopped)? {
        eprintln!("overwritten in the database's file and its log; copies in backups are not");
        Ok(())
    } else {
        let detail =
            "a reader held the database's log: what was erased is still in it. Run this again";
        Err(Stopped::failed(detail))
    }
}
