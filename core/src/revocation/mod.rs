//! Ending a session or an access token before its time.

mod deny;
mod reason;

pub use deny::{Denial, DenyList};
pub use reason::RevocationReason;
