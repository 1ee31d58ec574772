//! What a request to the app's server carries, so that it is let in.

use std::fmt;

use crate::types::AccessToken;

/// An access token for one request, and the proof of the key that it is bound to, if it is
/// (RFC 9449 §7). `Debug` shows neither.
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

    /// Whether an answer of this status is to be shown to
    /// [`Session::authorization_for_retry`](super::Session::authorization_for_retry): one that the
    /// request may be repeated for, or that may have a nonce for the next.
    pub const fn heeds(&self, status: u16) -> bool {
        status == 401 || self.proof.is_some()
    }

    /// The headers, with names in lower case: `authorization`, as `Bearer` (RFC 6750 §2.1) or
    /// `DPoP`, and with the latter `dpop`. They are as secret as the token, and for this request
    /// alone.
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
