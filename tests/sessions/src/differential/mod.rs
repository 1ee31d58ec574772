//! The Redis scripts against the Rust functions: random operations on a real server, every
//! answer and every stored byte compared.

mod any_record;
mod census;
mod histories;
mod random;
mod raw;

pub use any_record::any_record;
pub use census::Census;
pub use histories::histories;
pub use random::{Random, seed};
