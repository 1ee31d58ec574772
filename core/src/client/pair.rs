//! The token pair that a client holds: what the tokens say about themselves, and how the pair is
//! stored.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::keys::Thumbprint;
use crate::token::decode_unverified;
use crate::types::{AccessToken, RefreshToken, Timestamp};

use super::clock::{DeviceTime, ServerClock};

/// An access token and the refresh token that renews it.
///
/// `Debug` shows neither the tokens nor the user.
#[derive(Clone, PartialEq, Eq, Hash)]
#[must_use]
pub struct TokenPair {
    pub(super) access: AccessToken,
    pub(super) refresh: RefreshToken,
    pub(super) user: Option<String>,
    /// The lifetime of the access token.
    pub(super) lifetime: Option<Duration>,
    /// When the access token was issued and when it expires, by the server's clock.
    pub(super) issued_at: Option<Timestamp>,
    pub(super) expires_at: Option<Timestamp>,
    /// By how much the server's clock was ahead of the device's when the pair was received.
    pub(super) skew_ms: Option<i64>,
}

impl TokenPair {
    /// The pair from a login response. The lifetime of the access token is read from its `iat` and
    /// `exp`, unverified: it is the client's own token.
    pub fn new(access: AccessToken, refresh: RefreshToken) -> Self {
        let (issued_at, expires_at) = iat_and_exp(&access);
        let lifetime = issued_at.zip(expires_at).map(|(from, to)| to.since(from));
        Self { access, refresh, user: None, lifetime, issued_at, expires_at, skew_ms: None }
    }

    /// Sets the user's id, for servers that expect it along with a refresh token (the preset
    /// [`RefreshEndpoint::rt_verify`](super::RefreshEndpoint::rt_verify)).
    pub fn user(mut self, user: impl Into<String>) -> Self {
        self.user = Some(user.into());
        self
    }

    /// Sets the lifetime of an access token that has no `iat` and `exp`.
    pub fn expires_in(mut self, lifetime: Duration) -> Self {
        self.lifetime = self.lifetime.or(Some(lifetime));
        self
    }

    /// The access token.
    pub const fn access_token(&self) -> &AccessToken {
        &self.access
    }

    /// The refresh token. Send it to the refresh endpoint and nowhere else.
    pub const fn refresh_token(&self) -> &RefreshToken {
        &self.refresh
    }

    /// The user's id, if set.
    pub fn user_id(&self) -> Option<&str> {
        self.user.as_deref()
    }

    /// The lifetime of the access token, if known.
    pub const fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// The key that the refresh token is bound to, or else the access token. Unverified.
    pub(super) fn binding(&self) -> DpopBinding {
        match decode_unverified(self.refresh.expose()) {
            Ok(decoded) => {
                decoded.claims().get("jkt").map_or(DpopBinding::Bearer, DpopBinding::of_jkt)
            }
            Err(_) => match DpopBinding::of_access(&self.access) {
                DpopBinding::Key(key) => DpopBinding::Key(key),
                // An opaque refresh token may be bound even if the access token is not.
                DpopBinding::Bearer | DpopBinding::Unknown => DpopBinding::Unknown,
            },
        }
    }

    /// The pair after a granted refresh.
    pub(super) fn renewed(&self, grant: Grant) -> Self {
        let refresh = grant.refresh.unwrap_or_else(|| self.refresh.clone());
        let mut next = Self::new(grant.access, refresh);
        next.user.clone_from(&self.user);
        next.lifetime = next.lifetime.or(grant.lifetime);
        next
    }

    /// Records when the pair was received, and estimates the server's clock from it. `requested_at`
    /// is the time of the request: no later than the issue, so that the token's remaining lifetime
    /// is never overestimated. `date` is the response's `Date`, for tokens without `iat`.
    pub(super) fn received(
        &mut self,
        requested_at: DeviceTime,
        date: Option<Timestamp>,
    ) -> Option<ServerClock> {
        let clock =
            self.issued_at.or(date).map(|server| ServerClock::observed(server, requested_at));
        self.skew_ms = clock.map(|clock| clock.skew_ms());
        let issued = clock.map_or(requested_at.wall, |clock| clock.now(requested_at));
        match (self.expires_at, self.lifetime) {
            (None, lifetime) => self.expires_at = lifetime.map(|lifetime| issued.plus(lifetime)),
            // Without `iat`. The lifetime limits the refresh margin: a margin longer than the
            // lifetime would refresh the token at every use.
            (Some(expires_at), None) if expires_at > issued => {
                self.lifetime = Some(expires_at.since(issued));
            }
            // The token has expired on arrival, so a clock is wrong: use it until a server rejects it.
            (Some(_), None) => self.expires_at = None,
            (Some(_), Some(_)) => {}
        }
        clock
    }
}

