//! The endpoints of a server that renew and revoke a session: how they are requested, and what their
//! responses mean.

use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::error::{Advice, ErrorCode};
use crate::error::{Error, Result};
use crate::transport::{HttpRequest, HttpResponse};
use crate::types::{AccessToken, RefreshToken, RevocationReason};

use super::error::{SignOutReason, TransientError};
use super::event::{RefreshAnswer, RevocationAnswer};
use super::pair::{Grant, TokenPair};

/// The status with which legacy apps reject a refresh token.
const LEGACY_REJECTED: u16 = 419;
/// The status of a superseded token. The error handler of a legacy app may omit the error code.
const SUPERSEDED: u16 = 409;
/// Statuses with which a server says that it has no such endpoint.
const NO_ENDPOINT: [u16; 4] = [404, 405, 410, 501];
/// The code of a rejected refresh token (RFC 6749 §5.2).
const INVALID_GRANT: &str = "invalid_grant";

/// A refresh endpoint, and the logout endpoint beside it. `Debug` omits the values of headers.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct RefreshEndpoint {
    url: String,
    logout: Option<String>,
    format: Format,
    envelope: Option<String>,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Format {
    Json,
    RtVerify,
    OAuth2 { client_id: Option<String> },
}

impl RefreshEndpoint {
    /// The endpoint served by the Express handler `refreshHandler(auth)` with `web.refreshCookie: false`:
    /// `POST` with the body `{ "refreshToken": … }`, answered by `{ "accessToken", "expiresIn",
    /// "refreshToken" }` or `{ "error": { "code", "advice", "reason" } }`. The logout endpoint is
    /// `logout` beside it, unless [`RefreshEndpoint::logout`] names another.
    pub fn json(url: impl Into<String>) -> Self {
        let url = url.into();
        Self { logout: Some(beside(&url, "logout")), ..Self::new(url, Format::Json) }
    }

    /// The endpoint served by the Express preset `rtVerify`, which is compatible with legacy apps:
    /// `GET` with the headers `refreshtoken` (`Bearer <jwt>`), `userid` (see [`TokenPair::user`])
    /// and `x-refresh-rotate`, answered by `{ "accessToken": "Bearer <jwt>" }` with `"refreshToken"`
    /// if the server rotates, or by status 419. Requests of the app then carry the access token in
    /// the header `accesstoken`, and 401, 403 and 419 reject it.
    pub fn rt_verify(url: impl Into<String>) -> Self {
        Self::new(url.into(), Format::RtVerify)
    }

    /// The token endpoint of an OAuth 2.0 server (RFC 6749 §6): `POST` with a form, answered by
    /// `{ "access_token", "expires_in", "refresh_token" }` or, if the refresh token is rejected, by
    /// the error `invalid_grant`. `client_id` is that of a public client. The logout endpoint, if
    /// any, is a revocation endpoint (RFC 7009).
    pub fn oauth2(url: impl Into<String>, client_id: Option<String>) -> Self {
        Self::new(url.into(), Format::OAuth2 { client_id })
    }

    fn new(url: String, format: Format) -> Self {
        Self { url, logout: None, format, envelope: None, headers: Vec::new() }
    }

    /// The URL of the endpoint that revokes the session of a refresh token: a sign-out calls it.
    pub fn logout(mut self, url: impl Into<String>) -> Self {
        self.logout = Some(url.into());
        self
    }

    /// The server wraps its responses: `{ "data": { "accessToken": … } }` for the name `data`. Errors
    /// may be inside or outside.
    pub fn envelope(mut self, name: impl Into<String>) -> Self {
        self.envelope = Some(name.into());
        self
    }

