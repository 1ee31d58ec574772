//! Makes the proofs of the app's key for the requests of a session.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};
use tokio::time::Instant;

use crate::client::http::Response;
use crate::client::now::{Now, ServerClock};
use crate::client::proving::Proving;
use crate::dpop::{DpopSigner, UnsignedProof};
use crate::error::{Cause, Error, Result};
use crate::keys::{Key, Thumbprint};
use crate::types::{AccessToken, Clock, Timestamp};

/// The clocks of the device.
#[derive(Clone, Debug)]
pub(super) struct Clocks {
    started: Instant,
    wall: Arc<dyn Clock>,
}

impl Clocks {
    pub(super) fn new(wall: Arc<dyn Clock>) -> Self {
        Self { started: Instant::now(), wall }
    }

    pub(super) fn now(&self) -> Now {
        Now { monotonic: self.started.elapsed(), wall: self.wall.now() }
    }

    /// When the monotonic clock began.
    pub(super) const fn started(&self) -> Instant {
        self.started
    }
}

/// A key and what its proofs need. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Proofs {
    key: Arc<dyn DpopSigner>,
    clocks: Clocks,
    proving: Arc<Mutex<Proving>>,
}

impl Proofs {
    pub(super) fn by(key: Arc<dyn DpopSigner>, clocks: Clocks) -> Self {
        Self { key, clocks, proving: Arc::default() }
    }

    /// A proof for one request of `method` to `url`, and for `token` if it goes with it. On a
    /// thread where it may wait: the key of a device takes its time.
    pub(super) async fn prove(
        &self,
        method: String,
        url: String,
        token: Option<AccessToken>,
    ) -> Result<String, Cause> {
        let this = self.clone();
        let proof = move || {
            let (now, nonce) = {
                let proving = this.proving();
                let nonce = proving.nonce_for(&url).map(str::to_owned);
                (proving.server_time(&url, this.clocks.now()), nonce)
            };
            let access_token = token.as_ref().map(AccessToken::expose);
            let nonce = nonce.as_deref();
            UnsignedProof { method: &method, url: &url, now, nonce, access_token }.sign(&*this.key)
        };
        Ok(Signing(tokio::task::spawn_blocking(proof)).await??)
    }

    /// See [`Proving::learn`].
    pub(super) fn learn(&self, url: &str, answer: &Response) -> bool {
        let now = self.clocks.now();
        self.proving().learn(url, answer, now)
    }

    /// The clock of the server: a token that has just arrived says that it was issued then. A
    /// little late, rather than early: servers allow proofs an age, and hardly a future.
    pub(super) fn set_time(&self, issued_at: Timestamp) {
        self.proving().set_clock(ServerClock::learnt(issued_at, self.clocks.now()));
    }

    /// The clock of the server as the tokens at hand tell it.
    pub(super) fn remember_clock(&self, clock: ServerClock) {
        self.proving().remember_clock(clock);
    }

    fn proving(&self) -> MutexGuard<'_, Proving> {
        self.proving.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A signature that is being made. One that has not begun when nobody wants it any more is not made.
struct Signing<T>(JoinHandle<T>);

impl<T> Future for Signing<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for Signing<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What tokens that are bound to `key` say.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `proofKey` when its public part is none of its algorithm.
pub(super) fn thumbprint_of(key: &dyn DpopSigner) -> Result<Thumbprint> {
    let public = Key::from_public_jwk(&key.public_jwk(), key.algorithm()).ok();
    let public = public.as_ref().and_then(Key::public);
    public
        .map_or_else(|| Err(Error::config("proofKey", "has no usable public part")), Thumbprint::of)
}
