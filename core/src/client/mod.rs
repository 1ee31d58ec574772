//! The client's side of the flow: a session that stores a token pair and keeps its access token
//! fresh.
//!
//! [`Machine`] is the state machine, without I/O, clock, threads or `async`: it receives [`Event`]s
//! and returns [`Action`]s. [`RefreshEndpoint`] knows the requests and responses of a server.
//! `Session` (feature `client`) drives both on Tokio, over an
//! [`Transport`](crate::transport::Transport) and a `TokenStorage`.
//!
//! A client must follow these rules so that the server ([`crate::session`]) never signs out an
//! honest user: one refresh at a time per storage; read the storage before it; store the new pair
//! before using it; and keep the tokens unless the session is known to be over. A refresh whose
//! response was lost may be repeated. A stored pair may be discarded in favour of its parent only
//! while nobody has used it.

#[cfg(feature = "client")]
mod attempt;
mod clock;
mod endpoint;
mod error;
mod event;
mod machine;
mod pair;
#[cfg(feature = "client")]
mod session;

#[cfg(feature = "client")]
pub use self::{
    attempt::Attempt,
    session::{
        DurableFile, FileStorage, MemoryStorage, Session, SessionBuilder, StorageLock, TokenStorage,
    },
};
pub use clock::DeviceTime;
pub use endpoint::RefreshEndpoint;
pub use error::{SessionError, SessionState, SignOutReason, TransientError};
pub use event::{Action, Caller, Event, RefreshAnswer, StorageRead, Ticket};
pub use machine::{Machine, SessionSettings};
pub use pair::{Grant, TokenPair};
#[cfg(feature = "reqwest")]
pub use session::transport::{CallError, ReqwestTransport};
