//! Ending a session or an access token before its time.

mod abandoned;
mod deny;
mod entry;
#[cfg(feature = "sessions")]
mod feed;
mod reason;
#[cfg(any(feature = "file", feature = "redis"))]
mod stored;

pub use abandoned::Abandoned;
pub use deny::{Denial, DenyList};
pub use entry::{Revocation, Revoked};
#[cfg(feature = "sessions")]
pub use feed::{Cursor, Page, RevocationFeed};
pub use reason::RevocationReason;
#[cfg(any(feature = "file", feature = "redis"))]
pub(crate) use stored::entry as feed_entry;
