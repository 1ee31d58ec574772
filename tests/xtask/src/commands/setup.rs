//! `cargo xtask setup`: installs missing programs that the tests need.

mod debian;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::stages;
use crate::tools::Tool;

/// Installs the tools of all stages and prints what must be installed by hand.
pub(crate) fn run() -> Result<ExitCode> {
    let needed: Vec<_> = stages::ALL.iter().flat_map(|stage| stage.needs).copied().collect();
    install_missing(&needed)?;
    let missing = Tool::missing_of(&needed);
    for tool in &missing {
        println!("{}", tool.advice());
    }
    if missing.is_empty() {
        println!("everything that the tests need is installed");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

/// Installs the missing ones of these tools.
///
/// # Errors
/// A tool is still missing; the message says how to install it.
pub(crate) fn require(needed: &[Tool]) -> Result<()> {
    install_missing(needed)?;
    match Tool::missing_of(needed).first() {
        None => Ok(()),
        Some(missing) => bail!("{}", missing.advice()),
    }
}

/// Installs missing tools that are Debian packages, if this is Debian and the user is root.
pub(crate) fn install_missing(needed: &[Tool]) -> Result<()> {
    let mut packages: Vec<_> =
        Tool::missing_of(needed).into_iter().filter_map(Tool::debian_package).collect();
    packages.sort_unstable();
    packages.dedup();
    if packages.is_empty() || !debian::may_install() {
        return Ok(());
    }
    debian::install(&packages)
}
