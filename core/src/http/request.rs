//! The head of a request to this server: method, target and headers, as any framework has them.

use std::borrow::Cow;
use std::fmt;

use cookie::Cookie;
use url::{Url, form_urlencoded};

use crate::access::is_token68;
use crate::error::{Error, Result};
use crate::session::ClientDetails;

/// The head of a request to this server. `Debug` omits the headers, which may contain tokens.
///
/// ```
/// use regrant::http::RequestHead;
///
/// let request = RequestHead::new("GET", "/me")
///     .header("authorization", "Bearer abc.def.ghi")
///     .https(true);
/// # let _ = request;
/// ```
#[derive(Clone)]
#[must_use]
pub struct RequestHead<'a> {
    method: &'a str,
    target: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    https: Option<bool>,
    address: Option<&'a str>,
}

/// The headers that the rules look at, beside the configured one of access tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderName {
    /// The pseudo-header of HTTP/2.
    Authority,
    Host,
    Authorization,
    Cookie,
    Dpop,
    Origin,
    SecFetchSite,
    Upgrade,
    SecWebsocketKey,
    IfNoneMatch,
    ContentLength,
    TransferEncoding,
    AccessControlRequestMethod,
    AccessControlRequestHeaders,
    UserAgent,
}

impl HeaderName {
    pub(super) const ALL: [Self; 15] = [
        Self::Authority,
        Self::Host,
        Self::Authorization,
        Self::Cookie,
        Self::Dpop,
        Self::Origin,
        Self::SecFetchSite,
        Self::Upgrade,
        Self::SecWebsocketKey,
        Self::IfNoneMatch,
        Self::ContentLength,
        Self::TransferEncoding,
        Self::AccessControlRequestMethod,
        Self::AccessControlRequestHeaders,
        Self::UserAgent,
    ];

    /// In lower case.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Authority => ":authority",
            Self::Host => "host",
            Self::Authorization => "authorization",
            Self::Cookie => "cookie",
            Self::Dpop => "dpop",
            Self::Origin => "origin",
            Self::SecFetchSite => "sec-fetch-site",
            Self::Upgrade => "upgrade",
            Self::SecWebsocketKey => "sec-websocket-key",
            Self::IfNoneMatch => "if-none-match",
            Self::ContentLength => "content-length",
            Self::TransferEncoding => "transfer-encoding",
            Self::AccessControlRequestMethod => "access-control-request-method",
            Self::AccessControlRequestHeaders => "access-control-request-headers",
            Self::UserAgent => "user-agent",
        }
    }
}

/// The values of one header of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderValue<'a> {
    Absent,
    One(&'a str),
    /// Several values of a header that must have one.
    Repeated,
}

