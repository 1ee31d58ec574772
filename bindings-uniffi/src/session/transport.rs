//! The app's HTTP client, for the core.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use regrant::error::Cause;
use regrant::transport as core;

use super::CallbackError;

/// Sends HTTP requests, and nothing more: no redirects, retries, cookies or cache.
#[uniffi::export(with_foreign)]
#[async_trait]
pub trait Transport: Send + Sync {
    /// Sends `request` and returns the complete response, whatever its status. Fails if no response
    /// was received. Cancelled on a timeout, if the language supports that.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, CallbackError>;
}

/// A request to send. Its text form omits headers and body, which may contain tokens.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<HttpHeader>,
    /// Empty for `GET`.
    pub body: Vec<u8>,
}

/// A received response. Its text form omits headers and body, which may contain tokens.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct HttpResponse {
    /// The HTTP status code.
    pub status: u16,
    /// Header names in any case, with their values. Include `Date` and `Retry-After`.
    pub headers: Vec<HttpHeader>,
    /// The complete body.
    pub body: Vec<u8>,
}

/// A header. Its text form omits the value.
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
impl core::Transport for Foreign {
    async fn send(&self, request: core::HttpRequest) -> Result<core::HttpResponse, Cause> {
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

impl From<HttpResponse> for core::HttpResponse {
    fn from(response: HttpResponse) -> Self {
        let headers = response.headers.into_iter().map(|header| (header.name, header.value));
        Self { status: response.status, headers: headers.collect(), body: response.body }
    }
}
