//! The file storage, and faulty storages.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regrant::client::{
    FileStorage, MemoryStorage, SessionError, SessionSettings, SignOutReason, StorageError,
    StorageLock, TokenStorage, TransientError,
};
use regrant::error::Cause;
use zeroize::Zeroizing;

use crate::client_session::server::{LIFETIME, Server};
use crate::client_session::{PATIENCE, builder, signed_in, until};

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

/// What a faulty storage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Fails,
    Panics,
    Hangs,
    Lost,
}

/// An operation of a storage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operation {
    Read,
    Write,
    Clear,
    Lock,
}

/// A storage with a fault in one operation. After [`StorageError::Lost`], clearing repairs it.
#[derive(Debug, Default)]
struct Faulty {
    fault: Mutex<Option<(Operation, Fault)>>,
    memory: MemoryStorage,
}

impl Faulty {
    async fn begin(&self, operation: Operation) -> Result<(), Cause> {
        let fault = *self.fault.lock().unwrap();
        match fault.filter(|(faulty, _)| *faulty == operation) {
            None => Ok(()),
            Some((_, Fault::Fails)) => Err("full".into()),
            Some((_, Fault::Panics)) => panic!("a bug in the app"),
            Some((_, Fault::Hangs)) => std::future::pending().await,
            Some((_, Fault::Lost)) => Err(StorageError::Lost.into()),
        }
    }
}

#[async_trait]
impl TokenStorage for Faulty {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        self.begin(Operation::Read).await?;
        self.memory.read().await
    }

    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        self.begin(Operation::Write).await?;
        self.memory.write(value).await
    }

    async fn clear(&self) -> Result<(), Cause> {
        self.begin(Operation::Clear).await?;
        self.fault.lock().unwrap().take_if(|(_, fault)| *fault == Fault::Lost);
        self.memory.clear().await
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        self.begin(Operation::Lock).await?;
        Ok(StorageLock::new(()))
    }
}

#[tokio::test]
async fn a_fault_in_any_operation_ends_with_the_fault() {
    let server = Server::start().await;
    for operation in [Operation::Read, Operation::Write, Operation::Clear, Operation::Lock] {
        for fault in [Fault::Fails, Fault::Panics, Fault::Hangs] {
            let (storage, folder) = (Arc::new(Faulty::default()), tempfile::tempdir().unwrap());
            let mut settings = SessionSettings::default();
            settings.initial_backoff = Duration::from_millis(1);
            // With a fault in the clear only, the refresh succeeds, however slow the machine is.
            settings.wait_timeout = match operation {
                Operation::Clear => PATIENCE,
                _ => Duration::from_millis(300),
            };
            settings.persist_timeout = Duration::from_millis(100);
            settings.renew_cooldown = Duration::ZERO;
            let session = builder(&server, folder.path(), &server.clock)
                .storage(Arc::clone(&storage) as Arc<dyn TokenStorage>)
                .settings(settings)
                .storage_timeout(Duration::from_millis(20))
                .lock_timeout(Duration::from_millis(20))
                .start()
                .unwrap();
            let pair = server.login().await;
            until("the session works", async || session.sign_in(pair.clone()).await.is_ok()).await;
            *storage.fault.lock().unwrap() = Some((operation, fault));
            // A refresh reads and writes under the lock, and a sign-out clears as well.
            server.clock.advance(LIFETIME);
            let refreshed = session.access_token().await;
            assert_eq!(refreshed.is_ok(), operation == Operation::Clear, "{operation:?} {fault:?}");
            if let Err(error) = refreshed {
                assert!(matches!(error, SessionError::Retry { .. }), "{operation:?} {error}");
            }
            let _ = session.sign_out().await;
            *storage.fault.lock().unwrap() = None;
            let pair = server.login().await;
            until("the session works again", async || session.sign_in(pair.clone()).await.is_ok())
                .await;
            session.access_token().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_lost_storage_signs_out_and_the_next_login_works() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let storage = Arc::new(Faulty::default());
    let session = || {
        let builder = builder(&server, folder.path(), &server.clock);
        builder.storage(Arc::clone(&storage) as Arc<dyn TokenStorage>).start().unwrap()
    };
    session().sign_in(server.login().await).await.unwrap();
    *storage.fault.lock().unwrap() = Some((Operation::Read, Fault::Lost));
    let session = session();
    let error = session.access_token().await.unwrap_err();
    assert_eq!(error, SessionError::SignIn(SignOutReason::StorageLost));
    *storage.fault.lock().unwrap() = Some((Operation::Write, Fault::Lost));
    session.sign_in(server.login().await).await.unwrap();
    session.access_token().await.unwrap();
}

#[tokio::test]
async fn a_missing_folder_is_named() {
    let (server, folder) = (Server::start().await, tempfile::tempdir().unwrap());
    let nowhere = folder.path().join("no/such/folder");
    let session = builder(&server, &nowhere, &server.clock).start().unwrap();
    let error = session.sign_in(server.login().await).await.unwrap_err();
    let SessionError::Retry { cause, .. } = error else { panic!("{error}") };
    assert_eq!(cause, TransientError::StorageFolderMissing);
    assert_eq!(cause.to_string(), "the folder of the token storage does not exist");
}
