//! Answers that were given under an Idempotency-Key.

use super::schema::idempotent_answers;
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// An answer that the same request gets again.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = idempotent_answers, treat_none_as_default_value = false)]
pub struct AnswerRow {
    /// Id of the API key that asked.
    pub actor: String,
    /// Keyed digest of the Idempotency-Key.
    pub key_digest: String,
    /// Keyed digest of the request.
    pub fingerprint: String,
    pub answer: String,
    pub answered_at: NaiveDateTime,
    /// The participant whom the answer names, where it does.
    pub participant_id: Option<String>,
}

impl Tx<'_> {
    pub fn find_answer(
        &mut self,
        actor: &str,
        key_digest: &str,
    ) -> Result<Option<AnswerRow>, StoreError> {
        Ok(each!(self, c => idempotent_answers::table
            .find((actor, key_digest))
            .first(c)
            .optional())?)
    }

    pub fn insert_answer(&mut self, row: &AnswerRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(idempotent_answers::table).values(row).execute(c))?;
        Ok(())
    }
}
