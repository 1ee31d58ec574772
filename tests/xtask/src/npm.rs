//! The npm packages of this repository: installs them as locked, copies the addon, compiles TypeScript.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::{fs, io};

use anyhow::{Context, Result, anyhow, bail};
use serde_json::Value;

use crate::cargo;
use crate::checkout;
use crate::outcome::Stop;
use crate::process::Invocation;

/// Larger files are compared by length and modification time instead of by content.
const MAX_HASHED: u64 = 4 << 20;

/// Installs a folder's npm packages as its lock file says, unless they are up to date.
///
/// # Errors
/// npm fails, or its registry cannot be reached.
pub(crate) fn install(folder: &Path) -> Result<(), Stop> {
    // Serialised: two folders of one preparation may be the same.
    static INSTALLING: Mutex<()> = Mutex::new(());
    let _guard = INSTALLING.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let lock = folder.join("package-lock.json");
    let wanted =
        fs::read(&lock).with_context(|| format!("cannot read {}", checkout::relative(&lock)))?;
    // A copy of the lock file that the packages were installed from.
    let stamp = folder.join("node_modules/.installed-lock.json");
    if fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(());
    }
    let npm = Invocation::new("npm").args(["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    npm.within(folder).run_online()?;
    fs::create_dir_all(folder.join("node_modules"))?;
    Ok(fs::write(stamp, wanted)?)
}

/// Builds the npm package with an unoptimised addon: addon, types and JavaScript. Installs the packages of the other
/// folders while Cargo compiles. Does nothing if nothing has changed.
///
/// # Errors
/// Something does not compile, or npm's registry cannot be reached.
pub(crate) fn package(others: &[PathBuf]) -> Result<(), Stop> {
    build(others, false)
}

/// The same with the addon as it ships. Builds with Cargo and not with @napi-rs/cli, which makes Cargo compile the
/// optimised addon again although nothing has changed.
///
/// # Errors
/// As for [`package`].
pub(crate) fn release_package(others: &[PathBuf]) -> Result<(), Stop> {
    build(others, true)
}

fn build(others: &[PathBuf], release: bool) -> Result<(), Stop> {
    let folder = checkout::node();
    let (installed, built) = std::thread::scope(|scope| {
        let folders = std::iter::once(&folder).chain(others);
        let installing = scope.spawn(|| folders.into_iter().try_for_each(|folder| install(folder)));
        let built = cargo::addon(release);
        (installing.join(), built)
    });
    installed.map_err(|_| anyhow!("installing npm packages panicked"))??;
    place_addon(built?)?;
    let mut inputs = vec![folder.join("package-lock.json"), folder.join("native.d.cts")];
    inputs.extend(files(&folder.join("src"), &|_| true)?);
    inputs.extend(files_beside(&folder, &|name| name.starts_with("tsconfig"))?);
    unless_done(&folder.join("dist"), &inputs, || npm(&folder, "build:ts").run())?;
    Ok(())
}

/// Builds the addon and copies it and its types to where the package loads them from.
///
/// # Errors
/// It does not compile.
pub(crate) fn addon(release: bool) -> Result<()> {
    place_addon(cargo::addon(release)?)
}

fn place_addon((library, types): (PathBuf, PathBuf)) -> Result<()> {
    let folder = checkout::node();
    let addon = folder.join(format!("regrant.{}.node", platform()?));
    if !same(&library, &addon)? {
        // Renamed into place: running processes keep the previous file.
        let next = addon.with_extension("node.next");
        fs::copy(&library, &next).context("cannot copy the addon")?;
        fs::rename(&next, &addon)?;
    }
    let written = folder.join("native.d.cts");
    unless_done(&written, std::slice::from_ref(&types), || {
        let Some(types) = types.parent() else { bail!("no folder of types") };
        Invocation::new("node")
            .args(["write-types.mjs".as_ref(), types.as_os_str()])
            .within(&folder)
            .run()
    })
}

/// `npm run SCRIPT` in a folder.
pub(crate) fn npm(folder: &Path, script: &str) -> Invocation {
    Invocation::new("npm").args(["run", "--silent", script]).within(folder)
}

/// The files that a script of this folder's `package.json` gives to `node --test`.
///
/// # Errors
/// There is no such script, or it names no file.
pub(crate) fn test_files(folder: &Path, script: &str) -> Result<Vec<PathBuf>> {
    let manifest = fs::read_to_string(folder.join("package.json"))?;
    let manifest: Value = serde_json::from_str(&manifest)?;
    let command = manifest["scripts"][script].as_str().context("no such script")?;
    let Some(patterns) = command.strip_prefix("node --test ") else {
        bail!("the script {script} is not `node --test FILES`");
    };
    let mut found = Vec::new();
    for pattern in patterns.split_whitespace() {
        let (parent, name) = pattern.rsplit_once('/').unwrap_or((".", pattern));
        let matches = |file: &str| match name.split_once('*') {
            Some((start, end)) => file.starts_with(start) && file.ends_with(end),
            None => file == name,
        };
        let files = files_beside(&folder.join(parent), &matches)?;
        if files.is_empty() {
            bail!("{pattern} in the script {script} matches no file");
        }
        found.extend(files);
    }
    Ok(found)
}

/// Runs `make` unless `output` exists and was made from the same inputs. Their digest is stored in `target/done`.
pub(crate) fn unless_done(
    output: &Path,
    inputs: &[PathBuf],
    make: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let folder = checkout::root().join("target/done");
    let stamp = folder.join(checkout::relative(output).replace(['/', '\\'], "-"));
    let state = digest(inputs)?;
    if output.exists() && fs::read_to_string(&stamp).is_ok_and(|done| done == state) {
        return Ok(());
    }
    make()?;
    fs::create_dir_all(folder)?;
    // Computed afterwards: `make` may generate some of the inputs.
    Ok(fs::write(stamp, digest(inputs)?)?)
}

/// The files in a folder and its subfolders whose names match, sorted.
pub(crate) fn files(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = files_beside(folder, wanted)?;
    for entry in fs::read_dir(folder).with_context(|| checkout::relative(folder))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            found.extend(files(&entry.path(), wanted)?);
        }
    }
    found.sort();
    Ok(found)
}

