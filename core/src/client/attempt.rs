//! What one request to the app's server carries.

use std::fmt;

use crate::types::AccessToken;

/// The access token for one request, with a DPoP proof if the token is bound to a key (RFC 9449
/// §7). `Debug` shows neither.
#[derive(Clone)]
#[must_use]
pub struct Authorization {
    pub(super) token: AccessToken,
    pub(super) proof: Option<String>,
    pub(super) method: String,
    pub(super) url: String,
}

impl Authorization {
    /// The access token.
    pub const fn token(&self) -> &AccessToken {
        &self.token
    }

    /// Whether to pass a response of this status to
    /// [`Session::authorization_for_retry`](super::Session::authorization_for_retry): it may
    /// require a retry, or contain the nonce for the next proof.
    pub const fn is_relevant(&self, status: u16) -> bool {
        status == 401 || self.proof.is_some()
    }

    /// The headers, with names in lower case: `authorization` with the scheme `Bearer` (RFC 6750
    /// §2.1), or with the scheme `DPoP` and the header `dpop`. They are as secret as the token, and
    /// valid for this request only.
    pub fn headers(&self) -> Vec<(&'static str, String)> {
        let token = self.token.expose();
        match &self.proof {
            None => vec![("authorization", format!("Bearer {token}"))],
            Some(proof) => {
                vec![("authorization", format!("DPoP {token}")), ("dpop", proof.clone())]
            }
        }
    }
}

impl fmt::Debug for Authorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authorization")
            .field("method", &self.method)
            .field("url", &self.url)
            .field("is_bound", &self.proof.is_some())
            .finish_non_exhaustive()
    }
}
