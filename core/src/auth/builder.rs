//! Building an [`Auth`]. Every mistake in its settings is found here.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::runtime::Handle;

use super::background::{follow_feed, repeat_unfinished};
use super::dpop::{DpopBinding, DpopPolicy};
use super::events::{AuditEvent, Auditor, Listener, RevocationListener, RevokedAccess};
use super::instrumented_store::InstrumentedStore;
use super::limits::{FailureLimiter, InFlightLimit};
use super::metrics;
use super::unfinished::UnfinishedRevocations;
use super::usage::UseReporter;
use super::verify::RevocationLag;
use super::{Auth, Engine, Inner, LegacyTokens, SessionAdmin, Signers};
use crate::access::{AccessIssuer, AccessPolicy, AccessVerifier};
use crate::error::{Error, Result};
use crate::keys::{Keyring, RefreshKeys};
use crate::session::SessionPolicy;
use crate::store::{RealmStore, SessionStore, StoreAddress};
use crate::types::{Clock, Realm, Realms, SystemClock};

/// The default of [`AuthBuilder::max_staleness`].
pub(crate) const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(10);

/// Builds an [`Auth`]. Keys and a store are required; everything else has a default.
#[must_use]
pub struct AuthBuilder {
    keyring: Option<Keyring>,
    refresh_keys: Option<RefreshKeys>,
    access: AccessPolicy,
    sessions: SessionPolicy,
    store: Option<Store>,
    pub(crate) legacy: Option<Box<dyn LegacyTokens>>,
    clock: Option<Arc<dyn Clock>>,
    listener: Option<Listener>,
    on_revoked: Option<RevocationListener>,
    runtime: Option<Handle>,
    max_staleness: Duration,
    dpop: Option<DpopPolicy>,
    realm: Option<Realm>,
    previous_realms: Option<Vec<Realm>>,
}

enum Store {
    Open(Arc<dyn SessionStore>),
    At(StoreAddress),
}

impl Default for AuthBuilder {
    fn default() -> Self {
        Self {
            keyring: None,
            refresh_keys: None,
            access: AccessPolicy::default(),
            sessions: SessionPolicy::default(),
            store: None,
            legacy: None,
            clock: None,
            listener: None,
            on_revoked: None,
            runtime: None,
            max_staleness: DEFAULT_MAX_STALENESS,
            dpop: None,
            realm: None,
            previous_realms: None,
        }
    }
}

impl fmt::Debug for AuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthBuilder").finish_non_exhaustive()
    }
}

impl AuthBuilder {
    /// Sets the keys of access tokens; one must be active. Required.
    pub fn access_keys(mut self, keyring: Keyring) -> Self {
        self.keyring = Some(keyring);
        self
    }

    /// Sets the secrets of refresh tokens. Required.
    pub fn refresh_keys(mut self, keys: RefreshKeys) -> Self {
        self.refresh_keys = Some(keys);
        self
    }

    /// Sets which claims access tokens carry and must carry.
    pub fn access_policy(mut self, policy: AccessPolicy) -> Self {
        self.access = policy;
        self
    }

    /// Sets how long sessions live and how they are refreshed.
    pub fn session_policy(mut self, policy: SessionPolicy) -> Self {
        self.sessions = policy;
        self
    }

    /// Sets the store of sessions. This or [`AuthBuilder::store_at`] is required.
    pub fn store(mut self, store: impl SessionStore + 'static) -> Self {
        self.store = Some(Store::Open(Arc::new(store)));
        self
    }

    /// Sets a store that several [`Auth`] objects share.
    pub fn shared_store(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.store = Some(Store::Open(store));
        self
    }

    /// Sets the store of sessions by its address.
    pub fn store_at(mut self, address: StoreAddress) -> Self {
        self.store = Some(Store::At(address));
        self
    }

