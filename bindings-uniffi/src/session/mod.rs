//! The client session for Kotlin and Swift.

mod config;
mod observer;
mod proof_key;
mod state;
mod storage;
mod transport;

pub use config::{EndpointShape, RefreshEndpoint, SessionConfig};
pub use observer::{LogEntry, LogLevel, SessionListener, SessionLogger};
pub use proof_key::{ProofKey, software_proof_key, thumbprint_of};
pub use state::{SessionState, SignOutOutcome, SignOutReason, TokenPair, read_login};
pub use storage::{DurableFile, FileLock, TokenStorage, in_memory_storage};
pub use transport::{HttpHeader, HttpRequest, HttpResponse, Transport};

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use regrant::client::{self, StorageError};
use regrant::dpop::ProofKeyError;
use regrant::error::{Cause, Error};
use regrant::types::AccessToken;

use crate::{Clock, RegrantError, time};

/// The target of log events.
const TARGET: &str = "regrant::client";

/// How long the thread of a closed session waits for a lock that is still being taken.
const LATE_LOCK: Duration = Duration::from_secs(60);

/// A user's session: stores the token pair and keeps its access token fresh. Concurrent callers
/// share one refresh.
///
/// Keep one per storage for the lifetime of the app; it may be shared between threads and tasks. It
/// runs on a thread of its own, which ends after the session is closed and everything in progress
/// has completed.
///
/// Every call may be cancelled at any time: a refresh that was started continues, and its tokens are
/// stored. Errors have one of two kinds of advice. To sign in: show the login page; `signOut` of the
/// error has the reason. To retry: the tokens are kept; `retryAfter` says how long to wait.
#[derive(uniffi::Object)]
pub struct Session(client::Session);

#[uniffi::export]
impl Session {
    /// Creates a session. It reads the storage, so that the state is known, and sends no refresh before
    /// the first call. `listener` is notified of
    /// sign-in and sign-out, `logger` receives the log. `clock` is the device's wall clock, which may
    /// be wrong; default: the system clock. `proof_key` is the key to bind the tokens to (see
    /// `ProofKey`); it must stay the same. A bound session starts with a login that carries `proof`.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the invalid field: `endpoint.url`, `endpoint.logout`, `endpoint.headers` or
    /// `proofKey`.
    #[uniffi::constructor(default(listener = None, logger = None, clock = None, proof_key = None))]
    pub fn new(
        config: SessionConfig,
        transport: Arc<dyn Transport>,
        storage: Arc<dyn TokenStorage>,
        listener: Option<Arc<dyn SessionListener>>,
        logger: Option<Arc<dyn SessionLogger>>,
        clock: Option<Arc<dyn Clock>>,
        proof_key: Option<Arc<dyn ProofKey>>,
    ) -> Result<Self, RegrantError> {
        let (storage, mut unused) = storage::Foreign::new(storage);
        let mut builder = config
            .into_core()
            .transport(Arc::new(transport::Foreign(transport)))
            .storage(Arc::new(storage))
            .clock(time::infallible_clock(clock));
        if let Some(key) = proof_key {
            builder = builder.proof_key(proof_key::device_key(key)?);
        }
        let (session, task) = builder.build()?;
        let states = session.states();
        let work = async move {
            let notifier =
                listener.map(|listener| tokio::spawn(observer::notify(listener, states)));
            task.await;
            if let Some(notifier) = notifier {
                // Ends with the session. A panic in it does not matter any more.
                let _ = notifier.await;
            }
            // Wait for a lock that is still being taken, so that it is unlocked.
            let _ = tokio::time::timeout(LATE_LOCK, unused.recv()).await;
        };
        run_on_thread(work, logger)?;
        Ok(Self(session))
    }

    /// An access token that is valid as far as the session knows: usually the held one, else a
    /// refreshed one.
    pub async fn access_token(&self) -> Result<String, RegrantError> {
        Ok(text(&self.0.access_token().await?))
    }

