//! The client's side of the flow for an app: a handle that any number of tasks share.

mod builder;
mod driver;
mod file;
mod kept_key;
mod proofs;
mod refresher;
#[cfg(feature = "reqwest")]
mod reqwest;
mod storage;
mod transport;

#[cfg(feature = "reqwest")]
pub use self::reqwest::{CallError, ReqwestTransport};
pub use builder::SessionBuilder;
pub use file::FileStorage;
pub use storage::{MemoryStorage, StorageLock, TokenStorage};
pub use transport::Transport;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::types::AccessToken;

use super::authorization::Authorization;
use super::endpoint::Endpoint;
use super::event::{Caller, Event};
use super::http::Response;
use super::pair::{Binding, Pair};
use super::reason::{Refusal, State, Trouble};
use driver::{Command, Reply, Target};
use proofs::Proofs;

/// A signed-in user, or one who is to sign in. Clones share everything.
///
/// Whatever it does is done by one task of its own. It ends when the last clone is gone and
/// nothing is under way any more: a refresh that was begun is brought to its end.
///
/// ```no_run
/// # #[cfg(feature = "reqwest")]
/// # async fn app(login_answer: &[u8]) -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use regrant::client::{Endpoint, FileStorage, ReqwestTransport, Session};
///
/// let session = Session::builder(Endpoint::json("https://api.example/auth/refresh"))
///     .transport(Arc::new(ReqwestTransport::new()?))
///     .storage(Arc::new(FileStorage::new("/home/me/.config/app/session")))
///     .start()?;
///
/// // Once, after a login:
/// session.sign_in(Endpoint::read_login(login_answer).ok_or("no tokens")?).await?;
///
/// // With every request; renewed whenever that is due.
/// let http = reqwest::Client::new();
/// let answer = session.execute(&http, http.get("https://api.example/me").build()?).await?;
/// # drop(answer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    commands: mpsc::UnboundedSender<Command>,
    states: watch::Receiver<State>,
    proofs: Option<Proofs>,
    callers: Arc<AtomicU64>,
}

impl Session {
    /// A session whose tokens are renewed at `endpoint`.
    pub fn builder(endpoint: Endpoint) -> SessionBuilder {
        SessionBuilder::new(endpoint)
    }

    /// An access token that the server takes, as far as can be known. Most often that is the one
    /// at hand; otherwise it is renewed, once for all who ask.
    ///
    /// The future may be dropped at any time; a refresh that has begun goes on.
    ///
    /// # Errors
    /// [`Refusal`]: sign in, or try later.
    pub async fn access_token(&self) -> Result<AccessToken, Refusal> {
        self.token(|caller| Event::Want { caller }).await
    }

    /// An access token in place of `refused`, which the server answered with 401.
    ///
    /// # Errors
    /// As [`Session::access_token`]; with [`Trouble::AccessRefused`] when `refused` is new, so
    /// that another one would hardly do better.
    pub async fn renew(&self, refused: AccessToken) -> Result<AccessToken, Refusal> {
        self.token(|caller| Event::Refused { caller, token: refused }).await
    }

    /// Makes a request with an access token, and once more with another one if the server does
    /// not take the first: `is_unauthorized` tells by its answer, which is most often status 401.
    /// For bearer tokens; one that is bound to a key needs [`Session::authorization`].
    ///
    /// # Errors
    /// As [`Session::access_token`]. An answer that stays unauthorized is not an error here.
    pub async fn authorize<F, O>(
        &self,
        mut request: impl FnMut(AccessToken) -> F,
        is_unauthorized: impl Fn(&O) -> bool,
    ) -> Result<O, Refusal>
    where
        F: Future<Output = O>,
    {
        let token = self.access_token().await?;
        let answer = request(token.clone()).await;
        if !is_unauthorized(&answer) {
            return Ok(answer);
        }
        match self.token_for_retry(token).await? {
            Some(token) => Ok(request(token).await),
            None => Ok(answer),
        }
    }

    /// The access token to repeat a request with to which the server answered 401 when it came
    /// with `refused`; `None` when the answer should stand, because another token would hardly do
    /// better. What [`Session::authorize`] asks, for adapters that send requests themselves. For
    /// bearer tokens: one that is bound to a key needs [`Session::authorization`].
    ///
    /// # Errors
    /// As [`Session::access_token`].
    pub async fn token_for_retry(
        &self,
        refused: AccessToken,
    ) -> Result<Option<AccessToken>, Refusal> {
        // It came without its proof; no other token would do better so.
        if matches!(Binding::of_access(&refused), Binding::Key(_)) {
            return Ok(None);
        }
        self.another_token(refused).await
    }