impl fmt::Debug for TokenPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenPair").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// The tokens of a granted refresh.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The new access token.
    pub access: AccessToken,
    /// The next refresh token; `None` if the presented one stays valid.
    pub refresh: Option<RefreshToken>,
    /// The lifetime of the access token, for tokens without `iat` and `exp`.
    pub lifetime: Option<Duration>,
    /// The server's clock, for tokens without `iat`.
    pub date: Option<Timestamp>,
}

impl Grant {
    /// When the access token was issued, by the server's clock.
    pub(super) fn issued_at(&self) -> Option<Timestamp> {
        iat_and_exp(&self.access).0.or(self.date)
    }
}

/// Which key a token is bound to (DPoP, RFC 9449 §6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DpopBinding {
    /// The key with this thumbprint.
    Key(Thumbprint),
    /// None: a bearer token.
    Bearer,
    /// The token does not tell.
    Unknown,
}

impl DpopBinding {
    /// The binding of an access token (`cnf.jkt`, RFC 9449 §6.1).
    pub(super) fn of_access(token: &AccessToken) -> Self {
        let Ok(decoded) = decode_unverified(token.expose()) else { return Self::Unknown };
        let jkt = decoded.claims().get("cnf").and_then(|cnf| cnf.get("jkt"));
        jkt.map_or(Self::Bearer, Self::of_jkt)
    }

    fn of_jkt(jkt: &Value) -> Self {
        let thumbprint = jkt.as_str().and_then(|text| text.parse().ok());
        thumbprint.map_or(Self::Unknown, Self::Key)
    }
}

/// `iat` and `exp`, if the token is a JWT that has them.
fn iat_and_exp(access: &AccessToken) -> (Option<Timestamp>, Option<Timestamp>) {
    let Ok(decoded) = decode_unverified(access.expose()) else { return (None, None) };
    let timestamp = |name: &str| {
        let seconds = decoded.claims().get(name)?.as_f64()?;
        #[allow(clippy::cast_possible_truncation, reason = "saturates")]
        Some(Timestamp::from_millis((seconds * 1000.0) as i64))
    };
    (timestamp("iat"), timestamp("exp"))
}

/// The version of the stored format.
const VERSION: u32 = 1;
/// The version of a stored pair that is signed out and remains to be revoked. To releases that do not
/// know it, the storage is unreadable: nobody is signed in.
const RETIRED: u32 = 2;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StoredRef<'a> {
    version: u32,
    access_token: &'a AccessToken,
    refresh_token: &'a RefreshToken,
    user: &'a Option<String>,
    lifetime_ms: Option<u64>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    skew_ms: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stored {
    version: u32,
    access_token: String,
    refresh_token: String,
    user: Option<String>,
    lifetime_ms: Option<u64>,
    issued_at: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    skew_ms: Option<i64>,
}

