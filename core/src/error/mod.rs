//! What can go wrong: one enum for every surface.
//!
//! An [`Error`] has a [`code`](Error::code) (an open list of stable strings) and an
//! [`advice`](Error::advice) (a closed list: what the caller should do now). One table below fixes
//! both, with the HTTP status. Messages never contain a token, a secret or the value of a claim.

mod details;
mod message;
mod reason;

pub use details::{ErrorDetails, ErrorInfo, ErrorMessages};
pub use message::Language;
pub use reason::RevocationReason;

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Serialize, Serializer};

/// The result of everything that can fail here.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of a failure in a store or another external system.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// What the caller should do now. The list is closed: match on it without a wildcard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Advice {
    /// Call the refresh endpoint, then repeat the request once.
    Refresh,
    /// Show the login page.
    SignIn,
    /// Do not repeat this request unchanged.
    Reject,
    /// Stay signed in and repeat the request: with the newest token or the nonce given, and after
    /// `Retry-After` if present.
    Retry,
    /// A defect of the program or its configuration: tell a developer.
    Fix,
}

impl Advice {
    /// The stable name of this advice: `refresh`, `sign_in`, `reject`, `retry` or `fix`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Refresh => "refresh",
            Self::SignIn => "sign_in",
            Self::Reject => "reject",
            Self::Retry => "retry",
            Self::Fix => "fix",
        }
    }
}

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Makes [`Error`] and [`ErrorCode`] of one table: each variant with its fields, then its code, its
/// advice and its HTTP status.
macro_rules! errors {
    ($(
        $(#[doc = $doc:literal])*
        $variant:ident $({ $($fields:tt)* })? = $code:literal, $advice:ident, $status:literal;
    )*) => {
        /// Why a token, a session or a configuration was rejected.
        ///
        /// Match on the variant in Rust; across languages use [`Error::code`].
        #[derive(Debug, thiserror::Error)]
        #[non_exhaustive]
        pub enum Error {
            $( $(#[doc = $doc])* $variant $({ $($fields)* })?, )*
        }

        /// The stable code of an [`Error`].
        ///
        /// The list is open: a later version may add codes, never rename one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ErrorCode {
            $(
                #[doc = concat!("See [`Error::", stringify!($variant), "`].")]
                $variant,
            )*
        }

        impl Error {
            /// The stable code, the same on every surface.
            pub const fn code(&self) -> ErrorCode {
                match self { $( Self::$variant { .. } => ErrorCode::$variant, )* }
            }
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

            /// The HTTP status of a response with this error.
            pub const fn http_status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }
        }
    };
}

errors! {
    /// The access token was valid once and is past its `exp` (RFC 7519 §4.1.4).
    TokenExpired = "ERR_TOKEN_EXPIRED", Refresh, 401;
    /// No token was presented (RFC 6750 §3: no `error` attribute in the challenge).
    TokenMissing = "ERR_TOKEN_MISSING", SignIn, 401;
    /// The refresh token, or its session, is past its lifetime.
    RefreshExpired = "ERR_REFRESH_EXPIRED", SignIn, 401;
    /// The store has no session for this refresh token.
    SessionUnknown = "ERR_SESSION_UNKNOWN", SignIn, 401;
    /// The session was revoked.
    SessionRevoked {
        /// Why the session was revoked.
        reason: RevocationReason,
    } = "ERR_SESSION_REVOKED", SignIn, 401;
    /// Reuse of a refresh token was detected and the session is revoked (RFC 9700 §4.14).
    RefreshReused = "ERR_REFRESH_REUSED", SignIn, 401;
    /// The token is not a compact JWS with JSON header and claims (RFC 7515 §7.1, RFC 7519 §7.2).
    TokenMalformed = "ERR_TOKEN_MALFORMED", Reject, 401;
    /// The token is longer than the configured limit.
    TokenTooLarge = "ERR_TOKEN_TOO_LARGE", Reject, 401;
    /// The header names an algorithm that no configured key is pinned to (RFC 8725 §3.1).
    AlgNotAllowed = "ERR_ALG_NOT_ALLOWED", Reject, 401;
    /// The header names a key that is not in the keyring.
    KeyNotFound = "ERR_KEY_NOT_FOUND", Reject, 401;
    /// The signature does not verify.
    SignatureInvalid = "ERR_SIGNATURE_INVALID", Reject, 401;
    /// The `typ` is not the expected one (RFC 8725 §3.11).
    TypMismatch = "ERR_TYP_MISMATCH", Reject, 401;
    /// The header requires an extension that is not supported (RFC 7515 §4.1.11).
    CritUnsupported = "ERR_CRIT_UNSUPPORTED", Reject, 401;
    /// The token is before its `nbf` (RFC 7519 §4.1.5).
    TokenNotYetValid = "ERR_TOKEN_NOT_YET_VALID", Reject, 401;
    /// `iss` is absent or not an accepted issuer (RFC 7519 §4.1.1).
    IssuerMismatch = "ERR_ISSUER_MISMATCH", Reject, 401;
    /// `aud` is absent or names no accepted audience (RFC 7519 §4.1.3).
    AudienceMismatch = "ERR_AUDIENCE_MISMATCH", Reject, 401;
    /// A required claim is absent.
    ClaimMissing {
        /// The name of the claim.
        claim: Cow<'static, str>,
    } = "ERR_CLAIM_MISSING", Reject, 401;
    /// A claim has a value of the wrong type or range.
    ClaimInvalid {
        /// The name of the claim.
        claim: Cow<'static, str>,
    } = "ERR_CLAIM_INVALID", Reject, 401;
    /// The caller expected another subject than the session's.
    SubjectMismatch = "ERR_SUBJECT_MISMATCH", Reject, 401;
    /// The access token was revoked before its `exp`.
    AccessRevoked = "ERR_ACCESS_REVOKED", Reject, 401;
    /// The token is DPoP-bound and came without a proof (RFC 9449 §7.1).
    DpopProofMissing = "ERR_DPOP_PROOF_MISSING", Reject, 401;
    /// The DPoP proof is malformed, or not for this request, key or token (RFC 9449 §4.3).
    DpopProofInvalid {
        /// What is wrong with the proof. It is not a secret: the client made the proof.
        problem: &'static str,
    } = "ERR_DPOP_PROOF_INVALID", Reject, 401;
    /// The DPoP proof was used before (RFC 9449 §11.1).
    DpopProofReplayed = "ERR_DPOP_PROOF_REPLAYED", Reject, 401;
    /// The DPoP proof lacks a nonce of this server or has an old one: repeat the request with
    /// this one (RFC 9449 §8).
    DpopNonceRequired {
        /// The value of the header `DPoP-Nonce`.
        nonce: String,
    } = "ERR_DPOP_NONCE_REQUIRED", Retry, 401;
    /// The session store did not answer. No session is affected.
    StoreUnavailable {
        /// The error of the store.
        #[source]
        source: Cause,
    } = "ERR_STORE_UNAVAILABLE", Retry, 503;
    /// The verification keys could not be fetched.
    KeysUnavailable {
        /// The error of the fetch.
        #[source]
        source: Cause,
    } = "ERR_KEYS_UNAVAILABLE", Retry, 503;
    /// The request did not reach the server, or its response did not arrive.
    Transport {
        /// The error of the transport.
        #[source]
        source: Cause,
    } = "ERR_TRANSPORT", Retry, 503;
    /// A newer refresh token of the same client was used a moment ago: retry with that one.
    RefreshSuperseded = "ERR_REFRESH_SUPERSEDED", Retry, 409;
    /// Too many refreshes have failed, of this client or with tokens of this user: see
    /// [`FailureLimit`](crate::session::FailureLimit). The token was not checked any further.
    TooManyAttempts {
        /// When to retry at the earliest.
        retry_after: Duration,
    } = "ERR_TOO_MANY_ATTEMPTS", Retry, 429;
    /// The token is valid and does not grant what the route requires (RFC 6750 §3.1).
    InsufficientScope {
        /// The required scopes with blanks between them; empty if claims are required.
        scope: String,
    } = "ERR_INSUFFICIENT_SCOPE", Reject, 403;
    /// The token is valid, and its user logged in too long ago for the route (RFC 9470).
    LoginTooOld {
        /// How long ago the login may be.
        max_age: Duration,
    } = "ERR_LOGIN_TOO_OLD", Reject, 401;
    /// Only a cookie authorizes the request, and it comes from a page of another origin.
    OriginNotAllowed = "ERR_ORIGIN_NOT_ALLOWED", Reject, 403;
    /// What the request names does not exist.
    NotFound = "ERR_NOT_FOUND", Reject, 404;
    /// The app passed an argument that makes no sense: a missing user id, an unknown option.
    ArgumentInvalid {
        /// The name of the argument.
        argument: Cow<'static, str>,
        /// What is wrong with it, without its value.
        problem: Cow<'static, str>,
    } = "ERR_ARGUMENT_INVALID", Fix, 500;
    /// The configuration cannot work. Raised at construction only.
    ConfigInvalid {
        /// The path of the field as the caller wrote it: `access.ttl`.
        field: String,
        /// What is wrong with the field, without its value where that is secret.
        problem: String,
    } = "ERR_CONFIG_INVALID", Fix, 500;
    /// A bug in this crate, or damaged data in the store.
    Internal {
        /// What is broken.
        what: Cow<'static, str>,
    } = "ERR_INTERNAL", Fix, 500;
}

impl Error {
    /// An [`Error::ConfigInvalid`] for `field`.
    pub fn config(field: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::ConfigInvalid { field: field.into(), problem: problem.into() }
    }

    /// An [`Error::Internal`].
    pub fn internal(what: impl Into<Cow<'static, str>>) -> Self {
        Self::Internal { what: what.into() }
    }

    /// An [`Error::ArgumentInvalid`].
    pub fn argument(
        argument: impl Into<Cow<'static, str>>,
        problem: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::ArgumentInvalid { argument: argument.into(), problem: problem.into() }
    }

    /// An [`Error::StoreUnavailable`] with its cause.
    pub fn store(source: impl Into<Cause>) -> Self {
        Self::StoreUnavailable { source: source.into() }
    }

    /// An [`Error::ClaimMissing`] for the claim named `claim`.
    pub fn claim_missing(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimMissing { claim: claim.into() }
    }

    /// An [`Error::ClaimInvalid`] for the claim named `claim`.
    pub fn claim_invalid(claim: impl Into<Cow<'static, str>>) -> Self {
        Self::ClaimInvalid { claim: claim.into() }
    }

    /// An [`Error::DpopProofInvalid`].
    pub(crate) const fn dpop_proof(problem: &'static str) -> Self {
        Self::DpopProofInvalid { problem }
    }

    /// What the caller should do now.
    pub const fn advice(&self) -> Advice {
        self.code().advice()
    }

    /// The HTTP status of a response with this error.
    pub const fn http_status(&self) -> u16 {
        self.code().http_status()
    }

    /// The value of `WWW-Authenticate`; see [`ErrorCode::www_authenticate`]. It also names the scopes
    /// of an [`Error::InsufficientScope`] and the age of an [`Error::LoginTooOld`].
    pub fn www_authenticate(&self) -> Option<String> {
        let challenge = self.code().www_authenticate()?;
        match self {
            Self::InsufficientScope { scope } if is_scope_list(scope) => {
                Some(format!("{challenge}, scope=\"{scope}\""))
            }
            Self::LoginTooOld { max_age } => {
                Some(format!("{challenge}, max_age=\"{}\"", max_age.as_secs()))
            }
            _ => Some(challenge),
        }
    }

    /// When to retry at the earliest, where that is known (RFC 9110 §10.2.3).
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::TooManyAttempts { retry_after } => Some(*retry_after),
            _ => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code().message(Language::En))?;
        match self {
            Self::SessionRevoked { reason } => write!(f, " ({reason})"),
            Self::ClaimMissing { claim } | Self::ClaimInvalid { claim } => write!(f, " ({claim})"),
            Self::ConfigInvalid { field, problem } => write!(f, ": {field}: {problem}"),
            Self::ArgumentInvalid { argument, problem } => write!(f, ": {argument}: {problem}"),
            Self::DpopProofInvalid { problem } => write!(f, ": {problem}"),
            Self::Internal { what } => write!(f, ": {what}"),
            _ => Ok(()),
        }
    }
}

