//! The hook through which a [`migration`](crate::migration) handles the refresh tokens that a
//! legacy app issued. `refresh`, `logout` and `introspect` consult it first; every other token
//! takes their main path. `migration` implements the hook; this module fixes its interface.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde::Serialize;
use tracing::Span;

use super::{Engine, RefreshAttempt, RefreshIntrospection, RefreshRequest, RefreshResponse};
use crate::error::Result;
use crate::session::{ClientDetails, RefreshClaims};
use crate::types::{SessionId, Subject, Timestamp};

/// Turns each refresh token of a legacy app into a session at its first refresh.
#[async_trait]
pub(crate) trait LegacyTokens: fmt::Debug + Send + Sync {
    /// Whether the unverified header of `token` says that it is a legacy token.
    fn recognizes(&self, token: &str) -> bool;

    /// See [`Auth::refresh_identity`](super::Auth::refresh_identity).
    async fn claims(&self, engine: &Engine, token: &str) -> Result<RefreshClaims>;

    /// See [`Auth::refresh`](super::Auth::refresh).
    async fn refresh(
        &self,
        engine: &Engine,
        request: RefreshRequest<'_>,
        attempt: &mut RefreshAttempt,
    ) -> Result<RefreshResponse>;

    /// See [`Auth::introspect_refresh`](super::Auth::introspect_refresh).
    async fn introspect(&self, engine: &Engine, token: &str) -> Result<RefreshIntrospection>;

    /// See [`Auth::logout`](super::Auth::logout).
    async fn logout(
        &self,
        engine: &Engine,
        token: &str,
        client: Option<&ClientDetails>,
        span: &Span,
    ) -> Result<bool>;

    /// Revokes the user's legacy tokens issued up to `until`, used before or not, except the one
    /// that became the session `except`.
    async fn revoke_all(
        &self,
        subject: &Subject,
        until: Timestamp,
        except: Option<SessionId>,
    ) -> Result<()>;

    /// See [`Auth::sweep_legacy_tokens`](super::Auth::sweep_legacy_tokens).
    async fn sweep(
        &self,
        engine: &Engine,
        options: SweepOptions,
        progress: &mut (dyn for<'r> FnMut(&'r SweepReport) + Send),
    ) -> Result<SweepReport>;

    /// See [`AuthBuilder::identity_resolver`](super::AuthBuilder::identity_resolver).
    fn resolve_users_by(&mut self, users: Arc<dyn IdentityResolver>);
}

impl Engine {
    /// The migration that handles `token`: `None` unless it is a legacy token and a migration is
    /// configured.
    pub(super) fn legacy(&self, token: &str) -> Option<&dyn LegacyTokens> {
        self.admin.legacy.as_deref().filter(|legacy| legacy.recognizes(token))
    }
}

/// Finds the user by the value that the legacy app stored with a token. Asked at each attempt
/// until the token has become a session.
#[async_trait]
pub trait IdentityResolver: Send + Sync {
    /// Returns the user that `value` names, an id or an e-mail address. `None` when the user no
    /// longer exists; the token is then unknown.
    ///
    /// # Errors
    /// A failed look-up, as [`Error::store`](crate::Error::store). It signs nobody out.
    async fn subject(&self, value: &str) -> Result<Option<Subject>>;
}

/// Options of a sweep.
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct SweepOptions {
    /// Counts and changes nothing.
    pub dry_run: bool,
    /// Also removes tokens that have expired or whose user no longer exists.
    pub remove_dead: bool,
}

/// What a sweep has done so far. A key may be counted more than once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct SweepReport {
    /// Keys that were read.
    pub scanned: u64,
    /// Tokens that became sessions and whose keys were removed; with `dry_run`, would be.
    pub converted: u64,
    /// Tokens whose user was logged out, here or by the legacy app; their keys are gone.
    pub logged_out: u64,
    /// Tokens past their `exp`.
    pub expired: u64,
    /// Tokens of users that no longer exist.
    pub unknown_users: u64,
    /// Keys that are not tokens of the legacy app; never touched.
    pub foreign: u64,
    /// Keys of expired tokens and unknown users that were removed.
    pub removed: u64,
}
