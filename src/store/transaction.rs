//! Transactions with a name for what they do: `read` and `write`.

use super::connection::{Address, Link, Manager, Pooled, StoreError};
use super::watch::Watch;
use diesel::connection::SimpleConnection;
use diesel::r2d2::{Pool, PooledConnection};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
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
pub struct Store(Arc<Inner>, Patience);

/// How long transactions may take.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// As requests and the writer.
    Request,
    /// As long as they take: jobs, exports, checks.
    Long,
}

struct Inner {
    pool: Pool<Manager>,
    address: Address,
    /// SQLite takes one writer at a time: within the process they queue here, in order, instead of
    /// polling for its lock.
    gate: Option<Mutex<()>>,
    watch: Arc<Watch>,
    /// Longest wait for a lock, and longest statement; none where there is no limit.
    wait: Duration,
    statement: Option<Duration>,
    retries: AtomicU64,
    /// The last write found no room on the disk.
    full: AtomicBool,
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

    /// Makes the pool throw this connection away: its settings are not those of the others.
    pub(super) fn throw_away(&mut self) {
        self.pooled.generation = u64::MAX;
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
    /// A statement of a request takes at most `statement` (no limit where it is zero).
    pub fn open(
        url: &str,
        connections: u32,
        wait: Duration,
        statement: Duration,
    ) -> Result<Self, StoreError> {
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
        let watch = match &address {
            Address::Postgres(_) => Watch::start(),
            Address::Sqlite(_) => Arc::default(),
        };
        let manager = Manager::new(address.clone(), wait, statement, watch.clone());
        let gate = manager.is_sqlite().then(|| Mutex::new(()));
        let pool = Pool::builder()
            .max_size(connections)
            .min_idle(Some(1))
            .connection_timeout(wait)
            .error_handler(Box::new(LogErrors))
            .test_on_check_out(false)
            .build(manager)
            .map_err(|fault| StoreError::Unreachable(fault.to_string()))?;
        let inner = Inner {
            pool,
            address,
            gate,
            watch,
            wait,
            statement: (!statement.is_zero()).then_some(statement),
            retries: AtomicU64::new(0),
            full: AtomicBool::new(false),
        };
        Ok(Self(Arc::new(inner), Patience::Request))
    }

    /// The same database, for what takes as long as it takes.
    pub fn long(&self) -> Self {
        Self(self.0.clone(), Patience::Long)
    }

    /// How long a transaction may last before its connection is given up.
    fn limit(&self, writes: bool) -> Option<Duration> {
        const GRACE: Duration = Duration::from_secs(5);
        let statement = self.0.statement.filter(|_| self.1 == Patience::Request)?;
        Some(match writes {
            true => self.0.wait + GRACE,
            false => statement + GRACE,
        })
    }

    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// How often a write had to be run again since the start.
    pub fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }

    /// Whether writes find room: where the last one did not, a small one is tried.
    pub fn has_room(&self) -> bool {
        if !self.0.full.load(Ordering::Relaxed) {
            return true;
        }
        let tried: Result<(), StoreError> = self.write(|tx| {
            const PROBE: &str = "probe";
            match tx.find_installation(PROBE)? {
                Some(before) => {
                    let other = if before == "0" { "1" } else { "0" };
                    tx.update_installation(PROBE, other)
                }
                None => tx.insert_installation(PROBE, "0"),
            }
        });
        tried.is_ok()
    }

    /// Copies an SQLite database into a new file, as it is at one moment; others go on reading and writing.
    pub fn copy_into(&self, file: &std::path::Path) -> Result<(), StoreError> {
        let Some(path) = file.to_str().filter(|path| !path.contains('\'')) else {
            let detail = "cannot be written to: its name must be UTF-8 without quotation marks";
            return Err(StoreError::Address(detail.into()));
        };
        // Made first, so that nobody else can read it meanwhile.
        std::fs::OpenOptions::new()
            .create_new(true)
            .write(true)
            .mode(0o600)
            .open(file)
            .map_err(|fault| StoreError::Unreachable(fault.to_string()))?;
        self.alone(|tx| tx.execute(&format!("VACUUM INTO '{path}'")))
    }

    fn connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        loop {
            let mut pooled = self
                .0
                .pool
                .get()
                .map_err(|fault| StoreError::Unreachable(fault.to_string()))?;
            if pooled.generation == self.0.watch.generation() {
                return Ok(pooled);
            }
            // Another one as old was given up: this one may be lost as well.
            pooled.broken = true;
        }
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
        let _watched = self.0.watch.over(pooled.socket.as_ref(), self.limit(false));
        let begin = match (&pooled.link, self.1) {
            (Link::Postgres(_), Patience::Request) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
            }
            (Link::Postgres(_), Patience::Long) => {
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0"
            }
            (Link::Sqlite(_), _) => "BEGIN DEFERRED",
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
            let begin = match (&pooled.link, self.1) {
                (Link::Postgres(_), Patience::Request) => "BEGIN ISOLATION LEVEL READ COMMITTED",
                (Link::Postgres(_), Patience::Long) => {
                    "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0"
                }
                (Link::Sqlite(_), _) => "BEGIN IMMEDIATE",
            };
            let watched = self.0.watch.over(pooled.socket.as_ref(), self.limit(true));
            let outcome = run(&mut pooled, begin, &mut body);
            drop(watched);
            match &outcome {
                Ok(_) => self.0.full.store(false, Ordering::Relaxed),
                Err(error) if matches!(error.of_store(), Some(StoreError::Full(_))) => {
                    self.0.full.store(true, Ordering::Relaxed);
                }
                Err(_) => {}
            }
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
