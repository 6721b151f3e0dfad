//! The columns that an analysis works on: one row a participant.

use crate::analysis::flow::Flow;
use crate::statistics::survival::{Ended, Observation};
use std::collections::{BTreeMap, HashMap};

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

impl Values {
    /// Number of rows.
    #[expect(clippy::len_without_is_empty, reason = "rows, not a collection")]
    pub fn len(&self) -> usize {
        match self {
            Values::Binary(values) => values.len(),
            Values::Number(values) => values.len(),
            Values::Time(values) => values.len(),
        }
    }

    /// Whether the row has a value.
    pub fn is_known(&self, row: usize) -> bool {
        match self {
            Values::Binary(values) => values[row].is_some(),
            Values::Number(values) => values[row].is_some(),
            Values::Time(values) => values[row].is_some(),
        }
    }
}

/// What a participant received, whatever was drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Received {
    /// What this arm is to receive.
    Arm(usize),
    /// Nothing of what the arms are to receive.
    Nothing,
    Unknown,
}

/// A draw whose participant has no row, because a law had the records erased. It keeps its place in the order
/// of the draws.
#[derive(Debug, Clone, PartialEq)]
pub struct Gone {
    /// Rows that were drawn before it.
    pub before: usize,
    pub arm: usize,
    /// Levels of the stratification factors.
    pub levels: BTreeMap<String, String>,
}

/// The participants of a trial as columns of one length.
#[derive(Debug, Clone, Default)]
pub struct Dataset {
    /// Position of each participant's arm in the protocol.
    pub arms: Vec<usize>,
    /// Draws without a row, in their order.
    pub gone: Vec<Gone>,
    pub factors: BTreeMap<String, Column>,
    pub endpoints: BTreeMap<String, Values>,
    /// Endpoints with competing events: whether a row's follow-up ended by one.
    pub competing: BTreeMap<String, Vec<bool>>,
    /// Endpoints with participants whose value is not due yet: they are not missing.
    pub immature: BTreeMap<String, Vec<bool>>,
    /// What was received, where the data tell.
    pub received: Option<Vec<Received>>,
    /// The clusters of the participants, where the data tell.
    pub clusters: Option<Vec<Option<String>>>,
    /// How many each participant stands for, above 0, where the data tell.
    pub weights: Option<Vec<Option<f64>>>,
    /// SHA-256 of what the columns were made from, in hexadecimal digits.
    pub digest: String,
    /// Root of the ledger's tree over the data cut; none for a file.
    pub root: Option<String>,
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

    /// The number of each row's stratum over these factors, counted as they appear, and the levels of each
    /// stratum; a missing level is an empty text.
    pub fn strata<'a>(&'a self, factors: &[&str]) -> (Vec<u32>, Vec<Vec<&'a str>>) {
        let mut of = vec![0_u32; self.rows()];
        let mut labels: Vec<Vec<&str>> = vec![Vec::new()];
        for factor in factors {
            let mut places: HashMap<(u32, &str), u32> = HashMap::new();
            let mut next: Vec<Vec<&str>> = Vec::new();
            for (row, stratum) in of.iter_mut().enumerate() {
                let level = match self.factors.get(*factor) {
                    Some(Column::Levels(levels)) => levels[row].as_deref().unwrap_or_default(),
                    _ => "",
                };
                *stratum = *places.entry((*stratum, level)).or_insert_with(|| {
                    let mut label = labels[*stratum as usize].clone();
                    label.push(level);
                    next.push(label);
                    next.len() as u32 - 1
                });
            }
            labels = next;
        }
        (of, labels)
    }

    /// Whether a row's value is not due yet.
    pub fn is_immature(&self, endpoint: &str, row: usize) -> bool {
        self.immature.get(endpoint).is_some_and(|rows| rows[row])
    }

    /// How a row's follow-up ended: 1 the event, 2 a competing one, 0 neither.
    pub fn ended(&self, endpoint: &str, row: usize, value: Observation) -> Ended {
        let competing = self.competing.get(endpoint).is_some_and(|rows| rows[row]);
        Ended {
            time: value.time,
            cause: match (value.event, competing) {
                (true, _) => 1,
                (false, true) => 2,
                (false, false) => 0,
            },
        }
    }
}
