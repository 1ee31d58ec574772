//! A request of the app to its server, and the rule when it is sent a second time.

use std::fmt;

use crate::transport::HttpResponse;
use crate::types::AccessToken;

/// One attempt at a request of the app: the access token to send it with, and a DPoP proof if the
/// token is bound to a key (RFC 9449 §7).
///
/// [`Session::attempt`](super::Session::attempt) creates the first attempt and
/// [`Session::next_attempt`](super::Session::next_attempt) the second one, if there is to be one.
/// `Debug` shows neither token nor proof.
#[derive(Clone)]
#[must_use]
pub struct Attempt {
    pub(super) method: String,
    pub(super) url: String,
    pub(super) token: AccessToken,
    pub(super) proof: Option<String>,
    pub(super) shape: RequestShape,
    pub(super) is_retry: bool,
}

impl Attempt {
    /// The headers, with names in lower case: `authorization` with the scheme `Bearer` (RFC 6750
    /// §2.1), or with the scheme `DPoP` and the header `dpop`. For a server with
    /// [`RefreshEndpoint::rt_verify`](super::RefreshEndpoint::rt_verify) a bearer token is in
    /// `accesstoken`. They are as secret as the token, and valid for this attempt only.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let token = self.token.expose();
        match &self.proof {
            None => vec![(self.shape.header(), format!("Bearer {token}"))],
            Some(proof) => {
                vec![("authorization", format!("DPoP {token}")), ("dpop", proof.clone())]
            }
        }
    }

    /// What to retry the request with after `response`.
    pub(super) fn retry(&self, response: &HttpResponse) -> Option<Retry> {
        let (token, proof) = (Some(self.shape), self.proof.is_some());
        Sent { token, proof, is_retry: self.is_retry }.retry(response)
    }

    /// Whether the request may be sent again after a response that came from the URL `from`.
    ///
    /// After a redirect within the server, only `GET` and `HEAD` may: the response is about another
    /// request, and this one may have been processed.
    pub(super) fn is_repeatable(&self, from: &str) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD") || is_same_url(from, &self.url)
    }
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("is_bound", &self.proof.is_some())
            .field("shape", &self.shape)
            .field("is_retry", &self.is_retry)
            .finish_non_exhaustive()
    }
}

/// How requests of the app carry the access token, and how the server rejects it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RequestShape {
    /// In the header `authorization`, rejected by 401 (RFC 6750).
    Bearer,
    /// In the header `accesstoken`, rejected by 403 or 419, as by the preset `rtVerify`. Its 400 says
    /// that the header is absent, which another token does not change.
    RtVerify,
}

impl RequestShape {
    /// The name of the header, in lower case.
    pub(super) const fn header(self) -> &'static str {
        match self {
            Self::Bearer => "authorization",
            Self::RtVerify => "accesstoken",
        }
    }

    const fn rejects_token(self, status: u16) -> bool {
        match self {
            Self::Bearer => status == 401,
            Self::RtVerify => matches!(status, 401 | 403 | 419),
        }
    }
}

/// What a request is retried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retry {
    /// The same token and a new proof.
    Proof,
    /// Another token.
    Token,
}

/// What a request was sent with.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sent {
    /// An access token, in this shape.
    pub(super) token: Option<RequestShape>,
    /// A DPoP proof.
    pub(super) proof: bool,
    pub(super) is_retry: bool,
}

impl Sent {
    /// How to retry the request after `response`; `None` if the response is final.
    ///
    /// A request is retried once. It is safe to repeat, because a server rejects a proof or a token
    /// before it processes the request.
    pub(super) fn retry(self, response: &HttpResponse) -> Option<Retry> {
        if self.is_retry {
            None
        } else if self.proof && rejects_proof(response) {
            Some(Retry::Proof)
        } else if self.token.is_some_and(|shape| shape.rejects_token(response.status)) {
            Some(Retry::Token)
        } else {
            None
        }
    }
}

/// Whether a response rejects the request's proof (RFC 9449 §7.1, §8 and §9): in its challenge, or
/// in the body of a token endpoint's response.
pub(super) fn rejects_proof(response: &HttpResponse) -> bool {
    if !matches!(response.status, 400 | 401) {
        return false;
    }
    let is_error = |text: &str| matches!(text, "use_dpop_nonce" | "invalid_dpop_proof");
    let challenges =
        response.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("www-authenticate"));
    let mut quoted = challenges.flat_map(|(_, challenge)| challenge.split('"'));
    if quoted.any(is_error) {
        return true;
    }
    let body: Option<serde_json::Value> = serde_json::from_slice(&response.body).ok();
    body.is_some_and(|body| {
        body.get("error").and_then(|error| error.as_str()).is_some_and(is_error)
    })
}

/// Whether two URLs have the same scheme, host and port.
pub(super) fn is_same_origin(one: &str, other: &str) -> bool {
    origin_of(one).eq_ignore_ascii_case(origin_of(other))
}

/// Scheme, host and port of a URL.
pub(super) fn origin_of(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let end = url.get(host..).and_then(|rest| rest.find(['/', '?', '#']));
    end.and_then(|end| url.get(..host + end)).unwrap_or(url)
}

