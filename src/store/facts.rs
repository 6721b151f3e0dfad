//! Facts: rows that are inserted and read, never changed.

use super::schema::facts;
use super::{StoreError, Tx, each};
use chrono::{NaiveDate, NaiveDateTime};
use diesel::prelude::*;
use std::collections::BTreeMap;

/// Rows of one INSERT: 15 columns each, below SQLite's limit of 32,766 values.
const ROWS: usize = 1_000;

/// A fact that has no number yet.
#[derive(Debug, Clone)]
pub struct NewFact {
    pub id: String,
    pub kind: String,
    pub participant_id: Option<String>,
    pub site: Option<String>,
    pub effective_on: Option<NaiveDate>,
    pub recorded_at: NaiveDateTime,
    pub recorded_by: String,
    pub source: Option<String>,
    pub source_id: Option<String>,
    /// Number of the fact that this one replaces.
    pub replaces: Option<i64>,
    /// Canonical JSON of the whole fact.
    pub record: String,
    pub salt: Vec<u8>,
    pub leaf: Vec<u8>,
}

/// A numbered fact.
#[derive(Debug, Clone, Queryable, Insertable)]
// Without this, diesel inserts row by row within a transaction of its own.
#[diesel(table_name = facts, treat_none_as_default_value = false)]
pub struct FactRow {
    pub trial_id: String,
    pub sequence: i64,
    pub id: String,
    pub kind: String,
    pub participant_id: Option<String>,
    pub site: Option<String>,
    pub effective_on: Option<NaiveDate>,
    pub recorded_at: NaiveDateTime,
    pub recorded_by: String,
    pub source: Option<String>,
    pub source_id: Option<String>,
    pub replaces: Option<i64>,
    pub record: String,
    pub salt: Vec<u8>,
    pub leaf: Vec<u8>,
}

/// What a source calls a record of one kind.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceKey {
    pub kind: String,
    pub source: String,
    pub source_id: String,
}

/// Which part of a list of facts is asked for.
#[derive(Debug, Clone)]
pub struct Page<'a> {
    pub kind: &'a str,
    /// Only facts of these sites; none means all.
    pub sites: Option<&'a [String]>,
    pub participant: Option<&'a str>,
    pub after: i64,
    pub limit: i64,
}

