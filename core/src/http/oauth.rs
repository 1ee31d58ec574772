//! The endpoints of OAuth 2.0, for clients and services that speak nothing else: the token endpoint with the
//! grant `refresh_token` (RFC 6749 §6), revocation (RFC 7009) and introspection (RFC 7662).
//!
//! Requests are forms, and names are in snake case. Tokens travel in the form alone; cookies do not count.

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::endpoints::{Endpoints, RefreshInput};
use super::request::RequestHead;
use super::response::EndpointResponse;
use crate::auth::{Logout, RefreshResponse};
use crate::error::{Advice, Error, ErrorCode, Language, Result};
use crate::types::RevocationReason;

impl Endpoints<'_> {
    /// The response of the token endpoint (RFC 6749 §5) to a `form` such as
    /// `grant_type=refresh_token&refresh_token=…`: `access_token`, `token_type`, `expires_in` and, with
    /// rotation, the next `refresh_token`.
    ///
    /// A refused token is `invalid_grant` (400). While the store is unavailable, `temporarily_unavailable`
    /// (503): the client keeps its token and tries again.
    pub async fn token(
        &self,
        request: &RequestHead<'_>,
        form: &str,
        input: RefreshInput,
    ) -> EndpointResponse {
        let fields = match Form::parse(form) {
            Ok(form) => form,
            Err(response) => return response,
        };
        match fields.get("grant_type") {
            None => return invalid_request("grant_type is missing"),
            Some("refresh_token") => {}
            Some(_) => {
                return problem(400, "unsupported_grant_type", "only refresh_token is supported");
            }
        }
        let Some(token) = fields.get("refresh_token") else {
            return invalid_request("refresh_token is missing");
        };
        match self.exchange(token, request, input).await {
            Ok(refreshed) => self.issued(&refreshed),
            Err(error) => self.oauth_error(&error, "invalid_grant"),
        }
    }

    fn issued(&self, refreshed: &RefreshResponse) -> EndpointResponse {
        let expires_in = refreshed.access_expires_at.since(self.auth.now()).as_secs();
        let token_type = if refreshed.is_bound { "DPoP" } else { "Bearer" };
        let mut body = json!({
            "access_token": refreshed.access_token.expose(),
            "token_type": token_type,
            "expires_in": expires_in,
        });
        if let Some(next) = &refreshed.refresh_token {
            body["refresh_token"] = next.expose().into();
        }
        let mut response = EndpointResponse::uncached(200, Some(body));
        response.headers.extend(self.auth.proof_nonce().map(|nonce| ("DPoP-Nonce", nonce)));
        response
    }

    /// The response of the revocation endpoint (RFC 7009 §2) to a `form` such as `token=…`: 200, also for
    /// a token that is not valid (any more). A refresh token ends its session, and so does an access token,
    /// with all its other tokens.
    ///
    /// A DPoP-bound session needs its proof. Where access tokens are not bound to the key of their session
    /// ([`DpopPolicy::bind_access_tokens`](crate::auth::DpopPolicy::bind_access_tokens)), only refresh
    /// tokens end sessions: `unsupported_token_type` (400). While the store is unavailable: 503.
    pub async fn revoke(&self, request: &RequestHead<'_>, form: &str) -> EndpointResponse {
        let fields = match Form::parse(form) {
            Ok(form) => form,
            Err(response) => return response,
        };
        let Some(token) = fields.get("token") else { return invalid_request("token is missing") };
        match self.revoke_session_of(token, request).await {
            // An invalid token needs no revocation, and its client could do nothing about it.
            Err(error) if !is_about_proof(error.code()) && is_about_token(error.advice()) => done(),
            Err(error) => self.oauth_error(&error, "invalid_request"),
            Ok(true) => done(),
            Ok(false) => {
                let problem_text = "only a refresh token ends the session of this token";
                problem(400, "unsupported_token_type", problem_text)
            }
        }
    }

    /// Returns whether the token is of a kind that ends its session.
    async fn revoke_session_of(&self, token: &str, request: &RequestHead<'_>) -> Result<bool> {
        let proof = super::guard::proof_of(self.auth, request)?;
        match self.auth.refresh_subject(token).await {
            Ok(_) => {
                let mut logout = Logout::new(token).client(request.client());
                if let Some(proof) = proof {
                    logout = logout.proof(proof);
                }
                self.auth.logout(logout).await?;
                return Ok(true);
            }
            // It may be an access token.
            Err(error) if is_about_token(error.advice()) => {}
            Err(error) => return Err(error),
        }
        let access = self.auth.verify_for_revocation(token, proof.as_ref())?;
        let Some(session) = access.session() else { return Ok(false) };
        if access.key().is_none() && self.auth.has_bearer_tokens_of_bound_sessions() {
            return Ok(false);
        }
        let (subject, reason) = (access.subject(), RevocationReason::Logout);
        self.auth.revoke_session_from(subject, &session, reason, request.client()).await?;
        Ok(true)
    }

    /// The response of the introspection endpoint (RFC 7662 §2.2) to a `form` such as `token=…`: the claims
    /// of a token that would be accepted now, with `"active": true`; of any other, `{"active":false}` alone.
    ///
    /// The caller must be authorized before (RFC 7662 §2.1): the claims of a token are not for everybody
    /// who finds it. While the store is unavailable and must be asked: 503.
    pub async fn introspect(&self, form: &str) -> EndpointResponse {
        let fields = match Form::parse(form) {
            Ok(form) => form,
            Err(response) => return response,
        };
        let Some(token) = fields.get("token") else { return invalid_request("token is missing") };
        let claims = match self.auth.introspect_refresh(token).await {
            Err(error) if is_about_token(error.advice()) => self.active_access(token).await,
            Ok(found) => Ok(json!({
                "token_type": "refresh_token",
                "sub": found.subject,
                "sid": found.session,
                "iat": found.issued_at.as_seconds(),
                "exp": found.expires_at.as_seconds(),
            })),
            Err(error) => Err(error),
        };
        match claims {
            Ok(Value::Object(mut claims)) => {
                claims.insert("active".to_owned(), true.into());
                EndpointResponse::uncached(200, Some(claims.into()))
            }
            // A newer token of the session was used a moment ago: this one is not accepted.
            Err(error)
                if is_about_token(error.advice()) || matches!(error, Error::RefreshSuperseded) =>
            {
                EndpointResponse::uncached(200, Some(json!({ "active": false })))
            }
            Err(error) => self.oauth_error(&error, "invalid_request"),
            Ok(_) => self.oauth_error(&Error::internal("claims are no object"), "server_error"),
        }
    }

    /// The claims of an access token that is accepted now; its proof, if it is bound to a key, is for the
    /// service to check that asks.
    async fn active_access(&self, token: &str) -> Result<Value> {
        let access = self.auth.verify_for_introspection(token).await?;
        let mut claims: Map<String, Value> = serde_json::from_str(access.payload())
            .map_err(|_| Error::internal("verified claims are no JSON object"))?;
        let token_type = if access.key().is_some() { "DPoP" } else { "Bearer" };
        claims.insert("token_type".to_owned(), token_type.into());
        claims.insert("sub".to_owned(), access.subject().as_str().into());
        Ok(claims.into())
    }

    /// An error response (RFC 6749 §5.2). `refused` is the name for a token that is not accepted.
    fn oauth_error(&self, error: &Error, refused: &'static str) -> EndpointResponse {
        let code = error.code();
        let (status, name) = match error.advice() {
            _ if code == ErrorCode::DpopNonceRequired => (400, "use_dpop_nonce"),
            _ if is_about_proof(code) => (400, "invalid_dpop_proof"),
            // The answer with the newest token is on its way: `invalid_grant` would sign the client out.
            Advice::Retry if code == ErrorCode::RefreshSuperseded => {
                (503, "temporarily_unavailable")
            }
            Advice::Retry => (error.http_status(), "temporarily_unavailable"),
            Advice::Fix => (500, "server_error"),
            Advice::SignIn | Advice::Reject | Advice::Refresh => (400, refused),
        };
        let mut response = problem(status, name, code.message(Language::En));
        let details = error.details();
        let retry_after = match details.retry_after_seconds() {
            None if status == 503 => Some(1),
            known => known,
        };
        response.headers.extend(retry_after.map(|seconds| ("Retry-After", seconds.to_string())));
        let nonce = details.dpop_nonce.or_else(|| self.auth.proof_nonce());
        response.headers.extend(nonce.map(|nonce| ("DPoP-Nonce", nonce)));
        response
    }
}

