//! A chroot of Debian trixie with Swift, for machines without Swift.
//!
//! All mounts are made in a mount namespace of the program that needs them
//! (`unshare`): the machine itself never sees them, and they end with the program, however
//! it ends. So nothing that removes or walks the folder can reach the checkout through a mount.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use rustix::fs::{CWD, FileType, Mode, makedev, mknodat};

use super::mirror;
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::on_path;

/// The first release of Debian with Swift.
const SUITE: &str = "trixie";
const PACKAGES: &str = "swiftlang,libc6-dev,g++,ca-certificates";
/// The only devices in the chroot: name, major and minor number.
const DEVICES: &[(&str, u32, u32)] = &[
    ("null", 1, 3),
    ("zero", 1, 5),
    ("full", 1, 7),
    ("random", 1, 8),
    ("urandom", 1, 9),
    ("tty", 5, 0),
];
/// Private mount and process namespaces; all processes in them end with `unshare`.
const NAMESPACE: &[&str] = &["--mount", "--pid", "--fork", "--kill-child", "--"];

/// A chroot of Debian with Swift.
#[derive(Debug)]
pub(crate) struct Chroot {
    root: PathBuf,
}

/// The program that creates the chroot, if that is possible: as root with permission to mount.
pub(super) fn maker() -> Option<PathBuf> {
    let debootstrap = on_path("debootstrap")?;
    let able = rustix::process::geteuid().is_root() && on_path("apt-get").is_some() && may_mount();
    able.then_some(debootstrap)
}

fn may_mount() -> bool {
    Command::new("unshare")
        .args(NAMESPACE)
        .args(["mount", "-t", "proc", "proc", "/proc"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

impl Chroot {
    /// The chroot in the cache, created if absent. All checkouts of this user share it, and a lock
    /// serialises its creation.
    pub(super) fn ready() -> Result<Self, Stop> {
        let cache = cache()?;
        fs::create_dir_all(&cache)?;
        let lock = File::create(cache.join("swift-chroot.lock"))?;
        lock.lock().context("cannot lock the cache")?;
        let root = cache.join(format!("swift-{SUITE}"));
        if !root.is_dir() {
            make(&root)?;
        }
        Ok(Self { root })
    }

    /// `program` in a folder of the checkout, which has the same path as outside and is read-only, except for
    /// Cargo's target folder. Runs as root with only these environment variables,
    /// without arguments yet.
    pub(super) fn step(
        &self,
        folder: &Path,
        variables: &[(&str, String)],
        program: &str,
    ) -> Invocation {
        let enter = checkout::root().join("tests/xtask/src/swift/enter.sh");
        let (checkout, target) = (checkout::root(), checkout::target());
        Invocation::new("unshare")
            .args(NAMESPACE)
            .args(["sh".as_ref(), enter.as_path(), &self.root, &checkout, &target, folder])
            .args(variables.iter().map(|(name, value)| format!("{name}={value}")))
            .args([program])
    }
}

/// Creates the chroot in a temporary folder and renames it when it is complete.
fn make(root: &Path) -> Result<(), Stop> {
    let partial = root.with_extension("partial");
    discard(&partial)?;
    let mirror = mirror::address()?;
    println!("creating a Debian chroot with Swift in {}: about 3 GB, once", root.display());
    let mut debootstrap = Invocation::new("unshare")
        .args(NAMESPACE)
        .args(["debootstrap", "--variant=minbase"])
        .args([format!("--include={PACKAGES}"), SUITE.to_owned()])
        .args([partial.as_os_str(), mirror.as_ref()]);
    if let Some(proxy) = mirror::proxy()? {
        debootstrap = debootstrap.env("http_proxy", proxy);
    }
    debootstrap.run_online()?;
    devices(&partial)?;
    // The downloaded package files.
    Invocation::new("chroot")
        .args([partial.as_os_str(), "apt-get".as_ref(), "clean".as_ref()])
        .run()?;
    fs::rename(&partial, root).context("cannot rename the chroot")?;
    Ok(())
}

/// Creates the devices that debootstrap did not. The machine's own `/dev` is never mounted there.
fn devices(root: &Path) -> Result<()> {
    for &(name, major, minor) in DEVICES {
        let path = root.join("dev").join(name);
        if path.exists() {
            continue;
        }
        let mode = Mode::from_raw_mode(0o666);
        mknodat(CWD, &path, FileType::CharacterDevice, mode, makedev(major, minor))
            .with_context(|| format!("cannot create {}", path.display()))?;
    }
    Ok(())
}

/// Removes the rest of an interrupted attempt; fails if anything is mounted in it.
fn discard(folder: &Path) -> Result<()> {
    if !folder.exists() {
        return Ok(());
    }
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    if let Some(mount) = mounted_in(&mounts, &folder.canonicalize()?) {
        bail!("{} is mounted: unmount it first", mount.display());
    }
    Invocation::new("rm").args(["-r", "-f", "--one-file-system", "--"]).args([folder]).run()
}

/// The first of these mounts (`proc_pid_mounts(5)`) that is this folder or inside it.
fn mounted_in(mounts: &str, folder: &Path) -> Option<PathBuf> {
    let points = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    points.map(|point| PathBuf::from(unescaped(point))).find(|point| point.starts_with(folder))
}

/// Decodes the escapes of mount points: a space, tab, line feed or backslash is `\` and three octal
/// digits.
fn unescaped(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |text, (escape, character)| text.replace(escape, character))
}

/// This user's cache folder.
fn cache() -> Result<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    named("XDG_CACHE_HOME")
        .or_else(|| Some(named("HOME")?.join(".cache")))
        .map(|cache| cache.join("regrant"))
        .context("neither XDG_CACHE_HOME nor HOME is set")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_in_a_folder_are_found() {
        let mounts = "\
            proc /proc proc rw 0 0\n\
            /dev/vda / ext4 rw 0 0\n\
            proc /cache/a\\040b.partial/proc proc rw 0 0\n";
        let found = |folder: &str| mounted_in(mounts, Path::new(folder));
        assert_eq!(found("/cache/a b.partial"), Some("/cache/a b.partial/proc".into()));
        assert_eq!(found("/cache/a b.partial/proc"), Some("/cache/a b.partial/proc".into()));
        assert_eq!(found("/cache/a b"), None);
        assert_eq!(found("/cache/other"), None);
    }

    #[test]
    fn nothing_is_mounted_outside_of_a_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let enter = checkout::root().join("tests/xtask/src/swift/enter.sh");
        let output = Command::new("sh")
            .args([&enter, folder.path(), Path::new("/a"), Path::new("/b"), Path::new("/")])
            .arg("true")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(String::from_utf8_lossy(&output.stderr).contains("not in namespaces"));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_rest_of_an_interrupted_attempt_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let partial = folder.path().join("x.partial");
        fs::create_dir_all(partial.join("usr")).unwrap();
        discard(&partial).unwrap();
        assert!(!partial.exists() && folder.path().exists());
        discard(&partial).unwrap();
    }
}
