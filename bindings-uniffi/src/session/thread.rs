//! Where a session runs: on one thread of its own, so that no thread of the app ever waits.

use std::future::Future;
use std::sync::Arc;

use regrant::error::Error;

use super::SessionLogger;
use super::logger::log_to;

/// Runs `task` to its end on a thread of its own. What is logged on it goes to `logger`.
///
/// # Errors
/// [`Error::Internal`] when the system has no thread to give.
pub(super) fn run(
    task: impl Future<Output = ()> + Send + 'static,
    logger: Option<Arc<dyn SessionLogger>>,
) -> Result<(), Error> {
    // Without I/O of its own: a timer and a queue of tasks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        // Where proofs are signed, which may take a device its time.
        .max_blocking_threads(4)
        .thread_name("regrant")
        .build()
        .map_err(|_| Error::internal("no runtime for a session"))?;
    let thread = std::thread::Builder::new().name("regrant".to_owned());
    let main = move || {
        let _logging = logger.map(log_to);
        runtime.block_on(task);
    };
    thread.spawn(main).map(drop).map_err(|_| Error::internal("no thread for a session"))
}
