//! The endpoints of a session: what login, refresh, logout, the list of sessions and the key set
//! respond.

use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::cookies::CookiePolicy;
use super::guard::proof_of;
use super::policy::WebPolicy;
use super::presented::{PresentedRefresh, RequestBody, choose, presented_tokens};
use super::request::{HeaderName, HeaderValue, RequestHead};
use super::response::{EndpointResponse, Rejection};
use crate::auth::{Auth, Logout, LogoutEverywhere, RefreshRequest, RefreshResponse, TokenPair};
use crate::error::{Error, Result};
use crate::token::base64url;
use crate::types::{SessionId, Subject, Timestamp};

/// The tokens that a response hands over.
#[derive(Clone, Copy)]
pub struct IssuedTokens<'a> {
    /// The access token.
    pub access_token: &'a str,
    /// When the access token expires.
    pub access_expires_at: Timestamp,
    /// The refresh token; `None` if the client keeps the one that it has.
    pub refresh_token: Option<&'a str>,
    /// When the refresh token expires.
    pub refresh_expires_at: Timestamp,
    /// Whether browsers keep the cookies when they close.
    pub persistent: bool,
}

impl<'a> From<&'a TokenPair> for IssuedTokens<'a> {
    fn from(pair: &'a TokenPair) -> Self {
        Self {
            access_token: pair.access_token.expose(),
            access_expires_at: pair.access_expires_at,
            refresh_token: Some(pair.refresh_token.expose()),
            refresh_expires_at: pair.refresh_expires_at,
            persistent: pair.persistent,
        }
    }
}

/// What an app adds to a refresh.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RefreshInput {
    /// Replaces the app's own claims; see [`RefreshRequest::claims`].
    pub claims: Option<Map<String, Value>>,
    /// Overrides the policy's rotation. A session that has rotated once always rotates: the response
    /// then sets the next refresh token, whatever this says.
    pub rotate: Option<bool>,
    /// The user that the client claims to be.
    pub subject: Option<Subject>,
}

/// Which sessions `DELETE` of the sessions endpoint revokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionSelector<'a> {
    /// All of the user.
    All,
    /// All but the one that asks.
    Others,
    /// The one with this id.
    One(&'a str),
}

impl<'a> SessionSelector<'a> {
    /// The selector of the last segment of a path: `others`, a session id, or nothing.
    pub fn parse(segment: Option<&'a str>) -> Self {
        match segment {
            None => Self::All,
            Some("others") => Self::Others,
            Some(id) => Self::One(id),
        }
    }
}

/// How long verifiers and proxies may cache the key set.
#[derive(Clone, Copy, Debug)]
pub struct JwksCaching {
    /// `max-age` of `Cache-Control`, in seconds. Publish a new key at least this long before it signs.
    pub max_age: u32,
}

impl Default for JwksCaching {
    fn default() -> Self {
        Self { max_age: 300 }
    }
}

/// The endpoints of one `Auth` with one [`WebPolicy`].
#[derive(Clone, Copy, Debug)]
pub struct Endpoints<'a> {
    pub(super) auth: &'a Auth,
    web: &'a WebPolicy,
}

/// The query parameter of a logout that names the session.
const SESSION_PARAMETER: &str = "session";

impl<'a> Endpoints<'a> {
    /// The endpoints of `auth`.
    pub const fn new(auth: &'a Auth, web: &'a WebPolicy) -> Self {
        Self { auth, web }
    }

