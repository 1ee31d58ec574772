//! DPoP on the client's side (RFC 9449): signs the proofs of a session's key, with the nonce and
//! the clock of the server that they are for.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use tokio::task::{JoinError, JoinHandle};

use super::DeviceClock;
use crate::client::attempt::{origin_of, rejects_proof};
use crate::client::clock::{DeviceTime, ServerClock};
use crate::dpop::{ProofKey, UnsignedProof};
use crate::error::{Cause, Error, Result};
use crate::keys::{Key, Thumbprint};
use crate::transport::HttpResponse;
use crate::types::{AccessToken, Timestamp};

/// The number of servers that are remembered. Beyond it the least recently updated is forgotten.
const MAX_SERVERS: usize = 16;
/// The longest nonce that is accepted, in bytes.
const MAX_NONCE: usize = 1024;

/// Signs DPoP proofs with the session's key. Clones share state.
#[derive(Clone, Debug)]
pub(super) struct DpopClient {
    key: Arc<dyn ProofKey>,
    clock: DeviceClock,
    servers: Arc<Mutex<Servers>>,
}

impl DpopClient {
    pub(super) fn new(key: Arc<dyn ProofKey>, clock: DeviceClock) -> Self {
        Self { key, clock, servers: Arc::default() }
    }

    /// Signs a proof for one request of `method` to `url`, and for `token` if the request carries
    /// it. Runs on a blocking thread: a hardware key may be slow.
    pub(super) async fn prove(
        &self,
        method: String,
        url: String,
        token: Option<AccessToken>,
    ) -> Result<String, Cause> {
        let this = self.clone();
        let sign = move || {
            let (now, nonce) = {
                let servers = this.servers();
                let nonce = servers.nonce_for(&url).map(str::to_owned);
                (servers.time_at(&url, this.clock.now()), nonce)
            };
            let access_token = token.as_ref().map(AccessToken::expose);
            let nonce = nonce.as_deref();
            UnsignedProof { method: &method, url: &url, now, nonce, access_token }
                .sign_with(&*this.key)
        };
        AbortOnDrop(tokio::task::spawn_blocking(sign)).await?
    }

    /// See [`Servers::observe_response`].
    pub(super) fn observe_response(&self, url: &str, response: &HttpResponse) -> bool {
        let now = self.clock.now();
        self.servers().observe_response(url, response, now)
    }

    /// Sets the server's clock from a token that was just received. The estimate is late by the
    /// network delay, which is safe: servers accept old proofs, but hardly any from the future.
    pub(super) fn set_server_time(&self, issued_at: Timestamp) {
        self.servers().set_clock(ServerClock::observed(issued_at, self.clock.now()));
    }

    /// Sets the server's clock from a stored token, unless it is already known.
    pub(super) fn init_clock(&self, clock: ServerClock) {
        self.servers().init_clock(clock);
    }

    fn servers(&self) -> MutexGuard<'_, Servers> {
        self.servers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The thumbprint of `key`.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `proofKey` if its public key does not match its algorithm.
pub(super) fn thumbprint_of(key: &dyn ProofKey) -> Result<Thumbprint> {
    let public = Key::from_public_jwk(&key.public_jwk(), key.algorithm()).ok();
    let public = public.as_ref().and_then(Key::public);
    public
        .map_or_else(|| Err(Error::config("proofKey", "has no usable public key")), Thumbprint::of)
}

/// Aborts its task when dropped: a signature that nobody waits for is not started.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Future for AbortOnDrop<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.0).poll(context)
    }
}

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The nonces and clocks of servers. A proof needs both; the device's own clock may be wrong.
#[derive(Debug, Default)]
struct Servers {
    /// The clock of the authorization server, from its tokens.
    clock: Option<ServerClock>,
    /// The most recently updated last.
    servers: Vec<Server>,
}

#[derive(Debug)]
struct Server {
    origin: String,
    /// RFC 9449 §8.
    nonce: Option<String>,
    /// From a response that rejected a proof.
    clock: Option<ServerClock>,
}

impl Servers {
    /// The current time at the server of `url`, as far as it is known.
    fn time_at(&self, url: &str, now: DeviceTime) -> Timestamp {
        let own = self.server(url).and_then(|server| server.clock);
        own.or(self.clock).map_or(now.wall, |clock| clock.now(now))
    }

    fn nonce_for(&self, url: &str) -> Option<&str> {
        self.server(url)?.nonce.as_deref()
    }

    fn set_clock(&mut self, clock: ServerClock) {
        self.clock = Some(clock);
        for server in &mut self.servers {
            server.clock = None;
        }
    }

