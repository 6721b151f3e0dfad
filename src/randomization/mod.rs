//! Who gets which arm: seed, streams, methods, replay.
//!
//! Pure and value-stable: the same seed, trial, stratum and index give the same arm on every
//! machine and in every release of draw version [`DRAW_VERSION`]. Nothing here depends on a
//! library's sampling code, a floating-point number, the machine's word size or the database.
//! `docs/randomization.md` specifies it to the bit.

mod methods;
pub mod seed;
pub mod stratum;
pub mod stream;

pub use methods::{Allocator, NotDrawn};
pub use seed::{Commitment, Seed};
pub use stratum::StratumLabel;

/// The version of the specification of the draw; a change of any value makes a new one.
pub const DRAW_VERSION: &str = "lodkast-draw-1";
