//! The binary as it is used: files, exit codes, a service that is ended and killed.

#[path = "../support/mod.rs"]
mod support;

mod backups;
mod design;
mod estimators;
mod files;
mod installation;
mod plans;
mod process;
mod proof;
mod simulate;

pub use installation::Installation;

use std::process::{Command, Output};

/// The binary with an environment of its own.
fn lodkast() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lodkast"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("LODKAST_")) {
        command.env_remove(name);
    }
    command
}

/// Standard error of a command that ended with this code; nothing was printed.
#[track_caller]
fn refused(output: &Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    assert!(
        output.stdout.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stdout)
    );
    error
}

/// Standard output of a command that succeeded.
#[track_caller]
fn printed(output: &Output) -> String {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout.clone()).unwrap()
}
