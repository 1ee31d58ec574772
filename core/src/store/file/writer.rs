//! The thread that owns the connection. It takes all operations that have arrived, runs the
//! writes in one transaction (group commit), and answers each after the commit. Reads take no
//! write lock, so they do not block other processes.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::schema::unavailable;
use crate::error::{Error, Result};
use crate::store::operations::Durability;
use crate::types::{Clock, Timestamp};

/// The number of waiting operations beyond which further ones fail at once.
const QUEUE: usize = 4096;

/// The largest number of operations in one transaction.
const GROUP: usize = 256;

const PRUNE_INTERVAL: Duration = Duration::from_secs(60);

/// How many rows of a table one pruning deletes at most, so that operations do not wait long.
const PRUNE_LIMIT: usize = 500;

pub(super) struct Writer {
    queue: SyncSender<Box<dyn Job>>,
}

/// A queued operation.
trait Job: Send {
    fn access(&self) -> Access;
    fn run(&mut self, connection: &Connection, now: Timestamp) -> Durability;
    fn answer(self: Box<Self>, commit: &Result<(), String>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Access {
    Read,
    Write,
}

struct Call<T, F> {
    access: Access,
    operation: Option<F>,
    durability: fn(&T) -> Durability,
    outcome: Result<T>,
    reply: oneshot::Sender<Result<T>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnOnce(&Connection, Timestamp) -> Result<T> + Send,
{
    fn access(&self) -> Access {
        self.access
    }

    fn run(&mut self, connection: &Connection, now: Timestamp) -> Durability {
        if let Some(operation) = self.operation.take() {
            self.outcome = operation(connection, now);
        }
        self.outcome.as_ref().map_or(Durability::Process, self.durability)
    }

    fn answer(self: Box<Self>, commit: &Result<(), String>) {
        let outcome = match commit {
            Ok(()) => self.outcome,
            Err(problem) => Err(Error::store(problem.clone())),
        };
        // The caller may have been cancelled; the operation has taken effect all the same.
        drop(self.reply.send(outcome));
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, clock: Arc<dyn Clock>) -> Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("regrant-store".to_owned())
            .spawn(move || work(connection, &*clock, &jobs))
            .map_err(|_| Error::config("store", "no thread could be started"))?;
        Ok(Self { queue })
    }

    /// Runs an operation that may write.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(Access::Write, durability, operation).await
    }

    /// Runs an operation that reads with one statement.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(Access::Read, |_| Durability::Process, operation).await
    }

    async fn call<T: Send + 'static>(
        &self,
        access: Access,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Call {
            access,
            operation: Some(operation),
            durability,
            outcome: Err(Error::internal("the operation did not run")),
            reply,
        };
        self.queue.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::store("too many operations are waiting for the file"),
            TrySendError::Disconnected(_) => Error::store("the store's thread has ended"),
        })?;
        answer.await.map_err(Error::store)?
    }
}

/// Runs until the last sender is dropped.
fn work(mut connection: Connection, clock: &dyn Clock, jobs: &Receiver<Box<dyn Job>>) {
    let mut pruned = None;
    while let Ok(first) = jobs.recv() {
        let now = clock.now();
        let group = iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        let (reads, writes): (Vec<_>, Vec<_>) = group.partition(|job| job.access() == Access::Read);
        let written = writes.is_empty() || finish(writes, |jobs| write(&mut connection, jobs, now));
        finish(reads, |jobs| {
            // Each is a single statement and needs no transaction of its own.
            for job in jobs {
                job.run(&connection, now);
            }
            Ok(())
        });
        if written && pruned.is_none_or(|at: Timestamp| now.since(at) >= PRUNE_INTERVAL) {
            // A failure was logged by `unavailable`; the next pruning tries again.
            let more = prune(&connection, now).unwrap_or(false);
            if !more {
                pruned = Some(now);
            }
        }
    }
}

/// Runs `jobs` in `transaction` and answers each. Returns whether the transaction was committed.
fn finish(
    mut jobs: Vec<Box<dyn Job>>,
    transaction: impl FnOnce(&mut [Box<dyn Job>]) -> Result<()>,
) -> bool {
    let commit = transaction(&mut jobs).map_err(|error| match error {
        Error::StoreUnavailable { source } => source.to_string(),
        other => other.to_string(),
    });
    for job in jobs {
        job.answer(&commit);
    }
    commit.is_ok()
}

fn write(connection: &mut Connection, jobs: &mut [Box<dyn Job>], now: Timestamp) -> Result<()> {
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Immediate)
        .map_err(unavailable)?;
    let wanted = jobs.iter_mut().map(|job| job.run(&transaction, now)).max();
    transaction.commit().map_err(unavailable)?;
    if wanted == Some(Durability::Disk) {
        sync(connection)?;
    }
    Ok(())
}

/// Flushes everything committed so far to disk: committing one more transaction with
/// `synchronous = FULL` syncs the whole write-ahead log.
fn sync(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             UPDATE syncs SET count = count + 1;
             PRAGMA synchronous = NORMAL;",
        )
        .map_err(unavailable)
}

/// Deletes expired sessions and failure counts and returns their pages to the file system.
/// Returns whether there may be more.
fn prune(connection: &Connection, now: Timestamp) -> Result<bool> {
    let limit = i64::try_from(PRUNE_LIMIT).unwrap_or(i64::MAX);
    let delete = |sql| {
        connection
            .prepare_cached(sql)
            .and_then(|mut delete| delete.execute(params![now.as_millis(), limit]))
            .map_err(unavailable)
    };
    let sessions = delete(
        "DELETE FROM sessions WHERE (subject, session) IN
         (SELECT subject, session FROM sessions WHERE expires <= ?1 LIMIT ?2)",
    )?;
    let failures = delete(
        "DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE ends <= ?1 LIMIT ?2)",
    )?;
    if sessions + failures > 0 {
        connection.execute_batch("PRAGMA incremental_vacuum(64)").map_err(unavailable)?;
    }
    Ok(sessions == PRUNE_LIMIT || failures == PRUNE_LIMIT)
}
