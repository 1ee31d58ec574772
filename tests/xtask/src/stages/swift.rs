//! `swift`: the Swift binding, generated from the library and tested.

use std::ffi::{OsStr, OsString};

use super::bindgen;
use crate::checkout;
use crate::outcome::Stop;
use crate::swift::Toolchain;

pub(super) fn run() -> Result<(), Stop> {
    let library = bindgen::library()?;
    let sources = checkout::swift().join("Sources");
    bindgen::command("uniffi-bindgen-swift")
        .args([library.as_os_str(), sources.join("Regrant/Generated").as_os_str()])
        .args(["--swift-sources"])
        .run()?;
    bindgen::command("uniffi-bindgen-swift")
        .args([library.as_os_str(), sources.join("RegrantFFI").as_os_str()])
        .args(["--headers", "--modulemap", "--module-name", "RegrantFFI"])
        .args(["--modulemap-filename", "module.modulemap"])
        .run()?;
    let built = checkout::target().join("debug");
    let mut search = OsString::from("-L");
    search.push(&built);
    let output = Toolchain::ready()?
        .swift(&checkout::swift())
        .args(["test", "--disable-swift-testing", "--scratch-path"])
        .args([checkout::target().join("swift").as_os_str()])
        .args(linker(&search))
        .args(linker("-rpath".as_ref()))
        .args(linker(built.as_os_str()))
        // On a Mac: not the XCFramework.
        .env("REGRANT_LIBRARY", "search-path")
        .run_and_keep()?;
    // A run that finds no test succeeds as well.
    if !output.contains(" tests, with 0 failures") || output.contains("Executed 0 tests") {
        return Err(anyhow::anyhow!("no test was run").into());
    }
    Ok(())
}

/// An argument for the linker, by way of `swift`.
fn linker(argument: &OsStr) -> [&OsStr; 2] {
    ["-Xlinker".as_ref(), argument]
}
