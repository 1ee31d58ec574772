//! Access tokens in requests: where they travel, and which of them are accepted.

use std::borrow::Cow;
use std::sync::Once;

use serde_json::Value;

use super::origin::is_own_page;
use super::policy::WebPolicy;
use super::request::{AuthorizationHeader, HeaderName, RequestHead};
use super::response::{EndpointResponse, Rejection};
use crate::access::VerifiedAccess;
use crate::error::{Advice, Error, Result};
use crate::token::base64url;

/// The access token that a request presents.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessCredentials<'a> {
    /// The request presents no access token.
    Missing,
    /// The request presents only a cookie, and comes from a page whose requests it does not
    /// authorize; see [`WebPolicy::accepts_cookies`].
    ForeignCookie,
    /// A bearer token (RFC 6750 §2.1), from the header or the cookie.
    Bearer(Cow<'a, str>),
    /// A token with the scheme `DPoP`, which needs a proof (RFC 9449 §7.1).
    Dpop(&'a str),
    /// Several cookies of one name, see [`choose_access_token`].
    Several(Vec<String>),
}

impl WebPolicy {
    /// The access token that `request` presents: that of the header, else that of the cookie.
    /// `accepts_dpop` says whether this server checks proofs. Without it, `DPoP` is a scheme like
    /// any other that the server does not know (RFC 9110 §11.6.2).
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] for a header that is repeated or is no text, and for a token of the
    /// scheme `Bearer` or `DPoP` that is no `token68` (RFC 9110 §11.2).
    pub fn access_credentials<'r>(
        &self,
        request: &RequestHead<'r>,
        accepts_dpop: bool,
    ) -> Result<AccessCredentials<'r>> {
        match request.authorization(&self.access_header, accepts_dpop)? {
            AuthorizationHeader::Bearer(token) => {
                return Ok(AccessCredentials::Bearer(Cow::Borrowed(token)));
            }
            AuthorizationHeader::Dpop(token) => return Ok(AccessCredentials::Dpop(token)),
            AuthorizationHeader::None => {}
        }
        let mut tokens = self.access_cookies(request);
        if !tokens.is_empty() && !self.accepts_cookies(request) {
            warn_of_origin();
            return Ok(AccessCredentials::ForeignCookie);
        }
        Ok(match tokens.len() {
            0 => AccessCredentials::Missing,
            1 => AccessCredentials::Bearer(Cow::Owned(tokens.remove(0))),
            _ => AccessCredentials::Several(tokens),
        })
    }

    /// The different tokens in the access cookies of `request`.
    pub(super) fn access_cookies(&self, request: &RequestHead<'_>) -> Vec<String> {
        let Some(cookie) = &self.access_cookie else { return Vec::new() };
        let mut tokens = request.cookies(&cookie.name);
        for token in &mut tokens {
            strip_bearer_scheme(token);
        }
        tokens.retain(|token| !token.is_empty());
        tokens
    }

    /// Whether cookies are accepted in `request`. Browsers send them with requests that other sites'
    /// pages make, so they are not accepted in one that may change something (a method that is not
    /// safe, or a WebSocket handshake) and comes from a page of another origin.
    pub fn accepts_cookies(&self, request: &RequestHead<'_>) -> bool {
        request.is_safe() || is_own_page(request, &self.allowed_origins)
    }

    /// The response to a CORS preflight; `None` for every other request. A preflight carries no
    /// credentials, so it must be answered here and not by the handler of the protected route.
    pub fn preflight(&self, request: &RequestHead<'_>) -> Option<EndpointResponse> {
        request.is_preflight().then(|| EndpointResponse::preflight(request, &self.allowed_origins))
    }

    /// The rejection of a guarded request. [`Error::SubjectMismatch`] comes only from ambiguous
    /// cookies; the rejection then removes as many as fit in it of those with other attributes than
    /// this policy's, so that a next request is unambiguous.
    pub fn rejection(&self, error: Error, request: &RequestHead<'_>) -> Rejection {
        let cookies = match error {
            Error::SubjectMismatch => self
                .access_cookie
                .iter()
                .flat_map(|cookie| cookie.remove_planted(request))
                .collect(),
            _ => Vec::new(),
        };
        Rejection { advice: self.advice(&error), error, cookies, nonce: None }
    }

    /// What the caller should do about `error`, which a guarded route returned. Where the access
    /// token travels in a cookie, a request without one needs a refresh: browsers delete the cookie
    /// when the token expires.
    pub fn advice(&self, error: &Error) -> Advice {
        match error {
            Error::TokenMissing if self.access_cookie.is_some() => Advice::Refresh,
            other => other.advice(),
        }
    }

    /// The names of all headers that the rules look at, in lower case, `:authority` of HTTP/2 among
    /// them. A framework need not pass others to a [`RequestHead`].
    pub fn request_headers(&self) -> Vec<String> {
        let mut names: Vec<_> =
            HeaderName::ALL.iter().map(|name| name.as_str().to_owned()).collect();
        let own = self.access_header.to_ascii_lowercase();
        if !names.contains(&own) {
            names.push(own);
        }
        names
    }
}

