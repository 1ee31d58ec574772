//! Which page a request comes from: the check of requests that a cookie authorizes (CSRF).
//!
//! `SameSite=Strict` keeps a cookie out of cross-site requests, but a site is a whole registrable
//! domain, so a page of any subdomain passes. This check compares origins (RFC 6454 §5).

use std::fmt;

use url::Url;

use super::request::{HeaderName, HeaderValue, RequestHead};
use crate::error::{Error, Result};

/// The origin of a page: scheme, host and port.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Origin {
    scheme: String,
    host: String,
    port: Option<u16>,
}

impl Origin {
    /// Parses an origin such as `https://app.example.com`: scheme, host and port, and nothing more.
    /// Schemes of apps (`capacitor://localhost`) are origins too.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `allowedOrigins`.
    pub fn new(text: &str) -> Result<Self> {
        let problem = "expected scheme, host and port, such as https://app.example.com";
        Self::parse(text).ok_or_else(|| Error::config("allowedOrigins", problem))
    }

    fn parse(text: &str) -> Option<Self> {
        let (scheme, authority) = text.split_once("://")?;
        if authority.is_empty() || authority.contains(['/', '?', '#', '@', '\\', '*', ' ']) {
            return None;
        }
        let url = Url::parse(text).ok()?;
        let (host, port) = (url.host_str()?.to_ascii_lowercase(), url.port_or_known_default());
        Some(Self { scheme: scheme.to_ascii_lowercase(), host, port })
    }

