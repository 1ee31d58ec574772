//! The programs that the stages need and that Cargo does not install: finds them, and installs them on Debian.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::process::{Invocation, Skip, on_path};
use crate::swift;

/// The oldest supported Node.js.
const NODE_MAJOR: u32 = 20;
/// Run by Debian packages before they start a service; exit code 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// A program, or a set of programs installed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    CargoFuzz,
    Node,
    RedisServer,
    Postgres,
    PgBouncer,
    MariaDb,
    Chromium,
    Jdk,
    Maven,
    Swift,
}

impl Tool {
    /// The names of its program, the Debian package that contains it if Debian's version is recent enough, and one line
    /// that says how to install it.
    fn description(self) -> (&'static [&'static str], Option<&'static str>, &'static str) {
        match self {
            Self::Rustfmt => {
                (&["cargo-fmt"], None, "rustfmt is missing: rustup component add rustfmt")
            }
            Self::Clippy => {
                (&["cargo-clippy"], None, "clippy is missing: rustup component add clippy")
            }
            Self::CargoFuzz => {
                (&["cargo-fuzz"], None, "cargo-fuzz is missing: cargo install --locked cargo-fuzz")
            }
            Self::Node => (
                &["node"],
                None,
                "Node.js 20 or newer with npm is missing: install it from nodejs.org",
            ),
            Self::RedisServer => (
                &["redis-server"],
                Some("redis-server"),
                "redis-server is missing: apt-get install redis-server, or brew install redis",
            ),
            Self::Postgres => (
                &["postgres"],
                Some("postgresql"),
                "PostgreSQL is missing: apt-get install postgresql, or brew install postgresql",
            ),
            Self::PgBouncer => (
                &["pgbouncer"],
                Some("pgbouncer"),
                "PgBouncer is missing: apt-get install pgbouncer, or brew install pgbouncer",
            ),
            Self::MariaDb => (
                &["mariadbd"],
                Some("mariadb-server-core"),
                "MariaDB is missing: apt-get install mariadb-server-core, or brew install mariadb",
            ),
            Self::Chromium => (
                // Made for programs only: it takes half of the processor time.
                &["chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"],
                Some("chromium-headless-shell"),
                "Chromium is missing: apt-get install chromium-headless-shell, or install Chrome",
            ),
            Self::Jdk => (
                &["javac"],
                Some("default-jdk-headless"),
                "a JDK (17 or newer) is missing: apt-get install default-jdk-headless",
            ),
            Self::Maven => (
                &["mvn"],
                Some("maven"),
                "Maven is missing: apt-get install maven, or brew install maven",
            ),
            Self::Swift => (
                &["swift"],
                // Creates a chroot with a newer Debian, because bookworm has no Swift.
                Some("debootstrap"),
                "Swift 6 is missing: install it from swift.org, or be root on Debian with debootstrap",
            ),
        }
    }

    pub(crate) fn advice(self) -> &'static str {
        self.description().2
    }

    /// The path of the program, if it is installed and recent enough.
    pub(crate) fn locate(self) -> Option<PathBuf> {
        if self == Self::Swift {
            return swift::locate();
        }
        let found = self.description().0.iter().find_map(|name| on_path(name));
        // Where Debian has the server, of which several versions may be installed.
        let debian = || installed_beside("/usr/lib/postgresql", "bin/postgres");
        let found = found.or_else(|| debian().filter(|_| self == Self::Postgres));
        // Not on everybody's `PATH`.
        let system = || self.description().0.iter().map(|name| Path::new("/usr/sbin").join(name));
        let found = found.or_else(|| system().find(|path| path.is_file()))?;
        let version = || Invocation::new(&found).args(["--version"]).capture().ok();
        let usable = match self {
            // The proxies of rustup exist even if the component is not installed.
            Self::Rustfmt | Self::Clippy => version().is_some(),
            Self::Node => {
                on_path("npm").is_some() && major(&version()?).is_some_and(|is| is >= NODE_MAJOR)
            }
            _ => true,
        };
        usable.then_some(found)
    }

    fn is_missing(&self) -> bool {
        self.locate().is_none()
    }
}

/// A program in one of the folders in `folder`.
fn installed_beside(folder: &str, program: &str) -> Option<PathBuf> {
    let mut versions = fs::read_dir(folder).ok()?.flatten();
    versions.find_map(|version| Some(version.path().join(program)).filter(|path| path.is_file()))
}

/// `v20.11.1` → 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

/// Checks that these tools are installed.
///
/// # Errors
/// A [`Skip`] that says how to install the missing ones.
pub(crate) fn check(needed: &[Tool]) -> Result<()> {
    let missing = needed.iter().filter(|tool| tool.is_missing());
    let advice: Vec<_> = missing.map(|tool| tool.advice()).collect();
    if !advice.is_empty() {
        bail!(Skip(advice.join("; ")));
    }
    Ok(())
}

/// Installs the missing ones of these tools if possible, and checks that they are installed.
pub(crate) fn require(needed: &[Tool]) -> Result<()> {
    install_missing(needed)?;
    check(needed)
}

/// Installs missing tools that are Debian packages, if this is Debian or a derivative and the user is root.
pub(crate) fn install_missing(needed: &[Tool]) -> Result<()> {
    let missing = needed.iter().filter(|tool| tool.is_missing());
    let packages: BTreeSet<_> = missing.filter_map(|tool| tool.description().1).collect();
    let able = rustix::process::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
        && on_path("apt-get").is_some();
    if packages.is_empty() || !able {
        return Ok(());
    }
    println!("installing {packages:?}");
    if Path::new(POLICY).exists() {
        return install(&packages);
    }
    // Services are not started: the tests start their own.
    fs::write(POLICY, "#!/bin/sh\nexit 101\n")?;
    fs::set_permissions(POLICY, PermissionsExt::from_mode(0o755))?;
    let installed = install(&packages);
    fs::remove_file(POLICY)?;
    installed
}

fn install(packages: &BTreeSet<&str>) -> Result<()> {
    let apt_get = || {
        Invocation::new("apt-get")
            // Another installation may be running.
            .args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"])
            .env("DEBIAN_FRONTEND", "noninteractive")
    };
    if let Err(error) = apt_get().args(["update"]).run() {
        // The previous package lists may suffice.
        println!("!!! {error:#}");
    }
    apt_get().args(["install", "-y", "--no-install-recommends"]).args(packages).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program"), None);
    }
}
