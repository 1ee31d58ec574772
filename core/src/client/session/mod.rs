//! A client session for apps: a handle that any number of tasks share.

mod dpop;
mod driver;
pub(crate) mod storage;
#[cfg(feature = "reqwest")]
pub(super) mod transport;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use super::attempt::{Attempt, RequestShape, Retry, is_same_origin};
use super::clock::DeviceTime;
use super::endpoint::RefreshEndpoint;
use super::error::{SessionError, SessionState, SignOutOutcome, SignOutReason, TransientError};
use super::event::{Caller, Event};
use super::machine::Machine;
use super::machine::retry::SessionSettings;
use super::pair::{DpopBinding, TokenPair};
use crate::dpop::ProofKey;
use crate::error::{Error, Result};
use crate::transport::{HttpResponse, Transport};
use crate::types::{AccessToken, Clock, SystemClock};
use dpop::{DpopClient, thumbprint_of};
use driver::{Driver, Io, Message, ProofRequest, Refresher, Reply, Success};

pub use storage::{FileStorage, MemoryStorage, StorageError, StorageLock, TokenStorage};

/// A user's session: stores the token pair and keeps its access token fresh. Clones share state.
///
/// One Tokio task does the work. It ends when the last clone is dropped and nothing is in progress;
/// a refresh that was started is completed first.
///
/// ```no_run
/// # #[cfg(all(feature = "reqwest", feature = "aws-lc-rs"))]
/// # async fn app(login_response: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use regrant::client::{
///     FileStorage, RefreshEndpoint, ReqwestTransport, Session, same_origin_redirects,
/// };
///
/// let session = Session::builder(RefreshEndpoint::json("https://api.example/auth/refresh"))
///     .transport(Arc::new(ReqwestTransport::new()?))
///     .storage(Arc::new(FileStorage::new("/home/me/.config/app/session")))
///     .start()?;
///
/// // Once, after a login:
/// session.sign_in(RefreshEndpoint::read_login(login_response).ok_or("no tokens")?).await?;
///
/// // For every request; the access token is refreshed when needed. A redirect to another server must not
/// // take the token along.
/// let http = reqwest::Client::builder().redirect(same_origin_redirects()).build()?;
/// let response = session.execute(&http, http.get("https://api.example/me").build()?).await?;
/// # drop(response);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    messages: mpsc::UnboundedSender<Message>,
    states: watch::Receiver<SessionState>,
    dpop: Option<DpopClient>,
    shape: RequestShape,
    next_caller: Arc<AtomicU64>,
}

impl Session {
    /// A builder for a session that refreshes its tokens at `endpoint`.
    pub fn builder(endpoint: RefreshEndpoint) -> SessionBuilder {
        SessionBuilder::new(endpoint)
    }

    /// Stores the pair from a login response, replacing any other.
    ///
    /// # Errors
    /// [`SessionError::Retry`] if it could not be stored. [`SessionError::SignIn`] if it is bound to
    /// another key than the session's.
    pub async fn sign_in(&self, pair: TokenPair) -> Result<(), SessionError> {
        self.call(|caller| Event::SignIn { caller, pair }).await.map(drop)
    }

    /// Deletes the tokens, at once in memory and then in the storage, and asks the server's logout
    /// endpoint ([`RefreshEndpoint::logout`]) to revoke the session. Waits for the server no longer
    /// than for a refresh. Without a network the sign-out succeeds, and the server is asked later:
    /// see [`SignOutOutcome::Pending`].
    ///
    /// # Errors
    /// [`SessionError::Retry`] if the storage could not be cleared. The user is then signed out in
    /// this process only.
    pub async fn sign_out(&self) -> Result<SignOutOutcome, SessionError> {
        match self.call(|caller| Event::SignOut { caller }).await? {
            Success::SignedOut(outcome) => Ok(outcome),
            Success::Done | Success::Token(_) => Ok(SignOutOutcome::Local),
        }
    }

    /// Whether a user is signed in, as far as the session knows.
    pub fn state(&self) -> SessionState {
        *self.states.borrow()
    }

    /// Watches the state.
    pub fn states(&self) -> watch::Receiver<SessionState> {
        self.states.clone()
    }

    /// An access token that is valid as far as the session knows: usually the held one, else a
    /// refreshed one. Concurrent callers share one refresh.
    ///
    /// The future is cancel safe; a refresh that was started continues.
    ///
    /// # Errors
    /// [`SessionError`].
    pub async fn access_token(&self) -> Result<AccessToken, SessionError> {
        self.call_for_token(|caller| Event::Acquire { caller }).await
    }

