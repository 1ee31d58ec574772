//! The program `regrant`, run as operators run it: what it prints, where, and how it ends.

mod config;
mod health;
mod keys;
mod program;
mod sessions;
mod sweep;
mod token;

use program::Program;

/// A secret of the tests.
const SECRET: &str = "an access secret of at least 32 bytes";
