//! The hook through which a [`migration`](crate::migration) handles the refresh tokens that a
//! legacy app issued. `refresh`, `logout` and `introspect` consult it first; every other token
//! takes their main path.

use std::any::Any;
use std::fmt;

use async_trait::async_trait;
use tracing::Span;

use super::{Attempt, Engine, RefreshIntrospection, RefreshRequest, RefreshResponse};
use crate::error::Result;
use crate::types::{SessionId, Subject, Timestamp};

/// Turns each refresh token of a legacy app into a session at its first refresh.
#[async_trait]
pub(crate) trait LegacyTokens: Any + fmt::Debug + Send + Sync {
    /// Whether the unverified header of `token` says that it is a legacy token.
    fn recognizes(&self, token: &str) -> bool;

    /// See [`Auth::refresh_subject`](super::Auth::refresh_subject).
    async fn subject(&self, engine: &Engine, token: &str) -> Result<Subject>;

    /// See [`Auth::refresh`](super::Auth::refresh).
    async fn refresh(
        &self,
        engine: &Engine,
        request: RefreshRequest<'_>,
        attempt: &mut Attempt,
    ) -> Result<RefreshResponse>;

    /// See [`Auth::introspect_refresh`](super::Auth::introspect_refresh).
    async fn introspect(&self, engine: &Engine, token: &str) -> Result<RefreshIntrospection>;

    /// See [`Auth::logout`](super::Auth::logout).
    async fn logout(&self, engine: &Engine, token: &str, span: &Span) -> Result<bool>;

    /// Revokes the user's legacy tokens issued up to `until`, used before or not, except the one
    /// that became the session `except`.
    async fn revoke_all(
        &self,
        subject: &Subject,
        until: Timestamp,
        except: Option<SessionId>,
    ) -> Result<()>;
}

impl Engine {
    /// The migration that handles `token`: `None` unless it is a legacy token and a migration is
    /// configured.
    pub(super) fn legacy(&self, token: &str) -> Option<&dyn LegacyTokens> {
        self.admin.legacy.as_deref().filter(|legacy| legacy.recognizes(token))
    }
}
