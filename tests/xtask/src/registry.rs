//! Telling a package registry that cannot be reached from a build that is broken.

/// What npm, Maven, Cargo and debootstrap print when the network, and not the project, is at fault.
const SIGNS: &[&str] = &[
    "ENOTFOUND",
    "EAI_AGAIN",
    "ECONNREFUSED",
    "ECONNRESET",
    "ETIMEDOUT",
    "ENETUNREACH",
    "ERR_SOCKET_TIMEOUT",
    "Could not transfer artifact",
    "Unknown host",
    "Could not resolve host",
    "Failed getting release file",
    "Couldn't download",
];

/// Whether a program's output says that a registry could not be reached.
pub(crate) fn is_unreachable(output: &str) -> bool {
    SIGNS.iter().any(|sign| output.contains(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn network_trouble_is_told_from_a_broken_build() {
        assert!(is_unreachable("npm error code ENOTFOUND\nnpm error syscall getaddrinfo"));
        assert!(is_unreachable("[ERROR] Could not transfer artifact a:b:pom:1 from/to central"));
        assert!(is_unreachable("E: Failed getting release file http://mirror.test/dists/trixie"));
        assert!(!is_unreachable("npm error code EUSAGE\nnpm error `npm ci` can only install"));
        assert!(!is_unreachable("[ERROR] Tests run: 3, Failures: 1"));
    }
}
