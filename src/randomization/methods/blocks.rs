//! Permuted blocks of random size.

use crate::randomization::stream::Stream;

/// Blocks that each hold the arms in their ratio, in random order.
pub struct PermutedBlocks {
    ratios: Vec<u32>,
    total: u32,
    sizes: Vec<u32>,
    block: Vec<u8>,
    position: usize,
}

impl PermutedBlocks {
    pub fn new(ratios: Vec<u32>, sizes: Vec<u32>) -> Self {
        Self {
            total: ratios.iter().sum(),
            ratios,
            sizes,
            block: Vec::new(),
            position: 0,
        }
    }

    #[inline]
    pub fn next(&mut self, stream: &mut Stream) -> usize {
        if self.position == self.block.len() {
            let size = self.sizes[stream.below(self.sizes.len() as u32) as usize];
            fill(&mut self.block, &self.ratios, size / self.total);
            shuffle(stream, &mut self.block);
            self.position = 0;
        }
        self.position += 1;
        usize::from(self.block[self.position - 1])
    }
}

/// Arm 1 as often as `repeats` times its ratio, then arm 2, and so on. A protocol has at most 20
/// arms.
pub(super) fn fill(block: &mut Vec<u8>, ratios: &[u32], repeats: u32) {
    block.clear();
    for (arm, ratio) in ratios.iter().enumerate() {
        block.extend(std::iter::repeat_n(arm as u8, (ratio * repeats) as usize));
    }
}

/// Fisher and Yates, from the end: place i changes contents with place `below(i + 1)`.
pub(super) fn shuffle(stream: &mut Stream, block: &mut [u8]) {
    for i in (1..block.len()).rev() {
        let j = stream.below(i as u32 + 1) as usize;
        block.swap(i, j);
    }
}
