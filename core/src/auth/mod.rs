//! Log in, verify, refresh, log out: the API that most programs use.
//!
//! [`Auth::verify`] is synchronous and does no I/O; everything that touches the store is async.
//! Each flow has one file: `login`, `verify`, `refresh`, `logout`.

mod background;
mod builder;
mod denial;
mod dpop;
mod events;
mod instrumented_store;
mod introspect;
pub(crate) mod legacy;
mod limits;
mod login;
mod logout;
pub mod metrics;
mod publications;
mod refresh;
mod sessions;
mod unfinished;
mod update;
mod usage;
mod verify;

pub use builder::AuthBuilder;
pub(crate) use builder::{DEFAULT_MAX_STALENESS, realms};
pub use dpop::DpopPolicy;
pub use events::{AuditEvent, AuditKind, RevokedAccess};
pub use introspect::RefreshIntrospection;
pub(crate) use legacy::LegacyTokens;
pub(crate) use limits::RefreshAttempt;
pub use login::{Login, TokenPair};
pub use logout::{Logout, LogoutEverywhere, RevocationReport};
pub use refresh::{RefreshIdentity, RefreshRequest, RefreshResponse, Renewal};
pub use sessions::{SessionAdmin, SessionInfo, SessionStatus};
pub use update::SessionUpdate;
pub use verify::StalePolicy;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use crate::access::{AccessGrant, AccessIssuer, AccessVerifier, IssuedAccess};
use crate::error::Result;
use crate::keys::{Keyring, RefreshKeys, Thumbprint};
use crate::session::{RefreshClaims, SessionPolicy};
use crate::store::StoreHealth;
use crate::types::{FamilyPosition, Realms, RefreshToken, SessionId, Subject, Timestamp};

use dpop::DpopBinding;
use limits::{FailureLimiter, InFlightLimit};
use usage::UseReporter;
use verify::RevocationLag;

/// Issues, verifies, refreshes and revokes tokens. Cheap to clone; clones share state.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use regrant::types::Subject;
/// use regrant::{Auth, Login, RefreshRequest};
///
/// let config = r#"{ "secret": "0123456789abcdef0123456789abcdef", "store": "memory:" }"#;
/// let auth = Auth::from_json(config)?.build()?;
///
/// let pair = auth.login(Login::new(Subject::new("user-1")?)).await?;
/// let access = auth.verify(pair.access_token.expose())?;
/// assert_eq!(access.subject().as_str(), "user-1");
///
/// let next = auth.refresh(RefreshRequest::new(pair.refresh_token.expose())).await?;
/// assert!(next.refresh_token.is_some());
/// # Ok::<(), regrant::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Auth(Arc<Inner>);

struct Inner {
    verifier: ArcSwap<AccessVerifier>,
    /// Held by [`Auth::set_keys`], so that concurrent calls do not mix their keys.
    key_change: Mutex<()>,
    engine: Arc<Engine>,
    use_reporter: UseReporter,
}

/// The state that [`Auth`] shares with its background tasks.
pub(crate) struct Engine {
    signers: ArcSwap<Signers>,
    policy: SessionPolicy,
    /// `None`: all sessions use bearer tokens.
    dpop: Option<DpopBinding>,
    realms: Realms,
    admin: SessionAdmin,
    failure_limiter: FailureLimiter,
    in_flight: InFlightLimit,
    logins: InFlightLimit,
    revocation_lag: RevocationLag,
}

/// The keys that sign access tokens, and that sign and verify refresh tokens.
struct Signers {
    access: AccessIssuer,
    refresh: RefreshKeys,
}

impl Auth {
    pub(crate) fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// Starts building an [`Auth`] in code; [`Auth::from_json`] starts from a configuration.
    pub fn builder() -> AuthBuilder {
        AuthBuilder::default()
    }

    /// Reports the state of the store. An unreachable store is a report, not an error.
    pub async fn health(&self) -> StoreHealth {
        self.0.engine.admin.health().await
    }

    /// Returns the public keys of access tokens as a JWK Set (RFC 7517 §5), for services that
    /// verify the tokens of this one. Symmetric keys are left out.
    pub fn jwks(&self) -> String {
        self.0.verifier.load().keyring().jwks()
    }

