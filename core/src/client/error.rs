//! What a client session tells the app: who is signed in, and why there is no access token.

use std::fmt;
use std::time::Duration;

use crate::error::ErrorCode;
use crate::types::RevocationReason;

/// Why a call on a client session failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum SessionError {
    /// The session is over: show the login page.
    #[error("sign-in required: {0}")]
    SignIn(SignOutReason),
    /// A temporary failure. The tokens are kept; retry after `retry_after`.
    #[error("retry later: {cause}")]
    Retry {
        /// What failed.
        cause: TransientError,
        /// How long to wait; zero if an immediate retry is fine.
        retry_after: Duration,
    },
}

impl SessionError {
    /// The error code, and with it the advice.
    pub const fn code(&self) -> ErrorCode {
        match self {
            Self::SignIn(reason) => reason.code(),
            Self::Retry { cause, .. } => cause.code(),
        }
    }
}

/// Why the user must sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SignOutReason {
    /// Nobody has signed in on this device, or the stored tokens were deleted.
    NotSignedIn,
    /// The user signed out in this process.
    ByUser,
    /// The user signed out in another process of this app.
    Elsewhere,
    /// The refresh token or its session has expired.
    Expired,
    /// The session was revoked. Holds the server's reason if this version knows it.
    Revoked(Option<RevocationReason>),
    /// The refresh token was reused by a second holder, and the session was revoked (RFC 9700
    /// §4.14).
    Reused,
    /// The server does not know the session.
    Unknown,
    /// The server rejected the refresh token. Holds the error code if this version knows it.
    Rejected(Option<ErrorCode>),
    /// The stored value is not a token pair.
    Unreadable,
    /// The stored tokens are bound to a key that this session does not have (RFC 9449): the key was
    /// lost, or the session was built without it. The tokens stay in the storage.
    OtherKey,
    /// The storage has lost its content for good
    /// ([`StorageError::Lost`](super::StorageError::Lost)), for example because the system
    /// invalidated its encryption key.
    StorageLost,
    /// The key that the tokens are bound to (RFC 9449) is lost for good
    /// ([`ProofKeyError::Lost`](crate::dpop::ProofKeyError::Lost)): sign in with a new session that
    /// has a new key.
    KeyLost,
}

impl SignOutReason {
    /// The stable name: `not_signed_in`, `by_user`, `elsewhere`, `expired`, `revoked`, `reused`,
    /// `unknown`, `rejected`, `unreadable`, `other_key`, `storage_lost` or `key_lost`.
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
            Self::StorageLost => "storage_lost",
            Self::KeyLost => "key_lost",
        }
    }

    /// The error code. Its advice is always to sign in.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::NotSignedIn
            | Self::ByUser
            | Self::Elsewhere
            | Self::Unreadable
            | Self::OtherKey
            | Self::StorageLost
            | Self::KeyLost => ErrorCode::TokenMissing,
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

/// A temporary failure. None of these signs the user out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransientError {
    /// No response was received. The request may or may not have arrived.
    Network,
    /// The server responded with neither tokens nor a final rejection.
    Server {
        /// The HTTP status code.
        status: u16,
        /// The error code, if this version knows it.
        code: Option<ErrorCode>,
    },
    /// A newer refresh token is in use, and the storage does not contain it yet.
    Superseded,
    /// The storage could not be read, written or locked.
    Storage,
    /// The folder of the storage does not exist.
    StorageFolderMissing,
    /// The storage lock could not be taken: another process holds it.
    StorageLocked,
    /// The server rejects access tokens that it issued a moment ago.
    AccessRejected,
    /// The operation timed out. A refresh continues in the background; a sign-in or sign-out that had not
    /// started is dropped: call it again.
    Timeout,
    /// The key that the tokens are bound to could not be used, for example while the device is
    /// locked.
    ProofKey,
    /// The session's task has ended, because its runtime was shut down. Another call on this session
    /// fails the same way: start a new session.
    Stopped,
}

impl TransientError {
    /// The error code. Its advice is always to retry.
    pub const fn code(self) -> ErrorCode {
        match self {
            Self::Superseded => ErrorCode::RefreshSuperseded,
            Self::Storage | Self::StorageFolderMissing | Self::StorageLocked | Self::ProofKey => {
                ErrorCode::StoreUnavailable
            }
            Self::Network
            | Self::Server { .. }
            | Self::AccessRejected
            | Self::Timeout
            | Self::Stopped => ErrorCode::Transport,
        }
    }
}

impl fmt::Display for TransientError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network => f.write_str("no response from the server"),
            Self::Server { status, code: Some(code) } => {
                write!(f, "the server responded with status {status}, {code}")
            }
            Self::Server { status, code: None } => {
                write!(f, "the server responded with status {status}")
            }
            Self::Superseded => f.write_str("a newer refresh token is in use"),
            Self::Storage => f.write_str("the token storage failed"),
            Self::StorageFolderMissing => {
                f.write_str("the folder of the token storage does not exist")
            }
            Self::StorageLocked => f.write_str("another process holds the token storage lock"),
            Self::AccessRejected => f.write_str("the server rejects its newest access token"),
            Self::Timeout => f.write_str("the operation timed out"),
            Self::ProofKey => f.write_str("the DPoP key could not be used"),
            Self::Stopped => f.write_str("the runtime of the session was shut down"),
        }
    }
}

/// What a sign-out has achieved. The tokens are deleted from the device in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignOutOutcome {
    /// The server has revoked the session, or it was over already.
    Revoked,
    /// The server could not be reached. The session revokes its tokens later: while it runs, and
    /// when the next session over the same storage starts, unless another user signs in before.
    Pending,
    /// The server was not asked, or refused: there is no logout endpoint
    /// ([`RefreshEndpoint::logout`](super::RefreshEndpoint::logout)), or there were no tokens.
    Local,
}

/// Whether a user is signed in, as far as the session knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionState {
    /// The storage has not been read yet.
    Unknown,
    /// There is a token pair.
    SignedIn,
    /// There is no usable token pair.
    SignedOut(SignOutReason),
}

impl fmt::Display for SessionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown => f.write_str("unknown"),
            Self::SignedIn => f.write_str("signed in"),
            Self::SignedOut(reason) => write!(f, "signed out: {reason}"),
        }
    }
}