impl Tx<'_> {
    /// Inserts facts that have been numbered from `first` on.
    pub fn insert_facts(
        &mut self,
        trial: &str,
        first: i64,
        new: Vec<NewFact>,
    ) -> Result<(), StoreError> {
        let rows: Vec<FactRow> = new
            .into_iter()
            .zip(first..)
            .map(|(fact, sequence)| FactRow {
                trial_id: trial.to_owned(),
                sequence,
                id: fact.id,
                kind: fact.kind,
                participant_id: fact.participant_id,
                site: fact.site,
                effective_on: fact.effective_on,
                recorded_at: fact.recorded_at,
                recorded_by: fact.recorded_by,
                source: fact.source,
                source_id: fact.source_id,
                replaces: fact.replaces,
                record: fact.record,
                salt: fact.salt,
                leaf: fact.leaf,
            })
            .collect();
        let last = first + rows.len() as i64 - 1;
        for chunk in rows.chunks(ROWS) {
            each!(self, c => diesel::insert_into(facts::table).values(chunk).execute(c))?;
        }
        self.refresh_statistics(first, last)?;
        Ok(())
    }

    /// Tells PostgreSQL's planner how large the tables have grown, each time a trial has grown
    /// fourfold. By itself it learns so after a minute; until then it takes "of this kind" for a
    /// sharper condition than "with this source_id", and a first bulk load reads everything that is
    /// there for each group (measured: 500 ms a group instead of 2).
    fn refresh_statistics(&mut self, first: i64, last: i64) -> Result<(), StoreError> {
        let grown = (5..20)
            .map(|power| 4_i64.pow(power))
            .any(|size| (first..=last).contains(&size));
        if self.is_postgres() && grown {
            // Not waiting for whoever else is at it, a VACUUM for instance.
            self.execute("ANALYZE (SKIP_LOCKED) facts, citizens, participants")?;
        }
        Ok(())
    }

    /// The facts that a source has sent under these ids, and whether each has been replaced.
    pub fn find_sourced(
        &mut self,
        trial: &str,
        kind: &str,
        source: &str,
        source_ids: &[String],
    ) -> Result<BTreeMap<String, (FactRow, bool)>, StoreError> {
        let mut found = BTreeMap::new();
        for chunk in source_ids.chunks(ROWS) {
            let rows: Vec<FactRow> = each!(self, c => facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::kind.eq(kind))
                .filter(facts::source.eq(source))
                .filter(facts::source_id.eq_any(chunk))
                .load(c))?;
            let sequences: Vec<i64> = rows.iter().map(|fact| fact.sequence).collect();
            let replaced: Vec<Option<i64>> = each!(self, c => facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::replaces.eq_any(sequences))
                .select(facts::replaces)
                .load(c))?;
            for fact in rows {
                let was_replaced = replaced.contains(&Some(fact.sequence));
                found.insert(
                    fact.source_id.clone().unwrap_or_default(),
                    (fact, was_replaced),
                );
            }
        }
        Ok(found)
    }

    /// All facts of one kind up to a data cut, in the order of their numbers, but those that were
    /// erased.
    pub fn list_facts(
        &mut self,
        trial: &str,
        kind: &str,
        up_to: i64,
    ) -> Result<Vec<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .filter(facts::sequence.le(up_to))
            .filter(facts::record.ne(""))
            .order(facts::sequence)
            .load(c))?)
    }

    /// One page of the facts of one kind, without those that were erased.
    pub fn page_facts(&mut self, trial: &str, page: &Page) -> Result<Vec<FactRow>, StoreError> {
        Ok(each!(self, c => {
            let mut query = facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::kind.eq(page.kind))
                .filter(facts::sequence.gt(page.after))
                .filter(facts::record.ne(""))
                .order(facts::sequence)
                .limit(page.limit)
                    .into_boxed();
            if let Some(sites) = page.sites {
                query = query.filter(facts::site.eq_any(sites));
            }
            if let Some(participant) = page.participant {
                query = query.filter(facts::participant_id.eq(participant));
            }
            query.load(c)
        })?)
    }

    /// The last fact of one kind.
    pub fn last_fact(&mut self, trial: &str, kind: &str) -> Result<Option<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .order(facts::sequence.desc())
            .first(c)
            .optional())?)
    }

    /// The last fact of one kind about one person.
    pub fn last_fact_of(
        &mut self,
        trial: &str,
        kind: &str,
        person: &str,
    ) -> Result<Option<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::participant_id.eq(person))
            .filter(facts::kind.eq(kind))
            .order(facts::sequence.desc())
            .first(c)
            .optional())?)
    }

    /// All facts about one person (in the installation's ledger: about a key, person or request), in
    /// the order of their numbers.
    pub fn facts_about(&mut self, trial: &str, subject: &str) -> Result<Vec<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::participant_id.eq(subject))
            .order(facts::sequence)
            .load(c))?)
    }

    /// The facts of one kind about these persons.
    pub fn find_facts_of(
        &mut self,
        trial: &str,
        kind: &str,
        persons: &[String],
    ) -> Result<Vec<FactRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in persons.chunks(ROWS) {
            let rows: Vec<FactRow> = each!(self, c => facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::participant_id.eq_any(chunk))
                .filter(facts::kind.eq(kind))
                .order(facts::sequence)
                .load(c))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Facts of one kind with a number beyond `after`, in order.
    pub fn page_facts_of_kind(
        &mut self,
        trial: &str,
        kind: &str,
        after: i64,
        limit: i64,
    ) -> Result<Vec<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .filter(facts::sequence.gt(after))
            .order(facts::sequence)
            .limit(limit)
            .load(c))?)
    }

    /// The facts with these numbers.
    pub fn find_facts(
        &mut self,
        trial: &str,
        sequences: &[i64],
    ) -> Result<Vec<FactRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in sequences.chunks(ROWS) {
            let rows: Vec<FactRow> = each!(self, c => facts::table
                .filter(facts::trial_id.eq(trial))
                .filter(facts::sequence.eq_any(chunk))
                .load(c))?;
            found.extend(rows);
        }
        Ok(found)
    }

    /// Whole facts of any kind after a number, in order, erased ones too.
    pub fn page_all_facts(
        &mut self,
        trial: &str,
        after: i64,
        up_to: i64,
        limit: i64,
    ) -> Result<Vec<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::sequence.gt(after))
            .filter(facts::sequence.le(up_to))
            .order(facts::sequence)
            .limit(limit)
            .load(c))?)
    }

    /// The greatest number that a fact has; 0 where there is none.
    pub fn greatest_sequence(&mut self, trial: &str) -> Result<i64, StoreError> {
        use diesel::dsl::max;
        let greatest: Option<i64> = each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .select(max(facts::sequence))
            .first(c))?;
        Ok(greatest.unwrap_or(0))
    }

    /// The last fact of one kind from one source.
    pub fn last_fact_from(
        &mut self,
        trial: &str,
        kind: &str,
        source: &str,
    ) -> Result<Option<FactRow>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .filter(facts::source.eq(source))
            .order(facts::sequence.desc())
            .first(c)
            .optional())?)
    }

    /// How many facts of each kind there are up to a number.
    pub fn count_facts(
        &mut self,
        trial: &str,
        up_to: i64,
    ) -> Result<BTreeMap<String, i64>, StoreError> {
        use diesel::dsl::count_star;
        let rows: Vec<(String, i64)> = each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::sequence.le(up_to))
            .group_by(facts::kind)
            .select((facts::kind, count_star()))
            .load(c))?;
        Ok(rows.into_iter().collect())
    }

    /// How many facts of one kind a trial has.
    pub fn count_kind(&mut self, trial: &str, kind: &str) -> Result<i64, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .count()
            .get_result(c))?)
    }

    /// How many facts of these kinds have a number beyond this one.
    pub fn count_after(
        &mut self,
        trial: &str,
        kinds: &[&str],
        after: i64,
    ) -> Result<i64, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq_any(kinds))
            .filter(facts::sequence.gt(after))
            .count()
            .get_result(c))?)
    }

    /// How many facts of one kind one key has recorded since a moment.
    pub fn count_recorded_by(
        &mut self,
        trial: &str,
        kind: &str,
        key: &str,
        since: NaiveDateTime,
    ) -> Result<i64, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::kind.eq(kind))
            .filter(facts::recorded_by.eq(key))
            .filter(facts::recorded_at.gt(since))
            .count()
            .get_result(c))?)
    }

    /// The leaves up to a number, in order.
    pub fn list_leaves(&mut self, trial: &str, up_to: i64) -> Result<Vec<Vec<u8>>, StoreError> {
        Ok(each!(self, c => facts::table
            .filter(facts::trial_id.eq(trial))
            .filter(facts::sequence.le(up_to))
            .order(facts::sequence)
            .select(facts::leaf)
            .load(c))?)
    }
}
