//! Ctrl-C and other termination signals: recorded here. The code that waits for a program acts on
//! them, so that no started program stays behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

static REQUESTED: OnceLock<Arc<AtomicBool>> = OnceLock::new();

/// The exit code of a command that was interrupted: 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// Records SIGINT, SIGTERM and SIGHUP from now on. A second signal ends this process at once.
pub(crate) fn listen() -> Result<()> {
    let flag = REQUESTED.get_or_init(Arc::default);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag unset, the second finds it set.
        signal_hook::flag::register_conditional_shutdown(signal, EXIT_CODE.into(), flag.clone())
            .context("cannot install signal handlers")?;
        signal_hook::flag::register(signal, flag.clone())
            .context("cannot install signal handlers")?;
    }
    Ok(())
}

/// Whether a termination signal has arrived.
pub(crate) fn requested() -> bool {
    REQUESTED.get().is_some_and(|flag| flag.load(Ordering::Relaxed))
}