    /// An access token to replace `rejected`, for which a server responded with 401.
    ///
    /// # Errors
    /// As [`Session::access_token`]; with [`TransientError::AccessRejected`] if `rejected` itself
    /// has just replaced a rejected token, so that another one is unlikely to be accepted.
    pub async fn renew(&self, rejected: AccessToken) -> Result<AccessToken, SessionError> {
        self.call_for_token(|caller| Event::Renew { caller, rejected }).await
    }

    /// The first attempt at a request of `method` to `url`: an access token, with a DPoP proof if it
    /// is bound to the session's key (RFC 9449). Pass the response to [`Session::next_attempt`].
    ///
    /// # Errors
    /// As [`Session::access_token`]; with [`TransientError::ProofKey`] if the key cannot be used.
    pub async fn attempt(&self, method: &str, url: &str) -> Result<Attempt, SessionError> {
        let token = self.access_token().await?;
        self.attempt_with(token, method, url).await
    }

    /// The attempt after `attempt`, to which the server responded with `response`; `None` if the
    /// response is final. A request is retried once, if the server rejects its access token or proof.
    ///
    /// Call it for every response, even if the request cannot be sent again: the response may
    /// contain a nonce for the next proof. Its body may be omitted. `from` is the URL that the
    /// response came from if the HTTP client follows redirects. A response from another server is
    /// ignored.
    ///
    /// # Errors
    /// As [`Session::attempt`].
    pub async fn next_attempt(
        &self,
        attempt: &Attempt,
        response: &HttpResponse,
        from: Option<&str>,
    ) -> Result<Option<Attempt>, SessionError> {
        let Attempt { method, url, token, .. } = attempt;
        let from = from.unwrap_or(url);
        if !is_same_origin(from, url) {
            return Ok(None);
        }
        let _ = self.observe_response(from, response);
        let token = match attempt.retry(response) {
            None => return Ok(None),
            Some(Retry::Proof) => token.clone(),
            Some(Retry::Token) => match self.renew(token.clone()).await {
                Ok(token) => token,
                // Another token is unlikely to be accepted.
                Err(SessionError::Retry { cause: TransientError::AccessRejected, .. }) => {
                    return Ok(None);
                }
                Err(error) => return Err(error),
            },
        };
        // The next request has the new token all the same.
        if !attempt.is_repeatable(from) {
            return Ok(None);
        }
        let next = self.attempt_with(token, method, url).await?;
        Ok(Some(Attempt { is_retry: true, ..next }))
    }

    async fn attempt_with(
        &self,
        token: AccessToken,
        method: &str,
        url: &str,
    ) -> Result<Attempt, SessionError> {
        let is_bound = matches!(DpopBinding::of_access(&token), DpopBinding::Key(_));
        let proof = if is_bound { self.prove_bound(method, url, &token).await? } else { None };
        let (method, url) = (method.to_owned(), url.to_owned());
        Ok(Attempt { method, url, token, proof, shape: self.shape, is_retry: false })
    }

    /// A proof for a request with `token`. A key that is lost for good ends the session: the refresh
    /// that is tried then needs a proof as well.
    async fn prove_bound(
        &self,
        method: &str,
        url: &str,
        token: &AccessToken,
    ) -> Result<Option<String>, SessionError> {
        let proof = self.prove(method, url, Some(token.clone())).await;
        if proof == Err(SessionError::SignIn(SignOutReason::KeyLost)) {
            let _ = self.renew(token.clone()).await;
        }
        proof
    }

    /// A DPoP proof for a request without an access token: the `DPoP` header of a login. `None` for
    /// a session without a key.
    ///
    /// # Errors
    /// [`SessionError::Retry`] with [`TransientError::ProofKey`] if the key cannot be used now;
    /// [`SessionError::SignIn`] with [`SignOutReason::KeyLost`](crate::client::SignOutReason::KeyLost) if
    /// it never can: start a new session with a new key.
    pub async fn proof(&self, method: &str, url: &str) -> Result<Option<String>, SessionError> {
        self.prove(method, url, None).await
    }

    /// Takes the DPoP nonce and the server's time from the response to a login, including its body.
    /// Returns whether the proof was rejected: then retry the login once with a new
    /// [`Session::proof`].
    #[must_use = "a login whose proof was rejected should be retried"]
    pub fn observe_response(&self, url: &str, response: &HttpResponse) -> bool {
        self.dpop.as_ref().is_some_and(|dpop| dpop.observe_response(url, response))
    }

