//! The thread that owns the connection: it takes all operations that have arrived, carries out
//! those that write in one transaction, and answers each after the commit. Those that only read
//! take no lock that keeps other processes from writing.

use std::iter;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::oneshot;

use super::rows::prune;
use super::schema::unavailable;
use crate::error::{Error, Result};
use crate::types::{Clock, Timestamp};

/// What an operation survives once it was acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Durability {
    /// The death of this process.
    Process,
    /// The death of this machine.
    Disk,
}

/// Operations that wait; more are refused at once, as a store that cannot keep up would.
const QUEUE: usize = 4096;

/// Operations in one transaction.
const GROUP: usize = 256;

const PRUNE_EVERY: Duration = Duration::from_secs(60);

pub(super) struct Writer {
    queue: SyncSender<Box<dyn Job>>,
}

/// An operation on its way through a transaction.
trait Job: Send {
    fn kind(&self) -> Kind;
    fn run(&mut self, connection: &Connection, now: Timestamp) -> Durability;
    fn answer(self: Box<Self>, commit: &Result<(), String>);
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Read,
    Write,
}

struct Call<T, F> {
    kind: Kind,
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
    fn kind(&self) -> Kind {
        self.kind
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
        // Whoever asked may have gone; the operation counts all the same.
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

    /// Carries out an operation that may write.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(Kind::Write, durability, operation).await
    }

    /// Carries out an operation that only reads, with one statement.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.call(Kind::Read, |_| Durability::Process, operation).await
    }

    async fn call<T: Send + 'static>(
        &self,
        kind: Kind,
        durability: fn(&T) -> Durability,
        operation: impl FnOnce(&Connection, Timestamp) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Call {
            kind,
            operation: Some(operation),
            durability,
            outcome: Err(Error::internal("the operation did not run")),
            reply,
        };
        self.queue.try_send(Box::new(job)).map_err(|error| match error {
            TrySendError::Full(_) => Error::store("too many operations wait for the file"),
            TrySendError::Disconnected(_) => Error::store("the store's thread has ended"),
        })?;
        answer.await.map_err(Error::store)?
    }
}

/// Ends when the last sender is gone.
fn work(mut connection: Connection, clock: &dyn Clock, jobs: &Receiver<Box<dyn Job>>) {
    let mut pruned = None;
    while let Ok(first) = jobs.recv() {
        let now = clock.now();
        let group = iter::once(first).chain(jobs.try_iter().take(GROUP - 1));
        let (reads, writes): (Vec<_>, Vec<_>) = group.partition(|job| job.kind() == Kind::Read);
        let written =
            writes.is_empty() || carry_out(writes, |jobs| write(&mut connection, jobs, now));
        carry_out(reads, |jobs| read(&connection, jobs, now));
        if written && pruned.is_none_or(|at: Timestamp| now.since(at) >= PRUNE_EVERY) {
            // A failure was logged where it arose, and pruning is tried again later.
            let more = prune(&connection, now).unwrap_or(false);
            if !more {
                pruned = Some(now);
            }
        }
    }
}

/// Runs `jobs` in `transaction` and answers each; tells whether it was committed.
fn carry_out(
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

/// Without a transaction of their own: each is one statement, which sees one state of the file and
/// keeps nobody waiting.
fn read(connection: &Connection, jobs: &mut [Box<dyn Job>], now: Timestamp) -> Result<()> {
    for job in jobs {
        job.run(connection, now);
    }
    Ok(())
}

/// Brings everything that was committed so far to the disk: the commit of a further transaction
/// with `synchronous = FULL` flushes the write-ahead log as a whole.
fn sync(connection: &Connection) -> Result<()> {
    connection
        .execute_batch(
            "PRAGMA synchronous = FULL;
             UPDATE syncs SET count = count + 1;
             PRAGMA synchronous = NORMAL;",
        )
        .map_err(unavailable)
}
