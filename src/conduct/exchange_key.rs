//! Exchange the secret key: seal every seed, salt and protocol under the new one, in one transaction.
//!
//! Pseudonyms and digests rest on the first secret key, which from then on lies sealed in the
//! database: everybody is known as before. Ledgers are signed with a new key; the old ones still
//! verify what they signed.

use super::fact::{Draft, FactKind};
use super::{FIRST_SECRET, Refusal, SECRET_KEY, Service, Status, checkpoint};
use crate::access::{Caller, Role};
use crate::conduct::trial::purpose;
use crate::secrets::{RootKey, Secrets};
use crate::store::Tx;
use serde_json::json;

/// What was sealed anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resealed {
    pub registrations: usize,
    pub drafts: usize,
}

/// Seals everything under another key. A service that still runs with the old one can neither seal
/// nor sign any more.
pub fn run(service: &Service, new: RootKey) -> Result<Resealed, Refusal> {
    let secrets = service.secrets.exchanged(new);
    if secrets.secret_fingerprint() == service.secrets.secret_fingerprint() {
        return Err(Refusal::field("key", "is the present one"));
    }
    service.store.write(|tx| {
        // Whoever seals or signs holds this row shared: nothing is sealed meanwhile under the old key.
        tx.lock_installation(SECRET_KEY)?;
        service.check_present_key(tx)?;
        let resealed = reseal(tx, service, &secrets)?;
        tx.update_installation(SECRET_KEY, &secrets.secret_fingerprint())?;
        let first = hex::encode(secrets.sealed_first());
        match tx.find_installation(FIRST_SECRET)? {
            Some(_) => tx.update_installation(FIRST_SECRET, &first)?,
            None => tx.insert_installation(FIRST_SECRET, &first)?,
        }
        checkpoint::remember_key(tx, &secrets)?;
        note(tx, service, &secrets)?;
        Ok(resealed)
    })
}

fn reseal(tx: &mut Tx, service: &Service, secrets: &Secrets) -> Result<Resealed, Refusal> {
    let turn = |trial: &str, what: &str, sealed: &[u8]| -> Result<Vec<u8>, Refusal> {
        let purpose = purpose(trial, what);
        let plain = service.secrets.open(&purpose, sealed);
        let plain = plain.map_err(|fault| Refusal::Internal(format!("{what}: {fault}")))?;
        Ok(secrets.seal(&purpose, &plain))
    };
    let (mut registrations, mut drafts) = (0, 0);
    for trial in tx.list_trials(None, None, i64::MAX)? {
        let id = &trial.id;
        tx.lock_trial(id)?;
        for mut row in tx.list_registrations(id)? {
            row.sealed_protocol = turn(id, "protocol", &row.sealed_protocol)?;
            row.sealed_seed = turn(id, "seed", &row.sealed_seed)?;
            row.sealed_salt = turn(id, "salt", &row.sealed_salt)?;
            tx.reseal_registration(&row)?;
            registrations += 1;
        }
        for mut row in tx.list_drafts(id)? {
            row.sealed_protocol = turn(id, "protocol", &row.sealed_protocol)?;
            tx.reseal_draft(&row)?;
            drafts += 1;
        }
    }
    Ok(Resealed {
        registrations,
        drafts,
    })
}

/// Writes the exchange to the ledger of every registered trial, in the order of their ids.
fn note(tx: &mut Tx, service: &Service, secrets: &Secrets) -> Result<(), Refusal> {
    let hand = Caller::command_line(Role::Administrator);
    for trial in tx.list_trials(None, None, i64::MAX)? {
        if Status::parse(&trial.status) == Some(Status::Draft) {
            continue;
        }
        let body = json!({"secret_key": secrets.secret_fingerprint()});
        let fact = Draft::of_trial(FactKind::Resealed, body);
        fact.append(tx, service, &trial.id, &hand)?;
    }
    Ok(())
}
