//! Where a client keeps its token pair, or its DPoP key, between runs: the trait [`TokenStorage`],
//! and storages in memory and in a file.

use std::any::Any;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use crate::dpop::SoftwareKey;
use crate::error::Cause;
use crate::types::SecretBytes;

/// How long to wait before trying the file lock again.
const LOCK_RETRY_DELAY: Duration = Duration::from_millis(10);

/// An error of a [`TokenStorage`] that a session treats in a way of its own. Any other error is
/// temporary: the session keeps its tokens and tries again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StorageError {
    /// The content is lost for good, for example because the system invalidated the key that it is
    /// encrypted with. The user is signed out
    /// ([`SignOutReason::StorageLost`](crate::client::SignOutReason::StorageLost)).
    /// [`TokenStorage::clear`] makes the storage usable again, with a new key if it needs one; a
    /// session calls it before the next sign-in is stored.
    #[error("the content of the token storage is lost for good")]
    Lost,
    /// The folder of the storage does not exist.
    #[error("the folder of the token storage does not exist")]
    FolderMissing,
}

/// Whether a storage has lost its content for good.
pub(super) fn is_lost(error: &Cause) -> bool {
    matches!(error.downcast_ref(), Some(StorageError::Lost))
}

/// Writes `value`. A storage that has lost its content is cleared first, which makes it usable again.
pub(super) async fn write_or_restore(
    storage: &dyn TokenStorage,
    value: Zeroizing<Vec<u8>>,
) -> Result<(), Cause> {
    match storage.write(value.clone()).await {
        Err(error) if is_lost(&error) => {
            storage.clear().await?;
            storage.write(value).await
        }
        written => written,
    }
}

/// Stores one value, which is as secret as the tokens in it.
///
/// Every operation is atomic, even if the process is killed, and a failed write does not take
/// effect later. Calls never overlap, except with one that has timed out (10 seconds by default).
#[async_trait]
pub trait TokenStorage: Send + Sync + fmt::Debug {
    /// Reads the value; `None` if the storage is empty. Fail if the storage cannot be read, for
    /// example because it is locked until the user unlocks the device: `None` signs the user out.
    ///
    /// # Errors
    /// When the content is unknown, or [`StorageError::Lost`].
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause>;

    /// Replaces the value, durably: it must survive a power failure.
    ///
    /// # Errors
    /// Unless the write is known to have succeeded.
    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause>;

    /// Removes the value, durably. Succeeds if the storage is empty.
    ///
    /// # Errors
    /// Unless the removal is known to have succeeded.
    async fn clear(&self) -> Result<(), Cause>;

    /// Locks the storage against every other process and every other
    /// [`Session`](super::Session) until the lock is dropped; waits while it is held elsewhere. The
    /// default locks nothing, which is correct for a storage with one user at a time.
    ///
    /// # Errors
    /// When it cannot be locked.
    async fn lock(&self) -> Result<StorageLock, Cause> {
        Ok(StorageLock::new(()))
    }
}

/// A held lock, released on drop.
pub struct StorageLock(#[allow(dead_code, reason = "held for its Drop")] Box<dyn Any + Send>);

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

/// A storage in memory, for tests.
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

/// A storage in a file that only its owner can read and that is replaced atomically, with a lock
/// file beside it (`.lock`) that serializes the processes of this machine.
///
/// The tokens are not encrypted: prefer a [`TokenStorage`] over the platform's keychain or keystore
/// where there is one. The folder must exist, on a local file system.
#[derive(Clone, Debug)]
pub struct FileStorage {
    file: DurableFile,
    lock: PathBuf,
    /// Orders operations, of which one may have timed out and go on.
    order: Arc<Mutex<()>>,
}

impl FileStorage {
    /// A storage in the file at `path`. The file need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self {
            lock: with_suffix(&path, ".lock"),
            file: DurableFile::new(path),
            order: Arc::default(),
        }
    }
}

#[async_trait]
impl TokenStorage for FileStorage {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        self.blocking(|file| file.read()).await
    }

    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        self.blocking(move |file| file.replace(&value)).await
    }

    async fn clear(&self) -> Result<(), Cause> {
        self.blocking(|file| file.remove()).await
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        loop {
            let path = self.lock.clone();
            let lock = tokio::task::spawn_blocking(move || StorageLock::try_file(&path)).await?;
            if let Some(lock) = lock.map_err(missing_folder)? {
                return Ok(lock);
            }
            tokio::time::sleep(LOCK_RETRY_DELAY).await;
        }
    }
}

impl FileStorage {
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&DurableFile) -> io::Result<T> + Send + 'static,
    ) -> Result<T, Cause> {
        let Self { file, order, .. } = self.clone();
        let work = move || {
            let _ordered = order.lock().unwrap_or_else(PoisonError::into_inner);
            work(&file)
        };
        tokio::task::spawn_blocking(work).await?.map_err(missing_folder)
    }
}

/// A file that cannot be created because its folder does not exist; any other error as it is.
fn missing_folder(error: io::Error) -> Cause {
    match error.kind() {
        ErrorKind::NotFound => StorageError::FolderMissing.into(),
        _ => error.into(),
    }
}

/// A file that only its owner can read and that is replaced atomically: after a crash it has either
/// the old content or the new. For storages that encrypt what [`FileStorage`] stores as it is.
///
/// The folder must exist, on a local file system. Calls block, and must not overlap with a
/// [`DurableFile::replace`] of the same file.
#[derive(Clone, Debug)]
pub struct DurableFile {
    path: PathBuf,
}

