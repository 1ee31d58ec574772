//! The Swift toolchain: the installed one, or Debian's in a chroot.

mod chroot;
mod mirror;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chroot::Chroot;

use crate::outcome::Stop;
use crate::process::Invocation;
use crate::tools::on_path;

/// The oldest supported Swift, as in the package's `swift-tools-version`.
const MAJOR: u32 = 6;

/// A Swift toolchain that can be run.
#[derive(Debug)]
pub(crate) enum Toolchain {
    /// The installed program `swift`.
    Installed(PathBuf),
    /// Debian's Swift in a chroot.
    Confined(Chroot),
}

impl Toolchain {
    /// Finds the toolchain, or creates the chroot if none is installed.
    ///
    /// # Errors
    /// It can neither be found nor created.
    pub(crate) fn ready() -> Result<Self, Stop> {
        match installed() {
            Some(swift) => Ok(Self::Installed(swift)),
            None => Ok(Self::Confined(Chroot::ready()?)),
        }
    }

    /// `swift` in a folder of the checkout with these environment variables, without arguments yet.
    pub(crate) fn swift(&self, folder: &Path, variables: &[(&str, String)]) -> Invocation {
        match self {
            Self::Installed(swift) => {
                let step = Invocation::new(swift).within(folder);
                variables.iter().fold(step, |step, (name, value)| step.env(name, value))
            }
            Self::Confined(chroot) => chroot.step(folder, variables, "swift"),
        }
    }
}

/// The program that provides Swift, if any: `swift` itself, or the one that creates the chroot.
pub(crate) fn locate() -> Option<PathBuf> {
    installed().or_else(chroot::maker)
}

/// The program `swift`, if it is recent enough.
fn installed() -> Option<PathBuf> {
    // `swift` alone may be the client of OpenStack's object store.
    let compiler = on_path("swiftc")?;
    let swift = compiler.with_file_name("swift");
    let output = Command::new(compiler)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let recent = major(&String::from_utf8_lossy(&output.stdout)).is_some_and(|is| is >= MAJOR);
    (recent && swift.is_file()).then_some(swift)
}

/// `Apple Swift version 6.0.3 (swift-6.0.3-RELEASE)` → 6.
fn major(version: &str) -> Option<u32> {
    let (_, number) = version.split_once("Swift version ")?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_is_read() {
        assert_eq!(major("Swift version 6.0.3 (swift-6.0.3-RELEASE)\nTarget: x86_64"), Some(6));
        assert_eq!(major("Apple Swift version 5.10 (swiftlang-5.10.0.13)"), Some(5));
        assert_eq!(major("Swift version 10-dev (LLVM)"), Some(10));
        assert_eq!(major("python-swiftclient 4.1.0"), None);
        assert_eq!(major(""), None);
    }
}
