//! Revocation reasons.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a session was revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RevocationReason {
    /// The user logged out of this session.
    Logout,
    /// The user logged out of all sessions.
    LogoutEverywhere,
    /// Reuse of a refresh token was detected (RFC 9700 §4.14).
    Reused,
    /// An operator or the app revoked the session.
    Administrative,
    /// A later login of the same user evicted the session (limit on sessions per user).
    Displaced,
}

impl RevocationReason {
    /// Every reason with its number in stored records. Numbers are never reused.
    pub const ALL: &'static [(Self, u8)] = &[
        (Self::Logout, 1),
        (Self::LogoutEverywhere, 2),
        (Self::Reused, 3),
        (Self::Administrative, 4),
        (Self::Displaced, 5),
    ];

    /// The stable name: `logout`, `logout_everywhere`, `reused`, `administrative` or `displaced`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Logout => "logout",
            Self::LogoutEverywhere => "logout_everywhere",
            Self::Reused => "reused",
            Self::Administrative => "administrative",
            Self::Displaced => "displaced",
        }
    }

    pub(crate) fn number(self) -> u8 {
        Self::ALL.iter().find(|(reason, _)| *reason == self).map_or(0, |(_, number)| *number)
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.iter().find(|(_, known)| *known == number).map(|(reason, _)| *reason)
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
