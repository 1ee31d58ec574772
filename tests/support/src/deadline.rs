//! Waiting for what a server does in its own time.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often one looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Looks until `look` says `Ok`, or for so long. What kept it from being so is in the error.
pub(crate) fn until<T>(
    within: Duration,
    what: &str,
    mut look: impl FnMut() -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    let mut reported = 0;
    loop {
        let not_yet = match look() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let waited = started.elapsed();
        if waited > within {
            bail!("not after {within:?}: {what}: {not_yet:#}");
        }
        if waited.as_secs() / 5 > reported {
            reported = waited.as_secs() / 5;
            eprintln!("waiting for {what} ({} s): {not_yet:#}", waited.as_secs());
        }
        std::thread::sleep(LOOK_EVERY);
    }
}
