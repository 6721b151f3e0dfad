//! The whole trial drawn anew with a fresh seed: what randomization inference counts on.

use super::methods::{Clusters, Minimization, MinimizationState};
use super::{Allocator, NotDrawn, Seed, StratumLabel, StreamKeys};
use crate::protocol::{Protocol, Scheme};

/// The participants of a trial, ready to be drawn again and again.
///
/// (Reference: Rosenberger and Lachin, "Randomization in Clinical Trials", 2nd ed. 2016, chapter 6.)
pub struct Redraw<'a> {
    protocol: &'a Protocol,
    strata: Vec<StratumLabel>,
    /// For each participant, in the order of the draws, the position of the stratum.
    stratum_of: Vec<u32>,
    /// Where units are drawn, the unit of each participant.
    unit_of: Option<Vec<String>>,
}

impl<'a> Redraw<'a> {
    /// # Errors
    /// Where nothing is drawn here, a stratum does not fit the protocol, or a unit is unknown.
    pub fn new(
        protocol: &'a Protocol,
        strata: Vec<StratumLabel>,
        stratum_of: Vec<u32>,
        unit_of: Option<Vec<String>>,
    ) -> Result<Self, NotDrawn> {
        let redraw = Self {
            protocol,
            strata,
            stratum_of,
            unit_of,
        };
        redraw
            .draw(&Seed::new([0; 32]), &mut Vec::new())
            .map(|()| redraw)
    }

    /// Writes the arm of each participant, as this seed draws it.
    pub fn arms(&self, seed: &Seed, arms: &mut Vec<u8>) {
        self.draw(seed, arms)
            .expect("the same protocol was tried when this was made");
    }

    fn draw(&self, seed: &Seed, arms: &mut Vec<u8>) -> Result<(), NotDrawn> {
        let keys = StreamKeys::new(seed, &self.protocol.id, 1);
        arms.clear();
        match &self.protocol.randomization.scheme {
            Scheme::External => return Err(NotDrawn::External),
            Scheme::Minimization { .. } => {
                let start = MinimizationState::default();
                let mut minimization = Minimization::resume(self.protocol, &keys, start)?;
                for stratum in &self.stratum_of {
                    arms.push(minimization.draw(&self.strata[*stratum as usize])? as u8);
                }
            }
            Scheme::Clusters { units } => {
                let drawn = Clusters::draw(self.protocol, &keys, std::slice::from_ref(units));
                for unit in self.unit_of.as_ref().ok_or(NotDrawn::UnknownUnit)? {
                    arms.push(drawn.of(unit)?.arm as u8);
                }
            }
            _ => {
                let mut allocators = self
                    .strata
                    .iter()
                    .map(|label| Allocator::new(self.protocol, &keys, label))
                    .collect::<Result<Vec<_>, _>>()?;
                let next = |stratum: &u32| allocators[*stratum as usize].next_arm() as u8;
                arms.extend(self.stratum_of.iter().map(next));
            }
        }
        Ok(())
    }

    /// Every outcome of the draw, all equally likely, where they can be counted out: complete arms by
    /// block of one size, or draws one by one. None beyond `most` outcomes.
    pub fn all(&self, most: usize) -> Option<Enumerated> {
        let ratios: Vec<u32> = self.protocol.arms.iter().map(|arm| arm.ratio).collect();
        let size = match &self.protocol.randomization.scheme {
            Scheme::Simple => 1,
            Scheme::PermutedBlocks { block_sizes } if block_sizes.len() == 1 => {
                block_sizes[0] as usize
            }
            _ => return None,
        };
        let whole: usize = ratios.iter().sum::<u32>() as usize;
        // One draw takes one label out of a full set; a block takes a whole number of sets.
        let sets = if size == 1 { 1 } else { size / whole };
        let labels: Vec<u8> = (0..ratios.len())
            .flat_map(|arm| std::iter::repeat_n(arm as u8, ratios[arm] as usize * sets))
            .collect();
        let arrangements = if size == 1 {
            labels.iter().map(|label| vec![*label]).collect()
        } else {
            arrangements(&labels, most)?
        };
        let mut blocks: Vec<Vec<u32>> = Vec::new();
        let mut open: Vec<Option<usize>> = vec![None; self.strata.len()];
        for (row, stratum) in self.stratum_of.iter().enumerate() {
            let place = &mut open[*stratum as usize];
            let block = match *place {
                Some(block) if blocks[block].len() < size => block,
                _ => {
                    blocks.push(Vec::new());
                    blocks.len() - 1
                }
            };
            *place = Some(block);
            blocks[block].push(row as u32);
        }
        let mut total = 1_usize;
        for _ in &blocks {
            total = total
                .checked_mul(arrangements.len())
                .filter(|total| *total <= most)?;
        }
        Some(Enumerated {
            blocks,
            arrangements,
            total,
            rows: self.stratum_of.len(),
        })
    }
}