    /// For bindings: the number of slots of the cache of verified access tokens; see
    /// [`VerifiedAccess::cache_id`](crate::access::VerifiedAccess::cache_id).
    #[doc(hidden)]
    pub fn cache_slots(&self) -> usize {
        self.0.verifier.load().cache_slots()
    }

    /// Replaces all keys of this process. Calls in progress finish with the previous keys.
    ///
    /// To rotate a key without refusing a token, take each step in all processes before the next
    /// one. *Add*: the new key verifies and does not sign. *Activate*: the new key signs, the old
    /// one still verifies. *Retire*: remove the old key once no token that it signed is alive;
    /// tokens under it are refused at once from then on, cached ones included. Access tokens live
    /// for at most
    /// [`AccessPolicy::longest_acceptance`](crate::access::AccessPolicy::longest_acceptance),
    /// refresh tokens for
    /// [`SessionPolicy::idle_ttl`](crate::session::SessionPolicy::idle_ttl), or `absolute_ttl`
    /// without rotation.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) for `keys` when none of them can
    /// sign; nothing changes then.
    pub fn set_keys(&self, access: Keyring, refresh: RefreshKeys) -> Result<()> {
        let Inner { verifier, key_change, engine, .. } = &*self.0;
        let refresh = refresh.in_realms(&engine.realms)?;
        let _guard = key_change.lock().unwrap_or_else(PoisonError::into_inner);
        let new_issuer = engine.signers.load().access.with_keys(access.clone())?;
        let new_verifier = verifier.load().with_keys(access)?;
        // The verifier first, so that this process accepts what it signs.
        verifier.store(Arc::new(new_verifier));
        if let Some(dpop) = &engine.dpop {
            dpop.set_nonce_keys(refresh.clone());
        }
        engine.signers.store(Arc::new(Signers { access: new_issuer, refresh }));
        tracing::info!(target: "regrant::keys", "keys replaced");
        Ok(())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("store", &self.0.engine.admin.store).finish_non_exhaustive()
    }
}

impl Auth {
    /// The time of this server's clock.
    pub(crate) fn now(&self) -> Timestamp {
        self.0.engine.now()
    }
}

impl Engine {
    pub(crate) fn now(&self) -> Timestamp {
        self.admin.clock.now()
    }

    pub(crate) fn policy(&self) -> &SessionPolicy {
        &self.policy
    }

    pub(crate) fn admin(&self) -> &SessionAdmin {
        &self.admin
    }

    /// Describes an access token and checks that its claims can be issued. Called before the
    /// store is touched, because claims that cannot be issued must change nothing.
    fn grant(
        &self,
        subject: Subject,
        session: SessionId,
        family_position: FamilyPosition,
        key: Option<Thumbprint>,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<AccessGrant> {
        let key = self.access_token_key(key);
        let (session, family_position) = (Some(session), Some(family_position));
        let grant = AccessGrant { subject, session, family_position, key, claims };
        self.signers.load().access.check(&grant)?;
        Ok(grant)
    }

    /// The present, or the next second that no cut-off time of the deny list denies.
    fn issue_time(&self, subject: &Subject, session: Option<SessionId>) -> Timestamp {
        let now = self.now();
        self.admin.denied.earliest_issue(subject, session, now).map_or(now, |it| it.max(now))
    }

    /// Issues an access token that lives no longer than its session.
    fn issue(&self, grant: &AccessGrant, session_end: Timestamp) -> Result<IssuedAccess> {
        self.issue_at(self.issue_time(&grant.subject, grant.session), grant, session_end)
    }

    /// As [`Engine::issue`], at a time that was chosen before.
    fn issue_at(
        &self,
        issued_at: Timestamp,
        grant: &AccessGrant,
        session_end: Timestamp,
    ) -> Result<IssuedAccess> {
        self.signers.load().access.issue_at(issued_at, grant, Some(session_end))
    }

    fn sign_refresh_token(&self, claims: &RefreshClaims) -> Result<RefreshToken> {
        claims.sign(&self.signers.load().refresh)
    }

    fn verify_refresh_token(&self, token: &str) -> Result<RefreshClaims> {
        RefreshClaims::verify(token, &self.signers.load().refresh)
    }
}
