//! Two methods for two arms, 1:1, that steer by the difference so far.

use crate::randomization::stream::Stream;

/// Efron, "Forcing a sequential experiment to be balanced", Biometrika 58 (1971): a coin that
/// favours the lagging arm.
pub struct BiasedCoin {
    numerator: u32,
    denominator: u32,
    /// Draws of arm 1 less draws of arm 2.
    difference: i64,
}

impl BiasedCoin {
    pub fn new((numerator, denominator): (u32, u32)) -> Self {
        Self {
            numerator,
            denominator,
            difference: 0,
        }
    }

    #[inline]
    pub fn next(&mut self, stream: &mut Stream) -> usize {
        let arm = match self.difference {
            0 => stream.below(2) as usize,
            difference => {
                let lagging = lagging_arm(difference);
                if stream.below(self.denominator) < self.numerator {
                    lagging
                } else {
                    1 - lagging
                }
            }
        };
        self.difference += step(arm);
        arm
    }
}

/// Soares and Wu, "Some restricted randomization rules in sequential designs", Communications in
/// Statistics 12 (1983): a fair coin, until the difference has reached the limit.
pub struct BigStick {
    limit: i64,
    difference: i64,
}

impl BigStick {
    pub fn new(limit: u32) -> Self {
        Self {
            limit: i64::from(limit),
            difference: 0,
        }
    }

    #[inline]
    pub fn next(&mut self, stream: &mut Stream) -> usize {
        let arm = if self.difference.abs() >= self.limit {
            lagging_arm(self.difference)
        } else {
            stream.below(2) as usize
        };
        self.difference += step(arm);
        arm
    }
}

/// Arm 2 where arm 1 leads, else arm 1.
fn lagging_arm(difference: i64) -> usize {
    usize::from(difference > 0)
}

fn step(arm: usize) -> i64 {
    1 - 2 * arm as i64
}
