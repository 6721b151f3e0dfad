//! `lodkast witness`: an independent party that signs the checkpoints of a ledger as long as each goes
//! on from the one before.
//!
//! A witness keeps the last checkpoint that it signed and the ledger's key. It takes a new one only
//! with a proof that nothing before it was changed, and adds its cosignature (C2SP tlog-cosignature).

use super::client::Client;
use super::{Done, Stopped, print, read_file};
use crate::clock::Clock;
use crate::key_file;
use crate::ledger::note::{Checkpoint, Kind, Note, NoteError, NoteSigner, VerifierKey};
use crate::ledger::tree::{Hash, from_hex, is_consistent};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::{Path, PathBuf};

#[derive(Debug, clap::Args)]
pub struct Options {
    /// Address of the service, such as https://lodkast.example.dk
    #[arg(
        long,
        value_name = "URL",
        required_unless_present = "checkpoint",
        requires = "trial"
    )]
    service: Option<String>,
    /// The trial whose ledger is witnessed
    #[arg(long, value_name = "ID")]
    trial: Option<String>,
    /// An API key that may read the ledger (an auditor's)
    #[arg(
        long,
        env = "LODKAST_API_KEY",
        hide_env_values = true,
        default_value = ""
    )]
    key: String,
    /// Instead of asking the service: its answer to GET .../ledger/checkpoint
    #[arg(long, value_name = "FILE", conflicts_with = "service")]
    checkpoint: Option<PathBuf>,
    /// Its answer to GET .../ledger/proofs/consistency
    #[arg(long, value_name = "FILE", requires = "checkpoint")]
    proof: Option<PathBuf>,
    /// Name of the witness, such as witness.example.dk
    #[arg(long)]
    name: String,
    /// The witness's own secret key; made at first use, with mode 0600
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// What the witness has signed; made at first use
    #[arg(long, value_name = "FILE")]
    state: PathBuf,
    /// The ledger's key, as published; without it, that of the first checkpoint is believed
    #[arg(long, value_name = "KEY")]
    ledger_key: Option<String>,
}

/// What a witness remembers of one ledger.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    ledger_key: String,
    checkpoint: String,
}

pub fn run(options: &Options) -> Done {
    let _turn = take_turn(&options.state)?;
    let key = key_file::own(&options.key_file).map_err(Stopped::input)?;
    let signer = NoteSigner::new(&options.name, Kind::Witness, &key.witness_seed())
        .map_err(|fault| Stopped::input(format!("--name: {fault}")))?;
    let before = read_state(&options.state)?;
    let head = options.head()?;
    let ledger_key = options.ledger_key(before.as_ref(), &head)?;
    let (note, new) = checkpoint(&text_of(&head, "checkpoint")?, &ledger_key)
        .map_err(|why| Stopped::input(format!("not signed: {why}")))?;
    if let Some(trial) = &options.trial
        && !new.origin.ends_with(&format!("/{trial}"))
    {
        let detail = format!("not signed: {} is not the ledger of {trial}", new.origin);
        return Err(Stopped::input(detail));
    }
    if let Some(before) = &before {
        let kept = |fault: String| Stopped::input(format!("{}: {fault}", options.state.display()));
        let key = VerifierKey::parse(&before.ledger_key).map_err(|f| kept(f.to_string()))?;
        let (old, point) = checkpoint(&before.checkpoint, &key).map_err(kept)?;
        signer
            .verifier()
            .verify(&old)
            .map_err(|f| kept(f.to_string()))?;
        options.check(&point, &new)?;
    }
    let cosigned = cosign(&signer, note);
    let state = State {
        ledger_key: ledger_key.to_string(),
        checkpoint: cosigned.clone(),
    };
    write_state(&options.state, &state)?;
    if before.is_none() {
        eprintln!(
            "the first checkpoint of {}, signed by {ledger_key}",
            new.origin
        );
    }
    eprintln!("witnessed by {}", signer.verifier());
    print(&cosigned)
}

impl Options {
    fn client(&self) -> Option<(Client, String)> {
        let (service, trial) = (self.service.as_ref()?, self.trial.as_ref()?);
        let path = format!("/v1/trials/{trial}/ledger");
        Some((Client::new(service.trim_end_matches('/'), &self.key), path))
    }

    fn head(&self) -> Result<Value, Stopped> {
        match (&self.checkpoint, self.client()) {
            (Some(path), _) => read_json(path),
            (None, Some((client, ledger))) => client.get(&format!("{ledger}/checkpoint")),
            (None, None) => Err(Stopped::input("--service or --checkpoint is missing")),
        }
    }

    /// The key that is given, else the remembered one, else the first that the service names.
    fn ledger_key(&self, before: Option<&State>, head: &Value) -> Result<VerifierKey, Stopped> {
        let named = head["keys"].as_array().into_iter().flatten();
        let mut named = named.filter_map(Value::as_str).map(VerifierKey::parse);
        let note = Note::parse(&text_of(head, "checkpoint")?).map_err(Stopped::input)?;
        match (&self.ledger_key, before) {
            (Some(given), _) => VerifierKey::parse(given)
                .map_err(|fault| Stopped::input(format!("--ledger-key: {fault}"))),
            (None, Some(state)) => VerifierKey::parse(&state.ledger_key).map_err(Stopped::input),
            (None, None) => named
                .find_map(|key| key.ok().filter(|key| key.verify(&note).is_ok()))
                .ok_or_else(|| Stopped::input("none of the named keys has signed the checkpoint")),
        }
    }

