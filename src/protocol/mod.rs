//! The plan of a trial as it stands before anybody is enrolled.
//!
//! A protocol is one document, TOML or JSON, with the same keys. It is read strictly (an unknown
//! key is a fault, every fault is told at once) and identified by the SHA-256 of its canonical
//! JSON (RFC 8785), so that two spellings of one document are one protocol.

mod analysis_plan;
pub mod canonical;
mod check;
mod check_plan;
mod check_scheme;
mod endpoint;
mod family;
mod level;
mod looks;
mod read;
mod sample_size;
pub mod scheme;

pub use analysis_plan::{Analysis, Events, Hypothesis, IntercurrentEvent, Strategy};
pub use check_scheme::unit_faults;
pub use endpoint::{Better, Endpoint, EndpointKind, Origin, TimeUnit};
pub use family::{Family, FamilyMethod};
pub use level::{folded, level_fault, skeleton};
pub use looks::{ConfidenceSequence, Futility, Looks, Spending};
pub use read::{from_json, from_stored, from_toml, from_value, place_of};
pub use sample_size::{Assumptions, SampleSize};
pub use scheme::{DrawUnit, Method, Randomization, Scheme};

use crate::statistics::Fault;
use crate::statistics::catalogue::{self, Asked};
use crate::statistics::multiplicity::Graph;
use serde_json::Value;
use std::collections::BTreeMap;

crate::vocabulary! {
    /// What is drawn.
    pub enum Unit { Citizen = "citizen", Caseworker = "caseworker", Site = "site" }
}

crate::vocabulary! {
    /// Which numbers a citizen is known by.
    pub enum CitizenScheme {
        /// The Danish civil registration number.
        Cpr = "cpr",
        /// A reference of the caller's own.
        Reference = "reference",
    }
}

crate::vocabulary! {
    /// How a conversation is held.
    pub enum Channel { InPerson = "in_person", Telephone = "telephone", Video = "video" }
}

crate::vocabulary! {
    /// What kind of baseline fact a factor is.
    pub enum FactorKind { Level = "level", Number = "number" }
}

/// One arm of the trial.
#[derive(Debug, Clone, PartialEq)]
pub struct Arm {
    pub id: String,
    pub label: String,
    /// Share of the draws, a whole number of at least 1.
    pub ratio: u32,
    /// The arm that the others are compared with; exactly one of a protocol.
    pub control: bool,
    /// Channels that count as delivered as allocated.
    pub channels: Vec<Channel>,
}

/// A baseline fact, asked at enrolment.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    pub id: String,
    pub label: String,
    pub kind: FactorKind,
    /// The closed list of levels; empty where `open_levels` holds or the factor is a number.
    pub levels: Vec<String>,
    /// Levels join at their first enrolment.
    pub open_levels: bool,
    /// The draw is stratified by it.
    pub stratify: bool,
    /// The only levels that may join, where an open factor is held to a list of codes.
    pub codes: Option<Vec<String>>,
}

/// A rule that excludes whoever meets it.
#[derive(Debug, Clone, PartialEq)]
pub struct EligibilityRule {
    pub id: String,
    /// The answer that excludes: a truth value, text or number.
    pub exclude_if: Value,
    pub reason: String,
}

/// The factor whose level is the place where the citizen is met.
pub const SITE: &str = "site";

/// A protocol that has been read and checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Protocol {
    pub id: String,
    pub title: String,
    pub unit: Unit,
    pub arms: Vec<Arm>,
    pub factors: Vec<Factor>,
    pub eligibility: Vec<EligibilityRule>,
    pub randomization: Randomization,
    pub endpoints: Vec<Endpoint>,
    pub analysis: Analysis,
    pub sample_size: Option<SampleSize>,
    /// The rules by which the trial is conducted; none in a protocol that was registered before there were
    /// several.
    pub rules: Option<u32>,
    /// How citizens are known in this trial; none takes either scheme, as before.
    pub citizen_scheme: Option<CitizenScheme>,
    /// Days by which `enrolled_on` may lie before the day of the draw.
    pub backdate_days: u32,
    /// The document itself: what the digest is taken of.
    pub document: Value,
}

impl Protocol {
    /// The canonical JSON of the document (RFC 8785, strings in NFC).
    pub fn canonical(&self) -> String {
        canonical::to_string(&self.document)
    }

    /// SHA-256 of the canonical JSON.
    pub fn digest(&self) -> [u8; 32] {
        canonical::sha256(self.canonical().as_bytes())
    }

    /// Position of the control arm.
    pub fn control(&self) -> usize {
        self.arms
            .iter()
            .position(|arm| arm.control)
            .expect("checked: exactly one control arm")
    }

    /// The arms that are compared with the control, in the order of the protocol.
    pub fn compared(&self) -> impl Iterator<Item = &Arm> {
        self.arms.iter().filter(|arm| !arm.control)
    }

