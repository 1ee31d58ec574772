//! The refresh endpoint of a server: how a refresh is requested, and what the response means.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Advice, ErrorCode};
use crate::error::{Error, Result};
use crate::transport::{HttpRequest, HttpResponse};
use crate::types::{AccessToken, RefreshToken, RevocationReason};

use super::error::{SignOutReason, TransientError};
use super::event::RefreshAnswer;
use super::pair::{Grant, TokenPair};

/// The status with which legacy apps reject a refresh token.
const LEGACY_REJECTED: u16 = 419;
/// The status of a superseded token. The error handler of a legacy app may omit the error code.
const SUPERSEDED: u16 = 409;

/// A refresh endpoint. `Debug` omits the values of headers.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct RefreshEndpoint {
    url: String,
    format: Format,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    RtVerify,
}

impl RefreshEndpoint {
    /// The endpoint served by the Express handler `refreshHandler(auth, { cookie: false })`:
    /// `POST` with the body `{ "refreshToken": … }`, answered by `{ "accessToken", "expiresIn",
    /// "refreshToken" }` or `{ "error": { "code", "advice", "reason" } }`.
    pub fn json(url: impl Into<String>) -> Self {
        Self { url: url.into(), format: Format::Json, headers: Vec::new() }
    }

    /// The endpoint served by the Express preset `rtVerify`, which is compatible with legacy apps:
    /// `GET` with the headers `refreshtoken` (`Bearer <jwt>`), `userid` (see [`TokenPair::user`])
    /// and `x-refresh-rotate`, answered by `{ "accessToken": "Bearer <jwt>" }` with `"refreshToken"`
    /// if the server rotates, or by status 419.
    pub fn rt_verify(url: impl Into<String>) -> Self {
        Self { url: url.into(), format: Format::RtVerify, headers: Vec::new() }
    }

    /// Adds a header to every request, such as the API key of a gateway.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Checks that a request to the endpoint can be built.
    pub(super) fn check(&self) -> Result<()> {
        let is_http = ["https://", "http://"].iter().any(|scheme| {
            let start = self.url.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
                && self.url.len() > scheme.len()
        });
        if !is_http || self.url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Error::config("endpoint.url", "must be an absolute http or https URL"));
        }
        for (name, value) in &self.headers {
            // RFC 9110 §5.1 and §5.5.
            let is_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Error::config("endpoint.headers", "contains an invalid header name"));
            }
            if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
                return Err(Error::config(
                    "endpoint.headers",
                    "contains a header value with control characters",
                ));
            }
        }
        Ok(())
    }

    /// The request that refreshes `pair`.
    pub fn request(&self, pair: &TokenPair) -> HttpRequest {
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        headers.extend(self.headers.iter().cloned());
        let (method, body) = match self.format {
            Format::Json => {
                headers.push(("content-type".to_owned(), "application/json".to_owned()));
                ("POST", json!({ "refreshToken": pair.refresh }).to_string().into_bytes())
            }
            Format::RtVerify => {
                let token = format!("Bearer {}", pair.refresh.expose());
                headers.push(("refreshtoken".to_owned(), token));
                headers.extend(pair.user.iter().map(|user| ("userid".to_owned(), user.clone())));
                headers.push(("x-refresh-rotate".to_owned(), "1".to_owned()));
                ("GET", Vec::new())
            }
        };
        HttpRequest { method, url: self.url.clone(), headers, body }
    }

    /// What the response to that request means. Anything but tokens or a known final rejection
    /// keeps the tokens: it may be a captive portal or the error page of a proxy.
    pub fn read(&self, response: &HttpResponse) -> RefreshAnswer {
        let status = response.status;
        let unavailable = |code| RefreshAnswer::Unavailable {
            cause: TransientError::Server { status, code },
            retry_after: response.retry_after(),
        };
        let body: Option<Body> = serde_json::from_slice(&response.body).ok();
        if (200..300).contains(&status) {
            return match body.as_ref().and_then(Body::tokens) {
                Some((access, refresh, lifetime)) => {
                    let date = response.date();
                    RefreshAnswer::Granted(Grant { access, refresh, lifetime, date })
                }
                None => unavailable(None),
            };
        }
        let error = body.map(Body::error).unwrap_or_default();
        let is_legacy = self.format == Format::RtVerify;
        if error.code == Some(ErrorCode::RefreshSuperseded) || is_legacy && status == SUPERSEDED {
            return RefreshAnswer::Superseded;
        }
        if let Some(reason) = error.sign_out_reason() {
            return RefreshAnswer::SignedOut(reason);
        }
        if is_legacy && status == LEGACY_REJECTED && error.code.is_none() {
            return RefreshAnswer::SignedOut(SignOutReason::Rejected(None));
        }
        unavailable(error.code)
    }

    /// The pair in the body of a login response: `accessToken` and `refreshToken`, and optionally
    /// `expiresIn` (seconds) and `userId`. `Bearer ` before a token is removed. `None` if a token
    /// is missing.
    pub fn read_login(body: &[u8]) -> Option<TokenPair> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let (access, refresh, lifetime) = body.tokens()?;
        let mut pair = TokenPair::new(access, refresh?);
        if let Some(lifetime) = lifetime {
            pair = pair.expires_in(lifetime);
        }
        match body.user_id {
            Some(Value::String(user)) => Some(pair.user(user)),
            Some(Value::Number(user)) => Some(pair.user(user.to_string())),
            _ => Some(pair),
        }
    }
}

