//! Takes over the refresh tokens of an app that was here before, so that nobody signs in again.
//!
//! The old shape: the refresh token is a JWT by npm `jsonwebtoken`, HS256 under the app's one
//! secret, `typ: JWT` or none; a Redis maps the raw token to the user's id or e-mail, and
//! forgetting the key is logging out. Such a token is generation 0 of a session whose id and
//! secret follow from its text, so every step can be repeated, by any process, with the same
//! outcome. What was taken over is marked beside the old keys; old processes go on finding
//! theirs until they are swept.

mod adoption;
mod ended_tokens;
mod identity_resolver;
mod legacy_store;
mod legacy_token;
mod marker;
#[cfg(feature = "redis")]
pub mod redis;
mod settings;

pub(crate) use adoption::{Found, Migration, Standing, Taken};
pub use ended_tokens::RevokedBefore;
pub use identity_resolver::{IdentityResolver, TheValueItself};
pub use legacy_store::{ImportOutcome, KeyPage, LegacyStore, Lookup};
pub(crate) use legacy_token::LegacyToken;
pub use marker::{MigrationMarker, Place};
pub use settings::LegacyRefreshTokens;
