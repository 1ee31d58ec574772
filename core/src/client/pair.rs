//! The pair of tokens that a client holds.

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::keys::Thumbprint;
use crate::token::decode_unverified;
use crate::types::{AccessToken, RefreshToken, Timestamp};

use super::answer::Grant;
use super::now::{Now, ServerClock};

/// An access token, the refresh token that renews it, and what is known about them.
///
/// `Debug` shows neither the tokens nor the user.
#[derive(Clone, PartialEq, Eq, Hash)]
#[must_use]
pub struct Pair {
    pub(super) access: AccessToken,
    pub(super) refresh: RefreshToken,
    pub(super) user: Option<String>,
    /// How long the access token lives.
    pub(super) lifetime: Option<Duration>,
    /// When the access token was issued and when it expires, both by the server's clock.
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    /// By how much the server's clock was ahead of the device's when the pair arrived.
    pub(super) skew_ms: Option<i64>,
}

impl Pair {
    /// A pair as a login has answered it. When the access token expires is read from its `exp`
    /// and `iat`, which are believed without a check: it is the client's own token.
    pub fn new(access: AccessToken, refresh: RefreshToken) -> Self {
        let (issued_at, expires_at) = instants_of(&access);
        let lifetime = issued_at.zip(expires_at).map(|(from, to)| to.since(from));
        Self { access, refresh, user: None, lifetime, issued_at, expires_at, skew_ms: None }
    }

    /// The user's id, for servers that want to be told it with a refresh token (the preset
    /// [`Endpoint::rt_verify`](super::Endpoint::rt_verify)).
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// How long the access token lives, for tokens without `exp` and `iat`.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = self.lifetime.or(Some(lifetime));
        self
    }

    /// The access token.
    pub const fn access_token(&self) -> &AccessToken {
        &self.access
    }

    /// The refresh token. It goes to the refresh endpoint and nowhere else.
    pub const fn refresh_token(&self) -> &RefreshToken {
        &self.refresh
    }

    /// The user's id, where it was given.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// How long the access token lives from its issue, where that is known.
    pub const fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// What the refresh token says of the key that it is bound to, or else the access token;
    /// believed without a check.
    pub(super) fn binding(&self) -> Binding {
        match decode_unverified(self.refresh.expose()) {
            Ok(decoded) => decoded.claims().get("jkt").map_or(Binding::None, Binding::of),
            Err(_) => match Binding::of_access(&self.access) {
                Binding::Key(key) => Binding::Key(key),
                // It may be that refreshes alone need a proof.
                Binding::None | Binding::Untold => Binding::Untold,
            },
        }
    }

    /// The pair that `grant` makes of this one.
    pub(super) fn renewed(&self, grant: Grant) -> Self {
        let refresh = grant.refresh.unwrap_or_else(|| self.refresh.clone());
        let mut next = Self::new(grant.access, refresh);
        next.user.clone_from(&self.user);
        next.lifetime = next.lifetime.or(grant.lifetime);
        next
    }

    /// Notes what the arrival of this pair tells of the server's clock. `asked` is when it was
    /// asked for: no later than it was issued, so that it is not thought to live longer than it
    /// does. `date` is the time by the server itself, for tokens that do not say it.
    pub(super) fn arrived(&mut self, asked: Now, date: Option<Timestamp>) -> Option<ServerClock> {
        let clock = self.issued_at.or(date).map(|server| ServerClock::learnt(server, asked));
        self.skew_ms = clock.map(|clock| clock.skew_ms());
        if self.expires_at.is_none() {
            let issued = clock.map_or(asked.wall, |clock| clock.now(asked));
            self.expires_at = self.lifetime.map(|lifetime| issued.plus(lifetime));
        }
        clock
    }
}

