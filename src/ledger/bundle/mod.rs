//! The bundle of a trial, and its check: everything that whoever distrusts the service needs to
//! compute commitments, draws and the root of the ledger anew.
//!
//! A bundle is one JSON document; `docs/verification.md` describes it. Its entries stand last, so that they
//! are checked as they are read.

mod draws;
mod opened;
mod read;
mod verify;

pub use verify::{Difference, Report, Trust, verify};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Names the form of a bundle.
pub const FORMAT: &str = "lodkast-bundle-1";

/// Strata with fewer draws are left out of a public bundle.
pub const SMALLEST_CELL: usize = 5;

crate::vocabulary! {
    /// For whom a bundle is.
    pub enum Audience {
        /// Named auditors: every draw, with its participant's pseudonymous id and day.
        Auditor = "auditor",
        /// The same auditors: every record that was not erased, pseudonymous as it is stored.
        Full = "full",
        /// Anybody: no participants, no days, no small cells.
        Public = "public",
    }
}

/// A registration, opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registered {
    pub number: i32,
    pub version: u32,
    pub draw_version: String,
    pub protocol: Value,
    pub protocol_salt: String,
    pub protocol_commitment: String,
    pub secret: String,
    pub commitment: String,
    /// The value of the public source that the protocol names.
    pub public_randomness: Option<String>,
}

/// One entry of the ledger; salt and record where they are shown.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Entry {
    pub sequence: u64,
    pub leaf: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub record: Option<String>,
    /// In a full bundle, the participant of whom the record was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<String>,
}

/// A draw without its participant, in a public bundle.
#[derive(Debug, Clone, Serialize, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct PublicDraw {
    pub registration: i32,
    pub stratum: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    pub index: u64,
    pub arm: String,
}