    async fn prove(
        &self,
        method: &str,
        url: &str,
        token: Option<AccessToken>,
    ) -> Result<Option<String>, SessionError> {
        if self.dpop.is_none() {
            return Ok(None);
        }
        let request = ProofRequest { method: method.to_owned(), url: url.to_owned(), token };
        let (reply, answer) = oneshot::channel();
        self.messages.send(Message::Prove { request, reply }).map_err(|_| DRIVER_GONE)?;
        answer.await.unwrap_or(Err(DRIVER_GONE)).map(Some)
    }

    async fn call_for_token(
        &self,
        event: impl FnOnce(Caller) -> Event,
    ) -> Result<AccessToken, SessionError> {
        match self.call(event).await? {
            Success::Token(token) => Ok(token),
            Success::Done | Success::SignedOut(_) => Err(DRIVER_GONE),
        }
    }

    async fn call(&self, event: impl FnOnce(Caller) -> Event) -> Reply {
        let caller = Caller(self.next_caller.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let _cancel = CancelOnDrop { caller, messages: &self.messages };
        self.messages
            .send(Message::Call { caller, event: event(caller), reply })
            .map_err(|_| DRIVER_GONE)?;
        answer.await.unwrap_or(Err(DRIVER_GONE))
    }
}

/// The session's task has ended, because its runtime was shut down.
const DRIVER_GONE: SessionError =
    SessionError::Retry { cause: TransientError::Stopped, retry_after: Duration::ZERO };

/// Tells the driver that a caller is gone. Ignored if it has received its reply.
struct CancelOnDrop<'a> {
    caller: Caller,
    messages: &'a mpsc::UnboundedSender<Message>,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        // The driver may have ended.
        let _ = self.messages.send(Message::Cancel { caller: self.caller });
    }
}

/// Builds a [`Session`]. Transport and storage are required.
#[derive(Debug)]
#[must_use]
pub struct SessionBuilder {
    endpoint: RefreshEndpoint,
    transport: Option<Arc<dyn Transport>>,
    storage: Option<Arc<dyn TokenStorage>>,
    clock: Arc<dyn Clock>,
    proof_key: Option<Arc<dyn ProofKey>>,
    settings: SessionSettings,
    request_timeout: Duration,
    lock_timeout: Duration,
    storage_timeout: Duration,
}

impl SessionBuilder {
    fn new(endpoint: RefreshEndpoint) -> Self {
        Self {
            endpoint,
            transport: None,
            storage: None,
            clock: Arc::new(SystemClock),
            proof_key: None,
            settings: SessionSettings::default(),
            request_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(20),
            storage_timeout: Duration::from_secs(10),
        }
    }

    /// Sends the refresh requests.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Stores the token pair.
    pub fn storage(mut self, storage: Arc<dyn TokenStorage>) -> Self {
        self.storage = Some(storage);
        self
    }

    /// The device's wall clock, which may be wrong. Default: the system clock.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The key to bind the tokens to (DPoP, RFC 9449). It must stay the same. Requests then carry a
    /// proof by it, and stolen tokens are useless without it. A bound session starts with a login
    /// that carries [`Session::proof`]; a session that signed in without one continues unbound.
    /// Tokens bound to another key are unusable
    /// ([`SignOutReason::OtherKey`](crate::client::SignOutReason::OtherKey)).
    pub fn proof_key(mut self, key: Arc<dyn ProofKey>) -> Self {
        self.proof_key = Some(key);
        self
    }

    /// Timing of refreshes. A [`SessionSettings::seed`] of 0 is replaced by a random one.
    pub fn settings(mut self, settings: SessionSettings) -> Self {
        self.settings = settings;
        self
    }

    /// How long to wait for the response to a refresh, and for the signature of a proof. Default 10
    /// seconds.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// How long to wait for the storage lock. Default 20 seconds: longer than a refresh by another
    /// process takes.
    pub fn lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// How long to wait for the storage to read, write or clear its value. Default 10 seconds.
    pub fn storage_timeout(mut self, timeout: Duration) -> Self {
        self.storage_timeout = timeout;
        self
    }

    /// Starts the session's task on the current Tokio runtime. It reads the storage, so that the state
    /// is known. It sends no refresh before the first call.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] outside a runtime, and as [`SessionBuilder::build`].
    pub fn start(self) -> Result<Session> {
        let (session, task) = self.build()?;
        let runtime = tokio::runtime::Handle::try_current()
            .map_err(|_| Error::config("runtime", "must be called within a Tokio runtime"))?;
        runtime.spawn(task);
        Ok(session)
    }

