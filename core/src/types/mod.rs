//! The values that every other module uses: identifiers, secrets, time, revocation reasons.

mod ids;
mod realm;
mod secret;
pub(crate) mod time;

pub use crate::error::RevocationReason;
pub(crate) use ids::Generation;
pub use ids::{FamilyPosition, SessionId, Subject};
pub use realm::{Realm, Realms};
pub use secret::{AccessToken, RefreshToken, SecretBytes};
#[cfg(feature = "server")]
pub(crate) use time::jitter;
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub(crate) use time::{format_span, span_seconds_or_text};
