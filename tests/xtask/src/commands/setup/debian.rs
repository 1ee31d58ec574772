//! Installs packages on Debian and its derivatives.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Invocation;
use crate::tools::on_path;

/// Run by Debian packages before they start a service; exit code 101 forbids it.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const START_NOTHING: &str = "#!/bin/sh\nexit 101\n";

/// Whether this is Debian or a derivative, and the user is root.
pub(crate) fn may_install() -> bool {
    rustix::process::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
        && on_path("apt-get").is_some()
}

/// Installs packages without starting the services in them: the tests start their own.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    println!("installing {}", packages.join(", "));
    let _policy = Policy::start_nothing(Path::new(POLICY))?;
    if let Err(error) = apt_get(&["update"]) {
        // The previous package lists may suffice.
        println!("!!! {error:#}");
    }
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    Invocation::new("apt-get")
        // Another installation may be running.
        .args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Keeps packages from starting services for as long as it exists.
struct Policy {
    /// The file to remove on drop; absent if the machine has its own policy.
    ours: Option<PathBuf>,
}

impl Policy {
    fn start_nothing(path: &Path) -> Result<Self> {
        match OpenOptions::new().write(true).create_new(true).mode(0o755).open(path) {
            Ok(mut file) => {
                let policy = Self { ours: Some(path.to_path_buf()) };
                file.write_all(START_NOTHING.as_bytes()).context("cannot write policy-rc.d")?;
                Ok(policy)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Self { ours: None }),
            Err(error) => Err(error).context("cannot write policy-rc.d"),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        let Some(path) = &self.ours else { return };
        if let Err(error) = std::fs::remove_file(path) {
            eprintln!("!!! remove {}, it keeps services from starting: {error}", path.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_blocked_only_while_the_policy_exists() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        let policy = Policy::start_nothing(&path).unwrap();
        let status = std::process::Command::new("/bin/sh").arg(&path).status().unwrap();
        assert_eq!(status.code(), Some(101));
        drop(policy);
        assert!(!path.exists());
    }

    #[test]
    fn an_existing_policy_is_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        std::fs::write(&path, "theirs").unwrap();
        drop(Policy::start_nothing(&path).unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "theirs");
    }
}
