//! Sessions in a database that knows nothing of them: all sessions of a user are one value with a
//! version, which is written only if nobody else has written it since it was read.
//!
//! Reading, deciding and writing is repeated until the write succeeds, so every operation is atomic.
//! The operations of one process on one user wait for each other, so that only other processes cause
//! conflicts. Where the database allows it, the first decision is about the value that this process wrote
//! last: if nobody else has written since, the write is the only round trip.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{sleep, timeout};

use super::StoredSession;
use super::operations::UserSessions;
use crate::error::{Error, Result};
use crate::session::{Record, SessionNotes};
use crate::types::{SessionId, Subject, Timestamp};

/// A database with one value per user.
pub(super) trait UserValues: fmt::Debug + Send + Sync {
    /// Creates what the database lacks before its first operation, however long that takes.
    fn open(&self) -> impl Future<Output = Result<()>> + Send {
        async { Ok(()) }
    }

    /// Reads the value of a user, and the time.
    fn load(&self, subject: &Subject) -> impl Future<Output = Result<Loaded>> + Send;

    /// The present time, if it is known without a round trip. Then an operation may begin with the value
    /// that this process wrote last, so the version of a value must never be given to another one, not even
    /// after the database was restored.
    fn estimated_now(&self) -> Option<Timestamp> {
        None
    }

    /// Writes the value of a user if it still has the version `replaces`, or, with `None`, if there
    /// is none. If the [`estimated_now`](Self::estimated_now) for which it was made is wrong, that is a
    /// conflict too. The database may delete the value after `expires_at`.
    fn save(&self, subject: &Subject, write: &Write) -> impl Future<Output = Result<Saved>> + Send;
}

/// A value to be written.
pub(super) struct Write {
    pub(super) value: Vec<u8>,
    pub(super) replaces: Option<String>,
    pub(super) expires_at: Timestamp,
    /// The time that was estimated.
    pub(super) estimated_now: Option<Timestamp>,
}

/// What became of a [`Write`].
pub(super) enum Saved {
    /// It was written; with its version where values are remembered.
    Written(Option<String>),
    /// It was not written.
    Conflict,
}

/// What was read of a user.
pub(super) struct Loaded {
    /// The value and its version, if there is one.
    pub(super) current: Option<(Vec<u8>, String)>,
    /// The time, by the database's clock where it tells it.
    pub(super) now: Timestamp,
}

/// Runs operations on the sessions of users.
pub(super) struct Optimistic {
    timeout: Duration,
    /// Locks. A hash of the user selects one, which an operation holds while it runs.
    turns: Vec<Mutex<Turn>>,
    hasher: RandomState,
    trust: Trust,
}

/// Decides whether to guess that the value of a user is the one that this process wrote last. A right guess
/// saves a round trip and a wrong one costs one, so while other processes write the same users, hardly any
/// are made.
#[derive(Debug, Default)]
struct Trust {
    /// The doubts, up to [`MAX_DOUBTS`].
    doubts: AtomicU32,
    operations: AtomicU32,
}

/// With this many doubts, no guesses are made but for trials.
const MAX_DOUBTS: u32 = 16;

/// While guessing is off, one in this many operations guesses all the same, to notice when guesses are right again.
const TRIAL: u32 = 32;

impl Trust {
    fn guesses(&self) -> bool {
        self.doubts.load(Ordering::Relaxed) < MAX_DOUBTS
            || self.operations.fetch_add(1, Ordering::Relaxed).is_multiple_of(TRIAL)
    }

    /// The doubts shrink if more than two thirds of the guesses are right.
    fn learn(&self, was_right: bool) {
        let learn = |doubts: u32| {
            Some(if was_right { doubts.saturating_sub(1) } else { (doubts + 2).min(MAX_DOUBTS) })
        };
        // Never fails: it always returns a number.
        let _ = self.doubts.fetch_update(Ordering::Relaxed, Ordering::Relaxed, learn);
    }
}

/// The values that were written last, and their versions.
type Turn = HashMap<Subject, (Vec<u8>, String)>;

/// How many values are remembered under each lock: 8,192 in all, together 8 MiB at most.
const REMEMBERED: usize = 32;

/// The longest value that is remembered, in bytes.
const MAX_REMEMBERED_BYTES: usize = 1024;

/// How many operations of one store can run at a time in this process.
const TURNS: usize = 256;

/// How often an operation is tried while other processes are faster.
const MAX_ATTEMPTS: u32 = 20;

impl fmt::Debug for Optimistic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Optimistic").finish_non_exhaustive()
    }
}

