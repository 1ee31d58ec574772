//! A request to send and the answer to it, as far as a transport needs to know.

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::types::Timestamp;

/// A request. `Debug` shows neither headers nor body: the refresh token is in one of them.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The whole address.
    pub url: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// Empty for `GET`.
    pub body: Vec<u8>,
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// An answer. `Debug` shows neither headers nor body: tokens are in them.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in any case, and values. `Date` and `Retry-After` are read, if they are given.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Request {
    /// A `GET`.
    #[cfg(feature = "server")]
    pub(crate) fn get(url: &str, headers: Vec<(String, String)>) -> Self {
        Self { method: "GET", url: url.to_owned(), headers, body: Vec::new() }
    }
}

impl Response {
    /// The first header of this name, in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The server's clock (RFC 9110 §6.6.1), to the second.
    pub(super) fn date(&self) -> Option<Timestamp> {
        self.header("date").and_then(http_date)
    }

    /// How long it may be kept (RFC 9111 §5.2.2): not at all by `no-store` and `no-cache`; `None`
    /// where it does not say.
    #[cfg(feature = "server")]
    pub(crate) fn max_age(&self) -> Option<Duration> {
        let directives = self.header("cache-control")?.split(',').map(str::trim);
        let mut max_age = None;
        for directive in directives {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            if name.eq_ignore_ascii_case("no-store") || name.eq_ignore_ascii_case("no-cache") {
                return Some(Duration::ZERO);
            }
            if name.eq_ignore_ascii_case("max-age") {
                max_age = value.trim_matches('"').parse().ok().map(Duration::from_secs).or(max_age);
            }
        }
        max_age
    }

    /// How long the server wants to be left alone (RFC 9110 §10.2.3): seconds or a date, which is
    /// counted from the server's own.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?;
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => Some(http_date(value)?.since(self.date()?)),
        }
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response").field("status", &self.status).finish_non_exhaustive()
    }
}

fn http_date(text: &str) -> Option<Timestamp> {
    let instant = httpdate::parse_http_date(text).ok()?;
    Some(Timestamp::EPOCH.plus(instant.duration_since(SystemTime::UNIX_EPOCH).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(headers: &[(&str, &str)]) -> Response {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Response { status: 503, headers: headers.iter().map(owned).collect(), body: Vec::new() }
    }

    #[test]
    fn reads_the_two_headers_that_matter() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(with(&[date]).date(), Some(Timestamp::from_seconds(784_111_777)));
        let wish = |value| with(&[date, ("retry-after", value)]).retry_after();
        assert_eq!(wish("7"), Some(Duration::from_secs(7)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(wish("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for bad in ["", "-1", "soon"] {
            assert_eq!(wish(bad), None, "{bad}");
        }
        assert_eq!(with(&[("Date", "today")]).date(), None);
    }

    #[test]
    #[cfg(feature = "server")]
    fn reads_how_long_an_answer_may_be_kept() {
        let age = |value| with(&[("Cache-Control", value)]).max_age().map(|age| age.as_secs());
        assert_eq!(age("public, max-age=300"), Some(300));
        assert_eq!(age("Max-Age=\"60\""), Some(60));
        assert_eq!(age("max-age=300, no-cache"), Some(0));
        assert_eq!(age("no-store"), Some(0));
        for none in ["", "public", "max-age", "max-age=-1", "max-age=soon", "s-maxage=9"] {
            assert_eq!(age(none), None, "{none}");
        }
        assert_eq!(with(&[]).max_age(), None);
    }
}
