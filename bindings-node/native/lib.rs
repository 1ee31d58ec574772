//! The native half of the npm package `regrant`: translates types between Node and the core.
//!
//! It decides nothing. What fails comes back as data (`failure`), results that are
//! objects come back as JSON text, and the TypeScript half (`src/`) parses, throws and documents.

// The macro exports nothing from a test build, in which its functions are therefore unused.
#![cfg_attr(test, allow(dead_code))]

mod auth;
mod bare_function;
mod calls;
mod checker;
mod cli;
mod clock;
mod errors;
mod events;
mod failure;
mod identity_resolver;
mod input;
mod issuers;
mod jws;
mod log;
mod metrics;
mod proof;
mod records;
mod runtime;
mod token_text;
