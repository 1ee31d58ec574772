//! The Cargo builds. There are three, each with one set of features, and every program is run from their target folder:
//! `cargo run -p` or `cargo test -p` would resolve other features and compile everything again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use serde_json::Value;

use crate::checkout;
use crate::process::Invocation;

/// Where the macros of napi-rs write the types of the addon, as `.cargo/config.toml` says.
const TYPES: &str = "napi-types/regrant-node";
/// Variables that name a C toolchain; all are set to a program that fails.
const NO_C: &[&str] =
    &["CC", "CXX", "AR", "CMAKE", "TARGET_CC", "HOST_CC", "TARGET_CXX", "HOST_CXX"];
/// Crates that compile C.
const C_BUILDERS: &[&str] =
    &["aws-lc-sys", "aws-lc-rs", "bindgen", "cc", "cmake", "libsqlite3-sys", "ring"];

/// The packages to lint and document: all but the uniffi binding, with all features.
pub(crate) const EVERYTHING: &[&str] =
    &["--workspace", "--exclude", "regrant-uniffi", "--all-features"];

/// One of the builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The addon for Node.js.
    Addon,
    /// All crates but the two bindings, with all features.
    Workspace,
    /// The mobile build: the core on RustCrypto and the uniffi binding, without a C compiler.
    PureRust,
}

/// A file that a build produced.
#[derive(Clone, Debug)]
pub(crate) struct Artifact {
    pub(crate) package: String,
    /// The name of the target: `it`, `regrant-bench`.
    pub(crate) target: String,
    pub(crate) kind: Kind,
    pub(crate) path: PathBuf,
    /// The package's folder, in which tests run.
    pub(crate) folder: PathBuf,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Test,
    Program,
    DynamicLibrary,
}

/// How many compile units were built so far, and how many were up to date.
static UNITS: Mutex<(usize, usize)> = Mutex::new((0, 0));

impl Build {
    /// The package and feature flags that all Cargo calls of this build share.
    pub(crate) fn selection(self) -> &'static [&'static str] {
        match self {
            Self::Addon => &["-p", "regrant-node"],
            Self::Workspace => &[
                "--workspace",
                "--exclude",
                "regrant-node",
                "--exclude",
                "regrant-uniffi",
                "--all-features",
            ],
            Self::PureRust => &[
                "-p",
                "regrant",
                "-p",
                "regrant-uniffi",
                "--no-default-features",
                "--features",
                "regrant/rust-crypto,regrant-uniffi/bindgen",
            ],
        }
    }

    /// A subcommand of Cargo on this build.
    pub(crate) fn cargo(self, subcommand: &str) -> Invocation {
        let cargo = Invocation::new("cargo").args([subcommand, "--locked"]).args(self.selection());
        if self == Self::PureRust {
            return NO_C.iter().fold(cargo, |cargo, name| cargo.env(name, "/bin/false"));
        }
        cargo
    }

    /// Builds these targets (`--lib`, `--bins`, `--tests`, `--bin NAME`); returns the executables and libraries.
    ///
    /// # Errors
    /// Something does not compile.
    pub(crate) fn build(self, targets: &[&str]) -> Result<Vec<Artifact>> {
        let build = self.cargo("build").args(targets);
        artifacts(&build.args(["--message-format", "json-render-diagnostics"]).run_and_read()?)
    }

    /// Builds the unit tests of the libraries and the programs.
    ///
    /// # Errors
    /// They do not compile.
    pub(crate) fn unit_tests(self) -> Result<Vec<Artifact>> {
        let messages = self.cargo("test").args(["--no-run", "--lib", "--bins"]);
        artifacts(&messages.args(["--message-format", "json-render-diagnostics"]).run_and_read()?)
    }

    /// A small test target. Cargo enables the features of dev-dependencies only if a test is built too; building this
    /// test along with a program makes the program share its dependencies with the tests.
    fn any_test(self) -> &'static [&'static str] {
        match self {
            Self::Addon => &[],
            Self::Workspace => &["--test", "command_line"],
            Self::PureRust => &["--test", "generators"],
        }
    }

    /// Builds these targets with the dependencies that the tests use.
    ///
    /// # Errors
    /// Something does not compile.
    pub(crate) fn build_as_tested(self, targets: &[&str]) -> Result<Vec<Artifact>> {
        self.build(&[targets, self.any_test()].concat())
    }

    /// Builds one program; returns its path.
    ///
    /// # Errors
    /// It does not compile.
    pub(crate) fn program(self, name: &str) -> Result<PathBuf> {
        program_of(&self.build_as_tested(&["--bin", name])?, name)
    }
}

/// The path of a program among these.
pub(crate) fn program_of(artifacts: &[Artifact], name: &str) -> Result<PathBuf> {
    let found = artifacts.iter().find(|it| it.kind == Kind::Program && it.target == name);
    Ok(found.with_context(|| format!("Cargo has built no program {name}"))?.path.clone())
}

/// The path of the dynamic library of a package among these.
pub(crate) fn library_of(artifacts: &[Artifact], package: &str) -> Result<PathBuf> {
    let found =
        artifacts.iter().find(|it| it.kind == Kind::DynamicLibrary && it.package == package);
    Ok(found.with_context(|| format!("Cargo has built no library of {package}"))?.path.clone())
}

