//! Regression with randomized arms: least squares with robust errors, with and without clusters,
//! standardization over a logistic model, differences within blocks, and an arm as instrument.
//!
//! The models are working models. What makes an estimate hold is the draw; that the model is true is
//! nowhere assumed, but more of the outcome explained means a smaller error.

mod blocked;
mod clustered;
mod instrument;
mod least_squares;
mod logistic;
mod model;
mod standardized;

pub use blocked::blocked_difference;
pub use clustered::{ClusterRobust, fit_clustered};
pub use instrument::{Compliance, anderson_rubin, complier_average_effect};
pub use least_squares::{Robust, balance_test, fit};
pub use model::{Covariate, Form, Sample};
pub use standardized::{Draws, standardized_risk_difference};
