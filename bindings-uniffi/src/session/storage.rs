//! Where the tokens are kept, by the means of the platform.

use std::convert::Infallible;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use regrant::client::StorageLock;
use regrant::error::Cause;
use tokio::sync::mpsc;
use zeroize::Zeroizing;

use super::CallbackError;

/// Keeps one value, which is as secret as the tokens in it.
///
/// Every operation is whole or not done at all, also when the process is killed, and a write that
/// has failed does not take effect later. Calls come one after the other.
#[uniffi::export(with_foreign)]
#[async_trait]
pub trait TokenStorage: Send + Sync {
    /// What is stored; nothing when nothing is. A storage that cannot be read fails, as one that
    /// is locked until the user unlocks the device: "nothing" signs the user out.
    async fn read(&self) -> Result<Option<Vec<u8>>, CallbackError>;

    /// Stores `value` in place of whatever is there, durably; fails when it is not certain that
    /// this was done.
    async fn write(&self, value: Vec<u8>) -> Result<(), CallbackError>;

    /// Removes whatever is there, durably; fails when it is not certain that this was done. It is
    /// no failure if there is nothing.
    async fn clear(&self) -> Result<(), CallbackError>;

    /// Keeps every other process, and every other session over the same storage, from locking it
    /// until `unlock`; waits for them, and fails when it cannot be locked. A storage of which
    /// there is one user at a time returns at once.
    ///
    /// A lock that comes too late for the session is unlocked again. Where the language cancels
    /// it, it must not be held afterwards.
    async fn lock(&self) -> Result<(), CallbackError>;

    /// Releases the lock. Called once for every `lock` that succeeded, on the session's own
    /// thread: it must not wait.
    fn unlock(&self) -> Result<(), CallbackError>;
}

/// A storage that forgets when the process ends, and locks nothing: for tests and trials.
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
    /// Gone when nothing uses the storage any more.
    in_use: mpsc::Sender<Infallible>,
}

impl Foreign {
    /// The storage, and a channel that closes when nothing uses it any more.
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
        // A task of its own: what is locked after this future was dropped, because it took too
        // long, would never be unlocked. The task's result is dropped then, and so unlocks.
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

/// The lock, while it is held.
struct Held {
    storage: Arc<dyn TokenStorage>,
    _in_use: mpsc::Sender<Infallible>,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Err(error) = self.storage.unlock() {
            tracing::warn!(target: super::TARGET, %error, "the token storage was not unlocked");
        }
    }
}
