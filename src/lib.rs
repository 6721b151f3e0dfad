//! lodkast runs randomized controlled trials in public employment services: it enrols citizens,
//! draws their arm, tracks conversations and outcomes, and estimates effects.
//!
//! The house follows the life of a trial. Who may call whom, top to bottom, never upward (a test
//! holds it):
//!
//! ```text
//! cli, api
//!     |
//! conduct, analysis, report, access
//!     |
//! store
//!     |
//! protocol, randomization, statistics, ledger     (no I/O, no clock, no global random numbers)
//! ```
//!
//! Beside them stand what all may use: [`document`] (reading JSON with every fault at once),
//! [`secrets`], [`clock`], [`config`] and [`telemetry`].

#[macro_use]
mod vocabulary;

/// Identities, API keys, roles and scopes: may this caller do this here?
pub mod access;
/// Data cut or data file -> columns -> estimates.
pub mod analysis;
/// REST: one file per resource.
pub mod api;
/// The command line: one file per subcommand.
pub mod cli;
/// Time, which tests and the demonstration can set.
pub mod clock;
/// What happens while the trial runs: one file per use case.
pub mod conduct;
/// Settings from `config/`, a file and the environment.
pub mod config;
/// Reading a JSON document field by field.
pub mod document;
/// The keys of the service, from the settings or a key file.
pub mod key_file;
/// Canonical records and their leaves.
pub mod ledger;
/// What the trial promises before it starts.
pub mod protocol;
/// Who gets which arm.
pub mod randomization;
/// Results as text and HTML.
pub mod report;
/// Random bytes, sealing, pseudonyms.
pub mod secrets;
/// Numbers in, estimates out.
pub mod statistics;
/// The only module that knows diesel.
pub mod store;
/// Structured logs.
pub mod telemetry;
