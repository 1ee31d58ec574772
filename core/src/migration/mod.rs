//! Migrates the refresh tokens of a legacy app, so that its users need not sign in again.
//!
//! The legacy app's refresh token is a JWT by npm `jsonwebtoken`: HS256 under the app's one secret,
//! `typ: JWT` or none. A Redis maps the raw token to the user's id or e-mail address, and deleting
//! the key is the logout.
//!
//! Such a token becomes generation 0 of a session whose id and secret are derived from the token's
//! text. Every step can therefore be repeated, by any process, with the same result. A marker
//! beside the legacy key says that a token was migrated. Processes of the legacy app find their
//! keys until [`Auth::sweep_legacy_tokens`](crate::Auth::sweep_legacy_tokens) removes them.
//!
//! [`Auth`](crate::Auth) knows of all this by one hook, `LegacyTokens`, which
//! [`LegacyRefreshTokens`] implements.

#[cfg(feature = "redis")]
pub mod redis;
pub(crate) mod store;
mod sweep;
mod token;

pub use crate::auth::legacy::{IdentityResolver, SweepOptions, SweepReport};
pub(crate) use store::{
    ImportOutcome, KeyPage, LegacyKeyState, LegacyStore, Lookup, MigrationMarker, RevokedBefore,
};

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use tracing::Span;
use tracing::field::display;

use self::sweep::Sweep;
use self::token::LegacyToken;
use crate::auth::{
    AuditKind, AuthBuilder, Engine, LegacyTokens, RefreshAttempt, RefreshIntrospection,
    RefreshRequest, RefreshResponse, Renewal, SessionAdmin,
};
use crate::error::{Error, Result};
use crate::keys::{Algorithm, Key, ShortSecret};
use crate::session::{
    ClientDetails, DeviceLabel, NewSession, Record, RefreshClaims, SessionPolicy,
};
use crate::store::FailureKey;
use crate::types::{RevocationReason, SecretBytes, SessionId, Subject, Timestamp};

/// The refresh tokens of a legacy app: the secrets that signed them, the store that knows them,
/// and how to find their users.
#[must_use]
pub struct LegacyRefreshTokens {
    keys: Vec<Key>,
    store: Arc<dyn LegacyStore>,
    users: Arc<dyn IdentityResolver>,
}

impl LegacyRefreshTokens {
    /// Tokens that were signed with `secret` and are known to `store`, a
    /// [`LegacyRedis`](redis::LegacyRedis).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `secret` when it is empty or PEM. It may be short: no token is
    /// accepted without its key in the store.
    pub fn new(secret: &SecretBytes, store: impl LegacyStore + 'static) -> Result<Self> {
        Self::shared(secret, Arc::new(store))
    }

    pub(crate) fn shared(secret: &SecretBytes, store: Arc<dyn LegacyStore>) -> Result<Self> {
        Self { keys: Vec::new(), store, users: Arc::new(ValueIsSubject) }.or_secret(secret)
    }

    /// Also accepts tokens that were signed with `secret`.
    ///
    /// # Errors
    /// As [`LegacyRefreshTokens::new`].
    pub fn or_secret(mut self, secret: &SecretBytes) -> Result<Self> {
        self.keys.push(Key::hmac(Algorithm::HS256, secret, ShortSecret::Allow)?);
        Ok(self)
    }

    /// Sets how to find the user by the value in the store. By default the value is the user's id.
    pub fn users(mut self, users: impl IdentityResolver + 'static) -> Self {
        self.users = Arc::new(users);
        self
    }
}

impl fmt::Debug for LegacyRefreshTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyRefreshTokens").field("store", &self.store).finish_non_exhaustive()
    }
}

/// How long the app may take to find a user: the refresh that waits has one of a limited number of places.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(10);

/// The default [`IdentityResolver`]: the stored value is the user's id.
struct ValueIsSubject;

#[async_trait]
impl IdentityResolver for ValueIsSubject {
    async fn subject(&self, value: &str) -> Result<Option<Subject>> {
        Ok(Subject::new(value).ok())
    }
}

impl AuthBuilder {
    /// Migrates the refresh tokens of a legacy app: their holders go on as if this server had
    /// issued the tokens.
    pub fn migrate_legacy_tokens(mut self, tokens: LegacyRefreshTokens) -> Self {
        self.legacy = Some(Box::new(tokens));
        self
    }

    /// Sets how to find the user of a legacy token, where the legacy tokens come from a
    /// configuration; see [`LegacyRefreshTokens::users`]. Without legacy tokens it has no effect.
    pub fn identity_resolver(mut self, users: impl IdentityResolver + 'static) -> Self {
        if let Some(tokens) = &mut self.legacy {
            tokens.resolve_users_by(Arc::new(users));
        }
        self
    }
}

