//! The cookies that carry tokens: their attributes, what a browser would drop, and `Set-Cookie`.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use cookie::time::OffsetDateTime;
use cookie::{Cookie, CookieBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::request::{RequestHead, is_token};
use crate::error::{Error, Result};
use crate::types::Timestamp;

/// What browsers store of name and value together, in bytes (RFC 6265bis §5.6).
const MAX_COOKIE_BYTES: usize = 4096;

/// How a token's cookie is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CookiePolicy {
    /// The name. `__Host-` in front keeps subdomains from setting it.
    pub name: String,
    /// Browsers send the cookie to this path and those below it.
    pub path: String,
    /// The domain whose hosts get the cookie. Default: the host that set it, and no other.
    pub domain: Option<String>,
    /// Whether browsers send it over HTTPS only.
    pub secure: SecureCookie,
    /// Whether scripts of the page cannot read it.
    pub http_only: bool,
    /// Whether other sites' requests carry it. `None` leaves the attribute out.
    pub same_site: Option<SameSite>,
    /// Whether the cookie goes when the browser is closed, rather than when its token expires.
    pub until_browser_closes: bool,
}

/// When a cookie has the attribute `Secure`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureCookie {
    /// Always.
    #[default]
    Always,
    /// On responses to HTTPS requests, as the framework tells with its proxy settings.
    Auto,
    /// Never: for plain HTTP.
    Never,
}

/// In the configuration: `true`, `"auto"` or `false`.
impl Serialize for SecureCookie {
    fn serialize<S: Serializer>(&self, output: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Always => output.serialize_bool(true),
            Self::Auto => output.serialize_str("auto"),
            Self::Never => output.serialize_bool(false),
        }
    }
}

impl<'de> Deserialize<'de> for SecureCookie {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(input)? {
            serde_json::Value::Bool(true) => Ok(Self::Always),
            serde_json::Value::Bool(false) => Ok(Self::Never),
            serde_json::Value::String(text) if text == "auto" => Ok(Self::Auto),
            _ => Err(de::Error::custom("expected true, false or \"auto\"")),
        }
    }
}

/// `SameSite` of a cookie.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    /// Only requests of pages of the same site carry the cookie.
    Strict,
    /// Navigation from other sites carries it too.
    Lax,
}

impl CookiePolicy {
    /// The refresh cookie: `HttpOnly`, `Secure`, `SameSite=Strict`, for the path `/auth`, or `/` for
    /// a name with `__Host-` in front, which browsers accept with no other path.
    pub fn refresh(name: impl Into<String>) -> Self {
        let mut cookie = Self { same_site: Some(SameSite::Strict), ..Self::access(name) };
        if !cookie.is_host_only() {
            "/auth".clone_into(&mut cookie.path);
        }
        cookie
    }

