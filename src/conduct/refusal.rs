//! Why a request was not done. One enum for all use cases; `api/problem.rs` gives each its status.

use crate::access::Right;
use crate::document::Invalid;
use crate::store::{Failure, StoreError};

/// Why a request was not done. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    #[error("no key was given, or it is not known or no longer valid")]
    Unauthenticated,
    #[error("the key lacks the right {0}")]
    MissingRight(Right),
    #[error("the key is not for this site")]
    SiteOutOfScope,
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("the request is not valid")]
    Invalid(Vec<Invalid>),
    #[error("a trial with this id exists already")]
    TrialExists,
    #[error("the trial is {status}: {why}")]
    WrongStatus { status: String, why: String },
    #[error("the citizen takes part at another site")]
    CitizenElsewhere,
    #[error("the Idempotency-Key was used for another request")]
    IdempotencyMismatch,
    #[error("the source has sent another record under this source_id")]
    SourceIdTaken,
    #[error("the record to be replaced was replaced before")]
    AlreadyReplaced,
    #[error("{0}")]
    Impossible(String),
    #[error("a person with this name is entered already")]
    PersonExists,
    #[error(
        "the role was answered from data cut {cut}, which differs by fewer than {least} participants: the \
         difference would tell of each of them"
    )]
    TooClose { cut: i64, least: u64 },
    #[error("another person must approve")]
    SecondPersonNeeded(String),
    #[error(
        "this key has sent too many citizens again with another site or other levels, or asked for too many in vain"
    )]
    TooManyRepeats,
    #[error("too many requests are waiting")]
    Busy,
    #[error("the database is not available")]
    Store(StoreError),
    /// Stored rows are not those that were written. Nothing is told or computed from them.
    #[error("the ledger {ledger} does not verify{}: {why}", at(.sequence))]
    Tampered {
        ledger: String,
        /// Number of the record at fault, where one is.
        sequence: Option<i64>,
        why: String,
    },
    #[error("the service failed: {0}")]
    Internal(String),
}

fn at(sequence: &Option<i64>) -> String {
    sequence.map_or(String::new(), |number| format!(" at record {number}"))
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Refusal::Store(error)
    }
}

impl Failure for Refusal {
    fn of_store(&self) -> Option<&StoreError> {
        match self {
            Refusal::Store(error) => Some(error),
            _ => None,
        }
    }
}

impl Refusal {
    /// One invalid field.
    pub fn field(field: &str, detail: impl Into<String>) -> Self {
        Refusal::Invalid(vec![Invalid::new(field, detail)])
    }
}
