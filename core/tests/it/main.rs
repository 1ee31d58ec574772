//! The integration tests of the crate, as one program: it is linked once, and a test is named by its file.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]

mod access_cache;
mod access_claims;
mod access_issue;
mod access_keyring;
mod access_keys;
mod access_legacy;
mod access_properties;
mod access_support;
mod access_verify;
#[cfg(feature = "server")]
mod adoption;
mod architecture;
mod checklist;
mod client_machine;
#[cfg(feature = "reqwest")]
mod client_session;
#[cfg(feature = "server")]
mod dpop;
mod error_vectors;
#[cfg(feature = "server")]
mod facade;
#[cfg(feature = "file")]
mod file_store;
#[cfg(feature = "server")]
mod issuers;
mod jwks;
mod key_vectors;
mod token_vectors;
mod upgrade;
