//! The same questions answered a second time, as plainly as can be and by other code.

pub(crate) mod base64url;
pub(crate) mod json;
pub(crate) mod jws;