    /// An access token to replace `rejected`, for which a server responded with 401.
    pub async fn renew(&self, rejected: String) -> Result<String, RegrantError> {
        Ok(text(&self.0.renew(AccessToken::new(rejected)).await?))
    }

    /// The first attempt at a request of `method` to `url`: an access token, with a DPoP proof if it
    /// is bound to the session's key (RFC 9449). Pass the response to `nextAttempt`.
    pub async fn attempt(&self, method: String, url: String) -> Result<Arc<Attempt>, RegrantError> {
        Ok(Arc::new(Attempt(self.0.attempt(&method, &url).await?)))
    }

    /// The attempt after `attempt`, to which the server responded with `response`; nothing if the
    /// response is final. A request is retried once, if the server rejects its access token or proof.
    ///
    /// Call it for every response, even if the request cannot be sent again: the response may
    /// contain a nonce for the next proof. Its body may be omitted. `from` is the URL that the
    /// response came from if the HTTP client follows redirects. A response from another server is
    /// ignored.
    #[uniffi::method(default(from = None))]
    pub async fn next_attempt(
        &self,
        attempt: Arc<Attempt>,
        response: HttpResponse,
        from: Option<String>,
    ) -> Result<Option<Arc<Attempt>>, RegrantError> {
        let next = self.0.next_attempt(&attempt.0, &response.into(), from.as_deref()).await?;
        Ok(next.map(|attempt| Arc::new(Attempt(attempt))))
    }

    /// A DPoP proof for a request without an access token: the `DPoP` header of a login. Nothing for a
    /// session without a key.
    pub async fn proof(&self, method: String, url: String) -> Result<Option<String>, RegrantError> {
        Ok(self.0.proof(&method, &url).await?)
    }

    /// Takes the DPoP nonce and the server's time from the response to a login, including its body.
    /// Returns whether the proof was rejected: then retry the login once with a new `proof`.
    #[allow(clippy::needless_pass_by_value, reason = "required by uniffi")]
    pub fn observe_response(&self, url: String, response: HttpResponse) -> bool {
        self.0.observe_response(&url, &response.into())
    }

    /// Stores the pair from a login response, replacing any other.
    pub async fn sign_in(&self, pair: TokenPair) -> Result<(), RegrantError> {
        Ok(self.0.sign_in(pair.into_core()).await?)
    }

    /// Deletes the tokens, at once in memory and then in the storage, and asks the server's logout
    /// endpoint to revoke the session. Waits for the server no longer than for a refresh. Without a
    /// network the sign-out succeeds, and the server is asked later. If it fails, the storage may still
    /// contain the tokens.
    pub async fn sign_out(&self) -> Result<SignOutOutcome, RegrantError> {
        Ok(self.0.sign_out().await?.into())
    }

    /// Whether a user is signed in, as far as the session knows.
    pub fn state(&self) -> SessionState {
        self.0.state().into()
    }

    /// Waits until the state differs from `after`, and returns it. Nothing if the session's thread has
    /// died: the state does not change any more.
    pub async fn next_state(&self, after: SessionState) -> Option<SessionState> {
        let mut states = self.0.states();
        loop {
            let state = SessionState::from(*states.borrow_and_update());
            if state != after {
                return Some(state);
            }
            states.changed().await.ok()?;
        }
    }
}

fn text(token: &AccessToken) -> String {
    token.expose().to_owned()
}

/// One attempt at a request of the app: what to send it with.
#[derive(uniffi::Object)]
pub struct Attempt(client::Attempt);

#[uniffi::export]
impl Attempt {
    /// The headers, with names in lower case: `authorization` with the scheme `Bearer`, or with the
    /// scheme `DPoP` and the header `dpop`; `accesstoken` for a server of the shape `RtVerify`. They are as secret as the token, and valid for this
    /// attempt only.
    pub fn headers(&self) -> Vec<HttpHeader> {
        let headers = self.0.headers().into_iter();
        headers.map(|(name, value)| HttpHeader { name: name.to_owned(), value }).collect()
    }
}

