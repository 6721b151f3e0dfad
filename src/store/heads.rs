//! Counters that are taken under a lock: the next index of a stratum, the next number of a ledger.

use super::schema::{ledger_heads, strata};
use super::{StoreError, Tx, each};
use diesel::prelude::*;

impl Tx<'_> {
    /// Takes `count` indexes of a stratum and returns the first of them. The stratum stays locked
    /// until the transaction ends; strata must be taken in the order of their labels.
    pub fn take_indexes(
        &mut self,
        trial: &str,
        label: &str,
        count: i64,
    ) -> Result<i64, StoreError> {
        let next: Option<i64> = each!(self, c => diesel::update(strata::table.find((trial, label)))
            .set(strata::next_index.eq(strata::next_index + count))
            .returning(strata::next_index)
            .get_result(c)
            .optional())?;
        if let Some(next) = next {
            return Ok(next - count);
        }
        // The stratum's first draw. Where another transaction inserts it at the same moment, the
        // primary key makes one of the two run again.
        let row = (
            strata::trial_id.eq(trial),
            strata::label.eq(label),
            strata::next_index.eq(count),
        );
        each!(self, c => diesel::insert_into(strata::table).values(row).execute(c))?;
        Ok(0)
    }

    /// The streams of a trial with their next indexes.
    pub fn list_strata(&mut self, trial: &str) -> Result<Vec<(String, i64)>, StoreError> {
        Ok(each!(self, c => strata::table
            .filter(strata::trial_id.eq(trial))
            .order(strata::label)
            .select((strata::label, strata::next_index))
            .load(c))?)
    }

    /// Takes `count` numbers of the trial's record sequence and returns the first of them. Numbers
    /// are in commit order, because the head stays locked until the transaction ends: take it last.
    pub fn take_sequence(&mut self, trial: &str, count: i64) -> Result<i64, StoreError> {
        let next: i64 = each!(self, c => diesel::update(ledger_heads::table.find(trial))
            .set(ledger_heads::next_sequence.eq(ledger_heads::next_sequence + count))
            .returning(ledger_heads::next_sequence)
            .get_result(c))?;
        Ok(next - count)
    }

    /// The number of the last fact of a trial; 0 where there is none.
    pub fn last_sequence(&mut self, trial: &str) -> Result<i64, StoreError> {
        let next: i64 = each!(self, c => ledger_heads::table
            .find(trial)
            .select(ledger_heads::next_sequence)
            .first(c))?;
        Ok(next - 1)
    }
}
