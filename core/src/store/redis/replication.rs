//! Whether replicas have what was written (`WAIT`).

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use redis::{FromRedisValue, RedisResult, cmd};
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::RedisStore;
use super::connection::Question;
use super::link::Live;
use super::script::{Arguments, Script};
use crate::error::Result;
use crate::store::Replicated;

/// The waits over one connection.
///
/// `WAIT` is about all that was written over its connection before, and holds up what is sent
/// over it afterwards. So logins and revocations have a connection to themselves, and those that
/// come while one waits share the next wait.
#[derive(Default)]
pub(super) struct Waits {
    /// How many have begun.
    begun: AtomicU64,
    /// Which one ended last, and how many replicas had all.
    last: Mutex<(u64, u32)>,
}

impl Waits {
    /// How many replicas have what was written over `live` before, after `patience` at most.
    async fn replicas(&self, live: &Live, wanted: u32, patience: Duration) -> RedisResult<u32> {
        let before = self.begun.load(Ordering::Acquire);
        let mut last = self.last.lock().await;
        let (number, replicas) = *last;
        if number > before {
            // It began after the writing.
            return Ok(replicas);
        }
        let number = self.begun.fetch_add(1, Ordering::AcqRel) + 1;
        let mut wait = cmd("WAIT");
        // To Redis a wait of 0 is one without end.
        wait.arg(wanted).arg(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX).max(1));
        let replicas = live.send(&wait, false, Instant::now() + live.patience + patience).await?;
        *last = (number, replicas);
        Ok(replicas)
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

/// So often a script is run again because there is another master.
const MOST_MOVES: u32 = 3;

impl RedisStore {
    /// Runs a script that logs in or revokes, and tells whether replicas have its effect.
    ///
    /// No token heals what is lost of these. A master that has been replaced and does not know it
    /// yet has no replicas any more; so where too few have it the servers are looked at, and where
    /// there is another master it is told as well.
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
        let mut again = None;
        for _ in 0..MOST_MOVES {
            // Whatever becomes of the wait, what the script did stands.
            let had = live.waits.replicas(&live, self.replicas, patience).await;
            if had.is_ok_and(|replicas| replicas >= self.replicas) {
                return Ok(Kept { first, again, replicated: Replicated::Yes });
            }
            match self.awaited.topology().look(key).await {
                Ok(node) if node != live.node => {}
                _ => break,
            }
            // Where that one cannot be told, the caller must ask again.
            let (answer, other) = self.awaited.ask(key, &question, patience).await?;
            (again, live) = (Some(answer), other);
        }
        Ok(Kept { first, again, replicated: Replicated::No })
    }
}
