//! Callers of a refresh: the store alone, or `Auth`.

pub(crate) mod facade;
pub(crate) mod store;
