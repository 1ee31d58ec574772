//! What a release needs: `cargo xtask ci` checks all of it, `cargo xtask jar` builds the Kotlin library.

use anyhow::{Context, Result, bail, ensure};

use crate::Selection;
use crate::cargo;
use crate::checkout::{self, KOTLIN};
use crate::clients;
use crate::commands;
use crate::npm;
use crate::process::{Invocation, on_path};
use crate::runner;
use crate::stages;
use crate::tools::{self, Tool};

/// `cargo xtask ci`: runs all stages with `--strict`, tests the release addon, and packs the crate and the jar.
pub(crate) fn ci() -> Result<()> {
    commands::test::run(&Selection { strict: true, only: Vec::new() })?;
    println!("\n=== the npm package with the release addon");
    npm::addon(true)?;
    let ((), ended) = runner::run(|queue| {
        queue.add(stages::node_units()?);
        Ok(())
    })?;
    // Build the debug addon again, which is quicker to rebuild while developing.
    npm::addon(false)?;
    let passed = ended.iter().all(|unit| unit.end.is_ok());
    ensure!(passed, "the npm package fails its tests with the release addon");
    println!("\n=== packing the crate");
    Invocation::new("cargo")
        .args(["package", "--locked", "-p", "regrant", "--allow-dirty", "--no-verify"])
        .run()?;
    println!("\n=== packing the jar");
    jar()?;
    println!("\n=== dependencies");
    if on_path("cargo-deny").is_none() {
        // The workflow installs it and checks advisories too.
        println!("!!! SKIPPED: cargo-deny is missing: cargo install --locked cargo-deny");
        return Ok(());
    }
    // Advisories need a downloaded database; these three checks need no network.
    let deny = ["deny", "--locked", "check", "bans", "licenses", "sources"];
    Invocation::new("cargo").args(deny).run()
}

/// `cargo xtask jar`: installs the Kotlin library, with the native library of this machine, into the local Maven
/// repository.
pub(crate) fn jar() -> Result<()> {
    tools::require(&[Tool::Jdk, Tool::Maven])?;
    println!("--- 1 of 3: the native library, small (the first time takes minutes)");
    let built = cargo::mobile_library()?;
    // Where Maven packs it from.
    let folder = checkout::path(KOTLIN).join("target/natives").join(platform()?);
    std::fs::create_dir_all(&folder)?;
    let native = folder.join(built.file_name().context("a library has a name")?);
    let bytes = std::fs::copy(built, &native).context("cannot copy the library")?;
    println!("--- 2 of 3: the generated Kotlin sources");
    clients::kotlin_sources()?;
    println!("--- 3 of 3: the jar");
    Invocation::new("mvn")
        .args(["-B", "-ntp", "-DskipTests", "-Dmaven.test.skip=true", "install"])
        .within(KOTLIN)
        .run_online()?;
    println!("\n{} ({} KB) is inside the jar", checkout::relative(&native), bytes / 1000);
    Ok(())
}

/// This machine's platform name in JNA.
fn platform() -> Result<String> {
    let system = match std::env::consts::OS {
        "linux" => "linux",
        "macos" => "darwin",
        "windows" => "win32",
        other => bail!("the JNA name of {other} is unknown"),
    };
    let processor = match std::env::consts::ARCH {
        "x86_64" => "x86-64",
        "aarch64" => "aarch64",
        other => bail!("the JNA name of {other} is unknown"),
    };
    Ok(format!("{system}-{processor}"))
}
