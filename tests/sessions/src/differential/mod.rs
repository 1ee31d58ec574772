//! Differential tests of the stores against the Rust functions: random operations on a real server,
//! comparing every answer and every stored byte.

mod any_record;
mod coverage;
mod histories;
mod random;
mod stored;

pub use any_record::any_record;
pub use coverage::Coverage;
pub use histories::histories;
pub use random::{Random, seed};
pub use stored::{Encoded, StoredBytes, Tested};
