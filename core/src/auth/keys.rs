//! The keys in use, which a running process can exchange.

use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;

use super::{Auth, Engine};
use crate::access::{AccessGrant, AccessIssuer, AccessVerifier, IssuedAccess};
use crate::error::Result;
use crate::keys::{Keyring, RefreshKeys};

/// What tokens are verified with now.
pub(super) struct Verifying {
    current: ArcSwap<AccessVerifier>,
    /// Held while keys are exchanged, so that those of two exchanges do not mix.
    exchange: Mutex<()>,
}

/// What tokens are signed with now, and refresh tokens verified.
pub(super) struct Signing(ArcSwap<Signers>);

struct Signers {
    access: AccessIssuer,
    refresh: Arc<RefreshKeys>,
}

impl Verifying {
    pub(super) fn new(verifier: AccessVerifier) -> Self {
        Self { current: ArcSwap::from_pointee(verifier), exchange: Mutex::new(()) }
    }

    pub(super) fn now(&self) -> impl std::ops::Deref<Target = Arc<AccessVerifier>> {
        self.current.load()
    }
}

impl Signing {
    pub(super) fn new(access: AccessIssuer, refresh: RefreshKeys) -> Self {
        Self(ArcSwap::from_pointee(Signers { access, refresh: Arc::new(refresh) }))
    }
}

impl Engine {
    pub(super) fn issue(&self, grant: &AccessGrant) -> Result<IssuedAccess> {
        self.signing.0.load().access.issue(grant)
    }

    pub(super) fn check(&self, grant: &AccessGrant) -> Result<()> {
        self.signing.0.load().access.check(grant)
    }

    pub(super) fn refresh_keys(&self) -> Arc<RefreshKeys> {
        Arc::clone(&self.signing.0.load().refresh)
    }
}

impl Auth {
    /// Exchanges all keys of this process: from here on tokens are signed and verified with these.
    /// Calls that have begun end with those of before.
    ///
    /// No token is refused where each step is taken by every process before the next one is taken
    /// by any. *Add*: the new key verifies and does not sign. *Activate*: it signs, and the old
    /// one verifies. *Retire*: the old one is left out, once nothing lives any more that it
    /// signed; then its tokens are refused at once, also those that were verified before. That is
    /// [`AccessPolicy::longest_acceptance`](crate::access::AccessPolicy::longest_acceptance) for
    /// access tokens, and for refresh tokens
    /// [`SessionPolicy::idle_ttl`](crate::session::SessionPolicy::idle_ttl), or `absolute_ttl` where they are
    /// not rotated.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`](crate::Error::ConfigInvalid) for `keys` when none of them signs;
    /// then all stays as it was.
    pub fn set_keys(&self, access: Keyring, refresh: RefreshKeys) -> Result<()> {
        let verifying = &self.0.verifying;
        let _alone = verifying.exchange.lock().unwrap_or_else(PoisonError::into_inner);
        let signing = &self.0.engine.signing.0;
        let issuer = signing.load().access.with_keys(access.clone())?;
        let verifier = verifying.now().with_keys(access)?;
        // First, so that this process accepts what it signs.
        verifying.current.store(Arc::new(verifier));
        if let Some(binding) = &self.0.engine.binding {
            binding.exchange_keys(refresh.clone());
        }
        signing.store(Arc::new(Signers { access: issuer, refresh: Arc::new(refresh) }));
        tracing::info!(target: "regrant::keys", "the keys were exchanged");
        Ok(())
    }
}
