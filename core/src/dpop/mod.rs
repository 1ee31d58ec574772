//! DPoP-bound tokens (RFC 9449): a stolen token is useless without the client's private key, which
//! a device need never give away.
//!
//! The client signs a *proof* for every request: a JWT, `typ: dpop+jwt`, with its public key in
//! the header and the method and URL of the request in the claims. At the login the server writes
//! the [`Thumbprint`](crate::keys::Thumbprint) of that key into both tokens. From then on neither
//! is accepted without a proof by the same key.
//!
//! | | |
//! |---|---|
//! | [`UnsignedProof`], [`ProofKey`], [`SoftwareKey`], [`DeviceKey`] | the client makes proofs |
//! | [`ProofVerifier`], [`ProofPolicy`], [`ProofTarget`] | the server checks them (feature `server`) |
//!
//! A [`client::Session`](crate::client) makes the proofs itself.
//!
//! A session that began without a proof stays unbound, and its tokens are bearer tokens.

mod client;
#[cfg(feature = "server")]
mod server;

pub use client::{DeviceKey, ProofKey, ProofKeyError, SoftwareKey, UnsignedProof};
#[cfg(feature = "server")]
pub(crate) use server::check_origins;
#[cfg(feature = "server")]
pub use server::{
    NonceIssuer, PresentedProof, ProofPolicy, ProofTarget, ProofVerifier, VerifiedProof,
};

/// The `typ` of a proof (RFC 9449 §4.2).
const TYP_PROOF: &str = "dpop+jwt";

/// The claim `ath`, which binds a proof to one access token (RFC 9449 §4.2).
fn access_token_hash(token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    crate::token::base64url::encode(&Sha256::digest(token))
}
