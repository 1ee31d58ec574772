//! Refreshes and calls by the crate `reqwest`.

use async_trait::async_trait;
use reqwest::Client;
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;

use super::Session;
use super::transport::Transport;
use crate::client::authorization::Authorization;
use crate::client::http::{Request, Response};
use crate::client::reason::Refusal;
use crate::error::{Cause, Error};

/// More than any answer with tokens has; what a proxy says beyond is not read.
const LONGEST_BODY: usize = 256 * 1024;

/// Sends by `reqwest`, with TLS by rustls and the certificates that the platform trusts.
#[derive(Clone, Debug)]
pub struct ReqwestTransport(Client);

impl ReqwestTransport {
    /// With a client of its own.
    ///
    /// # Errors
    /// [`Error::Transport`] when TLS cannot be set up.
    pub fn new() -> Result<Self, Error> {
        let client = Client::builder().redirect(Policy::none()).build();
        Ok(Self(client.map_err(|error| Error::Transport { source: error.into() })?))
    }

    /// With the app's own client, which should follow no redirects: a refresh token goes to its
    /// endpoint and nowhere else.
    pub fn with_client(client: Client) -> Self {
        Self(client)
    }
}

#[async_trait]
impl Transport for ReqwestTransport {
    async fn send(&self, request: Request) -> Result<Response, Cause> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())?;
        let mut builder = self.0.request(method, &request.url).body(request.body);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        let mut answer = builder.send().await?;
        let head = without_body(&answer);
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_BODY {
                return Err("the answer is too long".into());
            }
        }
        Ok(Response { body, ..head })
    }
}

/// Why a call was not answered.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// There is no access token for it: sign in, or try later.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It was sent, or was to be sent, and no answer came.
    #[error(transparent)]
    Http(#[from] reqwest::Error),
}

impl Session {
    /// Sends `request` by `http` with an access token, and with a proof of the session's key where
    /// the token is bound to it; and once more with what may do better if the server answers 401. A
    /// request whose body is a stream is not repeated: it can be sent only once.
    ///
    /// A proof is for one address: a request with a bound token is not let in where it is redirected
    /// to, and the proof, which is of no use there, goes along. An `http` that follows no redirects
    /// shows it to nobody else.
    ///
    /// Every answer is returned, whatever its status, also 401.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn execute(
        &self,
        http: &Client,
        request: reqwest::Request,
    ) -> Result<reqwest::Response, CallError> {
        let (method, url) = (request.method().to_string(), request.url().to_string());
        let origin = request.url().origin();
        let again = request.try_clone();
        let authorization = self.authorization(&method, &url).await?;
        let answer = http.execute(carrying(&authorization, request)).await?;
        // What another server says, where a redirect has led, is not about this request.
        let is_own = answer.url().origin() == origin;
        if !is_own || !authorization.heeds(answer.status().as_u16()) {
            return Ok(answer);
        }
        let another = self.authorization_for_retry(&authorization, &without_body(&answer)).await?;
        let Some((another, again)) = another.zip(again) else { return Ok(answer) };
        let answer = http.execute(carrying(&another, again)).await?;
        // It was the second time: what may be in it is for the next request.
        let _ = self.learn(&url, &without_body(&answer));
        Ok(answer)
    }
}

fn carrying(authorization: &Authorization, mut request: reqwest::Request) -> reqwest::Request {
    for (name, value) in authorization.headers() {
        // What cannot be a header is refused by the server instead: no token that one issues is so.
        if let Ok(mut value) = HeaderValue::try_from(value) {
            value.set_sensitive(true);
            request.headers_mut().insert(name, value);
        }
    }
    request
}

/// Status and headers of an answer. A header that is no text says nothing here.
fn without_body(answer: &reqwest::Response) -> Response {
    let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
    let headers = answer.headers().iter();
    let headers =
        headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
    Response { status: answer.status().as_u16(), headers, body: Vec::new() }
}
