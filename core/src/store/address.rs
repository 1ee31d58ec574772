//! Opening a store by its address, as configuration gives it.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::{MemoryStore, MovingStore, RedisOptions, SessionStore};
use crate::error::{Error, Result};
use crate::types::{Clock, SystemClock, Timestamp};

/// The address of a store: `memory:`, `file:PATH`, `redis://USER:PASSWORD@HOST:PORT/DB`,
/// `redis+sentinel://…` or `redis+cluster://…`, these three also with `rediss`, for TLS; or
/// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
#[derive(Clone)]
pub struct StoreAddress {
    url: String,
    /// See [`StoreAddress::timeout`].
    timeout: Option<Duration>,
    /// See [`StoreAddress::redis`].
    redis: Box<RedisOptions>,
    /// See [`StoreAddress::moved_from`].
    former: Option<Box<StoreAddress>>,
    /// See [`StoreAddress::briefly`].
    is_brief: bool,
}

impl StoreAddress {
    /// The address `url`, with default options.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            timeout: None,
            redis: Box::default(),
            former: None,
            is_brief: false,
        }
    }

    /// Sets the prefix of all Redis keys. Default `regrant:`.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.redis.prefix = prefix.into();
        self
    }

    /// Sets the options of a Redis store. Their `clock` is ignored and, after
    /// [`StoreAddress::timeout`], so is their `timeout`.
    #[must_use]
    pub fn redis(mut self, options: RedisOptions) -> Self {
        self.redis = Box::new(options);
        self
    }

    /// Sets how long one operation may take. Default 2 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Sets the store that the app used before, from which sessions move to this one
    /// ([`MovingStore`](super::MovingStore)).
    #[must_use]
    pub fn moved_from(mut self, former: Self) -> Self {
        self.former = Some(Box::new(former));
        self
    }

    /// For a process that looks at sessions and ends, as a command line does. With [`moved_from`](Self::moved_from): a
    /// session that the former store lacks may have begun after the move, of which such a process knows nothing.
    #[must_use]
    pub const fn briefly(mut self) -> Self {
        self.is_brief = true;
        self
    }

    /// The file of a `file:` address; `None` for other addresses and if the path is missing.
    pub fn file_path(&self) -> Option<&Path> {
        let path = self.url.strip_prefix("file:")?;
        // `file:///var/lib/app/sessions` is the same as `file:/var/lib/app/sessions`.
        let path = path.strip_prefix("//").filter(|rest| rest.starts_with('/')).unwrap_or(path);
        Some(path).filter(|path| !path.is_empty() && !path.starts_with("//")).map(Path::new)
    }

    /// Whether this is known to be the address of the same store: the same file, or the same text. Two
    /// addresses of one server may differ.
    pub fn is_same_store(&self, other: &Self) -> bool {
        match (self.file_path(), other.file_path()) {
            (Some(ours), Some(theirs)) => absolute(ours) == absolute(theirs),
            _ => self.url == other.url && self.redis.prefix == other.redis.prefix,
        }
    }

    /// Opens the store. A file is opened and checked at once; a server is contacted by the first
    /// operation.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store`.
    pub fn open(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        if self.former.as_ref().is_some_and(|former| self.is_same_store(former)) {
            return Err(Error::config("previousStore", "is the same as `store`"));
        }
        // First: opening the file of the new store creates it.
        let former = self.open_former(clock.clone())?;
        Ok(self.moving(self.open_one(clock.clone())?, former, clock))
    }

    /// `store`, in place of the one at this address, to which sessions move from
    /// [`moved_from`](Self::moved_from).
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `previousStore`.
    pub fn moved_to(
        &self,
        store: Arc<dyn SessionStore>,
        clock: Option<Arc<dyn Clock>>,
    ) -> Result<Arc<dyn SessionStore>> {
        Ok(self.moving(store, self.open_former(clock.clone())?, clock))
    }

    fn moving(
        &self,
        store: Arc<dyn SessionStore>,
        former: Option<Arc<dyn SessionStore>>,
        clock: Option<Arc<dyn Clock>>,
    ) -> Arc<dyn SessionStore> {
        let Some(former) = former else { return store };
        let now = || clock.map_or_else(|| SystemClock.now(), |clock| clock.now());
        let opened_at = if self.is_brief { Timestamp::EPOCH } else { now() };
        Arc::new(MovingStore::new(store, former, opened_at))
    }

    fn open_former(&self, clock: Option<Arc<dyn Clock>>) -> Result<Option<Arc<dyn SessionStore>>> {
        let Some(former) = &self.former else { return Ok(None) };
        // A wrong path would look like a store without sessions.
        if former.file_path().is_some_and(|path| !path.exists()) {
            return Err(Error::config("previousStore", "the file does not exist"));
        }
        if former.url.starts_with("memory:") {
            return Err(Error::config(
                "previousStore",
                "sessions in memory end with their process",
            ));
        }
        let opened = former.open_one(clock).map_err(|error| match error {
            Error::ConfigInvalid { field, problem } if field == "store" => {
                Error::config("previousStore", problem)
            }
            other => other,
        });
        opened.map(Some)
    }

    fn open_one(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        // Such an address comes from a file or a variable that was read to its end.
        if self.url.trim() != self.url {
            return Err(Error::config(
                "store",
                "has a space or a line break at its beginning or end: remove it",
            ));
        }
        match self.url.split_once(':').map(|(scheme, _)| scheme) {
            Some("memory") => {
                let clock = clock.unwrap_or_else(|| Arc::new(SystemClock));
                Ok(Arc::new(MemoryStore::with_clock(clock)))
            }
            Some("file") => self.open_file(clock),
            Some(scheme) if is_redis(scheme) => self.open_redis(clock),
            Some("postgres" | "postgresql") => self.open_postgres(clock),
            Some("custom") => {
                Err(Error::config("store", "a custom store cannot be opened by an address"))
            }
            _ => Err(Error::config(
                "store",
                "expected memory:, file:PATH, redis://… or postgres://…",
            )),
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

    /// Inspects the file of a `file:` address without writing to it; `None` for other addresses.
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

    #[cfg(feature = "postgres")]
    fn open_postgres(&self, clock: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        let mut options = super::postgres::PostgresOptions { clock, ..Default::default() };
        if let Some(timeout) = self.timeout {
            options.timeout = timeout;
        }
        Ok(Arc::new(super::postgres::PostgresStore::new(&self.url, options)?))
    }

    #[cfg(not(feature = "postgres"))]
    fn open_postgres(&self, _: Option<Arc<dyn Clock>>) -> Result<Arc<dyn SessionStore>> {
        Err(Error::config("store", "this build of regrant has no PostgreSQL store"))
    }
}

/// The path without links, as far as it exists.
fn absolute(path: &Path) -> PathBuf {
    let resolved = path.canonicalize().or_else(|_| std::path::absolute(path));
    resolved.unwrap_or_else(|_| path.to_owned())
}

/// Whether this is a scheme of Redis: standalone, Sentinel or cluster.
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
