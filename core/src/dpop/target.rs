//! The request that a proof is for.

use url::Url;

use crate::error::{Error, Result};

/// The method and the address of a request, as a proof names them (`htm` and `htu`).
///
/// The address is compared as RFC 9449 §4.3 has it: without query and fragment, and after the
/// normalisation of RFC 3986 §6.2.2 and §6.2.3 (case of scheme and host, default port, dots).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    method: String,
    address: String,
}

impl Target {
    /// A request of `method` to `url`, the whole address by which clients reach this server,
    /// whatever a proxy in front has made of it.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `url` when that is no `http` or `https` address.
    pub fn new(method: &str, url: &str) -> Result<Self> {
        let address = normal(url).ok_or_else(|| Error::config("url", "is not an http address"))?;
        Ok(Self { method: method.to_owned(), address })
    }

    /// Methods are case-sensitive (RFC 9110 §9.1).
    pub(super) fn is(&self, method: &str, url: &str) -> bool {
        self.method == method && normal(url).is_some_and(|address| address == self.address)
    }
}

/// Whether these are the origins of a server.
///
/// # Errors
/// [`Error::ConfigInvalid`] for `dpop.origin`.
pub(crate) fn check_origins(origins: &[String]) -> Result<()> {
    if origins.is_empty() {
        return Err(Error::config("dpop.origin", "must name at least one origin"));
    }
    let is_origin = |origin: &String| {
        Url::parse(origin).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.origin().ascii_serialization() == *origin
        })
    };
    if origins.iter().all(is_origin) {
        return Ok(());
    }
    Err(Error::config("dpop.origin", "must be an origin, such as https://api.example"))
}

fn normal(url: &str) -> Option<String> {
    let mut url = Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    url.set_query(None);
    url.set_fragment(None);
    Some(with_upper_case_escapes(url.as_str()))
}

/// `%7e` and `%7E` are the same (RFC 3986 §6.2.2.1).
fn with_upper_case_escapes(url: &str) -> String {
    let mut escaped = 0;
    let letters = url.chars().map(|letter| {
        if letter == '%' {
            escaped = 2;
            return letter;
        }
        if escaped == 0 {
            return letter;
        }
        escaped -= 1;
        letter.to_ascii_uppercase()
    });
    letters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_without_query_and_after_normalisation() {
        let target = Target::new("POST", "https://api.example/auth/refresh?a=b").unwrap();
        for same in [
            "https://api.example/auth/refresh",
            "https://api.example/auth/refresh?x#y",
            "HTTPS://API.example:443/auth/refresh",
            "https://api.example/other/../auth/./refresh",
        ] {
            assert!(target.is("POST", same), "{same}");
        }
        for other in [
            "http://api.example/auth/refresh",
            "https://api.example:8443/auth/refresh",
            "https://api.example/auth/refresh/",
            "https://api.example/Auth/refresh",
            "https://evil.example/auth/refresh",
            "/auth/refresh",
            "",
        ] {
            assert!(!target.is("POST", other), "{other}");
        }
        assert!(!target.is("GET", "https://api.example/auth/refresh"));
        assert!(!target.is("post", "https://api.example/auth/refresh"));
        let escaped = Target::new("GET", "https://api.example/%7euser").unwrap();
        assert!(escaped.is("GET", "https://api.example/%7Euser"));
        assert!(
            Target::new("GET", "https://api.example").unwrap().is("GET", "https://api.example/")
        );
    }

    #[test]
    fn an_address_is_needed() {
        for bad in ["", "/path", "ftp://api.example/", "not an address"] {
            assert!(matches!(Target::new("GET", bad), Err(Error::ConfigInvalid { .. })), "{bad}");
        }
    }
}
