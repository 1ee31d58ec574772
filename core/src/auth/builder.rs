//! The construction of [`Auth`]: everything that can be wrong is found here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;

use super::bound::Binding;
use super::event::{AuditEvent, Auditor, Listener};
use super::follower::follow;
use super::fresh::RevocationLag;
use super::keys::{Signing, Verifying};
use super::limiter::Limiter;
use super::use_reporter::UseReporter;
use super::{Auth, Engine, Inner, SessionAdmin};
use crate::access::{AccessIssuer, AccessPolicy, AccessVerifier};
use crate::config::DpopConfig;
use crate::error::{Error, Result};
use crate::keys::{Keyring, RefreshKeys};
use crate::migration::{IdentityResolver, LegacyRefreshTokens, Migration};
use crate::observe::{self, ObservedStore};
use crate::session::SessionPolicy;
use crate::store::{SessionStore, StoreAddress};
use crate::types::{Clock, SystemClock};

/// How far a process may be behind the feed unless something else is said.
pub(crate) const DEFAULT_MAX_STALENESS: Duration = Duration::from_secs(10);

/// A configuration of [`Auth`] in the making.
#[must_use]
pub struct AuthBuilder {
    keyring: Option<Keyring>,
    refresh_keys: Option<RefreshKeys>,
    access: AccessPolicy,
    sessions: SessionPolicy,
    store: Option<Store>,
    old: Option<LegacyRefreshTokens>,
    clock: Option<Arc<dyn Clock>>,
    listener: Option<Listener>,
    runtime: Option<Handle>,
    max_staleness: Duration,
    dpop: Option<DpopConfig>,
}

enum Store {
    Given(Arc<dyn SessionStore>),
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
            old: None,
            clock: None,
            listener: None,
            runtime: None,
            max_staleness: DEFAULT_MAX_STALENESS,
            dpop: None,
        }
    }
}

impl fmt::Debug for AuthBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthBuilder").finish_non_exhaustive()
    }
}

impl AuthBuilder {
    /// The keys of access tokens; one must be active. Required.
    pub fn access_keys(mut self, keyring: Keyring) -> Self {
        self.keyring = Some(keyring);
        self
    }

    /// The secrets of refresh tokens. Required.
    pub fn refresh_keys(mut self, keys: RefreshKeys) -> Self {
        self.refresh_keys = Some(keys);
        self
    }

    /// What access tokens say and must say.
    pub fn access_policy(mut self, policy: AccessPolicy) -> Self {
        self.access = policy;
        self
    }

    /// How long sessions live and how they are refreshed.
    pub fn session_policy(mut self, policy: SessionPolicy) -> Self {
        self.sessions = policy;
        self
    }

    /// Where sessions live. This or [`AuthBuilder::store_at`] is required.
    pub fn store(mut self, store: impl SessionStore + 'static) -> Self {
        self.store = Some(Store::Given(Arc::new(store)));
        self
    }

    /// Where sessions live, by address.
    pub fn store_at(mut self, address: StoreAddress) -> Self {
        self.store = Some(Store::At(address));
        self
    }

    /// Takes over the refresh tokens of an app that was here before: their holders go on as if
    /// this server had issued them.
    pub fn migrate_legacy_tokens(mut self, old: LegacyRefreshTokens) -> Self {
        self.old = Some(old);
        self
    }

    /// Who finds the user of an old token; see [`LegacyRefreshTokens::users`]. For builders from a
    /// configuration; without old tokens it does nothing.
    pub fn identity_resolver(mut self, users: impl IdentityResolver + 'static) -> Self {
        self.old = self.old.map(|old| old.users(users));
        self
    }

    /// A clock in place of the system's: for tests. A store by address goes by it too.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// A function that is told of each event, on whatever thread it happens. It must not block.
    pub fn on_event(mut self, listener: impl Fn(&AuditEvent) + Send + Sync + 'static) -> Self {
        self.listener = Some(Arc::new(listener));
        self
    }

    /// How far this process may be behind the feed of revocations before
    /// [`StalePolicy`](super::StalePolicy) decides. Default 10 seconds.
    pub fn max_staleness(mut self, bound: Duration) -> Self {
        self.max_staleness = bound;
        self
    }

    /// Lets sessions be bound to keys of clients (DPoP, RFC 9449). The nonces, if any are asked for,
    /// are made with the refresh secret, so that all processes have the same.
    pub fn dpop(mut self, config: DpopConfig) -> Self {
        self.dpop = Some(config);
        self
    }

    /// The Tokio runtime for background work; by default the one that `build` is called in.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Checks everything and builds. Asks no server; a store in a file is opened.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] naming the field.
    pub fn build(self) -> Result<Auth> {
        let missing = |field: &str| Error::config(field, "is required");
        let keyring = self.keyring.ok_or_else(|| missing("secret"))?;
        let refresh_keys = self.refresh_keys.ok_or_else(|| missing("refreshSecret"))?;
        self.sessions.check()?;
        let store = self.store.ok_or_else(|| missing("store"))?;
        let runtime = self
            .runtime
            .or_else(|| Handle::try_current().ok())
            .ok_or_else(|| Error::config("runtime", "build within a Tokio runtime or name one"))?;
        let store_clock = self.clock.clone();
        let clock = self.clock.unwrap_or_else(|| Arc::new(SystemClock));
        let binding = self
            .dpop
            .map(|config| Binding::of(&config, &refresh_keys, Arc::clone(&clock)))
            .transpose()?;
        let longest_access = self.access.longest_acceptance();
        let issuer = AccessIssuer::new(keyring.clone(), self.access.clone(), Arc::clone(&clock))?;
        let verifier = AccessVerifier::new(keyring, self.access, Arc::clone(&clock))?;
        // Last, because it may make a file: what is wrong elsewhere must change nothing.
        let store = match store {
            Store::Given(store) => store,
            Store::At(address) => address.open(store_clock)?,
        };
        let store: Arc<dyn SessionStore> = Arc::new(ObservedStore(store));
        let adoption = self.old.map(Migration::new);
        let engine = Arc::new(Engine {
            in_flight: Default::default(),
            limiter: Limiter::new(self.sessions.limiter),
            signing: Signing::new(issuer, refresh_keys),
            policy: self.sessions,
            binding,
            freshness: RevocationLag::new(store.feed().is_some(), self.max_staleness, clock.now()),
            admin: SessionAdmin {
                store: Arc::clone(&store),
                denied: Arc::default(),
                auditor: Auditor { listener: self.listener, clock: Arc::clone(&clock) },
                clock,
                legacy_store: adoption.as_ref().map(Migration::shared_store),
                longest_access,
            },
            adoption,
        });
        observe::describe();
        let use_reporter = UseReporter::start(Arc::clone(&engine), &runtime);
        runtime.spawn(follow(store, Arc::downgrade(&engine)));
        Ok(Auth(Arc::new(Inner { verifying: Verifying::new(verifier), engine, use_reporter })))
    }
}
