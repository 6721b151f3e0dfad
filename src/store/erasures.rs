//! Erasure: the only queries that take anything out. Triggers let nobody else do so.

use super::connection::Link;
use super::schema::{citizens, erasures, facts, idempotent_answers, participants, unit_lists};
use super::{Address, Store, StoreError, Tx, each};
use chrono::NaiveDateTime;
use diesel::prelude::*;
use std::collections::HashSet;
use std::time::Duration;

impl Store {
    /// On SQLite: brings the write-ahead log into the file and empties it, again and again until no reader
    /// holds it; false where one did to the end.
    pub fn truncate_log(&self, patience: Duration) -> Result<bool, StoreError> {
        let Address::Sqlite(_) = self.address() else {
            return Ok(true);
        };
        #[derive(diesel::QueryableByName)]
        struct Outcome {
            #[diesel(sql_type = diesel::sql_types::Integer)]
            busy: i32,
        }
        let begun = std::time::Instant::now();
        loop {
            let outcome = self.alone(|tx| match tx.connection() {
                Link::Sqlite(c) => Ok(diesel::sql_query("PRAGMA wal_checkpoint(TRUNCATE)")
                    .get_result::<Outcome>(c)?),
                Link::Postgres(_) => Ok(Outcome { busy: 0 }),
            })?;
            if outcome.busy == 0 {
                return Ok(true);
            }
            if begun.elapsed() >= patience {
                return Ok(false);
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Tx<'_> {
    /// Whether there are facts about a person.
    pub fn has_person(&mut self, trial: &str, person: &str) -> Result<bool, StoreError> {
        let facts: i64 = each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::participant_id.eq(person))
            .filter(facts::kind.eq_any(["screening", "draw", "enrolment"]))
            .count()
            .get_result(c))?;
        Ok(facts > 0)
    }

    /// Puts a person down for erasure, which opens the trigger's door; false where they are down
    /// already.
    pub fn insert_erasure(
        &mut self,
        trial: &str,
        person: &str,
        at: NaiveDateTime,
        reason: &str,
    ) -> Result<bool, StoreError> {
        let known: i64 = each!(self, c => erasures::table
            .find((trial, person))
            .count()
            .get_result(c))?;
        if known > 0 {
            return Ok(false);
        }
        let row = (
            erasures::trial_id.eq(trial),
            erasures::person_id.eq(person),
            erasures::erased_at.eq(at),
            erasures::reason.eq(reason),
        );
        each!(self, c => diesel::insert_into(erasures::table).values(row).execute(c))?;
        Ok(true)
    }

    /// Takes record, salt, day and source_id out of the facts about a person, but those of the draw
    /// and of the erasure itself; returns how many.
    pub fn erase_facts(&mut self, trial: &str, person: &str) -> Result<usize, StoreError> {
        Ok(each!(self, c => diesel::update(
            facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::participant_id.eq(person))
                .filter(facts::kind.ne_all(["draw", "erasure"]))
                .filter(facts::record.ne("")),
        )
        .set((
            facts::record.eq(""),
            facts::salt.eq(Vec::<u8>::new()),
            facts::effective_on.eq(None::<chrono::NaiveDate>),
            facts::source_id.eq(None::<String>),
        ))
        .execute(c))?)
    }

    /// The pseudonym of a person.
    pub fn find_pseudonym(
        &mut self,
        trial: &str,
        person: &str,
    ) -> Result<Option<String>, StoreError> {
        Ok(each!(self, c => citizens::table
            .filter(citizens::trial_id.eq(trial))
            .filter(citizens::person_id.eq(person))
            .select(citizens::pseudonym)
            .first(c)
            .optional())?)
    }

    /// Takes a pseudonym off the lists of units; returns from how many.
    pub fn delete_from_lists(&mut self, trial: &str, pseudonym: &str) -> Result<usize, StoreError> {
        Ok(each!(self, c => diesel::delete(
            unit_lists::table
                .filter(unit_lists::trial_id.eq(trial))
                .filter(unit_lists::pseudonym.eq(pseudonym)),
        )
        .execute(c))?)
    }

    /// Takes out the link from pseudonym to person, the row of the participant, and every kept
    /// answer that names them. The draw stays on file as a fact, and its index is never handed out
    /// again.
    pub fn delete_person(&mut self, trial: &str, person: &str) -> Result<(), StoreError> {
        each!(self, c => {
            let link = citizens::table
                .filter(citizens::trial_id.eq(trial))
                .filter(citizens::person_id.eq(person));
            diesel::delete(link).execute(c)?;
            let answers = idempotent_answers::table
                .filter(idempotent_answers::participant_id.eq(person));
            diesel::delete(answers).execute(c)?;
            // Answers of release 0.1 do not say of whom they are.
            let unnamed = idempotent_answers::table
                .filter(idempotent_answers::participant_id.is_null())
                .filter(idempotent_answers::answer.like(format!("%{person}%")));
            diesel::delete(unnamed).execute(c)?;
            diesel::delete(participants::table.find((trial, person))).execute(c)?
        });
        Ok(())
    }

    /// The persons of a trial who were erased.
    pub fn list_erased(&mut self, trial: &str) -> Result<HashSet<String>, StoreError> {
        let ids: Vec<String> = each!(self, c => erasures::table
            .filter(erasures::trial_id.eq(trial))
            .select(erasures::person_id)
            .load(c))?;
        Ok(ids.into_iter().collect())
    }

    /// How many of the erased had been drawn.
    pub fn count_erased_draws(&mut self, trial: &str) -> Result<i64, StoreError> {
        let erased: Vec<String> = self.list_erased(trial)?.into_iter().collect();
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq("draw"))
            .filter(facts::participant_id.eq_any(&erased))
            .count()
            .get_result(c))?)
    }
}
