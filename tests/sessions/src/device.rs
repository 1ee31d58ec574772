//! An honest client of a store, on the store's own clock.

use std::sync::Arc;
use std::time::{Duration, Instant};

use regrant::error::{Error, Result};
use regrant::session::{Decision, DeviceLabel, NewSession, SessionPolicy, TokenSecret};
use regrant::store::redis::{RedisOptions, RedisStore};
use regrant::store::{Created, SessionStore};
use regrant::types::{SessionId, Subject};

use crate::backends::PATIENCE;
use regrant_model::token::Token;

/// Any store.
pub type Store = Arc<dyn SessionStore>;

const DAY: Duration = Duration::from_secs(86_400);
/// Longer than any failover.
pub const LONG_ENOUGH: Duration = Duration::from_secs(120);

/// A store in the Redis at `url`, as an app has it.
///
/// # Panics
/// The address or an option is wrong.
pub fn redis_at(url: &str, change: impl FnOnce(&mut RedisOptions)) -> Store {
    let mut options = RedisOptions::default();
    change(&mut options);
    Arc::new(RedisStore::new(url, options).expect("an address"))
}

/// As [`redis_at`], for tests in which no server is silent: a busy machine may be late by seconds.
///
/// # Panics
/// The address or an option is wrong.
pub fn patient_redis_at(url: &str, change: impl FnOnce(&mut RedisOptions)) -> Store {
    redis_at(url, |options| {
        options.timeout = PATIENCE;
        change(options);
    })
}

/// A user by number.
///
/// # Panics
/// Never: the name is a valid subject.
pub fn user(number: usize) -> Subject {
    Subject::new(format!("user-{number}")).expect("a subject")
}

/// A session and the newest token of it.
#[derive(Clone, Debug)]
pub struct Device {
    /// The user.
    pub subject: Subject,
    /// The session.
    pub session: SessionId,
    /// Its newest token.
    pub token: Token,
}

impl Device {
    /// Logs in.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn login(store: &Store, subject: Subject) -> Result<Self> {
        let (secret, session) = (TokenSecret::random()?, SessionId::random()?);
        let new = NewSession {
            id: secret.id(),
            idle_ttl: DAY,
            absolute_ttl: DAY * 2,
            device: DeviceLabel::default(),
            max_sessions: None,
            legacy_login: None,
            client: None,
        };
        let Created { record, .. } = store.create(&subject, &session, &new).await?;
        Ok(Self { subject, session, token: Token::of_login(secret, &record) })
    }

    /// Refreshes, and keeps the child.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Panics
    /// The store rejects the token, which must never happen to an honest client.
    pub async fn refresh(&mut self, store: &Store) -> Result<()> {
        let policy = SessionPolicy::default().for_refresh(Some(true));
        let answer =
            store.refresh(&self.subject, &self.session, &self.token.claims, &policy, None).await?;
        match answer.map(|refreshed| refreshed.decision) {
            Some(Decision::Rotate(issued_child) | Decision::Replay(issued_child)) => {
                self.token = self.token.child(&issued_child);
                Ok(())
            }
            other => panic!("an honest client of {} was rejected: {other:?}", self.subject),
        }
    }

    /// Refreshes until the store is available again.
    ///
    /// # Panics
    /// The store stays unavailable, or rejects the token.
    pub async fn refresh_at_last(&mut self, store: &Store) {
        let since = Instant::now();
        while let Err(error) = self.refresh(store).await {
            assert!(matches!(error, Error::StoreUnavailable { .. }), "{error:?}");
            assert!(since.elapsed() < LONG_ENOUGH, "the store stays unavailable: {error:?}");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Waits until the condition holds.
///
/// # Panics
/// It does not, for [`LONG_ENOUGH`].
pub async fn until<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let since = Instant::now();
    while !holds().await {
        assert!(since.elapsed() < LONG_ENOUGH, "timed out: {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
