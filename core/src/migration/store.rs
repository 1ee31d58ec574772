//! The legacy app's store of refresh tokens, and the markers that the migration keeps beside them.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::{Error, Result};
use crate::types::{SessionId, Subject, Timestamp};

/// The legacy app's store: raw token → user. Every operation is atomic and can be repeated
/// without harm.
#[async_trait]
pub trait LegacyStore: Send + Sync + fmt::Debug {
    /// Looks up the token `key`, the marker of its session, and which tokens of the marker's user are revoked.
    async fn look_up(&self, key: &str, session: &SessionId) -> Result<Lookup>;

    /// Writes `marker`, if the key is still there. With [`LegacyKeyState::Kept`] the key stays,
    /// and expires after `ttl` as the marker does; with [`LegacyKeyState::Swept`] it is removed.
    async fn import(
        &self,
        key: &str,
        session: &SessionId,
        marker: &MigrationMarker,
        ttl: Duration,
    ) -> Result<ImportOutcome>;

    /// Removes the key of a token, so that the legacy app refuses it too. Returns whether the key
    /// existed, and the marker.
    async fn remove(
        &self,
        key: &str,
        session: &SessionId,
    ) -> Result<(bool, Option<MigrationMarker>)>;

    /// Records which tokens of a user are revoked. A record that reaches further is kept.
    async fn revoke_before(&self, subject: &Subject, revoked: &RevokedBefore) -> Result<()>;

    /// Returns the keys from `cursor` on, 0 for the first page, without the markers. A key that
    /// exists throughout is on at least one page.
    async fn keys(&self, cursor: u64) -> Result<KeyPage>;
}

/// The result of looking up a token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// The value under the legacy key: the user's id or e-mail address.
    pub value: Option<String>,
    /// The marker, if the token was migrated.
    pub marker: Option<MigrationMarker>,
    /// Which tokens of the marker's user are revoked.
    pub revoked: Option<RevokedBefore>,
}

/// The result of an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportOutcome {
    /// The marker that is now in the store. `None` when the key was gone and no sweep had removed
    /// it: the legacy app logged the user out meanwhile, and no marker was written.
    pub marker: Option<MigrationMarker>,
    /// Which of the user's tokens are revoked.
    pub revoked: Option<RevokedBefore>,
}

/// A page of keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyPage {
    /// The keys. A key may be on several pages.
    pub keys: Vec<String>,
    /// The cursor of the next page; 0 after the last.
    pub next: u64,
}

/// Whether the legacy key of a migrated token exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LegacyKeyState {
    /// Kept for the processes of the legacy app. If it is gone, one of them logged the user out.
    Kept,
    /// Removed by a sweep.
    Swept,
}

/// Says that a token was migrated. Names the session and the user, never the token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MigrationMarker {
    /// Whether the legacy key was kept.
    pub key: LegacyKeyState,
    /// When the session expires at the latest.
    pub expires_at: Timestamp,
    /// The user, as resolved by the migration.
    pub subject: Subject,
}

impl fmt::Display for MigrationMarker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = match self.key {
            LegacyKeyState::Kept => "kept",
            LegacyKeyState::Swept => "swept",
        };
        write!(f, "{key} {} {}", self.expires_at.as_millis(), self.subject)
    }
}

impl FromStr for MigrationMarker {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::internal("malformed migration marker");
        let mut parts = text.splitn(3, ' ');
        let mut next = || parts.next().ok_or_else(malformed);
        let key = match next()? {
            "kept" => LegacyKeyState::Kept,
            "swept" => LegacyKeyState::Swept,
            _ => return Err(malformed()),
        };
        let expires_at = next()?.parse().map_err(|_| malformed())?;
        let subject = Subject::new(next()?).map_err(|_| malformed())?;
        Ok(Self { key, expires_at: Timestamp::from_millis(expires_at), subject })
    }
}

/// "Log out everywhere" for legacy tokens, used before or not: revokes all tokens of a user that
/// were issued up to an instant, except at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedBefore {
    /// Tokens that were issued up to this instant are revoked.
    pub until: Timestamp,
    /// The session of the token that is not revoked: "everywhere but here".
    pub except: Option<SessionId>,
}

impl RevokedBefore {
    /// Whether the token that was issued at `issued_at` and becomes `session` is revoked.
    pub fn covers(&self, session: &SessionId, issued_at: Timestamp) -> bool {
        issued_at <= self.until && self.except.as_ref() != Some(session)
    }
}

impl fmt::Display for RevokedBefore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.until.as_millis())?;
        self.except.map_or(Ok(()), |session| write!(f, " {session}"))
    }
}

impl FromStr for RevokedBefore {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let malformed = || Error::internal("malformed record of a user's revoked legacy tokens");
        let (until, except) = match text.split_once(' ') {
            Some((until, session)) => (until, Some(session.parse().map_err(|_| malformed())?)),
            None => (text, None),
        };
        let until = until.parse().map_err(|_| malformed())?;
        Ok(Self { until: Timestamp::from_millis(until), except })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSTANT: Timestamp = Timestamp::from_millis(1_800_000_000_123);

    #[test]
    fn a_marker_round_trips_and_malformed_ones_are_refused() {
        for key in [LegacyKeyState::Kept, LegacyKeyState::Swept] {
            let subject = Subject::new("a b@c 가").unwrap();
            let marker = MigrationMarker { key, expires_at: INSTANT, subject };
            assert_eq!(marker.to_string().parse::<MigrationMarker>().unwrap(), marker);
        }
        for bad in ["", "kept", "kept 1", "kept 1 ", "kept x u", "other 1 u"] {
            let parsed = bad.parse::<MigrationMarker>();
            assert!(matches!(parsed, Err(Error::Internal { .. })), "{bad:?}");
        }
    }

    #[test]
    fn revoked_before_round_trips_and_malformed_ones_are_refused() {
        for except in [None, Some(SessionId::from_bytes([7; 16]))] {
            let revoked = RevokedBefore { until: INSTANT, except };
            assert_eq!(revoked.to_string().parse::<RevokedBefore>().unwrap(), revoked);
        }
        for bad in ["", "x", "1 ", "1 x"] {
            assert!(matches!(bad.parse::<RevokedBefore>(), Err(Error::Internal { .. })), "{bad:?}");
        }
    }
}
