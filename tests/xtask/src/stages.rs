//! The stages of `test`: what each compiles, installs and generates, and the units it then runs.

use anyhow::{Context, Result};

use crate::cargo::{self, Build, Kind};
use crate::checkout::{BUNDLERS, EXAMPLE, NODE, REFERENCE};
use crate::clients::{self, Client, Length};
use crate::commands;
use crate::npm;
use crate::process::Invocation;
use crate::report::Format;
use crate::runner::Unit;
use crate::tools::{self, Tool};

/// One stage of `test`.
#[derive(Clone, Copy)]
pub(crate) struct Stage {
    /// The name in `--only` and in the table.
    pub(crate) name: &'static str,
    /// Required tools besides Cargo. The stage is skipped if one is missing.
    pub(crate) needs: &'static [Tool],
    /// Compiles, installs and generates; returns the units to run.
    pub(crate) prepare: fn() -> Result<Vec<Unit>>,
}

/// All stages in order of preparation: quick ones that often fail come first.
pub(crate) const ALL: [Stage; 13] = [
    Stage { name: "fmt", needs: &[Tool::Rustfmt], prepare: fmt },
    Stage {
        name: "node",
        needs: &[Tool::Node, Tool::RedisServer, Tool::Postgres, Tool::MariaDb],
        prepare: node,
    },
    Stage { name: "browser", needs: &[Tool::Node, Tool::Chromium], prepare: browser },
    Stage { name: "demo", needs: &[Tool::Node], prepare: demo },
    Stage {
        name: "rust",
        needs: &[Tool::RedisServer, Tool::Postgres, Tool::PgBouncer, Tool::MariaDb, Tool::Node],
        prepare: rust,
    },
    Stage { name: "pure", needs: &[], prepare: pure },
    Stage { name: "bench", needs: commands::bench::NEEDS, prepare: bench },
    Stage { name: "chaos", needs: commands::chaos::NEEDS, prepare: chaos },
    Stage { name: "clients", needs: &[Tool::Node], prepare: rust_client },
    Stage { name: "kotlin", needs: &[Tool::Jdk, Tool::Maven, Tool::Node], prepare: kotlin },
    Stage { name: "swift", needs: &[Tool::Swift, Tool::Node], prepare: swift },
    Stage { name: "clippy", needs: &[Tool::Clippy], prepare: clippy },
    Stage { name: "doc", needs: &[], prepare: doc },
];

/// `cargo xtask setup`: installs the tools of all stages, and says what must be installed by hand.
pub(crate) fn setup() -> Result<()> {
    let needed = ALL.map(|stage| stage.needs).concat();
    tools::require(&needed)?;
    println!("everything that the tests need is installed");
    Ok(())
}

/// Checks the format of the Rust code.
fn fmt() -> Result<Vec<Unit>> {
    Invocation::new("cargo").args(["fmt", "--all", "--check"]).run()?;
    Ok(Vec::new())
}

/// Runs clippy on the workspace with all features. The pure-Rust build is linted where it is compiled.
fn clippy() -> Result<Vec<Unit>> {
    cargo::clippy(cargo::everything("clippy"))?;
    Ok(Vec::new())
}

/// The tests of all crates with all features, also over stores in JavaScript, and the model checks.
fn rust() -> Result<Vec<Unit>> {
    npm::install(NODE)?;
    npm::javascript()?;
    let mut units = rust_units("rust", Build::Workspace)?;
    units.extend(rust_units("rust", Build::Model)?);
    Ok(units)
}

/// The tests of the pure-Rust build, without a C compiler.
fn pure() -> Result<Vec<Unit>> {
    cargo::ensure_no_c()?;
    cargo::check_pure_client()?;
    rust_units("pure", Build::PureRust)
}

/// The folder of the tests that start servers and mostly wait for them.
const WAITING: &str = "tests/sessions";

/// Builds the tests; returns one unit per test executable, the longest first.
fn rust_units(stage: &'static str, build: Build) -> Result<Vec<Unit>> {
    let mut tests = build.build(&["--lib", "--bins", "--tests"])?;
    tests.retain(|it| it.kind == Kind::Test);
    // The `clients` stage runs these, with a testbed.
    tests.retain(|it| it.folder != clients::RUST || it.target != clients::RUST_TESTS);
    tests.sort_by_key(|it| it.folder != WAITING);
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let mut units = Vec::new();
    for test in tests {
        let expected = cargo::tests_of(&test.path)?;
        let mut run = Invocation::new(test.path).within(&test.folder);
        if test.folder == WAITING {
            run = run.args(["--test-threads", &(2 * processors).to_string()]);
        }
        units.push(Unit::new(stage, format!("{} {}", test.folder, test.target), move |log| {
            run.run_tests(Format::Libtest, expected, log)
        }));
    }
    Ok(units)
}

