//! The file behind a path: who may write to it, and whether it is still the one that was opened.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

/// The file that was opened, to notice when its path leads to another one or to none. SQLite would go
/// on writing into a deleted file, and lose everything with the last process.
#[derive(Debug)]
pub(super) struct FileIdentity {
    path: PathBuf,
    /// Kept open, so that the numbers are not used again.
    #[cfg(unix)]
    file: File,
}

impl FileIdentity {
    /// Creates the file at `path` if there is none, for its owner only, and takes from other users of
    /// the machine what an earlier version gave them. `-wal` and `-shm` get the same mode from SQLite.
    pub(super) fn open_or_create(path: &Path) -> io::Result<Self> {
        let path = std::path::absolute(path)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt as _;
            options.mode(0o600);
        }
        let file = options.open(&path)?;
        close_to_others(&file);
        Ok(Self {
            path,
            #[cfg(unix)]
            file,
        })
    }

    /// Whether the path leads to the file that was opened.
    #[cfg(unix)]
    pub(super) fn is_in_place(&self) -> bool {
        use std::os::unix::fs::MetadataExt as _;
        let number = |meta: fs::Metadata| (meta.dev(), meta.ino());
        match (self.file.metadata(), fs::metadata(&self.path)) {
            (Ok(opened), Ok(present)) => number(opened) == number(present),
            // A folder that cannot be read for the moment says nothing.
            (_, Err(error)) => error.kind() != io::ErrorKind::NotFound,
            (Err(_), Ok(_)) => true,
        }
    }

    /// An open file cannot be deleted or replaced on other systems.
    #[cfg(not(unix))]
    pub(super) fn is_in_place(&self) -> bool {
        self.path.exists()
    }

    /// The absolute path.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }
}

/// Takes the permissions of other users of the machine away, where this process may.
#[cfg(unix)]
fn close_to_others(file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(meta) = file.metadata() else { return };
    let mode = meta.permissions().mode();
    if mode & 0o007 != 0
        && let Err(error) = file.set_permissions(fs::Permissions::from_mode(mode & 0o7770))
    {
        tracing::warn!(target: "regrant::store", %error, "other users of this machine may open the store's file");
    }
}

#[cfg(not(unix))]
fn close_to_others(_: &File) {}

/// Whether any user of the machine may rename and delete files in the folder of `path`.
#[cfg(unix)]
pub(super) fn is_in_public_folder(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    const WRITABLE_BY_OTHERS: u32 = 0o002;
    const STICKY: u32 = 0o1000;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let mode = fs::metadata(folder.unwrap_or(Path::new("."))).map(|meta| meta.permissions().mode());
    mode.is_ok_and(|mode| mode & WRITABLE_BY_OTHERS != 0 && mode & STICKY == 0)
}

#[cfg(not(unix))]
pub(super) fn is_in_public_folder(_: &Path) -> bool {
    false
}
