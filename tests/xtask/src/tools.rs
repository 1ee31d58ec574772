//! The programs that the stages need and that Cargo does not install.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::swift;

/// A program, or a set of programs installed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tool {
    Rustfmt,
    Clippy,
    CargoFuzz,
    Node,
    RedisServer,
    Chromium,
    Jdk,
    Maven,
    Swift,
}

/// The oldest supported Node.js.
const NODE_MAJOR: u32 = 20;

impl Tool {
    /// The path of the program, if it is installed and recent enough.
    pub(crate) fn locate(self) -> Option<PathBuf> {
        if self == Self::Swift {
            return swift::locate();
        }
        let found = self.names().iter().find_map(|name| on_path(name))?;
        let usable = match self {
            // The proxies of rustup exist even if the component is not installed.
            Self::Rustfmt | Self::Clippy => succeeds(&found),
            Self::Node => {
                on_path("npm").is_some() && node_major(&found).is_some_and(|is| is >= NODE_MAJOR)
            }
            Self::CargoFuzz
            | Self::RedisServer
            | Self::Chromium
            | Self::Jdk
            | Self::Maven
            | Self::Swift => true,
        };
        usable.then_some(found)
    }

    /// The missing ones of these tools.
    pub(crate) fn missing_of(needed: &[Self]) -> Vec<Self> {
        needed.iter().copied().filter(|tool| tool.locate().is_none()).collect()
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Rustfmt => &["cargo-fmt"],
            Self::Clippy => &["cargo-clippy"],
            Self::CargoFuzz => &["cargo-fuzz"],
            Self::Node => &["node"],
            Self::RedisServer => &["redis-server"],
            Self::Chromium => &["chromium", "chromium-browser", "google-chrome"],
            Self::Jdk => &["javac"],
            Self::Maven => &["mvn"],
            Self::Swift => &["swift"],
        }
    }

    /// The Debian package that contains the tool, if Debian's version is recent enough.
    pub(crate) fn debian_package(self) -> Option<&'static str> {
        match self {
            Self::Rustfmt | Self::Clippy | Self::CargoFuzz | Self::Node => None,
            Self::RedisServer => Some("redis-server"),
            Self::Chromium => Some("chromium"),
            Self::Jdk => Some("default-jdk-headless"),
            Self::Maven => Some("maven"),
            // Creates a chroot with a newer Debian, because bookworm has no Swift.
            Self::Swift => Some("debootstrap"),
        }
    }

    /// One line that says how to install a missing tool.
    pub(crate) fn advice(self) -> &'static str {
        match self {
            Self::Rustfmt => "rustfmt is missing: rustup component add rustfmt",
            Self::Clippy => "clippy is missing: rustup component add clippy",
            Self::CargoFuzz => "cargo-fuzz is missing: cargo install --locked cargo-fuzz",
            Self::Node => "Node.js 20 or newer with npm is missing: install it from nodejs.org",
            Self::RedisServer => {
                "redis-server is missing: apt-get install redis-server, or brew install redis"
            }
            Self::Chromium => "Chromium is missing: apt-get install chromium, or install Chrome",
            Self::Jdk => "a JDK (17 or newer) is missing: apt-get install default-jdk-headless",
            Self::Maven => "Maven is missing: apt-get install maven, or brew install maven",
            Self::Swift => {
                "Swift 6 is missing: install it from swift.org, or be root on Debian with debootstrap"
            }
        }
    }
}

/// The first program of this name on the `PATH`.
pub(crate) fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

fn succeeds(program: &PathBuf) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

fn node_major(node: &PathBuf) -> Option<u32> {
    let output = Command::new(node).arg("--version").stdin(Stdio::null()).output().ok()?;
    major(&String::from_utf8_lossy(&output.stdout))
}

/// `v20.11.1` → 20.
fn major(version: &str) -> Option<u32> {
    version.trim().strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(major("v20.11.1\n"), Some(20));
        assert_eq!(major("v9.0.0"), Some(9));
        assert_eq!(major("20.11.1"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn programs_are_found_on_the_path() {
        assert!(on_path("sh").is_some());
        assert_eq!(on_path("no-such-program"), None);
    }
}
