//! The end-to-end tests of the clients of all languages, against the testbed: the Express example with short-lived
//! tokens behind fault proxies (`tests/clients`).

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::cargo::{self, Artifact, Build, Kind};
use crate::checkout;
use crate::npm;
use crate::outcome::Stop;
use crate::process::{Group, Invocation, ensure_running};
use crate::report::{Format, Report};
use crate::swift::Toolchain;

/// The crate of the client in Rust, and its test executable.
pub(crate) const CRATE: &str = "regrant-clients";
pub(crate) const TESTS: &str = "end_to_end";

/// Startup timeout of the testbed on a busy machine.
const READY_WITHIN: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The testbed prints its address after this prefix.
const TESTBED_PREFIX: &str = "clients testbed: http://127.0.0.1:";
/// The prefix of the lines in which the tests print counters.
const COUNTED: &str = "e2e: ";

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

/// Makes the invocation of the tests with these environment variables.
type InvocationOf = Box<dyn Fn(&[(&str, String)]) -> Invocation + Send>;

/// The tests of a client, compiled.
pub(crate) struct Tests {
    invocation: InvocationOf,
    format: Format,
    expected: Vec<String>,
    length: Length,
}

impl Tests {
    /// Runs the tests against a new testbed; also returns their counters.
    ///
    /// # Errors
    /// They fail, or print no counters.
    pub(crate) fn run(&self, log: &Path) -> Result<(Report, Vec<String>), Stop> {
        let testbed = Testbed::start(log)?;
        let invocation = (self.invocation)(&testbed.variables(self.length));
        let report = invocation.run_tests(self.format, self.expected.clone(), log)?;
        if report.tests() == 0 {
            return Err(anyhow::anyhow!("no test was run").into());
        }
        let output = std::fs::read(log)?;
        Ok((report, counted(&String::from_utf8_lossy(&output))?))
    }
}

/// Compiles the tests of a client and the testbed. `end_to_end_only` omits the tests that need no testbed.
///
/// # Errors
/// Something does not compile, or a package registry cannot be reached.
pub(crate) fn prepare(
    client: Client,
    length: Length,
    end_to_end_only: bool,
) -> Result<Tests, Stop> {
    npm::package(&[checkout::example()])?;
    match client {
        Client::Rust => rust(length),
        Client::Kotlin => kotlin(length, end_to_end_only),
        Client::Swift => swift(length, end_to_end_only),
    }
}

fn rust(length: Length) -> Result<Tests, Stop> {
    let artifacts = Build::Workspace.build(&["--test", TESTS])?;
    let test = artifacts.into_iter().find(|it| it.kind == Kind::Test && it.package == CRATE);
    let Artifact { path, folder, .. } = test.context("the client in Rust has no tests")?;
    Ok(Tests {
        expected: cargo::tests_of(&path)?,
        invocation: Box::new(move |variables| {
            let test = Invocation::new(&path).args(["--include-ignored"]).within(&folder);
            variables.iter().fold(test, |test, (name, value)| test.env(name, value))
        }),
        format: Format::Libtest,
        length,
    })
}

