//! Cox's proportional hazards model.
//!
//! Cox, JRSS B 34 (1972) 187-220. Ties by Efron (JASA 72, 1977), Breslow (Biometrics 30, 1974) or the exact
//! partial likelihood of discrete times. The effect is the ratio of the arms' hazards, one for all times:
//! where it changes with time the estimate is a mean over the trial's own follow-up, and the test of
//! proportional hazards (Grambsch and Therneau, Biometrika 81, 1994) says so. Robust errors are those of
//! Lin and Wei (JASA 84, 1989), summed within clusters. With times of entry and one row an interval it is
//! the model of Andersen and Gill (Annals of Statistics 10, 1982). Conventions are R's `coxph`.

mod data;
mod exact;
mod fit;
mod likelihood;
mod proportionality;
mod robust;

pub use fit::{Cox, Spread};
pub use proportionality::Proportionality;

use crate::statistics::regression::Covariate;

crate::vocabulary! {
    /// How events at the same time are dealt with.
    pub enum Ties { Efron = "efron", Breslow = "breslow", Exact = "exact" }
}

/// Rows under observation; all slices are of one length. One row is a participant, or an interval of one.
#[derive(Debug, Clone, Copy)]
pub struct Follow<'a> {
    /// The end of the observation.
    pub time: &'a [f64],
    /// Whether it ended with the event.
    pub event: &'a [bool],
    /// After which time the row is at risk; from 0 where there is none.
    pub entry: Option<&'a [f64]>,
    pub treated: &'a [bool],
    pub covariates: &'a [Covariate],
    /// Rows are compared within a stratum only.
    pub strata: Option<&'a [u32]>,
    /// Rows of one cluster count as one in robust errors.
    pub clusters: Option<&'a [u32]>,
    /// How many each row stands for, above 0; one where there are none. Tied events share the mean of theirs
    /// (as in `coxph`), the exact method knows none, and only robust errors hold.
    pub weights: Option<&'a [f64]>,
}

impl<'a> Follow<'a> {
    /// Participants followed from the start, one row each, without covariates, strata, clusters or weights.
    pub fn new(time: &'a [f64], event: &'a [bool], treated: &'a [bool]) -> Self {
        Self {
            time,
            event,
            entry: None,
            treated,
            covariates: &[],
            strata: None,
            clusters: None,
            weights: None,
        }
    }
}

#[cfg(test)]
mod tests;
