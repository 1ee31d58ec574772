//! Ctrl-C and other termination signals: recorded here. The code that waits for a program acts on
//! them, so that no started program stays behind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

use anyhow::{Context, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// The exit code of a command that was interrupted: 128 + SIGINT.
pub(crate) const EXIT_CODE: u8 = 130;

/// Records SIGINT, SIGTERM and SIGHUP from now on. A second signal ends this process at once.
pub(crate) fn listen() -> Result<()> {
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        // In this order: the first signal finds the flag unset, the second finds it set.
        flag::register_conditional_shutdown(signal, EXIT_CODE.into(), REQUESTED.clone())
            .and_then(|_| flag::register(signal, REQUESTED.clone()))
            .context("cannot install signal handlers")?;
    }
    Ok(())
}

/// Whether a termination signal has arrived.
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::Relaxed)
}
