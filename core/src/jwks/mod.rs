//! Verifies the tokens of other services: several issuers, each with its own keys, audience and
//! policy.
//!
//! Keys come from the configuration, from the issuer's JWK Set (RFC 7517 §5) at a configured
//! URL, or from an [`IssuerResolver`] of the app. The content of a token only selects among these issuers and their keys: `iss` and
//! `kid` are compared, never dereferenced, and `jku`, `x5u`, `jwk` and `x5c` are ignored (RFC 8725
//! §3.10).
//!
//! JWK Sets are fetched with a [`Transport`](crate::transport::Transport) that the app supplies.

mod issuer;
mod remote;
mod resolver;
mod schedule;
mod verifier;

pub use issuer::TrustedIssuer;
pub use remote::JwksUri;
pub use resolver::{IssuerResolver, ResolverLimits};
pub use schedule::{JwksSchedule, JwksScheduleBuilder};
pub use verifier::{JwksVerifier, JwksVerifierBuilder};
