//! Access tokens (RFC 9068): issued at login and refresh, verified with every request, in
//! process and without I/O.

mod bearer;
mod cache;
mod claims;
mod found;
mod issuer;
mod kind;
mod policy;
mod policy_builder;
mod shapes;
mod verified;
mod verifier;

pub use bearer::bearer_token;
#[cfg(feature = "server")]
pub(crate) use bearer::{after_scheme, is_token68};
#[cfg(feature = "server")]
pub use issuer::{AccessGrant, AccessIssuer, IssuedAccess};
pub use policy::{AccessPolicy, LegacyTokens};
pub use policy_builder::AccessPolicyBuilder;
pub use verified::VerifiedAccess;
pub use verifier::AccessVerifier;

pub use crate::token::json::Written;
