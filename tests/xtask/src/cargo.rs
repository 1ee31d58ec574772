//! The Cargo builds. There are four, each with one set of features, and every program is run from their target folder:
//! `cargo run -p` or `cargo test -p` would resolve other features and compile everything again.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::checkout;
use crate::process::Invocation;
use crate::tools::Tool;

/// Where the macros of napi-rs write the types of the addon, as `.cargo/config.toml` says.
const TYPES: &str = "target/napi-types/regrant-node";
/// Variables that name a C toolchain; all are set to a program that fails.
const NO_C: &[&str] =
    &["CC", "CXX", "AR", "CMAKE", "TARGET_CC", "HOST_CC", "TARGET_CXX", "HOST_CXX"];
/// Lints what is compiled, with warnings as errors. Only this build uses it: to check the dependencies once more for
/// `cargo clippy` takes as long as to compile them, and developers compile the other builds without it.
const LINTED: [(&str, &str); 2] =
    [("RUSTC_WORKSPACE_WRAPPER", "clippy-driver"), ("CLIPPY_ARGS", "-Dwarnings__CLIPPY_HACKERY__")];
/// Crates that compile C.
const C_BUILDERS: &[&str] =
    &["aws-lc-sys", "aws-lc-rs", "bindgen", "cc", "cmake", "libsqlite3-sys", "ring"];

/// The packages to lint and document: all but the uniffi binding, with all features.
const EVERYTHING: &[&str] = &["--workspace", "--exclude", "regrant-uniffi", "--all-features"];

/// One of the builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The addon for Node.js.
    Addon,
    /// All crates but the two bindings and the model checks, with all features.
    Workspace,
    /// The model checks, optimised, over a core with few features.
    Model,
    /// The mobile build: the core on RustCrypto and the uniffi binding, without a C compiler.
    PureRust,
}

/// A file that a build produced.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    pub(crate) kind: Kind,
    /// The name of the target: `it`, `regrant-bench`.
    pub(crate) target: String,
    pub(crate) path: PathBuf,
    /// The package's folder in the checkout, in which its tests run.
    pub(crate) folder: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Test,
    Program,
    DynamicLibrary,
}

impl Build {
    /// A subcommand of Cargo on this build. All calls of a build share their package and feature flags.
    pub(crate) fn cargo(self, subcommand: &str) -> Invocation {
        let cargo = Invocation::new("cargo").args([subcommand, "--locked"]);
        match self {
            Self::Addon => cargo.args(["-p", "regrant-node"]),
            Self::Workspace => cargo.args(EVERYTHING).args([
                "--exclude",
                "regrant-node",
                "--exclude",
                "regrant-model",
            ]),
            Self::Model => cargo.args(["-p", "regrant-model", "--profile", "model"]),
            Self::PureRust => {
                let compiles = matches!(subcommand, "build" | "test");
                let lints = compiles && Tool::Clippy.locate().is_some();
                cargo
                    .args(["-p", "regrant", "-p", "regrant-uniffi", "--no-default-features"])
                    .args(["--features", "regrant/rust-crypto,regrant-uniffi/bindgen"])
                    .envs(NO_C.iter().map(|name| (name, "/bin/false")))
                    .envs(lints.then_some(LINTED).into_iter().flatten())
            }
        }
    }

    /// Builds these targets (`--lib`, `--bins`, `--tests`, `--bin NAME`); returns the executables and libraries.
    ///
    /// # Errors
    /// Something does not compile.
    pub(crate) fn build(self, targets: &[&str]) -> Result<Vec<Artifact>> {
        artifacts(self.cargo("build").args(targets))
    }

    /// Builds these targets with the dependencies that the tests use. Cargo enables the features of dev-dependencies only
    /// if a test is built too; so this builds a small one along.
    ///
    /// # Errors
    /// Something does not compile.
    pub(crate) fn build_as_tested(self, targets: &[&str]) -> Result<Vec<Artifact>> {
        let test: &[&str] = match self {
            Self::Addon | Self::Model => &[],
            Self::Workspace => &["--test", "command_line"],
            Self::PureRust => &["--test", "generators"],
        };
        self.build(&[targets, test].concat())
    }
}

/// `cargo clippy` or `cargo doc` on everything.
pub(crate) fn everything(subcommand: &str) -> Invocation {
    Invocation::new("cargo").args([subcommand, "--locked"]).args(EVERYTHING)
}

/// Runs clippy on a selection of crates; warnings are errors.
pub(crate) fn clippy(selection: Invocation) -> Result<()> {
    selection.args(["--all-targets", "--", "-D", "warnings"]).run()
}

/// The path of a program among these.
pub(crate) fn program_of(artifacts: &[Artifact], name: &str) -> Result<PathBuf> {
    let found = artifacts.iter().find(|it| it.kind == Kind::Program && it.target == name);
    Ok(found.with_context(|| format!("Cargo has built no program {name}"))?.path.clone())
}

/// The path of the dynamic library of the package in this folder.
pub(crate) fn library_of(artifacts: &[Artifact], folder: &str) -> Result<PathBuf> {
    let found = artifacts.iter().find(|it| it.kind == Kind::DynamicLibrary && it.folder == folder);
    Ok(found.with_context(|| format!("Cargo has built no library of {folder}"))?.path.clone())
}

