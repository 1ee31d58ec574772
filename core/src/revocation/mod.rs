//! Ending a session or an access token before its time.

mod abandoned;
mod deny;
mod entry;
#[cfg(feature = "server")]
mod feed;
#[cfg(any(feature = "file", feature = "redis"))]
mod stored;

pub use abandoned::DiscardedChild;
pub use deny::{Denial, DenyList};
pub use entry::{Revocation, RevocationTarget};
#[cfg(feature = "server")]
pub use feed::{FeedCursor, FeedPage, RevocationFeed};
#[cfg(any(feature = "file", feature = "redis"))]
pub(crate) use stored::entry as feed_entry;
