//! A transport by the crate `reqwest`.

use async_trait::async_trait;
use reqwest::Client;
use reqwest::redirect::Policy;

use super::transport::Transport;
use crate::client::http::{Request, Response};
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
        let text = |value: &reqwest::header::HeaderValue| value.to_str().ok().map(str::to_owned);
        let headers = answer.headers().iter();
        let headers =
            headers.filter_map(|(name, value)| Some((name.to_string(), text(value)?))).collect();
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
            if body.len() > LONGEST_BODY {
                return Err("the answer is too long".into());
            }
        }
        Ok(Response { status: answer.status().as_u16(), headers, body })
    }
}
