//! The facade that most programs use: log in, verify, refresh, log out.
//!
//! [`Auth::verify`] is synchronous and does no I/O; everything that touches the store is async.

mod admin;
mod bound;
mod builder;
mod claimed;
mod confirm;
mod event;
mod everywhere;
mod follower;
mod fresh;
mod in_flight;
mod keys;
mod limiter;
mod login;
mod logout;
mod pair;
mod preview;
mod refresh;
mod refuse;
mod sessions;
mod sweep;
mod use_reporter;
mod verify;

pub use admin::{Ended, SessionAdmin};
pub use builder::AuthBuilder;
pub(crate) use builder::DEFAULT_MAX_STALENESS;
pub use event::{AuditEvent, AuditKind};
pub use everywhere::LogoutEverywhere;
pub use fresh::StalePolicy;
pub use login::Login;
pub use pair::{Renewal, Renewed, TokenPair};
pub use preview::RefreshIntrospection;
pub use refresh::RefreshRequest;
pub use sessions::{SessionInfo, SessionStatus};
pub use sweep::{SweepOptions, SweepReport};

use std::fmt;
use std::sync::Arc;

use crate::access::AccessGrant;
use crate::error::Result;
use crate::keys::Thumbprint;
use crate::migration::Migration;
use crate::session::SessionPolicy;
use crate::store::StoreHealth;
use crate::types::{FamilyPosition, SessionId, Subject};

use bound::Binding;
use fresh::RevocationLag;
use in_flight::InFlightLimit;
use keys::{Signing, Verifying};
use limiter::Limiter;
use use_reporter::UseReporter;

/// Issues, verifies, refreshes and revokes. Cheap to clone; all clones are one.
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
    verifying: Verifying,
    engine: Arc<Engine>,
    use_reporter: UseReporter,
}

/// What the facade and its background task share.
struct Engine {
    signing: Signing,
    policy: SessionPolicy,
    /// How sessions are bound to keys of clients, where they may be.
    binding: Option<Binding>,
    admin: SessionAdmin,
    /// How many refreshes may fail.
    limiter: Limiter,
    in_flight: InFlightLimit,
    /// How far this process is behind the feed of revocations.
    freshness: RevocationLag,
    /// Takes over the refresh tokens of an app that was here before.
    adoption: Option<Migration>,
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Auth").field("store", &self.0.engine.admin.store).finish_non_exhaustive()
    }
}

impl Auth {
    /// Begins a configuration in code.
    pub fn builder() -> AuthBuilder {
        AuthBuilder::default()
    }

    /// How the store is doing. One that cannot be reached is a report, and no error.
    pub async fn health(&self) -> StoreHealth {
        self.0.engine.admin.health().await
    }

    /// Begins with a configuration as JSON; see [`config`](crate::config).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) naming the field.
    pub fn from_json(json: &str) -> Result<AuthBuilder> {
        crate::config::AuthConfig::from_json(json)?.builder()
    }
}

impl Engine {
    /// A grant whose claims can be issued: looked at before the store is touched, because
    /// claims that cannot be must change nothing.
    fn grant(
        &self,
        subject: Subject,
        session: SessionId,
        family_position: FamilyPosition,
        key: Option<Thumbprint>,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<AccessGrant> {
        let key = self.access_key(key);
        let (session, family_position) = (Some(session), Some(family_position));
        let grant = AccessGrant { subject, session, family_position, key, claims };
        self.check(&grant)?;
        Ok(grant)
    }
}