    /// The access cookie: `HttpOnly`, `Secure`, `SameSite=Lax`, for all paths.
    pub fn access(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            path: "/".to_owned(),
            domain: None,
            secure: SecureCookie::Always,
            http_only: true,
            same_site: Some(SameSite::Lax),
            until_browser_closes: false,
        }
    }

    /// Checks what browsers would silently drop.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `name_field`, `path` or `domain`.
    pub(super) fn check(&self, name_field: &str) -> Result<()> {
        if !is_token(&self.name) {
            return Err(Error::config(name_field, "is not a valid cookie name (RFC 6265 §4.1.1)"));
        }
        let is_path_byte = |byte: u8| (b' '..=b'~').contains(&byte) && byte != b';';
        if !self.path.starts_with('/')
            || !self.path.bytes().all(is_path_byte)
            || self.path.len() > 1024
        {
            return Err(Error::config("path", "must begin with / and have no ; (RFC 6265 §4.1.1)"));
        }
        if self.path.contains(['?', '#']) {
            let problem = "must not contain ? or #";
            return Err(Error::config("path", problem));
        }
        if let Some(problem) = self.domain.as_deref().and_then(domain_problem) {
            return Err(Error::config("domain", problem));
        }
        let needs_secure = self.is_host_only() || self.is_http() || self.has_prefix("__Secure-");
        if needs_secure && self.secure != SecureCookie::Always {
            let problem = "browsers drop a __Host-, __Secure- or __Http- cookie without Secure: leave secure on";
            return Err(Error::config(name_field, problem));
        }
        if self.is_http() && !self.http_only {
            return Err(Error::config(
                name_field,
                "browsers drop a __Http- cookie without HttpOnly",
            ));
        }
        if self.is_host_only() && self.domain.is_some() {
            return Err(Error::config(name_field, "browsers drop a __Host- cookie with a domain"));
        }
        if self.is_host_only() && self.path != "/" {
            let problem = "browsers drop a __Host- cookie whose path is not /: set path to /";
            return Err(Error::config(name_field, problem));
        }
        Ok(())
    }

    /// Whether no subdomain can set a cookie of this name.
    pub(super) fn is_host_only(&self) -> bool {
        self.has_prefix("__Host-")
    }

    /// Whether browsers accept a cookie of this name only with `HttpOnly`.
    pub(super) fn is_http(&self) -> bool {
        self.has_prefix("__Http-") || self.has_prefix("__Host-Http-")
    }

    fn has_prefix(&self, prefix: &str) -> bool {
        self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
    }

    /// Whether `request` has several cookies of this name.
    pub(super) fn is_repeated_in(&self, request: &RequestHead<'_>) -> bool {
        request.cookies(&self.name).len() > 1
    }

    /// Whether a browser sends the cookie to `request_path` (RFC 6265 §5.1.4).
    pub(super) fn covers(&self, request_path: &str) -> bool {
        match request_path.strip_prefix(self.path.as_str()) {
            Some(rest) => rest.is_empty() || self.path.ends_with('/') || rest.starts_with('/'),
            None => false,
        }
    }

    /// `Set-Cookie` with this value, which expires at `expires_at`; without it, when the browser closes.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for a value that is too long for browsers, which would keep the old
    /// cookie without a word.
    pub fn set(
        &self,
        value: &str,
        expires_at: impl Into<Option<Timestamp>>,
        now: Timestamp,
        request: &RequestHead<'_>,
    ) -> Result<String> {
        let cookie = self.attributes(value, request);
        let cookie = match expires_at.into().filter(|_| !self.until_browser_closes) {
            // `Expires` too, for clients that do not know `Max-Age`.
            Some(expires_at) => {
                expiring(cookie, Duration::from_secs(expires_at.since(now).as_secs()), now)
            }
            None => cookie,
        };
        let cookie = cookie.build();
        let text = cookie.encoded().to_string();
        let pair = text.split(';').next().unwrap_or_default();
        if pair.len() > MAX_COOKIE_BYTES {
            let problem = "the token is longer than the 4096 bytes that browsers store in a cookie: put fewer claims into it";
            return Err(Error::config(self.name.clone(), problem));
        }
        Ok(text)
    }

    /// `Set-Cookie` that removes the cookie.
    pub fn remove(&self, request: &RequestHead<'_>) -> String {
        removed(self.attributes("", request))
    }

    pub(super) fn attributes<'c>(
        &self,
        value: &'c str,
        request: &RequestHead<'_>,
    ) -> CookieBuilder<'c> {
        let secure = match self.secure {
            SecureCookie::Always => true,
            SecureCookie::Auto => request.is_https() == Some(true),
            SecureCookie::Never => false,
        };
        let mut cookie = Cookie::build((self.name.clone(), value)).path(self.path.clone());
        if let Some(domain) = &self.domain {
            cookie = cookie.domain(domain.clone());
        }
        if secure {
            cookie = cookie.secure(true);
        }
        if self.http_only {
            cookie = cookie.http_only(true);
        }
        match self.same_site {
            None => cookie,
            Some(SameSite::Strict) => cookie.same_site(cookie::SameSite::Strict),
            Some(SameSite::Lax) => cookie.same_site(cookie::SameSite::Lax),
        }
    }
}

fn expiring<'c>(cookie: CookieBuilder<'c>, max_age: Duration, now: Timestamp) -> CookieBuilder<'c> {
    let seconds = i64::try_from(max_age.as_secs()).unwrap_or(i64::MAX);
    let since_epoch = Duration::from_secs(u64::try_from(now.as_seconds()).unwrap_or(0));
    let expires = SystemTime::UNIX_EPOCH.checked_add(since_epoch + max_age);
    let cookie = cookie.max_age(cookie::time::Duration::seconds(seconds));
    match expires {
        Some(expires) => cookie.expires(OffsetDateTime::from(expires)),
        None => cookie,
    }
}

fn removed(cookie: CookieBuilder<'_>) -> String {
    let removal = cookie.max_age(cookie::time::Duration::ZERO).expires(OffsetDateTime::UNIX_EPOCH);
    removal.build().encoded().to_string()
}

/// Why browsers would drop a cookie with this `Domain`; `None` if they would not.
fn domain_problem(domain: &str) -> Option<&'static str> {
    if domain.parse::<IpAddr>().is_ok() || domain.starts_with('[') || is_ipv4(domain) {
        return Some("is an address, for which cookies have no domain: leave it out");
    }
    if !is_domain(domain) {
        let problem =
            "must be the name of a domain, such as example.com, without scheme, port and path";
        return Some(problem);
    }
    // A longer public suffix, such as co.uk, is known from a list only.
    let is_suffix = !domain.contains('.');
    is_suffix.then_some("browsers drop a cookie for a whole top-level domain: name one below it, such as example.com, or leave it out")
}

pub(super) fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    domain.len() <= 253 && domain.split('.').all(is_label) && !is_ipv4(domain)
}

