//! The draw: from a seed to the arm of every index of every stratum.
//!
//! Value-stable: an arm that [`DRAW_VERSION`] has once given, it gives on every machine and in every
//! release. So all of it is integer arithmetic on one keystream, written out here, and
//! `docs/randomization.md` specifies it to the bit.

mod methods;
pub mod seed;
pub mod stratum;
pub mod stream;

pub use methods::{Allocator, NotDrawn};
pub use seed::{Commitment, Seed};
pub use stratum::StratumLabel;

/// Names the rules of the draw. Whoever changes an arm that they give changes this name.
pub const DRAW_VERSION: &str = "lodkast-draw-1";
