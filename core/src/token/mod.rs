//! Tokens as text: strict reading and writing of a compact JWS (RFC 7515 §7.1) that carries a
//! JSON object, before anything is believed about it.

pub(crate) mod base64url;
pub(crate) mod compact;
mod decoded;
pub(crate) mod header;
pub(crate) mod json;

pub use decoded::{DecodedToken, decode_unverified};
pub use header::{TYP_ACCESS, TYP_REFRESH};
