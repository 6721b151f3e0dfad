//! The same request sent again gets the same answer, by its Idempotency-Key.

use super::{Refusal, Service};
use crate::access::Caller;
use crate::store::{AnswerRow, Tx};
use serde::{Serialize, de::DeserializeOwned};

/// An Idempotency-Key and the request that it stands for, both as keyed digests: neither the key
/// nor the request, which may hold a citizen's number, is kept.
#[derive(Debug, Clone)]
pub struct Idempotency {
    key_digest: String,
    fingerprint: String,
}

impl Idempotency {
    /// `request` is the method and path, `body` the bytes as they came.
    pub fn new(service: &Service, key: &str, request: &str, body: &[u8]) -> Self {
        let secrets = &service.secrets;
        Self {
            key_digest: secrets.fingerprint(&[b"idempotency key", key.as_bytes()]),
            fingerprint: secrets.fingerprint(&[request.as_bytes(), body]),
        }
    }

    /// The answer that was given before; a refusal where the key stood for another request.
    pub(super) fn find<T: DeserializeOwned>(
        &self,
        tx: &mut Tx,
        caller: &Caller,
    ) -> Result<Option<T>, Refusal> {
        match tx.find_answer(&caller.key_id, &self.key_digest)? {
            None => Ok(None),
            Some(row) if row.fingerprint != self.fingerprint => Err(Refusal::IdempotencyMismatch),
            Some(row) => serde_json::from_str(&row.answer)
                .map(Some)
                .map_err(|_| Refusal::Internal("a kept answer cannot be read".into())),
        }
    }

    /// Keeps the answer, in the transaction that does what was asked.
    pub(super) fn keep<T: Serialize>(
        &self,
        tx: &mut Tx,
        service: &Service,
        caller: &Caller,
        participant: Option<&str>,
        answer: &T,
    ) -> Result<(), Refusal> {
        let answer = serde_json::to_string(answer)
            .map_err(|_| Refusal::Internal("an answer cannot be written".into()))?;
        tx.insert_answer(&AnswerRow {
            actor: caller.key_id.clone(),
            key_digest: self.key_digest.clone(),
            fingerprint: self.fingerprint.clone(),
            answer,
            answered_at: service.clock.now().naive_utc(),
            participant_id: participant.map(str::to_owned),
        })?;
        Ok(())
    }

    /// Whether both are the same request under the same key, or another under the same key.
    pub(super) fn compare(&self, other: &Self) -> Comparison {
        if self.key_digest != other.key_digest {
            Comparison::OtherKey
        } else if self.fingerprint == other.fingerprint {
            Comparison::Same
        } else {
            Comparison::OtherRequest
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    OtherKey,
    Same,
    OtherRequest,
}

/// Does `work` in one write transaction, or gives the answer that the same request got before.
pub fn once<T: Serialize + DeserializeOwned>(
    service: &Service,
    caller: &Caller,
    idempotency: Option<&Idempotency>,
    mut work: impl FnMut(&mut Tx) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    service.store.write(|tx| {
        if let Some(idempotency) = idempotency
            && let Some(answer) = idempotency.find(tx, caller)?
        {
            return Ok(answer);
        }
        let answer = work(tx)?;
        if let Some(idempotency) = idempotency {
            idempotency.keep(tx, service, caller, None, &answer)?;
        }
        Ok(answer)
    })
}
