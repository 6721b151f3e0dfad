//! `[analysis.looks]`: when the trial is looked at, and what a look may change.

use crate::document::Object;
use crate::statistics::sequential::Promising;

crate::vocabulary! {
    /// How the error rate is spent over the looks.
    pub enum Spending {
        ObrienFleming = "obrien_fleming",
        Pocock = "pocock",
        HwangShihDecani = "hwang_shih_decani",
        Power = "power",
        /// Boundaries of this shape, and what they spend.
        WangTsiatis = "wang_tsiatis",
        HaybittlePeto = "haybittle_peto",
    }
}

crate::vocabulary! {
    /// The rule for stopping early without success.
    pub enum Futility {
        None = "none",
        /// Advised: success is not made easier by it.
        NonbindingBeta = "nonbinding_beta",
        /// Must be obeyed: the boundary of success counts on it.
        BindingBeta = "binding_beta",
    }
}

/// Growth of the information between two looks: less is no growth.
const LEAST_APART: f64 = 0.001 - 1e-12;

/// The planned looks.
#[derive(Debug, Clone, PartialEq)]
pub struct Looks {
    /// Information fractions, increasing, the last one 1.
    pub information: Vec<f64>,
    pub spending: Spending,
    pub gamma: Option<f64>,
    pub rho: Option<f64>,
    /// Shape of Wang and Tsiatis, from O'Brien and Fleming's (0) to Pocock's (0.5).
    pub delta: Option<f64>,
    /// Boundary of Haybittle and Peto before the last look.
    pub z: Option<f64>,
    pub futility: Futility,
    /// Type II error to be spent on futility.
    pub beta: Option<f64>,
    /// Error of a stop for harm, in a trial with one side.
    pub harm: Option<f64>,
    pub confidence_sequence: ConfidenceSequence,
    /// The rule by which the rest of the trial may grow after the look before the last.
    pub reestimation: Option<Promising>,
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

impl Looks {
    pub(super) fn read(object: &Object) -> Option<Self> {
        let information = object.values::<f64>("information");
        let spending = object.required::<Spending>("spending");
        let gamma = object.optional::<f64>("gamma");
        let rho = object.optional::<f64>("rho");
        let delta = object.optional::<f64>("delta");
        let z = object.optional::<f64>("z");
        let futility = object
            .optional::<Futility>("futility")
            .unwrap_or(Futility::None);
        let beta = object.optional::<f64>("beta");
        let harm = object.optional::<f64>("harm");
        let confidence_sequence = object
            .optional::<ConfidenceSequence>("confidence_sequence")
            .unwrap_or(ConfidenceSequence::Asymptotic);
        let reestimation = object
            .object("reestimation")
            .and_then(|rule| read_promising(&rule));
        object.finish();
        if reestimation.is_some() && information.len() < 2 {
            object.fault("reestimation", "needs a look before the last one");
        }
        let increasing = information.windows(2).all(|pair| pair[0] < pair[1]);
        let within = information.first().is_some_and(|first| *first > 0.0);
        let apart = |pair: &[f64]| pair[1] - pair[0] >= LEAST_APART;
        if !increasing || !within || information.last() != Some(&1.0) {
            object.fault("information", "must increase from above 0 to exactly 1");
        } else if information[0] < LEAST_APART || !information.windows(2).all(apart) {
            object.fault(
                "information",
                "must begin at 0.001 and grow by 0.001 at least",
            );
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
            Some(Spending::WangTsiatis) if delta.is_none_or(|d| !(-0.5..=0.7).contains(&d)) => {
                object.fault(
                    "delta",
                    "must lie between -0.5 and 0.7: wang_tsiatis needs it",
                );
            }
            Some(Spending::HaybittlePeto) if z.is_some_and(|z| !(2.0..=8.0).contains(&z)) => {
                object.fault("z", "must lie between 2 and 8");
            }
            _ => {}
        }
        if harm.is_some_and(|harm| !(1e-6..=0.49).contains(&harm)) {
            object.fault("harm", "must lie between 0.000001 and 0.49");
        }
        if beta.is_some_and(|beta| !(beta > 0.0 && beta < 1.0)) {
            object.fault("beta", "must lie between 0 and 1");
        }
        Some(Self {
            information,
            spending: spending?,
            gamma,
            rho,
            delta,
            z,
            futility,
            beta,
            harm,
            confidence_sequence,
            reestimation,
        })
    }
}

/// `[analysis.looks.reestimation]`.
fn read_promising(object: &Object) -> Option<Promising> {
    let least = object.required::<f64>("least");
    let target = object.required::<f64>("target");
    let most = object.required::<f64>("most");
    object.finish();
    let rule = Promising {
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
