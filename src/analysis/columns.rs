//! The columns that an analysis works on: one row a participant.

use crate::analysis::flow::Flow;
use crate::statistics::survival::Observation;
use std::collections::BTreeMap;

/// A baseline factor.
#[derive(Debug, Clone, PartialEq)]
pub enum Column {
    Levels(Vec<Option<String>>),
    Numbers(Vec<Option<f64>>),
}

/// The values of an endpoint; none is missing.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    Binary(Vec<Option<bool>>),
    /// Continuous values and counts.
    Number(Vec<Option<f64>>),
    /// Times in weeks, followed to the horizon at most.
    Time(Vec<Option<Observation>>),
}

/// The participants of a trial as columns of one length.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// Position of each participant's arm in the protocol.
    pub arms: Vec<usize>,
    pub factors: BTreeMap<String, Column>,
    pub endpoints: BTreeMap<String, Values>,
    /// SHA-256 of what the columns were made from, in hexadecimal digits.
    pub digest: String,
    pub flow: Flow,
    /// What the reader must know of the data as a whole.
    pub warnings: Vec<String>,
    /// The same for one endpoint.
    pub endpoint_warnings: BTreeMap<String, Vec<String>>,
}

impl Dataset {
    /// Number of participants.
    pub fn rows(&self) -> usize {
        self.arms.len()
    }
}
