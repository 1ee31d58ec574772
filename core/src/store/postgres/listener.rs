//! Notifications of the feed (`LISTEN`), so that readers need not poll all the time.
//!
//! Whether notifications arrive is tried and not assumed: a pooler in transaction mode accepts `LISTEN`
//! and delivers nothing. Until one has arrived, and when one is missing, readers poll.

use std::future::poll_fn;
use std::mem::replace;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::connection::{Address, Connections, Parameter, failed};
use crate::error::{Error, Result};
use crate::store::optimistic::late;
use crate::types::SessionId;

/// The channel of all stores in a database: a reader that is woken for nothing reads once.
pub(super) const CHANNEL: &str = "regrant_feed";

/// Notifies those who listen to a channel.
pub(super) const NOTIFY: &str = "SELECT pg_notify($1, '')";

/// How often it is tried whether notifications still arrive.
const PROBE_INTERVAL: Duration = Duration::from_secs(15);

/// When a connection that failed is made again.
const RECONNECT_DELAY: Duration = Duration::from_secs(1);

/// When it is tried again whether notifications arrive that did not: each trial behind a pooler leaves a
/// `LISTEN` behind.
const RETRY_DELAY: Duration = Duration::from_secs(300);

/// What readers wait for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Signal {
    /// Counts the notifications.
    published: u64,
    /// Whether notifications arrive.
    pub(super) is_listening: bool,
}

/// Listens while it lives, on a connection of its own, once a reader has subscribed.
pub(super) struct Listener {
    signal: Arc<watch::Sender<Signal>>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl Default for Listener {
    fn default() -> Self {
        Self { signal: Arc::new(watch::Sender::new(Signal::default())), task: Mutex::default() }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let task = self.task.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(task) = task.take() {
            task.abort();
        }
    }
}

impl Listener {
    /// The signal, which changes when something is published and when notifications begin or cease to arrive.
    pub(super) fn subscribe(&self, connections: &Arc<Connections>) -> watch::Receiver<Signal> {
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        // It ends with its runtime.
        if task.as_ref().is_none_or(JoinHandle::is_finished) {
            let listening = listen(Arc::clone(connections), Arc::clone(&self.signal));
            *task = Some(tokio::spawn(listening));
        }
        self.signal.subscribe()
    }
}

/// Listens until it is dropped.
async fn listen(connections: Arc<Connections>, signal: Arc<watch::Sender<Signal>>) {
    let mut was_silent = false;
    loop {
        let ceased = match Listening::begin(&connections, &signal).await {
            Ok(listening) => listening.keep(&connections).await,
            Err(error) => Ceased::Failed(error),
        };
        match ceased {
            Ceased::Failed(error) => {
                tracing::debug!(target: "regrant::store", %error, "cannot listen for revocations");
                sleep(RECONNECT_DELAY).await;
            }
            Ceased::Silent => {
                if !was_silent {
                    tracing::info!(
                        target: "regrant::store",
                        "notifications (LISTEN) do not arrive, as behind a pooler in transaction \
                         mode: the revocation feed is polled"
                    );
                }
                was_silent = true;
                sleep(RETRY_DELAY).await;
            }
        }
    }
}

/// Why a connection is given up.
enum Ceased {
    Failed(Error),
    /// No notification arrived.
    Silent,
}

/// A connection that listens.
struct Listening {
    /// Its connection ends with it.
    _client: Client,
    driver: JoinHandle<()>,
    /// A channel of this connection only.
    probe_channel: String,
    /// Counts the notifications of that channel.
    probes: watch::Receiver<u64>,
    signal: Arc<watch::Sender<Signal>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.driver.abort();
        self.signal.send_modify(|signal| signal.is_listening = false);
    }
}

impl Listening {
    async fn begin(connections: &Connections, signal: &Arc<watch::Sender<Signal>>) -> Result<Self> {
        let probe_channel = format!("regrant_probe_{}", SessionId::random()?);
        let (counter, probes) = watch::channel(0);
        let signal = Arc::clone(signal);
        let notified = {
            let (signal, probe_channel) = (Arc::clone(&signal), probe_channel.clone());
            move |channel: &str| match channel {
                CHANNEL => signal.send_modify(|signal| signal.published += 1),
                _ if channel == probe_channel => counter.send_modify(|count| *count += 1),
                _ => {}
            }
        };
        let connecting = async {
            let Address { config, tls } = connections.address();
            match tls.clone() {
                Some(tls) => {
                    let tls = MakeRustlsConnect::new(tls);
                    let (client, connection) = config.connect(tls).await.map_err(failed)?;
                    Ok::<_, Error>((client, tokio::spawn(drive(connection, notified))))
                }
                None => {
                    let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
                    Ok((client, tokio::spawn(drive(connection, notified))))
                }
            }
        };
        let connected = timeout(connections.timeout(), connecting).await;
        let (client, driver) = connected.map_err(|_| late())??;
        let listening = Self { _client: client, driver, probe_channel, probes, signal };
        let sql = format!("LISTEN {CHANNEL}; LISTEN \"{}\"", listening.probe_channel);
        let prepared = timeout(connections.timeout(), listening._client.batch_execute(&sql)).await;
        prepared.map_err(|_| late())?.map_err(failed)?;
        Ok(listening)
    }

    /// Tries now and then whether notifications arrive, until one does not.
    async fn keep(mut self, connections: &Connections) -> Ceased {
        let mut is_proven = false;
        loop {
            // By another connection: a pooler delivers what a connection sends to itself.
            let channel = self.probe_channel.as_str();
            let parameters: [Parameter<'_>; 1] = [(&channel, Type::TEXT)];
            if let Err(error) = connections.query_one(NOTIFY, &parameters).await {
                return Ceased::Failed(error);
            }
            match timeout(connections.timeout(), self.probes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Ceased::Failed(closed()),
                // Dropped by a firewall, or its server is gone.
                Err(_) if is_proven => return Ceased::Failed(late()),
                Err(_) => return Ceased::Silent,
            }
            is_proven = true;
            self.signal.send_if_modified(|signal| !replace(&mut signal.is_listening, true));
            // The sender is dropped with the driver.
            if timeout(PROBE_INTERVAL, self.probes.wait_for(|_| false)).await.is_ok() {
                return Ceased::Failed(closed());
            }
        }
    }
}

fn closed() -> Error {
    Error::store("the connection was closed")
}

/// Runs a connection until it ends, and passes the channel of each notification to `notified`.
async fn drive<S, T>(mut connection: Connection<S, T>, notified: impl Fn(&str))
where
    S: AsyncRead + AsyncWrite + Unpin,
    T: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
        if let AsyncMessage::Notification(notification) = message {
            notified(notification.channel());
        }
    }
}
