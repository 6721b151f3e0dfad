//! Data cuts: numbers of a trial's record sequence that were frozen.

use super::schema::data_cuts;
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A data cut: all facts with a number up to `sequence`.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = data_cuts)]
pub struct CutRow {
    pub trial_id: String,
    pub sequence: i64,
    pub created_at: NaiveDateTime,
    pub created_by: String,
}

impl Tx<'_> {
    pub fn insert_cut(&mut self, row: &CutRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(data_cuts::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_cut(&mut self, trial: &str, number: i64) -> Result<Option<CutRow>, StoreError> {
        Ok(each!(self, c => data_cuts::table.find((trial, number)).first(c).optional())?)
    }

    /// The number of the newest cut.
    pub fn last_cut(&mut self, trial: &str) -> Result<Option<i64>, StoreError> {
        use diesel::dsl::max;
        Ok(each!(self, c => data_cuts::table
            .filter(data_cuts::trial_id.eq(trial))
            .select(max(data_cuts::sequence))
            .first(c))?)
    }

    /// Cuts in order, after `after`.
    pub fn list_cuts(
        &mut self,
        trial: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<CutRow>, StoreError> {
        Ok(each!(self, c => data_cuts::table
            .filter(data_cuts::trial_id.eq(trial))
            .filter(data_cuts::sequence.gt(after))
            .order(data_cuts::sequence)
            .limit(limit)
            .load(c))?)
    }
}