    /// Adds a header to every request, such as the API key of a gateway.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Checks that a request to the endpoint can be built.
    pub(super) fn check(&self) -> Result<()> {
        let urls = [("endpoint.url", Some(&self.url)), ("endpoint.logout", self.logout.as_ref())];
        for (field, url) in urls {
            if url.is_some_and(|url| !is_http_url(url)) {
                return Err(Error::config(field, "must be an absolute http or https URL"));
            }
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
        let refresh_token = pair.refresh.expose();
        self.request_to(
            self.url.clone(),
            pair,
            &[("grant_type", "refresh_token"), ("refresh_token", refresh_token)],
        )
    }

    /// The request that revokes the session of `pair`; `None` without a logout endpoint.
    pub fn logout_request(&self, pair: &TokenPair) -> Option<HttpRequest> {
        let refresh_token = pair.refresh.expose();
        // RFC 7009 §2.1.
        let form = [("token", refresh_token), ("token_type_hint", "refresh_token")];
        Some(self.request_to(self.logout.clone()?, pair, &form))
    }

    /// Whether there is a logout endpoint.
    pub(super) fn has_logout(&self) -> bool {
        self.logout.is_some()
    }

    /// Whether requests of the app have the format of legacy apps.
    pub(super) fn is_rt_verify(&self) -> bool {
        self.format == Format::RtVerify
    }

    /// A request with the refresh token; `form` is its body for an OAuth 2.0 server.
    fn request_to(&self, url: String, pair: &TokenPair, form: &[(&str, &str)]) -> HttpRequest {
        let mut headers = vec![("accept".to_owned(), "application/json".to_owned())];
        headers.extend(self.headers.iter().cloned());
        let content_type = |kind: &str| ("content-type".to_owned(), kind.to_owned());
        let (method, body) = match &self.format {
            Format::Json => {
                headers.push(content_type("application/json"));
                ("POST", json!({ "refreshToken": pair.refresh }).to_string().into_bytes())
            }
            Format::OAuth2 { client_id } => {
                headers.push(content_type("application/x-www-form-urlencoded"));
                let client_id = client_id.iter().map(|id| ("client_id", id.as_str()));
                let fields = form.iter().copied().chain(client_id);
                let fields = fields.map(|(name, value)| format!("{name}={}", form_encoded(value)));
                ("POST", fields.collect::<Vec<_>>().join("&").into_bytes())
            }
            Format::RtVerify => {
                let token = format!("Bearer {}", pair.refresh.expose());
                headers.push(("refreshtoken".to_owned(), token));
                headers.extend(pair.user.iter().map(|user| ("userid".to_owned(), user.clone())));
                headers.push(("x-refresh-rotate".to_owned(), "1".to_owned()));
                ("GET", Vec::new())
            }
        };
        HttpRequest { method, url, headers, body }
    }

    /// What the response to that request means. Anything but tokens or a known final rejection
    /// keeps the tokens: it may be a captive portal or the error page of a proxy.
    pub fn read(&self, response: &HttpResponse) -> RefreshAnswer {
        let status = response.status;
        let unavailable = |code| RefreshAnswer::Unavailable {
            cause: TransientError::Server { status, code },
            retry_after: response.retry_after(),
        };
        let body = Body::parse(&response.body, self);
        if (200..300).contains(&status) {
            return match body.as_ref().and_then(Body::tokens) {
                Some((access, refresh, lifetime)) => {
                    let date = response.date();
                    RefreshAnswer::Granted(Grant { access, refresh, lifetime, date })
                }
                None => unavailable(None),
            };
        }
        let error = body.as_ref().map(Body::error).unwrap_or_default();
        let is_legacy = self.is_rt_verify();
        if error.code == Some(ErrorCode::RefreshSuperseded) || is_legacy && status == SUPERSEDED {
            return RefreshAnswer::Superseded;
        }
        if let Some(reason) = error.sign_out_reason() {
            return RefreshAnswer::SignedOut(reason);
        }
        if is_legacy && status == LEGACY_REJECTED && error.code.is_none() && !error.has_advice {
            return RefreshAnswer::SignedOut(SignOutReason::Rejected(None));
        }
        let is_oauth2 = matches!(self.format, Format::OAuth2 { .. });
        if is_oauth2
            && matches!(status, 400 | 401)
            && body.is_some_and(|body| body.is_invalid_grant())
        {
            return RefreshAnswer::SignedOut(SignOutReason::Rejected(None));
        }
        unavailable(error.code)
    }

    /// What the response to a [`RefreshEndpoint::logout_request`] means. A session that the server
    /// does not know is over.
    pub fn read_logout(&self, response: &HttpResponse) -> RevocationAnswer {
        let status = response.status;
        let body = Body::parse(&response.body, self);
        let error = body.as_ref().map(Body::error).unwrap_or_default();
        if (200..300).contains(&status) {
            return RevocationAnswer::Revoked;
        }
        let advice = error.code.map(ErrorCode::advice).or(error.advice);
        match advice.filter(|_| !error.is_about_proof()) {
            Some(Advice::SignIn) => RevocationAnswer::Revoked,
            Some(Advice::Reject | Advice::Fix) => RevocationAnswer::Refused,
            _ if NO_ENDPOINT.contains(&status) => RevocationAnswer::Refused,
            // A client error in JSON is the server's, not that of a captive portal or a proxy.
            None if (400..500).contains(&status)
                && !matches!(status, 408 | 425 | 429)
                && body.is_some()
                && !error.is_about_proof() =>
            {
                RevocationAnswer::Refused
            }
            _ => RevocationAnswer::Unavailable { retry_after: response.retry_after() },
        }
    }

    /// The pair in the body of a login response: `accessToken` and `refreshToken`, and optionally
    /// `expiresIn` (seconds) and `userId`. `Bearer ` before a token is removed. `None` if a token
    /// is missing.
    pub fn read_login(body: &[u8]) -> Option<TokenPair> {
        Self::json("").read_login_of(body)
    }

    /// As [`RefreshEndpoint::read_login`], from a login response in the format of this endpoint.
    pub fn read_login_of(&self, body: &[u8]) -> Option<TokenPair> {
        let body = Body::parse(body, self)?;
        let (access, refresh, lifetime) = body.tokens()?;
        let mut pair = TokenPair::new(access, refresh?);
        if let Some(lifetime) = lifetime {
            pair = pair.expires_in(lifetime);
        }
        match body.get(body.names.user_id) {
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

fn is_http_url(url: &str) -> bool {
    let has_scheme = ["https://", "http://"].iter().any(|scheme| {
        let start = url.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme)) && url.len() > scheme.len()
    });
    has_scheme && !url.bytes().any(|byte| byte <= b' ' || byte == 0x7f)
}

/// `url` with `name` in place of the last segment of its path.
fn beside(url: &str, name: &str) -> String {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let host = path.find("://").map_or(0, |at| at + 3);
    match path.rfind('/').filter(|at| *at >= host) {
        Some(at) => format!("{}/{name}", &path[..at]),
        None => format!("{path}/{name}"),
    }
}

/// `application/x-www-form-urlencoded`, with only unreserved characters left as they are.
fn form_encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    encoded
}

/// The names of the members of a body.
#[derive(Clone, Copy)]
struct Names {
    access_token: &'static str,
    refresh_token: &'static str,
    expires_in: &'static str,
    user_id: &'static str,
}

const CAMEL_CASE: Names = Names {
    access_token: "accessToken",
    refresh_token: "refreshToken",
    expires_in: "expiresIn",
    user_id: "userId",
};
/// RFC 6749 §5.1.
const SNAKE_CASE: Names = Names {
    access_token: "access_token",
    refresh_token: "refresh_token",
    expires_in: "expires_in",
    user_id: "user_id",
};

/// The members of a response body, outside and inside of its envelope. A member of an unexpected
/// type counts as absent.
struct Body {
    outer: Map<String, Value>,
    inner: Option<Map<String, Value>>,
    names: Names,
}

impl Body {
    fn parse(bytes: &[u8], endpoint: &RefreshEndpoint) -> Option<Self> {
        // A byte order mark is no JSON (RFC 8259 §8.1), but some servers send one.
        let bytes = bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes);
        let mut outer: Map<String, Value> = serde_json::from_slice(bytes).ok()?;
        let inner = endpoint.envelope.as_ref().and_then(|name| match outer.remove(name) {
            Some(Value::Object(members)) => Some(members),
            _ => None,
        });
        let is_oauth2 = matches!(endpoint.format, Format::OAuth2 { .. });
        Some(Self { outer, inner, names: if is_oauth2 { SNAKE_CASE } else { CAMEL_CASE } })
    }