/// Builds the addon; returns its path and that of the types that its macros wrote.
///
/// # Errors
/// It does not compile.
pub(crate) fn addon(release: bool) -> Result<(PathBuf, PathBuf)> {
    let targets: &[&str] = if release { &["--lib", "--release"] } else { &["--lib"] };
    let types = checkout::path(TYPES);
    let mut artifacts = Build::Addon.build(targets)?;
    if !types.is_file() {
        // The macros write the file only during compilation. This variable makes Cargo compile the crate again.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let forced = Build::Addon.cargo("build").args(targets);
        forced.env("NAPI_FORCE_BUILD_REGRANT_NODE", now.to_string()).run()?;
        artifacts = Build::Addon.build(targets)?;
    }
    Ok((library_of(&artifacts, checkout::NODE)?, types))
}

/// Builds the library for apps as they ship it, optimised for size; returns its path.
///
/// # Errors
/// It does not compile.
pub(crate) fn mobile_library() -> Result<PathBuf> {
    let build = ["build", "--locked", "-p", "regrant-uniffi", "--lib", "--no-default-features"];
    let build = Invocation::new("cargo").args(build).args(["--profile", "mobile"]);
    library_of(&artifacts(build)?, "bindings-uniffi")
}

/// Fails if the pure-Rust build or its tests depend on a crate that compiles C.
pub(crate) fn ensure_no_c() -> Result<()> {
    let tree = Build::PureRust.cargo("tree");
    let tree = tree.args(["--edges", "normal,build,dev", "--prefix", "none"]).run_and_read()?;
    let compiles_c =
        |line: &&str| line.split(' ').next().is_some_and(|name| C_BUILDERS.contains(&name));
    let client = pure_client("tree").args(["--edges", "normal", "--prefix", "none"]);
    let client = client.run_and_read()?;
    match tree.lines().chain(client.lines()).find(compiles_c) {
        None => Ok(()),
        Some(line) => bail!("{line} is in the dependency graph of the pure-Rust build"),
    }
}

/// Type-checks the client over `reqwest` without a C compiler. No test builds these features together.
pub(crate) fn check_pure_client() -> Result<()> {
    pure_client("check").args(["--lib"]).run()
}

/// A subcommand of Cargo on the client over `reqwest`, whose TLS would usually bring AWS-LC.
fn pure_client(subcommand: &str) -> Invocation {
    let cargo = Invocation::new("cargo").args([subcommand, "--locked", "-p", "regrant"]);
    let cargo = cargo.args(["--no-default-features", "--features", "rust-crypto,reqwest"]);
    cargo.envs(NO_C.iter().map(|name| (name, "/bin/false")))
}

/// The names of the tests in a test executable.
pub(crate) fn tests_of(executable: &Path) -> Result<Vec<String>> {
    let list = Invocation::new(executable).args(["--list", "--format", "terse"]).capture()?;
    Ok(list.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect())
}

/// Runs a build; returns its executables and dynamic libraries.
fn artifacts(build: Invocation) -> Result<Vec<Artifact>> {
    let messages = build.args(["--message-format", "json-render-diagnostics"]).run_and_read()?;
    let mut artifacts = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("Cargo printed invalid JSON")?;
        if message["reason"] == "compiler-artifact" {
            artifacts.extend(artifact(&message));
        }
    }
    Ok(artifacts)
}

fn artifact(message: &Value) -> Option<Artifact> {
    let library = || {
        let mut files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
        files.find(|file| file.ends_with(std::env::consts::DLL_SUFFIX))
    };
    let (kind, path) = match message["executable"].as_str() {
        Some(path) if message["profile"]["test"] == true => (Kind::Test, path),
        Some(path) => (Kind::Program, path),
        None => (Kind::DynamicLibrary, library()?),
    };
    let manifest = Path::new(message["manifest_path"].as_str()?);
    Some(Artifact {
        kind,
        target: message["target"]["name"].as_str()?.to_owned(),
        path: path.into(),
        folder: checkout::relative(manifest.parent()?),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn artifacts_are_classified_as_tests_programs_and_libraries() {
        let message = |test: bool, executable: Value| {
            artifact(&json!({
                "manifest_path": checkout::path("core/Cargo.toml"),
                "target": { "name": "it" },
                "profile": { "test": test },
                "filenames": ["/t/libit.a", format!("/t/libit{}", std::env::consts::DLL_SUFFIX)],
                "executable": executable,
            }))
            .unwrap()
        };
        let test = message(true, json!("/t/it-1"));
        assert_eq!((test.kind, test.path), (Kind::Test, "/t/it-1".into()));
        assert_eq!((test.target.as_str(), test.folder.as_str()), ("it", "core"));
        assert_eq!(message(false, json!("/t/it")).kind, Kind::Program);
        let library = message(false, Value::Null);
        assert_eq!(library.kind, Kind::DynamicLibrary);
        assert!(library.path.ends_with(format!("libit{}", std::env::consts::DLL_SUFFIX)));
    }

    #[test]
    fn an_executable_lists_its_tests() {
        let own = tests_of(&std::env::current_exe().unwrap()).unwrap();
        let this = "cargo::tests::an_executable_lists_its_tests".to_owned();
        assert!(own.contains(&this) && own.len() > 20, "{own:?}");
    }
}
