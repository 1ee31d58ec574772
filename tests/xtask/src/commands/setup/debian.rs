//! Installing packages on Debian and its kin.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::{Context, Result};

use crate::process::Step;
use crate::tools::on_path;

/// Asked by Debian's packages before they start a service. 101: no.
const POLICY: &str = "/usr/sbin/policy-rc.d";
const START_NOTHING: &str = "#!/bin/sh\nexit 101\n";

/// Whether this is Debian or made from it, and we are root.
pub(crate) fn may_install() -> bool {
    rustix::process::geteuid().is_root()
        && Path::new("/etc/debian_version").exists()
        && on_path("apt-get").is_some()
}

/// Installs packages without starting the services in them: the tests start their own.
pub(crate) fn install(packages: &[&str]) -> Result<()> {
    println!("installing {}", packages.join(", "));
    let _policy = Policy::start_nothing()?;
    if let Err(error) = apt_get(&["update"]) {
        // The lists of last time may still do.
        println!("!!! {error:#}");
    }
    apt_get(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    Step::new("apt-get")
        // Somebody else may be installing something at the moment.
        .args(["-q", "-o", "DPkg::Lock::Timeout=300", "-o", "Acquire::Retries=3"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .run()
}

/// Keeps packages from starting services for as long as it exists.
struct Policy {
    /// Whether the file is ours to remove: a machine that has one keeps its own.
    ours: bool,
}

impl Policy {
    fn start_nothing() -> Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o755).open(POLICY);
        match file {
            Ok(mut file) => {
                let policy = Self { ours: true };
                file.write_all(START_NOTHING.as_bytes()).context("cannot write a policy-rc.d")?;
                Ok(policy)
            }
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                Ok(Self { ours: false })
            }
            Err(error) => Err(error).context("cannot write a policy-rc.d"),
        }
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if self.ours && std::fs::remove_file(POLICY).is_err() {
            eprintln!("!!! {POLICY} could not be removed; it keeps services from starting");
        }
    }
}
