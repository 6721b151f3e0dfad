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
    /// The person to whom it shall belong; without it the one who asks.
    person: Option<String>,
    /// Id of the key that its holder made with `lodkast key request`.
    key_id: Option<String>,
    /// SHA-256 of its secret, in hexadecimal digits.
    secret_sha256: Option<String>,
    /// At most five years ahead; without it, in a year.
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
}

/// What a holder asks of a rotation.
#[derive(ToSchema)]
pub struct RotationRequest {
    key_id: Option<String>,
    secret_sha256: Option<String>,
    #[schema(value_type = Option<String>, format = DateTime)]
    expires_at: Option<String>,
    /// Days for which the old key works on, at most 30; without it, 7.
    overlap_days: Option<u32>,
}

/// A key that was made.
#[derive(ToSchema)]
pub struct KeyMade {
    key_id: String,
    /// Its text, the only time it is shown; absent where its holder made the secret.
    key: Option<String>,
}

/// A key that waits for the signature of another person.
#[derive(ToSchema)]
pub struct KeyAwaited {
    request: String,
    /// awaiting_second_person
    status: String,
    awaits_second_person: bool,
    key_id: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: String,
    /// Where another person signs.
    approval: String,
}

/// An act that has no resource of its own.
#[derive(ToSchema)]
pub struct ActRequest {
    /// adopt_rules
    act: String,
    trial: String,
}

/// A request for an act of two persons.
#[derive(ToSchema)]
pub struct RequestAnswer {
    request: String,
    /// issue_key, unblind, adopt_rules
    act: String,
    trial: Option<String>,
    /// What is asked for.
    object: Map<String, Value>,
    /// open, signed, withdrawn, expired
    status: String,
    #[schema(value_type = String, format = DateTime)]
    asked_at: String,
    /// Key of the one who asked.
    asked_by: String,
    /// The person who asked.
    person: String,
    #[schema(value_type = String, format = DateTime)]
    expires_at: String,
    #[schema(value_type = Option<String>, format = DateTime)]
    decided_at: Option<String>,
    decided_by: Option<String>,
}

#[derive(ToSchema)]
pub struct PersonRequest {
    name: String,
}

#[derive(ToSchema)]
pub struct PersonAnswer {
    person: String,
    name: String,
    #[schema(value_type = String, format = DateTime)]
    created_at: String,
}

/// Codes to which an open factor is held.
#[derive(ToSchema)]
pub struct CodesRequest {
    codes: Vec<String>,
}

/// A signed head of a ledger.
#[derive(ToSchema)]
pub struct CheckpointAnswer {
    origin: String,
    size: i64,
    root: String,
    #[schema(value_type = String, format = DateTime)]
    signed_at: String,
    checkpoint: String,
    keys: Vec<String>,
}

/// An entry of a ledger.
#[derive(ToSchema)]
pub struct EntryAnswer {
    sequence: i64,
    leaf: String,
    kind: Option<String>,
    salt: Option<String>,
    record: Option<String>,
}

/// A proof, in the order of RFC 9162.
#[derive(ToSchema)]
pub struct ProofAnswer {
    sequence: Option<i64>,
    leaf: Option<String>,
    from: Option<i64>,
    size: i64,
    hashes: Vec<String>,
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
