//! A fault-injecting TCP proxy between a client and a server on loopback.

mod connection;
mod faults;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::faults::Faults;
use crate::port::{Port, start_on_free_port};

/// A TCP proxy on its own loopback port. At first it forwards everything; each fault applies to
/// existing and new connections until [`heal`](Self::heal) or another
/// fault. The proxy stops when this value is dropped.
#[derive(Debug)]
pub struct TcpProxy {
    port: Port,
    control: watch::Sender<Control>,
    lost_answers: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

/// A command to the proxy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control {
    server: Option<u16>,
    faults: Faults,
    /// How often all connections were closed, and dropped silently.
    closed: u64,
    dropped: u64,
    ended: bool,
}

impl TcpProxy {
    /// A proxy in front of the server on this loopback port.
    ///
    /// # Errors
    /// There is no free port.
    pub fn to(server: u16) -> Result<Self> {
        let proxy = Self::to_nobody()?;
        proxy.set_server(server);
        Ok(proxy)
    }

    /// A proxy whose server is not known yet: for servers that must know their proxy's port first.
    pub(crate) fn to_nobody() -> Result<Self> {
        let nothing = Control {
            server: None,
            faults: Faults::default(),
            closed: 0,
            dropped: 0,
            ended: false,
        };
        let (control, watched) = watch::channel(nothing);
        let lost_answers = Arc::new(AtomicU64::new(0));
        let (port, listener) = listener()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread =
            std::thread::Builder::new().name(format!("proxy {}", port.number())).spawn({
                let lost_answers = Arc::clone(&lost_answers);
                move || runtime.block_on(serve(listener, watched, lost_answers))
            })?;
        Ok(Self { port, control, lost_answers, thread: Some(thread) })
    }

    /// Leads new connections to the server on this loopback port. Existing ones stay where they
    /// are.
    pub fn set_server(&self, server: u16) {
        self.control.send_modify(|control| control.server = Some(server));
    }

    /// The loopback port for clients.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port.number()
    }

    /// Removes all faults. Held data is delivered late; a connection that has lost
    /// data is closed, because its stream has a gap.
    pub fn heal(&self) {
        self.set(Faults::default());
    }

    /// A slow network: adds this delay in each direction.
    pub fn delay(&self, to_server: Duration, to_client: Duration) {
        self.set(Faults { delay: [to_server, to_client], ..Faults::default() });
    }

    /// A server that is down: all connections are closed, and each new one at once.
    pub fn cut(&self) {
        self.set(Faults { cut: true, ..Faults::default() });
    }

    /// A partition: connections stay open, new ones are accepted, and no data passes.
    pub fn hold(&self) {
        self.set(Faults { held: true, ..Faults::default() });
    }

    /// Closes all existing connections. New ones work.
    pub fn close_all(&self) {
        self.control.send_modify(|control| control.closed += 1);
    }

    /// Drops all existing connections silently, as a firewall does with idle ones: they stay open,
    /// and no data passes any more, also after [`heal`](Self::heal). New connections work.
    pub fn drop_silently(&self) {
        self.control.send_modify(|control| control.dropped += 1);
    }

    /// Requests are executed; the responses are dropped silently.
    pub fn lose_answers(&self) {
        self.set(Faults { answers_lost: true, ..Faults::default() });
    }

    /// Requests are executed; the connection is closed instead of the response.
    pub fn cut_answers(&self) {
        self.set(Faults { answers_cut: true, ..Faults::default() });
    }

    /// How many connections have lost a response so far.
    #[must_use]
    pub fn lost_answers(&self) -> u64 {
        self.lost_answers.load(Ordering::Relaxed)
    }

    fn set(&self, faults: Faults) {
        self.control.send_modify(|control| control.faults = faults);
    }
}

impl Drop for TcpProxy {
    fn drop(&mut self) {
        self.control.send_modify(|control| control.ended = true);
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is already reported on standard error.
            let _ = thread.join();
        }
    }
}

fn listener() -> Result<(Port, std::net::TcpListener)> {
    start_on_free_port("proxy", || {
        let port = Port::free()?;
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port.number()))?;
        listener.set_nonblocking(true)?;
        Ok((port, listener))
    })
}

async fn serve(
    listener: std::net::TcpListener,
    mut control: watch::Receiver<Control>,
    lost_answers: Arc<AtomicU64>,
) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return eprintln!("a proxy cannot listen: {error}"),
    };
    let watched = control.clone();
    // Dropped with this function, and with it all connections.
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = control.wait_for(|control| control.ended) => return,
            // Removes finished tasks.
            Some(_) = connections.join_next() => continue,
        };
        match accepted {
            Ok((client, _)) => {
                let (control, lost) = (watched.clone(), Arc::clone(&lost_answers));
                connections.spawn(async move { connection::carry(client, control, &lost).await });
            }
            Err(error) => eprintln!("a proxy cannot accept: {error}"),
        }
    }
}
