//! The guard of protected routes: which credentials of a request count, and whether it may pass.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::origin::is_own_page;
use super::policy::WebPolicy;
use super::request::{AuthorizationHeader, HeaderName, HeaderValue, RequestHead};
use super::response::{EndpointResponse, Rejection};
use crate::access::VerifiedAccess;
use crate::auth::{Auth, StalePolicy};
use crate::dpop::VerifiedProof;
use crate::error::{Advice, Error, Result};

/// How many cookies of one name are decided by. A browser sends one for each path and domain that
/// match, so more than this do not come from a browser.
pub(super) const MAX_CANDIDATES: usize = 64;

/// The access token that a request presents.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessCredentials<'a> {
    /// The request presents no access token, or only one that does not count.
    None,
    /// A bearer token (RFC 6750 §2.1), from the header or the cookie.
    Bearer(Cow<'a, str>),
    /// A token with the scheme `DPoP`, which needs a proof (RFC 9449 §7.1).
    Dpop(&'a str),
    /// Several cookies of one name, see [`choose_access`](WebPolicy::choose_access).
    Several(Vec<String>),
}

impl WebPolicy {
    /// The access token that `request` presents: that of the header, else that of the cookie.
    ///
    /// Browsers send cookies with requests that other sites' pages make. A cookie therefore does not
    /// count in a request that may change something (a method that is not safe, or a WebSocket
    /// handshake) from a page of another origin.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] for a header that is repeated or has no `token68`.
    pub fn access_credentials<'r>(
        &self,
        request: &RequestHead<'r>,
    ) -> Result<AccessCredentials<'r>> {
        match request.authorization(&self.access_header)? {
            AuthorizationHeader::Bearer(token) => {
                return Ok(AccessCredentials::Bearer(Cow::Borrowed(token)));
            }
            AuthorizationHeader::Dpop(token) => return Ok(AccessCredentials::Dpop(token)),
            AuthorizationHeader::None => {}
        }
        let Some(cookie) = &self.access_cookie else { return Ok(AccessCredentials::None) };
        if !self.accepts_cookies(request) {
            return Ok(AccessCredentials::None);
        }
        let mut tokens = request.cookies(&cookie.name);
        for token in &mut tokens {
            without_scheme(token);
        }
        tokens.retain(|token| !token.is_empty());
        tokens.dedup();
        Ok(match (tokens.pop(), tokens.is_empty()) {
            (None, _) => AccessCredentials::None,
            (Some(token), true) => AccessCredentials::Bearer(Cow::Owned(token)),
            (Some(last), false) => {
                tokens.push(last);
                AccessCredentials::Several(tokens)
            }
        })
    }

    /// Whether cookies count in `request`: not in one that may change something and comes from a
    /// page of another origin.
    pub fn accepts_cookies(&self, request: &RequestHead<'_>) -> bool {
        request.is_safe() || is_own_page(request, &self.allowed_origins)
    }

    /// The response to a CORS preflight; `None` for every other request. A preflight carries no
    /// credentials and must not reach a protected route, whose handler might answer it.
    pub fn preflight(&self, request: &RequestHead<'_>) -> Option<EndpointResponse> {
        request.is_preflight().then(|| EndpointResponse::preflight(request, &self.allowed_origins))
    }

    /// Chooses among several access cookies: the newest of those that `verify` accepts. An earlier
    /// setting of `path` or `domain` may have left others behind.
    ///
    /// # Errors
    /// [`Error::SubjectMismatch`] when they are of different users, because a subdomain may have
    /// planted one, and when there are more than 64. Else, when none is accepted, the error of the
    /// first.
    pub fn choose_access(
        tokens: Vec<String>,
        verify: impl Fn(&str) -> Result<VerifiedAccess>,
    ) -> Result<String> {
        if tokens.len() > MAX_CANDIDATES {
            return Err(Error::SubjectMismatch);
        }
        let mut chosen: Option<(String, VerifiedAccess)> = None;
        let mut first_error = None;
        for token in tokens {
            let access = match verify(&token) {
                Ok(access) => access,
                Err(error) => {
                    // An expired token says what to do next, a damaged one does not.
                    match first_error {
                        Some(Error::TokenExpired) => {}
                        None => first_error = Some(error),
                        Some(_) if matches!(error, Error::TokenExpired) => {
                            first_error = Some(error)
                        }
                        Some(_) => {}
                    }
                    continue;
                }
            };
            match &chosen {
                Some((_, other)) if other.subject() != access.subject() => {
                    return Err(Error::SubjectMismatch);
                }
                Some((_, other)) if other.issued_at() >= access.issued_at() => {}
                _ => chosen = Some((token, access)),
            }
        }
        match chosen {
            Some((token, _)) => Ok(token),
            None => Err(first_error.unwrap_or(Error::TokenMissing)),
        }
    }

    /// `Set-Cookie` values that remove access cookies with other attributes, where `request` has
    /// several of the name.
    pub(super) fn removed_other_access(&self, request: &RequestHead<'_>) -> Vec<String> {
        match &self.access_cookie {
            Some(cookie) if request.cookies(&cookie.name).len() > 1 => {
                cookie.remove_others(request)
            }
            _ => Vec::new(),
        }
    }

    /// The rejection of a guarded request. Where cookies of several users are the reason, it removes
    /// those with other attributes than this policy's: the next request is unambiguous.
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

    /// What the caller should do about `error`, which a guarded route returned. Where the access
    /// token travels in a cookie, a request without one needs a refresh: browsers delete the cookie
    /// when the token expires.
    pub fn advice(&self, error: &Error) -> Advice {
        match error {
            Error::TokenMissing if self.access_cookie.is_some() => Advice::Refresh,
            other => other.advice(),
        }
    }
}

