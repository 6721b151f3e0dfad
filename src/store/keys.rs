//! API keys.

use super::schema::api_keys;
use super::{StoreError, Tx, each};
use chrono::{NaiveDate, NaiveDateTime};
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
    /// The person to whom it belongs; none only until the service has adopted a key of release 0.1.
    pub person_id: Option<String>,
    pub expires_at: Option<NaiveDateTime>,
    /// Written at most once a day.
    pub last_used_on: Option<NaiveDate>,
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

    /// Sets when a key expires.
    pub fn set_key_expiry(&mut self, id: &str, at: NaiveDateTime) -> Result<(), StoreError> {
        each!(self, c => diesel::update(api_keys::table.find(id))
            .set(api_keys::expires_at.eq(at))
            .execute(c))?;
        Ok(())
    }

    /// Notes the last day on which a key was used.
    pub fn set_key_used(&mut self, id: &str, on: NaiveDate) -> Result<(), StoreError> {
        each!(self, c => diesel::update(api_keys::table.find(id))
            .set(api_keys::last_used_on.eq(on))
            .execute(c))?;
        Ok(())
    }

    /// Gives a key of release 0.1 to a person, with the day on which it expires.
    pub fn adopt_key(
        &mut self,
        id: &str,
        person: &str,
        expires_at: NaiveDateTime,
    ) -> Result<(), StoreError> {
        let change = (
            api_keys::person_id.eq(person),
            api_keys::expires_at.eq(expires_at),
        );
        each!(self, c => diesel::update(api_keys::table.find(id)).set(change).execute(c))?;
        Ok(())
    }
}
