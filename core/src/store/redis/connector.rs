//! Opening a connection to one server: TCP, TLS (rustls over AWS-LC) if the address asks for it,
//! and authentication.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncConnectionConfig, Pipeline, RedisConnectionInfo, RedisResult, Value};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::address::{Address, Node};
use super::retry::{closed, timed_out};
use crate::error::{Error, Result};
use crate::store::{RedisCredentials, RedisOptions, RedisTls};

/// The number of requests that may wait to be written to a connection.
const WRITE_QUEUE: usize = 1024;

/// How to connect to servers of one kind: data servers or Sentinels.
pub(super) struct Connector {
    tls: Option<TlsConnector>,
    login: RedisConnectionInfo,
    /// How long connecting may take.
    pub(super) timeout: Duration,
}

/// Bytes in both directions.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

impl Connector {
    /// A connector for the data servers at `address` and one for its Sentinels. Reads the
    /// certificates and does no other I/O.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the option.
    pub(super) fn for_data_and_sentinels(
        address: &Address,
        options: &RedisOptions,
    ) -> Result<(Self, Self)> {
        let sentinel = match &options.sentinel {
            Some(credentials) => {
                check(credentials, "redis.sentinel.password")?;
                login(credentials)
            }
            None => anonymous(),
        };
        let tls = address.tls.then(|| tls_connector(&options.tls)).transpose()?;
        let data = login(&address.credentials).set_db(address.db);
        let connector = |tls, login| Self { tls, login, timeout: options.timeout };
        Ok((connector(tls.clone(), data), connector(tls, sentinel)))
    }

    /// Opens a connection for requests. Returned with it: the future that drives it, which
    /// completes when the connection is lost.
    pub(super) async fn open(
        &self,
        node: &Node,
    ) -> RedisResult<(MultiplexedConnection, impl Future<Output = ()> + 'static)> {
        // The callers limit how long they wait for a response.
        let config = AsyncConnectionConfig::new()
            .set_response_timeout(None)
            .set_pipeline_buffer_size(WRITE_QUEUE);
        self.bounded(async {
            let stream = self.stream(node).await?;
            MultiplexedConnection::new_with_config(&self.login, stream, config).await
        })
        .await
    }

    /// Opens a connection for subscriptions.
    pub(super) async fn subscribe(&self, node: &Node) -> RedisResult<PubSub> {
        self.bounded(async { PubSub::new(&self.login, self.stream(node).await?).await }).await
    }

    /// Sends `commands` over a connection of their own and returns the response to each.
    pub(super) async fn query(
        &self,
        node: &Node,
        mut commands: Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        let (mut connection, driver) = self.open(node).await?;
        commands.ignore_errors();
        tokio::select! {
            responses = commands.query_async(&mut connection) => responses,
            () = driver => Err(closed()),
        }
    }

    async fn bounded<T>(&self, attempt: impl Future<Output = RedisResult<T>>) -> RedisResult<T> {
        timeout(self.timeout, attempt).await.unwrap_or_else(|_| Err(timed_out()))
    }

    async fn stream(&self, node: &Node) -> RedisResult<Box<dyn Stream>> {
        let stream = TcpStream::connect((node.host(), node.port())).await?;
        stream.set_nodelay(true)?;
        let Some(tls) = &self.tls else { return Ok(Box::new(stream)) };
        let name = ServerName::try_from(node.host().to_owned()).map_err(std::io::Error::other)?;
        Ok(Box::new(tls.connect(name, stream).await?))
    }
}

fn anonymous() -> RedisConnectionInfo {
    RedisConnectionInfo::default().set_skip_set_lib_name()
}

fn login(credentials: &RedisCredentials) -> RedisConnectionInfo {
    let mut login = anonymous();
    if let Some(username) = &credentials.username {
        login = login.set_username(username);
    }
    if let Some(password) = &credentials.password {
        login = login.set_password(String::from_utf8_lossy(password.expose()));
    }
    login
}

/// Rejects credentials that cannot be sent to a server.
fn check(credentials: &RedisCredentials, field: &str) -> Result<()> {
    match &credentials.password {
        None if credentials.username.is_some() => {
            Err(Error::config(field, "is required with username"))
        }
        Some(password) if std::str::from_utf8(password.expose()).is_err() => {
            Err(Error::config(field, "must be UTF-8"))
        }
        _ => Ok(()),
    }
}

const CA_FILE: &str = "redis.caFile";
const CERT_FILE: &str = "redis.certFile";
const KEY_FILE: &str = "redis.keyFile";

fn tls_connector(options: &RedisTls) -> Result<TlsConnector> {
    let roots = match &options.ca_file {
        Some(path) => roots_in(path)?,
        None => system_roots()?,
    };
    // Named explicitly, because the application may have installed another default provider.
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
    Ok(TlsConnector::from(Arc::new(config)))
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
