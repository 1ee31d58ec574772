//! The process dies in the middle of a refresh: a storage and a transport that end it.

use std::path::PathBuf;

use async_trait::async_trait;
use regrant::client::{FileStorage, ReqwestTransport, StorageLock, TokenStorage};
use regrant::http::{HttpRequest, HttpResponse, Transport};
use rustix::process::{Signal, getpid, kill_process};
use zeroize::Zeroizing;

/// What may go wrong with either.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// When the process dies: always after the server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The answer has come, and nobody has read it.
    Answered,
    /// It is about to be stored.
    Storing,
    /// Half of it is in a file beside the one that counts.
    HalfStored,
    /// It is stored, and nobody knows yet.
    Stored,
}

impl Moment {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Storing, Self::HalfStored, Self::Stored];

    /// By its name as `Debug` writes it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|moment| format!("{moment:?}") == name)
    }

    fn strikes(self, at: Self) {
        if self == at {
            kill_process(getpid(), Signal::KILL).expect("a process may kill itself");
        }
    }
}

/// A file whose user dies when a pair is written.
#[derive(Debug)]
pub struct FatalStorage {
    /// The file.
    pub path: PathBuf,
    /// When its user dies.
    pub moment: Moment,
}

impl FatalStorage {
    fn file(&self) -> FileStorage {
        FileStorage::new(&self.path)
    }
}

#[async_trait]
impl TokenStorage for FatalStorage {
    async fn read(&self) -> Result<Option<Zeroizing<Vec<u8>>>, Cause> {
        self.file().read().await
    }

    async fn write(&self, value: Zeroizing<Vec<u8>>) -> Result<(), Cause> {
        self.moment.strikes(Moment::Storing);
        if self.moment == Moment::HalfStored {
            let mut next = self.path.clone().into_os_string();
            next.push(".next");
            std::fs::write(next, value.get(..value.len() / 2).unwrap_or_default())?;
            self.moment.strikes(Moment::HalfStored);
        }
        self.file().write(value).await?;
        self.moment.strikes(Moment::Stored);
        Ok(())
    }

    async fn clear(&self) -> Result<(), Cause> {
        self.file().clear().await
    }

    async fn lock(&self) -> Result<StorageLock, Cause> {
        self.file().lock().await
    }
}

/// A way to the server whose user dies when an answer has come.
#[derive(Debug)]
pub struct FatalTransport {
    /// The real one.
    pub inner: ReqwestTransport,
    /// When its user dies.
    pub moment: Moment,
}

#[async_trait]
impl Transport for FatalTransport {
    async fn send(&self, request: HttpRequest) -> Result<HttpResponse, Cause> {
        let response = self.inner.send(request).await?;
        self.moment.strikes(Moment::Answered);
        Ok(response)
    }
}
