//! `[analysis]`: the plan that is fixed before anything is seen.

use super::family::Family;
use super::looks::Looks;
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
    /// How the error is shared between several arms, where that is planned.
    pub multiplicity: Option<Family>,
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
        let multiplicity = object
            .object("multiplicity")
            .and_then(|family| Family::read(&family));
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
            multiplicity,
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
