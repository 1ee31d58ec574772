//! The app's token storage, for the core.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use regrant::client::StorageLock;
use regrant::error::Cause;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::CallbackError;

/// Stores one value, which is as secret as the tokens in it.
///
/// Every operation is atomic, even if the process is killed, and a failed write does not take
/// effect later. Calls never overlap.
#[uniffi::export(with_foreign)]
#[async_trait]
pub trait TokenStorage: Send + Sync {
    /// Reads the value; nothing if the storage is empty. Fail if the storage cannot be read, for
    /// example because it is locked until the user unlocks the device: "nothing" signs the user out.
    async fn read(&self) -> Result<Option<Vec<u8>>, CallbackError>;

    /// Replaces the value, durably: it must survive a power failure. Fails unless the write is known
    /// to have succeeded.
    async fn write(&self, value: Vec<u8>) -> Result<(), CallbackError>;

    /// Removes the value, durably. Fails unless the removal is known to have succeeded. Succeeds if
    /// the storage is empty.
    async fn clear(&self) -> Result<(), CallbackError>;

    /// Locks the storage against every other process and every other session until `unlock`; waits
    /// while it is held elsewhere, and fails if it cannot be locked. A storage with one user at a
    /// time returns at once.
    ///
    /// A lock that is taken after the session's timeout is unlocked at once. If the call is
    /// cancelled, the lock must not be held afterwards.
    async fn lock(&self) -> Result<(), CallbackError>;

    /// Releases the lock. Called once for every successful `lock`, on the session's thread, which it
    /// must not block.
    fn unlock(&self) -> Result<(), CallbackError>;
}

/// A storage in memory without a lock, for tests.
#[uniffi::export]
pub fn in_memory_storage() -> Arc<dyn TokenStorage> {
    Arc::new(Memory::default())
}

#[derive(Default)]
struct Memory(Mutex<Option<Zeroizing<Vec<u8>>>>);

impl Memory {
    fn set(&self, value: Option<Zeroizing<Vec<u8>>>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = value;
    }
}

#[async_trait]
impl TokenStorage for Memory {
    async fn read(&self) -> Result<Option<Vec<u8>>, CallbackError> {
        let value = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(value.as_ref().map(|bytes| bytes.to_vec()))
    }

    async fn write(&self, value: Vec<u8>) -> Result<(), CallbackError> {
        self.set(Some(Zeroizing::new(value)));
        Ok(())
    }

    async fn clear(&self) -> Result<(), CallbackError> {
        self.set(None);
        Ok(())
    }

    async fn lock(&self) -> Result<(), CallbackError> {
        Ok(())
    }

    fn unlock(&self) -> Result<(), CallbackError> {
        Ok(())
    }
}

/// The app's storage for the core.
pub(super) struct Foreign {
    storage: Arc<dyn TokenStorage>,
    /// Dropped when the storage is no longer used.
    in_use: mpsc::Sender<Infallible>,
}

impl Foreign {
    /// The storage, and a channel that closes when it is no longer used.
    pub(super) fn new(storage: Arc<dyn TokenStorage>) -> (Self, mpsc::Receiver<Infallible>) {
        let (in_use, unused) = mpsc::channel(1);
        (Self { storage, in_use }, unused)
    }
}

#[async_trait]
impl regrant::client::TokenStorage for Foreign {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        Ok(self.storage.read().await?.map(Zeroizing::new))
    }

    async fn write(&self, mut value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        Ok(self.storage.write(std::mem::take(&mut *value)).await?)
    }

    async fn clear(&self) -> Result<(), Cause> {
        Ok(self.storage.clear().await?)
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        let (storage, in_use) = (Arc::clone(&self.storage), self.in_use.clone());
        // A task of its own, so that a lock that is taken after this future was dropped (after a
        // timeout) is released: the task's result is dropped, which unlocks.
        let locked = tokio::spawn(async move {
            storage.lock().await?;
            Ok::<_, CallbackError>(Held { storage, _in_use: in_use })
        });
        Ok(StorageLock::new(locked.await??))
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

/// A held lock, released on drop.
struct Held {
    storage: Arc<dyn TokenStorage>,
    _in_use: mpsc::Sender<Infallible>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.storage.unlock() {
            tracing::warn!(target: super::TARGET, %error, "failed to unlock the token storage");
        }
    }
}
