//! A storage and a transport that kill the process during a refresh.

use std::path::PathBuf;

use async_trait::async_trait;
use regrant::client::{FileStorage, ReqwestTransport, StorageLock, TokenStorage};
use regrant::transport::{HttpRequest, HttpResponse, Transport};
use rustix::process::{Signal, getpid, kill_process};
use zeroize::Zeroizing;

/// The error type of both.
type Cause = Box<dyn std::error::Error + Send + Sync>;

/// When the process is killed: always after the server has answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The response has arrived, but is not read.
    Answered,
    /// Before the pair is written.
    Storing,
    /// Half of the pair is written to the temporary file.
    HalfStored,
    /// The pair is stored, but the write has not returned.
    Stored,
}

impl Moment {
    /// All moments.
    pub const ALL: [Self; 4] = [Self::Answered, Self::Storing, Self::HalfStored, Self::Stored];

    /// Parses the name that `Debug` writes.
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

/// A file storage that kills the process when a pair is written.
#[derive(Debug)]
pub struct FatalStorage {
    /// The file.
    pub path: PathBuf,
    /// When the process is killed.
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

/// A transport that kills the process when a response has arrived.
#[derive(Debug)]
pub struct FatalTransport {
    /// The real transport.
    pub inner: ReqwestTransport,
    /// When the process is killed.
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