    /// The new tree goes on from the old one.
    fn check(&self, old: &Checkpoint, new: &Checkpoint) -> Done {
        let refused = |why: String| Stopped::failed(format!("not signed: {why}"));
        if old.origin != new.origin {
            return Err(Stopped::input(format!(
                "not signed: it is the ledger {}, not {}",
                new.origin, old.origin
            )));
        }
        if new.size < old.size {
            let (new, old) = (new.size, old.size);
            return Err(refused(format!(
                "the ledger has {new} entries, and had {old}"
            )));
        }
        let proof = match (old.size == new.size, &self.proof, self.client()) {
            (true, ..) => Vec::new(),
            (false, Some(path), _) => hashes(&read_json(path)?)?,
            (false, None, Some((client, ledger))) => {
                let (from, to) = (old.size, new.size);
                let path = format!("{ledger}/proofs/consistency?from={from}&to={to}");
                hashes(&client.get(&path)?)?
            }
            (false, None, None) => {
                let (from, to) = (old.size, new.size);
                let detail =
                    format!("--proof is missing: the proof of consistency from {from} to {to}");
                return Err(Stopped::input(detail));
            }
        };
        if is_consistent(old.size, &old.root, new.size, &new.root, &proof) {
            Ok(())
        } else {
            Err(refused(format!(
                "the tree of {} entries is not the beginning of that of {}",
                old.size, new.size
            )))
        }
    }
}

/// One run at a time over one state: two at once could sign two ledgers that part. The operating system
/// gives the lock back when the process ends, however it ends.
fn take_turn(state: &Path) -> Result<std::fs::File, Stopped> {
    let path = state.with_extension("lock");
    let file = std::fs::File::create(&path)
        .map_err(|fault| Stopped::input(format!("{}: {fault}", path.display())))?;
    file.try_lock()
        .map_err(|_| Stopped::failed(format!("{}: another run is at it", path.display())))?;
    Ok(file)
}

/// A note whose signatures hold, and the checkpoint in it. One that does not verify says nothing of any
/// ledger.
fn checkpoint(text: &str, key: &VerifierKey) -> Result<(Note, Checkpoint), String> {
    let note = Note::parse(text).map_err(|fault| fault.to_string())?;
    key.verify(&note).map_err(|fault| match fault {
        NoteError::NotSigned(_) => format!(
            "the checkpoint bears no signature of {key} (after an exchange of the service's key, give \
             the new one as --ledger-key)"
        ),
        other => other.to_string(),
    })?;
    let checkpoint = Checkpoint::parse(&note.text).map_err(|fault| fault.to_string())?;
    if checkpoint.origin != key.name {
        let (origin, name) = (&checkpoint.origin, &key.name);
        return Err(format!("it is of the ledger {origin}, the key of {name}"));
    }
    Ok((note, checkpoint))
}

fn cosign(signer: &NoteSigner, mut note: Note) -> String {
    let now = Clock::system().now().timestamp().max(0) as u64;
    let line = signer.sign(&note.text, now);
    note.signatures.retain(|other| *other != line);
    note.signatures.push(line);
    note.to_string()
}

fn text_of(value: &Value, key: &str) -> Result<String, Stopped> {
    let text = value[key].as_str().map(str::to_owned);
    text.ok_or_else(|| Stopped::failed(format!("the service's answer lacks {key}")))
}

fn hashes(proof: &Value) -> Result<Vec<Hash>, Stopped> {
    let read = |hash: &Value| from_hex(hash.as_str()?);
    let list = proof["hashes"].as_array();
    list.and_then(|list| list.iter().map(read).collect())
        .ok_or_else(|| Stopped::input("the proof is not a list of hashes"))
}

fn read_json(path: &Path) -> Result<Value, Stopped> {
    serde_json::from_slice(&read_file(path)?)
        .map_err(|fault| Stopped::input(format!("{}: {fault}", path.display())))
}

fn read_state(path: &Path) -> Result<Option<State>, Stopped> {
    match std::fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map(Some)
            .map_err(|fault| Stopped::input(format!("{}: {fault}", path.display()))),
        Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(fault) => Err(Stopped::input(format!("{}: {fault}", path.display()))),
    }
}

/// Written beside and renamed: after a crash the state is the old or the new one.
fn write_state(path: &Path, state: &State) -> Done {
    let write = || -> std::io::Result<()> {
        let beside = path.with_extension(format!("new-{}", std::process::id()));
        let mut file = std::fs::File::create(&beside)?;
        serde_json::to_writer_pretty(&mut file, state)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    };
    write().map_err(|fault| Stopped::failed(format!("{}: {fault}", path.display())))
}
