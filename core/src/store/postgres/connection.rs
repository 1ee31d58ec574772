//! Connections: by which address and with what certificates, and what happens when one fails.

use std::error::Error as StdError;
use std::io;
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use deadpool_postgres::{Client, Manager, ManagerConfig, Object, Pool, RecyclingMethod, Runtime};
use tokio::time::{Instant, timeout};
use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Config, Error as PostgresError, NoTls, Row};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{ClientConfig, Error as TlsError, RootCertStore};

use super::PostgresOptions;
use super::schema::{self, Tables};
use crate::error::{Error, Result};
use crate::store::OPENING;
use crate::store::certificates::{PinningVerifier, certificate_problem};
use crate::store::optimistic::late;

/// A parameter of a statement, with its type: without one, the server would be asked first.
pub(super) type Parameter<'a> = (&'a (dyn ToSql + Sync), Type);

/// Statements that succeed or fail together.
pub(super) trait Transact: Sync {
    fn run(
        &self,
        client: &mut Client,
    ) -> impl Future<Output = std::result::Result<(), PostgresError>> + Send;
}

/// How often an operation is tried on another connection: after a switch of the primary every idle
/// connection may be dead.
const ATTEMPTS: u32 = 3;

/// The share of the timeout for which a connection may be silent, once in an operation.
const SILENCE_SHARE: u32 = 4;

/// How long a connection is idle before TCP probes whether it is still there. Firewalls and load balancers
/// drop connections after some minutes.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// How often expired rows are deleted.
const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// The connections of this process.
pub(super) struct Connections {
    address: Address,
    pool: Pool,
    timeout: Duration,
    tables: Tables,
    last_prune: Mutex<Option<Instant>>,
}