impl SessionAdmin {
    /// Also revokes the user's legacy tokens when all sessions of a user are revoked.
    #[must_use]
    pub fn with_legacy_store(mut self, store: Arc<dyn LegacyStore>) -> Self {
        // It verifies no token and so needs no key.
        let (keys, users) = (Vec::new(), Arc::new(ValueIsSubject));
        self.legacy = Some(Arc::new(LegacyRefreshTokens { keys, store, users }));
        self
    }
}

/// How far the migration of a token has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MigrationState {
    /// Known to the legacy app alone.
    Pending,
    /// The token has a session, which expires at this instant at the latest.
    Migrated(Timestamp),
    /// The token had a session, and the user was then logged out: by a process of the legacy app, or everywhere while the
    /// token was being migrated.
    LoggedOut(Timestamp, RevocationReason),
}

/// A legacy token that was verified and looked up.
struct ResolvedToken<'a> {
    token: LegacyToken<'a>,
    claims: RefreshClaims,
    state: MigrationState,
}

/// The session that a token became.
struct ImportedSession {
    is_live: bool,
    expires_at: Timestamp,
}

impl LegacyRefreshTokens {
    fn verify<'a>(&self, token: &'a str) -> Result<LegacyToken<'a>> {
        LegacyToken::verify(token, &self.keys)
    }

    /// Returns the user and the state of a token. `None` if neither the legacy app nor a marker
    /// knows the token.
    async fn look_up(&self, token: &LegacyToken<'_>) -> Result<Option<(Subject, MigrationState)>> {
        let Lookup { value, marker, revoked } =
            self.store.look_up(token.text, &token.session).await?;
        let is_revoked = revoked.is_some_and(|it| it.covers(&token.session, token.issued_at));
        Ok(match (value, marker) {
            // A marker is final: from then on the session decides, and nothing starts it anew.
            (value, Some(MigrationMarker { key, expires_at, subject })) => {
                let state = if value.is_none() && key == LegacyKeyState::Kept {
                    MigrationState::LoggedOut(expires_at, RevocationReason::Logout)
                } else if is_revoked {
                    // The attempt that wrote the marker may not have got as far as to revoke the session.
                    MigrationState::LoggedOut(expires_at, RevocationReason::LogoutEverywhere)
                } else {
                    MigrationState::Migrated(expires_at)
                };
                Some((subject, state))
            }
            (Some(value), None) => {
                let resolved = timeout(RESOLVE_TIMEOUT, self.users.subject(&value)).await;
                let subject =
                    resolved.map_err(|_| Error::store("the resolver of users is too slow"))??;
                subject.map(|subject| (subject, MigrationState::Pending))
            }
            (None, None) => None,
        })
    }

    /// Looks a verified token up. Changes nothing.
    async fn resolve<'a>(
        &self,
        engine: &Engine,
        token: LegacyToken<'a>,
    ) -> Result<ResolvedToken<'a>> {
        // Before its times: a token that is expired and logged out is unknown, as in the legacy app.
        let (subject, state) = self.look_up(&token).await?.ok_or(Error::SessionUnknown)?;
        token.check_times(engine.now())?;
        let session_end = match state {
            MigrationState::Pending => Record::MAX_TIMESTAMP,
            MigrationState::Migrated(end) | MigrationState::LoggedOut(end, _) => end,
        };
        let claims = token.claims(subject, session_end);
        Ok(ResolvedToken { token, claims, state })
    }

    /// Starts the session of a token and writes the marker; revokes the session again if the
    /// legacy app logged the user out meanwhile.
    ///
    /// First the session, then the marker: after a crash between the two, the next attempt finds
    /// the same session and writes the marker.
    async fn import(
        &self,
        engine: &Engine,
        token: &LegacyToken<'_>,
        subject: &Subject,
        state: MigrationState,
        key: LegacyKeyState,
    ) -> Result<ImportedSession> {
        let (now, session) = (engine.now(), &token.session);
        let new = new_session(token, engine.policy(), now);
        let created = engine.admin().store().create(subject, session, &new).await?;
        let expires_at = created.record.expires_at;
        let marker = MigrationMarker { key, expires_at, subject: subject.clone() };
        let ttl = expires_at.since(now).max(Duration::from_millis(1));
        let ImportOutcome { marker, revoked } =
            self.store.import(token.text, session, &marker, ttl).await?;
        let logged_out = match (marker, revoked) {
            (None, _) => Some(RevocationReason::Logout),
            (Some(_), Some(revoked)) if revoked.covers(session, token.issued_at) => {
                Some(RevocationReason::LogoutEverywhere)
            }
            _ => None,
        };
        if let Some(reason) = logged_out {
            engine.revoke_one(subject, session, reason, None).await?;
        } else if state == MigrationState::Pending {
            engine.admin().auditor().emit(subject, *session, AuditKind::Migrated);
        }
        Ok(ImportedSession { is_live: logged_out.is_none(), expires_at })
    }
}

