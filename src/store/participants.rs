//! Who takes part: the link from pseudonym to person, and the arm of each participant.

use super::schema::{citizens, participants};
use super::{StoreError, Tx, each};
use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;

/// Values of one `IN` list, below the limits of both databases.
const IDS: usize = 10_000;

/// The link from a citizen's pseudonym to the random id under which facts are kept.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = citizens, treat_none_as_default_value = false)]
pub struct CitizenRow {
    pub trial_id: String,
    pub pseudonym: String,
    pub person_id: String,
}

/// A drawn participant.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = participants, treat_none_as_default_value = false)]
pub struct ParticipantRow {
    pub trial_id: String,
    pub id: String,
    pub site: Option<String>,
    pub stratum: String,
    /// None where the arm was drawn elsewhere.
    pub draw_index: Option<i64>,
    pub arm: String,
    pub enrolled_on: NaiveDate,
    pub enrolled_at: NaiveDateTime,
}

impl Tx<'_> {
    pub fn insert_citizens(&mut self, rows: &[CitizenRow]) -> Result<(), StoreError> {
        for chunk in rows.chunks(1_000) {
            each!(self, c => diesel::insert_into(citizens::table).values(chunk).execute(c))?;
        }
        Ok(())
    }

    pub fn insert_participants(&mut self, rows: &[ParticipantRow]) -> Result<(), StoreError> {
        for chunk in rows.chunks(1_000) {
            each!(self, c => diesel::insert_into(participants::table).values(chunk).execute(c))?;
        }
        Ok(())
    }

    /// The links of these pseudonyms that exist.
    pub fn find_citizens(
        &mut self,
        trial: &str,
        pseudonyms: &[String],
    ) -> Result<Vec<CitizenRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in pseudonyms.chunks(IDS) {
            let rows: Vec<CitizenRow> = each!(self, c => citizens::table
                .filter(citizens::trial_id.eq(trial))
                .filter(citizens::pseudonym.eq_any(chunk))
                .load(c))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// The participants with these ids that exist.
    pub fn find_participants(
        &mut self,
        trial: &str,
        ids: &[String],
    ) -> Result<Vec<ParticipantRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in ids.chunks(IDS) {
            let rows: Vec<ParticipantRow> = each!(self, c => participants::table
                .filter(participants::trial_id.eq(trial))
                .filter(participants::id.eq_any(chunk))
                .load(c))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Participants in the order of their ids, after `after`.
    pub fn page_participants(
        &mut self,
        trial: &str,
        sites: Option<&[String]>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<ParticipantRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = participants::table
                .filter(participants::trial_id.eq(trial))
                .order(participants::id)
                .limit(limit)
                .into_boxed();
            if let Some(sites) = sites {
                query = query.filter(participants::site.eq_any(sites));
            }
            if let Some(after) = after {
                query = query.filter(participants::id.gt(after));
            }
            query.load(c)
        })?)
    }

    /// The ids of all participants.
    pub fn list_participant_ids(
        &mut self,
        trial: &str,
    ) -> Result<std::collections::HashSet<String>, StoreError> {
        let ids: Vec<String> = each!(self, c => participants::table
            .filter(participants::trial_id.eq(trial))
            .select(participants::id)
            .load(c))?;
        Ok(ids.into_iter().collect())
    }

    /// The last day on which somebody enrolled.
    pub fn last_enrolled_on(&mut self, trial: &str) -> Result<Option<NaiveDate>, StoreError> {
        use diesel::dsl::max;
        Ok(each!(self, c => participants::table
            .filter(participants::trial_id.eq(trial))
            .select(max(participants::enrolled_on))
            .first(c))?)
    }

    /// How many participants each arm has.
    pub fn count_arms(&mut self, trial: &str) -> Result<Vec<(String, i64)>, StoreError> {
        use diesel::dsl::count_star;
        Ok(each!(self, c => participants::table
            .filter(participants::trial_id.eq(trial))
            .group_by(participants::arm)
            .select((participants::arm, count_star()))
            .load(c))?)
    }
}
