//! `rust`: the tests of all crates, and those of the core once more on the other cryptography. The
//! client's I/O is no default feature.

use crate::outcome::Stop;
use crate::process::Step;

pub(super) fn run() -> Result<(), Stop> {
    test(&["--workspace"])?;
    test(&["-p", "regrant", "-F", "client-reqwest", "--test", "client_session"])?;
    test(&["-p", "regrant", "-F", "client-reqwest", "--doc"])?;
    test(&["-p", "regrant", "--no-default-features", "-F", "rust-crypto"])
}

fn test(selection: &[&str]) -> Result<(), Stop> {
    // One failure does not hide the others.
    Ok(Step::new("cargo").args(["test", "--locked", "--no-fail-fast"]).args(selection).run()?)
}
