//! API keys, and requests for keys that wait for a second person.

use super::schema::{api_keys, key_requests};
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// An API key; its secret is kept as a hash only.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = api_keys, treat_none_as_default_value = false)]
pub struct KeyRow {
    pub id: String,
    pub name: String,
    pub role: String,
    pub trial_id: Option<String>,
    /// JSON list of sites; none means all.
    pub sites: Option<String>,
    pub secret_hash: String,
    pub created_at: NaiveDateTime,
    /// None for a key that was made on the command line.
    pub created_by: Option<String>,
    pub approved_by: Option<String>,
    pub revoked_at: Option<NaiveDateTime>,
    pub revoked_by: Option<String>,
}

/// A key that one administrator asked for and another has yet to approve.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = key_requests, treat_none_as_default_value = false)]
pub struct KeyRequestRow {
    pub id: String,
    pub name: String,
    pub role: String,
    pub trial_id: Option<String>,
    pub sites: Option<String>,
    pub requested_at: NaiveDateTime,
    pub requested_by: String,
    /// The key that came of it.
    pub key_id: Option<String>,
}

impl Tx<'_> {
    pub fn insert_key(&mut self, row: &KeyRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(api_keys::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_key(&mut self, id: &str) -> Result<Option<KeyRow>, StoreError> {
        Ok(each!(self, c => api_keys::table.find(id).first(c).optional())?)
    }

    /// Keys in the order of their ids, after `after`; only those of one trial where it is given.
    pub fn list_keys(
        &mut self,
        trial: Option<&str>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<KeyRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = api_keys::table.order(api_keys::id).limit(limit).into_boxed();
            if let Some(trial) = trial {
                query = query.filter(api_keys::trial_id.eq(trial.to_owned()));
            }
            if let Some(after) = after {
                query = query.filter(api_keys::id.gt(after.to_owned()));
            }
            query.load(c)
        })?)
    }

    /// Revokes a key that is not revoked yet.
    pub fn revoke_key(&mut self, id: &str, at: NaiveDateTime, by: &str) -> Result<(), StoreError> {
        let change = (api_keys::revoked_at.eq(at), api_keys::revoked_by.eq(by));
        each!(self, c => diesel::update(
                api_keys::table.find(id).filter(api_keys::revoked_at.is_null()))
            .set(change)
            .execute(c))?;
        Ok(())
    }

    pub fn insert_key_request(&mut self, row: &KeyRequestRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(key_requests::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_key_request(&mut self, id: &str) -> Result<Option<KeyRequestRow>, StoreError> {
        Ok(each!(self, c => key_requests::table.find(id).first(c).optional())?)
    }

    /// Notes which key came of a request; false where one had come of it already.
    pub fn fulfil_key_request(&mut self, id: &str, key: &str) -> Result<bool, StoreError> {
        let changed = each!(self, c => diesel::update(
                key_requests::table.find(id).filter(key_requests::key_id.is_null()))
            .set(key_requests::key_id.eq(key))
            .execute(c))?;
        Ok(changed == 1)
    }
}
