//! How a session is put together.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use super::Session;
use super::driver::{Driver, Work};
use super::proofs::{Clocks, Proofs, thumbprint_of};
use super::refresher::Refresher;
use super::storage::TokenStorage;
use super::transport::Transport;
use crate::client::endpoint::Endpoint;
use crate::client::machine::Machine;
use crate::client::reason::State;
use crate::client::settings::Settings;
use crate::dpop::DpopSigner;
use crate::error::{Error, Result};
use crate::types::{Clock, SystemClock};

/// Puts a [`Session`] together. A transport and a storage must be given.
#[derive(Debug)]
#[must_use]
pub struct SessionBuilder {
    endpoint: Endpoint,
    transport: Option<Arc<dyn Transport>>,
    storage: Option<Arc<dyn TokenStorage>>,
    clock: Arc<dyn Clock>,
    proof_key: Option<Arc<dyn DpopSigner>>,
    settings: Settings,
    request_timeout: Duration,
    lock_timeout: Duration,
}

impl SessionBuilder {
    pub(super) fn new(endpoint: Endpoint) -> Self {
        Self {
            endpoint,
            transport: None,
            storage: None,
            clock: Arc::new(SystemClock),
            proof_key: None,
            settings: Settings::default(),
            request_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(20),
        }
    }

    /// The way to the server.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Where the pair is kept.
    pub fn storage(mut self, storage: Arc<dyn TokenStorage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// The wall clock of the device; the system's by default. It may be wrong.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The key that the tokens are to be bound to (DPoP, RFC 9449), always the same one: requests
    /// then carry a proof of it, and whoever steals the tokens cannot use them. The session begins
    /// with a proof, [`Session::proof`], that goes with the login; a session that began without
    /// goes on without. Tokens that are bound to another key are of no use
    /// ([`SignOutReason::OtherKey`](crate::client::SignOutReason::OtherKey)).
    pub fn proof_key(mut self, key: Arc<dyn DpopSigner>) -> Self {
        self.proof_key = Some(key);
        self
    }

    /// How patient the session is. [`Settings::seed`] is drawn anew if it is 0.
    pub fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// For how long an answer to a refresh is waited for, and a proof of the key. Default 10 seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// For how long the lock of the storage is waited for. Default 20 seconds: longer than another
    /// process takes for a refresh.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Starts the session's task on the Tokio runtime that this is called in. Nothing is read or
    /// sent before somebody asks.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] without a runtime, and as [`SessionBuilder::build`].
    pub fn start(self) -> Result<Session> {
        let (session, task) = self.build()?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::config("runtime", "must be called within a Tokio runtime"))?;
        runtime.spawn(task);
        Ok(session)
    }

    /// The session and its task, for whoever has a runtime of another make or a thread of its own
    /// for it. The task must be run within a Tokio runtime that has its time enabled; until it is,
    /// callers wait. It ends when the last clone of the session is gone and nothing is under way.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] without a transport or a storage, for an endpoint that no request
    /// could be made to, and for a `proofKey` without a usable public part.
    pub fn build(self) -> Result<(Session, impl Future<Output = ()> + Send + 'static)> {
        let missing = |what: &str| Error::config(what, "must be given");
        let transport = self.transport.ok_or_else(|| missing("transport"))?;
        let storage = self.storage.ok_or_else(|| missing("storage"))?;
        self.endpoint.check()?;
        let mut settings = self.settings;
        if settings.seed == 0 {
            settings.seed =
                getrandom::u64().map_err(|_| Error::internal("no randomness for a seed"))?;
        }
        if let Some(key) = self.proof_key.as_deref() {
            settings.key = Some(thumbprint_of(key)?);
        }
        let (commands, inbox) = mpsc::unbounded_channel();
        let (watched, states) = watch::channel(State::Unknown);
        let clocks = Clocks::new(self.clock);
        let proofs = self.proof_key.map(|key| Proofs::by(key, clocks.clone()));
        let refresher = Refresher {
            endpoint: Arc::new(self.endpoint),
            transport,
            proofs: proofs.clone(),
            request_timeout: self.request_timeout,
        };
        let work = Work { refresher, storage, lock_timeout: self.lock_timeout };
        let driver = Driver::new(Machine::new(settings), work, clocks, watched);
        let session = Session { commands, states, proofs, callers: Arc::new(AtomicU64::new(1)) };
        Ok((session, driver.run(inbox)))
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::client::{MemoryStorage, Pair, Request, Response};
    use crate::error::Cause;
    use crate::types::{AccessToken, RefreshToken};

    #[derive(Debug)]
    struct Nowhere;

    #[async_trait]
    impl Transport for Nowhere {
        async fn send(&self, _: Request) -> Result<Response, Cause> {
            Err("no way".into())
        }
    }

    fn builder(url: &str) -> SessionBuilder {
        Session::builder(Endpoint::json(url)).storage(Arc::new(MemoryStorage::default()))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn the_task_runs_on_another_thread_and_ends_with_the_session() {
        let (session, task) =
            builder("https://api.example").transport(Arc::new(Nowhere)).build().unwrap();
        let thread = std::thread::spawn(move || runtime().block_on(task));
        let token = runtime().block_on(async {
            let pair = Pair::new(AccessToken::new("a"), RefreshToken::new("r"));
            session.sign_in(pair).await.unwrap();
            session.access_token().await.unwrap()
        });
        assert_eq!(token.expose(), "a");
        drop(session);
        thread.join().unwrap();
    }

    #[test]
    fn what_is_missing_or_wrong_is_named() {
        let whole = |url| builder(url).transport(Arc::new(Nowhere));
        for (builder, expected) in
            [(builder("https://api.example"), "transport"), (whole("api.example"), "endpoint.url")]
        {
            let Err(Error::ConfigInvalid { field, .. }) = builder.build() else { panic!() };
            assert_eq!(field, expected);
        }
        let Err(Error::ConfigInvalid { field, .. }) = whole("https://api.example").start() else {
            panic!()
        };
        assert_eq!(field, "runtime");
    }
}
