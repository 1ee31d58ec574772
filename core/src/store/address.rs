//! Stores by address, as configuration names them.

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::{MemoryStore, RedisOptions, SessionStore};
use crate::error::{Error, Result};
use crate::types::{Clock, SystemClock};

/// The address of a store: `memory:`, `file:PATH` or `redis://USER:PASSWORD@HOST:PORT/DB`; also
/// `redis+sentinel://…` and `redis+cluster://…`, and each of the three with `rediss` for TLS.
#[derive(Clone)]
pub struct StoreAddress {
    url: String,
    /// See [`StoreAddress::timeout`].
    timeout: Option<Duration>,
    /// See [`StoreAddress::redis`].
    redis: Box<RedisOptions>,
}

impl StoreAddress {
    /// The store at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), timeout: None, redis: Box::default() }
    }

    /// What every Redis key begins with, in place of `regrant:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.redis.prefix = prefix.into();
        self
    }

    /// How Redis is reached and used, where this is its address. Its `clock` and, once
    /// [`StoreAddress::timeout`] was called, its `timeout` are not looked at.
    #[must_use]
    pub fn redis(mut self, options: RedisOptions) -> Self {
        self.redis = Box::new(options);
        self
    }

    /// How long one operation may take, in place of 2 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The file of a `file:` address; `None` for other addresses and where the path is missing.
    pub fn file_path(&self) -> Option<&Path> {
        let path = self.url.strip_prefix("file:")?;
        // `file:///var/lib/app/sessions` is the same as `file:/var/lib/app/sessions`.
        let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        Some(path).filter(|path| !path.is_empty() && !path.starts_with("//")).map(Path::new)
    }

    /// Opens the store; a server is not asked before the first operation, a file is.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store`.
    pub fn open(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        match self.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("memory") => {
                let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
                Ok(Arc::new(MemoryStore::with_clock(clock)))
            }
            Some("file") => self.open_file(clock),
            Some(scheme) if is_redis(scheme) => self.open_redis(clock),
            _ => Err(Error::config("store", "expected memory:, file:PATH or redis://…")),
        }
    }

    #[cfg(feature = "file")]
    fn open_file(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        let path = self
            .file_path()
            .ok_or_else(|| Error::config("store", "expected a path, as in file:sessions.db"))?;
        Ok(Arc::new(super::file::FileStore::open(path, self.file_options(clock))?))
    }

    #[cfg(feature = "file")]
    fn file_options(&self, clock: Option<Arc<dyn Clock>>) -> super::file::FileOptions {
        let mut options = super::file::FileOptions::default();
        if let Some(clock) = clock {
            options.clock = clock;
        }
        if let Some(timeout) = self.timeout {
            options.timeout = timeout;
        }
        options
    }

    /// Looks into the file of a `file:` address without writing to it; `None` for other addresses.
    ///
    /// # Errors
    /// As [`FileReport::of`](super::file::FileReport::of).
    #[cfg(feature = "file")]
    pub fn inspect_file(&self) -> Option<Result<super::file::FileReport>> {
        self.file_path().map(|path| super::file::FileReport::of(path, &self.file_options(None)))
    }

    #[cfg(not(feature = "file"))]
    fn open_file(&self, _: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        Err(Error::config("store", "this build of regrant has no file store"))
    }

    #[cfg(feature = "redis")]
    fn open_redis(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        let mut options = RedisOptions { clock, ..(*self.redis).clone() };
        if let Some(timeout) = self.timeout {
            options.timeout = timeout;
        }
        Ok(Arc::new(super::redis::RedisStore::new(&self.url, options)?))
    }

    #[cfg(not(feature = "redis"))]
    fn open_redis(&self, _: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        Err(Error::config("store", "this build of regrant has no Redis store"))
    }
}

/// Whether an address with this scheme is one of Redis, in whatever layout.
pub(crate) fn is_redis(scheme: &str) -> bool {
    let scheme = scheme.split_once('+').map_or(scheme, |(scheme, _)| scheme);
    matches!(scheme, "redis" | "rediss")
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest of the address may hold a password.
        let scheme = self.url.split_once(':').map_or("", |(scheme, _)| scheme);
        f.debug_struct("StoreAddress").field("scheme", &scheme).finish_non_exhaustive()
    }
}
