//! What the refresh endpoint of a server looks like: where the refresh token goes in a request,
//! and what its answers mean.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::{Advice, ErrorCode};
#[cfg(feature = "client")]
use crate::error::{Error, Result};
use crate::types::{AccessToken, RefreshToken};

use super::answer::{Answer, Grant, Refused};
use super::http::{Request, Response};
use super::pair::Pair;
use super::reason::{SignOutReason, Trouble};

/// The status by which old apps refuse a refresh token.
const OLD_REFUSAL: u16 = 419;
/// The status of a superseded token, which an old app's error handler may leave without its code.
const SUPERSEDED: u16 = 409;

/// A refresh endpoint. `Debug` shows no values of headers.
#[derive(Clone, PartialEq, Eq)]
#[must_use]
pub struct Endpoint {
    url: String,
    format: Format,
    headers: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    RtVerify,
}

impl Endpoint {
    /// What the Express handler `refreshHandler(auth, { cookie: false })` serves: `POST` with the
    /// body `{ "refreshToken": … }`, answered by `{ "accessToken", "expiresIn", "refreshToken" }`
    /// or by `{ "error": { "code", "advice", "reason" } }`.
    pub fn json(url: impl Into<String>) -> Self {
        Self { url: url.into(), format: Format::Json, headers: Vec::new() }
    }

    /// What the Express preset `rtVerify` serves, in the shape of older apps: `GET` with the
    /// headers `refreshtoken` (`Bearer <jwt>`), `userid` (see [`Pair::user`]) and
    /// `x-refresh-rotate`, answered by `{ "accessToken": "Bearer <jwt>" }` and, if the server
    /// rotates, `"refreshToken"`; refused by status 419.
    pub fn rt_verify(url: impl Into<String>) -> Self {
        Self { url: url.into(), format: Format::RtVerify, headers: Vec::new() }
    }

    /// A header that every request carries, such as the key of a gateway.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into().to_ascii_lowercase(), value.into()));
        self
    }

    /// Whether a request could be made to it.
    #[cfg(feature = "client")]
    pub(super) fn check(&self) -> Result<()> {
        let is_web = ["https://", "http://"].iter().any(|scheme| {
            let start = self.url.get(..scheme.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
                && self.url.len() > scheme.len()
        });
        if !is_web || self.url.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
            return Err(Error::config(
                "endpoint.url",
                "must be a whole http:// or https:// address",
            ));
        }
        for (name, value) in &self.headers {
            // RFC 9110 §5.1 and §5.5: what else there is would end the header early.
            let is_token =
                |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(Error::config("endpoint.headers", "a name is not one of a header"));
            }
            if value.bytes().any(|byte| byte < b' ' && byte != b'\t' || byte == 0x7f) {
                return Err(Error::config("endpoint.headers", "a value has control characters"));
            }
        }
        Ok(())
    }

    /// The request that renews `pair`.
    pub fn request(&self, pair: &Pair) -> Request {
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
        Request { method, url: self.url.clone(), headers, body }
    }

    /// What the answer to that request means. Whatever is neither tokens nor a refusal that is
    /// known to be final keeps the tokens: the page of a captive portal, the error of a proxy.
    pub fn read(&self, response: &Response) -> Answer {
        let status = response.status;
        let body: Option<Body> = serde_json::from_slice(&response.body).ok();
        if (200..300).contains(&status) {
            let granted = body.as_ref().and_then(Body::tokens);
            if let Some((access, refresh, lifetime)) = granted {
                return Answer::Granted(Grant { access, refresh, lifetime, date: response.date() });
            }
            let trouble = Trouble::Server { status, code: None };
            return Answer::Unavailable { trouble, retry_after: response.retry_after() };
        }
        let refused = body.map(Body::refusal).unwrap_or_default();
        if refused.is_superseded() || self.format == Format::RtVerify && status == SUPERSEDED {
            return Answer::Superseded;
        }
        if let Some(reason) = refused.sign_out() {
            return Answer::SignedOut(reason);
        }
        if self.format == Format::RtVerify && status == OLD_REFUSAL && refused.code.is_none() {
            return Answer::SignedOut(SignOutReason::Rejected(None));
        }
        let trouble = Trouble::Server { status, code: refused.code };
        Answer::Unavailable { trouble, retry_after: response.retry_after() }
    }

    /// The pair in the body of a login's answer: `accessToken`, `refreshToken`, `expiresIn` and
    /// `userId`, of which the first two must be there; `Bearer ` before a token is left out.
    pub fn read_login(body: &[u8]) -> Option<Pair> {
        let body: Body = serde_json::from_slice(body).ok()?;
        let (access, refresh, lifetime) = body.tokens()?;
        let mut pair = Pair::new(access, refresh?);
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

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint")
            .field("url", &self.url)
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

/// Everything that an answer may have. A member of another type than expected is as absent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    access_token: Option<Value>,
    refresh_token: Option<Value>,
    expires_in: Option<Value>,
    user_id: Option<Value>,
    error: Option<Value>,
    // Apps of the old shape put the refusal where they like; at the top is the usual place.
    code: Option<Value>,
}

impl Body {
    fn tokens(&self) -> Option<(AccessToken, Option<RefreshToken>, Option<Duration>)> {
        let access = AccessToken::new(bare(self.access_token.as_ref())?);
        let refresh = bare(self.refresh_token.as_ref()).map(RefreshToken::new);
        let seconds = self.expires_in.as_ref().and_then(Value::as_f64);
        let lifetime = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        Some((access, refresh, lifetime))
    }

    fn refusal(self) -> Refused {
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
        Refused { code: code.copied(), advice, reason }
    }
}

/// A token without its scheme; an empty one is none.
fn bare(value: Option<&Value>) -> Option<&str> {
    let text = value?.as_str()?;
    let token = match text.get(..7) {
        Some(scheme) if scheme.eq_ignore_ascii_case("bearer ") => text.get(7..)?.trim_start(),
        _ => text,
    };
    Some(token).filter(|token| !token.is_empty())
}

#[cfg(test)]
#[path = "endpoint_tests.rs"]
mod tests;
