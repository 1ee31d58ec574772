//! `swift`: the Swift binding, generated from the library and tested, also end to end against the Express example.

use std::ffi::{OsStr, OsString};

use super::bindgen;
use crate::bed::{self, Bed, Length};
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Step;
use crate::swift::Toolchain;

/// The test target that needs the bed.
const END_TO_END: &str = "RegrantEndToEndTests";

pub(super) fn run() -> Result<(), Stop> {
    prepare()?;
    let bed = Bed::start()?;
    let output = test(&bed, Length::Short)?.run_and_keep()?;
    // A run that finds no test succeeds as well.
    if !output.contains(" tests, with 0 failures") || output.contains("Executed 0 tests") {
        return Err(anyhow::anyhow!("no test was run").into());
    }
    bed::counted(&output)?;
    Ok(())
}

/// Runs the end-to-end tests alone; gives what they counted.
pub(crate) fn end_to_end(bed: &Bed, length: Length) -> Result<Vec<String>, Stop> {
    prepare()?;
    let output = test(bed, length)?.args(["--filter", END_TO_END]).run_and_keep()?;
    Ok(bed::counted(&output)?)
}

/// Builds the library and generates what is not committed.
fn prepare() -> Result<(), Stop> {
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
    Ok(())
}

/// `swift test`.
fn test(bed: &Bed, length: Length) -> Result<Step, Stop> {
    let built = checkout::built("debug");
    let mut search = OsString::from("-L");
    search.push(&built);
    let mut variables = bed.variables(length);
    // On a Mac: not the XCFramework.
    variables.push(("REGRANT_LIBRARY", "search-path".to_owned()));
    Ok(Toolchain::ready()?
        .swift(&checkout::swift(), &variables)
        .args(["test", "--disable-swift-testing", "--scratch-path"])
        .args([checkout::target().join("swift").as_os_str()])
        .args(linker(&search))
        .args(linker("-rpath".as_ref()))
        .args(linker(built.as_os_str())))
}

/// An argument for the linker, by way of `swift`.
fn linker(argument: &OsStr) -> [&OsStr; 2] {
    ["-Xlinker".as_ref(), argument]
}
