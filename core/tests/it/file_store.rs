//! The file store: durability, sharing between processes, and the files that it rejects.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use regrant::revocation::{
    FeedCursor, MAX_FEED_ENTRIES, Revocation, RevocationFeed, RevocationTarget,
};
use regrant::session::{DeviceLabel, NewSession, Record, SessionState, TokenId};
use regrant::store::file::{FileOptions, FileStore};
use regrant::store::{SessionStore, StoreAddress};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Timestamp};
use regrant::{Error, Result};
use rusqlite::Connection;

use crate::support::sessions::{alice, clock};

const HOUR: Duration = Duration::from_secs(3600);

fn open(path: &Path, clock: &Arc<ManualClock>) -> Result<FileStore> {
    let mut options = FileOptions::default();
    options.clock = Arc::clone(clock) as Arc<dyn Clock>;
    FileStore::open(path, options)
}

fn new_session() -> NewSession {
    NewSession {
        id: TokenId::from_bytes([1; 16]),
        idle_ttl: HOUR,
        absolute_ttl: HOUR,
        device: DeviceLabel::new("노트북").unwrap(),
        max_sessions: None,
        legacy_login: None,
        client: None,
    }
}

fn rejection(path: &Path) -> String {
    match open(path, &clock()) {
        Err(Error::ConfigInvalid { field, problem }) => {
            assert_eq!(field, "store");
            problem
        }
        other => panic!("expected a rejection, got {other:?}"),
    }
}

#[tokio::test]
async fn acknowledged_changes_survive_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let (kept, ended) = (SessionId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
    let store = open(&path, &clock).unwrap();
    let record = store.create(&alice(), &kept, &new_session()).await.unwrap().record;
    store.create(&alice(), &ended, &new_session()).await.unwrap();
    store.revoke(&alice(), &ended, RevocationReason::Logout).await.unwrap();
    drop(store);

    let mut found = open(&path, &clock).unwrap().list(&alice()).await.unwrap();
    found.sort_by_key(|stored| stored.id);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].record, record);
    assert_eq!(found[1].record.state, SessionState::Revoked(RevocationReason::Logout));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_stores_on_one_file_share_its_sessions() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let stores = [open(&path, &clock).unwrap(), open(&path, &clock).unwrap()].map(Arc::new);
    let mut logins = tokio::task::JoinSet::new();
    for number in 0..100_u8 {
        let store = Arc::clone(&stores[usize::from(number % 2)]);
        logins.spawn(async move {
            let session = SessionId::from_bytes([number; 16]);
            store.create(&alice(), &session, &new_session()).await.map(drop)
        });
    }
    for outcome in logins.join_all().await {
        outcome.unwrap();
    }
    for store in &stores {
        assert_eq!(store.list(&alice()).await.unwrap().len(), 100);
    }
}

#[tokio::test]
async fn expired_sessions_are_deleted_from_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let store = open(&path, &clock).unwrap();
    for number in 0..250_u8 {
        let session = SessionId::from_bytes([number; 16]);
        store.create(&alice(), &session, &new_session()).await.unwrap();
    }
    let rows = || -> i64 {
        let file = Connection::open(&path).unwrap();
        file.query_row("SELECT count(*) FROM sessions", [], |row| row.get(0)).unwrap()
    };
    for (wait, left) in [(HOUR, 250), (Record::RETENTION, 0)] {
        clock.advance(wait);
        assert!(store.list(&alice()).await.unwrap().is_empty());
        // Pruning happens after the first response and before the second.
        assert!(store.list(&alice()).await.unwrap().is_empty());
        assert_eq!(rows(), left, "expired sessions are kept for a while");
    }
    let file = Connection::open(&path).unwrap();
    let free: i64 = file.query_row("PRAGMA freelist_count", [], |row| row.get(0)).unwrap();
    assert_eq!(free, 0, "the file shrinks");
}

/// A clock that can be set, beside one that nobody can set.
#[derive(Debug)]
struct JumpingClock(ManualClock);

impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        self.0.now()
    }

    fn elapsed(&self) -> Option<Duration> {
        Some(Duration::from_secs(60))
    }
}

