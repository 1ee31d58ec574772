//! What the answer of a refresh endpoint says, whatever it looked like.

use std::time::Duration;

use crate::error::{Advice, ErrorCode};
use crate::types::{AccessToken, RefreshToken, RevocationReason, Timestamp};

#[cfg(feature = "client")]
use super::pair::issued_at;
use super::reason::{SignOutReason, Trouble};

/// What a server granted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The new access token.
    pub access: AccessToken,
    /// The next refresh token; `None` when the one that was presented stays.
    pub refresh: Option<RefreshToken>,
    /// How long the access token lives: for tokens that do not say it.
    pub lifetime: Option<Duration>,
    /// The server's clock: for tokens that do not say it.
    pub date: Option<Timestamp>,
}

#[cfg(feature = "client")]
impl Grant {
    /// When the server issued it, by its own clock.
    pub(super) fn issued_at(&self) -> Option<Timestamp> {
        issued_at(&self.access).or(self.date)
    }
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Answer {
    /// Here are tokens.
    Granted(Grant),
    /// A newer refresh token of the same holder was used a moment ago: ask with that one.
    Superseded,
    /// The session is over: sign in.
    SignedOut(SignOutReason),
    /// Nothing is wrong with the tokens, or nothing that this answer could tell.
    Unavailable {
        /// What stands in the way.
        trouble: Trouble,
        /// How long the server wants to be left alone.
        retry_after: Option<Duration>,
    },
}

/// The refusal that a server put into its answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refused {
    pub(super) code: Option<ErrorCode>,
    /// For codes that only a later version knows: the list of advice is closed.
    pub(super) advice: Option<Advice>,
    pub(super) reason: Option<RevocationReason>,
}

impl Refused {
    /// Why the session is over, if that is what this refusal says. Only the advice decides:
    /// everything that a retry may change keeps the tokens.
    pub(super) fn sign_out(&self) -> Option<SignOutReason> {
        if self.is_about_proof() {
            return None;
        }
        match self.code.map(ErrorCode::advice).or(self.advice)? {
            Advice::SignIn | Advice::Reject => {}
            Advice::Refresh | Advice::Retry | Advice::Fix => return None,
        }
        Some(match self.code {
            Some(ErrorCode::RefreshExpired) => SignOutReason::Expired,
            Some(ErrorCode::SessionUnknown) => SignOutReason::Unknown,
            // A theft, whichever of the two holders was found out.
            Some(ErrorCode::SessionRevoked) if self.reason == Some(RevocationReason::Reused) => {
                SignOutReason::Reused
            }
            Some(ErrorCode::SessionRevoked) => SignOutReason::Revoked(self.reason),
            Some(ErrorCode::RefreshReused) => SignOutReason::Reused,
            code => SignOutReason::Rejected(code),
        })
    }

    /// Whether the server found fault with the proof, which says nothing of the session: with the
    /// right time or the right nonce another one may do.
    fn is_about_proof(&self) -> bool {
        matches!(
            self.code,
            Some(
                ErrorCode::DpopProofMissing
                    | ErrorCode::DpopProofInvalid
                    | ErrorCode::DpopProofReplayed
                    | ErrorCode::DpopNonceRequired
            )
        )
    }

    /// Whether it is the one refusal that asks for a newer token.
    pub(super) fn is_superseded(&self) -> bool {
        self.code == Some(ErrorCode::RefreshSuperseded)
    }
}
