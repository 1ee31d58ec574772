//! What can go wrong: one enum for every surface.
//!
//! An [`Error`] has a [`code`](Error::code) (an open list of stable strings) and an
//! [`advice`](Error::advice) (a closed list: what the caller should do now). Messages never
//! contain a token or the value of a claim.

mod advice;
mod code;
mod http;
mod message;

pub use advice::Advice;
pub use code::ErrorCode;
pub use message::Language;

use std::borrow::Cow;
use std::time::Duration;

use crate::types::RevocationReason;

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of a failure in a store or another outside party.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a token, a session or a configuration was refused.
///
/// Match on the variant in Rust; across languages use [`Error::code`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The access token was valid once and is past its `exp` (RFC 7519 §4.1.4).
    #[error("{}", self.code().message(Language::En))]
    TokenExpired,
    /// No token was presented (RFC 6750 §3: no `error` attribute in the challenge).
    #[error("{}", self.code().message(Language::En))]
    TokenMissing,
    /// The refresh token, or the session that it belongs to, is past its lifetime.
    #[error("{}", self.code().message(Language::En))]
    RefreshExpired,
    /// The store knows no session of this refresh token.
    #[error("{}", self.code().message(Language::En))]
    SessionUnknown,
    /// The session was ended; `reason` says why.
    #[error("{} ({reason})", self.code().message(Language::En))]
    SessionRevoked {
        /// Why the session was ended.
        reason: RevocationReason,
    },
    /// A refresh token was used by a second holder; the session is revoked (RFC 9700 §4.14).
    #[error("{}", self.code().message(Language::En))]
    RefreshReused,
    /// The token is not a compact JWS with JSON header and claims (RFC 7515 §7.1, RFC 7519 §7.2).
    #[error("{}", self.code().message(Language::En))]
    TokenMalformed,
    /// The token is longer than the configured limit.
    #[error("{}", self.code().message(Language::En))]
    TokenTooLarge,
    /// The header names an algorithm that no key here is pinned to (RFC 8725 §3.1).
    #[error("{}", self.code().message(Language::En))]
    AlgNotAllowed,
    /// The header names a key that is not in the keyring.
    #[error("{}", self.code().message(Language::En))]
    KeyNotFound,
    /// The signature does not verify.
    #[error("{}", self.code().message(Language::En))]
    SignatureInvalid,
    /// The token is of another kind (RFC 8725 §3.11).
    #[error("{}", self.code().message(Language::En))]
    TypMismatch,
    /// The header asks for an extension that is not supported (RFC 7515 §4.1.11).
    #[error("{}", self.code().message(Language::En))]
    CritUnsupported,
    /// The token is not valid yet: `nbf` (RFC 7519 §4.1.5).
    #[error("{}", self.code().message(Language::En))]
    TokenNotYetValid,
    /// `iss` is absent or not an accepted issuer (RFC 7519 §4.1.1).
    #[error("{}", self.code().message(Language::En))]
    IssuerMismatch,
    /// `aud` is absent or names no accepted audience (RFC 7519 §4.1.3).
    #[error("{}", self.code().message(Language::En))]
    AudienceMismatch,
    /// A required claim is absent.
    #[error("{} ({claim})", self.code().message(Language::En))]
    ClaimMissing {
        /// The name of the claim.
        claim: Cow<'static, str>,
    },
    /// A claim has a value of the wrong type or range.
    #[error("{} ({claim})", self.code().message(Language::En))]
    ClaimInvalid {
        /// The name of the claim.
        claim: Cow<'static, str>,
    },
    /// The caller expected another subject than the session's.
    #[error("{}", self.code().message(Language::En))]
    SubjectMismatch,
    /// The access token was revoked before its `exp`.
    #[error("{}", self.code().message(Language::En))]
    AccessRevoked,
    /// The token is bound to a key of the client, and no proof by that key came with it (RFC 9449).
    #[error("{}", self.code().message(Language::En))]
    DpopProofMissing,
    /// The proof is not one, or not for this request, this key or this token (RFC 9449 §4.3).
    #[error("{}: {problem}", self.code().message(Language::En))]
    DpopProofInvalid {
        /// What is wrong with it. No secret: the client has made it.
        problem: &'static str,
    },
    /// The proof was used before (RFC 9449 §11.1).
    #[error("{}", self.code().message(Language::En))]
    DpopProofReplayed,
    /// The proof lacks a nonce of this server, or has an old one: repeat the request with this
    /// one (RFC 9449 §8).
    #[error("{}", self.code().message(Language::En))]
    DpopNonceRequired {
        /// For the header `DPoP-Nonce`.
        nonce: String,
    },
    /// The session store did not answer. Nobody is signed out by this.
    #[error("{}", self.code().message(Language::En))]
    StoreUnavailable {
        /// What the store said.
        #[source]
        source: Cause,
    },
    /// The verification keys could not be fetched.
    #[error("{}", self.code().message(Language::En))]
    KeysUnavailable {
        /// What the source of keys said.
        #[source]
        source: Cause,
    },
    /// The request did not reach the server, or its answer did not arrive.
    #[error("{}", self.code().message(Language::En))]
    Transport {
        /// What the transport said.
        #[source]
        source: Cause,
    },
    /// A newer refresh token of the same holder was used a moment ago: ask again with that one.
    #[error("{}", self.code().message(Language::En))]
    RefreshSuperseded,
    /// Too many refreshes have failed, of this client or with tokens of this user: see
    /// [`FailureLimit`](crate::session::FailureLimit). The token was not looked at any further.
    #[error("{}", self.code().message(Language::En))]
    TooManyAttempts {
        /// When to ask again at the earliest.
        retry_after: Duration,
    },
    /// The configuration cannot work. Raised at construction only.
    #[error("{}: {field}: {problem}", self.code().message(Language::En))]
    ConfigInvalid {
        /// The path of the field, as the caller wrote it: `access.ttl`.
        field: String,
        /// What is wrong with it, without its value where that is secret.
        problem: String,
    },
    /// A defect here, or damaged data in the store.
    #[error("{}: {what}", self.code().message(Language::En))]
    Internal {
        /// What was found broken.
        what: Cow<'static, str>,
    },
}