/// However far it jumps, and for all users.
#[tokio::test]
async fn a_clock_that_jumps_ahead_deletes_no_session_and_no_revocation() {
    let folder = tempfile::tempdir().unwrap();
    let right = Timestamp::from_millis(1_800_000_000_000);
    let clock = Arc::new(JumpingClock(ManualClock::new(right)));
    let mut options = FileOptions::default();
    options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
    let store = FileStore::open(folder.path().join("sessions.db"), options).unwrap();
    let session = SessionId::from_bytes([1; 16]);
    store.create(&alice(), &session, &new_session()).await.unwrap();
    let feed = store.feed().unwrap();
    feed.publish(&[revocation(1, right.plus(HOUR))]).await.unwrap();

    let bob = regrant::types::Subject::new("bob").unwrap();
    for days in [100, 36_500] {
        clock.0.set(right.plus(HOUR * 24 * days));
        for _ in 0..3 {
            store.list(&bob).await.unwrap();
            store.create(&bob, &SessionId::from_bytes([2; 16]), &new_session()).await.unwrap();
        }
    }
    clock.0.set(right);
    assert_eq!(store.list(&alice()).await.unwrap().len(), 1);
    let page = feed.read(&FeedCursor::default(), Duration::ZERO).await.unwrap();
    assert_eq!(page.revocations, [revocation(1, right.plus(HOUR))]);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_open_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o7777;
    let set = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let store = open(&path, &clock()).unwrap();
    store.create(&alice(), &SessionId::from_bytes([1; 16]), &new_session()).await.unwrap();
    for name in ["sessions.db", "sessions.db-wal", "sessions.db-shm"] {
        assert_eq!(mode(&folder.path().join(name)), 0o600, "{name}");
    }
    drop(store);
    // A file of an earlier version; what the group may do is the operator's choice.
    set(&path, 0o644);
    drop(open(&path, &clock()).unwrap());
    assert_eq!(mode(&path), 0o640);

    set(folder.path(), 0o777);
    let problem = rejection(&folder.path().join("others.db"));
    assert!(problem.starts_with("any user of this machine may write to the folder"), "{problem}");
    assert!(!folder.path().join("others.db").exists());
    // As `/tmp`, where nobody may delete the files of others.
    set(folder.path(), 0o1777);
    open(&path, &clock()).unwrap();
    set(folder.path(), 0o770);
    open(&path, &clock()).unwrap();
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_that_was_deleted_or_replaced_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, away, clock) =
        (folder.path().join("sessions.db"), folder.path().join("away"), clock());
    let store = open(&path, &clock).unwrap();
    let session = SessionId::from_bytes([1; 16]);
    store.create(&alice(), &session, &new_session()).await.unwrap();
    let is_unavailable = async || {
        let other = SessionId::from_bytes([2; 16]);
        let results = [
            store.create(&alice(), &other, &new_session()).await.map(drop),
            store.revoke(&alice(), &session, RevocationReason::Logout).await.map(drop),
            store.list(&alice()).await.map(drop),
            store.feed().unwrap().publish(&[revocation(1, clock.now().plus(HOUR))]).await,
        ];
        for result in results {
            let Err(Error::StoreUnavailable { source }) = result else { panic!("{result:?}") };
            assert!(source.to_string().contains("deleted or replaced"), "{source}");
        }
        let health = store.health().await;
        assert!(!health.reachable);
        assert!(health.warnings[0].text.contains("deleted or replaced"), "{health:?}");
    };
    fs::rename(&path, &away).unwrap();
    is_unavailable().await;
    fs::write(&path, "").unwrap();
    is_unavailable().await;
    fs::remove_file(&path).unwrap();
    is_unavailable().await;
    // Put back, it is used again, and nobody was signed out.
    fs::rename(&away, &path).unwrap();
    assert!(store.health().await.reachable);
    assert_eq!(store.list(&alice()).await.unwrap()[0].record.state, SessionState::Live);
}

