//! What the endpoints and the guard respond: plain data that a framework sends.

use std::fmt;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::origin::Origin;
use super::request::{HeaderName, RequestHead};
use crate::error::{Advice, Error, Language};

/// A response as plain data. `Debug` shows neither headers nor body, which may contain tokens.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EndpointResponse {
    /// The HTTP status.
    pub status: u16,
    /// The headers beside `Set-Cookie`.
    pub headers: Vec<(&'static str, String)>,
    /// The values of `Set-Cookie`, each a header of its own, in this order.
    pub cookies: Vec<String>,
    /// The JSON body, if there is one.
    pub body: Option<Value>,
}

impl EndpointResponse {
    /// A response that no cache stores (RFC 6749 §5.1).
    pub(super) fn uncached(status: u16, body: Option<Value>) -> Self {
        let headers = vec![("Cache-Control", "no-store".to_owned())];
        Self { status, headers, cookies: Vec::new(), body }
    }

    /// 405, with the methods that are allowed (RFC 9110 §15.5.6).
    pub(super) fn method_not_allowed(allow: &str) -> Self {
        let mut response = Self::uncached(405, None);
        response.headers.push(("Allow", allow.to_owned()));
        response
    }

    pub(super) fn rejection(rejection: &Rejection, language: Language) -> Self {
        let details = rejection.error.details();
        let mut error = Map::new();
        error.insert("code".to_owned(), details.info.code.as_str().into());
        error.insert("advice".to_owned(), rejection.advice.as_str().into());
        error.insert("message".to_owned(), rejection.error.message(language).into());
        if let Some(reason) = details.reason {
            error.insert("reason".to_owned(), reason.as_str().into());
        }
        let mut response = Self::uncached(details.info.status, Some(json!({ "error": error })));
        let retry_after = details.retry_after_seconds();
        let nonce = details.dpop_nonce.or_else(|| rejection.nonce.clone());
        let optional = [
            ("WWW-Authenticate", rejection.error.www_authenticate()),
            ("DPoP-Nonce", nonce),
            ("Retry-After", retry_after.map(|seconds| seconds.to_string())),
        ];
        response
            .headers
            .extend(optional.into_iter().filter_map(|(name, value)| Some((name, value?))));
        response.cookies.clone_from(&rejection.cookies);
        response
    }

    /// The response to a CORS preflight: allows what `allowed` origins ask for.
    pub(super) fn preflight(request: &RequestHead<'_>, allowed: &[Origin]) -> Self {
        let mut headers = vec![("Vary", "Origin".to_owned())];
        let origin = request.single(HeaderName::Origin);
        if let Some(origin) = origin
            && Origin::new(origin).is_ok_and(|origin| allowed.contains(&origin))
        {
            headers.push(("Access-Control-Allow-Origin", origin.to_owned()));
            headers.push(("Access-Control-Allow-Credentials", "true".to_owned()));
            for (asked, allowed) in [
                (HeaderName::AccessControlRequestMethod, "Access-Control-Allow-Methods"),
                (HeaderName::AccessControlRequestHeaders, "Access-Control-Allow-Headers"),
            ] {
                if let Some(value) = request.single(asked) {
                    headers.push((allowed, value.to_owned()));
                }
            }
        }
        Self { status: 204, headers, cookies: Vec::new(), body: None }
    }
}

impl fmt::Debug for EndpointResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EndpointResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

/// A refused request: the error and the response to it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejection {
    /// Why.
    pub error: Error,
    /// What the client should do now. It may differ from [`Error::advice`], see
    /// [`WebPolicy::advice`](super::WebPolicy::advice).
    pub advice: Advice,
    /// Values of `Set-Cookie`: they remove the cookies of a session that is over, or that made the
    /// request ambiguous.
    pub cookies: Vec<String>,
    /// The value of `DPoP-Nonce`, where proofs need one.
    pub nonce: Option<String>,
}

impl Rejection {
    /// The response: the status and the headers of the error, and
    /// `{ "error": { "code", "advice", "message" } }`.
    pub fn response(&self, language: Language) -> EndpointResponse {
        EndpointResponse::rejection(self, language)
    }
}

impl From<Error> for Rejection {
    fn from(error: Error) -> Self {
        Self { advice: error.advice(), error, cookies: Vec::new(), nonce: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preflight_allows_only_configured_origins() {
        let allowed = [Origin::new("https://app.example").unwrap()];
        let preflight = |origin| {
            let request = RequestHead::new("OPTIONS", "/")
                .header("Origin", origin)
                .header("Access-Control-Request-Method", "DELETE")
                .header("Access-Control-Request-Headers", "authorization,x-a");
            EndpointResponse::preflight(&request, &allowed)
        };
        let own = preflight("https://app.example");
        assert_eq!(own.status, 204);
        for header in [
            ("Vary", "Origin"),
            ("Access-Control-Allow-Origin", "https://app.example"),
            ("Access-Control-Allow-Credentials", "true"),
            ("Access-Control-Allow-Methods", "DELETE"),
            ("Access-Control-Allow-Headers", "authorization,x-a"),
        ] {
            assert!(own.headers.contains(&(header.0, header.1.to_owned())), "{header:?}");
        }
        for origin in ["https://evil.example", "null", "https://app.example.evil"] {
            assert_eq!(preflight(origin).headers, [("Vary", "Origin".to_owned())], "{origin}");
        }
    }
}