/// Builds the addon; returns its path and that of the types that its macros wrote.
///
/// # Errors
/// It does not compile.
pub(crate) fn addon(release: bool) -> Result<(PathBuf, PathBuf)> {
    let targets: &[&str] = if release { &["--lib", "--release"] } else { &["--lib"] };
    let types = checkout::root().join("target").join(TYPES);
    let mut artifacts = Build::Addon.build(targets)?;
    if !types.is_file() {
        // The macros write the file only during compilation. This variable makes Cargo compile the crate again.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let forced = Build::Addon.cargo("build").args(targets);
        forced.env("NAPI_FORCE_BUILD_REGRANT_NODE", now.to_string()).run()?;
        artifacts = Build::Addon.build(targets)?;
    }
    Ok((library_of(&artifacts, "regrant-node")?, types))
}

/// Fails if the pure-Rust build or its tests depend on a crate that compiles C.
pub(crate) fn ensure_no_c() -> Result<()> {
    let tree = Build::PureRust.cargo("tree");
    let tree = tree.args(["--edges", "normal,build,dev", "--prefix", "none"]).run_and_read()?;
    let compiles_c =
        |line: &&str| line.split(' ').next().is_some_and(|name| C_BUILDERS.contains(&name));
    match tree.lines().find(compiles_c) {
        None => Ok(()),
        Some(line) => Err(anyhow!("{line} is in the dependency graph of the pure-Rust build")),
    }
}

/// The names of the tests in a test executable.
pub(crate) fn tests_of(executable: &Path) -> Result<Vec<String>> {
    let output = Command::new(executable)
        .args(["--list", "--format", "terse"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .with_context(|| format!("cannot start {}", executable.display()))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().filter_map(|line| Some(line.strip_suffix(": test")?.to_owned())).collect())
}

/// Describes how many compile units were built.
pub(crate) fn units() -> String {
    let (compiled, fresh) = *UNITS.lock().unwrap_or_else(PoisonError::into_inner);
    format!("{compiled} compile units built, {fresh} were up to date")
}

fn count(fresh: bool) {
    let mut units = UNITS.lock().unwrap_or_else(PoisonError::into_inner);
    if fresh { units.1 += 1 } else { units.0 += 1 }
}

/// Parses Cargo's messages into artifacts and counts the compile units.
fn artifacts(messages: &str) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("Cargo printed invalid JSON")?;
        if message["reason"] == "compiler-artifact" {
            count(message["fresh"] == true);
            artifacts.extend(artifact(&message));
        }
    }
    Ok(artifacts)
}

/// The executable or dynamic library of a Cargo message, if any.
fn artifact(message: &Value) -> Option<Artifact> {
    let target = &message["target"];
    let kinds = target["kind"].as_array()?;
    let manifest = Path::new(message["manifest_path"].as_str()?);
    let files = message["filenames"].as_array()?.iter().filter_map(Value::as_str);
    let mut files = files.map(PathBuf::from);
    let is_library =
        |path: &PathBuf| path.extension().is_some_and(|it| it == std::env::consts::DLL_EXTENSION);
    let (kind, path) = match message["executable"].as_str() {
        Some(path) if message["profile"]["test"] == true => (Kind::Test, PathBuf::from(path)),
        Some(path) => (Kind::Program, PathBuf::from(path)),
        None if kinds.iter().any(|kind| kind == "cdylib") => {
            (Kind::DynamicLibrary, files.find(is_library)?)
        }
        None => return None,
    };
    let folder = manifest.parent()?.to_path_buf();
    Some(Artifact {
        package: package_name(message["package_id"].as_str()?)?,
        target: target["name"].as_str()?.to_owned(),
        kind,
        path,
        folder,
    })
}

/// `path+file:///x/core#regrant@0.1.0` → `regrant`; `path+file:///x/xtask#0.1.0` → `xtask`.
fn package_name(id: &str) -> Option<String> {
    let (path, fragment) = id.split_once('#')?;
    match fragment.split_once('@') {
        Some((name, _)) => Some(name.to_owned()),
        None => Some(path.rsplit('/').next()?.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn message(kind: &str, test: bool, executable: Value) -> Value {
        json!({
            "reason": "compiler-artifact",
            "package_id": "path+file:///x/core#regrant@0.1.0",
            "manifest_path": "/x/core/Cargo.toml",
            "target": { "kind": [kind], "name": "it" },
            "profile": { "test": test },
            "filenames": ["/t/libit.a", format!("/t/libit{}", std::env::consts::DLL_SUFFIX)],
            "executable": executable,
        })
    }

    #[test]
    fn artifacts_are_classified_as_tests_programs_and_libraries() {
        let test = artifact(&message("test", true, json!("/t/it-1"))).unwrap();
        assert_eq!((test.kind, test.path), (Kind::Test, "/t/it-1".into()));
        assert_eq!((test.package.as_str(), test.folder), ("regrant", "/x/core".into()));
        let program = artifact(&message("bin", false, json!("/t/it"))).unwrap();
        assert_eq!(program.kind, Kind::Program);
        let library = artifact(&message("cdylib", false, Value::Null)).unwrap();
        assert!(library.path.ends_with(format!("libit{}", std::env::consts::DLL_SUFFIX)));
        assert!(artifact(&message("lib", false, Value::Null)).is_none());
        assert_eq!(package_name("path+file:///x/tests/xtask#0.1.0").as_deref(), Some("xtask"));
    }

    #[test]
    fn an_executable_lists_its_tests() {
        let own = tests_of(&std::env::current_exe().unwrap()).unwrap();
        let this = "cargo::tests::an_executable_lists_its_tests".to_owned();
        assert!(own.contains(&this) && own.len() > 20, "{own:?}");
    }
}
