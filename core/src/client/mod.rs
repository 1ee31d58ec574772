//! The client's side of the flow: an app that holds a pair of tokens and never has to think about
//! it.
//!
//! [`Machine`] is a machine without I/O, clock, threads or `async`: it is told what has happened
//! ([`Event`]) and says what to do ([`Action`]). [`Endpoint`] knows what the requests and answers
//! of a server look like. Whatever drives the two only moves bytes: `Session` (feature `client`)
//! does so on Tokio, over a `Transport` and a `TokenStorage`.
//!
//! What a client owes the session engine of the server ([`crate::session`]), so that no honest
//! user is ever signed out: one refresh at a time per storage, the storage read before it, the new
//! pair stored before it is used, and the tokens kept whenever it is not certain that the session
//! is over. A refresh whose answer was lost may be repeated; a stored pair may be given up for
//! its parent only as long as nobody has used it.

mod answer;
#[cfg(feature = "client")]
mod authorization;
mod backoff;
mod endpoint;
mod event;
mod http;
mod machine;
mod now;
mod pair;
#[cfg(feature = "client")]
mod proving;
mod reason;
#[cfg(feature = "client")]
mod session;
mod settings;
mod stored;

pub use answer::{Answer, Grant};
#[cfg(feature = "client")]
pub use authorization::Authorization;
pub use endpoint::Endpoint;
pub use event::{Action, Caller, Event, Found, Ticket};
pub use http::{Request, Response};
pub use machine::Machine;
pub use now::Now;
pub use pair::Pair;
pub use reason::{Refusal, SignOutReason, State, Trouble};
#[cfg(feature = "reqwest")]
pub use session::{CallError, ReqwestTransport};
#[cfg(feature = "client")]
pub use session::{
    FileStorage, MemoryStorage, Session, SessionBuilder, StorageLock, TokenStorage, Transport,
};
pub use settings::Settings;
