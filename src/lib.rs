//! lodkast runs randomized controlled trials in public employment services.
#[macro_use]
mod vocabulary;
pub mod document;
pub mod ledger;
pub mod protocol;
pub mod randomization;
pub mod statistics;
