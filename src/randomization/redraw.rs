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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomization::Replay;

    #[test]
    fn a_trial_drawn_anew_is_the_trial_of_that_seed() {
        let protocol = crate::protocol::from_toml(
            "id = 't'\ntitle = 't'\n\
             arms = [{id = 'a', ratio = 1, control = true}, {id = 'b', ratio = 1}]\n\
             factors = [{id = 'site', open_levels = true, stratify = true}]\n\
             endpoints = [{id = 'e', kind = 'binary', from = 'reported'}]\n\
             [randomization]\nmethod = 'permuted_blocks'\nblock_sizes = [2, 4]\n\
             [analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n",
        )
        .unwrap();
        let strata: Vec<StratumLabel> = ["x", "y", "z"]
            .map(|site| StratumLabel::of([("site", site)]))
            .into();
        let stratum_of: Vec<u32> = (0..300).map(|n| n * n % 7 % 3).collect();
        let redraw = Redraw::new(&protocol, strata.clone(), stratum_of.clone()).unwrap();
        let mut arms = Vec::new();
        for seed in [Seed::new([1; 32]), Seed::new([2; 32])] {
            redraw.arms(&seed, &mut arms);
            let keys = StreamKeys::new(&seed, "t", 1);
            let mut replay = Replay::new(&protocol, keys).unwrap();
            let expected = stratum_of
                .iter()
                .map(|stratum| replay.next(&strata[*stratum as usize], None).unwrap().arm as u8);
            assert_eq!(arms, expected.collect::<Vec<u8>>());
        }
    }
}