    /// The response to a login: `{ "accessToken", "expiresIn" }`, `expiresIn` in seconds, with the refresh
    /// token as a cookie or as `refreshToken`.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for a token that is too long for its cookie.
    pub fn login<'p>(
        &self,
        pair: impl Into<IssuedTokens<'p>>,
        request: &RequestHead<'_>,
    ) -> Result<EndpointResponse> {
        let removed = self.web.remove_other_cookies(request, self.is_left_behind(request));
        self.tokens(&pair.into(), request, removed)
    }

    /// The refresh token that `request` presents, in the cookie or as `refreshToken` of the JSON
    /// body. A cookie counts only from a page of this server or an allowed origin.
    ///
    /// Of several cookies the one counts whose session is alive. An earlier setting of `path` or
    /// `domain` may have left others behind, and a subdomain may have planted one.
    ///
    /// # Errors
    /// [`Error::TokenMissing`]; [`Error::OriginNotAllowed`] for the cookie of a foreign page;
    /// [`Error::SubjectMismatch`] for a session of another user than the page's, for sessions of
    /// several users of which one is alive, and for more than 64 cookies;
    /// [`Error::ArgumentInvalid`] for a body that the app has not parsed;
    /// [`Error::StoreUnavailable`] when there are several cookies and the store cannot tell.
    pub async fn presented(
        &self,
        request: &RequestHead<'_>,
        body: RequestBody<'_>,
    ) -> Result<PresentedRefresh, Rejection> {
        let mut tokens = presented_tokens(self.web, request, body)?;
        let Some(cookie) = &self.web.refresh_cookie else {
            return Ok(PresentedRefresh { token: tokens.remove(0), had_others: false });
        };
        let had_others = tokens.len() > 1;
        match choose(self.auth, self.web, tokens, request).await {
            Ok(token) => Ok(PresentedRefresh { token, had_others }),
            // Keep the cookie with this server's attributes, which no sibling domain can set as long as
            // the policy has no `domain`: the next refresh is unambiguous.
            Err(error @ Error::SubjectMismatch) => {
                let mut rejection = self.rejection(error, request);
                rejection.cookies = cookie.remove_planted(request);
                let is_repeated =
                    |other: &CookiePolicy| other != cookie && other.is_repeated_in(request);
                rejection.cookies.extend(self.web.remove_other_cookies(request, is_repeated));
                Err(rejection)
            }
            Err(error) => Err(self.rejection(error, request)),
        }
    }

    /// Exchanges a presented refresh token (RFC 6749 §6): `{ "accessToken", "expiresIn" }`, `expiresIn` in
    /// seconds, and the refresh token to keep: in JSON always as `refreshToken`, the presented one if the
    /// session does not rotate; as a cookie if it is new, if it lasts longer now, or if the request had several.
    ///
    /// # Errors
    /// As [`Auth::refresh`]. The cookies of a token that will never be accepted are removed.
    pub async fn refresh(
        &self,
        presented: &PresentedRefresh,
        request: &RequestHead<'_>,
        input: RefreshInput,
    ) -> Result<EndpointResponse, Rejection> {
        let PresentedRefresh { token, had_others } = presented;
        match self.exchange(token, request, input).await {
            Ok(refreshed) => {
                let next = refreshed.refresh_token.as_ref().map(|token| token.expose());
                // With rotation the cookie lasts only for the idle lifetime of the session, which this refresh extends.
                let keeps_presented =
                    *had_others || self.web.refresh_cookie.is_none() || self.auth.rotates();
                let issued = IssuedTokens {
                    access_token: refreshed.access_token.expose(),
                    access_expires_at: refreshed.access_expires_at,
                    refresh_token: next.or(keeps_presented.then_some(token.as_str())),
                    refresh_expires_at: refreshed.refresh_expires_at,
                    persistent: refreshed.persistent,
                };
                let removed =
                    self.web.remove_other_cookies(request, |cookie| cookie.is_repeated_in(request));
                Ok(self.tokens(&issued, request, removed)?)
            }
            Err(error) => Err(self.rejection(error, request)),
        }
    }

    pub(super) async fn exchange(
        &self,
        token: &str,
        request: &RequestHead<'_>,
        input: RefreshInput,
    ) -> Result<RefreshResponse> {
        let mut refresh = RefreshRequest::new(token);
        if let Some(claims) = input.claims {
            refresh = refresh.claims(claims);
        }
        if let Some(rotate) = input.rotate {
            refresh = refresh.rotate(rotate);
        }
        if let Some(subject) = input.subject {
            refresh = refresh.expect_subject(subject);
        }
        if let Some(address) = request.client_address() {
            refresh = refresh.address(address);
        }
        if let HeaderValue::One(user_agent) = request.value(HeaderName::UserAgent) {
            refresh = refresh.user_agent(user_agent);
        }
        if let Some(proof) = proof_of(self.auth, request)? {
            refresh = refresh.proof(proof);
        }
        self.auth.refresh(refresh).await
    }

    /// Revokes the session of the request's refresh token and removes the cookies: 204. It is an
    /// error if the request presents no refresh token of this server, because then nothing was
    /// revoked.
    ///
    /// With the query parameter `session`, an id, only the tokens of that session count: a logout that is
    /// late, or was told later, does not end the session of a login meanwhile, whose cookie has replaced the
    /// one that was meant.
    ///
    /// # Errors
    /// As [`Auth::logout`], and for a request without a token as [`presented`](Self::presented). When
    /// the store is unavailable, the cookies stay, so that the client can retry.
    pub async fn logout(
        &self,
        request: &RequestHead<'_>,
        body: RequestBody<'_>,
    ) -> Result<EndpointResponse, Rejection> {
        let mut tokens = presented_tokens(self.web, request, body)?;
        let presented = tokens.len();
        if let Some(meant) = request.query(SESSION_PARAMETER).filter(|id| !id.is_empty()) {
            let is_other = |session: SessionId| session.to_string() != *meant;
            tokens.retain(|token| !self.auth.session_of_refresh_token(token).is_some_and(is_other));
        }
        let spares_others = tokens.len() < presented;
        let proof = match proof_of(self.auth, request) {
            Ok(proof) => proof,
            Err(error) => return Err(self.rejection(error, request)),
        };
        let (mut rejected, mut unproven) = (None, None);
        let mut revoked_any = false;
        // All of them: a session that stays alive must not look like one that is over. The headers of
        // a request are limited, and only tokens of this server reach the store.
        for token in &tokens {
            let mut logout = Logout::new(token).client(request.client());
            if let Some(proof) = &proof {
                logout = logout.proof(proof.clone());
            }
            match self.auth.logout(logout).await {
                Ok(_) => revoked_any = true,
                // This session stays alive, which the response must say. The others end all the same: a subdomain may
                // have planted its own.
                Err(
                    error @ (Error::DpopProofMissing
                    | Error::DpopProofInvalid { .. }
                    | Error::DpopProofReplayed
                    | Error::DpopNonceRequired { .. }),
                ) => unproven = Some(error),
                // A session that the store does not know is over.
                Err(error) if error.advice() == crate::Advice::SignIn => revoked_any = true,
                Err(error) if error.advice() == crate::Advice::Reject => rejected = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        if let Some(error) = unproven {
            return Err(self.rejection(error, request));
        }
        if !revoked_any {
            let error = rejected.unwrap_or(Error::TokenMissing);
            return Err(self.rejection(error, request));
        }
        let mut response = EndpointResponse::uncached(204, None);
        // A refresh chooses among what stays: the session that goes on.
        if !spares_others {
            response.cookies = self.web.remove_all_cookies(request, self.is_left_behind(request));
        }
        Ok(response)
    }

    /// Lists (`GET`, `HEAD`) or revokes (`DELETE`) the sessions of `subject`, of which `current`
    /// sent the request: `{ "sessions": […] }`, each as [`SessionInfo`](crate::SessionInfo) but with times in
    /// ISO 8601, or `{ "ended": n }`, the number of sessions that were live and are now revoked. Other
    /// methods: 405. Uses only the method and the client details of `request`.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is no session of this user; [`Error::ClaimMissing`] for
    /// [`SessionSelector::Others`] without `current`; [`Error::StoreUnavailable`].
    pub async fn sessions(
        &self,
        subject: &Subject,
        current: Option<SessionId>,
        request: &RequestHead<'_>,
        selector: SessionSelector<'_>,
    ) -> Result<EndpointResponse, Rejection> {
        let everywhere = || LogoutEverywhere::new(subject.clone()).client(request.client());
        let body = match (request.method(), selector) {
            ("GET" | "HEAD", SessionSelector::All) => {
                let sessions = self.auth.sessions(subject, current.as_ref()).await?;
                let sessions = sessions
                    .iter()
                    .map(serde_json::to_value)
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|_| Error::internal("a session cannot be serialized"))?;
                json!({ "sessions": sessions.into_iter().map(with_iso_times).collect::<Vec<_>>() })
            }
            ("DELETE", SessionSelector::All) => {
                json!({ "ended": self.auth.logout_everywhere(everywhere()).await? })
            }
            ("DELETE", SessionSelector::Others) => {
                let current = current.ok_or(Error::claim_missing("sid"))?;
                let others = everywhere().except(current);
                json!({ "ended": self.auth.logout_everywhere(others).await? })
            }
            ("DELETE", SessionSelector::One(id)) => {
                let id = id.parse::<SessionId>().map_err(|_| Error::NotFound)?;
                let reason = crate::types::RevocationReason::Logout;
                let client = request.client();
                let ended = self.auth.revoke_session_from(subject, &id, reason, client).await?;
                // A repeated revocation is no error.
                if !ended && self.auth.engine().record(subject, id).await?.is_none() {
                    return Err(Error::NotFound.into());
                }
                json!({ "ended": u8::from(ended) })
            }
            (_, SessionSelector::All) => {
                return Ok(EndpointResponse::method_not_allowed("GET, HEAD, DELETE"));
            }
            _ => return Ok(EndpointResponse::method_not_allowed("DELETE")),
        };
        Ok(EndpointResponse::uncached(200, Some(body)))
    }

    /// The public keys of access tokens (RFC 7517 §5), with `Cache-Control` and `ETag`; 304 if the
    /// client has them (RFC 9110 §15.4.5).
    pub fn jwks(&self, request: &RequestHead<'_>, caching: JwksCaching) -> EndpointResponse {
        let jwks = self.auth.jwks();
        let etag = format!("\"{}\"", base64url::encode(&Sha256::digest(jwks.as_bytes())));
        let mut headers = vec![
            ("Cache-Control", format!("public, max-age={}", caching.max_age)),
            ("ETag", etag.clone()),
        ];
        let mut conditions =
            request.values(HeaderName::IfNoneMatch).flat_map(|list| list.split(','));
        let has_already = conditions.any(|tag| {
            let tag = tag.trim();
            tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag
        });
        if has_already {
            return EndpointResponse { status: 304, headers, cookies: Vec::new(), body: None };
        }
        headers.push(("Content-Type", "application/jwk-set+json".to_owned()));
        let body = serde_json::from_str(&jwks).ok();
        EndpointResponse { status: 200, headers, cookies: Vec::new(), body }
    }

    fn tokens(
        &self,
        issued: &IssuedTokens<'_>,
        request: &RequestHead<'_>,
        removed: Vec<String>,
    ) -> Result<EndpointResponse> {
        let now = self.auth.now();
        let expires_in = issued.access_expires_at.since(now).as_secs();
        let mut body = json!({ "accessToken": issued.access_token, "expiresIn": expires_in });
        let mut cookies = removed;
        match (&self.web.refresh_cookie, issued.refresh_token) {
            (Some(cookie), Some(token)) => {
                let expires_at = issued.persistent.then_some(issued.refresh_expires_at);
                cookies.push(cookie.set(token, expires_at, now, request)?);
            }
            (None, Some(token)) => body["refreshToken"] = token.into(),
            (_, None) => {}
        }
        if let Some(cookie) = &self.web.access_cookie {
            let expires_at = issued.persistent.then_some(issued.access_expires_at);
            cookies.push(cookie.set(issued.access_token, expires_at, now, request)?);
        }
        let mut response = EndpointResponse::uncached(200, Some(body));
        response.cookies = cookies;
        if let Some(nonce) = self.auth.proof_nonce() {
            response.headers.push(("DPoP-Nonce", nonce));
        }
        Ok(response)
    }

    /// The rejection of a refresh or logout, which removes the cookies of a token that will never be accepted.
    fn rejection(&self, error: Error, request: &RequestHead<'_>) -> Rejection {
        let cookies = match is_final(&error) && self.web.refresh_cookie.is_some() {
            true => self.web.remove_all_cookies(request, self.is_left_behind(request)),
            false => Vec::new(),
        };
        Rejection { advice: error.advice(), error, cookies, nonce: self.auth.proof_nonce() }
    }

    /// For which cookie names a login or logout also removes cookies with other attributes: those that the
    /// request has several times, and those whose only cookie this server signed, because an earlier
    /// policy may have set it. A single cookie that this server did not sign is left alone: it may belong
    /// to an app on a parent domain.
    fn is_left_behind(&self, request: &RequestHead<'_>) -> impl Fn(&CookiePolicy) -> bool {
        let refresh = self.web.refresh_cookie.as_ref().map(|cookie| request.cookies(&cookie.name));
        let access = self.web.access_cookies(request);
        let is_of_refresh = match refresh.as_deref() {
            Some([only]) => self.auth.has_signed_refresh_token(only),
            Some([_, _, ..]) => true,
            Some([]) | None => false,
        };
        let is_of_access = match access.as_slice() {
            [only] => self.auth.has_signed_access_token(only),
            several => !several.is_empty(),
        };
        move |cookie| match Some(cookie) == self.web.access_cookie.as_ref() {
            true => is_of_access,
            false => is_of_refresh,
        }
    }
}