    /// Returns the session and its task, to be run by the caller within a Tokio runtime with time
    /// enabled. Calls wait until the task runs. The task ends when the last clone of the session is
    /// dropped and nothing is in progress.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] without transport or storage, for an invalid endpoint, and for a
    /// `proofKey` without a usable public key.
    pub fn build(self) -> Result<(Session, impl Future<Output = ()> + Send + 'static)> {
        let missing = |what: &str| Error::config(what, "is required");
        let transport = self.transport.ok_or_else(|| missing("transport"))?;
        let storage = self.storage.ok_or_else(|| missing("storage"))?;
        self.endpoint.check()?;
        let mut settings = self.settings;
        if settings.seed == 0 {
            settings.seed =
                getrandom::u64().map_err(|_| Error::internal("no randomness for a seed"))?;
        }
        settings.revoke_on_sign_out |= self.endpoint.has_logout();
        if let Some(key) = self.proof_key.as_deref() {
            settings.key = Some(thumbprint_of(key)?);
        }
        let (messages, inbox) = mpsc::unbounded_channel();
        let (state_sender, states) = watch::channel(SessionState::Unknown);
        let clock = DeviceClock::new(self.clock);
        let dpop = self.proof_key.map(|key| DpopClient::new(key, clock.clone()));
        let is_rt_verify = self.endpoint.is_rt_verify();
        let shape = if is_rt_verify { RequestShape::RtVerify } else { RequestShape::Bearer };
        let refresher = Refresher {
            endpoint: Arc::new(self.endpoint),
            transport,
            dpop: dpop.clone(),
            request_timeout: self.request_timeout,
        };
        let Self { lock_timeout, storage_timeout, .. } = self;
        let io = Io { refresher, storage, lock_timeout, storage_timeout };
        let driver = Driver::new(Machine::new(settings), io, clock, state_sender);
        let next_caller = Arc::new(AtomicU64::new(1));
        let session = Session { messages, states, dpop, shape, next_caller };
        Ok((session, driver.run(inbox)))
    }
}

/// Reads the device's clocks.
#[derive(Clone, Debug)]
struct DeviceClock {
    started: Instant,
    wall: Arc<dyn Clock>,
}

impl DeviceClock {
    fn new(wall: Arc<dyn Clock>) -> Self {
        Self { started: Instant::now(), wall }
    }

    fn now(&self) -> DeviceTime {
        DeviceTime { monotonic: self.started.elapsed(), wall: self.wall.now() }
    }

    /// The origin of the monotonic clock.
    const fn started(&self) -> Instant {
        self.started
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::error::Cause;
    use crate::transport::HttpRequest;
    use crate::types::RefreshToken;

    #[derive(Debug)]
    struct Unreachable;

    #[async_trait]
    impl Transport for Unreachable {
        async fn send(&self, _: HttpRequest) -> Result<HttpResponse, Cause> {
            Err("unreachable".into())
        }
    }

    fn builder(url: &str) -> SessionBuilder {
        Session::builder(RefreshEndpoint::json(url)).storage(Arc::new(MemoryStorage::default()))
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap()
    }

    #[test]
    fn the_task_runs_on_another_thread_and_ends_with_the_session() {
        let (session, task) =
            builder("https://api.example").transport(Arc::new(Unreachable)).build().unwrap();
        let thread = std::thread::spawn(move || runtime().block_on(task));
        let token = runtime().block_on(async {
            let pair = TokenPair::new(AccessToken::new("a"), RefreshToken::new("r"));
            session.sign_in(pair).await.unwrap();
            session.access_token().await.unwrap()
        });
        assert_eq!(token.expose(), "a");
        drop(session);
        thread.join().unwrap();
    }

    #[test]
    fn a_missing_or_invalid_part_is_named() {
        let complete = |url| builder(url).transport(Arc::new(Unreachable));
        for (builder, expected) in [
            (builder("https://api.example"), "transport"),
            (complete("api.example"), "endpoint.url"),
        ] {
            let Err(Error::ConfigInvalid { field, .. }) = builder.build() else { panic!() };
            assert_eq!(field, expected);
        }
        let Err(Error::ConfigInvalid { field, .. }) = complete("https://api.example").start()
        else {
            panic!()
        };
        assert_eq!(field, "runtime");
    }
}