/// Whether two URLs name the same resource. HTTP clients may omit the fragment and write the empty
/// path as `/`.
fn is_same_url(one: &str, other: &str) -> bool {
    let path = |url: &str| {
        let path = url.get(origin_of(url).len()..).unwrap_or_default();
        let path = path.split('#').next().unwrap_or_default();
        if path.starts_with('/') { path.to_owned() } else { format!("/{path}") }
    };
    is_same_origin(one, other) && path(one) == path(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://api.example/notes?page=2";
    const NONCE_REQUIRED: &str = r#"DPoP error="use_dpop_nonce""#;

    fn response(status: u16, challenge: &str) -> HttpResponse {
        let headers = vec![("WWW-Authenticate".to_owned(), challenge.to_owned())];
        HttpResponse { status, headers, body: Vec::new() }
    }

    fn attempt(method: &str, proof: Option<&str>) -> Attempt {
        Attempt {
            method: method.to_owned(),
            url: URL.to_owned(),
            token: AccessToken::new("planted"),
            proof: proof.map(str::to_owned),
            shape: RequestShape::Bearer,
            is_retry: false,
        }
    }

    #[test]
    fn retries_a_rejected_token_or_proof_once() {
        let expired = r#"Bearer error="invalid_token""#;
        for (proof, status, challenge, expected) in [
            (None, 200, "", None),
            (None, 401, "", Some(Retry::Token)),
            (None, 401, expired, Some(Retry::Token)),
            // Not about this request, which carried no proof.
            (None, 401, NONCE_REQUIRED, Some(Retry::Token)),
            (None, 400, NONCE_REQUIRED, None),
            (None, 403, expired, None),
            (None, 503, "", None),
            (Some("planted"), 200, "", None),
            (Some("planted"), 401, "", Some(Retry::Token)),
            (Some("planted"), 401, r#"DPoP error="invalid_token""#, Some(Retry::Token)),
            (Some("planted"), 401, NONCE_REQUIRED, Some(Retry::Proof)),
            (Some("planted"), 401, r#"DPoP error="invalid_dpop_proof""#, Some(Retry::Proof)),
            (Some("planted"), 400, NONCE_REQUIRED, Some(Retry::Proof)),
            (Some("planted"), 403, NONCE_REQUIRED, None),
        ] {
            let (first, response) = (attempt("POST", proof), response(status, challenge));
            assert_eq!(first.retry(&response), expected, "{proof:?} {status} {challenge}");
            let second = Attempt { is_retry: true, ..first };
            assert_eq!(second.retry(&response), None, "{proof:?} {status} {challenge}");
        }
    }

    #[test]
    fn a_legacy_server_has_its_own_header_and_statuses() {
        let first = Attempt { shape: RequestShape::RtVerify, ..attempt("POST", None) };
        assert_eq!(first.headers(), [("accesstoken", "Bearer planted".to_owned())]);
        for (status, expected) in [
            (200, None),
            (400, None),
            (401, Some(Retry::Token)),
            (403, Some(Retry::Token)),
            (404, None),
            (419, Some(Retry::Token)),
            (503, None),
        ] {
            assert_eq!(first.retry(&response(status, "")), expected, "{status}");
        }
    }

    #[test]
    fn retries_a_refresh_only_with_another_proof() {
        let sent = Sent { token: None, proof: true, is_retry: false };
        assert_eq!(sent.retry(&response(401, "")), None);
        assert_eq!(sent.retry(&response(400, NONCE_REQUIRED)), Some(Retry::Proof));
        assert_eq!(Sent { is_retry: true, ..sent }.retry(&response(400, NONCE_REQUIRED)), None);
    }

    #[test]
    fn a_redirected_request_is_repeatable_only_if_it_is_safe() {
        for (method, from, expected) in [
            ("GET", "https://api.example/moved", true),
            ("HEAD", "https://api.example/moved", true),
            ("POST", "https://api.example/moved", false),
            ("PATCH", "https://api.example/notes?page=3", false),
            ("POST", URL, true),
            ("POST", "HTTPS://API.example/notes?page=2#top", true),
        ] {
            assert_eq!(attempt(method, None).is_repeatable(from), expected, "{method} {from}");
        }
        let root = Attempt { url: "https://api.example".to_owned(), ..attempt("POST", None) };
        assert!(root.is_repeatable("https://api.example/"));
        assert!(!root.is_repeatable("https://api.example/a"));
    }

    #[test]
    fn compares_origins() {
        let is_same = |other| is_same_origin("https://api.example:8443/me", other);
        assert!(is_same("HTTPS://api.EXAMPLE:8443?x"));
        for other in ["https://api.example/me", "http://api.example:8443/me", "", "api.example"] {
            assert!(!is_same(other), "{other}");
        }
    }

    #[test]
    fn detects_a_rejected_proof() {
        let challenge = |value: &str| ("www-authenticate".to_owned(), value.to_owned());
        for (expected, status, headers, body) in [
            (true, 401, vec![challenge(NONCE_REQUIRED)], ""),
            (
                true,
                401,
                vec![challenge(r#"DPoP algs="ES256", error="invalid_dpop_proof", x="y""#)],
                "",
            ),
            (true, 401, vec![challenge("Bearer"), challenge(NONCE_REQUIRED)], ""),
            (true, 400, vec![], r#"{"error":"use_dpop_nonce"}"#),
            (false, 401, vec![challenge(r#"DPoP error="invalid_token""#)], ""),
            (false, 403, vec![challenge(NONCE_REQUIRED)], ""),
            (false, 400, vec![], r#"{"error":{"code":"ERR_TOKEN_MISSING"}}"#),
            (false, 401, vec![], "use_dpop_nonce"),
        ] {
            let response = HttpResponse { status, headers, body: body.into() };
            assert_eq!(rejects_proof(&response), expected, "{:?} {body}", response.headers);
        }
    }

    #[test]
    fn debug_shows_neither_token_nor_proof() {
        assert!(!format!("{:?}", attempt("GET", Some("planted"))).contains("planted"));
        assert_eq!(attempt("GET", Some("planted")).headers()[0].1, "DPoP planted");
        assert_eq!(
            attempt("GET", None).headers(),
            [("authorization", "Bearer planted".to_owned())]
        );
    }
}