/// All outcomes of a draw.
pub struct Enumerated {
    /// The participants of each block.
    blocks: Vec<Vec<u32>>,
    arrangements: Vec<Vec<u8>>,
    total: usize,
    rows: usize,
}

impl Enumerated {
    /// How many there are.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Whether these arms are one of them.
    pub fn contains(&self, arms: &[usize]) -> bool {
        self.blocks.iter().all(|block| {
            let own = |row: &u32| arms[*row as usize] as u8;
            let fits = |arrangement: &&Vec<u8>| {
                block
                    .iter()
                    .zip(*arrangement)
                    .all(|(row, arm)| own(row) == *arm)
            };
            self.arrangements
                .iter()
                .any(|arrangement| fits(&arrangement))
        })
    }

    /// Writes one of them.
    pub fn arms(&self, number: usize, arms: &mut Vec<u8>) {
        arms.clear();
        arms.resize(self.rows, 0);
        let mut rest = number;
        for block in &self.blocks {
            let arrangement = &self.arrangements[rest % self.arrangements.len()];
            rest /= self.arrangements.len();
            for (row, arm) in block.iter().zip(arrangement) {
                arms[*row as usize] = *arm;
            }
        }
    }
}

/// The distinct orders of a list of labels, unless there are too many.
fn arrangements(labels: &[u8], most: usize) -> Option<Vec<Vec<u8>>> {
    let mut current = labels.to_vec();
    current.sort_unstable();
    let mut found = vec![current.clone()];
    // The next order in the dictionary.
    while let Some(i) = (1..current.len())
        .rev()
        .find(|i| current[i - 1] < current[*i])
    {
        let j = (i..current.len())
            .rev()
            .find(|j| current[*j] > current[i - 1])?;
        current.swap(i - 1, j);
        current[i..].reverse();
        found.push(current.clone());
        if found.len() > most {
            return None;
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::randomization::Replay;

    fn protocol(randomization: &str) -> Protocol {
        crate::protocol::from_toml(&format!(
            "id = 't'\ntitle = 't'\n\
             arms = [{{id = 'a', ratio = 1, control = true}}, {{id = 'b', ratio = 1}}]\n\
             factors = [{{id = 'site', open_levels = true, stratify = true}}]\n\
             endpoints = [{{id = 'e', kind = 'binary', from = 'reported'}}]\n\
             [randomization]\n{randomization}\n\
             [analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n"
        ))
        .unwrap()
    }

    #[test]
    fn a_trial_drawn_anew_is_the_trial_of_that_seed() {
        for method in [
            "method = 'permuted_blocks'\nblock_sizes = [2, 4]",
            "method = 'minimization'\nprobability = [4, 5]",
        ] {
            let protocol = protocol(method);
            let strata: Vec<StratumLabel> = ["x", "y", "z"]
                .map(|site| StratumLabel::of([("site", site)]))
                .into();
            let stratum_of: Vec<u32> = (0..300).map(|n| n * n % 7 % 3).collect();
            let redraw = Redraw::new(&protocol, strata.clone(), stratum_of.clone(), None).unwrap();
            let mut arms = Vec::new();
            for seed in [Seed::new([1; 32]), Seed::new([2; 32])] {
                redraw.arms(&seed, &mut arms);
                let keys = StreamKeys::new(&seed, "t", 1);
                let mut replay = Replay::new(&protocol, keys).unwrap();
                let expected = stratum_of.iter().map(|stratum| {
                    replay.next(&strata[*stratum as usize], None).unwrap().arm as u8
                });
                assert_eq!(arms, expected.collect::<Vec<u8>>());
            }
        }
    }

    #[test]
    fn the_outcomes_of_two_blocks_are_counted_out() {
        let protocol = protocol("method = 'permuted_blocks'\nblock_sizes = [4]");
        let strata = vec![StratumLabel::of([("site", "x")])];
        let redraw = Redraw::new(&protocol, strata, vec![0; 8], None).unwrap();
        let all = redraw.all(1000).unwrap();
        assert_eq!(all.total(), 36);
        let mut seen = std::collections::BTreeSet::new();
        let mut arms = Vec::new();
        for number in 0..36 {
            all.arms(number, &mut arms);
            assert_eq!(arms[..4].iter().sum::<u8>(), 2);
            seen.insert(arms.clone());
        }
        assert_eq!(seen.len(), 36);
        assert!(redraw.all(35).is_none());
    }
}
