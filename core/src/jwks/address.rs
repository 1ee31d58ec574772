//! Where an issuer publishes its keys.

use std::fmt;

use url::{Host, Url};

use crate::error::{Error, Result};

/// The address of a JWK Set (`jwks_uri` of RFC 8414 §2).
#[derive(Clone, PartialEq, Eq)]
pub struct JwksUri(Url);

impl JwksUri {
    /// Checks an address. Whoever can change the set on its way can sign in as anybody, so it is
    /// to be `https`; `http` is for loopback alone, where tests are.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `keysUrl`: no absolute `https` address, or one with a user
    /// name, a password or a fragment.
    pub fn new(text: &str) -> Result<Self> {
        let refuse = |problem: &str| Err(Error::config("keysUrl", problem));
        let Ok(url) = Url::parse(text) else { return refuse("is not an address") };
        let is_loopback = match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        if url.scheme() != "https" && !(url.scheme() == "http" && is_loopback) {
            return refuse("must be https, but on loopback");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return refuse("must be without user name, password and fragment");
        }
        Ok(Self(url))
    }

    /// The address.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Debug for JwksUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeySetUrl({})", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_but_on_loopback() {
        for good in [
            "https://issuer.example/.well-known/jwks.json",
            "https://issuer.example:8443/keys?tenant=1",
            "http://127.0.0.1:3000/jwks",
            "http://[::1]:3000/jwks",
            "http://localhost/jwks",
        ] {
            assert_eq!(JwksUri::new(good).unwrap().as_str(), good);
        }
        for bad in [
            "",
            "/jwks",
            "issuer.example/jwks",
            "http://issuer.example/jwks",
            "http://localhost.issuer.example/jwks",
            "http://127.0.0.1.issuer.example/jwks",
            "ftp://127.0.0.1/jwks",
            "file:///etc/keys",
            "https://user@issuer.example/jwks",
            "https://user:secret@issuer.example/jwks",
            "https://issuer.example/jwks#1",
        ] {
            assert!(matches!(JwksUri::new(bad), Err(Error::ConfigInvalid { .. })), "{bad}");
        }
    }
}
