//! Whether somebody is signed in, and if not, why not.

use regrant::client;

/// Whether somebody is signed in, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
// Kotlin would print the address of an object.
#[uniffi::export(Debug)]
pub enum SessionState {
    /// The storage was not read yet.
    Unknown,
    /// There is a pair of tokens.
    SignedIn,
    /// There is none.
    SignedOut {
        /// Why.
        reason: SignOutReason,
    },
}

impl From<client::State> for SessionState {
    fn from(state: client::State) -> Self {
        match state {
            client::State::Unknown => Self::Unknown,
            client::State::SignedIn => Self::SignedIn,
            client::State::SignedOut(reason) => Self::SignedOut { reason: reason.into() },
        }
    }
}

/// Why the user has to sign in.
#[derive(Clone, Debug, PartialEq, Eq, uniffi::Enum)]
// Kotlin would print the address of an object.
#[uniffi::export(Debug)]
pub enum SignOutReason {
    /// Nobody has signed in on this device, or what was stored is gone.
    NotSignedIn,
    /// The user signed out here.
    ByUser,
    /// Another process of this app signed out.
    Elsewhere,
    /// The refresh token or its session is past its lifetime.
    Expired,
    /// The session was ended.
    Revoked {
        /// Why, where the server said it: `logout`, `logout_everywhere`, `administrative` or
        /// `displaced`.
        reason: Option<String>,
    },
    /// A second holder used the refresh token, and the session was ended (RFC 9700 §4.14): the
    /// tokens were stolen, or copied to another device. Tell the user.
    Reused,
    /// The server does not know the session.
    Unknown,
    /// The server will not take the refresh token.
    Rejected {
        /// The code of the reason, where the server gave one that is known here.
        code: Option<String>,
    },
    /// What was stored cannot be read as tokens.
    Unreadable,
    /// What was stored is bound to another key than that of the session: it was lost, or the session
    /// was not given it. The tokens are left where they are.
    OtherKey,
}

impl From<client::SignOutReason> for SignOutReason {
    fn from(reason: client::SignOutReason) -> Self {
        use client::SignOutReason as Core;
        match reason {
            Core::NotSignedIn => Self::NotSignedIn,
            Core::ByUser => Self::ByUser,
            Core::Elsewhere => Self::Elsewhere,
            Core::Expired => Self::Expired,
            Core::Revoked(reason) => Self::Revoked { reason: reason.map(|one| one.to_string()) },
            Core::Reused => Self::Reused,
            Core::Unknown => Self::Unknown,
            Core::Rejected(code) => Self::Rejected { code: code.map(|code| code.to_string()) },
            Core::Unreadable => Self::Unreadable,
            Core::OtherKey => Self::OtherKey,
            _ => Self::Rejected { code: None },
        }
    }
}
