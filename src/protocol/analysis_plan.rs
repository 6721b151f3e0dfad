//! `[analysis]` and `[sample_size]`: the plan that is fixed before anything is seen.

use crate::document::{Faults, Field, Identifier, Object};

crate::vocabulary! {
    /// What the primary analysis sets out to show.
    pub enum Hypothesis {
        Superiority = "superiority",
        NonInferiority = "non_inferiority",
        Equivalence = "equivalence",
    }
}

crate::vocabulary! {
    /// Events after the draw that bear on the endpoint (ICH E9 R1).
    pub enum IntercurrentEvent {
        ChannelSwitch = "channel_switch",
        Exemption = "exemption",
        Suspension = "suspension",
        EarlyJob = "early_job",
        Withdrawal = "withdrawal",
        Death = "death",
        Emigration = "emigration",
    }
}

crate::vocabulary! {
    /// How an intercurrent event is dealt with.
    pub enum Strategy {
        /// The value is used as it is, whatever happened.
        TreatmentPolicy = "treatment_policy",
        /// The event itself is an unfavourable outcome.
        Composite = "composite",
        /// Follow-up ends at the event.
        Censor = "censor",
    }
}

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
}

/// The chosen strategy of every intercurrent event; those not named follow treatment policy.
pub type Events = Vec<(IntercurrentEvent, Strategy)>;

/// The analysis plan.
#[derive(Debug, Clone, PartialEq)]
pub struct Analysis {
    /// Id of the primary endpoint.
    pub primary: String,
    /// The one primary estimator; where absent, the first default of the endpoint's kind.
    pub estimator: Option<String>,
    pub hypothesis: Hypothesis,
    /// On the effect scale of the primary estimator; equivalence uses it on both sides.
    pub margin: Option<f64>,
    /// Type I error in total, over both sides where `sides` is 2.
    pub alpha: f64,
    pub sides: u32,
    /// Ids of number factors.
    pub adjust_for: Vec<String>,
    /// Ids of the factors that stratify the analysis, where the plan names them.
    pub strata: Option<Vec<String>>,
    pub intercurrent_events: Events,
    pub looks: Option<Looks>,
}

impl Analysis {
    /// The confidence level: 1 - 2 alpha for one side or equivalence, else 1 - alpha.
    pub fn confidence_level(&self) -> f64 {
        // Rounded to the 12th place, so that alpha = 0.025 gives 0.95 and not 0.9500000000000001.
        let level = if self.sides == 1 || self.hypothesis == Hypothesis::Equivalence {
            1.0 - 2.0 * self.alpha
        } else {
            1.0 - self.alpha
        };
        (level * 1e12).round() / 1e12
    }

    /// The strategy for an intercurrent event.
    pub fn strategy(&self, event: IntercurrentEvent) -> Strategy {
        self.intercurrent_events
            .iter()
            .find(|(named, _)| *named == event)
            .map_or(Strategy::TreatmentPolicy, |(_, strategy)| *strategy)
    }

    pub(super) fn read(object: &Object, faults: &Faults) -> Option<Self> {
        let primary = object.required::<Identifier>("primary");
        let estimator = object.optional::<String>("estimator");
        let hypothesis = object
            .optional::<Hypothesis>("hypothesis")
            .unwrap_or(Hypothesis::Superiority);
        let margin = object.optional::<f64>("margin");
        let alpha = object.required::<f64>("alpha");
        let sides = object.required::<u32>("sides");
        let adjust_for = object.values::<String>("adjust_for");
        let strata = object
            .has("analysis_strata")
            .then(|| object.values::<String>("analysis_strata"));
        let intercurrent_events = read_events(object, faults);
        let looks = object.object("looks").and_then(|looks| Looks::read(&looks));
        object.finish();
        if alpha.is_some_and(|alpha| !(1e-6..=0.49).contains(&alpha)) {
            object.fault("alpha", "must lie between 0.000001 and 0.49");
        }
        if sides.is_some_and(|sides| sides != 1 && sides != 2) {
            object.fault("sides", "must be 1 or 2");
        }
        Some(Self {
            primary: primary?.0,
            estimator,
            hypothesis,
            margin,
            alpha: alpha?,
            sides: sides?,
            adjust_for,
            strata,
            intercurrent_events,
            looks,
        })
    }
}

