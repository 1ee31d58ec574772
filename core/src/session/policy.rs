//! The app's settings for its sessions.

use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::error::Error;

/// What is revoked when refresh token reuse is detected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TheftScope {
    /// The session whose token was reused.
    #[default]
    Session,
    /// All sessions of the user.
    Subject,
}

/// How long sessions live and how they are refreshed.
///
/// Start from [`SessionPolicy::default`] and change what differs; building an
/// [`Auth`](crate::Auth) checks the values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPolicy {
    /// A session expires when it has not been refreshed for this long. Default 14 days.
    pub idle_ttl: Duration,
    /// A session expires this long after the login, refreshed or not. Default 90 days.
    pub absolute_ttl: Duration,
    /// For this long after the first use of its child a refresh token gets the same child again, so that
    /// two tabs, a retry or a double click do not look like reuse. Default 10 seconds.
    pub grace: Duration,
    /// The grace while nobody has used the child or its access token, so that a response that is
    /// slower than [`grace`](Self::grace) carries the token that the client's other tabs got.
    /// `None`, the default: one minute, or `grace` if that is longer.
    pub unused_grace: Option<Duration>,
    /// Whether a refresh returns a new refresh token. Default `true`. A session that has rotated
    /// once always rotates.
    pub rotation: bool,
    /// What is revoked when reuse is detected. Default: the session.
    pub on_theft: TheftScope,
    /// The maximum number of live sessions of a user; `None` for no limit. Default 50.
    ///
    /// A login over the limit revokes the least recently refreshed sessions. Up to the same number
    /// of revoked and idled-out sessions is kept until they expire, so that their clients get the
    /// reason; beyond that, those that ended first are deleted. With `None` none is deleted before
    /// it expires.
    pub max_sessions: Option<NonZeroU32>,
    /// The maximum number of concurrent refreshes in this process, and likewise of logins, of
    /// revocations, and of lists of sessions. Default 10,000. One over the limit fails at once with
    /// [`Error::StoreUnavailable`](crate::Error::StoreUnavailable), so that a slow store does not
    /// exhaust the memory.
    pub max_in_flight: NonZeroU32,
    /// Whether the client of the login and of the latest refresh is stored with the session and named in
    /// audit events, as far as the app passes it on
    /// ([`ClientDetails`](super::ClientDetails)). Default `true`.
    pub record_clients: bool,
    /// The rate limit for failed refreshes; `None` for no limit. Default 30 per minute.
    pub limiter: Option<FailureLimit>,
}

impl Default for SessionPolicy {
    fn default() -> Self {
        const DAY: Duration = Duration::from_secs(24 * 3600);
        Self {
            idle_ttl: DAY * 14,
            absolute_ttl: DAY * 90,
            grace: Duration::from_secs(10),
            unused_grace: None,
            rotation: true,
            on_theft: TheftScope::Session,
            max_sessions: NonZeroU32::new(50),
            max_in_flight: NonZeroU32::MIN.saturating_add(9_999),
            record_clients: true,
            limiter: Some(FailureLimit::default()),
        }
    }
}

impl SessionPolicy {
    /// The longest grace, of used and of unused children. Reuse within the grace goes undetected.
    pub const MAX_GRACE: Duration = Duration::from_secs(300);

    /// Checks the values against each other.
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
        if self.grace > Self::MAX_GRACE {
            return Err(Error::config(
                "refresh.grace",
                "must not be longer than 5 minutes (300 seconds)",
            ));
        }
        if self.unused_grace() > Self::MAX_GRACE {
            return Err(Error::config(
                "refresh.unusedGrace",
                "must not be longer than 5 minutes (300 seconds)",
            ));
        }
        if self.unused_grace() < self.grace {
            return Err(Error::config(
                "refresh.unusedGrace",
                "must not be shorter than refresh.grace",
            ));
        }
        self.limiter.map_or(Ok(()), FailureLimit::check)
    }

    /// [`unused_grace`](Self::unused_grace), or its default.
    pub fn unused_grace(&self) -> Duration {
        self.unused_grace.unwrap_or(self.grace.max(Duration::from_secs(60)))
    }

    /// The policy for one refresh. `rotate`, where the client asked for it, overrides
    /// [`rotation`](Self::rotation).
    pub fn for_refresh(&self, rotate: Option<bool>) -> RefreshPolicy {
        RefreshPolicy {
            grace: self.grace,
            unused_grace: self.unused_grace(),
            idle_ttl: self.idle_ttl,
            rotate: rotate.unwrap_or(self.rotation),
            on_theft: self.on_theft,
        }
    }
}

/// The part of [`SessionPolicy`] that decides about one refresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshPolicy {
    /// See [`SessionPolicy::grace`].
    pub grace: Duration,
    /// See [`SessionPolicy::unused_grace`].
    pub unused_grace: Duration,
    /// See [`SessionPolicy::idle_ttl`].
    pub idle_ttl: Duration,
    /// Whether a session that has never rotated gets a new refresh token. One that has rotated
    /// always does.
    pub rotate: bool,
    /// See [`SessionPolicy::on_theft`].
    pub on_theft: TheftScope,
}

/// The maximum number of failed refreshes per client address and per user in a time window.
///
/// A failure counts in one of two ways:
/// - a token that this server did not sign counts for the client *address*, where the caller gives
///   one ([`RefreshRequest::address`](crate::RefreshRequest::address));
/// - a token that this server signed and rejects (session revoked or unknown, token reused, another
///   user than the client claims) counts for its *subject*.
///
/// Over the limit a failed refresh returns [`Error::TooManyAttempts`](crate::Error::TooManyAttempts)
/// in place of its own error. A refresh that would succeed still succeeds, so nobody can lock out
/// others, neither from behind the same address nor with an old token of the same user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FailureLimit {
    /// The number of failures in a window that return their own error. Default 30.
    pub failures: NonZeroU32,
    /// The length of a window, which begins with the first failure. Default one minute.
    pub window: Duration,
}

impl Default for FailureLimit {
    fn default() -> Self {
        let failures = NonZeroU32::MIN.saturating_add(29);
        Self { failures, window: Duration::from_secs(60) }
    }
}

impl FailureLimit {
    /// The longest window: clients are told to retry after it.
    pub const MAX_WINDOW: Duration = Duration::from_secs(24 * 3600);

    /// # Errors
    /// [`Error::ConfigInvalid`] for `refresh.limiter.window`.
    fn check(self) -> Result<(), Error> {
        if (Duration::from_secs(1)..=Self::MAX_WINDOW).contains(&self.window) {
            return Ok(());
        }
        Err(Error::config("refresh.limiter.window", "expected 1 second to 1 day (86400 seconds)"))
    }
}
