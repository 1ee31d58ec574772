//! The client's side of the flow: a session that stores a token pair and keeps its access token
//! fresh.
//!
//! [`machine`] holds the state machine, which has no I/O, clock, threads or `async`: it receives
//! events and returns actions. [`RefreshEndpoint`] builds refresh requests and reads the responses.
//! `Session` (feature `client`) drives both on Tokio, over a
//! [`Transport`](crate::transport::Transport) and a `TokenStorage`. A pair is an access token and
//! the refresh token that renews it.
//!
//! A client must follow these rules so that the server ([`crate::session`]) never signs out an
//! honest user: one refresh at a time per storage; read the storage before each refresh; store the
//! new pair before using it; and keep the tokens unless the session is known to be over. A refresh
//! whose response was lost may be repeated. After a refresh the client may go back to the previous
//! pair only if neither token of the new one was ever sent.

#[cfg(feature = "client")]
mod attempt;
mod clock;
mod endpoint;
mod error;
mod event;
pub mod machine;
mod pair;
#[cfg(feature = "client")]
pub(crate) mod session;

#[cfg(feature = "client")]
pub use self::{
    attempt::Attempt,
    session::{
        FileStorage, MemoryStorage, Session, SessionBuilder, StorageError, StorageLock,
        TokenStorage,
    },
};
pub use endpoint::RefreshEndpoint;
pub use error::{SessionError, SessionState, SignOutOutcome, SignOutReason, TransientError};
pub use machine::retry::SessionSettings;
pub use pair::TokenPair;
#[cfg(feature = "reqwest")]
pub use session::transport::{CallError, ReqwestTransport, same_origin_redirects};
