//! **regrant**: validates short-lived access tokens in-process and runs the refresh-token flow
//! that renews them.
//!
//! One folder per idea, and dependencies point one way: `types` and `error` ← `token` ← `keys` ←
//! `access` ← `dpop` ← `session` ← `revocation` ← `store` ← `auth` (what most programs use) ← `http`
//! (the rules of requests, cookies and origins). `client` is the side of an app that holds the
//! tokens, `jwks` accepts the tokens of other services, and both send requests through a
//! `transport`. `migration` takes over the tokens of a legacy app, and `config` reads all of it from
//! JSON.
//!
//! Standards: RFC 7519 (JWT), RFC 7515 (JWS), RFC 6750 (Bearer), RFC 6749 (refresh flow),
//! RFC 9068 (`at+jwt`), RFC 9700 (rotation and reuse detection), RFC 9449 (DPoP).
#![forbid(unsafe_code)]
// Modules are gated by features, single functions and imports are not; with all features, unused ones
// are errors.
#![cfg_attr(
    not(all(feature = "axum", feature = "file", feature = "redis", feature = "reqwest")),
    allow(dead_code, unused_imports)
)]

pub mod access;
#[cfg(feature = "server")]
pub mod auth;
pub mod client;
#[cfg(feature = "server")]
pub mod config;
pub mod dpop;
pub mod error;
#[cfg(feature = "server")]
pub mod http;
#[doc(hidden)]
pub mod internal;
#[cfg(feature = "server")]
pub mod jwks;
pub mod keys;
#[cfg(feature = "server")]
pub mod migration;
#[cfg(feature = "server")]
pub mod revocation;
#[cfg(feature = "server")]
pub mod session;
#[cfg(feature = "server")]
pub mod store;
pub mod token;
pub mod transport;
pub mod types;

#[cfg(feature = "server")]
pub use auth::{
    AuditEvent, AuditKind, Auth, AuthBuilder, Login, Logout, LogoutEverywhere, RefreshRequest,
    RefreshResponse, Renewal, SessionInfo, SessionStatus, SessionUpdate, TokenPair,
};
pub use error::{Advice, Error, ErrorCode, ErrorDetails, ErrorInfo, Language, Result};

/// Compiles the Rust of the README and of its page.
#[cfg(all(doctest, feature = "redis"))]
#[doc = include_str!("../../README.md")]
#[doc = include_str!("../docs/rust.md")]
struct Readme;