impl DurableFile {
    /// The file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Reads the content; `None` if there is no file.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(&self) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
        match std::fs::read(&self.path) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Replaces the content, durably.
    ///
    /// # Errors
    /// When the content may not have been replaced.
    pub fn replace(&self, content: &[u8]) -> io::Result<()> {
        let next = with_suffix(&self.path, ".next");
        // Left by a process that was killed.
        remove_if_exists(&next)?;
        let mut file = owner_only(OpenOptions::new().write(true).create_new(true)).open(&next)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&next, &self.path)?;
        self.sync_folder()
    }

    /// Removes the file, durably. Succeeds if there is none.
    ///
    /// # Errors
    /// When the file may still exist.
    pub fn remove(&self) -> io::Result<()> {
        if remove_if_exists(&self.path)? { self.sync_folder() } else { Ok(()) }
    }

    /// A renamed file survives a power failure only if its folder is synced too.
    fn sync_folder(&self) -> io::Result<()> {
        if cfg!(unix) {
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
        }
        Ok(())
    }
}

impl StorageLock {
    /// Tries to lock the file at `path`, which is created if it does not exist and never removed;
    /// `None` if the lock is held, by this process or another. The system releases the lock when the
    /// process ends, even if it is killed.
    ///
    /// # Errors
    /// When the file cannot be opened or locked.
    pub fn try_file(path: &Path) -> io::Result<Option<Self>> {
        let file = owner_only(OpenOptions::new().write(true).create(true)).open(path)?;
        Ok(try_lock(&file)?.then(|| Self::new(file)))
    }
}

/// As [`File::try_lock`], which Android does not have before Rust 1.98.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn try_lock(file: &File) -> io::Result<bool> {
    use rustix::fs::{FlockOperation, flock};
    match flock(file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn try_lock(file: &File) -> io::Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(std::fs::TryLockError::WouldBlock) => Ok(false),
        Err(std::fs::TryLockError::Error(error)) => Err(error),
    }
}

/// `path` with `suffix` appended to the file name.
fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// Files are created readable by their owner only.
fn owner_only(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// Whether there was a file.
fn remove_if_exists(path: &Path) -> io::Result<bool> {
    match std::fs::remove_file(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

impl SoftwareKey {
    /// Loads the key in `storage`, or creates one. Use a storage of its own, not that of the tokens.
    /// It is as secret as the key, and the tokens that are bound to the key are lost with it. A key
    /// that the storage has lost ([`StorageError::Lost`]) is replaced.
    ///
    /// # Errors
    /// When the storage fails, or contains something else.
    pub async fn load_or_create(storage: &dyn TokenStorage) -> Result<Self, Cause> {
        // Two processes that start at once must not create two keys.
        let _lock = storage.lock().await?;
        let found = match storage.read().await {
            Err(error) if is_lost(&error) => {
                storage.clear().await?;
                None
            }
            found => found?,
        };
        // Some storages return an empty value for one that they cannot decrypt any more.
        if let Some(pem) = found.filter(|pem| !pem.is_empty()) {
            return Ok(Self::from_pem(&SecretBytes::new(pem.as_slice()))?);
        }
        let key = Self::generate()?;
        write_or_restore(storage, key.pem().expose().to_vec().into()).await?;
        Ok(key)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_created_key_is_loaded_the_next_time() {
        let folder = tempfile::tempdir().unwrap();
        let storage = FileStorage::new(folder.path().join("key"));
        let first = SoftwareKey::load_or_create(&storage).await.unwrap();
        let again = SoftwareKey::load_or_create(&storage).await.unwrap();
        assert_eq!(first.thumbprint().unwrap(), again.thumbprint().unwrap());
        let another = SoftwareKey::load_or_create(&MemoryStorage::default()).await.unwrap();
        assert_ne!(first.thumbprint().unwrap(), another.thumbprint().unwrap());
    }

    /// A storage whose content is lost until it is cleared.
    #[derive(Debug, Default)]
    struct Lost {
        memory: MemoryStorage,
        is_cleared: AtomicBool,
        /// Whether that shows in a read already.
        fails_to_read: bool,
    }

    impl Lost {
        fn check(&self, fails: bool) -> Result<(), Cause> {
            let is_lost = fails && !self.is_cleared.load(Ordering::SeqCst);
            if is_lost { Err(StorageError::Lost.into()) } else { Ok(()) }
        }
    }

    #[async_trait]
    impl TokenStorage for Lost {
        async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
            self.check(self.fails_to_read)?;
            self.memory.read().await
        }

        async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
            self.check(true)?;
            self.memory.write(value).await
        }

        async fn clear(&self) -> Result<(), Cause> {
            self.is_cleared.store(true, Ordering::SeqCst);
            self.memory.clear().await
        }
    }

    #[tokio::test]
    async fn a_key_that_is_lost_for_good_is_replaced() {
        for fails_to_read in [true, false] {
            let storage = Lost { fails_to_read, ..Lost::default() };
            let first = SoftwareKey::load_or_create(&storage).await.unwrap();
            let again = SoftwareKey::load_or_create(&storage).await.unwrap();
            assert_eq!(first.thumbprint().unwrap(), again.thumbprint().unwrap());
        }
    }

    #[tokio::test]
    async fn a_value_that_is_not_a_key_is_not_overwritten() {
        let storage = MemoryStorage::default();
        storage.write(b"tokens".to_vec().into()).await.unwrap();
        assert!(SoftwareKey::load_or_create(&storage).await.is_err());
        assert_eq!(storage.read().await.unwrap().unwrap().as_slice(), b"tokens");
    }
}
