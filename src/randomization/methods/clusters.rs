//! Units that are drawn whole: caseworkers or sites.

use super::blocks::{fill, shuffle};
use super::{NotDrawn, ratios_of};
use crate::protocol::{DrawUnit, Protocol};
use crate::randomization::stream::Stream;
use crate::randomization::{StratumLabel, StreamKeys};
use std::collections::{BTreeMap, HashMap};

/// The arms of all units of a trial, batch by batch.
#[derive(Default)]
pub struct Clusters {
    drawn: HashMap<String, UnitDraw>,
    batches: u32,
}

/// How one unit was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitDraw {
    /// The stratum of the unit, by its own factors.
    pub label: StratumLabel,
    /// 0 for the units of the protocol, then one for each group of units that joined.
    pub batch: u32,
    /// Position among the units of the stratum and batch, sorted by id.
    pub index: u64,
    /// Position of the arm in the protocol.
    pub arm: usize,
}

impl Clusters {
    /// Draws every unit: those of the protocol first, then those of each later batch.
    pub fn draw(protocol: &Protocol, keys: &StreamKeys, batches: &[Vec<DrawUnit>]) -> Self {
        let mut clusters = Self::default();
        for units in batches {
            clusters.join(protocol, keys, units);
        }
        clusters
    }

    /// Draws the next batch.
    ///
    /// Within a stratum of a batch, arm labels in their ratio, enough for all units, are shuffled as
    /// a block and dealt to the units sorted by the bytes of their ids; what is left is dropped.
    pub fn join(&mut self, protocol: &Protocol, keys: &StreamKeys, units: &[DrawUnit]) {
        let ratios = ratios_of(protocol);
        let mut block = Vec::new();
        let mut strata: BTreeMap<StratumLabel, Vec<&str>> = BTreeMap::new();
        for unit in units {
            strata.entry(label_of(unit)).or_default().push(&unit.id);
        }
        let batch = self.batches;
        for (label, mut ids) in strata {
            ids.sort_unstable();
            let sets = (ids.len() as u32).div_ceil(ratios.iter().sum());
            fill(&mut block, &ratios, sets);
            shuffle(&mut Stream::new(keys.clusters(&label, batch)), &mut block);
            for ((index, id), arm) in (0..).zip(ids).zip(&block) {
                let draw = UnitDraw {
                    label: label.clone(),
                    batch,
                    index,
                    arm: usize::from(*arm),
                };
                self.drawn.insert(id.to_owned(), draw);
            }
        }
        self.batches += 1;
    }

    /// The draw of a unit.
    pub fn of(&self, unit: &str) -> Result<&UnitDraw, NotDrawn> {
        self.drawn.get(unit).ok_or(NotDrawn::UnknownUnit)
    }
}

/// The stratum of a unit.
fn label_of(unit: &DrawUnit) -> StratumLabel {
    let levels = unit.factors.iter();
    StratumLabel::of(levels.map(|(factor, level)| (factor.as_str(), level.as_str())))
}
