//! Structured logs on standard error.

use crate::config::{Log, LogFormat};
use std::io::IsTerminal;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Sets up the log of this process; a second call changes nothing.
///
/// # Errors
/// Where the filter of the settings cannot be read.
pub fn start(log: &Log) -> Result<(), String> {
    // One word must be a level: the library would take any other for the name of a module.
    let word = log.level.chars().all(|c| c.is_ascii_alphabetic());
    let level = log.level.parse::<LevelFilter>();
    if word && level.is_err() {
        return Err("log.level: must be trace, debug, info, warn, error, off or a filter".into());
    }
    let filter = EnvFilter::try_new(&log.level).map_err(|fault| format!("log.level: {fault}"))?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_span_events(FmtSpan::NONE)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let started = match log.format {
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
        LogFormat::Text => builder.with_target(false).try_init(),
    };
    if started.is_ok() {
        std::panic::set_hook(Box::new(|panic| {
            // The message of a panic may quote data: the place is told, the message is not.
            let place = panic
                .location()
                .map(ToString::to_string)
                .unwrap_or_default();
            tracing::error!(place, "a panic");
        }));
    }
    Ok(())
}
