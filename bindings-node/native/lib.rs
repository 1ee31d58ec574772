//! The native half of the npm package `regrant`: converts types between Node and the core.
//!
//! It decides nothing. Errors are returned as data (`error`), results that are objects as JSON
//! text; the TypeScript half (`src/`) parses, throws and documents.

// The macro exports nothing from a test build, in which its functions are therefore unused.
#![cfg_attr(test, allow(dead_code))]

mod auth;
mod callbacks;
mod clock;
mod error;
mod fast_function;
mod http;
mod jwks;
mod jws;
mod key_value;
mod log;
mod metrics;
mod requests;
mod verify;

use std::env;
use std::thread::available_parallelism;

use napi::bindgen_prelude::create_custom_tokio_runtime;
use napi_derive::napi;
use tokio::runtime::Builder;

/// Tokio's own variable, with which an operator sets the number of threads.
const WORKER_THREADS: &str = "TOKIO_WORKER_THREADS";

/// More are of no use: the threads wait for the store, and sign.
const MAX_THREADS: usize = 4;

/// Starts the threads for asynchronous calls: one fewer than cores, since JavaScript has one. An
/// idle thread is woken whenever another one gets work, which on two cores took a third of the time
/// of a lone refresh.
#[napi_derive::module_init]
fn start_runtime() {
    let mut builder = Builder::new_multi_thread();
    builder.enable_all().thread_name("regrant");
    if env::var_os(WORKER_THREADS).is_none() {
        let cores = available_parallelism().map_or(1, usize::from);
        builder.worker_threads(cores.saturating_sub(1).clamp(1, MAX_THREADS));
    }
    // Where this fails, napi tries to start its own when it is first needed.
    if let Ok(runtime) = builder.build() {
        create_custom_tokio_runtime(runtime);
    }
}

/// Runs the operator's command, `npx regrant`, with these arguments: reads standard input, writes
/// to standard output and standard error, and returns the exit status.
#[napi(catch_unwind)]
pub fn cli(args: Vec<String>) -> u32 {
    regrant_cli::run(args).into()
}
