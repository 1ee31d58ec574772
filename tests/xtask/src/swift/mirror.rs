//! The Debian mirror and the proxy that this machine's apt uses.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::outcome::Stop;
use crate::process::Invocation;

/// The output format of apt: one line with these fields for each source.
const FORMAT: &str = "$(ORIGIN) $(COMPONENT) $(REPO_URI)";

/// The address of the mirror.
///
/// # Errors
/// apt has no mirror of Debian.
pub(super) fn address() -> Result<String, Stop> {
    if let Some(address) = configured()? {
        return Ok(address);
    }
    // The origin of a source is in the package lists, which images often do not contain.
    Invocation::new("apt-get").args(["-q", "update"]).run_online()?;
    let none = || Stop::Skip("apt has no mirror of Debian among its sources".to_owned());
    configured()?.ok_or_else(none)
}

/// apt's proxy for plain HTTP, if any.
pub(super) fn proxy() -> Result<Option<String>> {
    let value = apt("apt-config", &["dump", "--format", "%v%n", "Acquire::http::Proxy"])?;
    Ok(Some(value.trim().to_owned()).filter(|value| !matches!(value.as_str(), "" | "DIRECT")))
}

fn configured() -> Result<Option<String>> {
    let arguments = ["indextargets", "--format", FORMAT, "Created-By: Packages"];
    Ok(first(&apt("apt-get", &arguments)?))
}

/// The first source with the origin Debian (security updates have another one) that
/// debootstrap can read.
fn first(sources: &str) -> Option<String> {
    sources.lines().find_map(|line| {
        let uri = line.strip_prefix("Debian main ")?;
        let readable = ["http://", "https://", "file:"].iter().any(|it| uri.starts_with(it));
        readable.then(|| uri.trim().to_owned())
    })
}

fn apt(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {program}"))?;
    if !output.status.success() {
        bail!("{program}: {}", output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mirror_is_the_first_source_of_debian_itself() {
        let sources = "\
            Docker stable https://docker.test/linux/debian/\n\
            Debian-Security main http://security.test/debian-security/\n\
            Debian contrib http://contrib.test/debian/\n\
            Debian main mirror+file:/etc/apt/mirrors/debian.list\n\
            Debian main http://mirror.test/debian/\n\
            Debian main http://other.test/debian/\n";
        assert_eq!(first(sources).as_deref(), Some("http://mirror.test/debian/"));
        assert_eq!(first("Ubuntu main http://mirror.test/ubuntu/\n"), None);
        assert_eq!(first(""), None);
    }
}
