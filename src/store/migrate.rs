//! The schema's versions, embedded in the binary.

use super::connection::{Link, StoreError};
use super::{Address, Store, Tx};
use diesel::RunQueryDsl;
use diesel::migration::MigrationSource;
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

const SQLITE: EmbeddedMigrations = embed_migrations!("migrations/sqlite");
const POSTGRES: EmbeddedMigrations = embed_migrations!("migrations/postgres");

/// The number that keeps two copies of the service from migrating at once ("lodkast" in ASCII).
const MIGRATION_LOCK: i64 = 0x6c_6f64_6b61_7374;

impl Store {
    /// Brings the schema up to date; returns the names of the migrations that were run.
    pub fn migrate(&self) -> Result<Vec<String>, StoreError> {
        // Asked first: whoever is not the owner may not even look for what is left to do.
        if self.is_up_to_date().unwrap_or(false) {
            return Ok(Vec::new());
        }
        // diesel opens a transaction for each migration itself: this one runs outside of ours.
        self.alone(|tx| {
            if tx.is_postgres() {
                // Other copies may be at it, and large tables take their time.
                tx.execute("SET statement_timeout = 0; SET lock_timeout = 0")?;
                tx.execute(&format!("SELECT pg_advisory_lock({MIGRATION_LOCK})"))?;
            }
            let run = match tx.connection() {
                Link::Postgres(link) => link.run_pending_migrations(POSTGRES).map(names),
                Link::Sqlite(link) => link.run_pending_migrations(SQLITE).map(names),
            }
            .map_err(|fault| StoreError::Migration(fault.to_string()));
            if tx.is_postgres() {
                tx.execute(&format!("SELECT pg_advisory_unlock({MIGRATION_LOCK})"))?;
                tx.throw_away();
            }
            run
        })
    }

    /// Whether every migration has been run.
    pub fn is_up_to_date(&self) -> Result<bool, StoreError> {
        // Read by hand: the library would make its table first, which only the owner may.
        const APPLIED: &str = "SELECT version FROM __diesel_schema_migrations";
        let applied = self.read(|tx| match tx.connection() {
            Link::Postgres(link) => {
                Ok::<_, StoreError>(diesel::sql_query(APPLIED).load::<Applied>(link)?)
            }
            Link::Sqlite(link) => Ok(diesel::sql_query(APPLIED).load::<Applied>(link)?),
        });
        let applied = match applied {
            Ok(rows) => rows,
            Err(StoreError::Refused(why))
                if why.to_string().contains("__diesel_schema_migrations") =>
            {
                return Ok(false);
            }
            Err(fault) => return Err(fault),
        };
        let known = match self.address() {
            Address::Postgres(_) => versions::<diesel::pg::Pg>(&POSTGRES),
            Address::Sqlite(_) => versions::<diesel::sqlite::Sqlite>(&SQLITE),
        }?;
        Ok(known
            .iter()
            .all(|version| applied.iter().any(|row| row.version == *version)))
    }
}

#[derive(diesel::QueryableByName)]
struct Applied {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// The versions of the migrations that this program knows.
fn versions<DB: diesel::backend::Backend>(
    source: &EmbeddedMigrations,
) -> Result<Vec<String>, StoreError> {
    let migrations = MigrationSource::<DB>::migrations(source)
        .map_err(|fault| StoreError::Migration(fault.to_string()))?;
    Ok(migrations
        .iter()
        .map(|migration| migration.name().version().to_string())
        .collect())
}

fn names<V: std::fmt::Display>(versions: Vec<V>) -> Vec<String> {
    versions.iter().map(ToString::to_string).collect()
}

impl Tx<'_> {
    /// The remembered value with this name.
    pub fn find_installation(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        Ok(super::each!(self, c => installation.find(key).select(value).first(c).optional())?)
    }

    /// A remembered value, which nobody exchanges until this transaction ends.
    pub fn lock_installation_shared(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        let row = installation.find(key).select(value);
        Ok(match self.connection() {
            Link::Postgres(c) => row.for_share().first(c).optional()?,
            Link::Sqlite(c) => row.first(c).optional()?,
        })
    }

    /// A remembered value, locked for exchanging it.
    pub fn lock_installation(&mut self, key: &str) -> Result<Option<String>, StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        let row = installation.find(key).select(value);
        Ok(match self.connection() {
            Link::Postgres(c) => row.for_update().first(c).optional()?,
            Link::Sqlite(c) => row.first(c).optional()?,
        })
    }

    /// Remembers a value under a name that is not taken.
    pub fn insert_installation(&mut self, key: &str, text: &str) -> Result<(), StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        let row = (name.eq(key), value.eq(text));
        super::each!(self, c => diesel::insert_into(installation).values(row).execute(c))?;
        Ok(())
    }

    /// Exchanges a remembered value.
    pub fn update_installation(&mut self, key: &str, text: &str) -> Result<(), StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        super::each!(self, c => diesel::update(installation.find(key)).set(value.eq(text)).execute(c))?;
        Ok(())
    }

    /// The remembered values whose names begin so.
    pub fn list_installation(&mut self, prefix: &str) -> Result<Vec<String>, StoreError> {
        use super::schema::installation::dsl::*;
        use diesel::prelude::*;
        Ok(super::each!(self, c => installation
            .filter(name.like(format!("{prefix}%")))
            .order(name)
            .select(value)
            .load(c))?)
    }
}
