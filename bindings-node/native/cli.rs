//! `npx regrant`: the operator's command of the core.

use napi_derive::napi;

/// Runs the command that these arguments, those after its name, ask for: reads standard input and
/// writes to standard output and standard error itself, and returns when it is done. Answers with
/// the exit status.
#[napi(catch_unwind)]
pub fn cli(args: Vec<String>) -> u32 {
    regrant_cli::run(args).into()
}
