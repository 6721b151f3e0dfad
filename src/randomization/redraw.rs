//! The whole trial drawn anew with a fresh seed: what randomization inference counts on.

use super::{Allocator, NotDrawn, Seed, StratumLabel, StreamKeys};
use crate::protocol::Protocol;

/// The participants of a trial that draws by stratum, ready to be drawn again and again.
///
/// (Reference: Rosenberger and Lachin, "Randomization in Clinical Trials", 2nd ed. 2016, chapter 6.)
pub struct Redraw<'a> {
    protocol: &'a Protocol,
    strata: Vec<StratumLabel>,
    /// For each participant, in the order of the draws, the position of the stratum.
    stratum_of: Vec<u32>,
}

impl<'a> Redraw<'a> {
    pub fn new(
        protocol: &'a Protocol,
        strata: Vec<StratumLabel>,
        stratum_of: Vec<u32>,
    ) -> Result<Self, NotDrawn> {
        let redraw = Self {
            protocol,
            strata,
            stratum_of,
        };
        redraw.allocators(&Seed::new([0; 32])).map(|_| redraw)
    }

    fn allocators(&self, seed: &Seed) -> Result<Vec<Allocator>, NotDrawn> {
        let keys = StreamKeys::new(seed, &self.protocol.id, 1);
        self.strata
            .iter()
            .map(|label| Allocator::new(self.protocol, &keys, label))
            .collect()
    }

    /// Writes the arm of each participant, as this seed draws it.
    pub fn arms(&self, seed: &Seed, arms: &mut Vec<u8>) {
        let mut allocators = self
            .allocators(seed)
            .expect("the same protocol was tried when this was made");
        arms.clear();
        arms.extend(
            self.stratum_of
                .iter()
                .map(|stratum| allocators[*stratum as usize].next_arm() as u8),
        );
    }
}