/// Chooses among several access cookies: the newest of those that `verify` accepts. An earlier
/// setting of `path` or `domain` may have left others behind.
///
/// # Errors
/// An error with the advice [`Advice::Retry`], because the token that it concerns might be the right
/// one; [`Error::SubjectMismatch`] when they are of different users, because a subdomain may have
/// planted one, and when there are more than 64. Else, when none is accepted:
/// [`Error::TokenExpired`] if one is expired, otherwise the error of the first.
pub fn choose_access_token(
    tokens: Vec<String>,
    verify: impl Fn(&str) -> Result<VerifiedAccess>,
) -> Result<(String, VerifiedAccess)> {
    if tokens.len() > MAX_CANDIDATES {
        return Err(Error::SubjectMismatch);
    }
    let mut chosen: Option<(String, VerifiedAccess)> = None;
    let mut refusal = None;
    // The `sub` of tokens that are over: the page may be of that user, whose cookie a planted one
    // must not replace.
    let mut past_users = Vec::new();
    for token in tokens {
        match (verify(&token), &chosen) {
            (Ok(access), Some((_, other))) if other.subject() != access.subject() => {
                return Err(Error::SubjectMismatch);
            }
            (Ok(access), Some((_, other))) if other.issued_at() >= access.issued_at() => {}
            (Ok(access), _) => chosen = Some((token, access)),
            (Err(error), _) if error.advice() == Advice::Retry => return Err(error),
            (Err(error), _) => {
                // These two are found out last: the token is of this server.
                if matches!(error, Error::TokenExpired | Error::AccessRevoked) {
                    past_users.extend(subject_claim(&token));
                }
                // An expired token says what to do next, a damaged one does not.
                if refusal.is_none() || matches!(error, Error::TokenExpired) {
                    refusal = Some(error);
                }
            }
        }
    }
    let chosen = chosen.ok_or_else(|| refusal.unwrap_or(Error::TokenMissing))?;
    let user = chosen.1.claim("sub");
    if past_users.iter().any(|past| user.is_some_and(|user| user != past)) {
        return Err(Error::SubjectMismatch);
    }
    Ok(chosen)
}

/// With more cookies of one name than this, a request is refused. A browser sends one for each path
/// and domain that match, so such a request does not come from a browser as it is usually used.
pub(super) const MAX_CANDIDATES: usize = 64;

/// `sub` of a token that was verified before.
fn subject_claim(token: &str) -> Option<Value> {
    let payload = base64url::decode_text(token.split('.').nth(1)?).ok()?;
    serde_json::from_str::<Value>(&payload).ok()?.get_mut("sub").map(Value::take)
}

