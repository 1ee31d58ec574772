//! `cargo xtask jar`: installs the Kotlin library, with the native library of this machine, into the local Maven
//! repository.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::setup;
use crate::checkout;
use crate::clients;
use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::Tool;

const NEEDS: &[Tool] = &[Tool::Jdk, Tool::Maven];

/// Builds the jar and puts it into the local Maven repository.
pub(crate) fn run() -> Result<(), Stop> {
    setup::require(NEEDS)?;
    println!("--- 1 of 3: the native library, small (the first time takes minutes)");
    let native = native()?;
    println!("--- 2 of 3: the generated Kotlin sources");
    clients::kotlin_sources()?;
    println!("--- 3 of 3: the jar");
    Invocation::new("mvn")
        .args(["-B", "-ntp", "-DskipTests", "-Dmaven.test.skip=true", "install"])
        .within(checkout::kotlin())
        .run_online()?;
    println!("\n{} is inside the jar", described(&native)?);
    Ok(())
}

/// Builds the size-optimised library and copies it to where Maven packs it from.
fn native() -> Result<PathBuf> {
    Invocation::new("cargo")
        .args(["build", "--locked", "-p", "regrant-uniffi", "--lib", "--no-default-features"])
        .args(["--profile", "mobile"])
        .run()?;
    let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let name = format!("{prefix}regrant_uniffi{suffix}");
    let folder = checkout::kotlin().join("target/natives").join(platform()?);
    std::fs::create_dir_all(&folder)?;
    let native = folder.join(&name);
    std::fs::copy(checkout::built("mobile").join(&name), &native).context(name)?;
    Ok(native)
}

fn described(native: &Path) -> Result<String> {
    let kilobytes = std::fs::metadata(native)?.len() / 1000;
    Ok(format!("{} ({kilobytes} KB)", checkout::relative(native)))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    fn platform_names_match_jna() {
        assert_eq!(platform().unwrap(), "linux-x86-64");
    }
}
