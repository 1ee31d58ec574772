//! Tokens of other services: several issuers, each with its own keys, audience and rules.
//!
//! Keys come from the configuration, or from the issuer's JWK Set (RFC 7517 §5) at an address that
//! the configuration names. What a token says selects among the configured issuers and among their
//! keys, and nothing else: `iss` and `kid` are compared, never followed, and `jku`, `x5u`, `jwk`
//! and `x5c` are not looked at (RFC 8725 §3.10).
//!
//! [`JwksCache`] is a machine without I/O and clock that says when a set is to be fetched; the
//! fetching is done by a [`Transport`](crate::client::Transport), of the app or of `reqwest`.

mod address;
mod cache;
mod issuer;
mod remote;
mod schedule;
mod verifier;

pub use address::JwksUri;
pub use cache::{JwksCache, Step};
pub use issuer::TrustedIssuer;
pub use schedule::{JwksSchedule, JwksScheduleBuilder};
pub use verifier::{JwksVerifier, JwksVerifierBuilder};
