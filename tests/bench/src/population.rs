//! Numbered users and sessions, so that every contestant can derive them.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use regrant::session::{
    Decision, DeviceLabel, NewSession, PresentedToken, RefreshPolicy, SessionPolicy, TokenId,
};
use regrant::store::SessionStore;
use regrant::types::{Clock as _, SessionId, Subject, SystemClock};
use tokio::task::JoinSet;

use crate::progress::Progress;

/// A typical device label of a phone's browser: 40 bytes.
pub(crate) const LABEL: &str = "Chrome 131 on Android 15 (Pixel 9 ProXL)";

/// The number of concurrent logins while a store is filled.
const AT_ONCE: usize = 64;

/// The id of every first refresh token. Printable, so that `redis-benchmark` can send it too.
const FIRST_TOKEN: TokenId = TokenId::from_bytes(*b"first-token-id-0");

/// A user; with 12 digits, as `redis-benchmark` writes its random numbers.
pub(crate) fn user(number: u64) -> Result<Subject> {
    Ok(Subject::new(format!("user-{number:012}"))?)
}

/// One of the sessions of a user. Printable, as [`FIRST_TOKEN`].
pub(crate) fn session(number: u64) -> Result<SessionId> {
    let text = format!("session-{number:08}").into_bytes();
    let bytes = text.try_into().ok().context("more sessions than 8 digits can count")?;
    Ok(SessionId::from_bytes(bytes))
}

/// The session policy: the default without a grace, so that the same token can be
/// presented repeatedly, each time with a write.
pub(crate) fn policy() -> RefreshPolicy {
    let mut policy = SessionPolicy::default();
    policy.grace = Duration::ZERO;
    policy.unused_grace = Some(Duration::ZERO);
    policy.for_refresh(None)
}

/// The sessions that fill a store.
#[derive(Clone, Debug)]
pub(crate) struct Population {
    pub(crate) users: Range<u64>,
    pub(crate) sessions_each: u64,
    pub(crate) device: &'static str,
}

impl Population {
    pub(crate) fn sessions(&self) -> u64 {
        (self.users.end - self.users.start) * self.sessions_each
    }

    /// Creates all sessions with the store's `create`.
    pub(crate) async fn fill(
        &self,
        store: &Arc<dyn SessionStore>,
        progress: &Progress,
    ) -> Result<()> {
        let mut step = progress.step("sessions begun", self.sessions());
        let next = Arc::new(AtomicU64::new(0));
        let mut workers = JoinSet::new();
        for _ in 0..AT_ONCE {
            let (store, next, all) = (Arc::clone(store), Arc::clone(&next), self.clone());
            workers.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= all.sessions() {
                        return anyhow::Ok(());
                    }
                    let subject = user(all.users.start + number / all.sessions_each)?;
                    let session = session(number % all.sessions_each)?;
                    store.create(&subject, &session, &begin(all.device)?).await?;
                }
            });
        }
        let mut pace = tokio::time::interval(Duration::from_secs(1));
        loop {
            tokio::select! {
                ended = workers.join_next() => match ended {
                    Some(ended) => ended??,
                    None => return Ok(()),
                },
                _ = pace.tick() => step.done(next.load(Ordering::Relaxed)),
            }
        }
    }
}

fn begin(device: &str) -> Result<NewSession> {
    let policy = SessionPolicy::default();
    Ok(NewSession {
        id: FIRST_TOKEN,
        idle_ttl: policy.idle_ttl,
        absolute_ttl: policy.absolute_ttl,
        device: DeviceLabel::new(device)?,
        max_sessions: None,
        legacy_login: None,
        client: None,
    })
}

/// The first refresh token of each session, as the state machine sees it.
pub(crate) fn first_token() -> PresentedToken {
    let now = SystemClock.now();
    PresentedToken {
        generation: 0,
        branch: 0,
        id: FIRST_TOKEN,
        parent: None,
        issued_at: now,
        expires_at: now.plus(SessionPolicy::default().idle_ttl),
    }
}

/// Presents the first refresh token of a session and fails unless it is accepted.
pub(crate) async fn refresh(
    store: &dyn SessionStore,
    subject: &Subject,
    session: &SessionId,
    attempt: &PresentedToken,
    policy: &RefreshPolicy,
) -> Result<()> {
    let answer = store.refresh(subject, session, attempt, policy, None).await?;
    let decision = answer.context("the session is unknown")?.decision;
    // Within the same millisecond the same child is returned, as it must be.
    ensure!(
        matches!(decision, Decision::Rotate(_) | Decision::Replay(_)),
        "not accepted: {decision:?}"
    );
    Ok(())
}

/// Reproducible pseudorandom numbers below a bound, evenly distributed.
#[derive(Debug)]
pub(crate) struct Draw {
    state: u64,
    below: u64,
}

impl Draw {
    pub(crate) fn new(seed: u64, below: u64) -> Self {
        Self { state: seed, below }
    }

    /// SplitMix64 (Steele, Lea and Flood 2014).
    pub(crate) fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % self.below
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_has_the_stated_length() {
        assert_eq!(LABEL.len(), 40);
    }

    #[test]
    fn random_draws_cover_the_range_below_the_bound() {
        let mut draw = Draw::new(1, 8);
        let drawn: std::collections::BTreeSet<_> = (0..200).map(|_| draw.number()).collect();
        assert_eq!(drawn, (0..8).collect());
    }

    #[tokio::test]
    async fn a_filled_store_refreshes_the_first_token_repeatedly() {
        let store: Arc<dyn SessionStore> = Arc::new(regrant::store::MemoryStore::new());
        let all = Population { users: 5..8, sessions_each: 2, device: LABEL };
        all.fill(&store, &Progress::start()).await.unwrap();
        for number in 5..8 {
            assert_eq!(store.list(&user(number).unwrap()).await.unwrap().len(), 2);
        }
        let (subject, session) = (user(6).unwrap(), session(1).unwrap());
        let (token, policy) = (first_token(), policy());
        for _ in 0..3 {
            refresh(&*store, &subject, &session, &token, &policy).await.unwrap();
        }
        assert!(refresh(&*store, &user(9).unwrap(), &session, &token, &policy).await.is_err());
    }
}
