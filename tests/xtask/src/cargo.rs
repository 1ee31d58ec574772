//! The builds by Cargo. There are three, each with one set of features, and everything that runs is taken out of
//! their target folder: a `cargo run -p` or `cargo test -p` would resolve other features and compile them anew.

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
/// Whatever looks for a C compiler finds these in its place: programs that fail.
const NO_C: &[&str] =
    &["CC", "CXX", "AR", "CMAKE", "TARGET_CC", "HOST_CC", "TARGET_CXX", "HOST_CXX"];
/// Crates that compile C, or run what does.
const C_BUILDERS: &[&str] =
    &["aws-lc-sys", "aws-lc-rs", "bindgen", "cc", "cmake", "libsqlite3-sys", "ring"];

/// What is linted and documented at once: all that has all features. (The addon has features of its own only where it
/// is built alone.)
pub(crate) const EVERYTHING: &[&str] =
    &["--workspace", "--exclude", "regrant-uniffi", "--all-features"];

/// One of the builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Build {
    /// The addon for Node.js as it ships.
    Addon,
    /// All crates but the two bindings, with all features.
    Workspace,
    /// What an app carries: the core on RustCrypto, and the binding for Kotlin and Swift. Without a C compiler.
    PureRust,
}

/// A file that a build has made.
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

/// How many compile units were compiled so far, and how many were there already.
static UNITS: Mutex<(usize, usize)> = Mutex::new((0, 0));

impl Build {
    /// The packages and the features: what all calls for this build have in common.
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

    /// Builds these targets (`--lib`, `--bins`, `--tests`, `--bin NAME`); gives what can be run or loaded of them.
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

    /// A test target that costs nothing. Cargo gives dependencies the features of dev-dependencies only where a test is
    /// built as well: with it, a program is made from what the tests are made from, and not from another set.
    fn any_test(self) -> &'static [&'static str] {
        match self {
            Self::Addon => &[],
            Self::Workspace => &["--test", "command_line"],
            Self::PureRust => &["--test", "generators"],
        }
    }

    /// Builds these targets without the tests, but from the same dependencies.
    ///
    /// # Errors
    /// Something does not compile.
    pub(crate) fn build_as_tested(self, targets: &[&str]) -> Result<Vec<Artifact>> {
        self.build(&[targets, self.any_test()].concat())
    }

    /// Builds one program; gives its path.
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

/// The addon, and the types that its macros have written down.
///
/// # Errors
/// It does not compile.
pub(crate) fn addon() -> Result<(PathBuf, PathBuf)> {
    let types = checkout::root().join("target").join(TYPES);
    let mut artifacts = Build::Addon.build(&["--lib"])?;
    if !types.is_file() {
        // The macros write only while they are compiled. This makes the build script run again, and so the crate.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let forced = Build::Addon.cargo("build").args(["--lib"]);
        forced.env("NAPI_FORCE_BUILD_REGRANT_NODE", now.to_string()).run()?;
        artifacts = Build::Addon.build(&["--lib"])?;
    }
    Ok((library_of(&artifacts, "regrant-node")?, types))
}

/// Fails where C is compiled for the core on RustCrypto, its tests included.
pub(crate) fn ensure_no_c() -> Result<()> {
    let tree = Build::PureRust.cargo("tree");
    let tree = tree.args(["--edges", "normal,build,dev", "--prefix", "none"]).run_and_read()?;
    let compiles_c =
        |line: &&str| line.split(' ').next().is_some_and(|name| C_BUILDERS.contains(&name));
    match tree.lines().find(compiles_c) {
        None => Ok(()),
        Some(line) => Err(anyhow!("{line} is in the graph of the core on RustCrypto")),
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

/// What was compiled so far, in words.
pub(crate) fn units() -> String {
    let (compiled, fresh) = *UNITS.lock().unwrap_or_else(PoisonError::into_inner);
    format!("{compiled} compile units built, {fresh} were up to date")
}

fn count(fresh: bool) {
    let mut units = UNITS.lock().unwrap_or_else(PoisonError::into_inner);
    if fresh { units.1 += 1 } else { units.0 += 1 }
}

/// What these messages of Cargo say was made; counts the compile units.
fn artifacts(messages: &str) -> Result<Vec<Artifact>> {
    let mut artifacts = Vec::new();
    for line in messages.lines().filter(|line| line.starts_with('{')) {
        let message: Value = serde_json::from_str(line).context("Cargo says what is no JSON")?;
        if message["reason"] == "compiler-artifact" {
            count(message["fresh"] == true);
            artifacts.extend(artifact(&message));
        }
    }
    Ok(artifacts)
}

/// What a message of Cargo says was made, if it can be run or loaded.
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