/// The fields of a form (RFC 6749 Appendix B) that these endpoints know; others are ignored.
struct Form<'a>(Vec<(&'static str, Cow<'a, str>)>);

const FIELDS: [&str; 4] = ["grant_type", "refresh_token", "token", "token_type_hint"];

impl<'a> Form<'a> {
    /// # Errors
    /// `invalid_request` for a field that comes more than once (RFC 6749 §3.2).
    fn parse(text: &'a str) -> Result<Self, EndpointResponse> {
        if text.len() > MAX_FORM_BYTES {
            return Err(invalid_request("the form is too long"));
        }
        let mut fields = Vec::with_capacity(FIELDS.len());
        for (name, value) in form_urlencoded::parse(text.as_bytes()) {
            let Some(known) = FIELDS.into_iter().find(|known| *known == name) else { continue };
            if fields.iter().any(|(earlier, _)| *earlier == known) {
                return Err(invalid_request("a parameter is repeated"));
            }
            fields.push((known, value));
        }
        Ok(Self(fields))
    }

    /// A field that has a value: an empty one counts as absent (RFC 6749 §3.2).
    fn get(&self, name: &str) -> Option<&str> {
        let field = self.0.iter().find(|(known, _)| *known == name);
        field.map(|(_, value)| &**value).filter(|value| !value.is_empty())
    }
}

/// Tokens are at most 64 KiB long, and a form is little more.
const MAX_FORM_BYTES: usize = 80 << 10;

/// Whether an error says something about the token, rather than about the store or the program.
const fn is_about_token(advice: Advice) -> bool {
    matches!(advice, Advice::SignIn | Advice::Reject | Advice::Refresh)
}

const fn is_about_proof(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::DpopProofMissing
            | ErrorCode::DpopProofInvalid
            | ErrorCode::DpopProofReplayed
            | ErrorCode::DpopNonceRequired
    )
}

fn done() -> EndpointResponse {
    EndpointResponse::uncached(200, None)
}

fn invalid_request(text: &str) -> EndpointResponse {
    problem(400, "invalid_request", text)
}

fn problem(status: u16, error: &str, description: &str) -> EndpointResponse {
    let body = json!({ "error": error, "error_description": description });
    EndpointResponse::uncached(status, Some(body))
}
