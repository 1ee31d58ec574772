//! The way to the server, by the app's own HTTP client.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use regrant::client::{Request, Response};
use regrant::error::Cause;

use super::CallbackError;

/// Sends requests. It does nothing else: no redirects, no repetition, no cookies, no cache.
#[uniffi::export(with_foreign)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and gives the whole answer, whatever its status; fails when none came.
    /// Where the language can cancel, it is cancelled when the answer takes too long.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallbackError>;
}

/// A request. Its text form shows neither headers nor body: the refresh token is in one of them.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The whole address.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<HttpHeader>,
    /// Empty for `GET`.
    pub body: Vec<u8>,
}

/// An answer. Its text form shows neither headers nor body: tokens are in them.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct HttpResponse {
    /// The HTTP status.
    pub status: u16,
    /// Names in any case, and values. `Date` and `Retry-After` are read, if they are given.
    pub headers: Vec<HttpHeader>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// A header. Its text form shows the name only.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct HttpHeader {
    /// The name.
    pub name: String,
    /// The value.
    pub value: String,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

impl fmt::Debug for HttpHeader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpHeader").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The app's transport for the core.
pub(super) struct Foreign(pub(super) Arc<dyn Transport>);

#[async_trait]
impl regrant::client::Transport for Foreign {
    async fn send(&self, request: Request) -> Result<Response, Cause> {
        let headers = request.headers.into_iter().map(|(name, value)| HttpHeader { name, value });
        let request = HttpRequest {
            method: request.method.to_owned(),
            url: request.url,
            headers: headers.collect(),
            body: request.body,
        };
        Ok(self.0.send(request).await?.into())
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}