/// Removes `Bearer ` from the value of a cookie.
fn without_scheme(value: &mut String) {
    let Some((scheme, rest)) = value.split_once(' ') else { return };
    if scheme.eq_ignore_ascii_case("bearer") {
        *value = rest.trim_start_matches(' ').to_owned();
    }
}

/// The DPoP proof of `request`, checked but not used up; `None` without the header.
///
/// # Errors
/// [`Error::DpopProofInvalid`], also for a repeated header (RFC 9449 §4.3);
/// [`Error::DpopNonceRequired`].
pub(super) fn proof_of(auth: &Auth, request: &RequestHead<'_>) -> Result<Option<VerifiedProof>> {
    match request.value(HeaderName::Dpop) {
        _ if !auth.checks_proofs() => Ok(None),
        HeaderValue::Absent => Ok(None),
        HeaderValue::Repeated => Err(Error::dpop_proof("there is more than one proof")),
        HeaderValue::One(proof) => {
            auth.check_proof(proof, request.method(), &request.path_and_query()).map(Some)
        }
    }
}

/// What an access token must grant beyond being valid.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Permission {
    scopes: Vec<String>,
    claims: Map<String, Value>,
}

impl Permission {
    /// Requires all of `scopes` in the claim `scope` (RFC 9068 §2.2.3): names with blanks between
    /// them, or an array.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Requires the claim `name` to be `value`, or an array that contains it.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.insert(name.into(), value.into());
        self
    }

    /// Checks the claims of a verified token, as JSON text.
    ///
    /// # Errors
    /// [`Error::InsufficientScope`], with the required scopes.
    pub fn check(&self, claims: &str) -> Result<()> {
        if self.scopes.is_empty() && self.claims.is_empty() {
            return Ok(());
        }
        let claims: Map<String, Value> = serde_json::from_str(claims)
            .map_err(|_| Error::internal("verified claims are no JSON object"))?;
        let granted = |scope: &String| match claims.get("scope") {
            Some(Value::String(text)) => text.split(' ').any(|granted| granted == scope),
            Some(Value::Array(list)) => list.iter().any(|granted| granted == scope),
            _ => false,
        };
        let matches = |(name, expected): (&String, &Value)| match claims.get(name) {
            Some(value) if value == expected => true,
            Some(Value::Array(list)) => list.contains(expected),
            _ => false,
        };
        if self.scopes.iter().all(granted) && self.claims.iter().all(matches) {
            return Ok(());
        }
        Err(Error::InsufficientScope { scope: self.scopes.join(" ") })
    }
}

/// Decides which requests may pass to protected routes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Guard {
    auth: Auth,
    web: WebPolicy,
    optional: bool,
    stale: StalePolicy,
    permission: Permission,
}

impl Guard {
    /// A guard that lets pass what `auth` verifies.
    pub fn new(auth: Auth, web: WebPolicy) -> Self {
        let (stale, permission) = (StalePolicy::default(), Permission::default());
        Self { auth, web, optional: false, stale, permission }
    }

