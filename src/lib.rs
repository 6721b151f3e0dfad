//! The whole of lodkast: enrolling citizens into a trial, drawing their arms, taking what happens to
//! them, and estimating what the arms did.
//!
//! One module a stage of the trial's life. A module uses those below it, never those above
//! (`tests/house.rs` watches):
//!
//! ```text
//! cli, api
//!     |
//! conduct, analysis, simulation, report, access
//!     |
//! store
//!     |
//! protocol, randomization, statistics, ledger     (pure)
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
/// The use cases of a running trial.
pub mod conduct;
/// Settings from `config/`, a file and the environment.
pub mod config;
/// Reading a JSON document field by field.
pub mod document;
/// The keys of the service, from the settings or a key file.
pub mod key_file;
/// Canonical records and their leaves.
pub mod ledger;
/// The protocol: read, checked, made canonical.
pub mod protocol;
/// Seeds, streams and methods of the draw.
pub mod randomization;
/// Results as text and HTML.
pub mod report;
/// Random bytes, sealing, pseudonyms.
pub mod secrets;
/// A protocol run many times over in a made-up world.
pub mod simulation;
/// Numbers in, estimates out.
pub mod statistics;
/// The only module that knows diesel.
pub mod store;
/// Structured logs.
pub mod telemetry;
