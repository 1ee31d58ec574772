//! The npm packages of this repository: installs them as locked, copies the addon, compiles TypeScript.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail, ensure};
use serde_json::Value;

use crate::cargo;
use crate::checkout::{self, NODE};
use crate::process::Invocation;

/// Builds the npm package: addon (optimised with `release`), types and JavaScript. Installs its npm packages and those of
/// these other folders while Cargo compiles. Does nothing if nothing has changed. Calls Cargo and not @napi-rs/cli, which
/// makes Cargo compile the optimised addon again although nothing has changed.
///
/// # Errors
/// Something does not compile, or npm's registry cannot be reached.
pub(crate) fn package(release: bool, others: &[&str]) -> Result<()> {
    let (installed, built) = std::thread::scope(|scope| {
        let folders = [&[NODE], others].concat();
        let installing = scope.spawn(move || folders.into_iter().try_for_each(install));
        let built = cargo::addon(release);
        (installing.join(), built)
    });
    installed.map_err(|_| anyhow!("installing npm packages panicked"))??;
    place_addon(built?)?;
    javascript()
}

/// Compiles the TypeScript of the npm package, whose npm packages are installed.
///
/// # Errors
/// It does not compile.
pub(crate) fn javascript() -> Result<()> {
    let inputs =
        ["src", "native.d.cts", "package-lock.json", "tsconfig.base.json", "tsconfig.build.json"];
    let inputs = inputs.map(|input| checkout::path(NODE).join(input));
    unless_done(&checkout::path(NODE).join("dist"), &inputs, || npm(NODE, "build:ts").run())
}

/// Installs a folder's npm packages as its lock file says, unless they are up to date.
///
/// # Errors
/// npm's registry cannot be reached.
pub(crate) fn install(folder: &str) -> Result<()> {
    let path = checkout::path(folder);
    let wanted = fs::read(path.join("package-lock.json")).context(folder.to_owned())?;
    // A copy of the lock file that the packages were installed from.
    let stamp = path.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let npm = Invocation::new("npm").args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    npm.within(folder).run_online()?;
    fs::create_dir_all(path.join("node_modules"))?;
    Ok(fs::write(stamp, wanted)?)
}

/// Builds the addon and copies it and its types to where the package loads them from.
///
/// # Errors
/// It does not compile.
pub(crate) fn addon(release: bool) -> Result<()> {
    place_addon(cargo::addon(release)?)
}

fn place_addon((library, types): (PathBuf, PathBuf)) -> Result<()> {
    let folder = checkout::path(NODE);
    let addon = folder.join(format!("regrant.{}.node", platform()?));
    // Renamed into place: running processes keep the previous file.
    let next = addon.with_extension("node.next");
    fs::copy(&library, &next).context("cannot copy the addon")?;
    fs::rename(&next, &addon)?;
    unless_done(&folder.join("native.d.cts"), std::slice::from_ref(&types), || {
        // The script needs a package of npm, which a fresh checkout does not have.
        if !folder.join("node_modules").is_dir() {
            install(NODE)?;
        }
        let types = types.parent().context("no folder of types")?;
        let write = ["write-types.mjs".as_ref(), types.as_os_str()];
        Invocation::new("node").args(write).within(NODE).run()
    })
}

/// This machine's platform name in napi-rs.
fn platform() -> Result<String> {
    let libc = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    Ok(match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => format!("linux-x64-{libc}"),
        ("linux", "aarch64") => format!("linux-arm64-{libc}"),
        ("macos", "x86_64") => "darwin-x64".to_owned(),
        ("macos", "aarch64") => "darwin-arm64".to_owned(),
        _ => bail!("there is no addon for this machine: see bindings-node/docs/platforms.md"),
    })
}

/// `npm run SCRIPT` in a folder.
pub(crate) fn npm(folder: &str, script: &str) -> Invocation {
    Invocation::new("npm").args(["run", "--silent", script]).within(folder)
}

/// `node --test` with this file.
pub(crate) fn test(file: impl AsRef<Path>) -> Invocation {
    Invocation::new("node").args(["--test", "--test-reporter=spec"]).args([file.as_ref()])
}

