//! Keys: what signs tokens and what checks them.
//!
//! A [`Key`] is pinned to one [`Algorithm`]; a [`Keyring`] holds those for access tokens,
//! [`RefreshKeys`] those for refresh tokens. The two never share a secret.

mod algorithm;
mod backend;
mod document;
mod ed25519;
mod field25519;
mod generate;
mod hmac;
mod hmac_sha256;
mod jwk;
mod jwk_set;
mod jws;
mod key;
mod key_id;
mod key_kind;
mod key_material;
mod keyring;
mod public_key;
mod refresh_secret;
mod thumbprint;

pub use algorithm::Algorithm;
pub use generate::{KeyPair, RsaBits};
pub use hmac::ShortSecret;
pub use jwk::JwkError;
pub use jwk_set::{JwkSet, SkippedKey};
pub use key::Key;
pub use key_id::KeyId;
pub use key_kind::KeyKind;
pub(crate) use keyring::Candidates;
pub use keyring::{Keyring, KeyringBuilder};
pub use public_key::PublicKey;
pub use refresh_secret::{RefreshKeys, RefreshSecret};
pub use thumbprint::Thumbprint;
