//! One file per command.

pub(crate) mod bench;
pub(crate) mod chaos;
pub(crate) mod check;
pub(crate) mod ci;
pub(crate) mod demo;
pub(crate) mod fuzz;
pub(crate) mod jar;
pub(crate) mod setup;
pub(crate) mod test;
pub(crate) mod version;
