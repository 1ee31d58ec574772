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
/// over it afterwards. So revocations have a connection to themselves, and those that come while
/// one waits share the next wait.
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

impl RedisStore {
    /// Runs a script that revokes, and tells whether replicas have it.
    pub(super) async fn revoking<T: FromRedisValue>(
        &self,
        script: &Script,
        key: &[u8],
        arguments: Arguments,
    ) -> Result<(T, Replicated)> {
        if self.replicas == 0 {
            let answer = self.connection.run(script, key, arguments).await?;
            return Ok((answer, Replicated::NotAsked));
        }
        let question = Question::Script(script, arguments);
        // What goes before may be a wait.
        let (answer, live) = self.revocations.ask(key, &question, self.replica_timeout).await?;
        // Whatever becomes of the wait, the revocation stands.
        let had = live.waits.replicas(&live, self.replicas, self.replica_timeout).await;
        let replicated = match had {
            Ok(replicas) if replicas >= self.replicas => Replicated::Yes,
            _ => Replicated::No,
        };
        Ok((answer, replicated))
    }
}
