//! How tokens travel: one definition for every endpoint and middleware of an app.

use super::cookies::CookiePolicy;
use super::origin::Origin;
use super::request::{HeaderName, RequestHead, is_token};
use super::stray_cookies::truncate_removals;
use crate::error::{Error, Result};

/// The name of the refresh cookie unless the app has another one.
pub const DEFAULT_REFRESH_COOKIE: &str = "refreshToken";

/// The name of the access cookie unless the app has another one.
pub const DEFAULT_ACCESS_COOKIE: &str = "accessToken";

/// How tokens travel between an app's server and its clients.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebPolicy {
    /// The header of access tokens, with a value such as `Bearer <token>`. Default `authorization`.
    pub access_header: String,
    /// The cookie that carries the access token where the header has none. Default: no cookie.
    pub access_cookie: Option<CookiePolicy>,
    /// The cookie that carries the refresh token. `None`: refresh tokens travel in JSON bodies.
    /// Default: `refreshToken`, for the path `/auth`.
    pub refresh_cookie: Option<CookiePolicy>,
    /// The origins beside the server's own whose pages may use the cookies.
    pub allowed_origins: Vec<Origin>,
}

impl Default for WebPolicy {
    fn default() -> Self {
        Self {
            access_header: "authorization".to_owned(),
            access_cookie: None,
            refresh_cookie: Some(CookiePolicy::refresh(DEFAULT_REFRESH_COOKIE)),
            allowed_origins: Vec::new(),
        }
    }
}

impl WebPolicy {
    /// Checks the policy, above all for what browsers would silently drop.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `accessHeader`, `accessCookie`, `refreshCookie`, `path` or
    /// `domain`.
    pub fn checked(self) -> Result<Self> {
        if !is_token(&self.access_header) {
            return Err(Error::config(
                "accessHeader",
                "is not a valid header name (RFC 9110 §5.1)",
            ));
        }
        if has_other_meaning(&self.access_header.to_ascii_lowercase()) {
            let problem = "has another meaning, or is a header that browsers and proxies write: \
                           use authorization or a name of the app";
            return Err(Error::config("accessHeader", problem));
        }
        if let Some(cookie) = &self.access_cookie {
            cookie.check("accessCookie")?;
        }
        if let Some(cookie) = &self.refresh_cookie {
            cookie.check("refreshCookie")?;
        }
        match (&self.access_cookie, &self.refresh_cookie) {
            (Some(access), Some(refresh)) if access.name == refresh.name => {
                Err(Error::config("accessCookie", "must have another name than the refresh cookie"))
            }
            _ => Ok(self),
        }
    }

    /// `Set-Cookie` values that remove both cookies. Where `request` has several cookies of a name, they
    /// remove those with other attributes too.
    pub fn remove_cookies(&self, request: &RequestHead<'_>) -> Vec<String> {
        self.remove_all_cookies(request, |cookie| cookie.is_repeated_in(request))
    }

    /// As [`remove_cookies`](Self::remove_cookies), with those of other attributes of the names that
    /// `has_others` chooses.
    pub(super) fn remove_all_cookies(
        &self,
        request: &RequestHead<'_>,
        has_others: impl Fn(&CookiePolicy) -> bool,
    ) -> Vec<String> {
        let mut removals = self.remove_other_cookies(request, has_others);
        removals.extend(self.cookies().map(|cookie| cookie.remove(request)));
        removals
    }

    /// `Set-Cookie` values that remove cookies with other attributes than this policy's, of the names
    /// that `has_others` chooses: as many as fit into a response.
    pub(super) fn remove_other_cookies(
        &self,
        request: &RequestHead<'_>,
        has_others: impl Fn(&CookiePolicy) -> bool,
    ) -> Vec<String> {
        let cookies = self.cookies().filter(|cookie| has_others(cookie));
        let mut removals: Vec<_> =
            cookies.flat_map(|cookie| cookie.remove_others(request)).collect();
        truncate_removals(&mut removals);
        removals
    }

    fn cookies(&self) -> impl Iterator<Item = &CookiePolicy> {
        [&self.refresh_cookie, &self.access_cookie].into_iter().flatten()
    }
}

/// Whether the header `name`, in lower case, cannot carry a token: the rules read something else in
/// it, it describes the body or the connection (RFC 9110 §7.6.1), or scripts of a page cannot set it
/// (Fetch §2.2.2).
fn has_other_meaning(name: &str) -> bool {
    const OTHERS: [&str; 28] = [
        "accept",
        "accept-charset",
        "accept-encoding",
        "accept-language",
        "cache-control",
        "connection",
        "cookie2",
        "date",
        "dnt",
        "expect",
        "forwarded",
        "http2-settings",
        "keep-alive",
        "max-forwards",
        "pragma",
        "range",
        "referer",
        "set-cookie",
        "set-cookie2",
        "te",
        "trailer",
        "user-agent",
        "via",
        "www-authenticate",
        "x-http-method",
        "x-http-method-override",
        "x-method-override",
        "x-real-ip",
    ];
    let is_of_rules = HeaderName::ALL.iter().any(|known| known.as_str() == name);
    let prefixes = ["access-control-", "content-", "if-", "proxy-", "sec-", "x-forwarded-"];
    is_of_rules && name != HeaderName::Authorization.as_str()
        || OTHERS.contains(&name)
        || prefixes.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_policy_is_valid() {
        assert_eq!(WebPolicy::default().checked().unwrap(), WebPolicy::default());
    }

    #[test]
    fn two_cookies_need_two_names() {
        let policy = WebPolicy {
            access_cookie: Some(CookiePolicy::access("refreshToken")),
            ..WebPolicy::default()
        };
        let error = policy.checked().unwrap_err();
        assert!(matches!(error, Error::ConfigInvalid { field, .. } if field == "accessCookie"));
    }

    #[test]
    fn an_access_header_must_be_a_header_name() {
        let reserved = ["Cookie", "host", "Content-Length", "connection", "dpop", "Sec-Fetch-Site"];
        for name in ["", "a b", "authorization:", "ü"].into_iter().chain(reserved) {
            let policy = WebPolicy { access_header: name.to_owned(), ..WebPolicy::default() };
            assert!(policy.checked().is_err(), "{name}");
        }
        for name in ["Authorization", "accessToken", "x-access-token", "token"] {
            let policy = WebPolicy { access_header: name.to_owned(), ..WebPolicy::default() };
            assert!(policy.checked().is_ok(), "{name}");
        }
    }
}
