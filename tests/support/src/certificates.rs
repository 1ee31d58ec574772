//! Certificates for servers on loopback, made anew for each test.

use std::path::PathBuf;

use tempfile::TempDir;

/// A certificate authority and a certificate issued by it for `127.0.0.1` and `localhost`, as PEM files
/// that are removed when this value is dropped.
#[derive(Debug)]
pub struct Certificates {
    directory: TempDir,
}

impl Certificates {
    /// Generates the keys and certificates.
    ///
    /// # Errors
    /// The files cannot be written.
    #[cfg(feature = "tls")]
    pub fn new() -> anyhow::Result<Self> {
        use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

        let directory = tempfile::Builder::new().prefix("regrant-tls-").tempdir()?;
        let mut authority = CertificateParams::default();
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        authority.distinguished_name.push(DnType::CommonName, "authority of a test");
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate()?)?;
        let key = KeyPair::generate()?;
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let server = CertificateParams::new(names)?.signed_by(&key, &authority)?;
        let certificates = Self { directory };
        std::fs::write(certificates.ca_file(), authority.pem())?;
        std::fs::write(certificates.server_certificate(), server.pem())?;
        std::fs::write(certificates.server_key(), key.serialize_pem())?;
        Ok(certificates)
    }

    /// A self-signed certificate as `openssl req -x509` makes it: marked as an authority's, and
    /// without the name of a host. It is both [`ca_file`](Self::ca_file) and the server's.
    ///
    /// # Errors
    /// The files cannot be written.
    #[cfg(feature = "tls")]
    pub fn self_signed() -> anyhow::Result<Self> {
        use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

        let directory = tempfile::Builder::new().prefix("regrant-tls-").tempdir()?;
        let mut own = CertificateParams::default();
        own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        own.distinguished_name.push(DnType::CommonName, "redis");
        let key = KeyPair::generate()?;
        let own = own.self_signed(&key)?;
        let certificates = Self { directory };
        std::fs::write(certificates.ca_file(), own.pem())?;
        std::fs::write(certificates.server_certificate(), own.pem())?;
        std::fs::write(certificates.server_key(), key.serialize_pem())?;
        Ok(certificates)
    }

    /// The certificate of the authority: what a client must trust.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    pub(crate) fn server_certificate(&self) -> PathBuf {
        self.directory.path().join("server.pem")
    }

    pub(crate) fn server_key(&self) -> PathBuf {
        self.directory.path().join("server.key")
    }
}
