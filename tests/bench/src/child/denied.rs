//! A process that fills a deny list and prints its memory use.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use regrant::internal::DenyList;
use regrant::revocation::{Revocation, RevocationTarget};
use regrant::types::{Clock as _, SessionId, SystemClock};

use super::command;

pub(super) const NAME: &str = "denied";

/// Bytes per entry in a deny list of `entries` revoked sessions.
pub(crate) fn measure(entries: u64) -> Result<f64> {
    let output = command(NAME, &entries.to_string())?.output()?;
    let (text, problem) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
    ensure!(output.status.success(), "{}: {problem}", output.status);
    Ok(text.trim().parse()?)
}

pub(super) fn run(entries: &str) -> Result<()> {
    let entries: u64 = entries.parse()?;
    let list = DenyList::default();
    let now = SystemClock.now();
    let before = resident()?;
    for _ in 0..entries {
        let target = RevocationTarget::Session { session: SessionId::random()? };
        list.deny(&Revocation::new(target, now.plus(Duration::from_secs(900))), now);
    }
    let grown = resident()?.saturating_sub(before);
    ensure!(list.len() as u64 == entries, "{} entries", list.len());
    println!("{}", grown as f64 / entries as f64);
    Ok(())
}

/// The memory use of this process in bytes.
fn resident() -> Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix(" kB"));
    Ok(kilobytes.context("no VmRSS")?.parse::<u64>()? * 1024)
}
