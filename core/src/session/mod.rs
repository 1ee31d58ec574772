//! The session state machine: pure functions from a record and an event to a decision and the
//! next record. No I/O, no clock, no randomness.
//!
//! A refresh token is *confirmed* once its holder has shown it. The child that is minted from
//! it is *provisional* until it is used itself: until then its parent may ask again, for the
//! answer may have been lost. What one honest holder cannot do is theft (RFC 9700 §4.14.2).

mod confirm;
mod derive;
mod failure_limit;
mod policy;
mod record;
#[cfg(feature = "server")]
mod refresh_claims;
mod step;

pub use confirm::{AccessTokenUse, Confirmation, Confirmed, confirm};
pub use derive::{TokenId, TokenSecret};
pub use failure_limit::FailureLimit;
pub use policy::{RefreshPolicy, SessionPolicy, TheftScope};
pub use record::{Child, DeviceLabel, NewSession, Record, State};
#[cfg(feature = "server")]
pub(crate) use refresh_claims::RefreshClaims;
pub use step::{Decision, IssuedChild, RefreshAttempt, Step, Theft, step};
