//! The values that every other module uses: identifiers, secrets, time, revocation reasons.

mod ids;
mod secret;
mod time;

pub use crate::error::RevocationReason;
pub use ids::{FamilyPosition, Generation, SessionId, Subject};
pub use secret::{AccessToken, RefreshToken, SecretBytes};
pub use time::{
    Clock, ManualClock, SystemClock, Timestamp, format_span, parse_span, span_seconds_or_text,
};
