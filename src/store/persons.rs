//! Persons, and the acts that one of them asked for and another has to sign.

use super::schema::{persons, requests};
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// A person, to whom keys belong.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = persons, treat_none_as_default_value = false)]
pub struct PersonRow {
    pub id: String,
    pub name: String,
    pub created_at: NaiveDateTime,
    /// Key of the one who entered the person; none on the command line.
    pub created_by: Option<String>,
}

/// An act that takes two persons.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Insertable)]
#[diesel(table_name = requests, treat_none_as_default_value = false)]
pub struct RequestRow {
    pub id: String,
    pub act: String,
    pub trial_id: Option<String>,
    /// Canonical JSON of what is asked for.
    pub object: String,
    /// Digest of what it rests on, as that stood when it was asked for.
    pub state: String,
    pub status: String,
    pub asked_at: NaiveDateTime,
    pub asked_by: String,
    pub asked_person: String,
    pub expires_at: NaiveDateTime,
    pub decided_at: Option<NaiveDateTime>,
    pub decided_by: Option<String>,
}

impl Tx<'_> {
    pub fn insert_person(&mut self, row: &PersonRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(persons::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_person(&mut self, id: &str) -> Result<Option<PersonRow>, StoreError> {
        Ok(each!(self, c => persons::table.find(id).first(c).optional())?)
    }

    /// Persons in the order of their ids, after `after`.
    pub fn list_persons(
        &mut self,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<PersonRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = persons::table.order(persons::id).limit(limit).into_boxed();
            if let Some(after) = after {
                query = query.filter(persons::id.gt(after.to_owned()));
            }
            query.load(c)
        })?)
    }

    pub fn insert_request(&mut self, row: &RequestRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(requests::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_request(&mut self, id: &str) -> Result<Option<RequestRow>, StoreError> {
        Ok(each!(self, c => requests::table.find(id).first(c).optional())?)
    }

    /// Requests in the order in which they were made, after `after`; only those of one trial where it
    /// is given.
    pub fn list_requests(
        &mut self,
        trial: Option<&str>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<RequestRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = requests::table.order(requests::id).limit(limit).into_boxed();
            if let Some(trial) = trial {
                query = query.filter(requests::trial_id.eq(trial.to_owned()));
            }
            if let Some(after) = after {
                query = query.filter(requests::id.gt(after.to_owned()));
            }
            query.load(c)
        })?)
    }

    /// The open requests of one act in one trial.
    pub fn list_open_requests(
        &mut self,
        act: &str,
        trial: &str,
    ) -> Result<Vec<RequestRow>, StoreError> {
        Ok(each!(self, c => requests::table
            .filter(requests::act.eq(act))
            .filter(requests::trial_id.eq(trial))
            .filter(requests::status.eq("open"))
            .order(requests::id)
            .load(c))?)
    }

    /// Ends an open request; false where it has ended already.
    pub fn end_request(
        &mut self,
        id: &str,
        status: &str,
        at: NaiveDateTime,
        by: &str,
    ) -> Result<bool, StoreError> {
        let change = (
            requests::status.eq(status),
            requests::decided_at.eq(at),
            requests::decided_by.eq(by),
        );
        let changed = each!(self, c => diesel::update(
                requests::table.find(id).filter(requests::status.eq("open")))
            .set(change)
            .execute(c))?;
        Ok(changed == 1)
    }
}
