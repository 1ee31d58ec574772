//! The file storage, and faulty storages.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use regrant::client::{FileStorage, SessionError, SignOutReason, TokenStorage, TransientError};
use regrant::error::Cause;
use zeroize::Zeroizing;

use crate::client_session::server::Server;
use crate::client_session::{builder, signed_in};

#[tokio::test]
async fn the_file_is_private_and_replaced_atomically() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::new(folder.path().join("session"));
    assert_eq!(storage.read().await.unwrap(), None);
    storage.clear().await.unwrap();
    for value in ["one", "another"] {
        storage.write(Zeroizing::new(value.as_bytes().to_vec())).await.unwrap();
        assert_eq!(storage.read().await.unwrap().unwrap().as_slice(), value.as_bytes());
    }
    let names = || {
        let entries = std::fs::read_dir(folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["session"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(folder.path().join("session")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    storage.clear().await.unwrap();
    assert_eq!(storage.read().await.unwrap(), None);
    let nowhere = FileStorage::new(folder.path().join("no/such/folder"));
    assert!(nowhere.write(Zeroizing::default()).await.is_err());
}

#[tokio::test]
async fn a_partial_write_has_no_effect() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("session"), folder.path().join("session.next"));
    let storage = FileStorage::new(&path);
    storage.write(Zeroizing::new(b"whole".to_vec())).await.unwrap();
    // Left by a killed process, and readable by others.
    std::fs::write(&next, "part of a longer value").unwrap();
    assert_eq!(storage.read().await.unwrap().unwrap().as_slice(), b"whole");
    storage.write(Zeroizing::new(b"new".to_vec())).await.unwrap();
    assert_eq!(storage.read().await.unwrap().unwrap().as_slice(), b"new");
    assert!(!next.exists());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn the_lock_is_exclusive() {
    let folder = tempfile::tempdir().unwrap();
    let storage = FileStorage::new(folder.path().join("session"));
    let held = storage.lock().await.unwrap();
    let mut second = tokio::spawn({
        let storage = storage.clone();
        async move { storage.lock().await }
    });
    let waits = tokio::time::timeout(Duration::from_millis(50), &mut second).await;
    assert!(waits.is_err(), "the lock is held");
    drop(held);
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_corrupt_file_signs_out_as_unreadable() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    std::fs::write(folder.path().join("session"), "rubbish").unwrap();
    let session = builder(&server, folder.path(), &server.clock).start().unwrap();
    let error = session.access_token().await.unwrap_err();
    assert_eq!(error, SessionError::SignIn(SignOutReason::Unreadable));
    drop(signed_in(&server, folder.path()).await);
    session.access_token().await.unwrap();
}

/// A storage with a bug.
#[derive(Debug)]
struct Broken;

#[async_trait]
impl TokenStorage for Broken {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        panic!("a bug in the app")
    }

    async fn write(&self, _: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        Err("full".into())
    }

    async fn clear(&self) -> Result<(), Cause> {
        Err("full".into())
    }
}

#[tokio::test]
async fn a_panicking_storage_fails_its_callers() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let session = builder(&server, folder.path(), &server.clock).storage(Arc::new(Broken));
    let session = session.start().unwrap();
    let error = session.access_token().await.unwrap_err();
    assert!(matches!(error, SessionError::Retry { cause: TransientError::Storage, .. }), "{error}");
}
