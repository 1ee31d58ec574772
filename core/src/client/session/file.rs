//! A storage in a file of this machine.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use zeroize::Zeroizing;

use super::storage::{StorageLock, TokenStorage};
use crate::error::Cause;

/// How long to wait before the lock is tried again.
const PAUSE: Duration = Duration::from_millis(10);

/// A file that its owner alone can read, replaced as a whole, with a lock for all processes of
/// this machine in a file beside it (`.lock`).
///
/// The tokens in it are not encrypted. Where the platform has a keychain or a keystore, a
/// [`TokenStorage`] over that is better. The folder must exist, on a local file system.
#[derive(Clone, Debug)]
pub struct FileStorage {
    path: PathBuf,
}

impl FileStorage {
    /// A storage in the file at `path`, which need not exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// The path with `suffix` after its name.
    fn beside(&self, suffix: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(suffix);
        path.into()
    }
}

#[async_trait]
impl TokenStorage for FileStorage {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        let path = self.path.clone();
        blocking(move || match std::fs::read(&path) {
            Ok(bytes) => Ok(Some(Zeroizing::new(bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        })
        .await
    }

    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        let (path, next) = (self.path.clone(), self.beside(".next"));
        blocking(move || {
            let mut file =
                private(OpenOptions::new().write(true).create(true).truncate(true)).open(&next)?;
            file.write_all(&value)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            sync_folder(&path)
        })
        .await
    }

    async fn clear(&self) -> Result<(), Cause> {
        let path = self.path.clone();
        blocking(move || match std::fs::remove_file(&path) {
            Ok(()) => sync_folder(&path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        })
        .await
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        let path = self.beside(".lock");
        let open = move || private(OpenOptions::new().write(true).create(true)).open(&path);
        let file = blocking(open).await?;
        loop {
            match file.try_lock() {
                // The system releases it when the file is closed, so also when the process dies.
                Ok(()) => return Ok(StorageLock::new(file)),
                Err(TryLockError::WouldBlock) => tokio::time::sleep(PAUSE).await,
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, Cause> {
    Ok(tokio::task::spawn_blocking(work).await??)
}

/// Nobody but the owner may read what is created.
fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// A renamed file is there after a power failure only when its folder is on disk too.
fn sync_folder(path: &Path) -> io::Result<()> {
    if cfg!(unix) {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        File::open(folder.unwrap_or(Path::new(".")))?.sync_all()?;
    }
    Ok(())
}
