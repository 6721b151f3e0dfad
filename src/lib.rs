//! lodkast runs randomized controlled trials in public employment services.
#[macro_use]
mod vocabulary;
pub mod access;
pub mod analysis;
pub mod clock;
pub mod conduct;
pub mod config;
pub mod document;
pub mod ledger;
pub mod protocol;
pub mod randomization;
pub mod secrets;
pub mod statistics;
pub mod store;
