//! Access tokens (RFC 9068): issued at login and refresh, verified with every request, in-process
//! and without I/O.

mod cache;
mod claims;
mod header;
pub(crate) mod issuer;
mod policy;
mod verifier;

pub use issuer::IssuedAccess;
pub(crate) use issuer::{AccessGrant, AccessIssuer};
pub use policy::{AccessPolicy, AccessPolicyBuilder, LegacyTokens};
pub use verifier::{AccessVerifier, VerifiedAccess, bearer_token};
pub(crate) use verifier::{after_scheme, is_token68};