fn read_events(object: &Object, faults: &Faults) -> Events {
    let mut events = Vec::new();
    for (path, name, value) in object.entries("intercurrent_events") {
        match (IntercurrentEvent::parse(name), Strategy::read(value)) {
            (None, _) => faults.add(path, "is not a known intercurrent event"),
            (_, Err(detail)) => faults.add(path, detail),
            (Some(event), Ok(strategy)) => events.push((event, strategy)),
        }
    }
    events
}

impl Looks {
    fn read(object: &Object) -> Option<Self> {
        let information = object.values::<f64>("information");
        let spending = object.required::<Spending>("spending");
        let gamma = object.optional::<f64>("gamma");
        let rho = object.optional::<f64>("rho");
        let futility = object
            .optional::<Futility>("futility")
            .unwrap_or(Futility::None);
        let beta = object.optional::<f64>("beta");
        object.finish();
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
        })
    }
}

/// What the sample size was computed from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Assumptions {
    /// Value of the primary endpoint in the control arm.
    pub control: Option<f64>,
    /// Effect on the primary endpoint's scale.
    pub effect: Option<f64>,
    /// Share of participants whose endpoint will be missing.
    pub dropout: Option<f64>,
    pub accrual_per_week: Option<f64>,
    /// Of a continuous endpoint.
    pub standard_deviation: Option<f64>,
    /// Of a count: its variance is mu + dispersion mu^2.
    pub dispersion: Option<f64>,
    /// Mean participants of a cluster, their intraclass correlation, and the coefficient of variation
    /// of the clusters' sizes.
    pub cluster_size: Option<f64>,
    pub intraclass_correlation: Option<f64>,
    pub cluster_variation: Option<f64>,
}

/// The planned size.
#[derive(Debug, Clone, PartialEq)]
pub struct SampleSize {
    pub planned: Option<u32>,
    pub power: Option<f64>,
    pub assume: Option<Assumptions>,
}

impl SampleSize {
    pub(super) fn read(object: &Object) -> Self {
        let planned = object.optional::<u32>("planned");
        let power = object.optional::<f64>("power");
        let assume = object.object("assume").map(|assume| {
            let read = Assumptions {
                control: assume.optional("control"),
                effect: assume.optional("effect"),
                dropout: assume.optional("dropout"),
                accrual_per_week: assume.optional("accrual_per_week"),
                standard_deviation: assume.optional("standard_deviation"),
                dispersion: assume.optional("dispersion"),
                cluster_size: assume.optional("cluster_size"),
                intraclass_correlation: assume.optional("intraclass_correlation"),
                cluster_variation: assume.optional("cluster_variation"),
            };
            assume.finish();
            if read
                .dropout
                .is_some_and(|share| !(0.0..1.0).contains(&share))
            {
                assume.fault("dropout", "must lie between 0 and 1");
            }
            let above = |name: &str, value: Option<f64>, least: f64, text: &str| {
                if value.is_some_and(|value| value < least || (value == 0.0 && least == 0.0)) {
                    assume.fault(name, text);
                }
            };
            above(
                "accrual_per_week",
                read.accrual_per_week,
                0.0,
                "must be above 0",
            );
            above(
                "standard_deviation",
                read.standard_deviation,
                0.0,
                "must be above 0",
            );
            above("cluster_size", read.cluster_size, 1.0, "must be at least 1");
            if read.dispersion.is_some_and(|value| value < 0.0) {
                assume.fault("dispersion", "must be at least 0");
            }
            if read.cluster_variation.is_some_and(|value| value < 0.0) {
                assume.fault("cluster_variation", "must be at least 0");
            }
            if read
                .intraclass_correlation
                .is_some_and(|value| !(0.0..=1.0).contains(&value))
            {
                assume.fault("intraclass_correlation", "must lie between 0 and 1");
            }
            read
        });
        object.finish();
        if planned == Some(0) {
            object.fault("planned", "must be at least 1");
        }
        if power.is_some_and(|power| !(power > 0.0 && power < 1.0)) {
            object.fault("power", "must lie between 0 and 1");
        }
        Self {
            planned,
            power,
            assume,
        }
    }
}