    /// The error of one comparison in the direction of success, and whether the other direction has as much.
    /// Methods that share the error leave an arm no more than an even part of it at first; a graph what it gives the
    /// arm with the least; a sequence all of it to the first.
    pub fn error_of_one_side(&self) -> (f64, bool) {
        use FamilyMethod::{FixedSequence, Graphical};
        let analysis = &self.analysis;
        let symmetric = analysis.sides == 2 && analysis.hypothesis != Hypothesis::Equivalence;
        let sides = if symmetric { 2.0 } else { 1.0 };
        let part = match analysis.multiplicity.as_ref() {
            None => 1.0,
            Some(family) => match family.method {
                FixedSequence => 1.0,
                Graphical => {
                    let weights = family.weights.values().copied();
                    weights.filter(|weight| *weight > 0.0).fold(1.0, f64::min)
                }
                _ => 1.0 / self.compared().count().max(1) as f64,
            },
        };
        (analysis.alpha / sides * part, symmetric)
    }

    /// The planned graph over the compared arms; arms that it does not name have no weight.
    pub fn graph(&self) -> Result<Graph, Fault> {
        let empty = Family {
            method: FamilyMethod::Graphical,
            weights: BTreeMap::new(),
            transitions: BTreeMap::new(),
        };
        let family = self.analysis.multiplicity.as_ref().unwrap_or(&empty);
        let arms = || self.compared().map(|arm| &arm.id);
        let share = |row: &BTreeMap<String, f64>, id: &String| row.get(id).copied().unwrap_or(0.0);
        let weights = arms().map(|id| share(&family.weights, id)).collect();
        let from = |id: &String| family.transitions.get(id).cloned().unwrap_or_default();
        let transitions = arms().flat_map(|id| {
            let row = from(id);
            arms().map(move |to| share(&row, to)).collect::<Vec<_>>()
        });
        Graph::new(weights, transitions.collect())
    }

    /// Position of the arm with this id.
    pub fn arm_index(&self, id: &str) -> Option<usize> {
        self.arms.iter().position(|arm| arm.id == id)
    }

    /// The factor with this id.
    pub fn factor(&self, id: &str) -> Option<&Factor> {
        self.factors.iter().find(|factor| factor.id == id)
    }

    /// The factors that the draw is stratified by, in the order of the protocol.
    pub fn stratifiers(&self) -> impl Iterator<Item = &Factor> {
        self.factors.iter().filter(|factor| factor.stratify)
    }

    /// The factor whose levels are the units that are drawn whole; none where citizens are drawn.
    pub fn unit_factor(&self) -> Option<&Factor> {
        let name = match self.unit {
            Unit::Citizen => return None,
            Unit::Caseworker | Unit::Site => self.unit.as_str(),
        };
        self.factor(name)
            .filter(|factor| factor.kind == FactorKind::Level)
    }

    /// Whether units are drawn whole, and not citizens one by one.
    pub fn draws_units(&self) -> bool {
        self.unit != Unit::Citizen
    }

    /// The endpoint with this id.
    pub fn endpoint(&self, id: &str) -> Option<&Endpoint> {
        self.endpoints.iter().find(|endpoint| endpoint.id == id)
    }

    /// Days after an enrolment from which on no endpoint changes any more: the longest horizon with
    /// the weeks that a job must last.
    pub fn follow_up_days(&self) -> u64 {
        let weeks = |end: &Endpoint| end.horizon_weeks.unwrap_or(0) + end.sustained_weeks;
        7 * u64::from(self.endpoints.iter().map(weeks).max().unwrap_or(0))
    }

    /// Whether the values of an endpoint tell the arm: attendance and minutes differ so much between
    /// channels, and events that are read off conversations blank or change values arm by arm.
    pub fn shows_arm(&self, endpoint: &Endpoint) -> bool {
        use IntercurrentEvent::{ChannelSwitch, EarlyJob, Exemption, Suspension};
        let by_conversations = [ChannelSwitch, Exemption, Suspension, EarlyJob]
            .into_iter()
            .any(|event| self.analysis.strategy(event) != Strategy::TreatmentPolicy);
        by_conversations || matches!(endpoint.from, Origin::Attendance | Origin::DurationMinutes)
    }

    /// The one primary estimator of the primary endpoint: the one that the plan names, else the
    /// first that the endpoint names, else the first default of its kind.
    pub fn primary_asked<'a>(&'a self, endpoint: &'a Endpoint) -> Result<Asked<'a>, String> {
        let named = self.analysis.estimator.as_ref();
        let listed = endpoint.estimators.iter().flatten().next();
        match named.or(listed) {
            Some(text) => catalogue::usable(text, endpoint.outcome()),
            // What is made only where the data have a column cannot be what the plan rests on.
            None => catalogue::defaults(endpoint.outcome(), self.draws_units())
                .find(|entry| !entry.needs_weights() && !entry.needs_received())
                .map(|entry| Asked {
                    entry,
                    option: None,
                })
                .ok_or_else(|| "is missing: this kind has no default".into()),
        }
    }

    /// Its entry in the catalogue.
    pub fn primary_estimator(
        &self,
        endpoint: &Endpoint,
    ) -> Result<&'static catalogue::Entry, String> {
        self.primary_asked(endpoint).map(|asked| asked.entry)
    }

    /// The factors by which stratified estimators are stratified: those the plan names, else every
    /// stratification factor whose levels are closed.
    pub fn analysis_strata(&self) -> Vec<&Factor> {
        match &self.analysis.strata {
            Some(named) => named.iter().filter_map(|id| self.factor(id)).collect(),
            None => self
                .stratifiers()
                .filter(|factor| !factor.open_levels)
                .collect(),
        }
    }
}
