//! Facts: what is written to a trial's ledger.

use super::{Refusal, Service};
use crate::access::Caller;
use crate::ledger;
use crate::secrets::random_bytes;
use crate::store::{NewFact, Tx};
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
        /// An analysis is stored: the digest of its result.
        Result = "result",
        /// A blinded role was answered from a data cut.
        CutAnswered = "cut_answered",
        /// A key asked about a citizen who is not of its sites, or not of the trial.
        LookUp = "look_up",
        /// A key has read many arms beyond its own enrolments.
        ArmsRead = "arms_read",
        /// Two persons adopted later rules for a trial that was registered before them.
        RulesAdopted = "rules_adopted",
        /// The levels of an open factor are held to a list of codes.
        CodesHeld = "codes_held",
        /// Of the installation: a database of an earlier release was taken over, or a new one begun.
        Adopted = "adopted",
        /// Of the installation: a person was entered.
        PersonAdded = "person_added",
        /// Of the installation: a key was revoked.
        KeyRevoked = "key_revoked",
        /// Of the installation: a key was replaced by another of the same holder.
        KeyRotated = "key_rotated",
        /// Of the installation: an act of two persons was asked for, signed or withdrawn.
        Request = "request",
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

    /// The fact as it will be stored in a ledger, with its leaf; only its number is missing.
    pub fn seal(
        self,
        service: &Service,
        ledger: &str,
        caller: &Caller,
        at: DateTime<Utc>,
    ) -> NewFact {
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
        let random: [u8; 16] = random_bytes();
        let vouched = service.voucher.vouch(ledger, &id, &random, &record);
        let mut salt = [0; 32];
        salt[..16].copy_from_slice(&random);
        salt[16..].copy_from_slice(&vouched);
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

    /// Appends the fact to a ledger; returns its number. The head of the ledger stays locked until the
    /// transaction ends.
    pub fn append(
        self,
        tx: &mut Tx,
        service: &Service,
        ledger: &str,
        caller: &Caller,
    ) -> Result<i64, Refusal> {
        let sealed = self.seal(service, ledger, caller, service.clock.now());
        let number = number_facts(tx, ledger, 1)?;
        tx.insert_facts(ledger, number, vec![sealed])?;
        Ok(number)
    }
}

/// Takes numbers for so many facts of a ledger; returns the first. They must go on from the last fact:
/// where facts are missing at the end, or stand beyond it, nothing more is written.
pub(super) fn number_facts(tx: &mut Tx, ledger: &str, count: usize) -> Result<i64, Refusal> {
    let first = tx.take_sequence(ledger, count as i64)?;
    let greatest = tx.greatest_sequence(ledger)?;
    if greatest != first - 1 {
        return Err(Refusal::Tampered {
            ledger: ledger.to_owned(),
            sequence: Some(greatest.min(first - 1) + 1),
            why: format!("the last record has number {greatest}, the next one is {first}"),
        });
    }
    Ok(first)
}

/// The body of a stored record.
pub fn body_of(record: &str) -> Value {
    let mut record: Value = serde_json::from_str(record).unwrap_or_default();
    record["body"].take()
}