impl fmt::Debug for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Whether a token is bound to a key of the client (DPoP, RFC 9449 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Binding {
    /// To the key with this thumbprint.
    Key(Thumbprint),
    /// It is a bearer token.
    None,
    /// It does not say.
    Untold,
}

impl Binding {
    /// What an access token says (RFC 9449 §6.1).
    pub(super) fn of_access(token: &AccessToken) -> Self {
        let Ok(decoded) = decode_unverified(token.expose()) else { return Self::Untold };
        let key = decoded.claims().get("cnf").and_then(|cnf| cnf.get("jkt"));
        key.map_or(Self::None, Self::of)
    }

    fn of(key: &Value) -> Self {
        let thumbprint = key.as_str().and_then(|text| text.parse().ok());
        thumbprint.map_or(Self::Untold, Self::Key)
    }
}

/// When an access token says that it was issued.
#[cfg(feature = "client")]
pub(super) fn issued_at(access: &AccessToken) -> Option<Timestamp> {
    instants_of(access).0
}

/// `iat` and `exp`, where the token is a JWT that has them.
fn instants_of(access: &AccessToken) -> (Option<Timestamp>, Option<Timestamp>) {
    let Ok(decoded) = decode_unverified(access.expose()) else { return (None, None) };
    let instant = |name: &str| {
        let seconds = decoded.claims().get(name)?.as_f64()?;
        // Saturates, and a fraction of a millisecond does not matter.
        #[allow(clippy::cast_possible_truncation, reason = "saturates")]
        Some(Timestamp::from_millis((seconds * 1000.0) as i64))
    };
    (instant("iat"), instant("exp"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::token::base64url;

    fn token(claims: &str) -> AccessToken {
        let encode = |text: &str| base64url::encode(text.as_bytes());
        AccessToken::new(format!("{}.{}.AA", encode("{}"), encode(claims)))
    }

    fn refresh() -> RefreshToken {
        RefreshToken::new("r")
    }

    #[test]
    fn reads_the_lifetime_of_its_token() {
        let pair = Pair::new(token(r#"{"iat":100,"exp":1000}"#), refresh());
        assert_eq!(pair.lifetime, Some(Duration::from_secs(900)));
        assert_eq!(pair.expires_at, Some(Timestamp::from_seconds(1000)));
        for opaque in [AccessToken::new("opaque"), token(r#"{"exp":"soon"}"#)] {
            let pair = Pair::new(opaque, refresh());
            assert_eq!((pair.lifetime, pair.expires_at), (None, None));
        }
    }

    #[test]
    fn a_token_that_says_nothing_lives_as_long_as_the_server_says() {
        let now = Now { monotonic: Duration::ZERO, wall: Timestamp::from_seconds(50) };
        let mut pair = Pair::new(AccessToken::new("opaque"), refresh());
        pair = pair.expires_in(Duration::from_secs(60));
        pair.arrived(now, Some(Timestamp::from_seconds(500)));
        assert_eq!(pair.expires_at, Some(Timestamp::from_seconds(560)));
        assert_eq!(pair.skew_ms, Some(450_000));
    }

    #[test]
    fn says_what_its_tokens_are_bound_to() {
        let key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let bound = Binding::Key(key.parse().unwrap());
        let refresh = |text: &str| RefreshToken::new(token(text).expose());
        for (refresh, expected) in [
            (refresh(&format!(r#"{{"jkt":"{key}"}}"#)), bound),
            (refresh(r#"{"jkt":7}"#), Binding::Untold),
            (refresh("{}"), Binding::None),
            (RefreshToken::new("opaque"), Binding::Untold),
        ] {
            assert_eq!(Pair::new(AccessToken::new("a"), refresh).binding(), expected);
        }
        for (access, expected) in [
            (token(&format!(r#"{{"cnf":{{"jkt":"{key}"}}}}"#)), bound),
            (token(r#"{"cnf":{"jkt":"short"}}"#), Binding::Untold),
            (token(r#"{"cnf":7}"#), Binding::None),
            (token("{}"), Binding::None),
            (AccessToken::new("opaque"), Binding::Untold),
        ] {
            assert_eq!(Binding::of_access(&access), expected);
        }
    }

    #[test]
    fn shows_no_token() {
        let pair = Pair::new(AccessToken::new("planted-a"), RefreshToken::new("planted-r"));
        let shown = format!("{:?}", pair.user("planted-u"));
        assert!(!shown.contains("planted"), "{shown}");
    }
}
