//! The block urn.

use super::arm_at;
use crate::randomization::stream::Stream;

/// Zhao and Weng, "Block urn design", Contemporary Clinical Trials 32 (2011): drawn balls come back
/// into the urn as soon as they make a full set of the ratios. No arm gets further ahead than with
/// permuted blocks of `lambda` sets, and fewer draws are certain.
pub struct BlockUrn {
    ratios: Vec<u32>,
    active: Vec<u32>,
    inactive: Vec<u32>,
    active_balls: u32,
    total: u32,
}

impl BlockUrn {
    pub fn new(ratios: Vec<u32>, lambda: u32) -> Self {
        let active: Vec<u32> = ratios.iter().map(|ratio| lambda * ratio).collect();
        Self {
            active_balls: active.iter().sum(),
            total: ratios.iter().sum(),
            inactive: vec![0; ratios.len()],
            active,
            ratios,
        }
    }

    #[inline]
    pub fn next(&mut self, stream: &mut Stream) -> usize {
        let arm = arm_at(&self.active, stream.below(self.active_balls));
        self.active[arm] -= 1;
        self.inactive[arm] += 1;
        self.active_balls -= 1;
        // One ball completes one set at most.
        if self
            .inactive
            .iter()
            .zip(&self.ratios)
            .all(|(out, ratio)| out >= ratio)
        {
            for (arm, ratio) in self.ratios.iter().enumerate() {
                self.inactive[arm] -= ratio;
                self.active[arm] += ratio;
            }
            self.active_balls += self.total;
        }
        arm
    }
}
