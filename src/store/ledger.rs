//! What is built over the leaves after their commit: nodes of the tree, and signed checkpoints.

use super::schema::{checkpoints, facts, ledger_nodes};
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A node over a complete subtree: of 2^level leaves, the first of which is `position * 2^level`.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = ledger_nodes, treat_none_as_default_value = false)]
pub struct NodeRow {
    pub trial_id: String,
    pub level: i32,
    pub position: i64,
    pub hash: Vec<u8>,
}

/// A signed head of a trial's tree.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = checkpoints, treat_none_as_default_value = false)]
pub struct CheckpointRow {
    pub trial_id: String,
    pub size: i64,
    pub root: Vec<u8>,
    pub note: String,
    pub signed_at: NaiveDateTime,
}

/// A fact as an auditor sees it.
#[derive(Debug, Clone, Queryable)]
pub struct LedgerEntry {
    pub sequence: i64,
    pub kind: String,
    pub leaf: Vec<u8>,
    pub salt: Vec<u8>,
    pub record: String,
    pub participant_id: Option<String>,
}

impl Tx<'_> {
    /// Leaves of the numbers after `after`, in order.
    pub fn page_leaves(
        &mut self,
        trial: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::sequence.gt(after))
            .order(facts::sequence)
            .limit(limit)
            .select(facts::leaf)
            .load(c))?)
    }

    /// Entries of the numbers after `after`, in order.
    pub fn page_entries(
        &mut self,
        trial: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<LedgerEntry>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::sequence.gt(after))
            .order(facts::sequence)
            .limit(limit)
            .select((
                facts::sequence, facts::kind, facts::leaf, facts::salt, facts::record,
                facts::participant_id,
            ))
            .load(c))?)
    }

    pub fn insert_nodes(&mut self, rows: &[NodeRow]) -> Result<(), StoreError> {
        for chunk in rows.chunks(1_000) {
            each!(self, c => diesel::insert_into(ledger_nodes::table).values(chunk).execute(c))?;
        }
        Ok(())
    }

    /// Hashes of the nodes of a level from `first` on, in order.
    pub fn list_nodes(
        &mut self,
        trial: &str,
        level: i32,
        first: i64,
        limit: i64,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(each!(self, c => ledger_nodes::table
            .filter(ledger_nodes::trial_id.eq(trial))
            .filter(ledger_nodes::level.eq(level))
            .filter(ledger_nodes::position.ge(first))
            .order(ledger_nodes::position)
            .limit(limit)
            .select(ledger_nodes::hash)
            .load(c))?)
    }

    /// How many nodes a level has.
    pub fn count_nodes(&mut self, trial: &str, level: i32) -> Result<i64, StoreError> {
        use diesel::dsl::max;
        let last: Option<i64> = each!(self, c => ledger_nodes::table
            .filter(ledger_nodes::trial_id.eq(trial))
            .filter(ledger_nodes::level.eq(level))
            .select(max(ledger_nodes::position))
            .first(c))?;
        Ok(last.map_or(0, |last| last + 1))
    }

    pub fn insert_checkpoint(&mut self, row: &CheckpointRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(checkpoints::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_checkpoint(
        &mut self,
        trial: &str,
        size: i64,
    ) -> Result<Option<CheckpointRow>, StoreError> {
        Ok(each!(self, c => checkpoints::table.find((trial, size)).first(c).optional())?)
    }

    /// The checkpoint of the greatest size.
    pub fn last_checkpoint(&mut self, trial: &str) -> Result<Option<CheckpointRow>, StoreError> {
        Ok(each!(self, c => checkpoints::table
            .filter(checkpoints::trial_id.eq(trial))
            .order(checkpoints::size.desc())
            .first(c)
            .optional())?)
    }

    /// All checkpoints of a trial, from the smallest on.
    pub fn list_checkpoints(&mut self, trial: &str) -> Result<Vec<CheckpointRow>, StoreError> {
        Ok(each!(self, c => checkpoints::table
            .filter(checkpoints::trial_id.eq(trial))
            .order(checkpoints::size)
            .load(c))?)
    }
}
