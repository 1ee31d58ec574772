//! Where the pair is kept while the app does not run.

use std::any::Any;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::error::Cause;

/// Keeps one value, which is as secret as the tokens in it.
///
/// Every operation is whole or not done at all, also when the process is killed, and a write that
/// has failed does not take effect later. Calls come one after the other.
#[async_trait]
pub trait TokenStorage: Send + Sync + fmt::Debug {
    /// What is stored; `None` for nothing. A storage that cannot be read fails, as one that is
    /// locked until the user unlocks the device: "nothing" signs the user out.
    ///
    /// # Errors
    /// When that is not known.
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause>;

    /// Stores `value` in place of whatever is there, durably: it is there after a power failure.
    ///
    /// # Errors
    /// When it is not certain that this was done.
    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause>;

    /// Removes whatever is there, durably. It is no error if there is nothing.
    ///
    /// # Errors
    /// When it is not certain that this was done.
    async fn clear(&self) -> Result<(), Cause>;

    /// Keeps every other process, and every other [`Session`](super::Session) over the same
    /// storage, from the same until the lock is dropped; waits for them. The default locks
    /// nothing: right for a storage of which there is one user at a time.
    ///
    /// # Errors
    /// When it cannot be locked.
    async fn lock(&self) -> Result<StorageLock, Cause> {
        Ok(StorageLock::new(()))
    }
}

/// A lock that is held. Dropping it releases it.
pub struct StorageLock(#[allow(dead_code, reason = "dropped, not read")] Box<dyn Any + Send>);

impl StorageLock {
    /// A lock that is released by dropping `guard`.
    pub fn new(guard: impl Any + Send) -> Self {
        Self(Box::new(guard))
    }
}

impl fmt::Debug for StorageLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StorageLock")
    }
}

/// A storage that forgets when the process ends: for tests and trials.
#[derive(Default)]
pub struct MemoryStorage(Mutex<Option<Zeroizing<Vec<u8>>>>);

impl MemoryStorage {
    fn value(&self) -> MutexGuard<'_, Option<Zeroizing<Vec<u8>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStorage([redacted])")
    }
}

#[async_trait]
impl TokenStorage for MemoryStorage {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        Ok(self.value().clone())
    }

    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        *self.value() = Some(value);
        Ok(())
    }

    async fn clear(&self) -> Result<(), Cause> {
        *self.value() = None;
        Ok(())
    }
}