impl TokenPair {
    /// Serializes the pair for the storage. The bytes are as secret as the tokens.
    ///
    /// # Errors
    /// [`Error::Internal`], never in practice: a pair always serializes.
    pub fn to_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.serialize(VERSION)
    }

    /// Serializes the pair as signed out.
    pub(super) fn to_retired_bytes(&self) -> Result<Zeroizing<Vec<u8>>> {
        self.serialize(RETIRED)
    }

    fn serialize(&self, version: u32) -> Result<Zeroizing<Vec<u8>>> {
        let lifetime_ms =
            self.lifetime.map(|span| u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        let stored = StoredRef {
            version,
            access_token: &self.access,
            refresh_token: &self.refresh,
            user: &self.user,
            lifetime_ms,
            issued_at: self.issued_at,
            expires_at: self.expires_at,
            skew_ms: self.skew_ms,
        };
        serde_json::to_vec(&stored)
            .map(Zeroizing::new)
            .map_err(|_| Error::internal("cannot serialize a token pair"))
    }

    /// The stored pair, and whether it is signed out.
    pub(super) fn from_bytes(bytes: &[u8]) -> Option<(Self, bool)> {
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let is_retired = match stored.version {
            VERSION => false,
            RETIRED => true,
            _ => return None,
        };
        let pair = Self {
            access: AccessToken::new(stored.access_token),
            refresh: RefreshToken::new(stored.refresh_token),
            user: stored.user,
            lifetime: stored.lifetime_ms.map(Duration::from_millis),
            issued_at: stored.issued_at,
            expires_at: stored.expires_at,
            skew_ms: stored.skew_ms,
        };
        Some((pair, is_retired))
    }
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
        let pair = TokenPair::new(token(r#"{"iat":100,"exp":1000}"#), refresh());
        assert_eq!(pair.lifetime, Some(Duration::from_secs(900)));
        assert_eq!(pair.expires_at, Some(Timestamp::from_seconds(1000)));
        for opaque in [AccessToken::new("opaque"), token(r#"{"exp":"soon"}"#)] {
            let pair = TokenPair::new(opaque, refresh());
            assert_eq!((pair.lifetime, pair.expires_at), (None, None));
        }
    }

    #[test]
    fn an_opaque_token_has_the_lifetime_that_the_server_states() {
        let now = DeviceTime { monotonic: Duration::ZERO, wall: Timestamp::from_seconds(50) };
        let mut pair = TokenPair::new(AccessToken::new("opaque"), refresh());
        pair = pair.expires_in(Duration::from_secs(60));
        pair.received(now, Some(Timestamp::from_seconds(500)));
        assert_eq!(pair.expires_at, Some(Timestamp::from_seconds(560)));
        assert_eq!(pair.skew_ms, Some(450_000));
    }

    #[test]
    fn a_token_without_iat_lives_from_its_arrival_to_its_exp() {
        let at =
            |wall| DeviceTime { monotonic: Duration::ZERO, wall: Timestamp::from_seconds(wall) };
        let received = |wall, date: Option<i64>| {
            let mut pair = TokenPair::new(token(r#"{"exp":1020}"#), refresh());
            pair.received(at(wall), date.map(Timestamp::from_seconds));
            (pair.lifetime.map(|span| span.as_secs()), pair.expires_at.is_some())
        };
        assert_eq!(received(1_000, None), (Some(20), true));
        assert_eq!(received(7_000, Some(1_000)), (Some(20), true));
        // The device's clock is ahead, and nothing tells by how much.
        assert_eq!(received(7_000, None), (None, false));
    }

    #[test]
    fn reads_the_key_that_its_tokens_are_bound_to() {
        let key = "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I";
        let bound = DpopBinding::Key(key.parse().unwrap());
        let refresh = |text: &str| RefreshToken::new(token(text).expose());
        for (refresh, expected) in [
            (refresh(&format!(r#"{{"jkt":"{key}"}}"#)), bound),
            (refresh(r#"{"jkt":7}"#), DpopBinding::Unknown),
            (refresh("{}"), DpopBinding::Bearer),
            (RefreshToken::new("opaque"), DpopBinding::Unknown),
        ] {
            assert_eq!(TokenPair::new(AccessToken::new("a"), refresh).binding(), expected);
        }
        for (access, expected) in [
            (token(&format!(r#"{{"cnf":{{"jkt":"{key}"}}}}"#)), bound),
            (token(r#"{"cnf":{"jkt":"short"}}"#), DpopBinding::Unknown),
            (token(r#"{"cnf":7}"#), DpopBinding::Bearer),
            (token("{}"), DpopBinding::Bearer),
            (AccessToken::new("opaque"), DpopBinding::Unknown),
        ] {
            assert_eq!(DpopBinding::of_access(&access), expected);
        }
    }

    #[test]
    fn debug_shows_no_token() {
        let pair = TokenPair::new(AccessToken::new("planted-a"), RefreshToken::new("planted-r"));
        let shown = format!("{:?}", pair.user("planted-u"));
        assert!(!shown.contains("planted"), "{shown}");
    }

    #[test]
    fn the_stored_form_round_trips() {
        let mut pair = TokenPair::new(AccessToken::new("a"), RefreshToken::new("r")).user("7");
        let read = |bytes: &[u8]| TokenPair::from_bytes(bytes);
        assert_eq!(read(&pair.to_bytes().unwrap()), Some((pair.clone(), false)));
        assert_eq!(read(&pair.to_retired_bytes().unwrap()), Some((pair.clone(), true)));
        pair.lifetime = Some(Duration::from_secs(900));
        pair.issued_at = Some(Timestamp::from_seconds(1));
        pair.expires_at = Some(Timestamp::from_seconds(901));
        pair.skew_ms = Some(-600_000);
        assert_eq!(read(&pair.to_bytes().unwrap()), Some((pair, false)));
    }
}
