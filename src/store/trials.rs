//! Trials, the drafts of their protocols, and registrations.

use super::schema::{
    drafts, ledger_heads, minimizations, public_randomness, registrations, trials,
};
use super::{StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;

/// The head of a trial: the one row of it that changes.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = trials)]
pub struct TrialRow {
    pub id: String,
    pub status: String,
    /// Number of the registration in force; 0 while it is a draft.
    pub registration: i32,
    pub created_at: NaiveDateTime,
    pub created_by: String,
}

/// The row of `trials` that is no trial: it carries the installation's own ledger. No identifier begins
/// so.
pub const INSTALLATION: &str = "@installation";

/// One saved draft of a protocol.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = drafts)]
pub struct DraftRow {
    pub trial_id: String,
    pub revision: i32,
    pub sealed_protocol: Vec<u8>,
    pub saved_at: NaiveDateTime,
    pub saved_by: String,
}

/// One registration of a trial: the frozen protocol and the seed, both sealed.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = registrations)]
pub struct RegistrationRow {
    pub trial_id: String,
    pub number: i32,
    /// Version of the protocol, counted from 1.
    pub version: i32,
    pub sealed_protocol: Vec<u8>,
    pub sealed_seed: Vec<u8>,
    pub sealed_salt: Vec<u8>,
    pub draw_version: String,
    pub commitment: String,
    /// SHA-256 of salt and canonical protocol, in hexadecimal digits.
    pub protocol_commitment: String,
    pub registered_at: NaiveDateTime,
    pub registered_by: String,
}

/// The public value that went into the seed of a registration.
#[derive(Debug, Clone, Queryable, Insertable)]
#[diesel(table_name = public_randomness)]
pub struct PublicValueRow {
    pub trial_id: String,
    pub registration: i32,
    pub value: String,
    pub given_at: NaiveDateTime,
    pub given_by: String,
}

impl Tx<'_> {
    /// Inserts a trial with its first draft and an empty ledger.
    pub fn insert_trial(&mut self, row: &TrialRow, draft: &DraftRow) -> Result<(), StoreError> {
        let head = (
            ledger_heads::trial_id.eq(&row.id),
            ledger_heads::next_sequence.eq(1_i64),
        );
        each!(self, c => {
            diesel::insert_into(trials::table).values(row).execute(c)?;
            diesel::insert_into(drafts::table).values(draft).execute(c)?;
            diesel::insert_into(ledger_heads::table).values(head).execute(c)?;
        });
        Ok(())
    }

    /// Inserts the installation's own ledger.
    pub fn insert_installation_ledger(&mut self, at: NaiveDateTime) -> Result<(), StoreError> {
        let row = TrialRow {
            id: INSTALLATION.into(),
            status: "installation".into(),
            registration: 0,
            created_at: at,
            created_by: "command-line".into(),
        };
        let head = (
            ledger_heads::trial_id.eq(INSTALLATION),
            ledger_heads::next_sequence.eq(1_i64),
        );
        each!(self, c => {
            diesel::insert_into(trials::table).values(row).execute(c)?;
            diesel::insert_into(ledger_heads::table).values(head).execute(c)?;
        });
        Ok(())
    }

    /// Whether the installation's own ledger was begun.
    pub fn has_installation_ledger(&mut self) -> Result<bool, StoreError> {
        let found: i64 = each!(self, c => trials::table.find(INSTALLATION).count().get_result(c))?;
        Ok(found > 0)
    }

    pub fn find_trial(&mut self, id: &str) -> Result<Option<TrialRow>, StoreError> {
        if id == INSTALLATION {
            return Ok(None);
        }
        Ok(each!(self, c => trials::table.find(id).first(c).optional())?)
    }

    /// The trial, which no other transaction changes until this one ends: shared with others that
    /// only enrol or record (on SQLite the transaction is alone anyway).
    pub fn lock_trial_shared(&mut self, id: &str) -> Result<Option<TrialRow>, StoreError> {
        use super::connection::Link;
        if id == INSTALLATION {
            return Ok(None);
        }
        Ok(match self.connection() {
            Link::Postgres(c) => trials::table.find(id).for_share().first(c).optional()?,
            Link::Sqlite(c) => trials::table.find(id).first(c).optional()?,
        })
    }

    /// The trial, for changing it.
    pub fn lock_trial(&mut self, id: &str) -> Result<Option<TrialRow>, StoreError> {
        use super::connection::Link;
        if id == INSTALLATION {
            return Ok(None);
        }
        Ok(match self.connection() {
            Link::Postgres(c) => trials::table.find(id).for_update().first(c).optional()?,
            Link::Sqlite(c) => trials::table.find(id).first(c).optional()?,
        })
    }

    /// Trials in the order of their ids, after `after`.
    pub fn list_trials(
        &mut self,
        only: Option<&str>,
        after: Option<&str>,
        limit: i64,
    ) -> Result<Vec<TrialRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = trials::table
                .filter(trials::id.ne(INSTALLATION))
                .order(trials::id)
                .limit(limit)
                .into_boxed();
            if let Some(only) = only {
                query = query.filter(trials::id.eq(only.to_owned()));
            }
            if let Some(after) = after {
                query = query.filter(trials::id.gt(after.to_owned()));
            }
            query.load(c)
        })?)
    }

    /// Sets the status and the registration in force of a locked trial.
    pub fn update_trial(
        &mut self,
        id: &str,
        status: &str,
        registration: i32,
    ) -> Result<(), StoreError> {
        let changes = (
            trials::status.eq(status),
            trials::registration.eq(registration),
        );
        each!(self, c => diesel::update(trials::table.find(id)).set(changes).execute(c))?;
        Ok(())
    }

    pub fn insert_draft(&mut self, row: &DraftRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(drafts::table).values(row).execute(c))?;
        Ok(())
    }

    /// The newest draft of a trial.
    pub fn find_draft(&mut self, trial: &str) -> Result<Option<DraftRow>, StoreError> {
        Ok(each!(self, c => drafts::table
            .filter(drafts::trial_id.eq(trial))
            .order(drafts::revision.desc())
            .first(c)
            .optional())?)
    }

    pub fn insert_registration(&mut self, row: &RegistrationRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(registrations::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_registration(
        &mut self,
        trial: &str,
        number: i32,
    ) -> Result<Option<RegistrationRow>, StoreError> {
        Ok(each!(self, c => registrations::table.find((trial, number)).first(c).optional())?)
    }

    /// The registrations of a trial, from the first on.
    pub fn list_registrations(&mut self, trial: &str) -> Result<Vec<RegistrationRow>, StoreError> {
        Ok(each!(self, c => registrations::table
            .filter(registrations::trial_id.eq(trial))
            .order(registrations::number)
            .load(c))?)
    }

    /// The drafts of a trial, from the first on.
    pub fn list_drafts(&mut self, trial: &str) -> Result<Vec<DraftRow>, StoreError> {
        Ok(each!(self, c => drafts::table
            .filter(drafts::trial_id.eq(trial))
            .order(drafts::revision)
            .load(c))?)
    }

    /// Exchanges what is sealed of a registration.
    pub fn reseal_registration(&mut self, row: &RegistrationRow) -> Result<(), StoreError> {
        let sealed = (
            registrations::sealed_protocol.eq(&row.sealed_protocol),
            registrations::sealed_seed.eq(&row.sealed_seed),
            registrations::sealed_salt.eq(&row.sealed_salt),
        );
        let key = (&row.trial_id, row.number);
        each!(self, c => diesel::update(registrations::table.find(key)).set(sealed).execute(c))?;
        Ok(())
    }

    /// Exchanges what is sealed of a draft.
    pub fn reseal_draft(&mut self, row: &DraftRow) -> Result<(), StoreError> {
        let sealed = drafts::sealed_protocol.eq(&row.sealed_protocol);
        let key = (&row.trial_id, row.revision);
        each!(self, c => diesel::update(drafts::table.find(key)).set(sealed).execute(c))?;
        Ok(())
    }

    pub fn insert_public_value(&mut self, row: &PublicValueRow) -> Result<(), StoreError> {
        each!(self, c => diesel::insert_into(public_randomness::table).values(row).execute(c))?;
        Ok(())
    }

    pub fn find_public_value(
        &mut self,
        trial: &str,
        registration: i32,
    ) -> Result<Option<PublicValueRow>, StoreError> {
        Ok(each!(self, c => public_randomness::table
            .find((trial, registration))
            .first(c)
            .optional())?)
    }

    /// The state of a trial's minimization; it stays locked until the transaction ends. None before
    /// the first draw.
    pub fn lock_minimization(
        &mut self,
        trial: &str,
        registration: i32,
    ) -> Result<Option<String>, StoreError> {
        use super::connection::Link;
        let row = minimizations::table
            .find((trial, registration))
            .select(minimizations::state);
        Ok(match self.connection() {
            Link::Postgres(c) => row.for_update().first(c).optional()?,
            Link::Sqlite(c) => row.first(c).optional()?,
        })
    }

    /// The state of a trial's minimization, to look at.
    pub fn find_minimization(
        &mut self,
        trial: &str,
        registration: i32,
    ) -> Result<Option<String>, StoreError> {
        Ok(each!(self, c => minimizations::table
            .find((trial, registration))
            .select(minimizations::state)
            .first(c)
            .optional())?)
    }

    /// Inserts the first state of a minimization. Where another transaction does so at the same
    /// moment, the primary key makes one of the two run again.
    pub fn insert_minimization(
        &mut self,
        trial: &str,
        registration: i32,
        state: &str,
    ) -> Result<(), StoreError> {
        let row = (
            minimizations::trial_id.eq(trial),
            minimizations::registration.eq(registration),
            minimizations::state.eq(state),
        );
        each!(self, c => diesel::insert_into(minimizations::table).values(row).execute(c))?;
        Ok(())
    }

    /// Keeps the state of a locked minimization.
    pub fn update_minimization(
        &mut self,
        trial: &str,
        registration: i32,
        state: &str,
    ) -> Result<(), StoreError> {
        each!(self, c => diesel::update(minimizations::table.find((trial, registration)))
            .set(minimizations::state.eq(state))
            .execute(c))?;
        Ok(())
    }
}
