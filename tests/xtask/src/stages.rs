//! The stages of `test`: what each compiles, installs and generates, and the units it then runs.

use anyhow::Context;

use crate::cargo::{self, Artifact, Build, Kind};
use crate::checkout;
use crate::clients::{self, Client, Length};
use crate::commands;
use crate::npm;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::report::Format;
use crate::runner::Unit;
use crate::tools::Tool;

/// One stage of `test`.
pub(crate) struct Stage {
    /// The name in `--only` and in the table.
    pub(crate) name: &'static str,
    /// Required tools besides Cargo. The stage is skipped if one is missing.
    pub(crate) needs: &'static [Tool],
    /// Compiles, installs and generates; returns the units to run.
    pub(crate) prepare: fn() -> Result<Vec<Unit>, Stop>,
}

/// All stages in order of preparation: quick ones that often fail come first.
pub(crate) const ALL: &[Stage] = &[
    Stage { name: "fmt", needs: &[Tool::Rustfmt], prepare: fmt },
    Stage { name: "node", needs: &[Tool::Node, Tool::RedisServer], prepare: node },
    Stage { name: "browser", needs: &[Tool::Node, Tool::Chromium], prepare: browser },
    Stage { name: "demo", needs: &[Tool::Node], prepare: demo },
    Stage { name: "rust", needs: &[Tool::RedisServer], prepare: rust },
    Stage { name: "pure", needs: &[], prepare: pure },
    Stage { name: "bench", needs: commands::bench::NEEDS, prepare: bench },
    Stage { name: "chaos", needs: commands::chaos::NEEDS, prepare: chaos },
    Stage { name: "clients", needs: &[Tool::Node], prepare: rust_client },
    Stage { name: "kotlin", needs: &[Tool::Jdk, Tool::Maven, Tool::Node], prepare: kotlin },
    Stage { name: "swift", needs: &[Tool::Swift, Tool::Node], prepare: swift },
    Stage { name: "clippy", needs: &[Tool::Clippy], prepare: clippy },
    Stage { name: "doc", needs: &[], prepare: doc },
];

/// Checks the format of the Rust code.
fn fmt() -> Result<Vec<Unit>, Stop> {
    Invocation::new("cargo").args(["fmt", "--all", "--check"]).run()?;
    Ok(Vec::new())
}

/// Runs clippy on the workspace with all features, and on the pure-Rust build.
fn clippy() -> Result<Vec<Unit>, Stop> {
    let everything = Invocation::new("cargo").args(["clippy", "--locked"]).args(cargo::EVERYTHING);
    for call in [everything, Build::PureRust.cargo("clippy")] {
        call.args(["--all-targets", "--", "-D", "warnings"]).run()?;
    }
    Ok(Vec::new())
}

/// The tests of all crates with all features.
fn rust() -> Result<Vec<Unit>, Stop> {
    Ok(test_units("rust", &Build::Workspace.build(&["--lib", "--bins", "--tests"])?)?)
}

/// The tests of the pure-Rust build, without a C compiler.
fn pure() -> Result<Vec<Unit>, Stop> {
    cargo::ensure_no_c()?;
    Ok(test_units("pure", &Build::PureRust.build(&["--lib", "--bins", "--tests"])?)?)
}

/// Builds the documentation without warnings and runs its examples.
fn doc() -> Result<Vec<Unit>, Stop> {
    let doc = Invocation::new("cargo").args(["doc", "--locked"]).args(cargo::EVERYTHING);
    doc.args(["--lib", "--no-deps"]).env("RUSTDOCFLAGS", "-D warnings").run()?;
    let examples = |name: &str, build: Build| {
        let test = build.cargo("test").args(["--doc", "--no-fail-fast"]);
        Unit::tests("doc", name, Format::Libtest, Vec::new(), test)
    };
    Ok(vec![
        examples("examples", Build::Workspace),
        examples("examples, pure Rust", Build::PureRust),
    ])
}

/// The types, the reference and the tests of the npm package, and those of the example that need no browser.
fn node() -> Result<Vec<Unit>, Stop> {
    npm::package(&[checkout::example(), checkout::reference(), checkout::bundlers()])?;
    let mut units = node_units()?;
    let types = npm::npm(&checkout::node(), "typecheck");
    units.push(Unit::tests("node", "types", Format::Plain, Vec::new(), types));
    let reference = npm::npm(&checkout::reference(), "check");
    units.push(Unit::tests("node", "reference", Format::Plain, Vec::new(), reference));
    Ok(units)
}