impl Connections {
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store`.
    pub(super) fn new(url: &str, options: &PostgresOptions) -> Result<Self> {
        let mut address = Address::parse(url)?;
        let config = &mut address.config;
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(options.timeout);
        }
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        if config.get_keepalives_idle() == Config::new().get_keepalives_idle() {
            config.keepalives_idle(KEEPALIVE);
        }
        if config.get_application_name().is_none() {
            config.application_name("regrant");
        }
        // A connection that is known to be closed is not used again; no statement is spent on finding out.
        let manager_config = ManagerConfig { recycling_method: RecyclingMethod::Fast };
        let config = config.clone();
        let manager = match address.tls.clone() {
            Some(tls) => Manager::from_config(config, MakeRustlsConnect::new(tls), manager_config),
            None => Manager::from_config(config, NoTls, manager_config),
        };
        let pool = Pool::builder(manager)
            .max_size(options.max_connections.max(1))
            .wait_timeout(Some(options.timeout))
            .create_timeout(Some(options.timeout))
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(|_| Error::internal("the connection pool cannot be built"))?;
        Ok(Self {
            address,
            pool,
            timeout: options.timeout,
            tables: Tables::default(),
            last_prune: Mutex::default(),
        })
    }

    /// For a connection that is not of the pool.
    pub(super) const fn address(&self) -> &Address {
        &self.address
    }

    pub(super) const fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Creates the tables if they do not exist, before the first operation.
    pub(super) async fn open(&self) -> Result<()> {
        self.tables.ensure(self.create_tables()).await
    }

    /// Runs one statement, which may be repeated, and returns its rows.
    pub(super) async fn query(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Vec<Row>> {
        self.open().await?;
        let attempts = async {
            let mut left = ATTEMPTS;
            loop {
                let client = self.client().await?;
                let query = client.query_typed(sql, parameters);
                match self.unless_silent(query, left).await {
                    Some(Ok(rows)) => return Ok(rows),
                    Some(Err(error)) => self.give_up_or_reconnect(client, error, &mut left)?,
                    None => self.leave_silent(client, &mut left),
                }
            }
        };
        self.in_time(attempts).await
    }

    /// As [`query`](Self::query), for a statement that returns exactly one row.
    pub(super) async fn query_one(&self, sql: &str, parameters: &[Parameter<'_>]) -> Result<Row> {
        let row = self.query(sql, parameters).await?.pop();
        row.ok_or_else(|| Error::internal("a statement returned no row"))
    }

    /// Runs a transaction, which may be repeated.
    pub(super) async fn transact(&self, work: &impl Transact) -> Result<()> {
        self.open().await?;
        let attempts = async {
            let mut left = ATTEMPTS;
            loop {
                let mut client = self.client().await?;
                match self.unless_silent(work.run(&mut client), left).await {
                    Some(Ok(())) => return Ok(()),
                    Some(Err(error)) => self.give_up_or_reconnect(client, error, &mut left)?,
                    None => self.leave_silent(client, &mut left),
                }
            }
        };
        self.in_time(attempts).await
    }

    /// The outcome of an attempt; `None` if it is the first one and the connection is silent for a quarter
    /// of the timeout: a firewall or a load balancer may have dropped it without a word.
    async fn unless_silent<T>(&self, attempt: impl Future<Output = T>, left: u32) -> Option<T> {
        match left {
            ATTEMPTS => timeout(self.timeout / SILENCE_SHARE, attempt).await.ok(),
            _ => Some(attempt.await),
        }
    }

    /// Drops a silent connection, and the idle ones that may share its fate: those that have not responded
    /// since it became silent.
    fn leave_silent(&self, client: Client, left: &mut u32) {
        drop(Object::take(client));
        self.pool.retain(|_, metrics| metrics.last_used() < self.timeout / SILENCE_SHARE);
        *left = left.saturating_sub(1);
    }

    /// Returns the error unless another connection may help.
    fn give_up_or_reconnect(
        &self,
        client: Client,
        error: PostgresError,
        left: &mut u32,
    ) -> Result<()> {
        if !is_of_connection(&error) {
            return Err(failed(error));
        }
        drop(Object::take(client));
        // The others lead to the same server.
        self.drop_all();
        *left = left.saturating_sub(1);
        if *left == 0 { Err(failed(error)) } else { Ok(()) }
    }

    async fn in_time<T>(&self, attempts: impl Future<Output = Result<T>>) -> Result<T> {
        timeout(self.timeout, attempts).await.map_err(|_| late())?
    }

    async fn client(&self) -> Result<Client> {
        self.pool.get().await.map_err(|error| match error {
            deadpool_postgres::PoolError::Backend(error) => failed(error),
            error => Error::store(error),
        })
    }

    /// On a slow disk it takes longer than an operation may, and with its timeout it would be rolled back, again and
    /// again.
    async fn create_tables(&self) -> Result<()> {
        let look = async {
            let client = self.client().await?;
            let exist = schema::exists(&client).await.map_err(failed)?;
            Ok((client, exist))
        };
        let (mut client, exist) = self.in_time(look).await?;
        if exist {
            return Ok(());
        }
        let created = timeout(self.timeout.max(OPENING), schema::create(&mut client)).await;
        created.map_err(|_| late())?.map_err(failed)
    }

    /// Drops all idle connections, so that the address is resolved and connected to again.
    pub(super) fn drop_all(&self) {
        self.pool.retain(|_, _| false);
    }

    /// Whether expired rows should be deleted now; true once in a while.
    pub(super) fn is_prune_due(&self) -> bool {
        let now = Instant::now();
        let mut last = self.last_prune.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.duration_since(last) >= PRUNE_INTERVAL);
        if due {
            *last = Some(now);
        }
        due
    }

    /// Makes [`is_prune_due`](Self::is_prune_due) true once more at once.
    pub(super) fn prune_again(&self) {
        *self.last_prune.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Whether another connection may help: this one is broken, its server is shutting down or starting,
/// or is not the primary.
fn is_of_connection(error: &PostgresError) -> bool {
    match error.as_db_error() {
        Some(error) => [
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::ADMIN_SHUTDOWN,
            SqlState::CRASH_SHUTDOWN,
            SqlState::CANNOT_CONNECT_NOW,
            SqlState::IDLE_SESSION_TIMEOUT,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(error.code()),
        None => true,
    }
}

/// An error in the server's own words. They name tables and roles, but no values: statements have
/// parameters.
pub(super) fn failed(error: PostgresError) -> Error {
    if let Some(server) = error.as_db_error() {
        let text =
            format!("{}: {} ({})", server.severity(), server.message(), server.code().code());
        return Error::store(text);
    }
    if let Some(TlsError::InvalidCertificate(cause)) = tls_error(&error) {
        return Error::store(certificate_problem(cause, "sslrootcert", None));
    }
    match error.source().map(ToString::to_string) {
        Some(cause) => Error::store(format!("{error}: {cause}")),
        None => Error::store(error),
    }
}

/// The error of TLS, if it is one.
fn tls_error(error: &PostgresError) -> Option<&TlsError> {
    error.source()?.downcast_ref::<io::Error>()?.get_ref()?.downcast_ref()
}

/// An address, taken apart.
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) tls: Option<ClientConfig>,
}

impl Address {
    /// `sslmode` and `sslrootcert` are read here: tokio-postgres does not know all of their values.
    fn parse(url: &str) -> Result<Self> {
        // Not as a URL, which has one host.
        let (base, query) = url.split_once('?').unwrap_or((url, ""));
        let credentials = base.rsplit_once('@').map_or(base, |(credentials, _)| credentials);
        let is_encoded = credentials.split_once("://").is_some_and(|(_, rest)| {
            credentials.len() == base.len() || !rest.contains(['/', '@', '#'])
        });
        if !is_encoded {
            return Err(problem(
                "expected postgres://USER:PASSWORD@HOST:PORT/DATABASE; characters such as / or @ in \
                 the password must be percent-encoded",
            ));
        }
        let mut verify = false;
        let mut authorities = None;
        let mut others = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match (name.as_ref(), value.as_ref()) {
                ("sslmode", "disable") => {}
                ("sslmode", "verify-full") => verify = true,
                ("sslmode", _) => {
                    return Err(problem(
                        "sslmode must be disable or verify-full: other modes do not check the \
                         certificate",
                    ));
                }
                ("sslrootcert", path) => authorities = Some(path.to_owned()),
                (name, value) => others.push((name.to_owned(), value.to_owned())),
            }
        }
        if authorities.is_some() && !verify {
            return Err(problem("sslrootcert needs sslmode=verify-full"));
        }
        // Not `+` for a space: libpq decodes percent-encoding only.
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let pairs = others.iter().map(|(name, value)| encode(name) + "=" + &encode(value));
        let url = format!("{base}?{}", pairs.collect::<Vec<_>>().join("&"));
        let mut config = Config::from_str(&url).map_err(|error| {
            let cause = error.source().map(ToString::to_string).unwrap_or_default();
            problem(&format!("the address is not understood: {cause}"))
        })?;
        if config.get_hosts().is_empty() {
            return Err(problem("the host is missing"));
        }
        let over_network = config.get_hosts().iter().any(|host| matches!(host, Host::Tcp(_)));
        if verify && !over_network {
            return Err(problem("sslmode=verify-full needs a host name"));
        }
        config.ssl_mode(if verify { SslMode::Require } else { SslMode::Disable });
        let tls = if verify { Some(tls_config(authorities.as_deref())?) } else { None };
        Ok(Self { config, tls })
    }
}

fn tls_config(authorities: Option<&str>) -> Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let mut pinned = Vec::new();
    match authorities {
        Some(path) => {
            let unreadable = |_| problem("the file of sslrootcert has no certificates in PEM");
            for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
                let certificate = certificate.map_err(unreadable)?;
                roots
                    .add(certificate.clone())
                    .map_err(|_| problem("a certificate of sslrootcert is not usable"))?;
                pinned.push(certificate);
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    let none = || problem("there are no certificate authorities: name a file by sslrootcert");
    if roots.is_empty() {
        return Err(none());
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    let verifier = PinningVerifier::new(Arc::new(roots), pinned, Arc::clone(&provider));
    // Named explicitly, because the application may have installed another default provider.
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|_| Error::internal("the TLS provider has no protocol version"))?;
    Ok(builder
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier.ok_or_else(none)?))
        .with_no_client_auth())
}

fn problem(text: &str) -> Error {
    Error::config("store", text)
}
