//! Limits: how many refreshes and revocations run at once in this process, and how many refreshes may
//! fail ([`FailureLimit`]) before further failures are answered with [`Error::TooManyAttempts`].

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tracing::Span;

use super::Engine;
use crate::error::{Error, ErrorCode, Result};
use crate::session::{FailureLimit, RefreshClaims};
use crate::store::{FailureKey, FailureWindows, Failures, RecentMap};
use crate::types::Timestamp;

/// Limits the operations of one kind in progress in this process.
#[derive(Debug, Default)]
pub(super) struct InFlightLimit(AtomicU32);

/// A permit for one operation in progress, released on drop.
pub(super) struct Permit<'a>(&'a InFlightLimit);

impl InFlightLimit {
    /// # Errors
    /// [`Error::StoreUnavailable`] when `limit` permits are held: the client retries.
    pub(super) fn acquire(&self, limit: u32) -> Result<Permit<'_>> {
        let permit = Permit(self);
        if self.0.fetch_add(1, Ordering::Relaxed) >= limit {
            return Err(Error::store("too many operations in progress"));
        }
        Ok(permit)
    }
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A refresh in progress.
pub(crate) struct RefreshAttempt {
    /// The span of the operation.
    pub(super) span: Span,
    address: Option<FailureKey>,
    verified: Option<Verified>,
}

/// The keys by which failures of a token with a valid signature are counted and blocked.
struct Verified {
    token: FailureKey,
    /// The user; the token itself while its user is unknown.
    counted: FailureKey,
}

impl RefreshAttempt {
    pub(super) fn new(address: Option<FailureKey>, span: Span) -> Self {
        Self { span, address, verified: None }
    }
}

/// Counts failed refreshes: by user in the store, and by address in this process (for texts that are no
/// tokens of this server, which never reach the store). Remembers which keys are over the limit, so that
/// their next attempts cost no round trip.
#[derive(Default)]
pub(super) struct FailureLimiter {
    limit: Option<FailureLimit>,
    /// When each key that is over the limit may try again.
    blocked: Mutex<RecentMap<FailureKey, Timestamp>>,
    /// The failures of each address.
    addresses: Mutex<FailureWindows>,
}

impl FailureLimiter {
    pub(super) fn new(limit: Option<FailureLimit>) -> Self {
        Self { limit, blocked: Mutex::default(), addresses: Mutex::default() }
    }

    fn count_address(&self, key: FailureKey, window: Duration, now: Timestamp) -> Failures {
        let mut addresses = self.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        addresses.add_failure(key, window, now)
    }

    fn check(&self, key: &FailureKey, now: Timestamp) -> Result<()> {
        let window = self.limit.map(|limit| limit.window).unwrap_or_default();
        let blocked = self.blocked.lock().unwrap_or_else(PoisonError::into_inner);
        match blocked.get(key) {
            // A later one was set while the clock was ahead.
            Some(until) if now < *until && *until <= now.plus(window) => {
                Err(Error::TooManyAttempts { retry_after: until.since(now) })
            }
            _ => Ok(()),
        }
    }

    fn block(&self, key: FailureKey, until: Timestamp) {
        self.blocked.lock().unwrap_or_else(PoisonError::into_inner).insert(key, until);
    }
}

impl Engine {
    /// Notes that the token's signature is valid.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] where this very token was refused for good before, and the
    /// failures of its user are over the limit.
    pub(super) fn admit(&self, attempt: &mut RefreshAttempt, claims: &RefreshClaims) -> Result<()> {
        self.admit_token(
            attempt,
            FailureKey::token(&claims.session, &claims.presented_token().id),
        )?;
        if let Some(verified) = &mut attempt.verified {
            verified.counted = FailureKey::subject(&claims.subject);
        }
        Ok(())
    }

    /// As [`Engine::admit`], for a token whose user is not known yet.
    pub(crate) fn admit_token(
        &self,
        attempt: &mut RefreshAttempt,
        token: FailureKey,
    ) -> Result<()> {
        if self.failure_limiter.limit.is_none() {
            return Ok(());
        }
        attempt.verified = Some(Verified { token, counted: token });
        self.failure_limiter.check(&token, self.now())
    }

    /// Counts a failed attempt and returns the error to answer: `error`, or
    /// [`Error::TooManyAttempts`] over the limit. A store that cannot count changes nothing.
    ///
    /// A token with a valid signature is counted by its user, or by itself where the user is
    /// unknown, anything else by the client's address.
    pub(super) async fn count_failure(&self, attempt: RefreshAttempt, error: Error) -> Error {
        let limiter = &self.failure_limiter;
        let Some(limit) = limiter.limit else { return error };
        let now = self.now();
        let (failures, to_block) = match (attempt.verified, attempt.address) {
            (Some(Verified { token, counted }), _) if is_refusal(error.code()) => {
                if let Err(blocked) = limiter.check(&counted, now) {
                    // So that this token does not reach the store again either.
                    if let (true, Error::TooManyAttempts { retry_after }) =
                        (is_final(error.code()), &blocked)
                    {
                        limiter.block(token, now.plus(*retry_after));
                    }
                    return blocked;
                }
                let Some(counter) = self.admin.store.failures() else { return error };
                // The store need not count the failures of this user any more.
                let user = Some(counted).filter(|counted| *counted != token);
                let token = Some(token).filter(|_| is_final(error.code()));
                (counter.count(&counted, limit.window).await, [user, token])
            }
            (None, Some(address)) if is_invalid_token(error.code()) => {
                (Ok(limiter.count_address(address, limit.window, now)), [None, None])
            }
            _ => return error,
        };
        match failures {
            Ok(failures) if failures.count > limit.failures.get() => {
                for key in to_block.into_iter().flatten() {
                    limiter.block(key, now.plus(failures.left));
                }
                Error::TooManyAttempts { retry_after: failures.left }
            }
            _ => error,
        }
    }
}

/// The errors for which a token with a valid signature is refused.
fn is_refusal(code: ErrorCode) -> bool {
    is_final(code) || code == ErrorCode::SubjectMismatch
}

/// The errors after which the same token is never granted again.
fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RefreshExpired
            | ErrorCode::SessionUnknown
            | ErrorCode::SessionRevoked
            | ErrorCode::RefreshReused
    )
}

/// The errors for a text that is no token of this server. A missing token is no attempt.
fn is_invalid_token(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::TokenMalformed
            | ErrorCode::TokenTooLarge
            | ErrorCode::AlgNotAllowed
            | ErrorCode::KeyNotFound
            | ErrorCode::SignatureInvalid
            | ErrorCode::TypMismatch
            | ErrorCode::CritUnsupported
    ) || is_final(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_permit_can_be_acquired_again() {
        let limit = InFlightLimit::default();
        let first = limit.acquire(2).unwrap();
        let _second = limit.acquire(2).unwrap();
        assert!(matches!(limit.acquire(2), Err(Error::StoreUnavailable { .. })));
        drop(first);
        assert!(limit.acquire(2).is_ok());
        assert_eq!(limit.0.load(Ordering::Relaxed), 1);
    }
}
