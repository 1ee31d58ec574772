//! The session state machine: pure functions from a record and an event to a decision and the
//! next record. They do no I/O, read no clock and draw no random numbers.
//!
//! A session is one family of refresh tokens (RFC 9700 §4.14.2). Its record names one of them,
//! the *confirmed* token: the latest one that a client has sent. Rotation issues a *child* of it,
//! which becomes the confirmed token when it is used. Until then the confirmed token may be sent
//! again, because the response that carried the child may have been lost. A request that no single
//! client could have made is reuse, and revokes the session.
//!
//! | | |
//! |---|---|
//! | [`decide_refresh`] | decides about a refresh token |
//! | [`decide_use`] | what the use of an access token tells about the session |
//! | [`Record`] | all that is stored of a session, and its bytes |
//! | [`SessionNotes`] | what is stored beside it and never decides: changed claims, clients |
//! | [`SessionPolicy`] | lifetimes, grace, rotation and limits |
//! | [`TokenSecret`] | the secret in a refresh token, and how a child's secret is derived |

mod merge;
mod notes;
mod policy;
mod record;
mod refresh_token;
mod step;
mod terms;
mod token_use;

pub use notes::{ClientDetails, SessionNotes, UnknownParts, UpdatedClaims};
pub use policy::{FailureLimit, RefreshPolicy, SessionPolicy, TheftScope};
pub(crate) use record::layout;
pub use record::{Child, DeviceLabel, NewSession, Record, SessionState, TokenId};
pub(crate) use refresh_token::RefreshClaims;
pub use refresh_token::TokenSecret;
pub(crate) use step::deadline;
pub use step::{
    Decision, DiscardedChild, IssuedChild, PresentedToken, RefreshTransition, ReuseEvidence,
    decide_refresh,
};
pub(crate) use terms::SessionTerms;
pub use token_use::{AccessTokenUse, UseOutcome, UseTransition, decide_use};
