//! TLS to Redis (rustls over AWS-LC): which certificates are trusted, and errors that say what to
//! do.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{AlertDescription, ClientConfig, Error as TlsError, RootCertStore};

use crate::error::{Error, Result};
use crate::store::RedisTls;
use crate::store::certificates::{PinningVerifier, certificate_problem};

/// Why a handshake does not succeed with a server without TLS.
pub(super) const NO_TLS: &str =
    "the server does not speak TLS on this port: use its TLS port, or redis:// without TLS";

const CA_FILE: &str = "redis.caFile";
const CERT_FILE: &str = "redis.certFile";
const KEY_FILE: &str = "redis.keyFile";
const SERVER_NAME: &str = "redis.serverName";

/// How to speak TLS with the servers of one address.
#[derive(Clone)]
pub(super) struct Tls {
    connector: TlsConnector,
    /// The name that certificates must have, instead of the host that is connected to.
    server_name: Option<ServerName<'static>>,
}

impl Tls {
    /// Reads the certificates.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the option.
    pub(super) fn new(options: &RedisTls) -> Result<Self> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let pinned = match &options.ca_file {
            Some(path) => certificates(path, CA_FILE)?,
            None => Vec::new(),
        };
        let roots = Arc::new(match &options.ca_file {
            Some(_) => roots_of(&pinned)?,
            None => system_roots()?,
        });
        let verifier = PinningVerifier::new(roots, pinned, Arc::clone(&provider))
            .ok_or_else(|| Error::config(CA_FILE, "contains no usable certificate"))?;
        // Named explicitly, because the application may have installed another default provider.
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|_| Error::internal("the TLS provider has no protocol version"))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier));
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
        let server_name = options.server_name.clone().map(|name| {
            ServerName::try_from(name)
                .map_err(|_| Error::config(SERVER_NAME, "expected a host name or an IP address"))
        });
        Ok(Self {
            connector: TlsConnector::from(Arc::new(config)),
            server_name: server_name.transpose()?,
        })
    }

    /// Begins TLS with the server at `host`.
    pub(super) async fn connect(&self, host: &str, stream: TcpStream) -> io::Result<Explained> {
        let name = match &self.server_name {
            Some(name) => name.clone(),
            None => ServerName::try_from(host.to_owned()).map_err(io::Error::other)?,
        };
        self.connector.connect(name, stream).await.map(Explained).map_err(explain)
    }
}

/// A stream whose errors are in words for operators. In TLS 1.3 a server rejects the certificate of
/// a client only after the handshake.
pub(super) struct Explained(TlsStream<TcpStream>);

impl AsyncRead for Explained {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer).map_err(explain)
    }
}

impl AsyncWrite for Explained {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes).map_err(explain)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context).map_err(explain)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context).map_err(explain)
    }
}

/// The error of a handshake in words for operators.
fn explain(error: io::Error) -> io::Error {
    let text = match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(TlsError::InvalidCertificate(problem)) => {
            certificate_problem(problem, CA_FILE, Some(SERVER_NAME))
        }
        Some(TlsError::InvalidMessage(_)) => NO_TLS.to_owned(),
        Some(TlsError::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::HandshakeFailure
            | AlertDescription::BadCertificate
            | AlertDescription::UnknownCA,
        )) => "the server refuses the client's certificate, or requires one: set redis.certFile \
               and redis.keyFile to one that it trusts"
            .to_owned(),
        Some(TlsError::AlertReceived(AlertDescription::ProtocolVersion)) => {
            "the server has no version of TLS from 1.2 on".to_owned()
        }
        Some(other) => format!("TLS failed: {other}"),
        None => return error,
    };
    // The kind of a connection that is lost, which is what this is for the callers.
    io::Error::new(io::ErrorKind::ConnectionAborted, text)
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

fn roots_of(certificates: &[CertificateDer<'static>]) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate.clone())
            .map_err(|_| Error::config(CA_FILE, "contains an invalid X.509 certificate"))?;
    }
    Ok(roots)
}

fn system_roots() -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // A certificate that cannot be parsed is skipped, and therefore not trusted.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if roots.is_empty() {
        return Err(Error::config(
            CA_FILE,
            "is required: this system has no CA certificates of its own",
        ));
    }
    Ok(roots)
}
