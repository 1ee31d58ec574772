//! Keys: what signs tokens and what checks them.
//!
//! A [`Key`] is pinned to one [`Algorithm`]; a [`Keyring`] holds those for access tokens,
//! [`RefreshKeys`] those for refresh tokens. The two never share a secret.

mod algorithm;
mod backend;
mod document;
mod hmac;
mod key;
mod key_id;
mod keyring;
mod refresh_secret;

pub use algorithm::Algorithm;
pub use hmac::ShortSecret;
pub use key::Key;
pub use key_id::KeyId;
pub(crate) use keyring::Candidates;
pub use keyring::{Keyring, KeyringBuilder};
pub use refresh_secret::{RefreshKeys, RefreshSecret};
