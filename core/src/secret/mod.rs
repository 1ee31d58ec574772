//! Newtypes for what must not leak: redacted in `Debug`, wiped when dropped.

mod bytes;
mod token;

pub use bytes::SecretBytes;
pub use token::{AccessToken, RefreshToken};
