//! What missing values could do to an effect: bounds, and multiple imputation with a tipping point.

mod bounds;
mod imputation;
mod rubin;

pub use bounds::{Bounds, lee, manski};
pub use imputation::{Imputed, Incomplete, impute};
pub use rubin::{Pooled, pool};
