//! Callers of a refresh: the store alone, or `Auth`.

pub(crate) mod auth;
pub(crate) mod store;
