//! What the app decides about its sessions.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::failure_limit::FailureLimit;
use crate::error::Error;

/// What a theft takes down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TheftScope {
    /// The session whose token was stolen.
    #[default]
    Session,
    /// All sessions of its user.
    Subject,
}

/// How long sessions live and how they are refreshed.
///
/// Construct with [`SessionPolicy::default`] and change what differs; [`Auth`](crate::Auth)
/// checks the whole when it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// A session that is not refreshed for this long ends. Default 14 days.
    pub idle_ttl: Duration,
    /// A session ends this long after its login, whatever happens. Default 90 days.
    pub absolute_ttl: Duration,
    /// For this long a refresh token that was already used gets the same answer again: two tabs,
    /// a retry, a double click. Default 10 seconds.
    pub grace: Duration,
    /// Whether a refresh answers with a next refresh token. Default `true`.
    pub rotation: bool,
    /// What a theft takes down. Default: its session.
    pub on_theft: TheftScope,
    /// How many live sessions a user may have; `None` for any number. Default 50.
    ///
    /// To a login beyond that those sessions give way that were not refreshed for the longest
    /// time. Of the sessions that are over as many are kept as well, until they expire, so that
    /// their holders are told the reason; those that ended first are forgotten. With `None`
    /// nothing is forgotten.
    pub max_sessions: Option<NonZeroU32>,
    /// How many refreshes may be under way at once in this process. Default 10,000. One more is
    /// answered by [`Error::StoreUnavailable`](crate::Error::StoreUnavailable) at once, so that a
    /// store that has become slow does not fill the memory.
    pub max_in_flight: NonZeroU32,
    /// How many refreshes may fail; `None` for any number. By default 30 in a minute.
    pub limiter: Option<FailureLimit>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            idle_ttl: DAY * 14,
            absolute_ttl: DAY * 90,
            grace: Duration::from_secs(10),
            rotation: true,
            on_theft: TheftScope::Session,
            max_sessions: NonZeroU32::new(50),
            max_in_flight: NonZeroU32::MIN.saturating_add(9_999),
            limiter: Some(FailureLimit::default()),
        }
    }
}

impl SessionPolicy {
    /// The longest grace: a longer one would leave thieves unseen.
    pub const LONGEST_GRACE: Duration = Duration::from_secs(300);

    /// Checks that the lifetimes can work together.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the field.
    pub fn check(&self) -> Result<(), Error> {
        if self.idle_ttl < Duration::from_secs(1) {
            return Err(Error::config("refresh.idleTtl", "must be at least one second"));
        }
        if self.absolute_ttl < self.idle_ttl {
            return Err(Error::config(
                "refresh.absoluteTtl",
                "must not be shorter than refresh.idleTtl",
            ));
        }
        if self.grace > Self::LONGEST_GRACE {
            return Err(Error::config("refresh.grace", "must not be longer than 5 minutes"));
        }
        self.limiter.map_or(Ok(()), FailureLimit::check)
    }

    /// What one refresh goes by: this policy, with `rotate` in place of its rotation where the
    /// client asked for one or the other.
    pub fn for_refresh(&self, rotate: Option<bool>) -> RefreshPolicy {
        RefreshPolicy {
            grace: self.grace,
            idle_ttl: self.idle_ttl,
            rotate: rotate.unwrap_or(self.rotation),
            on_theft: self.on_theft,
        }
    }
}

/// What one refresh goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// See [`SessionPolicy::grace`].
    pub grace: Duration,
    /// See [`SessionPolicy::idle_ttl`].
    pub idle_ttl: Duration,
    /// Whether the answer carries a next refresh token.
    pub rotate: bool,
    /// See [`SessionPolicy::on_theft`].
    pub on_theft: TheftScope,
}
