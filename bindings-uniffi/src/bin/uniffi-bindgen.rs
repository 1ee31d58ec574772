//! Generates the Kotlin sources from the built library: uniffi's generator, of the version that the
//! library was built with, with two corrections of the code through which Rust calls into the app.
//!
//! It catches `kotlin.Exception`. Any other `Throwable`, such as that of `TODO()` or of a missing class,
//! would end the coroutine without a report, and the call in Rust would never return.
//!
//! It runs on `Dispatchers.Default`. If the app blocks all threads of that dispatcher, waiting for an
//! access token, the refresh that they wait for would never run.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    uniffi::uniffi_bindgen_main();
    let arguments: Vec<_> = env::args_os().collect();
    let out_dir = arguments.iter().position(|argument| argument == "--out-dir");
    match out_dir.and_then(|at| arguments.get(at + 1)) {
        Some(folder) if arguments.iter().any(|argument| argument == "kotlin") => {
            correct(&PathBuf::from(folder))
        }
        _ => Ok(()),
    }
}

/// Corrects the Kotlin sources in `folder`.
fn correct(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            correct(&path)?;
        } else if path.extension().is_some_and(|extension| extension == "kt") {
            let source = fs::read_to_string(&path)?;
            let source = source.replace("catch(e: kotlin.Exception)", "catch(e: Throwable)");
            let own = "GlobalScope.launch(callbackDispatcher) coroutineBlock@";
            fs::write(&path, source.replace("GlobalScope.launch coroutineBlock@", own))?;
        }
    }
    Ok(())
}