/// The error of a callback into the app (transport, storage, key, listener, logger), and of the files
/// that a storage uses. Any other error that is thrown by a callback counts the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, uniffi::Error)]
pub enum CallbackError {
    /// The callback failed.
    #[error("{reason}")]
    Failed {
        /// The reason, for the log. It must not contain a token.
        reason: String,
    },
    /// A storage has lost its content for good, for example because the system invalidated the key
    /// that it is encrypted with. The user is signed out (`SignOutReason.StorageLost`). `clear` makes
    /// the storage usable again, with a new key if it needs one; a session calls it before the next
    /// sign-in is stored.
    ///
    /// Or a `ProofKey` can never be used again: the user is signed out (`SignOutReason.KeyLost`).
    #[error("{reason}")]
    Lost {
        /// The reason, for the log. It must not contain a token.
        reason: String,
    },
    /// The folder of a file does not exist.
    #[error("the folder does not exist")]
    FolderMissing,
}

impl CallbackError {
    /// The error of a storage, for the core.
    fn into_storage_error(self) -> Cause {
        match self {
            Self::Lost { reason } => {
                tracing::warn!(target: TARGET, %reason, "the token storage lost its content");
                StorageError::Lost.into()
            }
            Self::FolderMissing => StorageError::FolderMissing.into(),
            failed @ Self::Failed { .. } => failed.into(),
        }
    }

    /// The error of a key, for the core.
    fn into_key_error(self) -> Cause {
        match self {
            Self::Lost { reason } => {
                tracing::warn!(target: TARGET, %reason, "the proof key is lost");
                ProofKeyError::Lost.into()
            }
            failed => failed.into(),
        }
    }
}

impl From<uniffi::UnexpectedUniFFICallbackError> for CallbackError {
    fn from(thrown: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed { reason: thrown.reason }
    }
}

/// Runs `work` to completion on a thread of its own, so that no thread of the app is blocked. Its
/// log events go to `logger`.
///
/// # Errors
/// [`Error::Internal`] if the thread cannot be started.
fn run_on_thread(
    work: impl Future<Output = ()> + Send + 'static,
    logger: Option<Arc<dyn SessionLogger>>,
) -> Result<(), Error> {
    // The runtime needs no I/O: transport and storage are callbacks.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        // For signing proofs, which may be slow on a hardware key.
        .max_blocking_threads(4)
        .thread_name("regrant")
        .build()
        .map_err(|_| Error::internal("cannot create a runtime for a session"))?;
    let thread = std::thread::Builder::new().name("regrant".to_owned());
    let main = move || {
        let _logging = logger.map(observer::log_to);
        runtime.block_on(work);
    };
    let spawned = thread.spawn(main).map(drop);
    spawned.map_err(|_| Error::internal("cannot start a thread for a session"))
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Unreachable;

    #[async_trait::async_trait]
    impl Transport for Unreachable {
        async fn send(&self, _: HttpRequest) -> Result<HttpResponse, CallbackError> {
            Err(CallbackError::Failed { reason: "unreachable".to_owned() })
        }
    }

    /// As after a panic in the session's thread, which drops its future.
    #[tokio::test]
    async fn a_session_whose_thread_has_died_fails_its_callers_and_has_no_next_state() {
        let (storage, _unused) = storage::Foreign::new(in_memory_storage());
        let endpoint = client::RefreshEndpoint::json("https://api.example/auth/refresh");
        let builder = client::Session::builder(endpoint)
            .transport(Arc::new(transport::Foreign(Arc::new(Unreachable))))
            .storage(Arc::new(storage));
        let (session, task) = builder.build().unwrap();
        let session = Session(session);
        drop(task);
        let next = session.next_state(session.state());
        assert_eq!(tokio::time::timeout(Duration::from_secs(60), next).await, Ok(None));
        let RegrantError::Failed { detail, .. } = session.access_token().await.unwrap_err();
        assert_eq!(detail.as_deref(), Some("the runtime of the session was shut down"));
    }
}
