//! `lodkast export`: the data sets of a data cut, or the bundle of an unblinded trial, as files.

use super::{ConfigOption, Done, Stopped, open_service};
use crate::access::{Caller, Right, Role};
use crate::analysis::export::DataSet;
use crate::clock::Clock;
use crate::conduct::{Service, bundle, export, issue_key};
use crate::ledger::bundle::Audience;
use clap::ValueEnum;
use std::io::BufWriter;
use std::path::PathBuf;

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Csv,
    Bundle,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum For {
    /// Every draw
    Auditor,
    /// Every record
    Full,
    /// No participants
    Public,
}

#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(flatten)]
    config: ConfigOption,
    #[arg(long, value_name = "ID")]
    trial: String,
    /// The data cut; a bundle has none
    #[arg(long, value_name = "NUMBER", required_if_eq("format", "csv"))]
    data_cut: Option<i64>,
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// For whom a bundle is
    #[arg(long, value_enum, default_value = "auditor")]
    audience: For,
    /// Folder for the files
    #[arg(long, value_name = "FOLDER", default_value = ".")]
    output: PathBuf,
    /// The API key whose rights decide what is shown; without it, what a statistician (of data sets)
    /// or an auditor (of bundles) may see
    #[arg(long, env = "LODKAST_API_KEY", hide_env_values = true)]
    key: Option<String>,
}

pub fn run(options: &Options) -> Done {
    let service = open_service(options.config.load()?, Clock::system())?;
    let caller = match &options.key {
        Some(key) => issue_key::authenticate(&service, key).map_err(Stopped::input)?,
        None => Caller::command_line(match options.format {
            Format::Csv => Role::Statistician,
            Format::Bundle => Role::Auditor,
        }),
    };
    std::fs::create_dir_all(&options.output).map_err(Stopped::failed)?;
    match options.format {
        Format::Csv => data_sets(&service, &caller, options),
        Format::Bundle => bundle(&service, &caller, options),
    }
}

fn data_sets(service: &Service, caller: &Caller, options: &Options) -> Done {
    let data_cut = options
        .data_cut
        .ok_or_else(|| Stopped::input("--data-cut is missing"))?;
    let trial = service.trial(caller, &options.trial, Right::Export);
    let open = trial.map_err(super::import::stopped)?.status.is_open();
    for set in DataSet::ALL {
        if *set == DataSet::Conversations && !caller.role.sees_arms(open) {
            eprintln!("conversations are left out: they show the arm, and the trial is blinded");
            continue;
        }
        let text = export::run(service, caller, &options.trial, data_cut, *set)
            .map_err(super::import::stopped)?;
        let path = options.output.join(format!("{set}.csv"));
        std::fs::write(&path, text)
            .map_err(|fault| Stopped::failed(format!("{}: {fault}", path.display())))?;
        eprintln!("{}", path.display());
    }
    Ok(())
}

fn bundle(service: &Service, caller: &Caller, options: &Options) -> Done {
    let audience = match options.audience {
        For::Auditor => Audience::Auditor,
        For::Full => Audience::Full,
        For::Public => Audience::Public,
    };
    let bundle = bundle::prepare(service, caller, &options.trial, audience)
        .map_err(super::import::stopped)?;
    let path = options.output.join("bundle.json");
    let file = std::fs::File::create(&path)
        .map_err(|fault| Stopped::failed(format!("{}: {fault}", path.display())))?;
    bundle
        .write(&mut BufWriter::new(file))
        .map_err(super::import::stopped)?;
    eprintln!("{}", path.display());
    Ok(())
}
