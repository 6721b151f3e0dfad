//! The use cases of a running trial, each in a file of its own.
//!
//! A use case reads and validates, decides (a pure step), persists, and appends its facts to the
//! ledger, all in one transaction. Writes of citizens and sources go through [`group`], which does
//! this for many at once.

pub mod analyse;
mod authentic;
mod blinding;
pub mod bundle;
pub mod change_status;
pub mod check;
pub mod checkpoint;
pub mod citizen;
pub mod cut;
pub mod draft;
mod draw;
mod drawn;
pub mod enrol;
pub mod enrolment;
pub mod erase;
pub mod exchange_key;
pub mod export;
mod fact;
pub mod flow;
pub mod group;
pub mod idempotency;
pub mod issue_key;
mod known;
pub mod ledger;
pub mod levels;
mod load_cut;
pub mod participants;
pub mod persons;
pub mod public_randomness;
mod reads;
pub mod record;
mod refusal;
pub mod register;
mod repeat;
pub mod requests;
pub mod rules;
pub mod trial;
pub mod units;
mod upgrade;
pub mod writer;

pub use fact::FactKind;
pub use refusal::Refusal;
pub use trial::{Status, Trial};

use crate::clock::Clock;
use crate::config::Config;
use crate::secrets::{Secrets, Voucher};
use crate::store::{Store, StoreError};
use chrono::NaiveDate;
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use uuid::{ContextV7, Timestamp, Uuid};

/// What every use case needs: the database, the time, the keys and the settings.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

pub struct Inner {
    pub store: Store,
    pub clock: Clock,
    pub secrets: Secrets,
    pub config: Config,
    trials: trial::Cache,
    standing: draw::Standing,
    drawn: drawn::Drawn,
    levels: levels::Known,
    reads: reads::Reads,
    /// How often a key was noted for reading many arms of others.
    pub many_reads: AtomicU64,
    voucher: Voucher,
    adopted: RwLock<BTreeMap<String, authentic::Boundary>>,
    proved: authentic::Proved,
    views: blinding::Views,
    /// The day on which each key was last written down as used.
    used: Mutex<HashMap<String, NaiveDate>>,
    pub(crate) analyses: analyse::Running,
}

impl std::ops::Deref for Service {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

/// Names of what the database remembers.
pub(super) const SECRET_KEY: &str = "secret_key";
const LEDGER_NAME: &str = "ledger.name";
pub(super) const FIRST_SECRET: &str = "first_secret_key";

/// Why the service does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("the schema of the database is not up to date: run `lodkast migrate`")]
    NotMigrated,
    #[error("the {0} is not the one that this database was made with")]
    Other(&'static str),
    #[error("the database cannot be taken over: {0}")]
    NotTakenOver(Refusal),
}

impl From<Refusal> for NotStarted {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Store(error) => Self::Store(error),
            other => Self::NotTakenOver(other),
        }
    }
}

impl Service {
    /// Opens the service on a database whose schema is up to date and whose keys are these.
    pub fn open(
        store: Store,
        clock: Clock,
        secrets: Secrets,
        config: Config,
    ) -> Result<Self, NotStarted> {
        if !store.is_up_to_date()? {
            return Err(NotStarted::NotMigrated);
        }
        let secrets = check_keys(&store, secrets)?;
        remember(&store, LEDGER_NAME, &config.ledger.name)?;
        let taken_over = upgrade::is_done(&store)?;
        let service = Self(Arc::new(Inner {
            voucher: secrets.voucher(),
            store,
            clock,
            secrets,
            config,
            trials: trial::Cache::default(),
            standing: draw::Standing::default(),
            drawn: drawn::Drawn::default(),
            levels: levels::Known::default(),
            reads: reads::Reads::default(),
            many_reads: AtomicU64::new(0),
            adopted: RwLock::default(),
            proved: authentic::Proved::default(),
            views: blinding::Views::default(),
            used: Mutex::default(),
            analyses: analyse::Running::default(),
        }));
        if !taken_over {
            upgrade::run(&service)?;
        }
        service.set_boundaries(upgrade::boundaries(&service)?);
        Ok(service)
    }

    /// Notes that a key was used today; written down outside of the request, at most once a day.
    pub fn note_use(&self, key: &str) -> bool {
        let today = self.clock.today();
        let mut used = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        used.insert(key.to_owned(), today) != Some(today)
    }

    /// When a key expires, where that is less than 60 days ahead.
    pub fn ends_soon(
        &self,
        caller: &crate::access::Caller,
    ) -> Option<chrono::DateTime<chrono::Utc>> {
        let soon = self.clock.now() + chrono::Duration::days(60);
        caller.expires_at.filter(|at| *at <= soon)
    }

    /// Writes down that a key was used today.
    pub fn write_use(&self, key: &str) -> Result<(), Refusal> {
        let today = self.clock.today();
        self.store.write(|tx| Ok(tx.set_key_used(key, today)?))
    }
}

/// The database remembers the fingerprints of the keys it was made with, the first secret key where
/// it was exchanged, and every public key that signed its ledgers.
fn check_keys(store: &Store, secrets: Secrets) -> Result<Secrets, NotStarted> {
    remember(store, SECRET_KEY, &secrets.secret_fingerprint())?;
    let secrets = match store.read(|tx| tx.find_installation(FIRST_SECRET))? {
        None => secrets,
        Some(sealed) => {
            let wrong = || NotStarted::Other(SECRET_KEY);
            let sealed = hex::decode(sealed).map_err(|_| wrong())?;
            let first = secrets.open_first(&sealed).map_err(|_| wrong())?;
            secrets.with_first(first)
        }
    };
    remember(store, "pseudonym_key", &secrets.pseudonym_fingerprint())?;
    store.write(|tx| checkpoint::remember_key(tx, &secrets))?;
    Ok(secrets)
}

/// Remembers a value; another one under this name is refused.
fn remember(store: &Store, name: &'static str, value: &str) -> Result<(), NotStarted> {
    let known = store.write(|tx| {
        let known = tx.find_installation(name)?;
        if known.is_none() {
            tx.insert_installation(name, value)?;
        }
        Ok::<_, StoreError>(known)
    })?;
    match known {
        Some(known) if known != value => Err(NotStarted::Other(name)),
        _ => Ok(()),
    }
}

/// A new id: UUIDv7, so that rows lie in the order in which they were made; within a millisecond
/// a counter keeps that order.
pub(crate) fn new_id(clock: &Clock) -> String {
    static CONTEXT: Mutex<ContextV7> = Mutex::new(ContextV7::new());
    let now = clock.now();
    let seconds = now.timestamp().max(0) as u64;
    let context = CONTEXT.lock().unwrap_or_else(PoisonError::into_inner);
    let time = Timestamp::from_unix(&*context, seconds, now.timestamp_subsec_nanos());
    Uuid::new_v7(time).to_string()
}
