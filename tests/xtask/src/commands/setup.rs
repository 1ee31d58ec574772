//! `cargo xtask setup`: installs the programs that the tests need and that are missing.

mod debian;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::stages;
use crate::tools::Tool;

/// Installs what any stage needs and says what has to be installed by hand.
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

/// Installs what of these tools is missing and can be installed.
///
/// # Errors
/// One is missing still: what to do about it.
pub(crate) fn require(needed: &[Tool]) -> Result<()> {
    install_missing(needed)?;
    match Tool::missing_of(needed).first() {
        None => Ok(()),
        Some(missing) => bail!("{}", missing.advice()),
    }
}

/// Installs those of these tools that are missing and that the system's packages bring, where this
/// is Debian and we may. Leaves the rest alone.
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
