//! Whether replicas have what was written (`WAIT`).

use std::time::Duration;

use redis::{FromRedisValue, RedisResult, cmd};
use tokio::time::{Instant, sleep};

use super::RedisStore;
use super::backoff::jitter;
use super::connection::{Question, unavailable};
use super::link::Live;
use super::round::Round;
use super::script::{Arguments, Script};
use super::topology::{MOMENT, Standing, not_ready};
use crate::error::Result;
use crate::store::Replicated;

/// The waits over one connection.
///
/// `WAIT` is about all that was written over its connection before, and holds up what is sent
/// over it afterwards. So logins and revocations have a connection to themselves, and those that
/// come while one waits share the next wait.
#[derive(Default)]
pub(super) struct Waits(Round<u32>);

impl Waits {
    /// How many replicas have what was written over `live` before, after `patience` at most.
    async fn replicas(&self, live: &Live, wanted: u32, patience: Duration) -> RedisResult<u32> {
        let mut wait = cmd("WAIT");
        // To Redis a wait of 0 is one without end.
        wait.arg(wanted).arg(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX).max(1));
        self.0.next(live.send(&wait, false, Instant::now() + live.patience + patience)).await
    }
}

/// What became of a script whose effect is to outlive a failover.
pub(super) struct Kept<T> {
    /// What it answered first.
    pub(super) first: T,
    /// What it answered where it had to be run again, on another master.
    pub(super) again: Option<T>,
    pub(super) replicated: Replicated,
}

impl RedisStore {
    /// Runs a script that logs in or revokes, and tells whether replicas have its effect.
    ///
    /// No token heals what is lost of these. A master that has been replaced and does not know it
    /// yet has no replicas any more; so where too few have it the servers are looked at. Where
    /// there is another master it is told as well; while that is being decided it is waited for.
    pub(super) async fn kept<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<Kept<T>> {
        if self.replicas == 0 {
            let first = self.connection.run(script, key, arguments).await?;
            return Ok(Kept { first, again: None, replicated: Replicated::NotAsked });
        }
        let question = Question::Script(script, arguments);
        // What goes before may be a wait.
        let patience = self.replica_timeout;
        let (first, mut live) = self.awaited.ask(key, &question, patience).await?;
        let deadline = Instant::now() + live.patience;
        let mut again = None;
        loop {
            // Whatever becomes of the wait, what the script did stands.
            let had = live.waits.replicas(&live, self.replicas, patience).await;
            if had.is_ok_and(|replicas| replicas >= self.replicas) {
                return Ok(Kept { first, again, replicated: Replicated::Yes });
            }
            let standing = self.awaited.topology().standing(key, &live.node).await;
            let is_late = Instant::now() >= deadline;
            match standing {
                Ok(Standing::Moving | Standing::Moved) if is_late => {
                    return Err(unavailable(not_ready("a failover is under way")));
                }
                Ok(Standing::Moving) => sleep(MOMENT / 2 + jitter(MOMENT / 2)).await,
                Ok(Standing::Moved) => {
                    // Where that one cannot be told, the caller must ask again.
                    let (answer, other) = self.awaited.ask(key, &question, patience).await?;
                    (again, live) = (Some(answer), other);
                }
                Ok(Standing::Same) | Err(_) => {
                    return Ok(Kept { first, again, replicated: Replicated::No });
                }
            }
        }
    }
}