#[tokio::test]
async fn damage_to_a_large_file_is_found_in_the_background() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    drop(open(&path, &clock).unwrap());
    let file = Connection::open(&path).unwrap();
    file.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO feed (until, entry) SELECT 4000000000000 + i, printf('%0100d', i) FROM n;
         PRAGMA wal_checkpoint(TRUNCATE);",
    )
    .unwrap();
    drop(file);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 8 << 20);
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8192].fill(0x5a);
    fs::write(&path, &bytes).unwrap();

    let store = open(&path, &clock).unwrap();
    let since = std::time::Instant::now();
    while store.health().await.reachable {
        assert!(since.elapsed() < Duration::from_secs(60), "the damage is not found");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let health = store.health().await;
    assert!(health.warnings[0].text.contains("the file is damaged"), "{health:?}");
}

/// All entries from the beginning.
async fn read_all(feed: &dyn RevocationFeed) -> Vec<Revocation> {
    let (mut all, mut cursor) = (Vec::new(), FeedCursor::default());
    loop {
        let page = feed.read(&cursor, Duration::ZERO).await.unwrap();
        all.extend(page.revocations);
        cursor = page.next;
        if page.complete {
            return all;
        }
    }
}

/// As an earlier version may have left it.
#[tokio::test]
async fn a_feed_that_is_far_too_long_is_replaced_and_deleted_in_small_batches() {
    const OLD: usize = 2 * MAX_FEED_ENTRIES;
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let store = open(&path, &clock).unwrap();
    let until = clock.now().plus(HOUR);
    let old = serde_json::to_string(&revocation(7, until)).unwrap();
    let file = Connection::open(&path).unwrap();
    file.busy_timeout(Duration::from_secs(10)).unwrap();
    file.execute_batch(&format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {OLD})
         INSERT INTO feed (until, entry) SELECT {}, '{old}' FROM n;",
        until.as_millis()
    ))
    .unwrap();
    let rows =
        || -> i64 { file.query_row("SELECT count(*) FROM feed", [], |row| row.get(0)).unwrap() };
    let feed = store.feed().unwrap();
    feed.publish(&[revocation(1, until)]).await.unwrap();
    let now = clock.now();
    let cutoff = Revocation::new(RevocationTarget::Cutoff { issued_until: now }, until);
    assert_eq!(read_all(feed).await, [cutoff.clone(), revocation(1, until)]);
    assert!(rows() >= OLD as i64 - 1_000, "deleted at once: {} rows are left", rows());
    for number in 2..=250 {
        feed.publish(&[revocation(number, until)]).await.unwrap();
    }
    // One more per batch of 500: all batches have run.
    for _ in 0..OLD / 500 - 200 {
        feed.publish(&[revocation(251, until)]).await.unwrap();
    }
    assert!(rows() < 1_000, "{} rows are left", rows());
    assert_eq!(read_all(feed).await[..2], [cutoff, revocation(1, until)]);
}

#[test]
fn a_file_of_another_program_is_rejected_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let text = folder.path().join("notes.txt");
    fs::write(&text, "not a database, but a text file ".repeat(100)).unwrap();
    let before = fs::read(&text).unwrap();
    assert_eq!(rejection(&text), "the file is not a store of regrant");
    assert_eq!(fs::read(&text).unwrap(), before);

    let other = folder.path().join("other.db");
    let connection = Connection::open(&other).unwrap();
    connection.execute_batch("CREATE TABLE theirs (x); INSERT INTO theirs VALUES (1)").unwrap();
    drop(connection);
    let before = fs::read(&other).unwrap();
    assert_eq!(rejection(&other), "the file is a database of another program");
    assert_eq!(fs::read(&other).unwrap(), before);
}

#[tokio::test]
async fn a_damaged_file_is_rejected_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let store = open(&path, &clock).unwrap();
    for number in 0..200_u8 {
        let session = SessionId::from_bytes([number; 16]);
        store.create(&alice(), &session, &new_session()).await.unwrap();
    }
    drop(store);
    // The last connection checkpoints the log into the file when it closes.
    open(&path, &clock).unwrap();
    Connection::open(&path).unwrap().execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let page = 4096;
    assert!(bytes.len() > 4 * page);
    for byte in &mut bytes[2 * page..] {
        *byte = 0x5a;
    }
    fs::write(&path, &bytes).unwrap();
    assert_eq!(rejection(&path), "the file is damaged");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_file_of_a_newer_version_is_rejected() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    drop(open(&path, &clock()).unwrap());
    Connection::open(&path).unwrap().execute_batch("PRAGMA user_version = 99").unwrap();
    assert_eq!(rejection(&path), "the file was written by a newer version of regrant");
}