fn files_beside(folder: &Path, wanted: &dyn Fn(&str) -> bool) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| checkout::relative(folder))? {
        let entry = entry?;
        if entry.file_type()?.is_file() && wanted(&entry.file_name().to_string_lossy()) {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}

fn digest(inputs: &[PathBuf]) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for input in inputs {
        input.hash(&mut hasher);
        let metadata = fs::metadata(input).with_context(|| checkout::relative(input))?;
        if metadata.len() > MAX_HASHED {
            (metadata.len(), metadata.modified()?).hash(&mut hasher);
        } else {
            fs::read(input)?.hash(&mut hasher);
        }
    }
    Ok(format!("{:016x}", hasher.finish()))
}

/// Whether both files exist and have the same content.
fn same(one: &Path, other: &Path) -> Result<bool> {
    let length = |path: &Path| match fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    };
    Ok(length(one)? == length(other)? && fs::read(one)? == fs::read(other)?)
}

/// This machine's platform name in napi-rs.
fn platform() -> Result<&'static str> {
    Ok(match env!("REGRANT_HOST") {
        "aarch64-apple-darwin" => "darwin-arm64",
        "x86_64-apple-darwin" => "darwin-x64",
        "aarch64-unknown-linux-gnu" => "linux-arm64-gnu",
        "aarch64-unknown-linux-musl" => "linux-arm64-musl",
        "x86_64-unknown-linux-gnu" => "linux-x64-gnu",
        "x86_64-unknown-linux-musl" => "linux-x64-musl",
        other => bail!("there is no addon for {other}: see bindings-node/docs/platforms.md"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_node_test_is_in_a_script() {
        let scripts = [
            (checkout::node(), "test"),
            (checkout::example(), "test"),
            (checkout::example(), "test:browser"),
        ];
        for (folder, script) in &scripts {
            assert!(!test_files(folder, script).unwrap().is_empty());
        }
        let listed: Vec<_> = scripts
            .iter()
            .flat_map(|(folder, script)| test_files(folder, script).unwrap())
            .collect();
        for folder in [checkout::node().join("test"), checkout::example().join("test")] {
            let is_test = |name: &str| name.ends_with(".test.mjs") || name.ends_with(".test.cjs");
            for file in files(&folder, &is_test).unwrap() {
                assert!(listed.contains(&file), "{} is in no script", file.display());
            }
        }
    }

    #[test]
    fn unless_done_runs_once_per_input_state() {
        let folder = tempfile::tempdir().unwrap();
        let (input, output) = (folder.path().join("in"), folder.path().join("out"));
        let make = |input: &PathBuf| {
            let mut made = false;
            unless_done(&output, std::slice::from_ref(input), || {
                made = true;
                Ok(fs::write(&output, "x")?)
            })
            .unwrap();
            made
        };
        fs::write(&input, "1").unwrap();
        assert_eq!((make(&input), make(&input)), (true, false));
        fs::write(&input, "2").unwrap();
        assert_eq!((make(&input), make(&input)), (true, false));
        fs::remove_file(&output).unwrap();
        assert!(make(&input));
        let stamp = checkout::relative(&output).replace(['/', '\\'], "-");
        fs::remove_file(checkout::root().join("target/done").join(stamp)).unwrap();
    }
}
