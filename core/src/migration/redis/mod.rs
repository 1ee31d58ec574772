//! The old app's Redis: the raw token as the key, the user as the value.
//!
//! Every operation of two keys is one script, so that no process ever sees one without the other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};

use super::{ImportOutcome, KeyPage, LegacyStore, Lookup, MigrationMarker, Place, RevokedBefore};
use crate::error::{Error, Result};
use crate::store::RedisOptions;
use crate::store::redis::{Address, Client, Layout};
use crate::types::{SessionId, Subject};

/// Keys that one step of `SCAN` looks at.
const PAGE: usize = 500;

/// The field of the configuration that the address comes from.
const FIELD: &str = "migrate.store";

// Sent as a whole each time: they run once per token.
const TAKE_OVER: &str = include_str!("take_over.lua");
const END_ALL_OF: &str = include_str!("end_all_of.lua");
const REMOVE: &str = include_str!("remove.lua");

/// The old app's Redis. Connects on first use and again whenever the connection is lost.
pub struct LegacyRedis {
    client: Client,
    prefix: String,
}

impl LegacyRedis {
    /// The Redis at `url`, as [`RedisStore::new`](crate::store::redis::RedisStore::new) reads it.
    /// Notes have keys that begin with the prefix. Makes no connection.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `migrate.store`, also where it is a cluster: a token and the
    /// note about it are two keys, which are changed at once.
    pub fn new(url: &str, options: &RedisOptions) -> Result<Self> {
        let address = Address::parse(url, FIELD)?;
        if address.layout == Layout::Cluster {
            return Err(Error::config(
                FIELD,
                "a cluster cannot hold the old app's tokens: they are changed together with \
                 the notes about them, which have other keys",
            ));
        }
        let client = Client::new(&address, options)?;
        Ok(Self { client, prefix: options.prefix.clone() })
    }

    fn mark_key(&self, session: &SessionId) -> String {
        format!("{}adopted:{session}", self.prefix)
    }

    /// A hash: user → which of the old tokens are ended.
    fn ended_key(&self) -> String {
        format!("{}adopted-ended", self.prefix)
    }

    /// Asks; every question can be repeated.
    async fn ask<T: FromRedisValue>(&self, question: Cmd) -> Result<T> {
        self.client.command(&question).await
    }
}

impl fmt::Debug for LegacyRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OldRedis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl LegacyStore for LegacyRedis {
    async fn look(&self, key: &str, session: &SessionId) -> Result<Lookup> {
        let mut look = cmd("MGET");
        look.arg(key).arg(self.mark_key(session));
        let (value, mark): (Option<String>, Option<String>) = self.ask(look).await?;
        Ok(Lookup { value, mark: parsed(mark)? })
    }

    async fn take_over(
        &self,
        key: &str,
        session: &SessionId,
        mark: &MigrationMarker,
        ttl: Duration,
    ) -> Result<ImportOutcome> {
        let mut script = cmd("EVAL");
        script.arg(TAKE_OVER).arg(3).arg(key).arg(self.mark_key(session)).arg(self.ended_key());
        script.arg(mark.to_string()).arg(ttl.as_millis().to_string());
        script.arg(u8::from(mark.place == Place::Swept)).arg(mark.subject.as_str());
        let (mark, ended): (Option<String>, Option<String>) = self.ask(script).await?;
        Ok(ImportOutcome { mark: parsed(mark)?, ended: parsed(ended)? })
    }

    async fn remove(
        &self,
        key: &str,
        session: &SessionId,
    ) -> Result<(bool, Option<MigrationMarker>)> {
        let mut script = cmd("EVAL");
        script.arg(REMOVE).arg(2).arg(key).arg(self.mark_key(session));
        let (removed, mark): (bool, Option<String>) = self.ask(script).await?;
        Ok((removed, parsed(mark)?))
    }

    async fn end_all_of(&self, subject: &Subject, ended: &RevokedBefore) -> Result<()> {
        let mut script = cmd("EVAL");
        script.arg(END_ALL_OF).arg(1).arg(self.ended_key()).arg(subject.as_str());
        script.arg(ended.until.as_millis()).arg(ended.to_string());
        self.ask(script).await
    }

    async fn keys(&self, cursor: u64) -> Result<KeyPage> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(PAGE);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.ask(scan).await?;
        let is_ours = |key: &String| !self.prefix.is_empty() && key.starts_with(&self.prefix);
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        Ok(KeyPage { keys: keys.filter(|key| !is_ours(key)).collect(), next })
    }
}

fn parsed<T: FromStr<Err = Error>>(note: Option<String>) -> Result<Option<T>> {
    note.map(|text| text.parse()).transpose()
}