#[test]
fn a_path_that_cannot_be_opened_is_a_configuration_error() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such/folder/sessions.db");
    for (path, reason) in [(folder.path(), "directory"), (&*missing, "No such file or directory")] {
        let problem = rejection(path);
        assert!(problem.starts_with(&path.display().to_string()), "{problem}");
        assert!(problem.contains("cannot be opened") && problem.contains(reason), "{problem}");
    }
    let addresses =
        ["file:", "file://", "file://host/path", "file::memory:", "file::memory:?cache"];
    for address in addresses {
        let outcome = StoreAddress::new(address).open(None);
        assert!(matches!(outcome, Err(Error::ConfigInvalid { .. })), "{address}");
    }
}

/// On a slow disk, another process may be creating the file for longer than an operation waits.
#[test]
fn opening_waits_longer_than_an_operation_for_another_process() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let mut options = FileOptions::default();
    options.timeout = Duration::from_millis(1);
    let opening = thread::spawn(move || FileStore::open(path, options).map(drop));
    thread::sleep(Duration::from_millis(300));
    assert!(!opening.is_finished());
    other.execute_batch("COMMIT").unwrap();
    opening.join().unwrap().unwrap();
}

#[tokio::test]
async fn the_address_may_be_a_file_url() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sessions.db");
    let url = format!("file://{}", path.display());
    let store = StoreAddress::new(url).open(None).unwrap();
    assert!(store.list(&alice()).await.unwrap().is_empty());
    assert!(path.exists());
}

fn revocation(number: u8, expires_at: Timestamp) -> Revocation {
    Revocation::new(
        RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) },
        expires_at,
    )
}

#[tokio::test]
async fn every_process_reads_published_revocations_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let (path, clock) = (folder.path().join("sessions.db"), clock());
    let (here, there) = (open(&path, &clock).unwrap(), open(&path, &clock).unwrap());
    let until = clock.now().plus(HOUR);
    let published: Vec<_> =
        (0..=255).chain(0..=255).chain(0..88).map(|n| revocation(n, until)).collect();
    here.feed().unwrap().publish(&published).await.unwrap();

    let (mut read, mut cursor) = (Vec::new(), FeedCursor::default());
    loop {
        let page = there.feed().unwrap().read(&cursor, Duration::ZERO).await.unwrap();
        read.extend(page.revocations);
        cursor = page.next;
        if page.complete {
            break;
        }
    }
    assert_eq!(read, published);
    let idle = there.feed().unwrap().read(&cursor, Duration::ZERO).await.unwrap();
    assert_eq!((idle.revocations, idle.next), (vec![], cursor.clone()));

    // A process that starts now reads only entries that have not expired.
    clock.advance(HOUR);
    let later = revocation(1, until.plus(HOUR));
    here.feed().unwrap().publish(std::slice::from_ref(&later)).await.unwrap();
    // Expired ones are deleted after the response, some at a time.
    for _ in 0..3 {
        let session = SessionId::from_bytes([1; 16]);
        here.revoke(&alice(), &session, RevocationReason::Logout).await.unwrap();
    }
    let anew = there.feed().unwrap().read(&FeedCursor::default(), Duration::ZERO).await.unwrap();
    assert_eq!(anew.revocations, std::slice::from_ref(&later));
    // A process that has read up to here continues from here.
    let on = there.feed().unwrap().read(&cursor, Duration::ZERO).await.unwrap();
    assert_eq!(on.revocations, [later]);
}

#[tokio::test]
async fn a_working_store_reports_healthy() {
    let folder = tempfile::tempdir().unwrap();
    let health = open(&folder.path().join("sessions.db"), &clock()).unwrap().health().await;
    assert!(health.reachable && health.warnings.is_empty(), "{health:?}");
    assert!(health.round_trip.is_some());
}