/// Builds the documentation without warnings and runs its examples.
fn doc() -> Result<Vec<Unit>> {
    let doc = cargo::everything("doc").args(["--lib", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings").run()?;
    // What the examples link, so that the deadline of a run does not count its compilation.
    for build in [Build::Workspace, Build::PureRust] {
        build.build_as_tested(&["--lib"])?;
    }
    let examples = |name: &str, build: Build| {
        let test = build.cargo("test").args(["--doc", "--no-fail-fast"]);
        Unit::tests("doc", name, Format::Libtest, test)
    };
    Ok(vec![
        examples("examples", Build::Workspace),
        examples("examples, pure Rust", Build::PureRust),
    ])
}

/// The types, the reference and the tests of the npm package, and those of the example that need no browser.
fn node() -> Result<Vec<Unit>> {
    npm::package(false, &[EXAMPLE, REFERENCE, BUNDLERS])?;
    let mut units = node_units()?;
    units.push(Unit::tests("node", "types", Format::Plain, npm::npm(NODE, "typecheck")));
    units.push(Unit::tests("node", "reference", Format::Plain, npm::npm(REFERENCE, "check")));
    Ok(units)
}

/// The tests of the npm package with the current addon.
pub(crate) fn node_units() -> Result<Vec<Unit>> {
    let mut units = Vec::new();
    for (folder, prefix) in [(NODE, ""), (EXAMPLE, "example/")] {
        for file in npm::test_files(folder, "test")? {
            let test = npm::test(&file).within(folder);
            units.push(Unit::tests("node", format!("{prefix}{file}"), Format::Node, test));
        }
    }
    Ok(units)
}

/// The tests in Chromium: of cookies and foreign pages, and of the example's page.
fn browser() -> Result<Vec<Unit>> {
    npm::package(false, &[EXAMPLE])?;
    let chromium = Tool::Chromium.locate().context("no chromium")?;
    let mut units = Vec::new();
    for (folder, prefix) in [(NODE, ""), (EXAMPLE, "example/")] {
        for file in npm::test_files(folder, "test:browser")? {
            let test = npm::test(&file).env("CHROMIUM", &chromium).within(folder);
            units.push(Unit::tests("browser", format!("{prefix}{file}"), Format::Node, test));
        }
    }
    Ok(units)
}

/// Checks that `demo` serves its page and keeps sessions.
fn demo() -> Result<Vec<Unit>> {
    commands::demo::build()?;
    Ok(vec![Unit::new("demo", "page", commands::demo::try_once)])
}

/// Checks that the benchmarks run; results are ignored.
fn bench() -> Result<Vec<Unit>> {
    let quick = commands::bench::prepare(true)?;
    Ok(vec![Unit::tests("bench", "quick", Format::Plain, quick)])
}

/// Injects every kind of fault once. (The kill test of the file store is a Rust test.)
fn chaos() -> Result<Vec<Unit>> {
    let scenarios = commands::chaos::prepare_quick()?.into_iter();
    let unit = |(name, scenario)| Unit::tests("chaos", name, Format::Plain, scenario);
    Ok(scenarios.map(unit).collect())
}

/// The Rust client, end to end against the testbed, and the testbed itself.
fn rust_client() -> Result<Vec<Unit>> {
    let testbed = npm::test("tests/clients/testbed/testbed.test.mjs");
    Ok(vec![
        client("clients", "rust", Client::Rust)?,
        Unit::tests("clients", "testbed", Format::Node, testbed),
    ])
}

/// The Kotlin binding, generated from the library and tested on a JVM, also end to end.
fn kotlin() -> Result<Vec<Unit>> {
    let tests = client("kotlin", "tests", Client::Kotlin)?;
    let oldest = Unit::tests("kotlin", "oldest OkHttp", Format::Surefire, clients::oldest_okhttp());
    Ok(vec![tests, oldest])
}

/// The Swift binding, tested in the same way. On Linux, its Keychain code against fakes of Apple's frameworks.
fn swift() -> Result<Vec<Unit>> {
    let mut units = vec![client("swift", "tests", Client::Swift)?];
    if cfg!(target_os = "linux") {
        let keychain = clients::keychain_tests()?;
        units.push(Unit::tests("swift", "keychain", Format::XcTest, keychain));
    }
    Ok(units)
}

fn client(stage: &'static str, name: &str, client: Client) -> Result<Unit> {
    let tests = clients::prepare(client, false)?;
    let run = move |log: &std::path::Path| Ok(tests.run(Length::Short, log)?.0);
    Ok(Unit::new(stage, name, run))
}
