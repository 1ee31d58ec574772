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
mod sightings;
mod sweep;
mod verify;

pub use admin::{Ended, SessionAdmin};
pub use builder::AuthBuilder;
pub(crate) use builder::DEFAULT_MAX_STALENESS;
pub use event::{AuditEvent, AuditKind};
pub use everywhere::LogoutEverywhere;
pub use fresh::WhenStale;
pub use login::Login;
pub use pair::{Renewal, Renewed, TokenPair};
pub use preview::RefreshPreview;
pub use refresh::RefreshRequest;
pub use sessions::{SessionInfo, SessionStatus};
pub use sweep::{SweepOptions, SweepReport};

use std::fmt;
use std::sync::Arc;

use crate::access::AccessGrant;
use crate::adopt::Adoption;
use crate::error::Result;
use crate::identity::{Lineage, SessionId, Subject};
use crate::keys::Thumbprint;
use crate::session::SessionPolicy;
use crate::store::StoreHealth;

use bound::Binding;
use fresh::Freshness;
use in_flight::InFlight;
use keys::{Signing, Verifying};
use limiter::Limiter;
use sightings::Sightings;

/// Issues, verifies, refreshes and revokes. Cheap to clone; all clones are one.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// use regrant::identity::Subject;
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
    sightings: Sightings,
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
    in_flight: InFlight,
    /// How far this process is behind the feed of revocations.
    freshness: Freshness,
    /// Takes over the refresh tokens of an app that was here before.
    adoption: Option<Adoption>,
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
        lineage: Lineage,
        key: Option<Thumbprint>,
        claims: serde_json::Map<String, serde_json::Value>,
    ) -> Result<AccessGrant> {
        let key = self.access_key(key);
        let (session, lineage) = (Some(session), Some(lineage));
        let grant = AccessGrant { subject, session, lineage, key, claims };
        self.check(&grant)?;
        Ok(grant)
    }
}