/// Warns once of a cookie that a page of another origin sent: that is an attack, or an origin of the
/// app that the configuration does not name.
pub(super) fn warn_of_origin() {
    static WARNED: Once = Once::new();
    WARNED.call_once(|| {
        tracing::warn!(
            target: "regrant::http",
            "refused a cookie in a request by a page of another origin; pages of the app must be of an origin in `allowedOrigins`"
        );
    });
}

/// Removes the scheme `Bearer` from the value of a cookie.
fn strip_bearer_scheme(value: &mut String) {
    let Some((scheme, rest)) = value.split_once(' ') else { return };
    if scheme.eq_ignore_ascii_case("bearer") {
        *value = rest.trim_start_matches(' ').to_owned();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::CookiePolicy;

    fn web() -> WebPolicy {
        WebPolicy {
            access_cookie: Some(CookiePolicy::access("accessToken")),
            ..WebPolicy::default()
        }
    }

    fn credentials(request: &RequestHead<'_>) -> Option<String> {
        match web().access_credentials(request, true).unwrap() {
            AccessCredentials::Missing => None,
            AccessCredentials::ForeignCookie => Some("foreign".to_owned()),
            AccessCredentials::Bearer(token) => Some(token.into_owned()),
            AccessCredentials::Dpop(token) => Some(format!("DPoP {token}")),
            AccessCredentials::Several(tokens) => Some(tokens.join("|")),
        }
    }

    #[test]
    fn the_header_comes_before_the_cookie() {
        let get = || RequestHead::new("GET", "/me").header("cookie", "accessToken=c.o.k");
        assert_eq!(credentials(&get().header("authorization", "Bearer a.b.c")).unwrap(), "a.b.c");
        for value in ["", "Bearer ", "Basic dTpw", "abc"] {
            assert_eq!(
                credentials(&get().header("authorization", value)).unwrap(),
                "c.o.k",
                "{value:?}"
            );
        }
        assert!(
            web().access_credentials(&get().header("authorization", "Bearer a b"), true).is_err()
        );
    }

    #[test]
    fn a_cookie_may_have_the_scheme() {
        let token =
            |value: &str| credentials(&RequestHead::new("GET", "/").header("cookie", value));
        assert_eq!(token("accessToken=Bearer%20a.b.c").unwrap(), "a.b.c");
        assert_eq!(token("accessToken=a.b.c; accessToken=d.e.f").unwrap(), "a.b.c|d.e.f");
        for value in ["accessToken=", "accessToken=Bearer%20", "other=a.b.c"] {
            assert_eq!(token(value), None, "{value}");
        }
    }

    #[test]
    fn a_cookie_is_ignored_in_a_foreign_request_that_may_change_something() {
        let request = |method| {
            RequestHead::new(method, "/")
                .header("cookie", "accessToken=a.b.c")
                .header("host", "a.example")
                .header("origin", "https://b.example")
        };
        assert_eq!(credentials(&request("GET")).unwrap(), "a.b.c");
        for method in ["POST", "PUT", "DELETE", "PATCH", "get"] {
            assert_eq!(credentials(&request(method)).unwrap(), "foreign", "{method}");
        }
        let handshake = request("GET").header("upgrade", "websocket");
        assert_eq!(credentials(&handshake).unwrap(), "foreign");
    }

    #[test]
    fn dpop_is_an_unknown_scheme_unless_proofs_are_checked() {
        let get = || RequestHead::new("GET", "/me").header("cookie", "accessToken=c.o.k");
        for (value, dpop) in [("DPoP a.b.c", "DPoP a.b.c"), ("dpop", "c.o.k")] {
            let request = get().header("authorization", value);
            assert_eq!(credentials(&request).unwrap(), dpop, "{value}");
            let without = web().access_credentials(&request, false).unwrap();
            assert!(without == AccessCredentials::Bearer("c.o.k".into()), "{value}");
        }
        let malformed = get().header("authorization", "DPoP a b");
        assert!(web().access_credentials(&malformed, false).is_ok());
    }
}
