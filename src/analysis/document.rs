//! The answer of an analysis: one JSON document, the same from the service and the command line.

use super::flow::Flow;
use super::multiplicity::Multiplicity;
use super::rerandomization::SampleRatio;
use super::sequential::Sequential;
use super::subgroups::Subgroup;
use crate::protocol::{IntercurrentEvent, Protocol};
use crate::statistics::{Alternative, Statistic};
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::collections::BTreeMap;

/// The whole answer. It holds no time and no id, so that the same data give the same bytes.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    pub protocol: ProtocolRef,
    pub data: DataRef,
    pub software: Software,
    pub flow: Flow,
    pub balance: Vec<Balance>,
    /// F of the regression of the arms on all factors together, arm by arm against the reference.
    pub balance_test: Vec<BalanceTest>,
    /// The arms' numbers held against the trial's own re-draws.
    pub sample_ratio: Vec<SampleRatio>,
    pub estimates: Vec<Entry>,
    /// What the plan of looks makes of the primary estimate.
    pub sequential: Option<Sequential>,
    pub subgroups: Vec<Subgroup>,
    /// The primary p-values of several arms, adjusted for being several.
    pub multiplicity: Option<Multiplicity>,
    pub warnings: Vec<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct ProtocolRef {
    pub id: String,
    /// SHA-256 of the canonical protocol; from the service, the salted one that is public.
    pub digest: String,
}

#[derive(Debug, Clone, Serialize)]
pub struct DataRef {
    pub rows: usize,
    pub digest: String,
    /// Root of the ledger's tree over the data cut; none for a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
pub struct Software {
    pub name: &'static str,
    pub version: &'static str,
}

impl Software {
    /// This software.
    pub fn this() -> Self {
        Self {
            name: "lodkast",
            version: env!("CARGO_PKG_VERSION"),
        }
    }
}

/// One factor (or one level of it) in each arm, and its standardized difference from the reference.
#[derive(Debug, Clone, Serialize)]
pub struct Balance {
    pub factor: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    pub arms: BTreeMap<String, BalanceCell>,
    /// By arm, against the reference.
    pub standardized_difference: BTreeMap<String, Option<f64>>,
}

#[derive(Debug, Clone, Serialize)]
pub struct BalanceCell {
    /// Participants with a value.
    pub n: u64,
    /// Participants at this level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// Mean of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean: Option<f64>,
    /// Standard deviation of a number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standard_deviation: Option<f64>,
}

/// The omnibus test of balance of one arm against the reference.
#[derive(Debug, Clone, Serialize)]
pub struct BalanceTest {
    pub arm: String,
    pub f: f64,
    pub df: f64,
    pub denominator_df: f64,
    pub p_value: f64,
}

/// Two-sided confidence limits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Confidence {
    pub level: f64,
    pub lower: f64,
    pub upper: f64,
}

/// What the primary analysis sets out to show.
#[derive(Debug, Clone, Serialize)]
pub struct Aim {
    pub hypothesis: crate::protocol::Hypothesis,
    pub margin: Option<f64>,
}

/// A curve of survival or of cumulative incidence at one time.
#[derive(Debug, Clone, Serialize)]
pub struct CurvePoint {
    pub time: f64,
    pub at_risk: u64,
    pub events: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub survival: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incidence: Option<f64>,
    pub lower: Option<f64>,
    pub upper: Option<f64>,
}

/// One estimate, or the reason why it could not be made.
#[derive(Debug, Clone, Serialize)]
pub struct Entry {
    pub endpoint: String,
    /// How a switch of the channel is dealt with; the protocol has the other events.
    pub estimand: String,
    pub analysis_set: &'static str,
    pub estimator: String,
    pub measure: Option<&'static str>,
    pub arm: Option<String>,
    pub reference: Option<String>,
    pub stratified_by: Vec<String>,
    pub primary: bool,
    pub estimate: Option<f64>,
    pub standard_error: Option<f64>,
    pub confidence: Option<Confidence>,
    #[serde(serialize_with = "statistic")]
    pub statistic: Option<Statistic>,
    pub p_value: Option<f64>,
    /// Value of the parameter under the null hypothesis of `p_value`.
    pub null: Option<f64>,
    pub alternative: Option<Alternative>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aim: Option<Aim>,
    /// Participants with a value, by arm.
    pub n: BTreeMap<String, u64>,
    /// Participants with the event, by arm; null where the endpoint has no events.
    pub events: Option<BTreeMap<String, u64>>,
    /// Participants of the arms without a value.
    pub missing: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median: Option<Option<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub curve: Option<Vec<CurvePoint>>,
    /// Numbers that this estimator alone gives.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Map<String, serde_json::Value>>,
    pub warnings: Vec<String>,
}

impl Entry {
    /// An entry without any number.
    pub fn empty(
        protocol: &Protocol,
        endpoint: &str,
        estimator: &str,
        analysis_set: &'static str,
    ) -> Self {
        Self {
            endpoint: endpoint.to_owned(),
            estimand: protocol
                .analysis
                .strategy(IntercurrentEvent::ChannelSwitch)
                .to_string(),
            analysis_set,
            estimator: estimator.to_owned(),
            measure: None,
            arm: None,
            reference: None,
            stratified_by: Vec::new(),
            primary: false,
            estimate: None,
            standard_error: None,
            confidence: None,
            statistic: None,
            p_value: None,
            null: None,
            alternative: None,
            aim: None,
            n: BTreeMap::new(),
            events: None,
            missing: 0,
            median: None,
            curve: None,
            details: None,
            warnings: Vec::new(),
        }
    }
}

fn statistic<S: Serializer>(
    statistic: &Option<Statistic>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let Some(statistic) = statistic else {
        return serializer.serialize_none();
    };
    let mut map = serializer.serialize_map(None)?;
    map.serialize_entry("name", &statistic.name)?;
    map.serialize_entry("value", &statistic.value)?;
    map.serialize_entry("df", &statistic.df)?;
    if let Some(df) = statistic.denominator_df {
        map.serialize_entry("denominator_df", &df)?;
    }
    map.end()
}
