//! The only module that knows diesel: connections, transactions, schema, rows and queries.
//!
//! One binary holds both databases; the address's scheme chooses at run time. Every query is one
//! body that is compiled for both ([`each!`]). A read sees one moment of the database; a write runs
//! in one transaction whose closure **may run more than once**, because a transaction that lost a
//! race is run again: it must not change anything outside but what a second run sets anew.

mod analyses;
mod answers;
mod connection;
mod cuts;
mod erasures;
mod facts;
mod heads;
mod keys;
mod ledger;
mod levels;
mod migrate;
mod participants;
mod persons;
mod schema;
mod transaction;
mod trials;
mod units;
mod watch;

pub use analyses::{AnalysisRow, ResultRow};
pub use answers::AnswerRow;
pub use connection::{Address, StoreError};
pub use cuts::CutRow;
pub use facts::{FactRow, NewFact, Page, SourceKey};
pub use keys::KeyRow;
pub use ledger::{CheckpointRow, LedgerEntry, NodeRow};
pub use participants::{CitizenRow, ParticipantRow};
pub use persons::{PersonRow, RequestRow};
pub use transaction::{Failure, Store, Tx};
pub use trials::{DraftRow, INSTALLATION, PublicValueRow, RegistrationRow, TrialRow};

/// Runs one body on the connection of either database.
macro_rules! each {
    ($tx:expr, $connection:ident => $body:expr) => {
        match $tx.connection() {
            $crate::store::connection::Link::Postgres($connection) => $body,
            $crate::store::connection::Link::Sqlite($connection) => $body,
        }
    };
}
pub(crate) use each;
