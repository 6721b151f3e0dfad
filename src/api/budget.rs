//! One bound on the memory of all requests together: bodies, what is parsed of them, and answers that
//! wait for clients that do not read.

use super::Problem;
use crate::conduct::Refusal;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of one permit.
const UNIT: usize = 1024;
/// A parsed document takes about so many times its text.
const PARSED: usize = 8;
/// Longest wait for memory that others hold.
const PATIENCE: Duration = Duration::from_secs(5);

/// The memory that requests may hold.
#[derive(Clone)]
pub struct Budget {
    permits: Arc<Semaphore>,
    total: usize,
}

/// Memory that one request holds.
#[derive(Default)]
pub struct Held(Option<OwnedSemaphorePermit>);

impl Held {
    /// Gives back all but the memory for a text of so many bytes.
    pub fn shrink_to(&mut self, bytes: usize) {
        let keep = (bytes * PARSED).div_ceil(UNIT);
        if let Some(permit) = &mut self.0 {
            drop(permit.split(permit.num_permits().saturating_sub(keep)));
        }
    }
}

impl Budget {
    pub fn new(bytes: usize) -> Self {
        let total = (bytes / UNIT).clamp(1, Semaphore::MAX_PERMITS.min(u32::MAX as usize));
        Self {
            permits: Arc::new(Semaphore::new(total)),
            total,
        }
    }

    /// Takes memory for so many bytes that are kept as they are; refused where others hold too much.
    pub async fn take(&self, bytes: usize) -> Result<OwnedSemaphorePermit, Refusal> {
        let wanted = bytes.div_ceil(UNIT).clamp(1, self.total) as u32;
        let permits = self.permits.clone();
        match tokio::time::timeout(PATIENCE, permits.acquire_many_owned(wanted)).await {
            Ok(Ok(permit)) => Ok(permit),
            _ => Err(Refusal::Busy),
        }
    }

    /// The same, without waiting.
    pub fn try_take(&self, bytes: usize) -> Option<OwnedSemaphorePermit> {
        let wanted = bytes.div_ceil(UNIT).clamp(1, self.total) as u32;
        self.permits.clone().try_acquire_many_owned(wanted).ok()
    }

    /// Takes memory for a text of so many bytes that will be parsed, beside what is held.
    pub async fn take_text(&self, bytes: usize, held: &mut Held) -> Result<(), Problem> {
        let more = self.take(bytes * PARSED).await?;
        match &mut held.0 {
            Some(permit) => permit.merge(more),
            None => held.0 = Some(more),
        }
        Ok(())
    }

    /// Bytes that are held now.
    pub fn held(&self) -> usize {
        (self.total - self.permits.available_permits()) * UNIT
    }
}
