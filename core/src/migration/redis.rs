//! The legacy app's Redis: the raw token is the key, the user is the value.
//!
//! Every operation on two keys is one script, so that no process sees the one changed without the
//! other.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use async_trait::async_trait;
use redis::{Cmd, FromRedisValue, cmd};

use super::{
    ImportOutcome, KeyPage, LegacyKeyState, LegacyStore, Lookup, MigrationMarker, RevokedBefore,
};
use crate::error::{Error, Result};
use crate::store::RedisOptions;
use crate::store::redis::{Address, Client, Layout};
use crate::types::{SessionId, Subject};

/// The `COUNT` of a `SCAN` call.
const PAGE: usize = 500;

/// The field of the configuration that the address comes from.
const FIELD: &str = "migrate.store";

// Sent with `EVAL` each time: they run about once per token.
const LOOK_UP: &str = include_str!("redis/look_up.lua");
const IMPORT: &str = include_str!("redis/import.lua");
const REVOKE_BEFORE: &str = include_str!("redis/revoke_before.lua");
const REMOVE: &str = include_str!("redis/remove.lua");

/// The legacy app's Redis. Connects on first use and again whenever the connection is lost.
pub struct LegacyRedis {
    client: Client,
    prefix: String,
}

impl LegacyRedis {
    /// The Redis at `url`, as [`RedisStore::new`](crate::store::redis::RedisStore::new) reads it.
    /// The keys of markers begin with the prefix of `options`. Makes no connection.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `migrate.store`, also where it is a cluster: a token and its
    /// marker are two keys, which are changed together.
    pub fn new(url: &str, options: &RedisOptions) -> Result<Self> {
        let address = Address::parse(url, FIELD)?;
        if address.layout == Layout::Cluster {
            return Err(Error::config(
                FIELD,
                "a Redis Cluster is not supported: tokens and their markers are changed \
                 together and have different keys",
            ));
        }
        let client = Client::new(&address, options)?;
        Ok(Self { client, prefix: options.prefix.clone() })
    }

    fn marker_key(&self, session: &SessionId) -> String {
        format!("{}adopted:{session}", self.prefix)
    }

    /// A hash: user → which of the user's tokens are revoked.
    fn revoked_key(&self) -> String {
        format!("{}adopted-ended", self.prefix)
    }

    /// Executes a command. Every command here can be repeated.
    async fn execute<T: FromRedisValue>(&self, command: Cmd) -> Result<T> {
        self.client.command(&command).await
    }
}

impl fmt::Debug for LegacyRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LegacyRedis").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

#[async_trait]
impl LegacyStore for LegacyRedis {
    async fn look_up(&self, key: &str, session: &SessionId) -> Result<Lookup> {
        let mut script = cmd("EVAL");
        script.arg(LOOK_UP).arg(3).arg(key).arg(self.marker_key(session)).arg(self.revoked_key());
        let (value, marker, revoked): (Option<Vec<u8>>, Option<String>, Option<String>) =
            self.execute(script).await?;
        // Bytes that are no text name no user.
        let value = value.and_then(|value| String::from_utf8(value).ok());
        Ok(Lookup { value, marker: parsed(marker)?, revoked: parsed(revoked)? })
    }

    async fn import(
        &self,
        key: &str,
        session: &SessionId,
        marker: &MigrationMarker,
        ttl: Duration,
    ) -> Result<ImportOutcome> {
        let mut script = cmd("EVAL");
        script.arg(IMPORT).arg(3).arg(key).arg(self.marker_key(session)).arg(self.revoked_key());
        script.arg(marker.to_string()).arg(ttl.as_millis().to_string());
        script.arg(u8::from(marker.key == LegacyKeyState::Swept)).arg(marker.subject.as_str());
        let (marker, revoked): (Option<String>, Option<String>) = self.execute(script).await?;
        Ok(ImportOutcome { marker: parsed(marker)?, revoked: parsed(revoked)? })
    }

    async fn remove(
        &self,
        key: &str,
        session: &SessionId,
    ) -> Result<(bool, Option<MigrationMarker>)> {
        let mut script = cmd("EVAL");
        script.arg(REMOVE).arg(2).arg(key).arg(self.marker_key(session));
        let (existed, marker): (bool, Option<String>) = self.execute(script).await?;
        Ok((existed, parsed(marker)?))
    }

    async fn revoke_before(&self, subject: &Subject, revoked: &RevokedBefore) -> Result<()> {
        let mut script = cmd("EVAL");
        script.arg(REVOKE_BEFORE).arg(1).arg(self.revoked_key()).arg(subject.as_str());
        script.arg(revoked.until.as_millis()).arg(revoked.to_string());
        self.execute(script).await
    }

    async fn keys(&self, cursor: u64) -> Result<KeyPage> {
        let mut scan = cmd("SCAN");
        scan.arg(cursor).arg("COUNT").arg(PAGE);
        let (next, keys): (u64, Vec<Vec<u8>>) = self.execute(scan).await?;
        let is_ours = |key: &String| !self.prefix.is_empty() && key.starts_with(&self.prefix);
        let keys = keys.into_iter().filter_map(|key| String::from_utf8(key).ok());
        Ok(KeyPage { keys: keys.filter(|key| !is_ours(key)).collect(), next })
    }
}

fn parsed<T: FromStr<Err = Error>>(text: Option<String>) -> Result<Option<T>> {
    text.map(|text| text.parse()).transpose()
}
