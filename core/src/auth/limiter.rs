//! What a failed refresh is answered once too many have failed: see [`FailureLimit`].

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::Engine;
use crate::error::{Error, ErrorCode, Result};
use crate::session::{FailureLimit, RefreshClaims};
use crate::store::FailureKey;
use crate::types::{Subject, Timestamp};

/// A refresh under way, as far as the limiter has to know it.
pub(super) struct Attempt {
    address: Option<FailureKey>,
    /// Whose token it is and which, once its signature was found to be good.
    signed: Option<(Subject, FailureKey)>,
}

impl Attempt {
    /// From this address, if it is known.
    pub(super) fn from(address: Option<FailureKey>) -> Self {
        Self { address, signed: None }
    }
}

/// What this process knows to be beyond the limit, so that it asks the store no more about it.
#[derive(Default)]
pub(super) struct Limiter {
    limit: Option<FailureLimit>,
    /// Until when.
    full: Mutex<HashMap<FailureKey, Timestamp>>,
}

/// So many at most. Whatever does not fit costs a question to the store.
const MOST: usize = 16_384;

impl Limiter {
    pub(super) fn new(limit: Option<FailureLimit>) -> Self {
        Self { limit, full: Mutex::default() }
    }

    fn refuse_if_full(&self, key: &FailureKey, now: Timestamp) -> Result<()> {
        let full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        match full.get(key) {
            Some(until) if now < *until => {
                Err(Error::TooManyAttempts { retry_after: until.since(now) })
            }
            _ => Ok(()),
        }
    }

    fn keep(&self, key: FailureKey, until: Timestamp, now: Timestamp) {
        let mut full = self.full.lock().unwrap_or_else(PoisonError::into_inner);
        if full.len() >= MOST {
            full.retain(|_, until| now < *until);
        }
        if full.len() < MOST {
            full.insert(key, until);
        }
    }
}

impl Engine {
    /// Takes note that the token's signature is good.
    ///
    /// # Errors
    /// [`Error::TooManyAttempts`] where this very token was refused for good before, and its user's
    /// failures are beyond the limit.
    pub(super) fn admit(&self, attempt: &mut Attempt, claims: &RefreshClaims) -> Result<()> {
        if self.limiter.limit.is_none() {
            return Ok(());
        }
        let token = FailureKey::token(&claims.session, &claims.attempt().id);
        attempt.signed = Some((claims.subject.clone(), token));
        self.limiter.refuse_if_full(&token, self.admin.clock.now())
    }

    /// What is answered to an attempt that failed with `error`. A store that cannot count never
    /// changes the answer.
    pub(super) async fn after_failure(&self, attempt: Attempt, error: Error) -> Error {
        let (Some(limit), Some(failures)) = (self.limiter.limit, self.admin.store.failures())
        else {
            return error;
        };
        let now = self.admin.clock.now();
        let (counted, kept) = match attempt.signed {
            Some((subject, token)) if is_refusal(error.code()) => {
                (FailureKey::subject(&subject), is_final(error.code()).then_some(token))
            }
            None if is_no_token_of_ours(error.code()) => match attempt.address {
                Some(address) => (address, Some(address)),
                None => return error,
            },
            _ => return error,
        };
        if let Err(full) = self.limiter.refuse_if_full(&counted, now) {
            return full;
        }
        match failures.count(&counted, limit.window).await {
            Ok(failures) if failures.count > limit.failures.get() => {
                if let Some(key) = kept {
                    self.limiter.keep(key, now.plus(failures.left), now);
                }
                Error::TooManyAttempts { retry_after: failures.left }
            }
            _ => error,
        }
    }
}

/// What a token that was signed here is refused for.
fn is_refusal(code: ErrorCode) -> bool {
    is_final(code) || code == ErrorCode::SubjectMismatch
}

/// After these the same token is never granted again.
fn is_final(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::RefreshExpired
            | ErrorCode::SessionUnknown
            | ErrorCode::SessionRevoked
            | ErrorCode::RefreshReused
    )
}

/// What was shown in the place of a token. None at all is no attempt.
fn is_no_token_of_ours(code: ErrorCode) -> bool {
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