    /// Whether a request to `authority` (host and perhaps port) is to this origin. Whether the
    /// request used HTTPS counts only where it did: behind a proxy that ends TLS, a server often
    /// sees plain HTTP.
    fn is_at(&self, authority: &str, https: Option<bool>) -> bool {
        let is_http = self.scheme == "http";
        if !is_http && self.scheme != "https" || is_http && https == Some(true) {
            return false;
        }
        // The scheme of the origin fills in the default port.
        Self::parse(&format!("{}://{authority}", self.scheme)).as_ref() == Some(self)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme, self.host)?;
        let default = match self.scheme.as_str() {
            "http" => Some(80),
            "https" => Some(443),
            _ => None,
        };
        match self.port {
            Some(port) if self.port != default => write!(f, ":{port}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Whether a request comes from a page of this server or of `allowed`, or from no page at all.
///
/// Browsers say so in `Sec-Fetch-Site`, older ones in `Origin`; a page can forge neither. A request
/// with neither does not come from a browser's page, so nobody's cookies can be abused with it.
pub(super) fn is_own_page(request: &RequestHead<'_>, allowed: &[Origin]) -> bool {
    let presented = match request.value(HeaderName::Origin) {
        HeaderValue::Absent => None,
        HeaderValue::One(text) => Some(text),
        HeaderValue::Repeated => return false,
    };
    let origin = presented.and_then(Origin::parse);
    if origin.as_ref().is_some_and(|origin| allowed.contains(origin)) {
        return true;
    }
    match request.value(HeaderName::SecFetchSite) {
        HeaderValue::One(site) => return matches!(site, "same-origin" | "none"),
        HeaderValue::Repeated => return false,
        HeaderValue::Absent => {}
    }
    if presented.is_none() {
        return true;
    }
    // An opaque origin, `null`, is the origin of nobody.
    let Some(origin) = origin else { return false };
    let authority = request.authority();
    authority.is_some_and(|authority| origin.is_at(&authority, request.is_https()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(headers: &[(&str, &str)], https: Option<bool>, allowed: &[&str]) -> bool {
        let mut request = RequestHead::new("POST", "/auth/refresh");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(https) = https {
            request = request.https(https);
        }
        let allowed: Vec<_> = allowed.iter().map(|text| Origin::new(text).unwrap()).collect();
        is_own_page(&request, &allowed)
    }

    #[test]
    fn origins_are_compared_with_their_default_ports() {
        for (origin, host, https, expected) in [
            ("https://a.example", "a.example", None, true),
            ("https://a.example", "a.example:443", None, true),
            ("https://A.example", "a.EXAMPLE", Some(true), true),
            ("http://a.example", "a.example:80", None, true),
            ("http://a.example:8080", "a.example:8080", Some(false), true),
            ("http://[::1]:3000", "[::1]:3000", None, true),
            // Behind a proxy that ends TLS.
            ("https://a.example", "a.example", Some(false), true),
            ("http://a.example", "a.example", Some(true), false),
            ("https://a.example", "a.example:80", None, false),
            ("https://a.example", "a.example:8443", None, false),
            ("https://b.example", "a.example", None, false),
            ("https://a.example.evil", "a.example", None, false),
            ("null", "a.example", None, false),
            ("null", "null", None, false),
            ("", "a.example", None, false),
            ("https://a.example/", "a.example", None, false),
            ("https://user@a.example", "a.example", None, false),
            ("capacitor://a.example", "a.example", None, false),
        ] {
            let headers = [("origin", origin), ("host", host)];
            assert_eq!(own(&headers, https, &[]), expected, "{origin} at {host}, {https:?}");
        }
    }

    #[test]
    fn an_origin_without_an_authority_is_foreign() {
        assert!(!own(&[("origin", "null")], None, &[]));
        assert!(!own(&[("origin", "https://a.example")], None, &[]));
        assert!(own(&[("origin", "https://a.example"), (":authority", "a.example")], None, &[]));
        assert!(own(&[], None, &[]), "not from a browser");
    }

    #[test]
    fn fetch_metadata_comes_before_the_host() {
        for (site, expected) in [
            ("same-origin", true),
            ("none", true),
            ("same-site", false),
            ("cross-site", false),
            ("", false),
        ] {
            let headers =
                [("sec-fetch-site", site), ("origin", "https://a.example"), ("host", "a.example")];
            assert_eq!(own(&headers, None, &[]), expected, "{site}");
        }
        // A form of an own page with `Referrer-Policy: no-referrer`. A sandboxed frame is cross-site.
        assert!(own(&[("sec-fetch-site", "same-origin"), ("origin", "null")], None, &[]));
        assert!(!own(&[("sec-fetch-site", "cross-site"), ("origin", "null")], None, &[]));
        // A proxy that changes the host does not make an own page foreign.
        let headers = [
            ("sec-fetch-site", "same-origin"),
            ("origin", "https://a.example"),
            ("host", "inner:3000"),
        ];
        assert!(own(&headers, None, &[]));
    }

    #[test]
    fn allowed_origins_pass_and_nothing_like_them() {
        let allowed = ["https://app.example", "capacitor://localhost", "http://localhost:5173"];
        for origin in [
            "https://app.example",
            "https://APP.example:443",
            "capacitor://localhost",
            "http://localhost:5173",
        ] {
            let headers =
                [("origin", origin), ("sec-fetch-site", "cross-site"), ("host", "api.example")];
            assert!(own(&headers, None, &allowed), "{origin}");
        }
        for origin in
            ["http://app.example", "https://app.example:444", "https://x.app.example", "null"]
        {
            let headers =
                [("origin", origin), ("sec-fetch-site", "cross-site"), ("host", "api.example")];
            assert!(!own(&headers, None, &allowed), "{origin}");
        }
        let twice = [("origin", "https://app.example"), ("origin", "https://evil.example")];
        assert!(!own(&twice, None, &allowed));
    }

    #[test]
    fn configured_origins_must_be_origins() {
        for text in [
            "",
            "app.example",
            "https://",
            "https://a.example/",
            "https://a.example/x",
            "null",
            "*",
            "https://*.a.example",
            "https://u@a.example",
        ] {
            let error = Origin::new(text).unwrap_err();
            assert!(
                matches!(&error, Error::ConfigInvalid { field, .. } if field == "allowedOrigins"),
                "{text}"
            );
            assert!(!error.to_string().contains("u@a"), "{error}");
        }
        assert_eq!(
            Origin::new("HTTPS://App.Example:443").unwrap().to_string(),
            "https://app.example"
        );
        assert_eq!(
            Origin::new("http://localhost:5173").unwrap().to_string(),
            "http://localhost:5173"
        );
    }
}
