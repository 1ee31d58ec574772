//! Polling until a condition holds.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often the condition is checked.
const POLL_INTERVAL: Duration = Duration::from_millis(10);

/// Calls `check` until it returns `Ok`, for at most `within`. The error contains that of the last
/// call.
pub(crate) fn until<T>(
    within: Duration,
    what: &str,
    mut check: impl FnMut() -> Result<T>,
) -> Result<T> {
    let started = Instant::now();
    let mut reported = 0;
    loop {
        let not_yet = match check() {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let waited = started.elapsed();
        if waited > within {
            bail!("not within {within:?}: {what}: {not_yet:#}");
        }
        if waited.as_secs() / 5 > reported {
            reported = waited.as_secs() / 5;
            eprintln!("waiting for {what} ({} s): {not_yet:#}", waited.as_secs());
        }
        std::thread::sleep(POLL_INTERVAL);
    }
}
