//! The draw: from a seed to the arm of every index of every stratum.
//!
//! Value-stable: an arm that [`DRAW_VERSION`] has once given, it gives on every machine and in every
//! release. So all of it is integer arithmetic on one keystream, written out here, and
//! `docs/randomization.md` specifies it to the bit.

mod keys;
pub mod methods;
mod redraw;
mod replay;
pub mod seed;
pub mod stratum;
pub mod stream;
#[cfg(test)]
mod vectors;

pub use keys::StreamKeys;
pub use methods::{Allocator, Clusters, Minimization, MinimizationState, NotDrawn, UnitDraw};
pub use redraw::{Enumerated, Redraw};
pub use replay::{Drawn, Replay};
pub use seed::{Commitment, Secret, Seed};
pub use stratum::StratumLabel;

/// Names the rules of the draw. Whoever changes an arm that they give changes this name.
pub const DRAW_VERSION: &str = "lodkast-draw-1";
