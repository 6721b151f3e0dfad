//! Transactions with a name for what they do: `read` and `write`.

use super::connection::{Address, Link, Manager, Pooled, StoreError};
use diesel::connection::SimpleConnection;
use diesel::r2d2::{Pool, PooledConnection};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// How often a write that lost a race is run in all.
const ATTEMPTS: u32 = 6;

/// An error of a use case that may stem from the database.
pub trait Failure: From<StoreError> {
    /// The database's error, where it is one.
    fn of_store(&self) -> Option<&StoreError>;
}

impl Failure for StoreError {
    fn of_store(&self) -> Option<&StoreError> {
        Some(self)
    }
}

/// The database.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    pool: Pool<Manager>,
    address: Address,
    /// SQLite takes one writer at a time: within the process they queue here, in order, instead of
    /// polling for its lock.
    gate: Option<Mutex<()>>,
    retries: AtomicU64,
}

/// An open transaction; the queries of the other files of this module are its methods.
pub struct Tx<'a> {
    pooled: &'a mut Pooled,
}

impl Tx<'_> {
    pub(super) fn connection(&mut self) -> &mut Link {
        &mut self.pooled.link
    }

    pub(super) fn is_postgres(&self) -> bool {
        matches!(self.pooled.link, Link::Postgres(_))
    }

    pub(super) fn execute(&mut self, sql: &str) -> Result<(), StoreError> {
        match &mut self.pooled.link {
            Link::Postgres(link) => link.batch_execute(sql),
            Link::Sqlite(link) => link.batch_execute(sql),
        }
        .map_err(StoreError::from)
    }
}

impl Store {
    /// Opens the database at this address; an SQLite file and its folder are made where missing.
    pub fn open(url: &str, connections: u32, wait: Duration) -> Result<Self, StoreError> {
        let address = Address::parse(url)?;
        if let Address::Sqlite(path) = &address
            && let Some(folder) = path.parent()
        {
            let unreachable = |fault: std::io::Error| StoreError::Unreachable(fault.to_string());
            std::fs::create_dir_all(folder).map_err(unreachable)?;
            // It holds who got which arm: for its owner's eyes only.
            std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)
                .map_err(unreachable)?;
        }
        let manager = Manager::new(address.clone(), wait);
        let gate = manager.is_sqlite().then(|| Mutex::new(()));
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .connection_timeout(wait)
            .error_handler(Box::new(LogErrors))
            .test_on_check_out(false)
            .build(manager)
            .map_err(|fault| StoreError::Unreachable(fault.to_string()))?;
        Ok(Self(Arc::new(Inner {
            pool,
            address,
            gate,
            retries: AtomicU64::new(0),
        })))
    }

    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// How often a write had to be run again since the start.
    pub fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }

    fn connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        self.0
            .pool
            .get()
            .map_err(|fault| StoreError::Unreachable(fault.to_string()))
    }

    /// Runs the body on a connection outside of any transaction of ours.
    pub(super) fn alone<T>(
        &self,
        body: impl FnOnce(&mut Tx) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut pooled = self.connection()?;
        pooled.broken = true;
        let outcome = body(&mut Tx {
            pooled: &mut pooled,
        });
        pooled.broken = outcome.is_err();
        outcome
    }

    /// Reads one moment of the database.
    pub fn read<T, E: Failure>(&self, body: impl FnOnce(&mut Tx) -> Result<T, E>) -> Result<T, E> {
        let mut pooled = self.connection()?;
        let begin = match pooled.link {
            Link::Postgres(_) => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            Link::Sqlite(_) => "BEGIN DEFERRED",
        };
        run(&mut pooled, begin, body)
    }

    /// Writes in one transaction. **The body may run more than once**: after a lost race the whole
    /// transaction is rolled back and run again, a bounded number of times.
    pub fn write<T, E: Failure>(
        &self,
        mut body: impl FnMut(&mut Tx) -> Result<T, E>,
    ) -> Result<T, E> {
        let _turn = self
            .0
            .gate
            .as_ref()
            .map(|gate| gate.lock().unwrap_or_else(PoisonError::into_inner));
        let mut attempt = 1;
        loop {
            let mut pooled = self.connection()?;
            let begin = match pooled.link {
                Link::Postgres(_) => "BEGIN ISOLATION LEVEL READ COMMITTED",
                Link::Sqlite(_) => "BEGIN IMMEDIATE",
            };
            let outcome = run(&mut pooled, begin, &mut body);
            let lost =
                matches!(&outcome, Err(e) if matches!(e.of_store(), Some(StoreError::Race(_))));
            if !lost || attempt == ATTEMPTS {
                return outcome;
            }
            self.0.retries.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(attempt, "a write lost a race and is run again");
            drop(pooled);
            std::thread::sleep(Duration::from_millis(1 << attempt));
            attempt += 1;
        }
    }
}

/// Runs the body between `begin` and COMMIT. A connection whose transaction could not be ended
/// (also because the body panicked) stays marked as broken, and the pool drops it.
fn run<T, E: Failure>(
    pooled: &mut Pooled,
    begin: &str,
    body: impl FnOnce(&mut Tx) -> Result<T, E>,
) -> Result<T, E> {
    pooled.broken = true;
    let mut tx = Tx { pooled };
    tx.execute(begin)?;
    let outcome = body(&mut tx).and_then(|value| {
        tx.execute("COMMIT")?;
        Ok(value)
    });
    let ended = outcome.is_ok() || tx.execute("ROLLBACK").is_ok();
    pooled.broken = !ended;
    outcome
}

#[derive(Debug)]
struct LogErrors;

impl diesel::r2d2::HandleError<diesel::r2d2::Error> for LogErrors {
    fn handle_error(&self, error: diesel::r2d2::Error) {
        tracing::warn!(%error, "a connection to the database could not be made");
    }
}
