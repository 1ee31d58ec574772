//! The app's token storage, for the core; and what storages in Kotlin and Swift are made of: a file
//! that is replaced atomically, and a lock between processes.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use regrant::client::{self, StorageLock};
use regrant::error::Cause;
use regrant::internal;
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
    /// example because it is locked until the user unlocks the device: "nothing" signs the user out,
    /// and so does `CallbackError.Lost`. A call that takes longer than the session's timeout fails.
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

/// A file that only its owner can read and that is replaced atomically: after a crash it has either
/// the old content or the new. The folder must exist, on a local file system.
///
/// Calls block, so make them where that is allowed. They must not overlap with `replace`.
#[derive(uniffi::Object)]
pub struct DurableFile(internal::DurableFile);

#[uniffi::export]
impl DurableFile {
    /// The file at `path`, which need not exist.
    #[uniffi::constructor]
    pub fn new(path: String) -> Self {
        Self(internal::DurableFile::new(path))
    }

    /// Reads the content; nothing if there is no file.
    pub fn read(&self) -> Result<Option<Vec<u8>>, CallbackError> {
        let content = self.0.read().map_err(failed("read the file"))?;
        Ok(content.map(|mut bytes| std::mem::take(&mut *bytes)))
    }

    /// Replaces the content, durably. If it fails, the content may or may not have been replaced.
    pub fn replace(&self, content: Vec<u8>) -> Result<(), CallbackError> {
        self.0.replace(&Zeroizing::new(content)).map_err(failed("replace the file"))
    }

    /// Removes the file, durably. Succeeds if there is none.
    pub fn remove(&self) -> Result<(), CallbackError> {
        self.0.remove().map_err(failed("remove the file"))
    }
}

/// A lock on a file, between the processes of this machine and between the locks of this process.
/// The system releases it when the process ends, even if it is killed.
#[derive(uniffi::Object)]
pub struct FileLock {
    path: PathBuf,
    held: Mutex<Option<StorageLock>>,
}

#[uniffi::export]
impl FileLock {
    /// A lock on the file at `path`, which is created if it does not exist and never removed.
    #[uniffi::constructor]
    pub fn new(path: String) -> Self {
        Self { path: path.into(), held: Mutex::default() }
    }

    /// Tries to take the lock. Returns false if it is held, by this object or another.
    // Waiting is left to the languages, whose tasks can be cancelled meanwhile.
    pub fn try_lock(&self) -> Result<bool, CallbackError> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if held.is_some() {
            return Ok(false);
        }
        *held = StorageLock::try_file(&self.path).map_err(failed("lock the file"))?;
        Ok(held.is_some())
    }

    /// Releases the lock, if it is held by this object.
    pub fn unlock(&self) {
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Names neither the path nor the content of the file.
fn failed(what: &'static str) -> impl Fn(io::Error) -> CallbackError {
    move |error| match error.kind() {
        // A missing file is no error of these operations.
        io::ErrorKind::NotFound => CallbackError::FolderMissing,
        _ => CallbackError::Failed { reason: format!("cannot {what}: {error}") },
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
impl client::TokenStorage for Foreign {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        let read = self.storage.read().await.map_err(CallbackError::into_storage_error)?;
        Ok(read.map(Zeroizing::new))
    }

    async fn write(&self, mut value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        let written = self.storage.write(std::mem::take(&mut *value)).await;
        written.map_err(CallbackError::into_storage_error)
    }

    async fn clear(&self) -> Result<(), Cause> {
        self.storage.clear().await.map_err(CallbackError::into_storage_error)
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        let (storage, in_use) = (Arc::clone(&self.storage), self.in_use.clone());
        // A task of its own, so that a lock that is taken after this future was dropped (after a
        // timeout) is released: the task's result is dropped, which unlocks.
        let locked = tokio::spawn(async move {
            storage.lock().await?;
            Ok::<_, CallbackError>(Held { storage, _in_use: in_use })
        });
        Ok(StorageLock::new(locked.await?.map_err(CallbackError::into_storage_error)?))
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
