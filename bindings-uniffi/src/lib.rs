//! The Kotlin and Swift bindings of `regrant`, by uniffi.
//!
//! They translate types and decide nothing: every rule, code and text comes from the core.
//! What is documented here is what Kotlin and Swift programmers read.
//!
//! Secrets and tokens cross a language boundary as copies. Those on this side are wiped or
//! freed; those in Kotlin or Swift, and uniffi's buffer between the two, are not: keep secrets
//! out of apps (public keys verify as well) and out of long-lived variables.
#![allow(
    clippy::result_large_err,
    reason = "uniffi takes the fields of an error apart, so that a box would be opened again at once"
)]

mod bearer;
mod claim_value;
mod claims;
mod clock;
mod decoded;
mod error;
mod error_info;
mod instant;
mod key;
mod policy;
mod session;
mod verifier;

pub use bearer::bearer_token;
pub use claim_value::ClaimValue;
pub use claims::AccessClaims;
pub use clock::Clock;
pub use decoded::{DecodedToken, decode_unverified};
pub use error::RegrantError;
pub use error_info::{Advice, ErrorInfo, ErrorMessages, error_codes, error_info};
pub use key::{Algorithm, KeyMaterial, VerificationKey};
pub use policy::{AccessPolicy, LegacyTokens};
pub use session::{
    Authorization, CallbackError, EndpointShape, HttpHeader, HttpRequest, HttpResponse, LogEntry,
    LogLevel, ProofKey, RefreshEndpoint, Session, SessionConfig, SessionListener, SessionLogger,
    SessionState, SignOutReason, TokenPair, TokenStorage, Transport, in_memory_storage, read_login,
    software_proof_key, thumbprint_of,
};
pub use verifier::AccessVerifier;

uniffi::setup_scaffolding!("regrant");