/// The files, relative to the folder, that a script of its `package.json` gives to `node --test`.
///
/// # Errors
/// There is no such script, or it names a file that does not exist.
pub(crate) fn test_files(folder: &str, script: &str) -> Result<Vec<String>> {
    let path = checkout::path(folder);
    let manifest: Value = serde_json::from_str(&fs::read_to_string(path.join("package.json"))?)?;
    let command = manifest["scripts"][script].as_str().unwrap_or_default();
    let patterns = command
        .strip_prefix("node --test ")
        .with_context(|| format!("the script {script} of {folder} is not `node --test FILES`"))?;
    // The shell expands patterns as it does for npm; a pattern without a match stays as it is.
    let expand = format!("printf '%s\\n' {patterns}");
    let files = Invocation::new("/bin/sh").args(["-c", &expand]).within(folder).capture()?;
    let files: Vec<_> = files.lines().map(str::to_owned).collect();
    if let Some(missing) = files.iter().find(|file| !path.join(file).is_file()) {
        bail!("{missing} in the script {script} of {folder} does not exist");
    }
    ensure!(!files.is_empty(), "the script {script} of {folder} names no file");
    Ok(files)
}

/// Runs `make` unless `output` exists and was made from the same inputs, which are files and folders. Their digest is
/// stored in `target/done`.
pub(crate) fn unless_done(
    output: &Path,
    inputs: &[PathBuf],
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let stamp = checkout::path("target/done").join(checkout::relative(output).replace('/', "-"));
    let done = fs::read_to_string(&stamp).ok();
    if output.exists() && done.is_some() && done == digest(inputs).ok() {
        return Ok(());
    }
    make()?;
    fs::create_dir_all(checkout::path("target/done"))?;
    // Computed afterwards: `make` may generate some of the inputs.
    Ok(fs::write(stamp, digest(inputs)?)?)
}

fn digest(inputs: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    inputs.iter().try_for_each(|input| hash(input, &mut hasher))?;
    Ok(format!("{:016x}", hasher.finish()))
}

fn hash(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    path.hash(hasher);
    if !path.is_dir() {
        fs::read(path).with_context(|| checkout::relative(path))?.hash(hasher);
        return Ok(());
    }
    let mut inside: Vec<_> =
        fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    inside.sort();
    inside.iter().try_for_each(|path| hash(path, hasher))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checkout::EXAMPLE;

    #[test]
    fn every_node_test_is_in_a_script() {
        let mut listed = Vec::new();
        for folder in [NODE, EXAMPLE] {
            for script in ["test", "test:browser"] {
                let files = test_files(folder, script).unwrap();
                listed.extend(files.iter().map(|file| format!("{folder}/{file}")));
            }
        }
        let files = ["ls-files", "--cached", "--others", "--exclude-standard"];
        let patterns = ["test/*.test.[mc]js", "example/test/*.test.[mc]js"];
        let files = Invocation::new("git").args(files).args(patterns).within(NODE);
        let files = files.capture().unwrap();
        assert!(files.lines().count() > 10);
        for file in files.lines() {
            assert!(listed.contains(&format!("{NODE}/{file}")), "{file} is in no script");
        }
    }

    #[test]
    fn unless_done_runs_once_per_input_state() {
        let folder = tempfile::tempdir().unwrap();
        let (inputs, output) = (folder.path().join("in"), folder.path().join("out"));
        let made = || {
            let mut made = false;
            unless_done(&output, std::slice::from_ref(&inputs), || {
                made = true;
                Ok(fs::write(&output, "x")?)
            })
            .unwrap();
            made
        };
        fs::create_dir(&inputs).unwrap();
        fs::write(inputs.join("a"), "1").unwrap();
        assert_eq!((made(), made()), (true, false));
        fs::write(inputs.join("a"), "2").unwrap();
        assert_eq!((made(), made()), (true, false));
        fs::write(inputs.join("b"), "1").unwrap();
        assert_eq!((made(), made()), (true, false));
        fs::remove_file(&output).unwrap();
        assert!(made());
        let stamp = checkout::relative(&output).replace('/', "-");
        fs::remove_file(checkout::path("target/done").join(stamp)).unwrap();
    }
}
