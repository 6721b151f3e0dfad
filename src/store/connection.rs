//! Connections to either database, and what can go wrong with them.

use super::watch::{self, Watch};
use diesel::connection::SimpleConnection;
use diesel::r2d2::{self, ManageConnection};
use diesel::result::{DatabaseErrorKind, Error};
use diesel::{Connection, PgConnection, SqliteConnection};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Address {
    Sqlite(PathBuf),
    Postgres(String),
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Sqlite(path) => write!(f, "sqlite://{}", path.display()),
            Address::Postgres(url) => f.write_str(&crate::config::without_password(url)),
        }
    }
}

impl Address {
    /// Reads `sqlite://path` or `postgres://...`.
    pub fn parse(url: &str) -> Result<Self, StoreError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            if path.is_empty() {
                return Err(StoreError::Address(
                    "sqlite:// must be followed by a path".into(),
                ));
            }
            return Ok(Self::Sqlite(path.into()));
        }
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        Err(StoreError::Address(
            "must begin with sqlite:// or postgres://".into(),
        ))
    }
}

/// What can go wrong with the database. None of it is the caller's fault.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the address of the database {0}")]
    Address(String),
    #[error("the database cannot be reached: {0}")]
    Unreachable(String),
    #[error("a transaction lost a race: {0}")]
    Race(String),
    #[error("the database has no room left: {0}")]
    Full(String),
    #[error("the database refused: {0}")]
    Refused(Error),
    #[error("a row of the database cannot be read: {0}")]
    Unreadable(String),
    #[error("the schema cannot be brought up to date: {0}")]
    Migration(String),
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        use DatabaseErrorKind::{ClosedConnection, SerializationFailure, UniqueViolation, Unknown};
        match &error {
            Error::DatabaseError(kind, details) => match kind {
                // A unique violation means that another transaction wrote what this one did not
                // see: run again, this one sees it.
                SerializationFailure | UniqueViolation => Self::Race(details.message().to_owned()),
                Unknown if is_contention(details.message()) => {
                    Self::Race(details.message().to_owned())
                }
                Unknown if is_full(details.message()) => Self::Full(details.message().to_owned()),
                // Waiting was of no use: another wait of the same length would be of none either.
                Unknown if details.message().contains("lock timeout") => {
                    Self::Unreachable("a lock was waited for too long".into())
                }
                ClosedConnection => Self::Unreachable("the connection was closed".into()),
                Unknown if is_lost(details.message()) => {
                    Self::Unreachable("the connection was lost".into())
                }
                // The server ended what took too long; the same again would take as long.
                Unknown if details.message().contains("statement timeout") => {
                    Self::Unreachable("a statement took too long".into())
                }
                _ => Self::Refused(error),
            },
            _ => Self::Refused(error),
        }
    }
}

/// Whether an error that diesel has no name for is one of contention: a deadlock (40P01) on
/// PostgreSQL, a busy database on SQLite. Servers
/// that speak another language tell those by text only; there a deadlock is an error, not a race.
fn is_contention(message: &str) -> bool {
    ["deadlock detected", "is locked"]
        .iter()
        .any(|text| message.contains(text))
}

