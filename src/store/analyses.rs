//! Analyses that were asked for, and their results.

use super::schema::{analyses, analysis_results};
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// An analysis that was asked for.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = analyses, treat_none_as_default_value = false)]
pub struct AnalysisRow {
    pub id: String,
    pub trial_id: String,
    pub data_cut: i64,
    /// Number of the registration whose protocol it follows.
    pub registration: i32,
    pub look: Option<i32>,
    /// Made without the arms.
    pub pooled: bool,
    /// How often the trial had been looked at by arm, this time included.
    pub looks_so_far: i32,
    /// Version of the software that was asked.
    pub software: String,
    pub requested_at: NaiveDateTime,
    pub requested_by: String,
}

/// What came of an analysis: a result or the reason why there is none.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = analysis_results, treat_none_as_default_value = false)]
pub struct ResultRow {
    pub analysis_id: String,
    pub finished_at: NaiveDateTime,
    pub failure: Option<String>,
    pub result: Option<String>,
}

impl Tx<'_> {
    pub fn insert_analysis(&mut self, row: &AnalysisRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(analyses::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn insert_result(&mut self, row: &ResultRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(analysis_results::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_analysis(&mut self, id: &str) -> Result<Option<AnalysisRow>, StoreError> {
        Ok(each!(self, c => analyses::table.find(id).first(c).optional())?)
    }

    pub fn find_result(&mut self, id: &str) -> Result<Option<ResultRow>, StoreError> {
        Ok(each!(self, c => analysis_results::table.find(id).first(c).optional())?)
    }

    /// The analyses by arm that were this look, in the order in which they were asked for.
    pub fn list_looks(&mut self, trial: &str, look: i32) -> Result<Vec<AnalysisRow>, StoreError> {
        Ok(each!(self, c => analyses::table
            .filter(analyses::trial_id.eq(trial))
            .filter(analyses::pooled.eq(false))
            .filter(analyses::look.eq(look))
            .order(analyses::id)
            .load(c))?)
    }

    /// Analyses of a trial in the order in which they were asked for, after `after`.
    pub fn list_analyses(
        &mut self,
        trial: &str,
        pooled_only: bool,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<AnalysisRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = analyses::table
                .filter(analyses::trial_id.eq(trial))
                .order(analyses::id)
                .limit(limit)
                .into_boxed();
            if pooled_only {
                query = query.filter(analyses::pooled.eq(true));
            }
            if let Some(after) = after {
                query = query.filter(analyses::id.gt(after.to_owned()));
            }
            query.load(c)
        })?)
    }

    /// Analyses that were asked for and have no result, as after a crash.
    pub fn list_unfinished(&mut self) -> Result<Vec<AnalysisRow>, StoreError> {
        Ok(each!(self, c => analyses::table
            .left_join(analysis_results::table.on(analysis_results::analysis_id.eq(analyses::id)))
            .filter(analysis_results::analysis_id.is_null())
            .order(analyses::id)
            .select(analyses::all_columns)
            .load(c))?)
    }
}
