//! Facts: what is written to a trial's ledger.

use super::Service;
use crate::access::Caller;
use crate::ledger;
use crate::secrets::random_bytes;
use crate::store::NewFact;
use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use serde_json::{Value, json};

crate::vocabulary! {
    /// What a fact is about.
    pub enum FactKind {
        Registration = "registration",
        Status = "status",
        Screening = "screening",
        Draw = "draw",
        Enrolment = "enrolment",
        Conversation = "conversation",
        Outcome = "outcome",
        /// Which sites a source reports for.
        Coverage = "coverage",
        Look = "look",
        KeyIssued = "key_issued",
        /// The value of the public randomness that the protocol names.
        PublicRandomness = "public_randomness",
        /// Units that joined after the registration.
        UnitsJoined = "units_joined",
        /// The list of a unit's citizens was frozen before its arm was told.
        UnitList = "unit_list",
        /// A citizen was sent again with another site or other levels.
        ChangedRepeat = "changed_repeat",
        /// One person asked for the unblinding; another has to.
        UnblindingRequested = "unblinding_requested",
        /// What a law demanded to be forgotten was forgotten.
        Erasure = "erasure",
        /// Seeds and protocols were sealed under another key.
        Resealed = "resealed",
    }
}

/// A fact on its way to the ledger.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    pub kind: FactKind,
    pub participant: Option<&'a str>,
    pub site: Option<&'a str>,
    pub effective_on: Option<NaiveDate>,
    pub source: Option<&'a str>,
    pub source_id: Option<&'a str>,
    /// The source's id of the record that this one replaces.
    pub replaces: Option<&'a str>,
    pub body: Value,
}

impl Draft<'_> {
    /// A fact about the trial as a whole.
    pub fn of_trial(kind: FactKind, body: Value) -> Self {
        Self {
            kind,
            participant: None,
            site: None,
            effective_on: None,
            source: None,
            source_id: None,
            replaces: None,
            body,
        }
    }

    /// The fact as it will be stored, with its leaf; only its number is missing.
    pub fn seal(self, service: &Service, caller: &Caller, at: DateTime<Utc>) -> NewFact {
        let id = super::new_id(&service.clock);
        let record = ledger::record(&json!({
            "id": id,
            "kind": self.kind,
            "participant": self.participant,
            "site": self.site,
            "effective_on": self.effective_on,
            "recorded_at": at.to_rfc3339_opts(SecondsFormat::Micros, true),
            "recorded_by": caller.key_id,
            "source": self.source,
            "source_id": self.source_id,
            "replaces": self.replaces,
            "body": self.body,
        }));
        let salt = random_bytes();
        let leaf = ledger::leaf(&salt, &record);
        NewFact {
            id,
            kind: self.kind.to_string(),
            participant_id: self.participant.map(str::to_owned),
            site: self.site.map(str::to_owned),
            effective_on: self.effective_on,
            recorded_at: at.naive_utc(),
            recorded_by: caller.key_id.clone(),
            source: self.source.map(str::to_owned),
            source_id: self.source_id.map(str::to_owned),
            replaces: None,
            record,
            salt: salt.to_vec(),
            leaf: leaf.0.to_vec(),
        }
    }
}

/// The body of a stored record.
pub fn body_of(record: &str) -> Value {
    let mut record: Value = serde_json::from_str(record).unwrap_or_default();
    record["body"].take()
}