impl fmt::Debug for RefreshEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RefreshEndpoint")
            .field("url", &self.url)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// The members of a response body. A member of an unexpected type counts as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    access_token: Option<Value>,
    refresh_token: Option<Value>,
    expires_in: Option<Value>,
    user_id: Option<Value>,
    error: Option<Value>,
    // Legacy apps usually put the error code at the top level.
    code: Option<Value>,
}

impl Body {
    fn tokens(&self) -> Option<(AccessToken, Option<RefreshToken>, Option<Duration>)> {
        let access = AccessToken::new(without_scheme(self.access_token.as_ref())?);
        let refresh = without_scheme(self.refresh_token.as_ref()).map(RefreshToken::new);
        let seconds = self.expires_in.as_ref().and_then(Value::as_f64);
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some((access, refresh, lifetime))
    }

    fn error(self) -> ServerError {
        let error = self.error.unwrap_or_default();
        let member = |name: &str| error.get(name).and_then(Value::as_str);
        let code = member("code").or(self.code.as_ref().and_then(Value::as_str));
        let code = code.and_then(|code| ErrorCode::ALL.iter().find(|one| one.as_str() == code));
        let advice = member("advice").and_then(|advice| {
            let all = [Advice::Refresh, Advice::SignIn, Advice::Reject, Advice::Retry, Advice::Fix];
            all.into_iter().find(|one| one.as_str() == advice)
        });
        let reason = error.get("reason").cloned();
        let reason = reason.and_then(|reason| serde_json::from_value(reason).ok());
        ServerError { code: code.copied(), advice, reason }
    }
}

/// A token without its `Bearer` scheme; `None` if empty.
fn without_scheme(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let token = match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("bearer ") => text.get(7..)?.trim_start(),
        _ => text,
    };
    Some(token).filter(|token| !token.is_empty())
}

/// The error in a response body.
#[derive(Clone, Copy, Debug, Default)]
struct ServerError {
    code: Option<ErrorCode>,
    /// Classifies codes that only a later version knows: the list of advice is closed.
    advice: Option<Advice>,
    reason: Option<RevocationReason>,
}

impl ServerError {
    /// Why the session is over, if the error is final. The advice decides: whatever a retry may
    /// change keeps the tokens.
    fn sign_out_reason(&self) -> Option<SignOutReason> {
        if self.is_about_proof() {
            return None;
        }
        match self.code.map(ErrorCode::advice).or(self.advice)? {
            Advice::SignIn | Advice::Reject => {}
            Advice::Refresh | Advice::Retry | Advice::Fix => return None,
        }
        Some(match self.code {
            Some(ErrorCode::RefreshExpired) => SignOutReason::Expired,
            Some(ErrorCode::SessionUnknown) => SignOutReason::Unknown,
            // Both holders are told about reuse, whichever of them was detected.
            Some(ErrorCode::SessionRevoked) if self.reason == Some(RevocationReason::Reused) => {
                SignOutReason::Reused
            }
            Some(ErrorCode::SessionRevoked) => SignOutReason::Revoked(self.reason),
            Some(ErrorCode::RefreshReused) => SignOutReason::Reused,
            code => SignOutReason::Rejected(code),
        })
    }

    /// Whether the server rejected the DPoP proof. That says nothing about the session: a proof
    /// with the right time or nonce may succeed.
    fn is_about_proof(&self) -> bool {
        matches!(
            self.code,
            Some(
                ErrorCode::DpopProofMissing
                    | ErrorCode::DpopProofInvalid
                    | ErrorCode::DpopProofReplayed
                    | ErrorCode::DpopNonceRequired
            )
        )
    }
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
