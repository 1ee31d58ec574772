//! Functions of JavaScript that the core calls.
//!
//! All are weak: they do not keep the process alive. A function that gives a promise answers with
//! JSON text, also for what it throws, and its promise is never rejected.

use async_trait::async_trait;
use napi::Status;
use napi::bindgen_prelude::Promise;
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use regrant::config::VerifierConfig;
use regrant::error::Cause;
use regrant::jwks::{IssuerResolver, TrustedIssuer};
use regrant::migration::IdentityResolver;
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use regrant::types::Subject;
use regrant::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::key_value::TextFunction;

/// Called with JSON text: an audit event, a log entry, the progress of a sweep.
pub type Listener = ThreadsafeFunction<String, (), String, Status, false, true>;

/// Called with text; gives a promise of JSON text.
pub type AsyncFunction = ThreadsafeFunction<String, Promise<String>, String, Status, false, true>;

impl TextFunction for AsyncFunction {
    async fn invoke(&self, text: String) -> std::result::Result<String, Cause> {
        Ok(self.call_async(text).await?.await?)
    }
}

/// Passes events on to `listener`, as JSON. Never blocks; an event during the shutdown of Node is lost.
pub fn forward<T: Serialize>(listener: Listener) -> impl Fn(&T) + Send + Sync + 'static {
    move |event| {
        if let Ok(text) = serde_json::to_string(event) {
            listener.call(text, ThreadsafeFunctionCallMode::NonBlocking);
        }
    }
}

/// The app's function that finds the user of a legacy refresh token.
pub struct JsIdentityResolver(pub AsyncFunction);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Resolved {
    User(Option<String>),
    Failed(String),
}

#[async_trait]
impl IdentityResolver for JsIdentityResolver {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        let json = self.0.invoke(value.to_owned()).await.map_err(Error::store)?;
        match serde_json::from_str(&json).map_err(Error::store)? {
            Resolved::User(user) => user.map(Subject::new).transpose(),
            Resolved::Failed(why) => Err(Error::store(why)),
        }
    }
}

/// The app's function that finds issuers.
pub struct JsIssuerResolver(pub AsyncFunction);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum ResolvedIssuer {
    /// The options of the issuer but for its name.
    Issuer(Option<serde_json::Value>),
    Failed(String),
}

impl std::fmt::Debug for JsIssuerResolver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsIssuerResolver")
    }
}

#[async_trait]
impl IssuerResolver for JsIssuerResolver {
    async fn resolve(&self, issuer: &str) -> std::result::Result<Option<TrustedIssuer>, Cause> {
        let json = self.0.invoke(issuer.to_owned()).await?;
        match serde_json::from_str(&json)? {
            ResolvedIssuer::Issuer(None) => Ok(None),
            ResolvedIssuer::Issuer(Some(options)) => {
                Ok(Some(VerifierConfig::resolved_issuer(issuer, &options.to_string())?))
            }
            ResolvedIssuer::Failed(why) => Err(why.into()),
        }
    }
}

/// The app's `fetch`.
pub struct JsTransport(pub AsyncFunction);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
enum Fetched {
    Response { status: u16, headers: Vec<(String, String)>, body: String },
    Failed(String),
}

impl std::fmt::Debug for JsTransport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JsTransport")
    }
}

#[async_trait]
impl Transport for JsTransport {
    async fn send(&self, request: HttpRequest) -> std::result::Result<HttpResponse, Cause> {
        let json = self.0.invoke(request.url).await?;
        match serde_json::from_str(&json)? {
            Fetched::Response { status, headers, body } => {
                Ok(HttpResponse { status, headers, body: body.into_bytes() })
            }
            Fetched::Failed(why) => Err(why.into()),
        }
    }
}
