//! Properties of any input. One file per target, each a function of bytes that panics where a
//! property is violated.
//!
//! `libfuzzer/` runs them for any length of time (`cargo xtask fuzz`), `tests/seeds.rs` once over the
//! seeds and all findings.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a panic reports a violated property"
)]

mod bearer;
mod claims;
mod compact;
mod jwks;
mod keys;
mod proof;
mod record;
mod reference;
mod refresh;
mod second_opinion;
mod source;
mod step;

/// A fuzz target: its name, and the function that must not panic.
pub type FuzzTarget = (&'static str, fn(&[u8]));

/// All targets. Each has a file of the same name in `libfuzzer/fuzz_targets`, and a folder in
/// `seeds`.
pub const TARGETS: &[FuzzTarget] = &[
    ("compact", compact::run),
    ("claims", claims::run),
    ("jwks", jwks::run),
    ("bearer", bearer::run),
    ("proof", proof::run),
    ("record", record::run),
    ("step", step::run),
    ("refresh", refresh::run),
];

/// Runs the target `name` once.
///
/// # Panics
/// When there is no such target, or a property is violated.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target is called {name}")).1(input);
}
