//! `[analysis.looks]`: when the trial is looked at, and what a look may change.

use crate::document::Object;

crate::vocabulary! {
    /// How the error rate is spent over the looks.
    pub enum Spending {
        ObrienFleming = "obrien_fleming",
        Pocock = "pocock",
        HwangShihDecani = "hwang_shih_decani",
        Power = "power",
    }
}

crate::vocabulary! {
    /// The rule for stopping early without success.
    pub enum Futility { None = "none", NonbindingBeta = "nonbinding_beta" }
}

/// The planned looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Looks {
    /// Information fractions, increasing, the last one 1.
    pub information: Vec<f64>,
    pub spending: Spending,
    pub gamma: Option<f64>,
    pub rho: Option<f64>,
    pub futility: Futility,
    /// Type II error to be spent on futility.
    pub beta: Option<f64>,
    pub confidence_sequence: ConfidenceSequence,
    pub reestimation: Option<Reestimation>,
}

crate::vocabulary! {
    /// The interval that holds at every moment.
    pub enum ConfidenceSequence {
        /// For estimates that are means in the limit.
        Asymptotic = "asymptotic",
        /// For shares, at any size: Hoeffding's bound, mixed over normals.
        Mixture = "mixture",
        /// The same, stitched over epochs.
        Stitched = "stitched",
    }
}

/// The rule by which the rest of the trial may grow after the look before the last (the promising zone).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reestimation {
    /// Conditional power under the trend below which nothing is changed.
    pub least: f64,
    /// Conditional power that is aimed at.
    pub target: f64,
    /// The most that the rest of the information is multiplied by.
    pub most: f64,
}

impl Looks {
    pub(super) fn read(object: &Object) -> Option<Self> {
        let information = object.values::<f64>("information");
        let spending = object.required::<Spending>("spending");
        let gamma = object.optional::<f64>("gamma");
        let rho = object.optional::<f64>("rho");
        let futility = object
            .optional::<Futility>("futility")
            .unwrap_or(Futility::None);
        let beta = object.optional::<f64>("beta");
        let confidence_sequence = object
            .optional::<ConfidenceSequence>("confidence_sequence")
            .unwrap_or(ConfidenceSequence::Asymptotic);
        let reestimation = object
            .object("reestimation")
            .and_then(|rule| Reestimation::read(&rule));
        object.finish();
        if reestimation.is_some() && information.len() < 2 {
            object.fault("reestimation", "needs a look before the last one");
        }
        let increasing = information.windows(2).all(|pair| pair[0] < pair[1]);
        let within = information.first().is_some_and(|first| *first > 0.0);
        if !increasing || !within || information.last() != Some(&1.0) {
            object.fault("information", "must increase from above 0 to exactly 1");
        }
        if information.len() > 100 {
            object.fault("information", "must list at most 100 looks");
        }
        match spending {
            Some(Spending::HwangShihDecani) if gamma.is_none() => {
                object.fault("gamma", "is missing: hwang_shih_decani needs it");
            }
            Some(Spending::HwangShihDecani) if gamma.is_some_and(|gamma| gamma.abs() > 100.0) => {
                object.fault("gamma", "must lie between -100 and 100");
            }
            Some(Spending::Power) if rho.is_none_or(|rho| rho <= 0.0) => {
                object.fault("rho", "must be a number above 0: power needs it");
            }
            _ => {}
        }
        if beta.is_some_and(|beta| !(beta > 0.0 && beta < 1.0)) {
            object.fault("beta", "must lie between 0 and 1");
        }
        Some(Self {
            information,
            spending: spending?,
            gamma,
            rho,
            futility,
            beta,
            confidence_sequence,
            reestimation,
        })
    }
}

impl Reestimation {
    fn read(object: &Object) -> Option<Self> {
        let least = object.required::<f64>("least");
        let target = object.required::<f64>("target");
        let most = object.required::<f64>("most");
        object.finish();
        let rule = Self {
            least: least?,
            target: target?,
            most: most?,
        };
        if !(rule.least > 0.0 && rule.least < rule.target && rule.target < 1.0) {
            object.fault("least", "must lie between 0 and target, and target below 1");
        }
        if !(rule.most > 1.0 && rule.most <= 100.0) {
            object.fault("most", "must lie above 1, and be at most 100");
        }
        Some(rule)
    }
}
