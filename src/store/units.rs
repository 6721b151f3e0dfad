//! Lists of the citizens of a unit, frozen before its arm was told.

use super::schema::{strata, unit_lists};
use super::{StoreError, Tx, each};
use diesel::prelude::*;
use std::collections::HashSet;

impl Tx<'_> {
    /// How many draws a stream has given; 0 where it has given none.
    pub fn find_next_index(&mut self, trial: &str, label: &str) -> Result<i64, StoreError> {
        let next: Option<i64> = each!(self, c => strata::table
            .find((trial, label))
            .select(strata::next_index)
            .first(c)
            .optional())?;
        Ok(next.unwrap_or(0))
    }

    /// Inserts the list of a unit that has none.
    pub fn insert_unit_list(
        &mut self,
        trial: &str,
        registration: i32,
        unit: &str,
        pseudonyms: &[String],
    ) -> Result<(), StoreError> {
        for chunk in pseudonyms.chunks(1_000) {
            let rows: Vec<_> = chunk
                .iter()
                .map(|pseudonym| {
                    (
                        unit_lists::trial_id.eq(trial),
                        unit_lists::registration.eq(registration),
                        unit_lists::unit.eq(unit),
                        unit_lists::pseudonym.eq(pseudonym),
                    )
                })
                .collect();
            each!(self, c => diesel::insert_into(unit_lists::table).values(&rows).execute(c))?;
        }
        Ok(())
    }

    /// The list of a unit; None where none was frozen.
    pub fn find_unit_list(
        &mut self,
        trial: &str,
        registration: i32,
        unit: &str,
    ) -> Result<Option<HashSet<String>>, StoreError> {
        let list: Vec<String> = each!(self, c => unit_lists::table
            .filter(unit_lists::trial_id.eq(trial))
            .filter(unit_lists::registration.eq(registration))
            .filter(unit_lists::unit.eq(unit))
            .select(unit_lists::pseudonym)
            .load(c))?;
        Ok((!list.is_empty()).then(|| list.into_iter().collect()))
    }
}