    /// Lets requests without a token pass. A bad token is rejected all the same.
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Sets what happens while it is not known whether another process revoked the session.
    pub const fn stale_policy(mut self, stale: StalePolicy) -> Self {
        self.stale = stale;
        self
    }

    /// Requires what the token must grant.
    pub fn require(mut self, permission: Permission) -> Self {
        self.permission = permission;
        self
    }

    /// The response to a CORS preflight; `None` for every other request. A preflight carries no
    /// credentials and must not reach a protected route, whose handler might answer it.
    pub fn preflight(&self, request: &RequestHead<'_>) -> Option<EndpointResponse> {
        self.web.preflight(request)
    }

    /// How tokens travel.
    pub(super) const fn web(&self) -> &WebPolicy {
        &self.web
    }

    /// Checks a request: `None` for one that may pass without a token. Does I/O only as
    /// [`stale_policy`](Self::stale_policy) says.
    ///
    /// # Errors
    /// [`Rejection`], which is also the response.
    pub async fn check(
        &self,
        request: &RequestHead<'_>,
    ) -> Result<Option<VerifiedAccess>, Rejection> {
        match self.verify(request).await {
            Err(Error::TokenMissing) if self.optional => Ok(None),
            Ok(access) => Ok(Some(access)),
            Err(error) => {
                let rejection = self.web.rejection(error, request);
                Err(Rejection { nonce: self.auth.proof_nonce(), ..rejection })
            }
        }
    }

    async fn verify(&self, request: &RequestHead<'_>) -> Result<VerifiedAccess> {
        let access = match self.web.access_credentials(request)? {
            AccessCredentials::None => return Err(Error::TokenMissing),
            AccessCredentials::Bearer(token) => self.auth.verify(&token)?,
            AccessCredentials::Several(tokens) => {
                let verify = |token: &str| self.auth.verify(token);
                self.auth.verify(&WebPolicy::choose_access(tokens, verify)?)?
            }
            AccessCredentials::Dpop(token) => {
                let proof = proof_of(&self.auth, request)?.ok_or(Error::DpopProofMissing)?;
                self.auth.verify_with_proof(token, &proof)?
            }
        };
        let access = self.auth.apply_stale_policy(access, self.stale).await?;
        self.permission.check(access.payload())?;
        Ok(access)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::http::CookiePolicy;

    fn web() -> WebPolicy {
        WebPolicy {
            access_cookie: Some(CookiePolicy::access("accessToken")),
            ..WebPolicy::default()
        }
    }

    fn credentials(request: &RequestHead<'_>) -> Option<String> {
        match web().access_credentials(request).unwrap() {
            AccessCredentials::None => None,
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
        assert!(web().access_credentials(&get().header("authorization", "Bearer a b")).is_err());
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
    fn a_cookie_does_not_count_in_a_foreign_request_that_may_change_something() {
        let request = |method| {
            RequestHead::new(method, "/")
                .header("cookie", "accessToken=a.b.c")
                .header("host", "a.example")
                .header("origin", "https://b.example")
        };
        assert_eq!(credentials(&request("GET")).unwrap(), "a.b.c");
        for method in ["POST", "PUT", "DELETE", "PATCH", "get"] {
            assert_eq!(credentials(&request(method)), None, "{method}");
        }
        assert_eq!(credentials(&request("GET").header("upgrade", "websocket")), None);
    }

    #[test]
    fn permissions_look_at_scope_and_claims() {
        let claims =
            json!({ "scope": "read write", "roles": ["admin", "staff"], "org": 7 }).to_string();
        for granted in [
            Permission::default(),
            Permission::default().scopes(["read"]),
            Permission::default().scopes(["write", "read"]),
            Permission::default().claim("roles", "admin").claim("org", 7),
        ] {
            assert!(granted.check(&claims).is_ok(), "{granted:?}");
        }
        for refused in [
            Permission::default().scopes(["rea"]),
            Permission::default().scopes(["read", "delete"]),
            Permission::default().scopes(["read write"]),
            Permission::default().claim("roles", "owner"),
            Permission::default().claim("org", "7"),
            Permission::default().claim("absent", Value::Null),
        ] {
            let error = refused.check(&claims).unwrap_err();
            assert!(matches!(error, Error::InsufficientScope { .. }), "{refused:?}");
        }
        let array = json!({ "scope": ["read"] }).to_string();
        assert!(Permission::default().scopes(["read"]).check(&array).is_ok());
    }
}