    /// Replaces the system clock, for tests. A store given by address uses it too.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Calls `listener` on each audit event, on the thread where the event happens. It must not
    /// block.
    pub fn on_event(mut self, listener: impl Fn(&AuditEvent) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// Calls `listener` when access tokens are revoked, by this process or by another one: for connections
    /// that stay open longer than one request. It must not block.
    pub fn on_revoked(mut self, listener: impl Fn(&RevokedAccess) + Send + Sync + 'static) -> Self {
        self.on_revoked = Some(Arc::new(listener));
        self
    }

    /// Sets how far this process may lag behind the revocation feed before a route's
    /// [`StalePolicy`](super::StalePolicy) applies. Default 10 seconds.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// Allows sessions whose tokens are bound to a key of the client (DPoP, RFC 9449).
    pub fn dpop(mut self, policy: DpopPolicy) -> Self {
        self.dpop = Some(policy);
        self
    }

    /// Sets the realm of the sessions, which keeps them apart from those of other apps with the same
    /// secret or the same store. By default it is that of the access tokens' issuer and audiences
    /// ([`Realm::of_tokens`]): name it before you change those, or every user signs in again.
    pub fn realm(mut self, realm: Realm) -> Self {
        self.realm = Some(realm);
        self
    }

    /// Sets the realms whose sessions go on beside the realm's own. By default the realm without a name,
    /// to which sessions belong that began before there were realms.
    ///
    /// Every app that lists a realm here accepts its refresh tokens. Two apps that have shared a secret
    /// and a store until now are kept apart at once only where this is empty; their users then sign in
    /// again.
    pub fn previous_realms(mut self, realms: Vec<Realm>) -> Self {
        self.previous_realms = Some(realms);
        self
    }

    /// Sets the Tokio runtime for background tasks; by default the one that `build` is called in.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Checks all settings and builds. Contacts no server; a file store is opened.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the field.
    pub fn build(self) -> Result<Auth> {
        let missing = |field: &str| Error::config(field, "is required");
        let keyring = self.keyring.ok_or_else(|| missing("secret"))?;
        let refresh_keys = self.refresh_keys.ok_or_else(|| missing("refreshSecret"))?;
        self.sessions.check()?;
        check_lifetimes(&self.access, &self.sessions)?;
        let store = self.store.ok_or_else(|| missing("store"))?;
        let runtime = self
            .runtime
            .or_else(|| Handle::try_current().ok())
            .ok_or_else(|| Error::config("runtime", "build within a Tokio runtime or name one"))?;
        let realms = realms(self.realm, self.previous_realms, &self.access);
        let refresh_keys = refresh_keys.in_realms(&realms)?;
        let store_clock = self.clock.clone();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let dpop = self
            .dpop
            .map(|policy| DpopBinding::new(policy, &refresh_keys, Arc::clone(&clock)))
            .transpose()?;
        let longest_access = self.access.longest_acceptance();
        let issuer = AccessIssuer::new(keyring.clone(), self.access.clone(), Arc::clone(&clock))?;
        let verifier = AccessVerifier::new(keyring, self.access, Arc::clone(&clock))?;
        // Last, because it may create a file: a mistake elsewhere must change nothing.
        let store = match store {
            Store::Open(store) => store,
            Store::At(address) => address.open(store_clock)?,
        };
        let store: Arc<dyn SessionStore> =
            Arc::new(InstrumentedStore::new(Arc::new(RealmStore::new(store, realms.clone()))));
        let has_feed = store.feed().is_some();
        let (unfinished, woken) = UnfinishedRevocations::new();
        let engine = Arc::new(Engine {
            signers: ArcSwap::from_pointee(Signers { access: issuer, refresh: refresh_keys }),
            in_flight: InFlightLimit::default(),
            logins: InFlightLimit::default(),
            failure_limiter: FailureLimiter::new(self.sessions.limiter),
            dpop,
            realms,
            revocation_lag: RevocationLag::new(has_feed, self.max_staleness, clock.now()),
            admin: SessionAdmin {
                store: Arc::clone(&store),
                denied: Arc::default(),
                auditor: Auditor {
                    listener: self.listener,
                    on_revoked: self.on_revoked,
                    clock: Arc::clone(&clock),
                },
                clock,
                legacy: self.legacy.map(Arc::from),
                longest_access,
                longest_seen: Arc::default(),
                publications: Arc::default(),
                unfinished: Arc::new(unfinished),
                in_flight: Arc::default(),
                queries: Arc::default(),
                max_in_flight: self.sessions.max_in_flight.get(),
            },
            policy: self.sessions,
        });
        metrics::describe();
        let use_reporter = UseReporter::start(Arc::clone(&engine), &runtime);
        runtime.spawn(follow_feed(store, Arc::downgrade(&engine)));
        runtime.spawn(repeat_unfinished(Arc::downgrade(&engine), woken));
        let verifier = ArcSwap::from_pointee(verifier);
        let key_change = Mutex::default();
        Ok(Auth(Arc::new(Inner { verifier, key_change, engine, use_reporter })))
    }
}

/// An access token must not outlive its session, and a session must not idle out before its access
/// token expires, because nothing refreshes it until then.
fn check_lifetimes(access: &AccessPolicy, sessions: &SessionPolicy) -> Result<()> {
    if access.ttl() > sessions.absolute_ttl {
        return Err(Error::config("access.ttl", "must not be longer than refresh.absoluteTtl"));
    }
    if access.ttl() > sessions.idle_ttl {
        return Err(Error::config("refresh.idleTtl", "must not be shorter than access.ttl"));
    }
    Ok(())
}

/// The realms that are in effect.
pub(crate) fn realms(
    realm: Option<Realm>,
    previous: Option<Vec<Realm>>,
    access: &AccessPolicy,
) -> Realms {
    let issuer = access.issuers().first().map(String::as_str);
    let realms = Realms::new(realm.unwrap_or_else(|| Realm::of_tokens(issuer, access.audiences())));
    match previous {
        Some(previous) => Realms { previous, ..realms },
        None => realms,
    }
}
