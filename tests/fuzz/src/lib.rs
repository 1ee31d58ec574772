//! What must hold whatever the input is. One file per target; each is a function of bytes that
//! panics where a property is broken.
//!
//! `libfuzzer/` runs them for as long as one likes (`cargo xtask fuzz`), `tests/seeds.rs` once over
//! the seeds and over everything that was ever found.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a broken property is told by a panic"
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

/// A target: its name, and what must not panic.
pub type Target = (&'static str, fn(&[u8]));

/// All targets. Each has a file of the same name in `libfuzzer/fuzz_targets`, and a folder in
/// `seeds`.
pub const TARGETS: &[Target] = &[
    ("compact", compact::run),
    ("claims", claims::run),
    ("jwks", jwks::run),
    ("bearer", bearer::run),
    ("proof", proof::run),
    ("record", record::run),
    ("step", step::run),
    ("refresh", refresh::run),
];

/// Runs the target named `name` once.
///
/// # Panics
/// Where there is no such target; and where a property is broken.
pub fn run(name: &str, input: &[u8]) {
    let target = TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target is called {name}")).1(input);
}
