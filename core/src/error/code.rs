//! The codes: one table, from which every other surface is generated or checked.

use std::fmt;

use super::Advice;

macro_rules! codes {
    ($( $(#[doc = $doc:literal])* $variant:ident = $code:literal, $advice:ident, $status:literal; )*) => {
        /// The stable code of an [`Error`](super::Error).
        ///
        /// The list is open: a later version may add codes, never rename one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $( $(#[doc = $doc])* $variant, )*
        }

        impl ErrorCode {
            /// Every code, in the order of the table.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )* ];

            /// The stable string, for example `ERR_TOKEN_EXPIRED`.
            pub const fn as_str(self) -> &'static str {
                match self { $( Self::$variant => $code, )* }
            }

            /// What the caller should do now.
            pub const fn advice(self) -> Advice {
                match self { $( Self::$variant => Advice::$advice, )* }
            }

            /// The HTTP status that a server answers with.
            pub const fn http_status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }
        }
    };
}

codes! {
    /// See [`Error::TokenExpired`](super::Error::TokenExpired).
    TokenExpired = "ERR_TOKEN_EXPIRED", Refresh, 401;
    /// See [`Error::TokenMissing`](super::Error::TokenMissing).
    TokenMissing = "ERR_TOKEN_MISSING", SignIn, 401;
    /// See [`Error::RefreshExpired`](super::Error::RefreshExpired).
    RefreshExpired = "ERR_REFRESH_EXPIRED", SignIn, 401;
    /// See [`Error::SessionUnknown`](super::Error::SessionUnknown).
    SessionUnknown = "ERR_SESSION_UNKNOWN", SignIn, 401;
    /// See [`Error::SessionRevoked`](super::Error::SessionRevoked).
    SessionRevoked = "ERR_SESSION_REVOKED", SignIn, 401;
    /// See [`Error::RefreshReused`](super::Error::RefreshReused).
    RefreshReused = "ERR_REFRESH_REUSED", SignIn, 401;
    /// See [`Error::TokenMalformed`](super::Error::TokenMalformed).
    TokenMalformed = "ERR_TOKEN_MALFORMED", Reject, 401;
    /// See [`Error::TokenTooLarge`](super::Error::TokenTooLarge).
    TokenTooLarge = "ERR_TOKEN_TOO_LARGE", Reject, 401;
    /// See [`Error::AlgNotAllowed`](super::Error::AlgNotAllowed).
    AlgNotAllowed = "ERR_ALG_NOT_ALLOWED", Reject, 401;
    /// See [`Error::KeyNotFound`](super::Error::KeyNotFound).
    KeyNotFound = "ERR_KEY_NOT_FOUND", Reject, 401;
    /// See [`Error::SignatureInvalid`](super::Error::SignatureInvalid).
    SignatureInvalid = "ERR_SIGNATURE_INVALID", Reject, 401;
    /// See [`Error::TypMismatch`](super::Error::TypMismatch).
    TypMismatch = "ERR_TYP_MISMATCH", Reject, 401;
    /// See [`Error::CritUnsupported`](super::Error::CritUnsupported).
    CritUnsupported = "ERR_CRIT_UNSUPPORTED", Reject, 401;
    /// See [`Error::TokenNotYetValid`](super::Error::TokenNotYetValid).
    TokenNotYetValid = "ERR_TOKEN_NOT_YET_VALID", Reject, 401;
    /// See [`Error::IssuerMismatch`](super::Error::IssuerMismatch).
    IssuerMismatch = "ERR_ISSUER_MISMATCH", Reject, 401;
    /// See [`Error::AudienceMismatch`](super::Error::AudienceMismatch).
    AudienceMismatch = "ERR_AUDIENCE_MISMATCH", Reject, 401;
    /// See [`Error::ClaimMissing`](super::Error::ClaimMissing).
    ClaimMissing = "ERR_CLAIM_MISSING", Reject, 401;
    /// See [`Error::ClaimInvalid`](super::Error::ClaimInvalid).
    ClaimInvalid = "ERR_CLAIM_INVALID", Reject, 401;
    /// See [`Error::SubjectMismatch`](super::Error::SubjectMismatch).
    SubjectMismatch = "ERR_SUBJECT_MISMATCH", Reject, 401;
    /// See [`Error::AccessRevoked`](super::Error::AccessRevoked).
    AccessRevoked = "ERR_ACCESS_REVOKED", Reject, 401;
    /// See [`Error::DpopProofMissing`](super::Error::DpopProofMissing).
    DpopProofMissing = "ERR_DPOP_PROOF_MISSING", Reject, 401;
    /// See [`Error::DpopProofInvalid`](super::Error::DpopProofInvalid).
    DpopProofInvalid = "ERR_DPOP_PROOF_INVALID", Reject, 401;
    /// See [`Error::DpopProofReplayed`](super::Error::DpopProofReplayed).
    DpopProofReplayed = "ERR_DPOP_PROOF_REPLAYED", Reject, 401;
    /// See [`Error::DpopNonceRequired`](super::Error::DpopNonceRequired).
    DpopNonceRequired = "ERR_DPOP_NONCE_REQUIRED", Retry, 401;
    /// See [`Error::StoreUnavailable`](super::Error::StoreUnavailable).
    StoreUnavailable = "ERR_STORE_UNAVAILABLE", Retry, 503;
    /// See [`Error::KeysUnavailable`](super::Error::KeysUnavailable).
    KeysUnavailable = "ERR_KEYS_UNAVAILABLE", Retry, 503;
    /// See [`Error::Transport`](super::Error::Transport).
    Transport = "ERR_TRANSPORT", Retry, 503;
    /// See [`Error::RefreshSuperseded`](super::Error::RefreshSuperseded).
    RefreshSuperseded = "ERR_REFRESH_SUPERSEDED", Retry, 409;
    /// See [`Error::TooManyAttempts`](super::Error::TooManyAttempts).
    TooManyAttempts = "ERR_TOO_MANY_ATTEMPTS", Retry, 429;
    /// See [`Error::ConfigInvalid`](super::Error::ConfigInvalid).
    ConfigInvalid = "ERR_CONFIG_INVALID", Fix, 500;
    /// See [`Error::Internal`](super::Error::Internal).
    Internal = "ERR_INTERNAL", Fix, 500;
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
