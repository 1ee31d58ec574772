//! The pair of tokens that a login is answered with.

use std::fmt;
use std::time::Duration;

use regrant::client::{Endpoint, Pair};
use regrant::types::{AccessToken, RefreshToken};

/// The pair of tokens that a login is answered with. Its text form shows nothing of them.
#[derive(Clone, PartialEq, Eq, uniffi::Record)]
#[uniffi::export(Debug)]
pub struct TokenPair {
    /// The access token, without a scheme.
    pub access_token: String,
    /// The refresh token, without a scheme. It goes to the refresh endpoint and nowhere else.
    pub refresh_token: String,
    /// The user's id, for servers that want to be told it with a refresh token (the shape
    /// `RtVerify`).
    #[uniffi(default = None)]
    pub user: Option<String>,
    /// How long the access token lives, for tokens that do not say it by `exp` and `iat`.
    #[uniffi(default = None)]
    pub expires_in: Option<Duration>,
}

impl TokenPair {
    /// The pair for the core, where the tokens are wiped when dropped.
    pub(super) fn into_core(self) -> Pair {
        let (access, refresh) =
            (AccessToken::new(self.access_token), RefreshToken::new(self.refresh_token));
        let mut pair = Pair::new(access, refresh);
        if let Some(user) = self.user {
            pair = pair.user(user);
        }
        if let Some(lifetime) = self.expires_in {
            pair = pair.expires_in(lifetime);
        }
        pair
    }
}

impl From<Pair> for TokenPair {
    fn from(pair: Pair) -> Self {
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

/// The pair in the body of a login's answer, JSON with `accessToken`, `refreshToken`, `expiresIn`
/// in seconds and `userId`; nothing where one of the first two is absent. `Bearer ` before a token
/// is left out.
#[uniffi::export]
// Borrowed, it would be a `ByteBuffer` in Kotlin.
#[allow(clippy::needless_pass_by_value, reason = "the type on the other side")]
pub fn read_login(body: Vec<u8>) -> Option<TokenPair> {
    Endpoint::read_login(&body).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_a_login_says() {
        let pair = read_login(
            br#"{"accessToken":"Bearer a","refreshToken":"r","expiresIn":60,"userId":7}"#.to_vec(),
        );
        let expected = TokenPair {
            access_token: "a".to_owned(),
            refresh_token: "r".to_owned(),
            user: Some("7".to_owned()),
            expires_in: Some(Duration::from_secs(60)),
        };
        assert_eq!(pair.as_ref(), Some(&expected));
        assert_eq!(TokenPair::from(expected.clone().into_core()), expected);
        assert_eq!(read_login(br#"{"accessToken":"a"}"#.to_vec()), None);
    }

    #[test]
    fn shows_no_token() {
        let pair = TokenPair {
            access_token: "planted".to_owned(),
            refresh_token: "planted".to_owned(),
            user: Some("planted".to_owned()),
            expires_in: None,
        };
        assert!(!format!("{pair:?}").contains("planted"));
    }
}