    async fn another_token(&self, refused: AccessToken) -> Result<Option<AccessToken>, Refusal> {
        match self.renew(refused).await {
            Ok(token) => Ok(Some(token)),
            Err(Refusal::TryLater { trouble: Trouble::AccessRefused, .. }) => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// What a request of `method` to `url` carries: an access token, and the proof of the key that
    /// it is bound to, if it is (DPoP, RFC 9449). For sessions without a key it is
    /// [`Session::access_token`] as a header.
    ///
    /// # Errors
    /// As [`Session::access_token`]; with [`Trouble::Key`] when the key cannot be used.
    pub async fn authorization(&self, method: &str, url: &str) -> Result<Authorization, Refusal> {
        let token = self.access_token().await?;
        self.authorize_with(token, method, url).await
    }

    /// What to repeat a request with that carried `refused` and was answered with `answer`; `None`
    /// when the answer should stand, as all do but those with status 401. Repeat it once.
    ///
    /// To be asked wherever [`Authorization::heeds`] says so, also of a request that cannot be
    /// repeated: the answer may have a new nonce. Its body may be left out.
    ///
    /// # Errors
    /// As [`Session::authorization`].
    pub async fn authorization_for_retry(
        &self,
        refused: &Authorization,
        answer: &Response,
    ) -> Result<Option<Authorization>, Refusal> {
        let Authorization { method, url, .. } = refused;
        let is_about_proof = self.learn(url, answer) && refused.proof.is_some();
        let token = match answer.status {
            // Nothing is wrong with the token then.
            401 if is_about_proof => Some(refused.token.clone()),
            401 => self.another_token(refused.token.clone()).await?,
            _ => None,
        };
        match token {
            Some(token) => self.authorize_with(token, method, url).await.map(Some),
            None => Ok(None),
        }
    }

    async fn authorize_with(
        &self,
        token: AccessToken,
        method: &str,
        url: &str,
    ) -> Result<Authorization, Refusal> {
        let is_bound = matches!(Binding::of_access(&token), Binding::Key(_));
        let proof =
            if is_bound { self.prove(method, url, Some(token.clone())).await? } else { None };
        Ok(Authorization { token, proof, method: method.to_owned(), url: url.to_owned() })
    }

    /// A proof of the session's key for a request that carries no access token: the header `DPoP`
    /// of a login. `None` for a session without a key.
    ///
    /// # Errors
    /// [`Refusal::TryLater`] with [`Trouble::Key`] when the key cannot be used.
    pub async fn proof(&self, method: &str, url: &str) -> Result<Option<String>, Refusal> {
        self.prove(method, url, None).await
    }

    /// Takes note of what the answer from `url` to a login says about proofs, its body included.
    /// Whether it refused the one that came with its request, for its time or for want of a nonce:
    /// then repeat it once, with a new [`Session::proof`]. Of other requests it takes the answer to
    /// the second attempt; to the first it is [`Session::authorization_for_retry`].
    #[must_use = "a login whose proof was refused is to be repeated"]
    pub fn learn(&self, url: &str, answer: &Response) -> bool {
        self.proofs.as_ref().is_some_and(|proofs| proofs.learn(url, answer))
    }

    async fn prove(
        &self,
        method: &str,
        url: &str,
        token: Option<AccessToken>,
    ) -> Result<Option<String>, Refusal> {
        if self.proofs.is_none() {
            return Ok(None);
        }
        let request = Target { method: method.to_owned(), url: url.to_owned(), token };
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Prove { request, reply }).map_err(|_| GONE)?;
        answer.await.unwrap_or(Err(GONE)).map(Some)
    }

    /// Stores the pair that a login was answered with, in place of whatever was there.
    ///
    /// # Errors
    /// [`Refusal::TryLater`] when it could not be stored.
    pub async fn sign_in(&self, pair: Pair) -> Result<(), Refusal> {
        self.ask(|caller| Event::SignIn { caller, pair }).await.map(drop)
    }

    /// Forgets the tokens, at once here and then in the storage. The server is not told: ask its
    /// logout endpoint before.
    ///
    /// # Errors
    /// [`Refusal::TryLater`] when the storage could not be cleared. Until then the user is
    /// signed out in this process only.
    pub async fn sign_out(&self) -> Result<(), Refusal> {
        self.ask(|caller| Event::SignOut { caller }).await.map(drop)
    }

    /// Whether somebody is signed in, as far as is known: see [`State`].
    pub fn state(&self) -> State {
        *self.states.borrow()
    }

    /// The states from now on.
    pub fn states(&self) -> watch::Receiver<State> {
        self.states.clone()
    }

    async fn token(&self, event: impl FnOnce(Caller) -> Event) -> Result<AccessToken, Refusal> {
        self.ask(event).await?.ok_or(GONE)
    }

    async fn ask(&self, event: impl FnOnce(Caller) -> Event) -> Reply {
        let caller = Caller(self.callers.fetch_add(1, Ordering::Relaxed));
        let (reply, answer) = oneshot::channel();
        let _waiting = Waiting { caller, commands: &self.commands };
        self.commands
            .send(Command::Ask { caller, event: event(caller), reply })
            .map_err(|_| GONE)?;
        answer.await.unwrap_or(Err(GONE))
    }
}

/// The runtime was shut down.
const GONE: Refusal =
    Refusal::TryLater { trouble: Trouble::Slow, retry_after: std::time::Duration::ZERO };

/// Tells when a caller has gone, whether it was answered or gave up.
struct Waiting<'a> {
    caller: Caller,
    commands: &'a mpsc::UnboundedSender<Command>,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        // Where nobody listens any more there is nobody to tell.
        let _ = self.commands.send(Command::Cancel { caller: self.caller });
    }
}
