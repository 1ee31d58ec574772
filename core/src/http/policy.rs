//! How tokens travel: one definition for every endpoint and middleware of an app.

use super::cookies::CookiePolicy;
use super::origin::Origin;
use super::request::is_token;
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
            return Err(Error::config("accessHeader", "is no header name (RFC 9110 §5.1)"));
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
        for name in ["", "a b", "authorization:", "ü"] {
            let policy = WebPolicy { access_header: name.to_owned(), ..WebPolicy::default() };
            assert!(policy.checked().is_err(), "{name}");
        }
    }
}
