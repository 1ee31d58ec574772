//! The token pair that an app passes to a session, and the state of the session.

use std::fmt;
use std::time::Duration;

use regrant::client;
use regrant::types::{AccessToken, RefreshToken};

use super::RefreshEndpoint;

/// The token pair from a login response. Its text form shows no token.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct TokenPair {
    /// The access token, without a scheme.
    pub access_token: String,
    /// The refresh token, without a scheme. Send it to the refresh endpoint and nowhere else.
    pub refresh_token: String,
    /// The user's id, for servers that expect it along with a refresh token (the shape `RtVerify`).
    #[uniffi(default = None)]
    pub user: Option<String>,
    /// The lifetime of the access token, for tokens without `iat` and `exp`.
    #[uniffi(default = None)]
    pub expires_in: Option<Duration>,
}

impl TokenPair {
    /// Converts to the core's pair, whose tokens are wiped on drop.
    pub(super) fn into_core(self) -> client::TokenPair {
        let (access, refresh) =
            (AccessToken::new(self.access_token), RefreshToken::new(self.refresh_token));
        let mut pair = client::TokenPair::new(access, refresh);
        if let Some(user) = self.user {
            pair = pair.user(user);
        }
        if let Some(lifetime) = self.expires_in {
            pair = pair.expires_in(lifetime);
        }
        pair
    }
}

impl From<client::TokenPair> for TokenPair {
    fn from(pair: client::TokenPair) -> Self {
        Self {
            access_token: pair.access_token().expose().to_owned(),
            refresh_token: pair.refresh_token().expose().to_owned(),
            user: pair.user_id().map(str::to_owned),
            expires_in: pair.lifetime(),
        }
    }
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenPair([redacted])")
    }
}

/// The pair in the body of a login response: JSON with `accessToken` and `refreshToken`, and
/// optionally `expiresIn` (seconds) and `userId`. Nothing if a token is missing. `Bearer ` before a
/// token is removed. With `endpoint`, in the format of that endpoint.
#[uniffi::export(default(endpoint = None))]
// A slice would be a `ByteBuffer` in Kotlin.
#[allow(clippy::needless_pass_by_value, reason = "required by uniffi")]
pub fn read_login(body: Vec<u8>, endpoint: Option<RefreshEndpoint>) -> Option<TokenPair> {
    let pair = match endpoint {
        None => client::RefreshEndpoint::read_login(&body),
        Some(endpoint) => endpoint.into_core().read_login_of(&body),
    };
    pair.map(Into::into)
}

/// Whether a user is signed in, as far as the session knows.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
// Otherwise Kotlin prints the address of the object.
#[uniffi::export(Debug)]
pub enum SessionState {
    /// The storage has not been read yet.
    Unknown,
    /// There is a token pair.
    SignedIn,
    /// There is no usable token pair.
    SignedOut {
        /// The reason.
        reason: SignOutReason,
    },
}

impl From<client::SessionState> for SessionState {
    fn from(state: client::SessionState) -> Self {
        match state {
            client::SessionState::Unknown => Self::Unknown,
            client::SessionState::SignedIn => Self::SignedIn,
            client::SessionState::SignedOut(reason) => Self::SignedOut { reason: reason.into() },
        }
    }
}

/// Why the user must sign in.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
// Otherwise Kotlin prints the address of the object.
#[uniffi::export(Debug)]
pub enum SignOutReason {
    /// Nobody has signed in on this device, or the stored tokens were deleted.
    NotSignedIn,
    /// The user signed out in this process.
    ByUser,
    /// The user signed out in another process of this app.
    Elsewhere,
    /// The refresh token or its session has expired.
    Expired,
    /// The session was revoked.
    Revoked {
        /// The server's reason, if known: `logout`, `logout_everywhere`, `administrative` or
        /// `displaced`.
        reason: Option<String>,
    },
    /// The refresh token was reused by a second holder, and the session was revoked (RFC 9700 §4.14):
    /// the tokens were stolen, or copied to another device. Tell the user.
    Reused,
    /// The server does not know the session.
    Unknown,
    /// The server rejected the refresh token.
    Rejected {
        /// The error code, if this version knows it.
        code: Option<String>,
    },
    /// The stored value is not a token pair.
    Unreadable,
    /// The stored tokens are bound to a key that this session does not have: the key was lost, or the
    /// session was created without it. The tokens stay in the storage.
    OtherKey,
    /// The storage has lost its content for good (`CallbackError.Lost`).
    StorageLost,
    /// The key that the tokens are bound to is lost for good (`CallbackError.Lost`): sign in with a new
    /// session that has a new key.
    KeyLost,
}

/// What a sign-out has achieved. The tokens are deleted from the device in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, uniffi::Enum)]
pub enum SignOutOutcome {
    /// The server has revoked the session, or it was over already.
    Revoked,
    /// The server could not be reached. The session revokes its tokens later: while it runs, and when
    /// the next session over the same storage starts, unless another user signs in before.
    Pending,
    /// The server was not asked, or refused: it has no logout endpoint, or there were no tokens.
    Local,
}

impl From<client::SignOutOutcome> for SignOutOutcome {
    fn from(outcome: client::SignOutOutcome) -> Self {
        match outcome {
            client::SignOutOutcome::Revoked => Self::Revoked,
            client::SignOutOutcome::Pending => Self::Pending,
            client::SignOutOutcome::Local => Self::Local,
        }
    }
}

impl From<client::SignOutReason> for SignOutReason {
    fn from(reason: client::SignOutReason) -> Self {
        use client::SignOutReason as Core;
        match reason {
            Core::NotSignedIn => Self::NotSignedIn,
            Core::ByUser => Self::ByUser,
            Core::Elsewhere => Self::Elsewhere,
            Core::Expired => Self::Expired,
            Core::Revoked(reason) => {
                Self::Revoked { reason: reason.map(|reason| reason.to_string()) }
            }
            Core::Reused => Self::Reused,
            Core::Unknown => Self::Unknown,
            Core::Rejected(code) => Self::Rejected { code: code.map(|code| code.to_string()) },
            Core::Unreadable => Self::Unreadable,
            Core::OtherKey => Self::OtherKey,
            Core::StorageLost => Self::StorageLost,
            Core::KeyLost => Self::KeyLost,
            _ => Self::Rejected { code: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_login_response() {
        let pair = read_login(
            br#"{"accessToken":"Bearer a","refreshToken":"r","expiresIn":60,"userId":7}"#.to_vec(),
            None,
        );
        let expected = TokenPair {
            access_token: "a".to_owned(),
            refresh_token: "r".to_owned(),
            user: Some("7".to_owned()),
            expires_in: Some(Duration::from_secs(60)),
        };
        assert_eq!(pair.as_ref(), Some(&expected));
        assert_eq!(TokenPair::from(expected.clone().into_core()), expected);
        assert_eq!(read_login(br#"{"accessToken":"a"}"#.to_vec(), None), None);
    }

    #[test]
    fn debug_shows_no_token() {
        let pair = TokenPair {
            access_token: "planted".to_owned(),
            refresh_token: "planted".to_owned(),
            user: Some("planted".to_owned()),
            expires_in: None,
        };
        assert!(!format!("{pair:?}").contains("planted"));
    }
}
