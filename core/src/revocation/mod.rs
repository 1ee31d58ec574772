//! Ending a session or an access token before its time.

mod reason;

pub use reason::RevocationReason;
