//! The Swift toolchain: the installed one, or Debian's in a chroot.
//!
//! The chroot is made and entered by the scripts beside this file, in a mount namespace of their own (`unshare`): the
//! machine itself never sees their mounts, and they end with the program, however it ends. So nothing that removes or
//! walks the folder can reach the checkout through a mount.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::checkout;
use crate::process::{Invocation, on_path};

/// The oldest supported Swift, as in the package's `swift-tools-version`.
const MAJOR: u32 = 6;
/// Private mount and process namespaces; all processes in them end with `unshare`.
const NAMESPACE: &[&str] = &["--mount", "--pid", "--fork", "--kill-child", "--"];
const CREATE: &str = "tests/xtask/src/swift/create.sh";
const ENTER: &str = "tests/xtask/src/swift/enter.sh";

/// A Swift toolchain that can be run.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The installed program `swift`.
    Installed(PathBuf),
    /// Debian's Swift in the chroot in this folder.
    Chroot(PathBuf),
}

impl Toolchain {
    /// Finds the toolchain, or creates the chroot if none is installed. All checkouts of this user share the chroot, and a
    /// lock serialises its creation.
    ///
    /// # Errors
    /// It can neither be found nor created.
    pub(crate) fn ready() -> Result<Self> {
        if let Some(swift) = installed() {
            return Ok(Self::Installed(swift));
        }
        let cache = cache()?;
        fs::create_dir_all(&cache)?;
        let lock = File::create(cache.join("swift-chroot.lock"))?;
        lock.lock().context("cannot lock the cache")?;
        let root = cache.join("swift-trixie");
        if !root.is_dir() {
            println!("creating a Debian chroot with Swift in {}: about 3 GB, once", root.display());
            unshare().args(["sh".as_ref(), CREATE.as_ref(), root.as_os_str()]).run_online()?;
        }
        Ok(Self::Chroot(root))
    }

    /// `swift` in a folder of the checkout with these environment variables, without arguments yet. In the chroot the
    /// checkout has the same path as outside and is read-only, except for Cargo's target folder; `swift` runs as root and
    /// has no other variables.
    pub(crate) fn swift(&self, folder: &str, variables: Vec<(&str, String)>) -> Invocation {
        match self {
            Self::Installed(swift) => Invocation::new(swift).within(folder).envs(variables),
            Self::Chroot(root) => unshare()
                .args(["sh", ENTER])
                .args([root, &checkout::root(), &checkout::target(), &checkout::path(folder)])
                .args(variables.iter().map(|(name, value)| format!("{name}={value}")))
                .args(["swift"]),
        }
    }
}

/// What precedes a program that runs in a folder of the checkout with another root folder, as `swift` does in its chroot.
pub(crate) fn entering(root: &Path, folder: &Path, variable: &OsStr) -> Vec<OsString> {
    let (enter, checkout, target) = (checkout::path(ENTER), checkout::root(), checkout::target());
    let paths = [&enter, root, &checkout, &target, folder];
    let namespace = ["unshare"].iter().chain(NAMESPACE).chain(&["sh"]).map(OsString::from);
    let paths = paths.into_iter().map(|path: &Path| path.as_os_str().to_owned());
    namespace.chain(paths).chain([variable.to_owned()]).collect()
}

/// The program that provides Swift, if any: `swift` itself, or `debootstrap` where it can create the chroot, as root with
/// permission to mount.
pub(crate) fn locate() -> Option<PathBuf> {
    installed().or_else(|| {
        let mount = ["mount", "-t", "proc", "proc", "/proc"];
        let able = || {
            rustix::process::geteuid().is_root()
                && on_path("apt-get").is_some()
                && unshare().args(mount).capture().is_ok()
        };
        on_path("debootstrap").filter(|_| able())
    })
}

/// The program `swift`, if it is recent enough.
fn installed() -> Option<PathBuf> {
    // `swift` alone may be the client of OpenStack's object store.
    let compiler = on_path("swiftc")?;
    let version = Invocation::new(&compiler).args(["--version"]).capture().ok()?;
    let swift = compiler.with_file_name("swift");
    (major(&version)? >= MAJOR && swift.is_file()).then_some(swift)
}

/// `Apple Swift version 6.0.3 (swift-6.0.3-RELEASE)` → 6.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("Swift version ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn unshare() -> Invocation {
    Invocation::new("unshare").args(NAMESPACE)
}

/// This user's cache folder.
fn cache() -> Result<PathBuf> {
    let named = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = named("XDG_CACHE_HOME").or_else(|| Some(named("HOME")?.join(".cache")));
    Ok(cache.context("neither XDG_CACHE_HOME nor HOME is set")?.join("regrant"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("Swift version 6.0.3 (swift-6.0.3-RELEASE)\nTarget: x86_64"), Some(6));
        assert_eq!(major("Apple Swift version 5.10 (swiftlang-5.10.0.13)"), Some(5));
        assert_eq!(major("Swift version 10-dev (LLVM)"), Some(10));
        assert_eq!(major("python-swiftclient 4.1.0"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn the_scripts_do_nothing_outside_of_a_namespace() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("root").display().to_string();
        for script in [&[CREATE, &root][..], &[ENTER, &root, "/a", "/b", "/", "true"]] {
            let error = Invocation::new("sh").args(script).run_and_keep().unwrap_err();
            assert!(error.to_string().ends_with("exit status: 3"), "{error:#}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
