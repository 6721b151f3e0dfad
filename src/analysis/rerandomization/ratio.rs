//! The arms' numbers, to be held against the draw's own variation.

use crate::analysis::columns::Dataset;
use crate::protocol::Protocol;
use std::collections::BTreeMap;

/// Whether the arms' numbers are what the ratios and the draw let expect.
#[derive(Debug, Clone, serde::Serialize)]
pub struct SampleRatio {
    /// `enrolled`, or `analysed` and `missing` of an endpoint.
    pub of: String,
    pub n: BTreeMap<String, u64>,
    pub chi_square: f64,
    /// Share of the trial's own re-draws with numbers as uneven.
    pub p_value: f64,
    pub redraws: usize,
}

/// Groups of participants whose numbers by arm are held against the re-draws.
pub(super) struct Groups {
    pub names: Vec<String>,
    /// Whether each row is in the group.
    members: Vec<Vec<bool>>,
}

impl Groups {
    /// The enrolled, and the analysed and missing of the primary endpoint.
    pub fn of(protocol: &Protocol, dataset: &Dataset) -> Self {
        let primary = &protocol.analysis.primary;
        let known: Vec<bool> = match dataset.endpoints.get(primary) {
            Some(values) => (0..dataset.rows())
                .map(|row| values.is_known(row))
                .collect(),
            None => vec![false; dataset.rows()],
        };
        let missing = known.iter().map(|known| !known).collect();
        Self {
            names: vec![
                "enrolled".to_owned(),
                format!("analysed for {primary}"),
                format!("missing for {primary}"),
            ],
            members: vec![vec![true; known.len()], known, missing],
        }
    }

    pub fn counts(&self, arms: &[u8], k: usize, group: usize) -> Vec<u64> {
        let mut counts = vec![0; k];
        for (arm, counted) in arms.iter().zip(&self.members[group]) {
            counts[*arm as usize] += u64::from(*counted);
        }
        counts
    }

    /// Writes each group's distance from the ratios.
    pub fn uneven(&self, protocol: &Protocol, arms: &[u8], out: &mut [f64]) {
        let k = protocol.arms.len();
        for (group, out) in out.iter_mut().enumerate() {
            *out = uneven(protocol, &self.counts(arms, k, group));
        }
    }
}

/// The chi-square distance from the ratios.
fn uneven(protocol: &Protocol, counts: &[u64]) -> f64 {
    let n: u64 = counts.iter().sum();
    let ratios: u32 = protocol.arms.iter().map(|arm| arm.ratio).sum();
    if n == 0 {
        return 0.0;
    }
    let parts = protocol.arms.iter().zip(counts).map(|(arm, count)| {
        let expected = n as f64 * f64::from(arm.ratio) / f64::from(ratios);
        (*count as f64 - expected).powi(2) / expected
    });
    parts.sum()
}