impl Optimistic {
    /// `timeout` limits an operation with all its repetitions.
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            turns: (0..TURNS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            trust: Trust::default(),
        }
    }

    /// Runs `operation` on the sessions of `subject` and writes what it changed. After a conflict it runs
    /// again, so it must have no other effects.
    pub(super) async fn run<T>(
        &self,
        values: &impl UserValues,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync,
    ) -> Result<T>
    where
        T: Send,
    {
        values.open().await?;
        let turn =
            self.turns.get(self.turn_of(subject)).ok_or_else(|| Error::internal("no turn"))?;
        let run = async {
            let mut turn = turn.lock().await;
            // Forgotten first: after an error or a cancellation nobody knows what the database has.
            let remembered = turn.remove(subject).filter(|_| self.trust.guesses());
            let mut guess = remembered.zip(values.estimated_now());
            for conflicts in 0..MAX_ATTEMPTS {
                let is_guess = guess.is_some();
                let Loaded { current, now } = match guess.take() {
                    Some((current, now)) => Loaded { current: Some(current), now },
                    None => values.load(subject).await?,
                };
                let (value, version) = current.unzip();
                let mut sessions =
                    value.as_deref().map(Sessions::decode).transpose()?.unwrap_or_default();
                // Before the operation, as in the other stores: what may be deleted takes no room.
                sessions.records.retain(|_, record| !record.is_prunable(now));
                let outcome = operation(&mut sessions, now)?;
                if !sessions.changed && is_guess {
                    // Only a write shows that the guess was right: read the value.
                    continue;
                }
                if !sessions.changed {
                    return Ok(outcome);
                }
                let write = Write {
                    expires_at: sessions.expires_at(now),
                    value: sessions.encode(),
                    replaces: version,
                    estimated_now: is_guess.then_some(now),
                };
                let saved = values.save(subject, &write).await?;
                if is_guess {
                    self.trust.learn(!matches!(saved, Saved::Conflict));
                }
                match saved {
                    Saved::Written(version) => {
                        remember(&mut turn, subject, write.value, version);
                        return Ok(outcome);
                    }
                    Saved::Conflict if is_guess => {}
                    Saved::Conflict => sleep(backoff(conflicts)?).await,
                }
            }
            Err(Error::store("too many concurrent writes for this user"))
        };
        timeout(self.timeout, run).await.map_err(|_| late())?
    }
}

impl Optimistic {
    /// Users who share a turn wait for each other, and time out together. Keyed, so that nobody can choose whom to delay.
    fn turn_of(&self, subject: &Subject) -> usize {
        let hash = self.hasher.hash_one(subject.as_str());
        usize::try_from(hash % TURNS as u64).unwrap_or_default()
    }
}

fn remember(turn: &mut Turn, subject: &Subject, value: Vec<u8>, version: Option<String>) {
    let Some(version) = version else { return };
    if value.len() > MAX_REMEMBERED_BYTES {
        return;
    }
    if turn.len() >= REMEMBERED {
        turn.clear();
    }
    turn.insert(subject.clone(), (value, version));
}

/// The error for a database that is too slow.
pub(super) fn late() -> Error {
    Error::store("the database did not respond in time")
}

/// A random time, on average twice as long with each conflict, up to 64 ms.
pub(super) fn backoff(conflicts: u32) -> Result<Duration> {
    let mut random = [0; 2];
    getrandom::fill(&mut random).map_err(|_| Error::internal("no random numbers"))?;
    let longest = Duration::from_millis(2 << conflicts.min(5));
    Ok(longest.mul_f64(f64::from(u16::from_be_bytes(random)) / f64::from(u16::MAX)))
}

/// The sessions of a user, read from a value.
#[derive(Debug, Default)]
struct Sessions {
    records: BTreeMap<SessionId, Record>,
    changed: bool,
}

/// The version of the layout without notes.
const VERSION: u8 = 1;

/// The version of the layout of a user of whom some session has notes.
const VERSION_WITH_NOTES: u8 = 2;

/// The layout: the version; then for each session its id (16 bytes), the length of the device label
/// and the label, the length of the record and the record ([`Record::encode`]). A length is 1 byte. In
/// version 2 the length of the notes, in 2 bytes, and the notes ([`SessionNotes`]) follow.
impl Sessions {
    fn encode(&self) -> Vec<u8> {
        let has_notes = self.records.values().any(|record| !record.notes.is_empty());
        let mut bytes = vec![if has_notes { VERSION_WITH_NOTES } else { VERSION }];
        for (id, record) in &self.records {
            bytes.extend(id.as_bytes());
            for part in [record.device.as_str().as_bytes(), &record.encode()] {
                // Neither is longer than 64 bytes.
                bytes.push(u8::try_from(part.len()).unwrap_or(u8::MAX));
                bytes.extend(part);
            }
            if has_notes {
                let notes = record.notes.encode();
                // Claims and clients are limited to a few kilobytes.
                bytes.extend(u16::try_from(notes.len()).unwrap_or(u16::MAX).to_be_bytes());
                bytes.extend(notes.as_bytes());
            }
        }
        bytes
    }

    /// # Errors
    /// [`Error::Internal`] when the value was written by a newer version or by something else.
    fn decode(value: &[u8]) -> Result<Self> {
        let records = match value.split_first() {
            None => return Err(damaged()),
            Some((&VERSION, rest)) => parse(rest, false).ok_or_else(damaged)??,
            Some((&VERSION_WITH_NOTES, rest)) => parse(rest, true).ok_or_else(damaged)??,
            Some(_) => return Err(Error::internal("a stored value has an unknown version")),
        };
        Ok(Self { records, changed: false })
    }

