//! Levels of open factors by what they look like, and tombstones of erased citizens.

use super::schema::{open_levels, tombstones};
use super::{StoreError, Tx, each};
use diesel::prelude::*;

impl Tx<'_> {
    /// The levels of an open factor that look like this, as JSON; None where there is none.
    pub fn find_look_alikes(
        &mut self,
        trial: &str,
        factor: &str,
        skeleton: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(each!(self, c => open_levels::table
            .find((trial, factor, skeleton))
            .select(open_levels::levels)
            .first(c)
            .optional())?)
    }

    /// Inserts a level that looks like none before it. Where another transaction does so at the same
    /// moment, the primary key makes one of the two run again.
    pub fn insert_open_level(
        &mut self,
        trial: &str,
        factor: &str,
        skeleton: &str,
        levels: &str,
    ) -> Result<(), StoreError> {
        let row = (
            open_levels::trial_id.eq(trial),
            open_levels::factor.eq(factor),
            open_levels::skeleton.eq(skeleton),
            open_levels::levels.eq(levels),
        );
        each!(self, c => diesel::insert_into(open_levels::table).values(row).execute(c))?;
        Ok(())
    }

    /// Factor, skeleton and levels of a trial's open factors.
    pub fn list_open_levels(
        &mut self,
        trial: &str,
    ) -> Result<Vec<(String, String, String)>, StoreError> {
        Ok(each!(self, c => open_levels::table
            .filter(open_levels::trial_id.eq(trial))
            .order((open_levels::factor, open_levels::skeleton))
            .select((open_levels::factor, open_levels::skeleton, open_levels::levels))
            .load(c))?)
    }

    /// Which of these digests are tombstones.
    pub fn find_tombstones(
        &mut self,
        trial: &str,
        digests: &[String],
    ) -> Result<Vec<String>, StoreError> {
        let mut found = Vec::new();
        for chunk in digests.chunks(10_000) {
            let rows: Vec<String> = each!(self, c => tombstones::table
                .filter(tombstones::trial_id.eq(trial))
                .filter(tombstones::digest.eq_any(chunk))
                .select(tombstones::digest)
                .load(c))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Whether a trial has any tombstone.
    pub fn has_tombstones(&mut self, trial: &str) -> Result<bool, StoreError> {
        let first: Option<String> = each!(self, c => tombstones::table
            .filter(tombstones::trial_id.eq(trial))
            .select(tombstones::digest)
            .first(c)
            .optional())?;
        Ok(first.is_some())
    }

    pub fn insert_tombstone(&mut self, trial: &str, digest: &str) -> Result<(), StoreError> {
        if !self
            .find_tombstones(trial, &[digest.to_owned()])?
            .is_empty()
        {
            return Ok(());
        }
        let row = (
            tombstones::trial_id.eq(trial),
            tombstones::digest.eq(digest),
        );
        each!(self, c => diesel::insert_into(tombstones::table).values(row).execute(c))?;
        Ok(())
    }
}
