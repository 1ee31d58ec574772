//! The Rust client against the Express example: `cargo xtask test --only clients`.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod bound;
mod calls;
mod ends;
mod kills;
