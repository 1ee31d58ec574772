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
mod mark;
mod old_store;
mod old_token;
mod old_users;
#[cfg(feature = "redis")]
pub mod redis;
mod settings;

pub(crate) use adoption::{Adoption, Found, Standing, Taken};
pub use ended_tokens::EndedTokens;
pub use mark::{Mark, Place};
pub use old_store::{KeyPage, Look, OldStore, TakeOver};
pub(crate) use old_token::OldToken;
pub use old_users::{OldUsers, TheValueItself};
pub use settings::OldRefreshTokens;