impl Error {
    /// A [`Error::ConfigInvalid`] for `field`.
    pub fn config(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::ConfigInvalid { field: field.into(), problem: problem.into() }
    }

    /// A [`Error::Internal`].
    pub fn internal(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Internal { what: what.into() }
    }

    /// A [`Error::StoreUnavailable`] with its cause.
    pub fn store(source: impl Into<Cause>) -> Self {
        Self::StoreUnavailable { source: source.into() }
    }

    /// A [`Error::ClaimMissing`] for the claim named `claim`.
    pub fn claim_missing(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimMissing { claim: claim.into() }
    }

    /// A [`Error::ClaimInvalid`] for the claim named `claim`.
    pub fn claim_invalid(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimInvalid { claim: claim.into() }
    }

    /// A [`Error::DpopProofInvalid`].
    #[cfg(feature = "server")]
    pub(crate) const fn dpop_proof(problem: &'static str) -> Self {
        Self::DpopProofInvalid { problem }
    }

    /// The stable code, the same on every surface.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::TokenExpired => ErrorCode::TokenExpired,
            Self::TokenMissing => ErrorCode::TokenMissing,
            Self::RefreshExpired => ErrorCode::RefreshExpired,
            Self::SessionUnknown => ErrorCode::SessionUnknown,
            Self::SessionRevoked { .. } => ErrorCode::SessionRevoked,
            Self::RefreshReused => ErrorCode::RefreshReused,
            Self::TokenMalformed => ErrorCode::TokenMalformed,
            Self::TokenTooLarge => ErrorCode::TokenTooLarge,
            Self::AlgNotAllowed => ErrorCode::AlgNotAllowed,
            Self::KeyNotFound => ErrorCode::KeyNotFound,
            Self::SignatureInvalid => ErrorCode::SignatureInvalid,
            Self::TypMismatch => ErrorCode::TypMismatch,
            Self::CritUnsupported => ErrorCode::CritUnsupported,
            Self::TokenNotYetValid => ErrorCode::TokenNotYetValid,
            Self::IssuerMismatch => ErrorCode::IssuerMismatch,
            Self::AudienceMismatch => ErrorCode::AudienceMismatch,
            Self::ClaimMissing { .. } => ErrorCode::ClaimMissing,
            Self::ClaimInvalid { .. } => ErrorCode::ClaimInvalid,
            Self::SubjectMismatch => ErrorCode::SubjectMismatch,
            Self::AccessRevoked => ErrorCode::AccessRevoked,
            Self::DpopProofMissing => ErrorCode::DpopProofMissing,
            Self::DpopProofInvalid { .. } => ErrorCode::DpopProofInvalid,
            Self::DpopProofReplayed => ErrorCode::DpopProofReplayed,
            Self::DpopNonceRequired { .. } => ErrorCode::DpopNonceRequired,
            Self::StoreUnavailable { .. } => ErrorCode::StoreUnavailable,
            Self::KeysUnavailable { .. } => ErrorCode::KeysUnavailable,
            Self::Transport { .. } => ErrorCode::Transport,
            Self::RefreshSuperseded => ErrorCode::RefreshSuperseded,
            Self::TooManyAttempts { .. } => ErrorCode::TooManyAttempts,
            Self::ConfigInvalid { .. } => ErrorCode::ConfigInvalid,
            Self::Internal { .. } => ErrorCode::Internal,
        }
    }

    /// When to ask again at the earliest, where that is known (RFC 9110 §10.2.3).
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            _ => None,
        }
    }

    /// What the caller should do now.
    pub fn advice(&self) -> Advice {
        self.code().advice()
    }
}
