//! The Kotlin and Swift bindings of `regrant`, by uniffi.
//!
//! They only translate types: every rule, code and text comes from the core. The documentation here
//! appears in Kotlin and Swift.
//!
//! Secrets and tokens are copied across the language boundary. The copies on this side are wiped;
//! those in Kotlin, Swift and uniffi's buffers are not. Keep secrets out of apps (public keys are
//! enough to verify) and out of long-lived variables.
#![allow(
    clippy::result_large_err,
    reason = "uniffi lowers the fields of an error, so a box would be opened at once"
)]

mod claims;
#[cfg(test)]
mod disclosure;
mod error;
mod key;
mod session;
mod time;
mod token;
mod verifier;

pub use claims::{AccessClaims, ClaimValue};
pub use error::{Advice, ErrorInfo, ErrorMessages, RegrantError, error_codes, error_info};
pub use key::{Algorithm, KeyMaterial, VerificationKey};
pub use session::{
    Attempt, CallbackError, DurableFile, EndpointShape, FileLock, HttpHeader, HttpRequest,
    HttpResponse, LogEntry, LogLevel, ProofKey, RefreshEndpoint, Session, SessionConfig,
    SessionListener, SessionLogger, SessionState, SignOutOutcome, SignOutReason, TokenPair,
    TokenStorage, Transport, in_memory_storage, read_login, software_proof_key, thumbprint_of,
};
pub use time::Clock;
pub use token::{DecodedToken, bearer_token, decode_unverified};
pub use verifier::{AccessPolicy, AccessVerifier, LegacyTokens, SkippedKey};

uniffi::setup_scaffolding!("regrant");
