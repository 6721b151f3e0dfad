//! The methods of the draw.
//!
//! Most draw within a stratum: [`Allocator`] gives the arms of its indexes one after the other.
//! [`Minimization`] looks at all who were drawn before, and [`Clusters`] draws whole units.

mod block_urn;
mod blocks;
mod clusters;
mod coins;
mod minimization;

pub use clusters::{Clusters, UnitDraw};
pub use minimization::{Minimization, MinimizationState};

use super::{StratumLabel, StreamKeys, stream::Stream};
use crate::protocol::{Protocol, Scheme};
use block_urn::BlockUrn;
use blocks::PermutedBlocks;
use coins::{BiasedCoin, BigStick};

/// Why nothing can be drawn.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NotDrawn {
    #[error("arms are drawn elsewhere: the method is external")]
    External,
    #[error("the method {0} does not draw within strata")]
    NotByStratum(String),
    #[error("the factor {0} has no level")]
    NoLevel(String),
    #[error("the unit is not one of those that were drawn")]
    UnknownUnit,
}

/// The draws of one stratum in order, from index 0.
///
/// The arm of an index is a pure function of (seed, trial, label, index): an allocator can always
/// be made anew and advanced to any index. A draw takes some nanoseconds (`docs/performance.md`), so
/// that index 1,000,000 is reached within milliseconds.
pub struct Allocator {
    stream: Stream,
    method: Method,
}

enum Method {
    Simple { ratios: Vec<u32>, total: u32 },
    PermutedBlocks(PermutedBlocks),
    BiasedCoin(BiasedCoin),
    BigStick(BigStick),
    BlockUrn(BlockUrn),
}

impl Allocator {
    /// The allocator of a stratum, at index 0.
    pub fn new(
        protocol: &Protocol,
        keys: &StreamKeys,
        label: &StratumLabel,
    ) -> Result<Self, NotDrawn> {
        let ratios = ratios_of(protocol);
        let method = match &protocol.randomization.scheme {
            Scheme::Simple => Method::Simple {
                total: ratios.iter().sum(),
                ratios,
            },
            Scheme::PermutedBlocks { block_sizes } => {
                Method::PermutedBlocks(PermutedBlocks::new(ratios, block_sizes.clone()))
            }
            Scheme::BiasedCoin { probability } => Method::BiasedCoin(BiasedCoin::new(*probability)),
            Scheme::BigStick { limit } => Method::BigStick(BigStick::new(*limit)),
            Scheme::BlockUrn { lambda } => Method::BlockUrn(BlockUrn::new(ratios, *lambda)),
            Scheme::External => return Err(NotDrawn::External),
            Scheme::Minimization { .. } | Scheme::Clusters { .. } => {
                let name = protocol.randomization.method.to_string();
                return Err(NotDrawn::NotByStratum(name));
            }
        };
        let stream = Stream::new(keys.stratum(label));
        Ok(Self { stream, method })
    }

    /// Goes on by so many draws without telling them.
    pub fn skip(&mut self, draws: u64) {
        for _ in 0..draws {
            self.next_arm();
        }
    }

    /// Position in the protocol of the arm of the next index.
    #[inline]
    pub fn next_arm(&mut self) -> usize {
        let stream = &mut self.stream;
        match &mut self.method {
            Method::Simple { ratios, total } => simple(stream, ratios, *total),
            Method::PermutedBlocks(blocks) => blocks.next(stream),
            Method::BiasedCoin(coin) => coin.next(stream),
            Method::BigStick(stick) => stick.next(stream),
            Method::BlockUrn(urn) => urn.next(stream),
        }
    }
}

fn ratios_of(protocol: &Protocol) -> Vec<u32> {
    protocol.arms.iter().map(|arm| arm.ratio).collect()
}

/// The first arm whose cumulative ratio exceeds a number below the sum of the ratios.
fn simple(stream: &mut Stream, ratios: &[u32], total: u32) -> usize {
    arm_at(ratios, stream.below(total))
}

/// The arm in whose share the position falls, the shares lying end to end in the order of the arms.
fn arm_at(shares: &[u32], mut position: u32) -> usize {
    for (arm, &share) in shares.iter().enumerate() {
        if position < share {
            return arm;
        }
        position -= share;
    }
    unreachable!("a position below the sum of the shares falls within one of them")
}
