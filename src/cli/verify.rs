//! `lodkast verify`: check the bundle of a trial, without service or database.

use super::{Done, Format, Stopped, print, read_file};
use crate::ledger::bundle::{Difference, Report, Trust, verify};
use crate::ledger::note::VerifierKey;
use std::fmt::Write;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub struct Options {
    /// The bundle
    bundle: PathBuf,
    /// A key that must have signed (the ledger's, or a witness's), as name+hash+base64; several times
    #[arg(long = "key", value_name = "KEY")]
    keys: Vec<String>,
    /// A signed note that was kept, which the ledger must go on from; may be given several times
    #[arg(long = "checkpoint", value_name = "FILE")]
    checkpoints: Vec<PathBuf>,
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub fn run(options: &Options) -> Done {
    let trust = options.trust()?;
    let bundle = read_file(&options.bundle)?;
    let name = options.bundle.display();
    match verify(&bundle, &trust) {
        Ok(report) => match options.format {
            Format::Json => {
                let report = serde_json::to_string_pretty(&report).map_err(Stopped::failed)?;
                print(&format!("{report}\n"))
            }
            Format::Text => print(&as_text(&report)),
        },
        Err(Difference::Unreadable(why)) => Err(Stopped::input(format!(
            "{name}: it cannot be read as a bundle: {why}"
        ))),
        Err(Difference::Note(why)) => Err(Stopped::input(format!(
            "{name}: nothing was compared: {why}"
        ))),
        Err(difference) => Err(Stopped::failed(format!(
            "{name} does not verify: {difference}"
        ))),
    }
}

impl Options {
    fn trust(&self) -> Result<Trust, Stopped> {
        let mut trust = Trust::default();
        for key in &self.keys {
            let key = VerifierKey::parse(key)
                .map_err(|fault| Stopped::input(format!("--key {key}: {fault}")))?;
            trust.keys.push(key);
        }
        for path in &self.checkpoints {
            let note = String::from_utf8(read_file(path)?)
                .map_err(|_| Stopped::input(format!("{}: is not UTF-8", path.display())))?;
            trust.kept.push((path.display().to_string(), note));
        }
        Ok(trust)
    }
}

fn as_text(report: &Report) -> String {
    let mut text = format!("trial {}\n", report.trial);
    let mut line = |what: &str, says: String| {
        let _ = writeln!(text, "{what:<14}{says}");
    };
    for commitment in &report.commitments {
        line("commitment", format!("{commitment} holds"));
    }
    line(
        "entries",
        format!(
            "{}, of which {} show a record, each that of its leaf",
            report.entries, report.records
        ),
    );
    if report.erased > 0 {
        line(
            "erased",
            format!(
                "{} records, each of a person whom an erasure names",
                report.erased
            ),
        );
    }
    line(
        "draws",
        match report.draws_left_out {
            None => format!("{} follow from the seed", report.draws),
            Some(rest) => format!(
                "{} are listed and follow from the seed; {rest} are said to be left out, and nothing \
                 ties the list to the entries",
                report.draws
            ),
        },
    );
    line("root", report.root.clone());
    line(
        "checkpoints",
        format!(
            "{} hold, and {} that were kept",
            report.checkpoints, report.kept_checkpoints
        ),
    );
    for signed in &report.signed_by {
        line(
            "signed by",
            format!("{} (up to entry {})", signed.key, signed.entries),
        );
    }
    if !report.key_was_known {
        line("note", "the ledger's key was taken from the bundle: compare it with the one that was published, or give it as --key".into());
    }
    text.push_str("verified\n");
    text
}
