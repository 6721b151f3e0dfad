//! The methods of the draw: each gives the arm of the next index of one stratum.

use super::{seed::Seed, stratum::StratumLabel, stream::Stream};
use crate::protocol::{Protocol, Scheme};

/// Why nothing can be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotDrawn {
    #[error("arms are drawn elsewhere: the method is external")]
    External,
    #[error("this version does not draw by {0}")]
    Method(String),
}

/// The draws of one stratum in order, from index 0.
///
/// The arm of an index is a pure function of (seed, trial, label, index): an allocator can always
/// be made anew and advanced to any index.
pub struct Allocator {
    stream: Stream,
    ratios: Vec<u32>,
    method: State,
}

enum State {
    Simple,
    PermutedBlocks {
        sizes: Vec<u32>,
        block: Vec<usize>,
        position: usize,
    },
}

impl Allocator {
    /// The allocator of a stratum of the trial, at index 0.
    pub fn new(protocol: &Protocol, seed: &Seed, label: &StratumLabel) -> Result<Self, NotDrawn> {
        let method = match &protocol.randomization.scheme {
            Scheme::Simple => State::Simple,
            Scheme::PermutedBlocks { block_sizes } => State::PermutedBlocks {
                sizes: block_sizes.clone(),
                block: Vec::new(),
                position: 0,
            },
            Scheme::External => return Err(NotDrawn::External),
            _ => return Err(NotDrawn::Method(protocol.randomization.method.to_string())),
        };
        Ok(Self {
            stream: Stream::new(seed.stratum_key(&protocol.id, label)),
            ratios: protocol.arms.iter().map(|arm| arm.ratio).collect(),
            method,
        })
    }

    /// Whether this version draws by the method of the protocol (or needs not to).
    pub fn can_draw(protocol: &Protocol) -> Result<(), NotDrawn> {
        match Self::new(protocol, &Seed::new([0; 32]), &StratumLabel::of([])) {
            Ok(_) | Err(NotDrawn::External) => Ok(()),
            Err(fault) => Err(fault),
        }
    }

    /// Goes on to `index` draws from here without telling them.
    pub fn skip(&mut self, draws: u64) {
        for _ in 0..draws {
            self.next_arm();
        }
    }

    /// Position in the protocol of the arm of the next index.
    pub fn next_arm(&mut self) -> usize {
        match &mut self.method {
            State::Simple => simple(&mut self.stream, &self.ratios),
            State::PermutedBlocks {
                sizes,
                block,
                position,
            } => {
                if *position == block.len() {
                    *block = permuted_block(&mut self.stream, &self.ratios, sizes);
                    *position = 0;
                }
                *position += 1;
                block[*position - 1]
            }
        }
    }
}

/// The first arm whose cumulative ratio exceeds a number below the sum of the ratios.
fn simple(stream: &mut Stream, ratios: &[u32]) -> usize {
    let mut rest = stream.below(ratios.iter().sum());
    for (arm, &ratio) in ratios.iter().enumerate() {
        if rest < ratio {
            return arm;
        }
        rest -= ratio;
    }
    unreachable!("a number below the sum of the ratios falls within one of them")
}

/// A block of one of the sizes, each arm by its ratio, shuffled (Fisher and Yates, from the end).
fn permuted_block(stream: &mut Stream, ratios: &[u32], sizes: &[u32]) -> Vec<usize> {
    let size = sizes[stream.below(sizes.len() as u32) as usize];
    let repeats = size / ratios.iter().sum::<u32>();
    let mut block: Vec<usize> = ratios
        .iter()
        .enumerate()
        .flat_map(|(arm, ratio)| std::iter::repeat_n(arm, (ratio * repeats) as usize))
        .collect();
    for i in (1..block.len()).rev() {
        let j = stream.below(i as u32 + 1) as usize;
        block.swap(i, j);
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arms_of(method: &str, ratios: [u32; 2], draws: usize) -> String {
        let protocol = crate::protocol::from_toml(&format!(
            "id = 't'\ntitle = 't'\n\
             arms = [{{id = 'a', ratio = {}, control = true}}, {{id = 'b', ratio = {}}}]\n\
             endpoints = [{{id = 'e', kind = 'binary', from = 'reported'}}]\n\
             [randomization]\n{method}\n[analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n",
            ratios[0], ratios[1]
        ))
        .unwrap();
        let label = StratumLabel::of([("site", "aalborg")]);
        let mut allocator = Allocator::new(&protocol, &Seed::new([9; 32]), &label).unwrap();
        (0..draws)
            .map(|_| ["a", "b"][allocator.next_arm()])
            .collect()
    }

    // The three vectors were made by tests/draw/vectors.py, a second implementation.
    #[test]
    fn value_stability_of_simple() {
        assert_eq!(
            arms_of("method = 'simple'", [1, 2], 40),
            "abbbbbbabbbbbbabaabbbbabbbbbbaaabbbaabab"
        );
    }

    #[test]
    fn value_stability_of_permuted_blocks() {
        let method = "method = 'permuted_blocks'\nblock_sizes = [4, 6, 8]";
        assert_eq!(
            arms_of(method, [1, 1], 40),
            "aabbbaaabbbaabbaababbaababbabababababbaa"
        );
    }

    #[test]
    fn value_stability_of_permuted_blocks_with_unequal_ratios() {
        let method = "method = 'permuted_blocks'\nblock_sizes = [3, 9]";
        assert_eq!(
            arms_of(method, [1, 2], 40),
            "bababbabbaabbabbbbaababbbbbbababbbaabbbb"
        );
    }

    #[test]
    fn every_block_holds_the_arms_in_their_ratio() {
        let arms = arms_of("method = 'permuted_blocks'\nblock_sizes = [6]", [1, 2], 600);
        for block in arms.as_bytes().chunks(6) {
            assert_eq!(block.iter().filter(|arm| **arm == b'a').count(), 2);
        }
    }

    #[test]
    fn skipping_leads_to_the_same_draws() {
        let whole = arms_of(
            "method = 'permuted_blocks'\nblock_sizes = [4, 6]",
            [1, 1],
            30,
        );
        let protocol = crate::protocol::from_toml(
            "id = 't'\ntitle = 't'\narms = [{id = 'a', ratio = 1, control = true}, {id = 'b', ratio = 1}]\n\
             endpoints = [{id = 'e', kind = 'binary', from = 'reported'}]\n\
             [randomization]\nmethod = 'permuted_blocks'\nblock_sizes = [4, 6]\n\
             [analysis]\nprimary = 'e'\nalpha = 0.05\nsides = 2\n",
        )
        .unwrap();
        let label = StratumLabel::of([("site", "aalborg")]);
        let mut allocator = Allocator::new(&protocol, &Seed::new([9; 32]), &label).unwrap();
        allocator.skip(17);
        let tail: String = (17..30).map(|_| ["a", "b"][allocator.next_arm()]).collect();
        assert_eq!(tail, whole[17..]);
    }
}
