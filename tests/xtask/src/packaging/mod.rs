//! `cargo xtask dist`: builds what a release uploads into `dist`, with checksums and bills of materials.
//!
//! The native code of a platform is built once and kept in `target/dist/native`, so that a release can be put together from
//! several runs, or on several machines. The packages contain what is there.

mod native;
mod packages;
mod platform;
mod sbom;
mod trial;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::checkout;
use crate::process::Invocation;
use platform::Platform;
use trial::Trial;

/// What `dist` builds.
#[derive(Args, Clone, Debug, Default, PartialEq)]
pub(crate) struct Dist {
    /// Build for this platform only; may be repeated. The packages also contain what earlier calls built
    #[arg(long, value_name = "PLATFORM", value_parser = platform::ALL.map(|platform| platform.name))]
    only: Vec<String>,
    /// Build for no platform: pack what earlier calls built
    #[arg(long, conflicts_with = "only")]
    pack: bool,
    /// Pack only for this registry, without bills of materials; may be repeated
    #[arg(long, value_name = "PACKAGE", value_parser = packages::ALL.map(|package| package.name))]
    package: Vec<String>,
}

/// Builds a release.
///
/// # Errors
/// Something does not compile, or a package fails where it is tried.
pub(crate) fn run(dist: &Dist) -> Result<()> {
    let selected = |platform: &&Platform| {
        !dist.pack && (dist.only.is_empty() || dist.only.iter().any(|name| name == platform.name))
    };
    let mut failures = Vec::new();
    let selected: Vec<_> = platform::ALL.iter().filter(selected).collect();
    if !selected.is_empty() {
        let toolchain = native::Toolchain::ready()?;
        for (index, platform) in selected.iter().enumerate() {
            println!("\n=== {} ({} of {})", platform.name, index + 1, selected.len());
            if let Err(error) = toolchain.build(platform) {
                println!("!!! {}: {error:#}", platform.name);
                failures.push((platform.name, format!("{error:#}")));
            }
        }
    }
    let built: Vec<&Platform> =
        platform::ALL.iter().filter(|platform| platform.built_from().is_some()).collect();
    for file in built.iter().flat_map(|platform| [platform.addon(), platform.library()]) {
        if file.is_file() {
            native::ensure_no_local_paths(&file)?;
        }
    }

    let out = out();
    let packs = |name: &str| dist.package.is_empty() || dist.package.iter().any(|it| it == name);
    for package in &packages::ALL {
        if packs(package.name) {
            println!("\n=== the {} package", package.name);
            let folder = out.join(package.name);
            let _ = fs::remove_dir_all(&folder);
            fs::create_dir_all(&folder)?;
            (package.pack)(&built, &folder).with_context(|| package.name.to_owned())?;
        }
    }
    if dist.package.is_empty() {
        println!("\n=== bills of materials");
        sbom::write(&out.join("sbom"))?;
    }
    println!("\n=== checksums");
    write_checksums(&out)?;

    println!("\n=== trying the npm package");
    let trials: Vec<_> = platform::ALL
        .iter()
        .map(|platform| {
            let failed = failures.iter().find(|(name, _)| *name == platform.name);
            let trial = match (failed, platform.built_from()) {
                (Some((_, error)), _) => Trial::not_built(error),
                (None, None) => Trial::not_built("no call of `dist` has built it here"),
                (None, Some(_)) if !packs("npm") => {
                    Trial::not_tried("this call packed nothing for npm".to_owned())
                }
                // An emulated platform takes minutes.
                (None, Some(_)) if !dist.only.is_empty() && !selected.contains(&platform) => {
                    Trial::not_tried("built by an earlier call; `--pack` tries it".to_owned())
                }
                (None, Some(_)) => trial::run(platform, &out.join("npm")),
            };
            (platform, trial)
        })
        .collect();
    println!("\n{}", table(&trials)?);
    let broken = trials.iter().filter(|(_, trial)| trial.failed).count();
    ensure!(failures.is_empty() && broken == 0, "not all platforms are good, see the table");
    Ok(())
}

/// The folder of the result.
fn out() -> PathBuf {
    checkout::path("dist")
}

/// The folder of what the result is made from.
fn work() -> PathBuf {
    checkout::target().join("dist")
}

/// When the sources were committed, in seconds since 1970; or what the environment says.
fn epoch() -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let committed = Invocation::new("git").args(["log", "-1", "--format=%ct"]).capture()?;
    Ok(committed.trim().to_owned())
}

/// Writes `SHA256SUMS`, in the format of `sha256sum --check`.
fn write_checksums(folder: &Path) -> Result<()> {
    let mut sums = String::new();
    for file in files_in(folder)? {
        let name = file.strip_prefix(folder)?.display().to_string();
        if name != "SHA256SUMS" {
            let sum = Sha256::digest(fs::read(&file)?);
            let sum: String = sum.iter().map(|byte| format!("{byte:02x}")).collect();
            sums.push_str(&format!("{sum}  {name}\n"));
        }
    }
    print!("{sums}");
    Ok(fs::write(folder.join("SHA256SUMS"), sums)?)
}

/// The files in a folder and in those inside of it, in order.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { files.extend(files_in(&path)?) } else { files.push(path) }
    }
    files.sort();
    Ok(files)
}

/// What is known about each platform.
fn table(trials: &[(&Platform, Trial)]) -> Result<String> {
    let now = platform::commit()?;
    let mut rows = vec![["platform", "built", "loaded", "tests", "how"].map(str::to_owned)];
    for (platform, trial) in trials {
        let built = match platform.built_from() {
            None => "no".to_owned(),
            Some(commit) if commit == now => "yes".to_owned(),
            Some(commit) => format!("from {commit}"),
        };
        rows.push([
            platform.name.to_owned(),
            built,
            trial.loaded.to_owned(),
            trial.tests.clone(),
            trial.how.clone(),
        ]);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 5] = std::array::from_fn(width);
    let line = |row: &[String; 5]| {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    Ok(rows.iter().map(line).collect::<Vec<_>>().join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_sha256sum() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        fs::write(folder.path().join("b/two"), "2").unwrap();
        fs::write(folder.path().join("a"), "1").unwrap();
        write_checksums(folder.path()).unwrap();
        let check = Invocation::new("sha256sum").args(["--check", "--strict", "SHA256SUMS"]);
        let checked = check.within(folder.path()).capture().unwrap();
        assert_eq!(checked, "a: OK\nb/two: OK\n");
        // Those of the last run are not among them.
        write_checksums(folder.path()).unwrap();
        let sums = fs::read_to_string(folder.path().join("SHA256SUMS")).unwrap();
        assert_eq!(sums.lines().count(), 2);
    }
}