/// The tests of the npm package with the current addon.
pub(crate) fn node_units() -> anyhow::Result<Vec<Unit>> {
    let mut units = Vec::new();
    for folder in [checkout::node(), checkout::example()] {
        for file in npm::test_files(&folder, "test")? {
            let name = checkout::relative(&file);
            let name = name.trim_start_matches("bindings-node/").trim_start_matches("./");
            let test =
                Invocation::new("node").args(["--test", "--test-reporter=spec"]).args([&file]);
            units.push(Unit::tests("node", name, Format::Node, Vec::new(), test.within(&folder)));
        }
    }
    Ok(units)
}

/// The browser test of the example's page, in Chromium.
fn browser() -> Result<Vec<Unit>, Stop> {
    npm::package(&[checkout::example()])?;
    let chromium = Tool::Chromium.locate().context("no chromium")?;
    let mut units = Vec::new();
    for file in npm::test_files(&checkout::example(), "test:browser")? {
        let test = Invocation::new("node").args(["--test", "--test-reporter=spec"]).args([&file]);
        let test = test.env("CHROMIUM", &chromium).within(checkout::example());
        units.push(Unit::tests("browser", "page", Format::Node, Vec::new(), test));
    }
    Ok(units)
}

/// Checks that the benchmarks run; results are ignored.
fn bench() -> Result<Vec<Unit>, Stop> {
    let quick = commands::bench::prepare_quick()?;
    Ok(vec![Unit::tests("bench", "quick", Format::Plain, Vec::new(), quick)])
}

/// Injects every kind of fault once. (The kill test of the file store is a Rust test.)
fn chaos() -> Result<Vec<Unit>, Stop> {
    let quick = commands::chaos::prepare_quick()?;
    Ok(vec![Unit::tests("chaos", "quick", Format::Plain, Vec::new(), quick)])
}

/// The Rust client, end to end against the testbed, and the testbed itself.
fn rust_client() -> Result<Vec<Unit>, Stop> {
    let testbed = Invocation::new("node").args(["--test", "--test-reporter=spec"]);
    let testbed = testbed.args(["tests/clients/testbed/testbed.test.mjs"]);
    let client = clients::prepare(Client::Rust, Length::Short, false)?;
    Ok(vec![
        Unit::tests("clients", "testbed", Format::Node, Vec::new(), testbed),
        Unit::new("clients", "rust", move |log| client.run(log).map(|(report, _)| report)),
    ])
}

/// The Kotlin binding, generated from the library and tested on a JVM, also end to end.
fn kotlin() -> Result<Vec<Unit>, Stop> {
    let client = clients::prepare(Client::Kotlin, Length::Short, false)?;
    Ok(vec![Unit::new("kotlin", "tests", move |log| client.run(log).map(|(report, _)| report))])
}

/// The Swift binding, tested in the same way.
fn swift() -> Result<Vec<Unit>, Stop> {
    let client = clients::prepare(Client::Swift, Length::Short, false)?;
    Ok(vec![Unit::new("swift", "tests", move |log| client.run(log).map(|(report, _)| report))])
}

/// Checks that `demo` serves its page.
fn demo() -> Result<Vec<Unit>, Stop> {
    commands::demo::build()?;
    Ok(vec![Unit::new("demo", "page", |log| Ok(commands::demo::fetch_page(log)?))])
}

/// One unit per test executable, the longest first.
fn test_units(stage: &'static str, artifacts: &[Artifact]) -> anyhow::Result<Vec<Unit>> {
    let mut tests: Vec<_> = artifacts.iter().filter(|it| it.kind == Kind::Test).collect();
    // The `clients` stage runs these, with a testbed.
    tests.retain(|it| it.package != clients::CRATE || it.target != clients::TESTS);
    tests.sort_by_key(|it| it.package != "regrant-session-tests");
    let unit = |test: &Artifact| {
        let name = format!("{} {}", test.package, test.target);
        let run = Invocation::new(&test.path).within(&test.folder);
        Ok(Unit::tests(stage, name, Format::Libtest, cargo::tests_of(&test.path)?, run))
    };
    tests.into_iter().map(unit).collect()
}
