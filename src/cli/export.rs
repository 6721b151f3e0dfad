//! `lodkast export`: the data sets of a data cut, as files.

use super::{ConfigOption, Done, Stopped, open_service};
use crate::access::{Caller, Role};
use crate::analysis::export::DataSet;
use crate::clock::Clock;
use crate::conduct::{export, issue_key};
use clap::ValueEnum;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[arg(long, value_name = "ID")]
    trial: String,
    #[arg(long, value_name = "NUMBER")]
    data_cut: i64,
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Folder for the files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,
    /// The API key whose rights decide what is shown; without it, what a statistician may see
    #[arg(long, env = "LODKAST_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

pub fn run(options: &Options) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let caller = match &options.key {
        Some(key) => issue_key::authenticate(&service, key).map_err(Stopped::input)?,
        None => Caller {
            key_id: "command-line".into(),
            name: "command line".into(),
            role: Role::Statistician,
            trial: None,
            sites: None,
        },
    };
    let Format::Csv = options.format;
    std::fs::create_dir_all(&options.output).map_err(Stopped::failed)?;
    for set in DataSet::ALL {
        if *set == DataSet::Conversations && !caller.role.sees_arms() {
            eprintln!("conversations are left out: they show the arm, and the trial is blinded");
            continue;
        }
        let text = export::run(&service, &caller, &options.trial, options.data_cut, *set)
            .map_err(super::import::stopped)?;
        let path = options.output.join(format!("{set}.csv"));
        std::fs::write(&path, text)
            .map_err(|fault| Stopped::failed(format!("{}: {fault}", path.display())))?;
        eprintln!("{}", path.display());
    }
    Ok(())
}