    /// When the value is no longer needed.
    fn expires_at(&self, now: Timestamp) -> Timestamp {
        let last = self.records.values().map(|record| record.expires_at).max();
        last.map_or(now, |last| last.plus(Record::RETENTION))
    }
}

fn damaged() -> Error {
    Error::internal("a stored value is damaged")
}

/// `None` for a value that ends too early.
fn parse(mut rest: &[u8], has_notes: bool) -> Option<Result<BTreeMap<SessionId, Record>>> {
    let mut records = BTreeMap::new();
    while !rest.is_empty() {
        let (id, after) = rest.split_first_chunk::<16>()?;
        let (device, after) = take_part(after)?;
        let (record, mut after) = take_part(after)?;
        let mut notes = &[][..];
        if has_notes {
            let (length, rest) = after.split_first_chunk::<2>()?;
            (notes, after) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        }
        match decode(record, device, notes) {
            Ok(record) => records.insert(SessionId::from_bytes(*id), record),
            Err(error) => return Some(Err(error)),
        };
        rest = after;
    }
    Some(Ok(records))
}

fn decode(record: &[u8], device: &[u8], notes: &[u8]) -> Result<Record> {
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| damaged());
    let record = Record::decode(record, text(device)?)?;
    Ok(Record { notes: SessionNotes::decode(text(notes)?)?, ..record })
}

fn take_part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

impl UserSessions for Sessions {
    fn get(&mut self, session: &SessionId) -> Result<Option<Record>> {
        Ok(self.records.get(session).cloned())
    }

    fn put(&mut self, session: &SessionId, record: Record) -> Result<()> {
        self.changed = true;
        self.records.insert(*session, record);
        Ok(())
    }

    fn remove(&mut self, session: &SessionId) -> Result<()> {
        self.changed |= self.records.remove(session).is_some();
        Ok(())
    }

    fn all(&mut self) -> Result<Vec<StoredSession>> {
        let stored =
            |(id, record): (&SessionId, &Record)| StoredSession { id: *id, record: record.clone() };
        Ok(self.records.iter().map(stored).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::session::{ClientDetails, DeviceLabel, NewSession, TokenId};

    fn sessions(count: u8, client: Option<&ClientDetails>) -> Sessions {
        let mut sessions = Sessions::default();
        for number in 0..count {
            let new = NewSession {
                id: TokenId::from_bytes([number; 16]),
                idle_ttl: Duration::from_secs(60),
                absolute_ttl: Duration::from_secs(600),
                device: DeviceLabel::new("é".repeat(usize::from(number % 33))).unwrap(),
                max_sessions: None,
                legacy_login: None,
                client: client.cloned(),
            };
            let record = Record::begin(&new, Timestamp::from_millis(i64::from(number)));
            sessions.put(&SessionId::from_bytes([number; 16]), record).unwrap();
        }
        sessions
    }

    /// Not "no sessions": that would sign the user out.
    #[test]
    fn a_value_without_bytes_is_damaged() {
        assert!(matches!(Sessions::decode(&[]), Err(Error::Internal { .. })));
    }

    #[test]
    fn guesses_are_rare_where_they_are_wrong() {
        let trust = Trust::default();
        let guesses = || (0..64).filter(|_| trust.guesses()).count();
        assert_eq!(guesses(), 64);
        (0..8).for_each(|_| trust.learn(false));
        assert_eq!(guesses(), 2);
        // Every other one is wrong: then a guess saves nothing.
        (0..100).for_each(|number| trust.learn(number % 2 == 0));
        assert_eq!(guesses(), 2);
        // Right ones are trusted again.
        trust.learn(true);
        assert_eq!(guesses(), 64);
    }

    #[test]
    fn decode_reverses_encode() {
        let client = ClientDetails::default().address("::1").user_agent(&"é".repeat(999));
        for client in [None, Some(&client)] {
            for count in [0, 1, 2, 200] {
                let written = sessions(count, client);
                let bytes = written.encode();
                let read = Sessions::decode(&bytes).unwrap();
                assert_eq!(read.records, written.records);
                assert!(!read.changed);
                // What has no notes is written as the version before it did.
                assert_eq!(bytes[0], if client.is_some() && count > 0 { 2 } else { 1 });
            }
        }
    }

    #[test]
    fn a_damaged_value_is_an_error_or_has_fewer_sessions() {
        let whole = sessions(3, None).encode();
        let ends = [1, 1 + whole.len() / 3, 1 + whole.len() / 3 * 2];
        for end in (1..whole.len()).filter(|end| !ends.contains(end)) {
            // A value that ends between two sessions cannot be told from a whole one.
            if let Ok(read) = Sessions::decode(&whole[..end]) {
                assert!(read.records.len() < 3, "{end}");
            }
        }
        assert!(Sessions::decode(&[VERSION, 7]).is_err());
        assert!(Sessions::decode(&[VERSION_WITH_NOTES + 1]).is_err());
        assert!(Sessions::decode(b"null").is_err());
    }
}
