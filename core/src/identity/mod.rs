//! Who and which: the names that tokens, sessions and stores share.

mod lineage;
mod session_id;
mod subject;

pub use lineage::{Generation, Lineage};
pub use session_id::SessionId;
pub use subject::Subject;
