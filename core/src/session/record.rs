//! All that is kept of a session: constant in size, whatever the session's age, and no token.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::error::Error;
use crate::types::{FamilyPosition, Generation, RevocationReason, Timestamp};

use super::TokenId;

/// Whether a session is alive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It may be refreshed.
    Live,
    /// It was ended; the reason is kept until the session would have expired.
    Revoked(RevocationReason),
}

/// The latest refresh token that was minted from the confirmed one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Child {
    /// 0 for the first; one more each time that an earlier child was given up as lost.
    pub branch: u32,
    /// When it was minted; strictly later than its parent.
    pub issued_at: Timestamp,
    /// Whether its access token was seen in use: then the answer has arrived.
    pub used: bool,
}

/// A session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The generation of the confirmed refresh token.
    pub generation: Generation,
    /// The id of the confirmed refresh token.
    pub id: TokenId,
    /// The latest child of the confirmed refresh token, if one was minted.
    pub child: Option<Child>,
    /// When the confirmed refresh token was confirmed.
    pub confirmed_at: Timestamp,
    /// When the user logged in; of an adopted session, in the app that was here before.
    pub created_at: Timestamp,
    /// When the session ends, whatever happens. Never moves.
    pub expires_at: Timestamp,
    /// When the session ends unless it is refreshed; of a session that is over, when it ended.
    /// Moves only when a child is minted, or nearer when the session is revoked.
    pub idle_deadline: Timestamp,
    /// Whether the session is alive.
    pub state: State,
    /// Whether it was taken over from the app that was here before: see [`NewSession::adopted`].
    pub adopted: bool,
    /// The name that people know the device by.
    pub device: DeviceLabel,
}

impl Record {
    /// The last instant that a record can hold, in the year 10889: stores keep 48 bits of
    /// milliseconds. A session that is to live longer ends then.
    pub const LAST_INSTANT: Timestamp = Timestamp::from_millis((1 << 48) - 1);

    /// The record of a login at `now`.
    pub fn begin(new: &NewSession, now: Timestamp) -> Self {
        let now = now.min(Self::LAST_INSTANT);
        let expires_at = now.plus(new.absolute_ttl).min(Self::LAST_INSTANT);
        let began = new.adopted.map(|began| began.max(Timestamp::EPOCH));
        Self {
            generation: 0,
            id: new.id,
            child: None,
            confirmed_at: now,
            created_at: began.map_or(now, |began| began.min(now)),
            expires_at,
            idle_deadline: now.plus(new.idle_ttl).min(expires_at),
            state: State::Live,
            adopted: new.adopted.is_some(),
            device: new.device.clone(),
        }
    }

    /// When the latest refresh token was minted, or the login happened.
    pub fn last_refreshed(&self) -> Timestamp {
        self.child.map_or(self.confirmed_at, |child| child.issued_at.max(self.confirmed_at))
    }

    /// Whether the session can still be refreshed at `now`.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.state == State::Live && now < self.idle_deadline && now < self.expires_at
    }

    /// The place of the latest child in the chain.
    pub(super) fn child_position(&self, branch: u32) -> FamilyPosition {
        FamilyPosition { generation: self.generation.saturating_add(1), branch }
    }

    /// This session, ended for `reason` at `now`; where it had idled out, it ended then.
    pub(crate) fn revoked(&self, reason: RevocationReason, now: Timestamp) -> Self {
        let state = State::Revoked(reason);
        Self { state, idle_deadline: self.idle_deadline.min(now), ..self.clone() }
    }
}

/// What a login says about the session that it begins.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// The id of the first refresh token.
    pub id: TokenId,
    /// See [`SessionPolicy::idle_ttl`](super::SessionPolicy::idle_ttl).
    pub idle_ttl: Duration,
    /// See [`SessionPolicy::absolute_ttl`](super::SessionPolicy::absolute_ttl).
    pub absolute_ttl: Duration,
    /// The name that people know the device by.
    pub device: DeviceLabel,
    /// See [`SessionPolicy::max_sessions`](super::SessionPolicy::max_sessions). `None`: nobody
    /// gives way to this session, and nothing is forgotten for it.
    pub max_sessions: Option<NonZeroU32>,
    /// Of a session that is taken over from the app that was here before: when it began there.
    /// Such a session is never forgotten before it expires, because its old token would begin
    /// it anew.
    pub adopted: Option<Timestamp>,
}

/// The name that people know a device by: at most 64 bytes of text without control characters.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct DeviceLabel(Box<str>);

impl DeviceLabel {
    /// The longest label, in bytes.
    pub const MAX_BYTES: usize = 64;

    /// Checks and takes over `text`.
    ///
    /// # Errors
    /// [`Error::ClaimInvalid`] for `device` when it is too long or has control characters.
    pub fn new(text: impl Into<String>) -> Result<Self, Error> {
        let text = text.into();
        if text.len() > Self::MAX_BYTES || text.chars().any(char::is_control) {
            return Err(Error::claim_invalid("device"));
        }
        Ok(Self(text.into_boxed_str()))
    }

    /// Makes a label of any text, such as a `User-Agent`: control characters dropped, cut to
    /// the longest length at a character's end.
    pub fn lossy(text: &str) -> Self {
        let mut label = String::new();
        for c in text.trim().chars().filter(|c| !c.is_control()) {
            if label.len() + c.len_utf8() > Self::MAX_BYTES {
                break;
            }
            label.push(c);
        }
        Self(label.into_boxed_str())
    }

    /// The text; empty when the app gave none.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for DeviceLabel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DeviceLabel({:?})", &self.0)
    }
}