/// Whether `error` means that the refresh token will never be accepted: its session is over, or this
/// server did not issue it. Not: no token at all, a token before its `nbf`, a DPoP proof, a client that
/// names another user, the store, the configuration.
fn is_final(error: &Error) -> bool {
    match error {
        Error::TokenMissing
        | Error::DpopProofMissing
        | Error::DpopProofInvalid { .. }
        | Error::DpopProofReplayed
        | Error::SubjectMismatch
        | Error::TokenNotYetValid
        | Error::ClaimInvalid { .. } => false,
        other => matches!(other.advice(), crate::Advice::SignIn | crate::Advice::Reject),
    }
}

/// Times as ISO 8601 rather than milliseconds, as JSON APIs have them.
fn with_iso_times(mut session: Value) -> Value {
    for name in ["createdAt", "lastRefreshedAt", "expiresAt", "endedAt"] {
        if let Some(value) = session.get_mut(name)
            && let Some(millis) = value.as_i64()
        {
            *value = iso_8601(millis).into();
        }
    }
    session
}

/// `2026-01-31T12:34:56.789Z`, as JavaScript's `toISOString`.
fn iso_8601(millis: i64) -> String {
    let nanos = i128::from(millis) * 1_000_000;
    match cookie::time::OffsetDateTime::from_unix_timestamp_nanos(nanos) {
        Ok(at) => {
            let (date, time) = (at.date(), at.time());
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
                date.year(),
                u8::from(date.month()),
                date.day(),
                time.hour(),
                time.minute(),
                time.second(),
                time.millisecond()
            )
        }
        Err(_) => millis.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_javascript_does() {
        assert_eq!(iso_8601(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(iso_8601(1_000_000_000_123), "2001-09-09T01:46:40.123Z");
    }
}
