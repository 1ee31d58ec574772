//! Tokens that are bound to a key of the client (DPoP, RFC 9449): whoever steals one cannot use
//! it without the key, which a device need never give away.
//!
//! The client signs a *proof* for every request: a JWT, `typ: dpop+jwt`, with its public key in
//! the header and the method and address of the request in the claims. At the login the server
//! notes the [`Thumbprint`](crate::keys::Thumbprint) of that key in both tokens; from then on neither is accepted without a
//! proof by the same key.
//!
//! | | |
//! |---|---|
//! | [`Prover`], [`ProofKey`], [`SoftwareKey`], [`DeviceKey`] | the client: makes proofs |
//! | [`ProofVerifier`], [`ProofPolicy`], [`Target`] | the server: checks them (feature `dpop`) |
//!
//! A client that has a [`client::Session`](crate::client) need not make proofs itself.
//!
//! A session that began without a proof stays unbound, and its tokens are bearer tokens as ever.

#[cfg(feature = "server")]
mod claims;
mod device_key;
#[cfg(feature = "server")]
mod nonce;
#[cfg(feature = "server")]
mod policy;
#[cfg(feature = "server")]
mod proof;
mod prover;
#[cfg(feature = "server")]
mod replay;
mod software_key;
#[cfg(feature = "server")]
mod target;
#[cfg(feature = "server")]
mod verifier;

pub use device_key::DeviceKey;
#[cfg(feature = "server")]
pub use nonce::Nonces;
#[cfg(feature = "server")]
pub use policy::ProofPolicy;
#[cfg(feature = "server")]
pub use proof::Proof;
pub use prover::{ProofKey, Prover};
pub use software_key::SoftwareKey;
#[cfg(feature = "server")]
pub use target::Target;
#[cfg(feature = "server")]
pub(crate) use target::check_origins;
#[cfg(feature = "server")]
pub use verifier::ProofVerifier;

/// The `typ` of a proof (RFC 9449 §4.2).
const TYP_PROOF: &str = "dpop+jwt";

/// The claim `ath`: what binds a proof to one access token (RFC 9449 §4.2).
fn access_token_hash(token: &str) -> String {
    use sha2::{Digest as _, Sha256};
    crate::token::base64url::encode(&Sha256::digest(token))
}