fn kotlin(length: Length, end_to_end_only: bool) -> Result<Tests, Stop> {
    kotlin_sources()?;
    let folder = checkout::kotlin();
    let mut inputs = vec![folder.join("pom.xml")];
    for sources in ["src", "sample/src", "examples", "target/generated-sources"] {
        inputs.extend(npm::files(&folder.join(sources), &|name| name.ends_with(".kt"))?);
    }
    let mut unreachable = None;
    npm::unless_done(&folder.join("target/test-classes"), &inputs, || {
        let compile = ["-B", "-ntp", "-q", "test-compile"];
        match Invocation::new("mvn").args(compile).within(&folder).run_online() {
            Err(Stop::Skip(reason)) => {
                unreachable = Some(reason.clone());
                anyhow::bail!(reason)
            }
            Err(Stop::Fail(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    })
    .map_err(|error| unreachable.map_or(Stop::Fail(error), Stop::Skip))?;
    Ok(Tests {
        invocation: Box::new(move |variables| {
            let mut native = OsString::from("-Dregrant.native=");
            native.push(native_folder());
            let test = ["-B", "-ntp", "surefire:test"];
            let mut step = Invocation::new("mvn").args(test).args([native]).within(&folder);
            if end_to_end_only {
                step = step.args(["-Dtest=EndToEnd*"]);
            }
            variables.iter().fold(step, |step, (name, value)| step.env(name, value))
        }),
        format: Format::Surefire,
        expected: Vec::new(),
        length,
    })
}

/// Builds the library and generates the Kotlin sources that are not committed.
///
/// # Errors
/// It does not compile.
pub(crate) fn kotlin_sources() -> Result<(), Stop> {
    let (library, programs) = native_library()?;
    let generator = cargo::program_of(&programs, "uniffi-bindgen")?;
    let out = checkout::kotlin().join("target/generated-sources");
    npm::unless_done(&out, std::slice::from_ref(&library), || {
        Invocation::new(generator)
            .args(["generate", "--language", "kotlin", "--no-format"])
            .args([library.as_os_str(), "--out-dir".as_ref(), out.as_os_str()])
            .run()
    })?;
    Ok(())
}

fn swift(length: Length, end_to_end_only: bool) -> Result<Tests, Stop> {
    let toolchain = Toolchain::ready()?;
    let (library, programs) = native_library()?;
    let generator = cargo::program_of(&programs, "uniffi-bindgen-swift")?;
    let sources = checkout::swift().join("Sources");
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
    })?;
    // On macOS, link this library instead of the XCFramework.
    let search = ("REGRANT_LIBRARY", "search-path".to_owned());
    let options = |swift: Invocation| {
        let built = native_folder();
        let mut folder = OsString::from("-L");
        folder.push(&built);
        swift
            .args(["--disable-swift-testing", "--scratch-path"])
            .args([checkout::target().join("swift").as_os_str()])
            .args(linker(&folder))
            .args(linker("-rpath".as_ref()))
            .args(linker(built.as_os_str()))
    };
    let build = toolchain.swift(&checkout::swift(), std::slice::from_ref(&search));
    options(build.args(["build", "--build-tests"])).run()?;
    Ok(Tests {
        invocation: Box::new(move |variables| {
            let mut variables = variables.to_vec();
            variables.push(search.clone());
            let test = toolchain.swift(&checkout::swift(), &variables);
            let test = options(test.args(["test", "--skip-build"]));
            if end_to_end_only { test.args(["--filter", "RegrantEndToEndTests"]) } else { test }
        }),
        format: Format::XcTest,
        expected: Vec::new(),
        length,
    })
}

/// Passes an argument through `swift` to the linker.
fn linker(argument: &OsStr) -> [&OsStr; 2] {
    ["-Xlinker".as_ref(), argument]
}

/// Builds the native library and copies it to where Kotlin and Swift load it from; also returns the generators.
fn native_library() -> Result<(PathBuf, Vec<Artifact>)> {
    let artifacts = Build::PureRust.build_as_tested(&["--lib", "--bins"])?;
    let built = cargo::library_of(&artifacts, "regrant-uniffi")?;
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

/// A running testbed, stopped on drop.
struct Testbed {
    _program: Group,
    address: String,
}

impl Testbed {
    /// Starts it and waits until it has printed its port.
    fn start(log: &Path) -> Result<Self> {
        let log = log.with_extension("testbed.log");
        let mut program = Invocation::new("node")
            .args(["tests/clients/testbed/main.mjs"])
            .env("PORT", "0")
            .start_quietly(&log)?;
        let port = wait_for_port(&mut program, &log, TESTBED_PREFIX, READY_WITHIN)?;
        Ok(Self { _program: program, address: format!("http://127.0.0.1:{port}") })
    }

    /// The environment variables of a client's tests.
    fn variables(&self, length: Length) -> Vec<(&'static str, String)> {
        let mut variables = vec![("REGRANT_E2E", self.address.clone())];
        if length == Length::Long {
            variables.push(("REGRANT_E2E_KILLS", "100".to_owned()));
            variables.push(("REGRANT_E2E_EXPIRIES", "10".to_owned()));
        }
        variables
    }
}

/// Waits until a server has written its port to its log, after this prefix.
///
/// # Errors
/// The server ends, the timeout expires, or the user interrupts.
pub(crate) fn wait_for_port(
    program: &mut Group,
    log: &Path,
    prefix: &str,
    within: Duration,
) -> Result<u16> {
    let started = Instant::now();
    loop {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        // The line may not be complete yet.
        let rest = said.split_once(prefix).filter(|(_, rest)| rest.contains('\n'));
        if let Some((_, rest)) = rest {
            let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
            return digits.parse().with_context(|| format!("no port: {rest:.40}"));
        }
        ensure_running(program, "the server").with_context(|| said.clone())?;
        ensure!(started.elapsed() < within, "no server after {within:?}:\n{said}");
        std::thread::sleep(LOOK_EVERY);
    }
}

/// The counter lines of the tests' output.
fn counted(output: &str) -> Result<Vec<String>> {
    let lines = output.lines().filter_map(|line| line.split_once(COUNTED));
    let counted: Vec<_> = lines.map(|(_, counted)| counted.trim_end().to_owned()).collect();
    ensure!(!counted.is_empty(), "the end-to-end tests did not run");
    Ok(counted)
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

    #[test]
    fn the_port_is_read_from_the_log_and_failures_include_it() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let port = |script: &str| {
            let program = Invocation::new("/bin/sh").args(["-c", script]);
            let mut program = program.start_quietly(log.path()).unwrap();
            wait_for_port(&mut program, log.path(), TESTBED_PREFIX, READY_WITHIN)
        };
        let says = format!("printf '{TESTBED_PREFIX}41'; sleep 0.1; echo 23; sleep 60");
        assert_eq!(port(&says).unwrap(), 4123);
        let error = port("echo no argon2; exit 3").unwrap_err();
        assert!(format!("{error:#}").contains("no argon2"), "{error:#}");
    }
}
