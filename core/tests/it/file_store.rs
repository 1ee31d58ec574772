//! The file store: durability, sharing between processes, and the files that it rejects.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::session::{DeviceLabel, NewSession, SessionState, TokenId};
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
    for number in 0..50_u8 {
        let session = SessionId::from_bytes([number; 16]);
        store.create(&alice(), &session, &new_session()).await.unwrap();
    }
    clock.advance(HOUR);
    assert!(store.list(&alice()).await.unwrap().is_empty());
    // Pruning happens after the first response and before the second.
    assert!(store.list(&alice()).await.unwrap().is_empty());
    drop(store);
    let rows: i64 = Connection::open(&path)
        .unwrap()
        .query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
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
    assert_eq!(rejection(folder.path()), "the file cannot be opened or created");
    let missing = folder.path().join("no/such/folder/sessions.db");
    assert_eq!(rejection(&missing), "the file cannot be opened or created");
    for address in ["file:", "file://", "file://host/path"] {
        let outcome = StoreAddress::new(address).open(None);
        assert!(matches!(outcome, Err(Error::ConfigInvalid { .. })), "{address}");
    }
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
    Revocation {
        target: RevocationTarget::Session { session: SessionId::from_bytes([number; 16]) },
        expires_at,
    }
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
