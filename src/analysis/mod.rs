//! From a data cut or a data file to estimates.
//!
//! Both feed one [`Dataset`] of columns; [`run`] follows the protocol's plan over it and gives one
//! [`Document`], which is what the service stores and the command line prints.

mod baseline;
pub mod blinded;
pub mod columns;
pub mod data_file;
pub mod design;
pub mod document;
mod estimators;
pub mod export;
pub mod facts;
pub mod flow;
mod follow_up;
pub mod multiplicity;
mod plan;
mod pooled;
mod rerandomization;
pub mod sequential;
pub mod settings;
mod spells;
mod subgroups;

pub use columns::{Column, Dataset, Received, Values};
pub use document::Document;
pub use follow_up::UnknownArm;
pub use plan::{primary_at, run};
pub use pooled::run as run_pooled;
pub use settings::{Earlier, Look, Settings};