/// Whether the disk is full: SQLITE_FULL, or what the operating system says through PostgreSQL (53100).
fn is_full(message: &str) -> bool {
    [
        "database or disk is full",
        "No space left on device",
        "disk full",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// Whether a connection ended under a statement.
fn is_lost(message: &str) -> bool {
    [
        "server closed the connection",
        "connection not open",
        "no connection to the server",
        "could not receive data",
        "could not send data",
        "SSL connection has been closed",
        "terminating connection",
    ]
    .iter()
    .any(|text| message.contains(text))
}

/// A connection of one kind or the other.
pub enum Link {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

/// A pooled connection; `broken` while a transaction is open on it, so that the pool throws away
/// one whose transaction was never ended.
pub struct Pooled {
    pub(super) link: Link,
    pub(super) broken: bool,
    /// Its socket, to close it where it does not answer.
    pub(super) socket: Option<TcpStream>,
    /// How often connections had been given up when it was made.
    pub(super) generation: u64,
}

/// Makes connections for the pool.
#[derive(Clone)]
pub struct Manager {
    address: Address,
    wait: Duration,
    statement: Duration,
    watch: Arc<Watch>,
}

/// What libpq does to find out that a connection is dead, in the address where it says nothing else.
const LIVELINESS: [(&str, &str); 6] = [
    ("keepalives", "1"),
    ("keepalives_idle", "5"),
    ("keepalives_interval", "2"),
    ("keepalives_count", "3"),
    ("tcp_user_timeout", "10000"),
    ("connect_timeout", "10"),
];

/// The address with what keeps a dead connection from being waited for.
fn lively(url: &str) -> String {
    let mut url = url.to_owned();
    for (name, value) in LIVELINESS {
        let named = url
            .split(['?', '&'])
            .any(|part| part.starts_with(&format!("{name}=")));
        if !named {
            let sign = if url.contains('?') { '&' } else { '?' };
            url.push_str(&format!("{sign}{name}={value}"));
        }
    }
    url
}

impl Manager {
    pub fn new(address: Address, wait: Duration, statement: Duration, watch: Arc<Watch>) -> Self {
        Self {
            address,
            wait,
            statement,
            watch,
        }
    }

    pub fn is_sqlite(&self) -> bool {
        matches!(self.address, Address::Sqlite(_))
    }

    fn open(&self) -> Result<(Link, Option<TcpStream>), r2d2::Error> {
        let milliseconds = self.wait.as_millis();
        match &self.address {
            Address::Sqlite(path) => {
                let path = path.to_str().ok_or_else(|| {
                    r2d2::Error::ConnectionError(diesel::ConnectionError::InvalidConnectionUrl(
                        "the path is not UTF-8".into(),
                    ))
                })?;
                let mut link =
                    SqliteConnection::establish(path).map_err(r2d2::Error::ConnectionError)?;
                // FULL: what was acknowledged survives a loss of power. secure_delete: what is erased
                // is overwritten in the file.
                link.batch_execute(&format!(
                    "PRAGMA busy_timeout = {milliseconds}; PRAGMA journal_mode = WAL; \
                     PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;"
                ))
                .map_err(r2d2::Error::QueryError)?;
                Ok((Link::Sqlite(link), None))
            }
            Address::Postgres(url) => {
                // Plans are made for the very values: one that serves any list of ids, of whatever
                // length, reads the whole table for a list of a thousand.
                let open = || PgConnection::establish(&lively(url));
                let (mut link, socket) = watch::socket_of(&watch::ports(url), open)
                    .map_err(r2d2::Error::ConnectionError)?;
                let statement = self.statement.as_millis();
                let watched = self.watch.over(socket.as_ref(), Some(self.wait.max(FIRST)));
                link.batch_execute(&format!(
                    "SET TIME ZONE 'UTC'; SET lock_timeout = {milliseconds}; \
                     SET statement_timeout = {statement}; \
                     SET client_min_messages = warning; \
                     SET plan_cache_mode = force_custom_plan;"
                ))
                .map_err(r2d2::Error::QueryError)?;
                drop(watched);
                Ok((Link::Postgres(link), socket))
            }
        }
    }
}

/// The least time in which a new connection must answer its first statement.
const FIRST: Duration = Duration::from_secs(2);

impl ManageConnection for Manager {
    type Connection = Pooled;
    type Error = r2d2::Error;

    fn connect(&self) -> Result<Pooled, Self::Error> {
        let generation = self.watch.generation();
        let (link, socket) = self.open()?;
        Ok(Pooled {
            link,
            broken: false,
            socket,
            generation,
        })
    }

    fn is_valid(&self, pooled: &mut Pooled) -> Result<(), Self::Error> {
        match &mut pooled.link {
            Link::Postgres(link) => link.batch_execute("SELECT 1"),
            Link::Sqlite(link) => link.batch_execute("SELECT 1"),
        }
        .map_err(r2d2::Error::QueryError)
    }

    fn has_broken(&self, pooled: &mut Pooled) -> bool {
        pooled.broken
    }
}
