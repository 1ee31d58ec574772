//! The integration tests of the crate, as one program: it is linked once, and a test is named by its file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access_cache;
mod access_claims;
mod access_issue;
mod access_keyring;
mod access_keys;
mod access_legacy;
mod access_properties;
mod access_verify;
mod architecture;
#[cfg(feature = "server")]
mod auth;
mod checklist;
mod client_machine;
#[cfg(feature = "reqwest")]
mod client_session;
#[cfg(feature = "server")]
mod dpop;
mod error_vectors;
#[cfg(feature = "file")]
mod file_store;
#[cfg(feature = "server")]
mod http;
mod jwks;
#[cfg(feature = "server")]
mod jwks_resolver;
#[cfg(feature = "server")]
mod jwks_verifier;
mod key_vectors;
#[cfg(feature = "server")]
mod migration;
mod support;
mod token_vectors;
mod upgrade;
