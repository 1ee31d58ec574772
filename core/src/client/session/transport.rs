//! The transport over the crate `reqwest`, and calls of the app's server with it.

use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::Session;
use crate::client::attempt::Attempt;
use crate::client::error::SessionError;
use crate::error::Cause;
#[cfg(feature = "aws-lc-rs")]
use crate::error::Error;
use crate::transport::{HttpRequest, HttpResponse, Transport};

/// The longest body that is read, in bytes. Responses with tokens are far shorter.
const MAX_BODY: usize = 256 * 1024;

/// A [`Transport`] over `reqwest`, with TLS by rustls and the platform's root certificates.
///
/// Without the feature `aws-lc-rs` the app chooses the cryptography of TLS: it installs a provider of
/// rustls (`CryptoProvider::install_default`) and passes a client to
/// [`ReqwestTransport::with_client`]. On Android, rustls reads the root certificates through Java: the
/// app calls `rustls_platform_verifier::android::init_with_env` first, or passes a client with roots
/// of its own (`ClientBuilder::tls_certs_only`).
#[derive(Clone, Debug)]
pub struct ReqwestTransport(Client);

impl ReqwestTransport {
    /// A transport with a client of its own, with TLS over AWS-LC.
    ///
    /// # Errors
    /// [`Error::Transport`] if TLS cannot be set up.
    #[cfg(feature = "aws-lc-rs")]
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder().redirect(Policy::none()).build();
        Ok(Self(client.map_err(|error| Error::Transport { source: error.into() })?))
    }

    /// A transport with the app's client. It should not follow redirects: a refresh token must be
    /// sent to its endpoint only.
    pub fn with_client(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Cause> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())?;
        let mut builder = self.0.request(method, &request.url).body(request.body);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut response = builder.send().await?;
        let head = response_head(&response);
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_BODY {
                return Err("the response body is too long".into());
            }
        }
        Ok(HttpResponse { body, ..head })
    }
}

/// Why [`Session::execute`] failed.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The session has no access token for the request.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// The request failed without a response.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Session {
    /// Sends `request` through `http` with an access token, and with a DPoP proof if the token is
    /// bound to the session's key. If the server responds with 401, retries once with a new token
    /// or proof, unless the request's body is a stream.
    ///
    /// A client that follows redirects should do so within the server only
    /// ([`same_origin_redirects`]): `reqwest` removes the header `authorization` from a request that
    /// is redirected to another server, but neither `accesstoken` nor `dpop`. A DPoP proof is valid
    /// for one URL, so a redirected request with a bound token is rejected at its new URL.
    ///
    /// Returns every response, whatever its status, including 401.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn execute(
        &self,
        http: &Client,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, CallError> {
        let (method, url) = (request.method().to_string(), request.url().to_string());
        let (mut attempt, mut request) = (self.attempt(&method, &url).await?, request);
        loop {
            let again = request.try_clone();
            let response = http.execute(authorized(&attempt, request)).await?;
            let (head, from) = (response_head(&response), Some(response.url().as_str()));
            let next = self.next_attempt(&attempt, &head, from).await?;
            let Some(next) = next.zip(again) else { return Ok(response) };
            (attempt, request) = next;
        }
    }
}

/// Follows redirects within the scheme, host and port of the request, ten at most; returns any other
/// redirect as the response. For the client that [`Session::execute`] sends requests with:
/// `Client::builder().redirect(same_origin_redirects())`.
pub fn same_origin_redirects() -> Policy {
    Policy::custom(|attempt| {
        let is_same =
            attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
        if attempt.previous().len() > 10 || !is_same { attempt.stop() } else { attempt.follow() }
    })
}

fn authorized(attempt: &Attempt, mut request: reqwest::Request) -> reqwest::Request {
    for (name, value) in attempt.headers() {
        // A token that is not a valid header value was not issued by any server; without it the
        // server rejects the request.
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
    }
    request
}

/// The status and headers of a response. Header values that are not text are omitted.
fn response_head(response: &reqwest::Response) -> HttpResponse {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = response.headers().iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
    HttpResponse { status: response.status().as_u16(), headers, body: Vec::new() }
}