impl ErrorCode {
    /// The challenge (`WWW-Authenticate`) of a 401 response, and of `insufficient_scope`; `None` for
    /// others.
    ///
    /// A request without a token gets the bare scheme (RFC 6750 §3.1), a rejected token
    /// `invalid_token`, and a rejected DPoP proof the scheme `DPoP` (RFC 9449 §7.1, §9).
    pub fn www_authenticate(self) -> Option<String> {
        let (scheme, error) = match self {
            Self::TokenMissing => return Some("Bearer".to_owned()),
            Self::DpopNonceRequired => ("DPoP", "use_dpop_nonce"),
            Self::DpopProofMissing | Self::DpopProofInvalid | Self::DpopProofReplayed => {
                ("DPoP", "invalid_dpop_proof")
            }
            Self::InsufficientScope => ("Bearer", "insufficient_scope"),
            Self::LoginTooOld => ("Bearer", "insufficient_user_authentication"),
            _ if self.http_status() == 401 => ("Bearer", "invalid_token"),
            _ => return None,
        };
        let text = self.message(Language::En);
        Some(format!("{scheme} error=\"{error}\", error_description=\"{text}\""))
    }
}

/// Whether `text` is a scope of RFC 6749 §3.3, so that it can stand in a quoted string.
fn is_scope_list(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| matches!(byte, b' ' | b'!' | b'#'..=b'[' | b']'..=b'~'))
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for ErrorCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
