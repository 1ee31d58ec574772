//! Where tests keep their temporary files: in memory, if this machine has some to spare.
//!
//! Hundreds of servers each create a thousand files, and flush them. On a disk, that took half of the time that the
//! kernel spent on tests with servers, and on a slow one it was most of what they waited for.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use anyhow::Result;
use rustix::fs::{StatVfsMountFlags, statvfs};
use tempfile::TempDir;

/// The file system in memory that Linux has.
const IN_MEMORY: &str = "/dev/shm";
/// Needed of it, and of the memory itself: tests use at most a quarter of it at one time.
const NEEDED: u64 = 8 << 30;
/// As that of `/tmp`: servers that refuse to run as root run as somebody else.
const MODE: u32 = 0o1777;

static FOLDER: OnceLock<PathBuf> = OnceLock::new();

/// Chooses the folder for all test runs from now on. It is removed with the result; `None` is the system's own.
///
/// # Errors
/// The folder cannot be created.
pub(crate) fn choose() -> Result<Option<TempDir>> {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    if !has_room(Path::new(IN_MEMORY), NEEDED) || available(&memory) < NEEDED {
        return Ok(None);
    }
    let folder = tempfile::Builder::new().prefix("regrant-test-").tempdir_in(IN_MEMORY)?;
    // Not at once with the folder: the umask would take from it.
    fs::set_permissions(folder.path(), Permissions::from_mode(MODE))?;
    FOLDER.get_or_init(|| folder.path().to_owned());
    Ok(Some(folder))
}

/// The chosen folder: what `TMPDIR` is to be.
pub(crate) fn folder() -> Option<&'static Path> {
    FOLDER.get().map(PathBuf::as_path)
}

/// Whether a file system has so many bytes free, and programs and addons can be loaded from it.
fn has_room(path: &Path, needed: u64) -> bool {
    statvfs(path).is_ok_and(|it| {
        it.f_bavail.saturating_mul(it.f_frsize) >= needed
            && !it.f_flag.contains(StatVfsMountFlags::NOEXEC)
    })
}

/// The bytes that `/proc/meminfo` says programs can have; 0 without it.
fn available(memory: &str) -> u64 {
    let line = memory.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn available_memory_is_read() {
        let text = "MemTotal:       24684092 kB\nMemAvailable:   11000000 kB\n";
        assert_eq!(available(text), 11_000_000 << 10);
        assert_eq!(available("MemTotal: 1 kB\n"), 0);
        assert_eq!(available(""), 0);
    }

    #[test]
    fn a_file_system_without_room_is_not_used() {
        let here = std::env::temp_dir();
        assert!(!has_room(&here, u64::MAX));
        assert!(!has_room(&here.join("absent"), 0));
    }
}
