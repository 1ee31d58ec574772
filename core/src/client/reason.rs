//! What a client tells the app when it has no access token to give.

use std::fmt;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::types::RevocationReason;

/// Why the user has to sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignOutReason {
    /// Nobody has signed in on this device, or what was stored is gone.
    NotSignedIn,
    /// The user signed out here.
    ByUser,
    /// Another process of this app signed out.
    Elsewhere,
    /// The refresh token or its session is past its lifetime.
    Expired,
    /// The session was ended; the server's reason, where it gave one that is known here.
    Revoked(Option<RevocationReason>),
    /// A second holder used the refresh token, and the session was ended (RFC 9700 §4.14).
    Reused,
    /// The server does not know the session.
    Unknown,
    /// The server will not take the refresh token, for the reason of this code; `None` where it
    /// gave none that is known here.
    Rejected(Option<ErrorCode>),
    /// What was stored cannot be read as tokens.
    Unreadable,
    /// What was stored is bound to a key that is not at hand (RFC 9449): it was lost, or the app was
    /// not given it. The tokens are left where they are.
    OtherKey,
}

impl SignOutReason {
    /// The stable name: `not_signed_in`, `by_user`, `elsewhere`, `expired`, `revoked`, `reused`,
    /// `unknown`, `rejected`, `unreadable` or `other_key`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NotSignedIn => "not_signed_in",
            Self::ByUser => "by_user",
            Self::Elsewhere => "elsewhere",
            Self::Expired => "expired",
            Self::Revoked(_) => "revoked",
            Self::Reused => "reused",
            Self::Unknown => "unknown",
            Self::Rejected(_) => "rejected",
            Self::Unreadable => "unreadable",
            Self::OtherKey => "other_key",
        }
    }

    /// The code of the error that this is; its advice is always to sign in.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotSignedIn
            | Self::ByUser
            | Self::Elsewhere
            | Self::Unreadable
            | Self::OtherKey => ErrorCode::TokenMissing,
            Self::Expired => ErrorCode::RefreshExpired,
            Self::Revoked(_) => ErrorCode::SessionRevoked,
            Self::Reused => ErrorCode::RefreshReused,
            Self::Unknown | Self::Rejected(_) => ErrorCode::SessionUnknown,
        }
    }
}

impl fmt::Display for SignOutReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What stands in the way for now. Nobody is signed out by any of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Trouble {
    /// No answer came. Whether the request arrived is not known.
    Network,
    /// The server answered something else than tokens or a final refusal.
    Server {
        /// The HTTP status.
        status: u16,
        /// The code of the error, where it is one that is known here.
        code: Option<ErrorCode>,
    },
    /// A newer refresh token is in use, and the storage does not have it yet.
    Superseded,
    /// The storage could not be read or written.
    Storage,
    /// Another process holds the lock of the storage.
    Lock,
    /// The server refuses access tokens that it issued a moment ago.
    AccessRefused,
    /// What was asked for is still under way.
    Slow,
    /// The key that the tokens are bound to could not be used, as while a device is locked.
    Key,
}

impl Trouble {
    /// The code of the error that this is; its advice is always to retry.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Superseded => ErrorCode::RefreshSuperseded,
            Self::Storage | Self::Lock | Self::Key => ErrorCode::StoreUnavailable,
            Self::Network | Self::Server { .. } | Self::AccessRefused | Self::Slow => {
                ErrorCode::Transport
            }
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("the server did not answer"),
            Self::Server { status, code: Some(code) } => {
                write!(f, "the server answered {status}, {code}")
            }
            Self::Server { status, code: None } => write!(f, "the server answered {status}"),
            Self::Superseded => f.write_str("a newer refresh token is in use"),
            Self::Storage => f.write_str("the token storage failed"),
            Self::Lock => f.write_str("the token storage is locked by another process"),
            Self::AccessRefused => f.write_str("the server refuses its newest access token"),
            Self::Slow => f.write_str("it took too long"),
            Self::Key => f.write_str("the key that the tokens are bound to could not be used"),
        }
    }
}

/// Why a caller did not get what it asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// Only a new sign-in helps: show the login page.
    #[error("sign in: {0}")]
    SignIn(SignOutReason),
    /// The tokens are kept. Try again, and not before `retry_after`.
    #[error("try later: {trouble}")]
    TryLater {
        /// What stands in the way.
        trouble: Trouble,
        /// How long to wait; zero when it may be tried at once.
        retry_after: Duration,
    },
}

impl Refusal {
    /// The code of the error that this is, with its advice.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::SignIn(reason) => reason.code(),
            Self::TryLater { trouble, .. } => trouble.code(),
        }
    }
}

/// Whether somebody is signed in, as far as is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The storage was not read yet.
    Unknown,
    /// There is a pair of tokens.
    SignedIn,
    /// There is none.
    SignedOut(SignOutReason),
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::SignedIn => f.write_str("signed in"),
            Self::SignedOut(reason) => write!(f, "signed out: {reason}"),
        }
    }
}
