//! Verify: checks an access token in-process, synchronously and without I/O; and what a route may
//! ask for beyond that while the revocation feed is stale.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::usage::StoredState;
use super::{Auth, Engine, metrics};
use crate::access::{VerifiedAccess, after_scheme, is_token68};
use crate::dpop::PresentedProof;
use crate::error::{Error, Result};
use crate::keys::public_key::check_binding;
use crate::revocation::{Denial, TokenIdentity};
use crate::session::AccessTokenUse;
use crate::types::Timestamp;

impl Auth {
    /// Verifies an access token: form, algorithm, key, signature, type, claims, deny list.
    ///
    /// The first use of a session's token in this process is reported to the store in the
    /// background; see [`Auth::record_use`].
    ///
    /// # Errors
    /// [`Error::TokenExpired`] (refresh and repeat), [`Error::AccessRevoked`] and the other
    /// `reject` errors.
    pub fn verify(&self, token: &str) -> Result<VerifiedAccess> {
        self.check_deny_list(self.0.verifier.load().verify(token)?)
    }

    /// Whether this server signed `token`, expired or not. Unlike [`verify`](Self::verify), reports no
    /// use of it.
    pub(crate) fn has_signed_access_token(&self, token: &str) -> bool {
        let verified = self.0.verifier.load().verify_bound(token);
        matches!(verified, Ok(_) | Err(Error::TokenExpired))
    }

    /// Verifies the access token in the value of an `Authorization` header (RFC 6750 §2.1).
    ///
    /// # Errors
    /// [`Error::TokenMissing`] without a header, else as [`Auth::verify`].
    pub fn verify_bearer(&self, header: Option<&str>) -> Result<VerifiedAccess> {
        let token = after_scheme(header.ok_or(Error::TokenMissing)?)?;
        // Every token that verifies is a `token68`, so only failures are checked for that.
        self.verify(token).map_err(|error| match is_token68(token) {
            true => error,
            false => Error::TokenMalformed,
        })
    }

    /// Verifies a DPoP-bound access token as [`Auth::verify`] does, and checks before the deny list that
    /// `proof` is for this request and was signed by the key that the token is bound to (RFC 9449 §7.1),
    /// and uses it up. Without its proof the token is not used: nothing is reported to the store.
    ///
    /// # Errors
    /// As [`Auth::verify`]; before [`Error::AccessRevoked`] also [`Error::DpopProofInvalid`], for a proof
    /// by another key or for another access token too, and for a bearer token;
    /// [`Error::DpopNonceRequired`]; [`Error::DpopProofReplayed`]; [`Error::ConfigInvalid`] for `dpop`
    /// where DPoP is not configured.
    pub fn verify_with_proof(&self, token: &str, proof: &PresentedProof) -> Result<VerifiedAccess> {
        let proofs = &self.0.engine.dpop()?.proofs;
        let access = self.0.verifier.load().verify_bound(token)?;
        // Before the use is reported: a report may end the session, so a thief without the key must not
        // cause one.
        proofs.check_access(proof, &access, token)?;
        self.check_deny_list(access)
    }

    /// Verifies an access token as [`Auth::verify`] does, for routes that must know of
    /// revocations by other processes; see [`Auth::apply_stale_policy`].
    ///
    /// # Errors
    /// As [`Auth::verify`], and [`Error::StoreUnavailable`].
    pub async fn verify_checked(
        &self,
        token: &str,
        stale_policy: StalePolicy,
    ) -> Result<VerifiedAccess> {
        self.apply_stale_policy(self.verify(token)?, stale_policy).await
    }

    /// Verifies an access token for another service, which checks the proof itself if the token is bound
    /// to a key. Asks the store where this process lags behind the revocation feed.
    pub(crate) async fn verify_for_introspection(&self, token: &str) -> Result<VerifiedAccess> {
        let access = self.0.verifier.load().verify_bound(token)?;
        if check_binding(access.key(), None).is_ok() {
            let access = self.check_deny_list(access)?;
            return self.apply_stale_policy(access, StalePolicy::CheckStore).await;
        }
        // The proof is not known here, so the token may be a thief's: its use is not reported.
        let engine = &self.0.engine;
        refuse_denied(engine.admin.denied.check(&access))?;
        if let Some(session) = access.session().filter(|_| self.is_stale()) {
            let record = engine.record(access.subject(), session).await?;
            if !record.is_some_and(|record| record.is_live(engine.now())) {
                return Err(Error::AccessRevoked);
            }
        }
        Ok(access)
    }

    /// Verifies an access token that is to end its session, with the proof if it is bound to a key. The
    /// deny list does not count: a cut-off time may deny the tokens of a session that is alive.
    pub(crate) fn verify_for_revocation(
        &self,
        token: &str,
        proof: Option<&PresentedProof>,
    ) -> Result<VerifiedAccess> {
        let verifier = self.0.verifier.load();
        let Some(proof) = proof else { return verifier.verify(token) };
        let access = verifier.verify_bound(token)?;
        self.0.engine.dpop()?.proofs.check_access(proof, &access, token)?;
        Ok(access)
    }

    /// Applies `stale_policy` to a token that was just verified, if this process
    /// [lags too far](Auth::is_stale) behind the revocation feed.
    ///
    /// # Errors
    /// [`Error::AccessRevoked`], [`Error::StoreUnavailable`].
    pub async fn apply_stale_policy(
        &self,
        access: VerifiedAccess,
        stale_policy: StalePolicy,
    ) -> Result<VerifiedAccess> {
        if stale_policy == StalePolicy::Accept || !self.is_stale() {
            return Ok(access);
        }
        if stale_policy == StalePolicy::Reject {
            return Err(Error::store("the revocation feed is stale"));
        }
        let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        else {
            return Ok(access);
        };
        let token_use = AccessTokenUse { family_position, denied: false };
        let admin = &self.0.engine.admin;
        let _permit = admin.queries.acquire(admin.max_in_flight)?;
        match self.0.engine.record_use(access.subject(), session, token_use).await? {
            StoredState::Live => Ok(access),
            StoredState::Revoked | StoredState::Unknown => Err(Error::AccessRevoked),
        }
    }

