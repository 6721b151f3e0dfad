//! Group-sequential designs: spending of error, boundaries, and what a design promises.
//!
//! At look k the statistic Z_k has the information t_k (as a fraction of the maximum); the Z_k are
//! normal with means `drift * sqrt(t_k)`, variances 1 and covariances sqrt(t_j / t_k) for j <= k
//! (the canonical joint distribution: Jennison and Turnbull, "Group Sequential Methods with
//! Applications to Clinical Trials", 2000, section 3.1). `drift` is the mean of Z at full information.

pub mod always;
mod boundaries;
mod futility;
mod inference;
pub mod shapes;
mod spending;
mod walk;

pub use boundaries::{Boundaries, Futility, Plan, PlanFault, Reached, inflation};
pub use inference::{
    Going, Promising, Reestimated, Stagewise, Stopped, Zone, cui_hung_wang, reestimate,
    repeated_interval,
};
pub use spending::Spending;
