//! Verifies the tokens of other services: several issuers, each with its own keys, audience and
//! policy.
//!
//! Keys come from the configuration, or from the issuer's JWK Set (RFC 7517 §5) at a configured
//! URL. The content of a token only selects among the configured issuers and their keys: `iss` and
//! `kid` are compared, never dereferenced, and `jku`, `x5u`, `jwk` and `x5c` are ignored (RFC 8725
//! §3.10).
//!
//! JWK Sets are fetched with a [`Transport`](crate::transport::Transport) that the app supplies.

mod remote;
mod schedule;
mod verifier;

pub use remote::JwksUri;
pub use schedule::{JwksSchedule, JwksScheduleBuilder};
pub use verifier::{JwksVerifier, JwksVerifierBuilder, TrustedIssuer};