    /// Whether this process lags behind the revocation feed by more than
    /// [`AuthBuilder::max_staleness`](super::AuthBuilder::max_staleness).
    pub fn is_stale(&self) -> bool {
        self.0.engine.revocation_lag.is_stale(self.0.engine.now())
    }

    /// The time since the revocation feed was last read to its end. Zero where no other process
    /// can revoke; `None` before the first read.
    pub fn feed_lag(&self) -> Option<Duration> {
        self.0.engine.revocation_lag.lag(self.0.engine.now())
    }

    /// Sets the gauges to their current values; call it just before a scrape. See
    /// [`metrics`].
    pub fn update_gauges(&self) {
        self.0.engine.update_gauges();
    }

    /// Refuses a verified token that is on the deny list, and reports the use of any other. The proof of a
    /// token that is bound to a key was checked before.
    fn check_deny_list(&self, access: VerifiedAccess) -> Result<VerifiedAccess> {
        let denial = self.0.engine.admin.denied.check(&access);
        if let (Some(session), Some(family_position)) = (access.session(), access.family_position())
        {
            if access.reported().load(Ordering::Relaxed) == 0 {
                self.0.engine.admin.saw(access.expires_at());
            }
            match denial {
                None => self.0.use_reporter.report_use(&access, session, family_position),
                // The use of a discarded child's token reveals a second holder.
                Some(Denial::DiscardedChild) => {
                    let token_use = AccessTokenUse { family_position, denied: true };
                    self.0.use_reporter.report(access.subject(), session, token_use);
                }
                Some(_) => {}
            }
        }
        refuse_denied(denial).map(|()| access)
    }
}

/// # Errors
/// [`Error::AccessRevoked`]; [`Error::TokenExpired`] where the deny list does not know whether the token
/// is revoked, and the refresh tells.
pub(super) fn refuse_denied(denial: Option<Denial>) -> Result<()> {
    let Some(by) = denial else { return Ok(()) };
    let label = match by {
        Denial::Session => "session",
        Denial::DiscardedChild => "child",
        Denial::Subject => "subject",
        Denial::UserCutoff => "user",
        Denial::Overflow => "overflow",
    };
    metrics::count(&metrics::ACCESS_DENIED, &[("by", label)]);
    Err(match by {
        Denial::UserCutoff | Denial::Overflow => Error::TokenExpired,
        Denial::Session | Denial::DiscardedChild | Denial::Subject => Error::AccessRevoked,
    })
}

impl<'a> From<&'a VerifiedAccess> for TokenIdentity<'a> {
    fn from(access: &'a VerifiedAccess) -> Self {
        Self {
            subject: access.subject(),
            session: access.session(),
            family_position: access.family_position(),
            issued_at: access.issued_at(),
        }
    }
}

/// What a route does with a valid access token while this process cannot know whether another
/// process revoked it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum StalePolicy {
    /// Accepts the token: it expires soon by itself. Serialized as `open`.
    #[default]
    #[serde(rename = "open")]
    Accept,
    /// Asks the store about the token's session; a token without a session is accepted.
    /// Serialized as `ask`.
    #[serde(rename = "ask")]
    CheckStore,
    /// Refuses the token with [`Error::StoreUnavailable`]. Serialized as `closed`.
    #[serde(rename = "closed")]
    Reject,
}

/// The time since the revocation feed was last read to its end.
#[derive(Debug)]
pub(super) struct RevocationLag {
    read_at: AtomicI64,
    started_at: Timestamp,
    max_staleness: Duration,
    /// `false` for a store without a feed, where no other process can revoke.
    has_feed: bool,
}

/// The value of [`RevocationLag::read_at`] before the first read.
const NEVER: i64 = i64::MIN;

impl RevocationLag {
    pub(super) fn new(has_feed: bool, max_staleness: Duration, started_at: Timestamp) -> Self {
        Self { read_at: AtomicI64::new(NEVER), started_at, max_staleness, has_feed }
    }

    pub(super) fn set_read_at(&self, now: Timestamp) {
        self.read_at.store(now.as_millis(), Ordering::Release);
    }

    fn lag(&self, now: Timestamp) -> Option<Duration> {
        match self.read_at.load(Ordering::Acquire) {
            _ if !self.has_feed => Some(Duration::ZERO),
            NEVER => None,
            at => {
                let at = Timestamp::from_millis(at);
                // The clock was set back: how long ago that was is not known, and the next read tells.
                let margin = self.max_staleness.max(Duration::from_secs(1));
                (at <= now.plus(margin)).then(|| now.since(at))
            }
        }
    }

    fn is_stale(&self, now: Timestamp) -> bool {
        self.lag(now).is_none_or(|lag| lag > self.max_staleness)
    }
}

impl Engine {
    pub(super) fn update_gauges(&self) {
        let now = self.now();
        let lag = &self.revocation_lag;
        let known_lag = lag.lag(now).unwrap_or_else(|| now.since(lag.started_at));
        metrics::set(&metrics::FEED_LAG_SECONDS, known_lag.as_secs_f64());
        metrics::set(&metrics::DENY_LIST_ENTRIES, self.admin.denied.len() as f64);
    }
}
