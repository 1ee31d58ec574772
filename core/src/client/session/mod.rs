//! The client's side of the flow for an app: a handle that any number of tasks share.

mod builder;
mod driver;
mod file;
#[cfg(feature = "client-reqwest")]
mod reqwest;
mod storage;
mod transport;

#[cfg(feature = "client-reqwest")]
pub use self::reqwest::ReqwestTransport;
pub use builder::SessionBuilder;
pub use file::FileStorage;
pub use storage::{MemoryStorage, StorageLock, TokenStorage};
pub use transport::Transport;

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{mpsc, oneshot, watch};

use crate::secret::AccessToken;

use super::endpoint::Endpoint;
use super::event::{Caller, Event};
use super::pair::Pair;
use super::reason::{Refusal, State, Trouble};
use driver::{Command, Reply};

/// A signed-in user, or one who is to sign in. Clones share everything.
///
/// Whatever it does is done by one task of its own. It ends when the last clone is gone and
/// nothing is under way any more: a refresh that was begun is brought to its end.
///
/// ```no_run
/// # #[cfg(feature = "client-reqwest")]
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
/// let answer = session
///     .authorize(
///         |token| http.get("https://api.example/me").bearer_auth(token.expose()).send(),
///         |answer| matches!(answer, Ok(answer) if answer.status() == 401),
///     )
///     .await?;
/// # drop(answer);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    commands: mpsc::UnboundedSender<Command>,
    states: watch::Receiver<State>,
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
    /// better. What [`Session::authorize`] asks, for adapters that send requests themselves.
    ///
    /// # Errors
    /// As [`Session::access_token`].
    pub async fn token_for_retry(
        &self,
        refused: AccessToken,
    ) -> Result<Option<AccessToken>, Refusal> {
        match self.renew(refused).await {
            Ok(token) => Ok(Some(token)),
            Err(Refusal::TryLater { trouble: Trouble::AccessRefused, .. }) => Ok(None),
            Err(refusal) => Err(refusal),
        }
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