/// Whether browsers take a host for an IPv4 address: its last label is a number (URL §3.5).
fn is_ipv4(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or_default();
    let hex = last.get(..2).filter(|start| start.eq_ignore_ascii_case("0x")).map(|_| &last[2..]);
    let is_decimal = !last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit());
    is_decimal || hex.is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000_000_000);

    fn attributes(text: &str) -> Vec<String> {
        let mut parts: Vec<_> = text.split("; ").map(ToOwned::to_owned).collect();
        parts[1..].sort_unstable();
        parts
    }

    #[test]
    fn a_refresh_cookie_has_all_attributes() {
        let request = RequestHead::new("POST", "/auth/refresh");
        let policy = CookiePolicy::refresh("refreshToken");
        let text =
            policy.set("a b", NOW.plus(Duration::from_millis(90_500)), NOW, &request).unwrap();
        assert_eq!(
            attributes(&text),
            [
                "refreshToken=a%20b",
                "Expires=Sun, 09 Sep 2001 01:48:10 GMT",
                "HttpOnly",
                "Max-Age=90",
                "Path=/auth",
                "SameSite=Strict",
                "Secure"
            ]
        );
        let text = policy.remove(&request);
        assert_eq!(
            attributes(&text),
            [
                "refreshToken=",
                "Expires=Thu, 01 Jan 1970 00:00:00 GMT",
                "HttpOnly",
                "Max-Age=0",
                "Path=/auth",
                "SameSite=Strict",
                "Secure"
            ]
        );
    }

    #[test]
    fn secure_auto_follows_the_request() {
        let mut policy = CookiePolicy::access("t");
        policy.secure = SecureCookie::Auto;
        let secure = |request: RequestHead<'_>| {
            policy.set("v", NOW, NOW, &request).unwrap().contains("; Secure")
        };
        assert!(secure(RequestHead::new("GET", "/").https(true)));
        assert!(!secure(RequestHead::new("GET", "/").https(false)));
        assert!(!secure(RequestHead::new("GET", "/")));
        assert!(secure(RequestHead::new("GET", "https://a.example/")));
    }

    #[test]
    fn a_cookie_that_a_browser_would_drop_is_an_error() {
        let problem = |change: &dyn Fn(&mut CookiePolicy)| {
            let mut policy = CookiePolicy::access("t");
            change(&mut policy);
            match policy.check("accessCookie") {
                Ok(()) => None,
                Err(Error::ConfigInvalid { field, .. }) => Some(field),
                Err(other) => panic!("{other}"),
            }
        };
        assert_eq!(problem(&|_| {}), None);
        assert_eq!(problem(&|policy| policy.name = "__Host-t".to_owned()), None);
        assert_eq!(problem(&|policy| policy.domain = Some("a.example".to_owned())), None);
        for name in ["", "a b", "a;b", "a=b", "ü"] {
            assert_eq!(
                problem(&|policy| policy.name = name.to_owned()).as_deref(),
                Some("accessCookie"),
                "{name}"
            );
        }
        for path in ["", "auth", "/a;b", "/\n", "/ü"] {
            assert_eq!(
                problem(&|policy| policy.path = path.to_owned()).as_deref(),
                Some("path"),
                "{path}"
            );
        }
        for domain in [
            "",
            ".a.example",
            "a..example",
            "a.example.",
            "10.0.0.1",
            "10.0.0.0x1",
            "::1",
            "[::1]",
            "https://a.example",
            "a.example:80",
            "com",
            "localhost",
        ] {
            assert_eq!(
                problem(&|policy| policy.domain = Some(domain.to_owned())).as_deref(),
                Some("domain"),
                "{domain}"
            );
        }
        for change in [
            (|policy: &mut CookiePolicy| policy.path = "/auth".to_owned()) as fn(&mut CookiePolicy),
            |policy| policy.domain = Some("a.example".to_owned()),
            |policy| policy.secure = SecureCookie::Auto,
            |policy| policy.secure = SecureCookie::Never,
        ] {
            for name in ["__Host-t", "__host-t"] {
                let field = problem(&|policy| {
                    policy.name = name.to_owned();
                    change(policy);
                });
                assert_eq!(field.as_deref(), Some("accessCookie"), "{name}");
            }
        }
        for name in ["__Secure-t", "__Http-t"] {
            let insecure = problem(&|policy| {
                policy.name = name.to_owned();
                policy.secure = SecureCookie::Never;
            });
            assert_eq!(insecure.as_deref(), Some("accessCookie"), "{name}");
        }
        for name in ["__Http-t", "__Host-Http-t"] {
            let readable = problem(&|policy| {
                policy.name = name.to_owned();
                policy.http_only = false;
            });
            assert_eq!(readable.as_deref(), Some("accessCookie"), "{name}");
        }
    }

    #[test]
    fn a_cookie_too_long_for_browsers_is_an_error() {
        let policy = CookiePolicy::access("t");
        let request = RequestHead::new("GET", "/");
        assert!(policy.set(&"x".repeat(4094), NOW, NOW, &request).is_ok());
        let error = policy.set(&"x".repeat(4095), NOW, NOW, &request).unwrap_err();
        assert!(matches!(error, Error::ConfigInvalid { field, .. } if field == "t"));
    }

    #[test]
    fn the_path_of_a_cookie_covers_whole_segments() {
        let policy = CookiePolicy::refresh("r");
        for (path, covered) in [
            ("/auth", true),
            ("/auth/refresh", true),
            ("/authority", false),
            ("/api/auth", false),
            ("/", false),
        ] {
            assert_eq!(policy.covers(path), covered, "{path}");
        }
        assert!(CookiePolicy::access("a").covers("/anything"));
    }
}