    fn get(&self, name: &str) -> Option<&Value> {
        let inner = self.inner.as_ref().and_then(|members| members.get(name));
        inner.or_else(|| self.outer.get(name))
    }

    fn tokens(&self) -> Option<(AccessToken, Option<RefreshToken>, Option<Duration>)> {
        let access = AccessToken::new(without_scheme(self.get(self.names.access_token))?);
        let refresh = without_scheme(self.get(self.names.refresh_token)).map(RefreshToken::new);
        let seconds = self.get(self.names.expires_in).and_then(|value| match value {
            Value::String(text) => text.parse().ok(),
            value => value.as_f64(),
        });
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some((access, refresh, lifetime))
    }

    fn is_invalid_grant(&self) -> bool {
        self.get("error").and_then(Value::as_str) == Some(INVALID_GRANT)
    }

    fn error(&self) -> ServerError {
        let error = self.get("error").unwrap_or(&Value::Null);
        let member = |name: &str| error.get(name).and_then(Value::as_str);
        // Legacy apps usually put the error code at the top level.
        let code = member("code").or(self.get("code").and_then(Value::as_str));
        let code = code.and_then(|code| ErrorCode::ALL.iter().find(|one| one.as_str() == code));
        let has_advice = member("advice").is_some();
        let advice = member("advice").and_then(|advice| {
            let all = [Advice::Refresh, Advice::SignIn, Advice::Reject, Advice::Retry, Advice::Fix];
            all.into_iter().find(|one| one.as_str() == advice)
        });
        let reason = error.get("reason").cloned();
        let reason = reason.and_then(|reason| serde_json::from_value(reason).ok());
        ServerError { code: code.copied(), advice, has_advice, reason }
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
    /// Whether there is any advice: then the error is not that of a legacy app.
    has_advice: bool,
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
