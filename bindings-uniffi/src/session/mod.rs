//! The client's side of the flow: a pair of tokens that the app never has to think about.

mod authorization;
mod callback_error;
mod config;
mod listener;
mod logger;
mod pair;
mod proof_key;
mod state;
mod storage;
mod thread;
mod transport;

pub use authorization::Authorization;
pub use callback_error::CallbackError;
pub use config::{EndpointShape, RefreshEndpoint, SessionConfig};
pub use listener::SessionListener;
pub use logger::{LogEntry, LogLevel, SessionLogger};
pub use pair::{TokenPair, read_login};
pub use proof_key::{ProofKey, software_proof_key, thumbprint_of};
pub use state::{SessionState, SignOutReason};
pub use storage::{TokenStorage, in_memory_storage};
pub use transport::{HttpHeader, HttpRequest, HttpResponse, Transport};

use std::sync::Arc;

use regrant::client;
use regrant::types::AccessToken;

use crate::{Clock, RegrantError, clock};

/// The target of what is logged.
const TARGET: &str = "regrant::client";

/// A signed-in user, or one who is to sign in: hands out access tokens and renews them, once for
/// all who ask.
///
/// Keep one per storage for as long as the app runs; any number of threads and tasks may share
/// it. What it does is done on one thread of its own, which ends after the session is closed and
/// what was under way has come to its end.
///
/// Whatever waits may be cancelled at any time: a refresh that has begun goes on, and its tokens
/// are kept. Failures have one of two kinds of advice. To sign in: show the login page; `signOut`
/// of the error says why. To retry: the tokens are kept, and `retryAfter` says when to try again.
#[derive(uniffi::Object)]
pub struct Session(client::Session);

#[uniffi::export]
impl Session {
    /// A session by `config`. Nothing is read or sent before somebody asks. `listener` is told
    /// when somebody is signed in or out, `logger` what happens; `clock` is the wall clock of the
    /// device, the system's by default. It may be wrong. `proof_key` is what the tokens are to be
    /// bound to, always the same key: see `ProofKey`, and `proof` for the login that begins a bound
    /// session.
    ///
    /// Fails with `ERR_CONFIG_INVALID` and the refused field, `endpoint.url`, `endpoint.headers` or
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
            .clock(clock::steady(clock));
        if let Some(key) = proof_key {
            builder = builder.proof_key(proof_key::device_key(key)?);
        }
        let (session, task) = builder.build()?;
        let states = session.states();
        let whole = async move {
            let told = listener.map(|listener| tokio::spawn(listener::tell(listener, states)));
            task.await;
            if let Some(told) = told {
                // It ends with the session; how does not matter.
                let _ = told.await;
            }
            // A lock that is still being taken must be unlocked.
            while unused.recv().await.is_some() {}
        };
        thread::run(whole, logger)?;
        Ok(Self(session))
    }

    /// An access token that the server takes, as far as can be known. Most often that is the one
    /// at hand; otherwise it is renewed.
    pub async fn access_token(&self) -> Result<String, RegrantError> {
        Ok(text(&self.0.access_token().await?))
    }

    /// An access token in place of `refused`, which the server answered with 401.
    pub async fn renew(&self, refused: String) -> Result<String, RegrantError> {
        Ok(text(&self.0.renew(AccessToken::new(refused)).await?))
    }

    /// The access token to repeat a request with to which the server answered 401 when it came
    /// with `refused`; nothing when the answer should stand, because another token would hardly do
    /// better. Repeat it once. For bearer tokens: one that is bound to a key needs `authorization`.
    pub async fn token_for_retry(&self, refused: String) -> Result<Option<String>, RegrantError> {
        let token = self.0.token_for_retry(AccessToken::new(refused)).await?;
        Ok(token.as_ref().map(text))
    }

    /// What a request of `method` to `url` carries: an access token, and a proof of the session's key
    /// where the token is bound to it (DPoP, RFC 9449).
    pub async fn authorization(
        &self,
        method: String,
        url: String,
    ) -> Result<Arc<Authorization>, RegrantError> {
        Ok(Arc::new(Authorization(self.0.authorization(&method, &url).await?)))
    }

    /// What to repeat a request with that carried `refused` and was answered with `answer`; nothing
    /// when the answer should stand, as all do but those with status 401. Repeat it once. To be asked
    /// wherever `heeds` of `refused` says so, also of a request that cannot be repeated: the answer
    /// may have a new nonce. Its body may be left out.
    pub async fn authorization_for_retry(
        &self,
        refused: Arc<Authorization>,
        answer: HttpResponse,
    ) -> Result<Option<Arc<Authorization>>, RegrantError> {
        let another = self.0.authorization_for_retry(&refused.0, &answer.into()).await?;
        Ok(another.map(|authorization| Arc::new(Authorization(authorization))))
    }

    /// A proof of the session's key for a request without an access token: the header `DPoP` of a
    /// login. Nothing for a session without a key.
    pub async fn proof(&self, method: String, url: String) -> Result<Option<String>, RegrantError> {
        Ok(self.0.proof(&method, &url).await?)
    }

    /// Takes note of what the answer from `url` to a login says about proofs, its body included.
    /// Whether it refused the one that came with the request, for its time or for want of a nonce:
    /// then repeat the login once, with a new `proof`.
    #[allow(clippy::needless_pass_by_value, reason = "the type on the other side")]
    pub fn learn(&self, url: String, answer: HttpResponse) -> bool {
        self.0.learn(&url, &answer.into())
    }

    /// Stores the pair that a login was answered with, in place of whatever was there.
    pub async fn sign_in(&self, pair: TokenPair) -> Result<(), RegrantError> {
        Ok(self.0.sign_in(pair.into_core()).await?)
    }

    /// Forgets the tokens, at once here and then in the storage. The server is not told: ask its
    /// logout endpoint before. When it fails, the storage may still have them.
    pub async fn sign_out(&self) -> Result<(), RegrantError> {
        Ok(self.0.sign_out().await?)
    }

    /// Whether somebody is signed in, as far as is known: `Unknown` until the storage was read.
    pub fn state(&self) -> SessionState {
        self.0.state().into()
    }

    /// Waits until the state is another one than `after`, and says which.
    pub async fn next_state(&self, after: SessionState) -> SessionState {
        let mut states = self.0.states();
        loop {
            let state = SessionState::from(*states.borrow_and_update());
            if state != after {
                return state;
            }
            if states.changed().await.is_err() {
                // The session's thread has died. There will be no other state.
                std::future::pending::<()>().await;
            }
        }
    }
}

fn text(token: &AccessToken) -> String {
    token.expose().to_owned()
}
