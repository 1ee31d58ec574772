//! Tokens as text: strict reading and writing of a compact JWS (RFC 7515 §7.1) whose payload is a
//! JSON object. Nothing here verifies a signature.

pub(crate) mod base64url;
pub(crate) mod json;
pub(crate) mod jws;

pub use jws::{DecodedToken, TYP_ACCESS, TYP_REFRESH, decode_unverified, is_typ};
