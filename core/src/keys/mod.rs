//! Keys that sign and verify tokens.
//!
//! A [`Key`] is pinned to one [`Algorithm`]. A [`Keyring`] holds the keys for access tokens,
//! [`RefreshKeys`] the secrets for refresh tokens; the two never share a secret.

mod algorithm;
mod backend;
mod hmac;
mod jwk;
mod key;
mod keyring;
mod pem;
pub(crate) mod public_key;

pub use algorithm::{Algorithm, KeyKind, RsaBits, ShortSecret};
pub use hmac::{RefreshKeys, RefreshSecret};
pub use jwk::{JwkError, JwkSet, SkippedKey};
pub use key::{Key, KeyId};
pub(crate) use keyring::Candidates;
pub use keyring::{Keyring, KeyringBuilder};
pub use public_key::{KeyPair, PublicKey, Thumbprint};
