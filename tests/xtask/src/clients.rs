//! The end-to-end tests of the clients of all languages, against the testbed: the Express example with short-lived
//! tokens behind fault proxies (`tests/clients`).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::cargo::{self, Artifact, Build, Kind};
use crate::checkout::{self, EXAMPLE, KOTLIN, SWIFT};
use crate::npm;
use crate::process::Invocation;
use crate::report::{Format, Report};
use crate::swift::Toolchain;

/// The folder of the client in Rust, and its test executable.
pub(crate) const RUST: &str = "tests/clients/rust";
pub(crate) const RUST_TESTS: &str = "end_to_end";

/// The package that tests the Keychain code.
const KEYCHAIN: &str = "bindings-uniffi/swift/Tests/Keychain";
/// The testbed prints its address after this prefix.
const TESTBED_PREFIX: &str = "clients testbed: http://127.0.0.1:";
/// The prefix of the lines in which the tests print counters.
const COUNTED: &str = "e2e: ";
/// For runs of [`Length::Long`].
const MORE: [(&str, &str); 2] = [("REGRANT_E2E_KILLS", "100"), ("REGRANT_E2E_EXPIRIES", "10")];

/// A language that has a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Rust,
    Kotlin,
    Swift,
}

/// How long the tests run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Length {
    Short,
    Long,
}

