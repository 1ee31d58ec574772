//! The guard of protected routes: whether a request may pass.

use std::time::Duration;

use serde_json::{Map, Value};

use super::credentials::{AccessCredentials, choose_access_token};
use super::policy::WebPolicy;
use super::request::{HeaderName, HeaderValue, RequestHead};
use super::response::{EndpointResponse, Rejection};
use crate::access::VerifiedAccess;
use crate::auth::{Auth, StalePolicy};
use crate::dpop::PresentedProof;
use crate::error::{Error, Result};
use crate::types::Timestamp;

/// Decides which requests may pass to protected routes.
#[derive(Clone, Debug)]
#[must_use]
pub struct Guard {
    auth: Auth,
    web: WebPolicy,
    optional: bool,
    stale: StalePolicy,
    requirement: Requirement,
}

impl Guard {
    /// A guard that admits requests with an access token that `auth` accepts.
    pub fn new(auth: Auth, web: WebPolicy) -> Self {
        let (stale, requirement) = (StalePolicy::default(), Requirement::default());
        Self { auth, web, optional: false, stale, requirement }
    }

    /// Lets requests without a token pass, and those of foreign pages that a cookie does not
    /// authorize. A bad token is rejected all the same.
    pub const fn optional(mut self) -> Self {
        self.optional = true;
        self
    }

    /// Sets what happens while it is not known whether another process revoked the session.
    pub const fn stale_policy(mut self, stale: StalePolicy) -> Self {
        self.stale = stale;
        self
    }

    /// Requires these scopes and claims, in place of an earlier requirement.
    pub fn require(mut self, requirement: Requirement) -> Self {
        self.requirement = requirement;
        self
    }

    /// The response to a CORS preflight, as [`WebPolicy::preflight`].
    pub fn preflight(&self, request: &RequestHead<'_>) -> Option<EndpointResponse> {
        self.web.preflight(request)
    }

    /// The policy of headers and cookies.
    pub(super) const fn web(&self) -> &WebPolicy {
        &self.web
    }

    /// Checks a request that is no [preflight](Self::preflight): `None` for one that may pass without
    /// a token. Waits for the store only under [`StalePolicy::CheckStore`].
    ///
    /// # Errors
    /// [`Rejection`], which is also the response.
    pub async fn check(
        &self,
        request: &RequestHead<'_>,
    ) -> Result<Option<VerifiedAccess>, Rejection> {
        self.verify(request).await.map_err(|error| Rejection {
            nonce: self.auth.proof_nonce(),
            ..self.web.rejection(error, request)
        })
    }

    async fn verify(&self, request: &RequestHead<'_>) -> Result<Option<VerifiedAccess>> {
        let without_token = |error| if self.optional { Ok(None) } else { Err(error) };
        let access = match self.web.access_credentials(request, self.auth.checks_proofs())? {
            AccessCredentials::Missing => return without_token(Error::TokenMissing),
            AccessCredentials::ForeignCookie => return without_token(Error::OriginNotAllowed),
            AccessCredentials::Bearer(token) => self.auth.verify(&token)?,
            AccessCredentials::Several(tokens) => {
                choose_access_token(tokens, |token| self.auth.verify(token))?.1
            }
            AccessCredentials::Dpop(token) => {
                let proof = proof_of(&self.auth, request)?.ok_or(Error::DpopProofMissing)?;
                self.auth.verify_with_proof(token, &proof)?
            }
        };
        // First what needs no store: a lack of permission is 403 also while the store is down.
        self.requirement.check(access.payload(), self.auth.now())?;
        self.auth.apply_stale_policy(access, self.stale).await.map(Some)
    }
}

/// The DPoP proof of `request`, not checked; `None` without the header or where DPoP is not configured.
///
/// # Errors
/// [`Error::DpopProofInvalid`] for a repeated header (RFC 9449 §4.3).
pub(super) fn proof_of(auth: &Auth, request: &RequestHead<'_>) -> Result<Option<PresentedProof>> {
    if !auth.checks_proofs() {
        return Ok(None);
    }
    match request.value(HeaderName::Dpop) {
        HeaderValue::Absent => Ok(None),
        HeaderValue::Repeated => Err(Error::dpop_proof("there is more than one proof")),
        HeaderValue::One(proof) => {
            let (method, path) = (request.method(), request.path_and_query());
            Ok(Some(PresentedProof::new(proof, method, path)))
        }
    }
}

/// How far a login may be in the future, in seconds.
const MAX_CLOCK_SKEW: i64 = 60;

/// What an access token must grant beyond being valid.
#[derive(Clone, Debug, Default, PartialEq)]
#[must_use]
pub struct Requirement {
    scopes: Vec<String>,
    claims: Vec<(String, Value)>,
    /// How long ago the login may be.
    max_login_age: Option<Duration>,
}

