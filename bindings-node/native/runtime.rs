//! The threads on which asynchronous calls run.

use std::env;
use std::thread::available_parallelism;

use napi::bindgen_prelude::create_custom_tokio_runtime;
use tokio::runtime::Builder;

/// Tokio's own variable, by which an operator can ask for another number.
const THREADS: &str = "TOKIO_WORKER_THREADS";

/// More are of no use: what they do is wait for the store and sign.
const MOST: usize = 4;

/// One thread fewer than cores, for JavaScript has one already. A thread that has nothing to do
/// is woken to look for work whenever another one gets some, which on two cores took a third of
/// the time of a lone refresh.
#[napi_derive::module_init]
fn start() {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_name("regrant");
    if env::var_os(THREADS).is_none() {
        let cores = available_parallelism().map_or(1, usize::from);
        builder.worker_threads(cores.saturating_sub(1).clamp(1, MOST));
    }
    // Where it cannot be made, napi tries to make its own when it is first needed.
    if let Ok(runtime) = builder.build() {
        create_custom_tokio_runtime(runtime);
    }
}
