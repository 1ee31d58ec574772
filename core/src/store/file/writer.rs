//! The thread that owns the connection. It takes all operations that have arrived, runs the
//! writes in one transaction (group commit), and answers each after the commit. Reads take no
//! write lock, so they do not block other processes.

use std::iter;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::oneshot;

use super::identity::FileIdentity;
use super::prune_feed;
use super::schema::unavailable;
use crate::error::{Error, Result};
use crate::session::Record;
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
            // SQLite may have rolled back because of this very operation, whose own error says why.
            Err(problem) => Err(match self.outcome {
                Err(error @ Error::StoreUnavailable { .. }) => error,
                _ => Error::store(problem.clone()),
            }),
        };
        // The caller may have been cancelled; the operation has taken effect all the same.
        drop(self.reply.send(outcome));
    }
}

impl Writer {
    pub(super) fn start(
        connection: Connection,
        clock: Arc<dyn Clock>,
        identity: FileIdentity,
        damage: Arc<OnceLock<String>>,
    ) -> Result<Self> {
        let (queue, jobs) = sync_channel(QUEUE);
        thread::Builder::new()
            .name("regrant-store".to_owned())
            .spawn(move || work(connection, &*clock, &State { identity, damage }, &jobs))
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

/// Whether the open file can be used.
struct State {
    identity: FileIdentity,
    damage: Arc<OnceLock<String>>,
}

impl State {
    /// # Errors
    /// [`Error::StoreUnavailable`] when the file is damaged, or was deleted or replaced: what is
    /// written into it would be lost.
    fn check(&self) -> Result<()> {
        if let Some(damage) = self.damage.get() {
            return Err(Error::store(format!("the file is damaged: {damage}")));
        }
        if !self.identity.is_in_place() {
            return Err(Error::store(
                "the file was deleted or replaced while it was open; restore it or restart",
            ));
        }
        Ok(())
    }
}

/// The time by which rows are deleted: that of the clock, unless it has jumped ahead since the file was
/// opened.
struct PruneClock {
    opened_at: Timestamp,
    elapsed: Option<Duration>,
}

impl PruneClock {
    fn start(clock: &dyn Clock) -> Self {
        Self { opened_at: clock.now(), elapsed: clock.elapsed() }
    }

    fn now(&self, clock: &dyn Clock) -> Timestamp {
        let now = clock.now();
        match (self.elapsed, clock.elapsed()) {
            (Some(start), Some(end)) => now.min(self.opened_at.plus(end.saturating_sub(start))),
            _ => now,
        }
    }
}

/// Runs until the last sender is dropped.
fn work(
    mut connection: Connection,
    clock: &dyn Clock,
    state: &State,
    jobs: &Receiver<Box<dyn Job>>,
) {
    let prune_clock = PruneClock::start(clock);
    let (mut pruned, mut is_usable) = (None, true);
    while let Ok(first) = jobs.recv() {
        let now = clock.now();
        let group = iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        let (reads, writes): (Vec<_>, Vec<_>) = group.partition(|job| job.access() == Access::Read);
        let usable = state.check();
        if let (Err(error), true) = (&usable, is_usable) {
            let cause = std::error::Error::source(error);
            tracing::error!(target: "regrant::store", cause, "the store's file cannot be used");
        }
        is_usable = usable.is_ok();
        if let Err(error) = usable {
            let mut error = Some(error);
            finish(reads.into_iter().chain(writes).collect(), |_| error.take().map_or(Ok(()), Err));
            continue;
        }
        let written = writes.is_empty() || finish(writes, |jobs| write(&mut connection, jobs, now));
        finish(reads, |jobs| {
            // Each is a few statements and needs no transaction of its own.
            for job in jobs {
                job.run(&connection, now);
            }
            Ok(())
        });
        let prune_at = prune_clock.now(clock);
        if written && pruned.is_none_or(|at: Timestamp| now.since(at) >= PRUNE_INTERVAL || now < at)
        {
            // A failure was logged by `unavailable`; the next pruning tries again.
            let more = prune(&connection, prune_at).unwrap_or(false);
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

/// Deletes sessions and entries of the feed that expired long ago, and failure counts, and returns
/// their pages to the file system. Returns whether there may be more.
fn prune(connection: &Connection, now: Timestamp) -> Result<bool> {
    let limit = i64::try_from(PRUNE_LIMIT).unwrap_or(i64::MAX);
    let delete = |sql, until: Timestamp| {
        connection
            .prepare_cached(sql)
            .and_then(|mut delete| delete.execute(params![until.as_millis(), limit]))
            .map_err(unavailable)
    };
    let sessions = delete(
        "DELETE FROM sessions WHERE (subject, session) IN
         (SELECT subject, session FROM sessions WHERE expires <= ?1 LIMIT ?2)",
        now.minus(Record::RETENTION),
    )?;
    let failures = delete(
        "DELETE FROM failures WHERE key IN (SELECT key FROM failures WHERE ends <= ?1 LIMIT ?2)",
        now,
    )?;
    let feed = prune_feed(connection, now, PRUNE_LIMIT)?;
    if sessions + failures + feed > 0 {
        // It returns a row for each page, and goes on when that is read.
        let vacuum = connection.prepare_cached("PRAGMA incremental_vacuum(64)");
        let mut vacuum = vacuum.map_err(unavailable)?;
        let mut pages = vacuum.query([]).map_err(unavailable)?;
        while pages.next().map_err(unavailable)?.is_some() {}
    }
    Ok([sessions, failures, feed].contains(&PRUNE_LIMIT))
}
