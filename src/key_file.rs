//! The keys of the service, from the settings or from a key file that only its owner can read.

use crate::config::Config;
use crate::secrets::{RootKey, Secrets};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// What is wrong with the keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{0} must be 64 hexadecimal digits")]
    Form(String),
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    #[error("{0} can be read by others: its mode must be 0600")]
    Exposed(PathBuf),
}

/// The keys that the settings name; the key file is made at first use.
pub fn load(config: &Config) -> Result<Secrets, KeyError> {
    let read = |text: &str, name: &str| {
        RootKey::from_hex(text).ok_or_else(|| KeyError::Form(name.to_owned()))
    };
    let secret = match config.secret_key.given() {
        Some(text) => read(text, "secret_key")?,
        None => own(&config.key_file)?,
    };
    let pseudonym = config
        .pseudonym_key
        .given()
        .map(|text| read(text, "pseudonym_key"))
        .transpose()?;
    Ok(Secrets::new(secret, pseudonym))
}

/// The key in a file that only its owner can read; made where it is missing.
pub fn own(path: &Path) -> Result<RootKey, KeyError> {
    if !path.exists() {
        create(path).map_err(|fault| KeyError::File(path.to_owned(), fault))?;
    }
    let fault = |fault| KeyError::File(path.to_owned(), fault);
    let mode = std::fs::metadata(path).map_err(fault)?.permissions().mode();
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed(path.to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(fault)?;
    RootKey::from_hex(&text).ok_or_else(|| KeyError::Form(path.display().to_string()))
}

/// Writes a new key beside the path and links it there: another process that starts at the same
/// moment sees either no file or a whole one, and the first link wins.
fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    writeln!(file, "{}", RootKey::random().to_hex())?;
    file.sync_all()?;
    let linked = std::fs::hard_link(&beside, path);
    std::fs::remove_file(&beside)?;
    match linked {
        Err(fault) if fault.kind() != std::io::ErrorKind::AlreadyExists => Err(fault),
        _ => Ok(()),
    }
}
