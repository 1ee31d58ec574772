//! Who refreshes: the store alone, or the whole facade.

pub(crate) mod facade;
pub(crate) mod store;