/// The session of a legacy token lives at least as long as the legacy app promised. It must not
/// idle out before, because without rotation its holder never presents another token.
fn new_session(token: &LegacyToken<'_>, policy: &SessionPolicy, now: Timestamp) -> NewSession {
    let promised = token.expires_at.map(|end| end.since(now));
    let absolute_ttl = policy.absolute_ttl.max(promised.unwrap_or_default());
    NewSession {
        id: token.id(),
        idle_ttl: promised.map_or(absolute_ttl, |promised| promised.max(policy.idle_ttl)),
        absolute_ttl,
        device: DeviceLabel::default(),
        // A migration evicts nobody.
        max_sessions: None,
        legacy_login: Some(token.issued_at),
        client: None,
    }
}

#[async_trait]
impl LegacyTokens for LegacyRefreshTokens {
    fn recognizes(&self, token: &str) -> bool {
        LegacyToken::has_legacy_header(token)
    }

    async fn claims(&self, engine: &Engine, token: &str) -> Result<RefreshClaims> {
        Ok(self.resolve(engine, self.verify(token)?).await?.claims)
    }

    /// Migrates the token if that is pending, and then refreshes its session like any other.
    async fn refresh(
        &self,
        engine: &Engine,
        request: RefreshRequest<'_>,
        attempt: &mut RefreshAttempt,
    ) -> Result<RefreshResponse> {
        let token = self.verify(request.token)?;
        // Its user may be unknown: until the store has named one, failures count for the token.
        engine.admit_token(attempt, FailureKey::token(&token.session, &token.id()))?;
        let ResolvedToken { token, mut claims, state } = self.resolve(engine, token).await?;
        let checked = engine.check_request(&claims, request, attempt)?;
        match state {
            MigrationState::Pending => {
                let key = LegacyKeyState::Kept;
                let imported = self.import(engine, &token, &claims.subject, state, key).await?;
                claims = token.claims(claims.subject, imported.expires_at);
            }
            MigrationState::Migrated(_) => {}
            MigrationState::LoggedOut(_, reason) => {
                let client = checked.client();
                engine.revoke_one(&claims.subject, &claims.session, reason, client).await?;
            }
        }
        let mut response = engine.exchange(&claims, checked).await;
        // A legacy token itself ends at its own `exp`, whatever the idle deadline of its session.
        if let Ok(response) = &mut response
            && response.refresh_token.is_none()
        {
            response.refresh_expires_at = response.refresh_expires_at.min(claims.expires_at);
        }
        if let Err(Error::SessionRevoked { .. } | Error::RefreshReused) = response {
            // The legacy app must refuse the token too.
            let session = token.session;
            if let Err(error) = self.store.remove(token.text, &session).await {
                tracing::warn!(target: "regrant::store", %error, %session, "failed to remove the legacy key of a revoked session");
            }
        }
        response
    }

    async fn introspect(&self, engine: &Engine, token: &str) -> Result<RefreshIntrospection> {
        let ResolvedToken { claims, state, .. } = self.resolve(engine, self.verify(token)?).await?;
        if let MigrationState::LoggedOut(_, reason) = state {
            return Err(Error::SessionRevoked { reason });
        }
        let is_pending = state == MigrationState::Pending;
        let renewal = match engine.would_renew(&claims).await? {
            Some((renewal, _)) => renewal,
            None if !is_pending => return Err(engine.session_unknown_or_expired(&claims)),
            None if engine.policy().rotation => Renewal::Rotated,
            None => Renewal::Renewed,
        };
        Ok(RefreshIntrospection::new(claims, renewal, is_pending))
    }

    /// Logs the user out here and in the legacy app.
    async fn logout(
        &self,
        engine: &Engine,
        token: &str,
        client: Option<&ClientDetails>,
        span: &Span,
    ) -> Result<bool> {
        let token = self.verify(token)?;
        span.record("session", display(token.session));
        // The key first: an import in progress then finds it gone and revokes its session.
        let (existed, marker) = self.store.remove(token.text, &token.session).await?;
        let Some(marker) = marker else { return Ok(existed) };
        let (subject, session) = (&marker.subject, &token.session);
        engine.revoke_one(subject, session, RevocationReason::Logout, client).await
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        until: Timestamp,
        except: Option<SessionId>,
    ) -> Result<()> {
        self.store.revoke_before(subject, &RevokedBefore { until, except }).await
    }

    async fn sweep(
        &self,
        engine: &Engine,
        options: SweepOptions,
        progress: &mut (dyn for<'r> FnMut(&'r SweepReport) + Send),
    ) -> Result<SweepReport> {
        Sweep::new(self, engine, options).run(progress).await
    }

    fn resolve_users_by(&mut self, users: Arc<dyn IdentityResolver>) {
        self.users = users;
    }
}
