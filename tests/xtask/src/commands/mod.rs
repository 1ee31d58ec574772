//! One file per command; `release` has two.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod demo;
pub(crate) mod fuzz;
pub(crate) mod release;
pub(crate) mod test;
pub(crate) mod version;