/// What an `Authorization` header presents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AuthorizationHeader<'a> {
    /// No header, an empty one, a scheme without a token, or another scheme: a request that "lacks any
    /// authentication information" (RFC 6750 §3.1).
    None,
    Bearer(&'a str),
    Dpop(&'a str),
}

impl<'a> RequestHead<'a> {
    /// A request of `method` for `target`: the path with its query, or the absolute URL.
    pub const fn new(method: &'a str, target: &'a str) -> Self {
        Self { method, target, headers: Vec::new(), https: None, address: None }
    }

    /// Adds a header, with its name in any case. HTTP/2's `:authority` is one of them.
    pub fn header(mut self, name: &'a str, value: &'a str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Sets whether the client used HTTPS, as the framework says with its proxy settings.
    pub const fn https(mut self, https: bool) -> Self {
        self.https = Some(https);
        self
    }

    /// Sets the address of the client, as the framework says with its proxy settings: for the limiter,
    /// the list of sessions and audit events.
    pub const fn address(mut self, address: &'a str) -> Self {
        self.address = Some(address);
        self
    }

    /// What the request tells of its client.
    pub fn client(&self) -> ClientDetails {
        let details = match self.value(HeaderName::UserAgent) {
            HeaderValue::One(user_agent) => ClientDetails::default().user_agent(user_agent),
            HeaderValue::Absent | HeaderValue::Repeated => ClientDetails::default(),
        };
        match self.address {
            Some(address) => details.address(address),
            None => details,
        }
    }

    /// The address of the client.
    pub(super) const fn client_address(&self) -> Option<&'a str> {
        self.address
    }

    /// The method, as sent.
    pub const fn method(&self) -> &'a str {
        self.method
    }

    /// The path with the query.
    pub fn path_and_query(&self) -> Cow<'a, str> {
        if self.target.starts_with('/') {
            return Cow::Borrowed(self.target);
        }
        match Url::parse(self.target) {
            Ok(url) => {
                Cow::Owned(url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
            }
            Err(_) => Cow::Borrowed(self.target),
        }
    }

    /// The path without the query.
    pub(super) fn path(&self) -> Cow<'a, str> {
        let without_query = |path: &str| path.split(['?', '#']).next().unwrap_or_default().len();
        match self.path_and_query() {
            Cow::Borrowed(path) => Cow::Borrowed(&path[..without_query(path)]),
            Cow::Owned(path) => Cow::Owned(path[..without_query(&path)].to_owned()),
        }
    }

    /// A parameter of the query.
    pub(super) fn query(&self, name: &str) -> Option<String> {
        let target = self.path_and_query();
        let (_, query) = target.split('#').next()?.split_once('?')?;
        let mut parameters = form_urlencoded::parse(query.as_bytes());
        parameters.find(|(other, _)| other == name).map(|(_, value)| value.into_owned())
    }

    /// Whether the client used HTTPS: `None` if the framework cannot tell.
    pub(super) fn is_https(&self) -> Option<bool> {
        self.https.or_else(|| {
            let (scheme, _) = self.target.split_once("://")?;
            Some(scheme.eq_ignore_ascii_case("https"))
        })
    }

    /// The values of the header `name`.
    pub(super) fn value(&self, name: HeaderName) -> HeaderValue<'a> {
        self.value_named(name.as_str())
    }

    fn value_named(&self, name: &str) -> HeaderValue<'a> {
        let mut values = self.values_named(name);
        match (values.next(), values.next()) {
            (None, _) => HeaderValue::Absent,
            (Some(value), None) => HeaderValue::One(value),
            (Some(_), Some(_)) => HeaderValue::Repeated,
        }
    }

    /// The only value of the header `name`.
    pub(super) fn single(&self, name: HeaderName) -> Option<&'a str> {
        match self.value(name) {
            HeaderValue::One(value) => Some(value),
            HeaderValue::Absent | HeaderValue::Repeated => None,
        }
    }

    /// All values of the header `name`, without the blanks around them (RFC 9110 §5.5).
    pub(super) fn values(&self, name: HeaderName) -> impl Iterator<Item = &'a str> {
        self.values_named(name.as_str())
    }

    fn values_named(&self, name: &str) -> impl Iterator<Item = &'a str> {
        let matching =
            self.headers.iter().filter(move |(given, _)| given.eq_ignore_ascii_case(name));
        matching.map(|(_, value)| value.trim_matches([' ', '\t']))
    }

    /// The host and port that the client addressed: `:authority` of HTTP/2, else `Host`, else the
    /// authority of an absolute target (RFC 9112 §3.2.2, RFC 9113 §8.3.1).
    pub(super) fn authority(&self) -> Option<Cow<'a, str>> {
        let named = |name| match self.value(name) {
            HeaderValue::One(value) if !value.is_empty() => Some(Cow::Borrowed(value)),
            _ => None,
        };
        if self.value(HeaderName::Host) == HeaderValue::Repeated {
            return None;
        }
        named(HeaderName::Authority).or_else(|| named(HeaderName::Host)).or_else(|| {
            let url = Url::parse(self.target).ok()?;
            url.has_host().then(|| Cow::Owned(url.authority().to_owned()))
        })
    }

    /// The token of the header `name`, which has the form of `Authorization`. Without `accepts_dpop`
    /// the scheme `DPoP` is one that this server does not know.
    ///
    /// # Errors
    /// [`Error::TokenMalformed`] if the header is repeated (RFC 6750 §2 allows one method of
    /// presenting a token), is no text, or its token is not a `token68`.
    pub(super) fn authorization(
        &self,
        name: &str,
        accepts_dpop: bool,
    ) -> Result<AuthorizationHeader<'a>> {
        let value = match self.value_named(name) {
            HeaderValue::Absent => return Ok(AuthorizationHeader::None),
            // Frameworks decode bytes that are no text to this character.
            HeaderValue::One(value) if value.contains(char::REPLACEMENT_CHARACTER) => {
                return Err(Error::TokenMalformed);
            }
            HeaderValue::One(value) => value,
            HeaderValue::Repeated => return Err(Error::TokenMalformed),
        };
        let Some((scheme, rest)) = value.split_once(' ') else {
            return Ok(AuthorizationHeader::None);
        };
        let token = rest.trim_start_matches(' ');
        let presented = match scheme {
            _ if scheme.eq_ignore_ascii_case("bearer") => AuthorizationHeader::Bearer(token),
            _ if accepts_dpop && scheme.eq_ignore_ascii_case("dpop") => {
                AuthorizationHeader::Dpop(token)
            }
            _ => return Ok(AuthorizationHeader::None),
        };
        if is_token68(token) { Ok(presented) } else { Err(Error::TokenMalformed) }
    }

    /// The different non-empty values of the cookie `name`, in the order of the request. Browsers
    /// send several when cookies of one name differ in path or domain.
    pub(super) fn cookies(&self, name: &str) -> Vec<String> {
        let mut found: Vec<String> = Vec::new();
        // HTTP/2 may split the header (RFC 9113 §8.2.3).
        for header in self.values(HeaderName::Cookie) {
            for pair in header.split(';') {
                let Some((found_name, value)) = pair.split_once('=') else { continue };
                // As browsers compare it: were the name decoded, a subdomain could plant a cookie with the prefix `__Host-`.
                if found_name.trim_matches([' ', '\t']) != name {
                    continue;
                }
                let Ok(cookie) = Cookie::parse_encoded(["value=", value].concat()) else {
                    continue;
                };
                let value = cookie.value_trimmed();
                if !value.is_empty() && !found.iter().any(|known| known == value) {
                    found.push(value.to_owned());
                }
            }
        }
        found
    }

    /// Whether the request has a body (RFC 9112 §6.3): `None` if its headers do not say.
    pub(super) fn has_body(&self) -> Option<bool> {
        if self.value(HeaderName::TransferEncoding) != HeaderValue::Absent {
            return Some(true);
        }
        let length = self.single(HeaderName::ContentLength)?.parse::<u64>().ok()?;
        Some(length > 0)
    }

    /// Whether the method is safe (RFC 9110 §9.2.1). A WebSocket handshake is a `GET`, but what
    /// follows it is not safe.
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.method, "GET" | "HEAD" | "OPTIONS")
            && self.value(HeaderName::Upgrade) == HeaderValue::Absent
            // Extended CONNECT (RFC 8441) does not get here: its method is CONNECT.
            && self.value(HeaderName::SecWebsocketKey) == HeaderValue::Absent
    }

    /// Whether a browser asks in advance if a page of another origin may send a request: a CORS
    /// preflight (Fetch §3.2.2). It never carries credentials.
    pub(super) fn is_preflight(&self) -> bool {
        let has = |name| self.value(name) != HeaderValue::Absent;
        self.method == "OPTIONS"
            && has(HeaderName::Origin)
            && has(HeaderName::AccessControlRequestMethod)
            && !has(HeaderName::Authorization)
            && !has(HeaderName::Cookie)
    }
}