    fn init_clock(&mut self, clock: ServerClock) {
        self.clock.get_or_insert(clock);
    }

    /// Takes the nonce and, if the proof was rejected, the clock from a response. Returns whether
    /// the proof was rejected: a new one, with what was learned, may succeed.
    fn observe_response(&mut self, url: &str, response: &HttpResponse, now: DeviceTime) -> bool {
        let nonce = response.header("dpop-nonce").filter(|nonce| is_nonce(nonce));
        let is_rejected = rejects_proof(response);
        let date = response.date().filter(|_| is_rejected);
        if nonce.is_some() || date.is_some() {
            let server = self.server_mut(origin_of(url));
            server.nonce = nonce.map(str::to_owned).or(server.nonce.take());
            server.clock = date.map(|date| ServerClock::observed(date, now)).or(server.clock);
        }
        is_rejected
    }

    fn server(&self, url: &str) -> Option<&Server> {
        let origin = origin_of(url);
        self.servers.iter().find(|server| server.origin.eq_ignore_ascii_case(origin))
    }

    /// The entry of `origin`, moved to the end.
    fn server_mut(&mut self, origin: &str) -> &mut Server {
        let index =
            self.servers.iter().position(|server| server.origin.eq_ignore_ascii_case(origin));
        let server = index.map_or_else(
            || Server { origin: origin.to_owned(), nonce: None, clock: None },
            |index| self.servers.remove(index),
        );
        if self.servers.len() >= MAX_SERVERS {
            self.servers.remove(0);
        }
        self.servers.push(server);
        let last = self.servers.len() - 1;
        &mut self.servers[last]
    }
}

/// RFC 9449 §8.1.
fn is_nonce(nonce: &str) -> bool {
    let is_nonce_char = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    !nonce.is_empty() && nonce.len() <= MAX_NONCE && nonce.bytes().all(is_nonce_char)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const URL: &str = "https://api.example/auth/refresh";
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse { status, headers: headers.iter().map(owned).collect(), body: body.into() }
    }

    fn now() -> DeviceTime {
        DeviceTime { monotonic: Duration::ZERO, wall: Timestamp::from_seconds(50) }
    }

    #[test]
    fn sends_a_nonce_only_to_the_server_that_issued_it() {
        let mut servers = Servers::default();
        let give = |nonce| response(200, &[("DPoP-Nonce", nonce)], "");
        assert!(!servers.observe_response(URL, &give("a"), now()));
        assert!(!servers.observe_response("https://other.example", &give("b"), now()));
        assert_eq!(servers.nonce_for("HTTPS://API.example/me?x"), Some("a"));
        assert_eq!(servers.nonce_for("https://other.example/"), Some("b"));
        assert_eq!(servers.nonce_for("https://api.example:8443/me"), None);
        servers.observe_response(URL, &give("c"), now());
        assert_eq!(servers.nonce_for(URL), Some("c"));
        let long = "a".repeat(MAX_NONCE + 1);
        for bad in ["", "a b", "a\"b", "ä", &long] {
            servers.observe_response(URL, &give(bad), now());
            assert_eq!(servers.nonce_for(URL), Some("c"), "{bad}");
        }
        for server in 0..MAX_SERVERS {
            servers.observe_response(&format!("https://{server}.example/"), &give("n"), now());
        }
        assert_eq!((servers.nonce_for(URL), servers.servers.len()), (None, MAX_SERVERS));
    }

    #[test]
    fn takes_the_time_only_from_a_rejection() {
        let mut servers = Servers::default();
        assert_eq!(servers.time_at(URL, now()), now().wall);
        servers.observe_response(URL, &response(200, &[("Date", DATE)], ""), now());
        assert_eq!(servers.time_at(URL, now()), now().wall);
        let rejection =
            [("Date", DATE), ("WWW-Authenticate", r#"DPoP error="invalid_dpop_proof""#)];
        servers.observe_response(URL, &response(401, &rejection, ""), now());
        assert_eq!(servers.time_at(URL, now()), Timestamp::from_seconds(784_111_777));
        // Of this server alone.
        assert_eq!(servers.time_at("https://other.example/", now()), now().wall);
        let clock = |seconds| ServerClock::observed(Timestamp::from_seconds(seconds), now());
        servers.set_clock(clock(100));
        assert_eq!(servers.time_at(URL, now()), Timestamp::from_seconds(100));
        servers.init_clock(clock(7));
        assert_eq!(servers.time_at(URL, now()), Timestamp::from_seconds(100));
    }
}
