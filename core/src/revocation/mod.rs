//! Ending a session or an access token before its time.

mod abandoned;
mod deny;
mod reason;

pub use abandoned::Abandoned;
pub use deny::{Denial, DenyList};
pub use reason::RevocationReason;