/// Whether `text` is a `token` (RFC 9110 §5.6.2): the name of a header or a cookie.
pub(super) fn is_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(allowed)
}

impl fmt::Debug for RequestHead<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestHead")
            .field("method", &self.method)
            .field("https", &self.https)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn get<'a>(headers: &[(&'a str, &'a str)]) -> RequestHead<'a> {
        headers.iter().fold(RequestHead::new("GET", "/"), |request, (name, value)| {
            request.header(name, value)
        })
    }

    #[test]
    fn an_authorization_header_without_a_token_presents_nothing() {
        for value in
            ["", " ", "Bearer", "Bearer ", "Basic dTpw", "abc.def.ghi", "DPoP", "Digest a=b"]
        {
            let request = get(&[("Authorization", value)]);
            assert_eq!(
                request.authorization("authorization", true).unwrap(),
                AuthorizationHeader::None,
                "{value:?}"
            );
        }
        for (value, expected) in [
            ("Bearer a.b.c", AuthorizationHeader::Bearer("a.b.c")),
            ("bearer   a.b.c ", AuthorizationHeader::Bearer("a.b.c")),
            ("DPOP a.b.c", AuthorizationHeader::Dpop("a.b.c")),
        ] {
            let request = get(&[("AUTHORIZATION", value)]);
            assert_eq!(request.authorization("authorization", true).unwrap(), expected);
        }
        for value in ["Bearer a b", "Bearer a,b", "DPoP é", "\u{fffd}", "Basic \u{fffd}"] {
            let request = get(&[("authorization", value)]);
            assert!(
                matches!(request.authorization("authorization", true), Err(Error::TokenMalformed)),
                "{value:?}"
            );
        }
    }

    #[test]
    fn a_repeated_authorization_header_is_malformed() {
        let request = get(&[("authorization", "Bearer a.b.c"), ("Authorization", "Bearer d.e.f")]);
        assert!(matches!(request.authorization("authorization", true), Err(Error::TokenMalformed)));
    }

    #[test]
    fn cookies_are_decoded_and_deduplicated() {
        let request = get(&[
            ("cookie", "a=1; accessToken=Bearer%20x.y.z; accessToken=; b"),
            ("Cookie", "accessToken=\"q.r.s\"; accessToken=Bearer%20x.y.z; accesstoken=no"),
        ]);
        assert_eq!(request.cookies("accessToken"), ["Bearer x.y.z", "q.r.s"]);
        assert_eq!(request.cookies("missing"), [""; 0]);
        assert_eq!(get(&[("cookie", "t=%zz%")]).cookies("t"), ["%zz%"]);
    }

    /// Browsers let no subdomain set a cookie with this prefix, and do not decode names.
    #[test]
    fn the_name_of_a_cookie_is_compared_as_it_is_written() {
        for planted in [
            "%5F%5FHost-t",
            "__Host%2Dt",
            "\u{2000}__Host-t",
            "\u{a0}__Host-t",
            "\u{b}__Host-t",
            "__HOST-t",
        ] {
            let cookies = format!("a=1; {planted}=planted; b=2");
            assert_eq!(get(&[("cookie", &cookies)]).cookies("__Host-t"), [""; 0], "{planted}");
            let both = format!("{planted}=planted; \t__Host-t =own");
            assert_eq!(get(&[("cookie", &both)]).cookies("__Host-t"), ["own"], "{planted}");
        }
    }

    #[test]
    fn the_authority_is_that_of_the_client() {
        let authority = |request: RequestHead<'_>| request.authority().map(Cow::into_owned);
        assert_eq!(authority(get(&[("Host", "a.example:8080")])).unwrap(), "a.example:8080");
        let http2 = get(&[(":authority", "b.example"), ("host", "a.example")]);
        assert_eq!(authority(http2).unwrap(), "b.example");
        let absolute = RequestHead::new("GET", "https://c.example:444/x?y");
        assert_eq!(authority(absolute.clone()).unwrap(), "c.example:444");
        assert_eq!((absolute.path().as_ref(), absolute.is_https()), ("/x", Some(true)));
        assert_eq!(authority(get(&[])), None);
        assert_eq!(authority(get(&[("host", "a"), ("host", "b")])), None);
        assert_eq!(authority(get(&[("host", "")])), None);
    }

    #[test]
    fn a_websocket_handshake_is_not_safe() {
        assert!(get(&[]).is_safe());
        assert!(!get(&[("Upgrade", "websocket")]).is_safe());
        for method in ["POST", "DELETE", "get", "CONNECT", ""] {
            assert!(!RequestHead::new(method, "/").is_safe(), "{method}");
        }
    }

    #[test]
    fn a_preflight_carries_no_credentials() {
        let preflight = |extra: &'static str| {
            let request = RequestHead::new("OPTIONS", "/")
                .header("Origin", "https://a.example")
                .header("Access-Control-Request-Method", "POST");
            if extra.is_empty() { request } else { request.header(extra, "x") }
        };
        assert!(preflight("").is_preflight());
        assert!(!preflight("authorization").is_preflight());
        assert!(!preflight("cookie").is_preflight());
        assert!(!RequestHead::new("OPTIONS", "/").header("origin", "null").is_preflight());
        assert!(!get(&[("origin", "a"), ("access-control-request-method", "b")]).is_preflight());
    }
}
