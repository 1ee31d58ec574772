//! The steps of taking a token over.
//!
//! The order makes every step repeatable: first the session, then the note. Killed between the
//! two, the next attempt finds the same session and notes it.

use std::sync::Arc;
use std::time::Duration;

use super::{ImportOutcome, LegacyRefreshTokens, LegacyToken, MigrationMarker, Place};
use crate::error::Result;
use crate::session::{DeviceLabel, NewSession, SessionPolicy};
use crate::store::SessionStore;
use crate::types::{Subject, Timestamp};

/// Takes over the old app's tokens.
#[derive(Debug)]
pub(crate) struct Migration(LegacyRefreshTokens);

/// Whose a token is, and how it stands.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) subject: Subject,
    pub(crate) standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Known to the old app alone.
    New,
    /// Taken over; its session ends at this instant.
    Adopted(Timestamp),
    /// Taken over, and then logged out by an old process.
    LoggedOut(Timestamp),
}

/// What became of a token that was new.
#[derive(Debug)]
pub(crate) enum Taken {
    /// It has a session, until this instant.
    Adopted(Timestamp),
    /// It was logged out meanwhile.
    LoggedOut(Timestamp),
    /// It is from before the user was logged out everywhere.
    Ended(Timestamp),
}

impl Migration {
    pub(crate) const fn new(settings: LegacyRefreshTokens) -> Self {
        Self(settings)
    }

    /// The old app's store.
    pub(crate) fn legacy_store(&self) -> &dyn super::LegacyStore {
        self.0.store.as_ref()
    }

    /// The old app's store, for those who also need it.
    pub(crate) fn shared_store(&self) -> Arc<dyn super::LegacyStore> {
        Arc::clone(&self.0.store)
    }

    /// Reads a token; see [`LegacyToken::verify`].
    pub(crate) fn read<'a>(&self, token: &'a str) -> Result<LegacyToken<'a>> {
        LegacyToken::verify(token, &self.0.keys)
    }

    /// Whose token this is. `None` when neither the old app knows it nor a note.
    pub(crate) async fn find(&self, token: &LegacyToken<'_>) -> Result<Option<Found>> {
        let look = self.0.store.look(token.text, &token.session).await?;
        let found = match (look.value, look.mark) {
            // A note is final: from it on the session decides, and nothing begins it anew.
            (value, Some(MigrationMarker { place, expires_at, subject })) => {
                let logged_out = value.is_none() && place == Place::Kept;
                let standing = match logged_out {
                    true => Standing::LoggedOut(expires_at),
                    false => Standing::Adopted(expires_at),
                };
                Some(Found { subject, standing })
            }
            (Some(value), None) => {
                let subject = self.0.users.subject(&value).await?;
                subject.map(|subject| Found { subject, standing: Standing::New })
            }
            (None, None) => None,
        };
        Ok(found)
    }

    /// Begins the session of a token and notes it; where it was begun already it stays as it is.
    pub(crate) async fn take_over(
        &self,
        token: &LegacyToken<'_>,
        subject: &Subject,
        place: Place,
        sessions: &dyn SessionStore,
        policy: &SessionPolicy,
        now: Timestamp,
    ) -> Result<Taken> {
        let new = new_session(token, policy, now);
        let expires_at = sessions.create(subject, &token.session, &new).await?.record.expires_at;
        let mark = MigrationMarker { place, expires_at, subject: subject.clone() };
        let ttl = expires_at.since(now).max(Duration::from_millis(1));
        let ImportOutcome { mark, ended } =
            self.0.store.take_over(token.text, &token.session, &mark, ttl).await?;
        Ok(match (mark, ended) {
            (None, _) => Taken::LoggedOut(expires_at),
            (_, Some(ended)) if ended.covers(&token.session, token.issued_at) => {
                Taken::Ended(expires_at)
            }
            _ => Taken::Adopted(expires_at),
        })
    }
}

/// The session of an old token lives at least as long as the old app promised. Without rotation
/// its holder never shows another token, so that it must not idle out before.
fn new_session(token: &LegacyToken<'_>, policy: &SessionPolicy, now: Timestamp) -> NewSession {
    let promised = token.expires_at.map(|end| end.since(now));
    let absolute_ttl = policy.absolute_ttl.max(promised.unwrap_or_default());
    NewSession {
        id: token.id(),
        idle_ttl: promised.map_or(absolute_ttl, |promised| promised.max(policy.idle_ttl)),
        absolute_ttl,
        device: DeviceLabel::default(),
        // Nobody is logged out because somebody is taken over.
        max_sessions: None,
        legacy_login: Some(token.issued_at),
    }
}