/// Environment variables.
type Variables = Vec<(&'static str, String)>;

/// The tests of a client, compiled.
pub(crate) struct Tests {
    invocation: Box<dyn FnOnce(Variables) -> Invocation + Send>,
    format: Format,
    expected: Vec<String>,
}

/// Compiles the tests of a client and the testbed. `end_to_end_only` omits the tests that need no testbed.
///
/// # Errors
/// Something does not compile, or a package registry cannot be reached.
pub(crate) fn prepare(client: Client, end_to_end_only: bool) -> Result<Tests> {
    npm::package(false, &[EXAMPLE])?;
    match client {
        Client::Rust => rust(),
        Client::Kotlin => kotlin(end_to_end_only),
        Client::Swift => swift(end_to_end_only),
    }
}

impl Tests {
    /// Runs the tests against a new testbed; also returns their counters.
    ///
    /// # Errors
    /// They fail, or print no counters.
    pub(crate) fn run(self, length: Length, log: &Path) -> Result<(Report, Vec<String>)> {
        let testbed_log = log.with_extension("testbed.log");
        let testbed = Invocation::new("node").args(["tests/clients/testbed/main.mjs"]);
        let mut testbed = testbed.env("PORT", "0").start(Some(&testbed_log))?;
        let port = testbed.wait_for_port(&testbed_log, TESTBED_PREFIX)?;
        let mut variables = vec![("REGRANT_E2E", format!("http://127.0.0.1:{port}"))];
        if length == Length::Long {
            variables.extend(MORE.map(|(name, value)| (name, value.to_owned())));
        }
        let report = (self.invocation)(variables).run_tests(self.format, self.expected, log)?;
        ensure!(report.tests() > 0, "no test was run");
        let output = std::fs::read(log)?;
        Ok((report, counted(&String::from_utf8_lossy(&output))?))
    }
}

/// The counter lines of the tests' output.
fn counted(output: &str) -> Result<Vec<String>> {
    let lines = output.lines().filter_map(|line| line.split_once(COUNTED));
    let counted: Vec<_> = lines.map(|(_, counted)| counted.trim_end().to_owned()).collect();
    ensure!(!counted.is_empty(), "the end-to-end tests did not run");
    Ok(counted)
}

fn rust() -> Result<Tests> {
    let artifacts = Build::Workspace.build(&["--test", RUST_TESTS])?;
    let test = artifacts.into_iter().find(|it| it.kind == Kind::Test && it.folder == RUST);
    let Artifact { path, folder, .. } = test.context("the client in Rust has no tests")?;
    Ok(Tests {
        format: Format::Libtest,
        expected: cargo::tests_of(&path)?,
        invocation: Box::new(move |variables| {
            Invocation::new(path).args(["--include-ignored"]).within(folder).envs(variables)
        }),
    })
}

fn kotlin(end_to_end_only: bool) -> Result<Tests> {
    kotlin_sources()?;
    let folder = checkout::path(KOTLIN);
    let inputs = ["pom.xml", "src", "sample/src", "examples", "target/generated-sources"];
    npm::unless_done(
        &folder.join("target/test-classes"),
        &inputs.map(|input| folder.join(input)),
        || {
            let compile = ["-B", "-ntp", "-q", "test-compile"];
            Invocation::new("mvn").args(compile).within(KOTLIN).run_online()
        },
    )?;
    Ok(Tests {
        format: Format::Surefire,
        expected: Vec::new(),
        invocation: Box::new(move |variables| {
            let native = with_path("-Dregrant.native=", &native_folder());
            let test = Invocation::new("mvn").args(["-B", "-ntp", "surefire:test"]).args([native]);
            let filter = end_to_end_only.then_some("-Dtest=EndToEnd*");
            test.args(filter).within(KOTLIN).envs(variables)
        }),
    })
}

/// The compiled tests of the adapter for OkHttp, run with the oldest version that it supports.
pub(crate) fn oldest_okhttp() -> Invocation {
    let native = with_path("-Dregrant.native=", &native_folder());
    let okhttp = ["-Dokhttp.artifact=okhttp", "-Dokhttp.version=4.12.0"];
    let test = Invocation::new("mvn").args(["-B", "-ntp", "surefire:test"]).args(okhttp);
    test.args(["-Dtest=dev.regrant.okhttp.BearerTest"]).args([native]).within(KOTLIN)
}

/// Builds the library and generates the Kotlin sources that are not committed.
///
/// # Errors
/// It does not compile.
pub(crate) fn kotlin_sources() -> Result<()> {
    let (library, programs) = native_library()?;
    let generator = cargo::program_of(&programs, "uniffi-bindgen")?;
    let out = checkout::path(KOTLIN).join("target/generated-sources");
    npm::unless_done(&out, std::slice::from_ref(&library), || {
        Invocation::new(generator)
            .args(["generate", "--language", "kotlin", "--no-format"])
            .args([library.as_os_str(), "--out-dir".as_ref(), out.as_os_str()])
            .run()
    })
}

fn swift(end_to_end_only: bool) -> Result<Tests> {
    let toolchain = Toolchain::ready()?;
    swift_sources()?;
    // On macOS, link this library instead of the XCFramework.
    let search = ("REGRANT_LIBRARY", "search-path".to_owned());
    let options = |swift: Invocation| {
        let native = native_folder();
        let linked: [OsString; 3] = [with_path("-L", &native), "-rpath".into(), native.into()];
        swift
            .args(["--disable-swift-testing", "--scratch-path"])
            .args([checkout::target().join("swift")])
            .args(linked.into_iter().flat_map(|argument| ["-Xlinker".into(), argument]))
    };
    let build = toolchain.swift(SWIFT, vec![search.clone()]);
    options(build.args(["build", "--build-tests"])).run()?;
    Ok(Tests {
        format: Format::XcTest,
        expected: Vec::new(),
        invocation: Box::new(move |mut variables| {
            variables.push(search);
            let test = toolchain.swift(SWIFT, variables).args(["test", "--skip-build"]);
            let filter = ["--filter", "RegrantEndToEndTests"];
            options(test).args(filter.iter().filter(|_| end_to_end_only))
        }),
    })
}

/// Builds the library and generates the Swift sources and the C header that are not committed.
///
/// # Errors
/// It does not compile.
pub(crate) fn swift_sources() -> Result<()> {
    let (library, programs) = native_library()?;
    let generator = cargo::program_of(&programs, "uniffi-bindgen-swift")?;
    let sources = checkout::path(SWIFT).join("Sources");
    npm::unless_done(&sources.join("Regrant/Generated"), std::slice::from_ref(&library), || {
        Invocation::new(&generator)
            .args([library.as_os_str(), sources.join("Regrant/Generated").as_os_str()])
            .args(["--swift-sources"])
            .run()?;
        Invocation::new(&generator)
            .args([library.as_os_str(), sources.join("RegrantFFI").as_os_str()])
            .args(["--headers", "--modulemap", "--module-name", "RegrantFFI"])
            .args(["--modulemap-filename", "module.modulemap"])
            .run()
    })
}

/// The tests of the Keychain code, compiled against fakes of Apple's frameworks.
///
/// # Errors
/// They do not compile.
pub(crate) fn keychain_tests() -> Result<Invocation> {
    let toolchain = Toolchain::ready()?;
    let swift = |arguments: [&str; 2]| {
        let options = ["--disable-swift-testing", "--scratch-path"];
        let scratch = [checkout::target().join("swift-keychain")];
        toolchain.swift(KEYCHAIN, Vec::new()).args(arguments).args(options).args(scratch)
    };
    swift(["build", "--build-tests"]).run()?;
    Ok(swift(["test", "--skip-build"]))
}

/// Builds the native library and copies it to where Kotlin and Swift load it from; also returns the generators.
fn native_library() -> Result<(PathBuf, Vec<Artifact>)> {
    let artifacts = Build::PureRust.build_as_tested(&["--lib", "--bins"])?;
    let built = cargo::library_of(&artifacts, "bindings-uniffi")?;
    let library = native_folder().join(built.file_name().context("a library has a name")?);
    npm::unless_done(&library, std::slice::from_ref(&built), || {
        std::fs::create_dir_all(native_folder())?;
        std::fs::copy(&built, &library).context("cannot copy the library")?;
        Ok(())
    })?;
    Ok((library, artifacts))
}

/// The folder from which Kotlin and Swift load the library. Not the folder of the profile, because the workspace build
/// may write another variant there.
fn native_folder() -> PathBuf {
    checkout::target().join("native")
}

/// An argument that ends with a path.
fn with_path(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counter_lines_are_extracted() {
        let output = "test a ... ok\ne2e: rust: kills: 8\nx e2e: swift: kills: 9\r\nnothing\n";
        assert_eq!(counted(output).unwrap(), ["rust: kills: 8", "swift: kills: 9"]);
        assert!(counted("test a ... ok\n").is_err());
    }
}
