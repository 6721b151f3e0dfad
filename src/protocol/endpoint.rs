//! Endpoints: what is measured, from which facts, and which direction is a benefit.

use crate::document::{Faults, Field, Identifier, Object};
use crate::statistics::Alternative;
use crate::statistics::catalogue::{self, Entry, Gives, Outcome};
use serde_json::Value;

crate::vocabulary! {
    /// The shape of an endpoint's value.
    pub enum EndpointKind {
        Binary = "binary",
        Continuous = "continuous",
        TimeToEvent = "time_to_event",
        Count = "count",
    }
}

crate::vocabulary! {
    /// The direction of benefit on the endpoint's own scale (for a time to event: of the time).
    pub enum Better { Higher = "higher", Lower = "lower" }
}

crate::vocabulary! {
    /// The unit of the time column of a data file.
    pub enum TimeUnit { Weeks = "weeks", Days = "days" }
}

impl TimeUnit {
    /// How many of these make a week.
    pub fn per_week(self) -> f64 {
        match self {
            TimeUnit::Weeks => 1.0,
            TimeUnit::Days => 7.0,
        }
    }
}

/// Where the value of an endpoint comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    Employment,
    Attendance,
    DurationMinutes,
    /// An answer to this question of a survey.
    Survey(String),
    /// Values that a source reports as such.
    Reported,
}

impl Field for Origin {
    fn read(value: &Value) -> Result<Self, String> {
        let text = String::read(value)?;
        match text.as_str() {
            "employment" => Ok(Origin::Employment),
            "attendance" => Ok(Origin::Attendance),
            "duration_minutes" => Ok(Origin::DurationMinutes),
            "reported" => Ok(Origin::Reported),
            other => match other.strip_prefix("survey:") {
                Some(question) if !question.is_empty() => Ok(Origin::Survey(question.to_owned())),
                _ => Err("must be one of employment, attendance, duration_minutes, \
                          survey:<question>, reported"
                    .into()),
            },
        }
    }
}

/// One endpoint of the protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct Endpoint {
    pub id: String,
    pub label: String,
    pub kind: EndpointKind,
    pub better: Better,
    pub from: Origin,
    /// Weeks after enrolment at which the value is taken, or to which it is followed.
    pub horizon_weeks: Option<u32>,
    /// Weeks that a job must last to count.
    pub sustained_weeks: u32,
    pub time_unit: TimeUnit,
    /// Exactly these estimators, instead of the default set of the kind.
    pub estimators: Option<Vec<String>>,
}

impl Endpoint {
    /// The shape of the value, in the words of the estimators.
    pub fn outcome(&self) -> Outcome {
        match self.kind {
            EndpointKind::Binary => Outcome::Binary,
            EndpointKind::Continuous => Outcome::Continuous,
            EndpointKind::Count => Outcome::Count,
            EndpointKind::TimeToEvent => Outcome::TimeToEvent,
        }
    }

    /// Whether this estimator's effect is a ratio of hazards, or a test that counts events: more of it
    /// means less time.
    pub fn counts_hazard(&self, known: &Entry) -> bool {
        self.kind == EndpointKind::TimeToEvent
            && (known.shortens_time() || known.gives == Gives::Test)
    }

    /// The direction of the effect that is a benefit.
    pub fn toward_benefit(&self, known: &Entry) -> Alternative {
        match (self.better, self.counts_hazard(known)) {
            (Better::Higher, false) | (Better::Lower, true) => Alternative::Greater,
            (Better::Lower, false) | (Better::Higher, true) => Alternative::Less,
        }
    }

    pub(super) fn read(value: &Value, path: String, faults: &Faults) -> Option<Self> {
        let object = Object::open(value, path, faults)?;
        let id = object.required::<Identifier>("id").map(|id| id.0);
        let label = object.optional::<String>("label");
        let kind = object.required::<EndpointKind>("kind");
        let from = object.required::<Origin>("from");
        let better = object.optional::<Better>("better");
        let horizon_weeks = object.optional::<u32>("horizon_weeks");
        let sustained_weeks = object.optional::<u32>("sustained_weeks").unwrap_or(0);
        let time_unit = object
            .optional::<TimeUnit>("time_unit")
            .unwrap_or(TimeUnit::Weeks);
        let estimators = object
            .has("estimators")
            .then(|| object.values::<String>("estimators"));
        object.finish();
        let endpoint = Self {
            label: label.or_else(|| id.clone())?,
            id: id?,
            kind: kind?,
            better: better.unwrap_or_else(|| default_direction(kind, from.as_ref())),
            from: from?,
            horizon_weeks,
            sustained_weeks,
            time_unit,
            estimators,
        };
        endpoint.check(&object);
        Some(endpoint)
    }

    fn check(&self, object: &Object) {
        use EndpointKind::*;
        let kinds: &[EndpointKind] = match self.from {
            Origin::Employment => &[Binary, TimeToEvent, Continuous],
            Origin::Attendance => &[Count, Binary],
            Origin::DurationMinutes => &[Continuous],
            Origin::Survey(_) => &[Binary, Continuous],
            Origin::Reported => EndpointKind::ALL,
        };
        if !kinds.contains(&self.kind) {
            object.fault(
                "kind",
                format!("cannot be {} when it comes from these facts", self.kind),
            );
        }
        match self.horizon_weeks {
            None if self.from == Origin::Employment => {
                object.fault(
                    "horizon_weeks",
                    "is missing: employment is measured at a horizon",
                );
            }
            Some(weeks) if !(1..=1_040).contains(&weeks) => {
                object.fault("horizon_weeks", "must be from 1 to 1040");
            }
            _ => {}
        }
        if self.sustained_weeks > 0 && self.from != Origin::Employment {
            object.fault(
                "sustained_weeks",
                "holds for endpoints from employment only",
            );
        }
        if self.sustained_weeks > 520 {
            object.fault("sustained_weeks", "must be at most 520");
        }
        for (i, id) in self.estimators.iter().flatten().enumerate() {
            if let Err(detail) = catalogue::usable(id, self.outcome()) {
                object.fault(&format!("estimators[{i}]"), detail);
            }
        }
        if self.estimators.as_ref().is_some_and(Vec::is_empty) {
            object.fault("estimators", "must name at least one estimator");
        }
    }
}

/// More is better, but for no-shows and for the time until a job.
fn default_direction(kind: Option<EndpointKind>, from: Option<&Origin>) -> Better {
    match (kind, from) {
        (Some(EndpointKind::TimeToEvent), Some(Origin::Employment)) => Better::Lower,
        (_, Some(Origin::Attendance)) => Better::Lower,
        _ => Better::Higher,
    }
}
