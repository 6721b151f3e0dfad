//! Shapes of requests and answers, for the OpenAPI document. Requests are read field by field
//! elsewhere, so that every fault is told at once; these types only describe them.
#![expect(
    dead_code,
    reason = "described to readers of the OpenAPI document, never made"
)]

use serde_json::{Map, Value};
use utoipa::ToSchema;

/// A citizen's number. It becomes a keyed pseudonym at the door and is kept nowhere.
#[derive(ToSchema)]
pub struct Citizen {
    /// `cpr` (DDMMYY-NNNN) or `reference` (the caller's own).
    #[schema(example = "cpr")]
    scheme: String,
    #[schema(example = "010190-1234")]
    value: String,
}

#[derive(ToSchema)]
pub struct Consent {
    version: String,
    #[schema(value_type = String, format = Date)]
    given_on: String,
}

#[derive(ToSchema)]
pub struct EnrolmentRequest {
    citizen: Citizen,
    /// Level of the factor `site`.
    site: Option<String>,
    /// Every other factor of the protocol.
    factors: Map<String, Value>,
    /// An answer to every eligibility rule.
    eligibility: Map<String, Value>,
    consent: Option<Consent>,
    #[schema(value_type = Option<String>, format = Date)]
    enrolled_on: Option<String>,
    #[schema(value_type = Option<String>, format = Date)]
    unemployed_since: Option<String>,
    /// With method `external` only: the arm that was drawn elsewhere.
    arm: Option<String>,
    /// With method `external` only: where and how the arm was drawn.
    provenance: Option<String>,
}

#[derive(ToSchema)]
pub struct CitizenSearch {
    citizen: Citizen,
}

#[derive(ToSchema)]
pub struct ConversationRequest {
    /// Unique for its source (the key's name).
    source_id: String,
    /// Id of the participant, or `citizen`.
    participant: Option<String>,
    citizen: Option<Citizen>,
    number: Option<u32>,
    /// first, regular, joint, follow_up
    kind: Option<String>,
    #[schema(value_type = String, format = DateTime)]
    scheduled_at: String,
    /// in_person, telephone, video
    assigned_channel: Option<String>,
    offered_channel: Option<String>,
    chosen_channel: Option<String>,
    held_channel: Option<String>,
    /// held, no_show, cancelled_by_citizen, cancelled_by_office, rebooked, exempt
    status: String,
    initiated_by: Option<String>,
    preparation_minutes: Option<f64>,
    duration_minutes: Option<f64>,
    follow_up_minutes: Option<f64>,
    /// advice, monitoring, both
    content: Option<String>,
    caseworker: Option<String>,
    /// source_id of the record that this one corrects.
    replaces: Option<String>,
    reason: Option<String>,
}

#[derive(ToSchema)]
pub struct OutcomeRequest {
    source_id: String,
    participant: Option<String>,
    citizen: Option<Citizen>,
    /// employment_started, employment_ended, benefit_week, left_register, died, emigrated,
    /// endpoint_value
    kind: String,
    #[schema(value_type = String, format = Date)]
    effective_on: String,
    #[schema(value_type = Option<String>, format = Date)]
    until: Option<String>,
    code: Option<String>,
    /// Hours a week.
    hours: Option<f64>,
    /// Day to which the source's extract is complete.
    #[schema(value_type = String, format = Date)]
    extracted_on: String,
    endpoint: Option<String>,
    value: Option<f64>,
    event: Option<u32>,
    replaces: Option<String>,
    reason: Option<String>,
}

#[derive(ToSchema)]
pub struct StatusRequest {
    /// enrolling, paused, closed, locked, unblinded, archived
    to: String,
    reason: String,
}

#[derive(ToSchema)]
pub struct AnalysisRequest {
    data_cut: i64,
    /// Number of the planned look, from 1.
    look: Option<u32>,
}

#[derive(ToSchema)]
pub struct KeyRequest {
    /// administrator, enroller, source, statistician, monitor, auditor
    role: String,
    /// The holder; for a source, the name under which its records are kept.
    name: String,
    trial: Option<String>,
    sites: Option<Vec<String>>,
}

/// The value of the public randomness.
#[derive(ToSchema)]
pub struct PublicValueRequest {
    /// As its source published it; up to 1,000 characters.
    value: String,
}

/// Units that join.
#[derive(ToSchema)]
pub struct UnitsRequest {
    units: Vec<UnitRequest>,
}

/// One unit.
#[derive(ToSchema)]
pub struct UnitRequest {
    /// A level of the factor that names the units.
    id: String,
    /// The unit's level of each stratification factor.
    factors: std::collections::BTreeMap<String, String>,
}

/// Citizens of a unit who are known before its arm is told.
#[derive(ToSchema)]
pub struct UnitListRequest {
    unit: String,
    citizens: Vec<Citizen>,
}
