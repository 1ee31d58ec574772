//! How clients and key sets send HTTP requests: requests and responses as plain data, and
//! [`Transport`], which sends them with the app's HTTP client.

use std::fmt;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::error::Cause;
use crate::types::Timestamp;

/// Sends HTTP requests, and nothing more: it follows no redirects, does not retry and stores no
/// cookies.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Sends `request` and returns the complete response, whatever its status. Dropping the future
    /// (after a timeout) should abort the request.
    ///
    /// # Errors
    /// When no response was received. The error's text is logged; it must contain no header and no
    /// body.
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Cause>;
}

/// A request to send. `Debug` omits headers and body, which may contain tokens.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct HttpRequest {
    /// `GET` or `POST`.
    pub method: &'static str,
    /// The absolute URL.
    pub url: String,
    /// Header names in lower case, with their values.
    pub headers: Vec<(String, String)>,
    /// Empty for `GET`.
    pub body: Vec<u8>,
}

impl fmt::Debug for HttpRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpRequest")
            .field("method", &self.method)
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

/// A received response. `Debug` omits headers and body, which may contain tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// The HTTP status code.
    pub status: u16,
    /// Header names in any case, with their values.
    pub headers: Vec<(String, String)>,
    /// The complete body.
    pub body: Vec<u8>,
}

impl HttpResponse {
    /// The value of the first header named `name`, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(given, _)| given.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.trim())
    }

    /// The server's clock, to the second (`Date`, RFC 9110 §6.6.1).
    pub(crate) fn date(&self) -> Option<Timestamp> {
        self.header("date").and_then(parse_http_date)
    }

    /// How long to wait before the next request (`Retry-After`, RFC 9110 §10.2.3). A date counts
    /// from the server's own `Date`.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?;
        match value.parse() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => Some(parse_http_date(value)?.since(self.date()?)),
        }
    }

    /// How long the response may still be cached (`Cache-Control`, RFC 9111 §5.2.2, less the `Age` that it has from
    /// other caches, §5.1): zero for `no-store` and `no-cache`, `None` if unspecified.
    pub(crate) fn fresh_for(&self) -> Option<Duration> {
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
        let age = self.header("age").and_then(|age| age.trim().parse().ok()).unwrap_or(0);
        max_age.map(|max_age| max_age.saturating_sub(Duration::from_secs(age)))
    }
}

impl fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).finish_non_exhaustive()
    }
}

fn parse_http_date(text: &str) -> Option<Timestamp> {
    let instant = httpdate::parse_http_date(text).ok()?;
    Some(Timestamp::EPOCH.plus(instant.duration_since(SystemTime::UNIX_EPOCH).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response_with(headers: &[(&str, &str)]) -> HttpResponse {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        HttpResponse { status: 503, headers: headers.iter().map(owned).collect(), body: Vec::new() }
    }

    #[test]
    fn reads_date_and_retry_after() {
        let date = ("Date", "Sun, 06 Nov 1994 08:49:37 GMT");
        assert_eq!(response_with(&[date]).date(), Some(Timestamp::from_seconds(784_111_777)));
        let retry_after = |value| response_with(&[date, ("retry-after", value)]).retry_after();
        assert_eq!(retry_after("7"), Some(Duration::from_secs(7)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:50:37 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(retry_after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        for bad in ["", "-1", "soon"] {
            assert_eq!(retry_after(bad), None, "{bad}");
        }
        assert_eq!(response_with(&[("Date", "today")]).date(), None);
    }

    #[test]
    fn reads_how_long_a_response_may_be_cached() {
        let age =
            |value| response_with(&[("Cache-Control", value)]).fresh_for().map(|age| age.as_secs());
        assert_eq!(age("public, max-age=300"), Some(300));
        assert_eq!(age("Max-Age=\"60\""), Some(60));
        assert_eq!(age("max-age=300, no-cache"), Some(0));
        assert_eq!(age("no-store"), Some(0));
        for none in ["", "public", "max-age", "max-age=-1", "max-age=soon", "s-maxage=9"] {
            assert_eq!(age(none), None, "{none}");
        }
        assert_eq!(response_with(&[]).fresh_for(), None);
        for (age, left) in [("100", 200), ("300", 0), ("4000", 0), ("-5", 300), ("old", 300)] {
            let response = response_with(&[("Age", age), ("Cache-Control", "max-age=300")]);
            assert_eq!(response.fresh_for(), Some(Duration::from_secs(left)), "{age}");
        }
    }
}
