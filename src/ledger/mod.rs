//! What proves that nothing was changed: records, their tree, signed checkpoints, and the check of a
//! trial's bundle.

pub mod bundle;
pub mod note;
mod record;
pub mod tree;

pub use record::{CutDigest, Leaf, Salt, leaf, record};
