//! TLS towards Redis, by rustls over AWS-LC.

use std::path::Path;
use std::sync::Arc;

use redis::RedisResult;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::connector::Stream;
use crate::error::{Error, Result};
use crate::store::RedisTls;

const CA_FILE: &str = "redis.caFile";
const CERT_FILE: &str = "redis.certFile";
const KEY_FILE: &str = "redis.keyFile";

/// Whom to trust, and who this is.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the file's field.
    pub(super) fn new(options: &RedisTls) -> Result<Self> {
        let roots = match &options.ca_file {
            Some(path) => roots_in(path)?,
            None => system_roots()?,
        };
        // The provider is named: the program around this may have chosen another one for itself.
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::internal("the TLS provider has no protocol version"))?
            .with_root_certificates(roots);
        let config = match (&options.cert_file, &options.key_file) {
            (None, None) => builder.with_no_client_auth(),
            (Some(cert), Some(key)) => {
                let key = PrivateKeyDer::from_pem_slice(&read(key, KEY_FILE)?)
                    .map_err(|_| Error::config(KEY_FILE, "expected a private key in PEM"))?;
                builder
                    .with_client_auth_cert(certificates(cert, CERT_FILE)?, key)
                    .map_err(|_| Error::config(KEY_FILE, "is not the key of the certificate"))?
            }
            (Some(_), None) => return Err(Error::config(KEY_FILE, "is required with certFile")),
            (None, Some(_)) => return Err(Error::config(CERT_FILE, "is required with keyFile")),
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    pub(super) async fn over(&self, stream: TcpStream, host: &str) -> RedisResult<Box<dyn Stream>> {
        let name = ServerName::try_from(host.to_owned()).map_err(std::io::Error::other)?;
        Ok(Box::new(self.0.connect(name, stream).await?))
    }
}

fn read(path: &Path, field: &str) -> Result<Vec<u8>> {
    std::fs::read(path)
        .map_err(|error| Error::config(field, format!("cannot be read: {}", error.kind())))
}

fn certificates(path: &Path, field: &str) -> Result<Vec<CertificateDer<'static>>> {
    let pem = read(path, field)?;
    let found: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    found
        .ok()
        .filter(|certificates| !certificates.is_empty())
        .ok_or_else(|| Error::config(field, "expected certificates in PEM"))
}

fn roots_in(path: &Path) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path, CA_FILE)? {
        roots
            .add(certificate)
            .map_err(|_| Error::config(CA_FILE, "holds what is not a certificate (X.509)"))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one less to trust.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::config(
            CA_FILE,
            "is required: this system has no certificates of authorities",
        ));
    }
    Ok(roots)
}