impl Requirement {
    /// Requires all of `scopes` in the claim `scope`: names with blanks between them (RFC 9068
    /// §2.2.3), or an array, which other issuers use.
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes.extend(scopes.into_iter().map(Into::into));
        self
    }

    /// Requires the claim `name` to be `value`, or an array that contains it. Several calls all
    /// apply, also for one claim.
    pub fn claim(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.claims.push((name.into(), value.into()));
        self
    }

    /// Requires that the user logged in at most `max_age` ago (RFC 9470): by the claim `auth_time`
    /// (RFC 9068 §2.2.1), in seconds since 1970, which the app gives to the session at its login. A token
    /// without it does not suffice.
    pub const fn fresh_login(mut self, max_age: Duration) -> Self {
        self.max_login_age = Some(max_age);
        self
    }

    /// Checks the claims of a verified token at `now`.
    ///
    /// # Errors
    /// [`Error::LoginTooOld`]; [`Error::InsufficientScope`], with the required scopes, which are none where
    /// only a claim is missing; [`Error::Internal`] if `claims_json` is no JSON object.
    pub fn check(&self, claims_json: &str, now: Timestamp) -> Result<()> {
        if *self == Self::default() {
            return Ok(());
        }
        let claims: Map<String, Value> = serde_json::from_str(claims_json)
            .map_err(|_| Error::internal("verified claims are no JSON object"))?;
        let has_scope = |scope: &String| match claims.get("scope") {
            Some(Value::String(text)) => text.split(' ').any(|name| name == scope),
            Some(Value::Array(list)) => list.iter().any(|name| name == scope),
            _ => false,
        };
        let has_claim = |(name, expected): &(String, Value)| match claims.get(name) {
            Some(value) if value == expected => true,
            Some(Value::Array(list)) => list.contains(expected),
            _ => false,
        };
        if !self.scopes.iter().all(has_scope) || !self.claims.iter().all(has_claim) {
            return Err(Error::InsufficientScope { scope: self.scopes.join(" ") });
        }
        let Some(max_age) = self.max_login_age else { return Ok(()) };
        let logged_in = claims.get("auth_time").and_then(Value::as_i64).unwrap_or(i64::MIN);
        // In whole seconds, and not in the future, beyond the usual differences between clocks.
        let age = now.as_seconds().saturating_sub(logged_in);
        if age < -MAX_CLOCK_SKEW || age > i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX) {
            return Err(Error::LoginTooOld { max_age });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn a_requirement_looks_at_scope_and_claims() {
        let claims =
            json!({ "scope": "read write", "roles": ["admin", "staff"], "org": 7 }).to_string();
        for granted in [
            Requirement::default(),
            Requirement::default().scopes(["read"]),
            Requirement::default().scopes(["write", "read"]),
            Requirement::default().claim("roles", "admin").claim("org", 7),
        ] {
            assert!(granted.check(&claims, NOW).is_ok(), "{granted:?}");
        }
        for refused in [
            Requirement::default().scopes(["rea"]),
            Requirement::default().scopes(["read", "delete"]),
            Requirement::default().scopes(["read write"]),
            Requirement::default().claim("roles", "owner"),
            Requirement::default().claim("org", "7"),
            Requirement::default().claim("absent", Value::Null),
            Requirement::default().claim("roles", "owner").claim("roles", "admin"),
        ] {
            let error = refused.check(&claims, NOW).unwrap_err();
            assert!(matches!(error, Error::InsufficientScope { .. }), "{refused:?}");
        }
        let array = json!({ "scope": ["read"] }).to_string();
        assert!(Requirement::default().scopes(["read"]).check(&array, NOW).is_ok());
    }

    #[test]
    fn a_login_may_be_too_long_ago() {
        let requirement = Requirement::default().fresh_login(Duration::from_secs(300));
        let check = |claims: Value| requirement.check(&claims.to_string(), NOW);
        let seconds = NOW.as_seconds();
        for fresh in [seconds, seconds - 300, seconds + 60] {
            assert!(check(json!({ "auth_time": fresh })).is_ok(), "{fresh}");
        }
        for old in [json!(seconds - 301), json!(seconds + 61), json!(0), json!("now"), Value::Null]
        {
            let error = check(json!({ "auth_time": old })).unwrap_err();
            let challenge = error.www_authenticate().unwrap();
            assert!(challenge.contains("insufficient_user_authentication"), "{challenge}");
            assert!(challenge.ends_with("max_age=\"300\""), "{challenge}");
        }
        assert!(matches!(check(json!({})), Err(Error::LoginTooOld { .. })));
    }
}
