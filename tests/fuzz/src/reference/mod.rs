//! Simple, independent reference implementations to compare with.

pub(crate) mod base64url;
pub(crate) mod json;
pub(crate) mod jws;
