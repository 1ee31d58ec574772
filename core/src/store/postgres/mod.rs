//! Sessions in PostgreSQL.
//!
//! One row per user holds all sessions of the user, packed, with a version. An operation reads the
//! row, decides in this process, and writes the row if nobody else has: two statements, each of them one
//! round trip and a transaction of its own. Where this process wrote the row last, the first statement is
//! the write. No statement is prepared under a name and no session state is used, so a pooler such as
//! PgBouncer may give each statement another connection.

mod connection;
mod feed;
mod listener;
mod prune;
mod schema;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio_postgres::types::Type;

use self::connection::{Connections, Parameter};
use self::listener::Listener;
use super::operations::{Durability, LocalStore, UserSessions};
use super::optimistic::{Loaded, Optimistic, Saved, UserValues, Write};
use super::{FailureCounter, FailureKey, Failures, UserCursor, UserPage};
use crate::error::{Error, Result};
use crate::revocation::RevocationFeed;
use crate::types::{Clock, Subject, Timestamp};

/// The options of a PostgreSQL store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct PostgresOptions {
    /// How long one operation may take, with connecting and all repetitions. Default 2 seconds.
    pub timeout: Duration,
    /// The maximum number of connections of this process. Default 10.
    pub max_connections: usize,
    /// The clock of the tests; `None` for that of the server.
    pub clock: Option<Arc<dyn Clock>>,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self { timeout: Duration::from_secs(2), max_connections: 10, clock: None }
    }
}

/// Sessions in a PostgreSQL database.
pub struct PostgresStore {
    rows: Rows,
    optimistic: Optimistic,
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").finish_non_exhaustive()
    }
}

impl PostgresStore {
    /// The tables that the store uses, as SQL. The store creates them when it is first used, unless
    /// they exist: run this beforehand where its role may not create tables.
    pub const SCHEMA: &'static str = schema::SCHEMA;

    /// A store in the database at `url`: `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with the
    /// parameters of libpq that tokio-postgres knows, and `sslmode`: `disable` (the default) or
    /// `verify-full`, which checks the certificate and its name, by the authorities in the file
    /// `sslrootcert` or by those of the system. Contacts no server.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store`.
    pub fn new(url: &str, options: PostgresOptions) -> Result<Self> {
        let optimistic = Optimistic::new(options.timeout);
        let connections = Arc::new(Connections::new(url, &options)?);
        let rows = Rows {
            connections,
            listener: Listener::default(),
            clock: options.clock,
            server_clock: ServerClock::default(),
        };
        Ok(Self { rows, optimistic })
    }
}

impl LocalStore for PostgresStore {
    const KIND: &'static str = "postgres";

    async fn write<T: Send + 'static>(
        &self,
        subject: &Subject,
        _: fn(&T) -> Durability,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.optimistic.run(&self.rows, subject, operation).await
    }

    async fn read<T: Send + 'static>(
        &self,
        subject: &Subject,
        operation: impl Fn(&mut dyn UserSessions, Timestamp) -> Result<T> + Send + Sync + 'static,
    ) -> Result<T> {
        self.optimistic.run(&self.rows, subject, operation).await
    }

    async fn list_users(&self, cursor: &UserCursor) -> Result<UserPage> {
        let (after, limit) = (cursor.0.as_str(), UserPage::LENGTH as i64);
        let parameters: [Parameter<'_>; 2] = [(&after, Type::TEXT), (&limit, Type::INT8)];
        let rows = self.rows.connections.query(USERS, &parameters).await?;
        let names = rows.iter().map(|row| row.try_get(0).map_err(Error::store));
        UserPage::sorted(names.collect::<Result<Vec<String>>>()?)
    }

    fn revocation_feed(&self) -> Option<&dyn RevocationFeed> {
        Some(&self.rows)
    }

    fn failure_counter(&self) -> Option<&dyn FailureCounter> {
        Some(&self.rows)
    }
}

/// The rows of the database.
struct Rows {
    connections: Arc<Connections>,
    listener: Listener,
    clock: Option<Arc<dyn Clock>>,
    server_clock: ServerClock,
}

impl fmt::Debug for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rows").finish_non_exhaustive()
    }
}

impl Rows {
    /// The time of the tests as a parameter; null for that of the server.
    fn injected_now(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().as_millis())
    }
}

/// A standby answers too, with what it has received so far: whether it is one is read with the row.
const LOAD: &str = "
    SELECT pg_is_in_recovery(), coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8),
        sessions, version
    FROM regrant_users WHERE subject = $1";

/// Returns a row also for a user who has none. Takes the server longer to plan than [`LOAD`].
const LOAD_OR_NONE: &str = "
    SELECT pg_is_in_recovery(), coalesce($2, (extract(epoch FROM clock_timestamp()) * 1000)::int8),
        sessions, version
    FROM (VALUES (1)) AS one LEFT JOIN regrant_users ON subject = $1";

const USERS: &str = "
    SELECT subject FROM regrant_users WHERE subject > $1 COLLATE \"C\" ORDER BY subject LIMIT $2";

const INSERT: &str = "
    INSERT INTO regrant_users (subject, sessions, version, expires_at)
    VALUES ($1, $2, $4, $3) ON CONFLICT DO NOTHING
    RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::int8";

/// Not for a time that was estimated wrongly: `$6`, or null.
const UPDATE: &str = "
    UPDATE regrant_users SET sessions = $2, version = $4, expires_at = $3
    WHERE subject = $1 AND version = $5
        AND ($6 IS NULL OR abs((extract(epoch FROM clock_timestamp()) * 1000)::int8 - $6) <= 500)
    RETURNING (extract(epoch FROM clock_timestamp()) * 1000)::int8";

impl UserValues for Rows {
    async fn open(&self) -> Result<()> {
        self.connections.open().await
    }

    async fn load(&self, subject: &Subject) -> Result<Loaded> {
        let (subject, now) = (subject.as_str(), self.injected_now());
        let parameters: [Parameter<'_>; 2] = [(&subject, Type::TEXT), (&now, Type::INT8)];
        let row = match self.connections.query(LOAD, &parameters).await?.pop() {
            Some(row) => row,
            None => self.connections.query_one(LOAD_OR_NONE, &parameters).await?,
        };
        if row.try_get::<_, bool>(0).map_err(Error::store)? {
            self.connections.drop_all();
            return Err(Error::store("the server is a standby, not the primary"));
        }
        let now = Timestamp::from_millis(row.try_get(1).map_err(Error::store)?);
        self.server_clock.set(now);
        let sessions: Option<Vec<u8>> = row.try_get(2).map_err(Error::store)?;
        let version: Option<i64> = row.try_get(3).map_err(Error::store)?;
        Ok(Loaded { current: sessions.zip(version.map(|version| version.to_string())), now })
    }

    fn estimated_now(&self) -> Option<Timestamp> {
        match &self.clock {
            Some(clock) => Some(clock.now()),
            None => self.server_clock.estimate(),
        }
    }

    async fn save(&self, subject: &Subject, write: &Write) -> Result<Saved> {
        let (subject, value) = (subject.as_str(), &write.value);
        let expires_at = write.expires_at.as_millis();
        let replaced: Option<i64> =
            write.replaces.as_ref().and_then(|version| version.parse().ok());
        let version = random_version()?;
        // The clock of a test is not the server's.
        let estimated = write.estimated_now.filter(|_| self.clock.is_none());
        let estimated = estimated.map(Timestamp::as_millis);
        let parameters: [Parameter<'_>; 6] = [
            (&subject, Type::TEXT),
            (value, Type::BYTEA),
            (&expires_at, Type::INT8),
            (&version, Type::INT8),
            (&replaced, Type::INT8),
            (&estimated, Type::INT8),
        ];
        let written = match replaced {
            Some(_) => self.connections.query(UPDATE, &parameters).await?,
            None => self.connections.query(INSERT, &parameters[..4]).await?,
        };
        if let Some(row) = written.first() {
            self.server_clock.set(Timestamp::from_millis(row.try_get(0).map_err(Error::store)?));
        }
        self.prune();
        Ok(match written.is_empty() {
            true => Saved::Conflict,
            false => Saved::Written(Some(version.to_string())),
        })
    }
}

/// A version that no row has had: a counter would count the same way again after a failover that lost
/// writes.
fn random_version() -> Result<i64> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| Error::internal("no random numbers"))?;
    Ok(i64::from_ne_bytes(bytes) >> 1)
}

/// The server's clock as it was last seen. Behind it by the time that a response takes.
#[derive(Default)]
struct ServerClock(Mutex<Option<(Timestamp, Instant)>>);

impl ServerClock {
    fn set(&self, now: Timestamp) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((now, Instant::now()));
    }

    fn estimate(&self) -> Option<Timestamp> {
        let seen = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.map(|(now, at)| now.plus(at.elapsed()))
    }
}

const COUNT: &str = "
    WITH at AS (SELECT coalesce($3, (extract(epoch FROM clock_timestamp()) * 1000)::int8) AS now)
    INSERT INTO regrant_failures AS old (key, count, ends_at) SELECT $1, 1, now + $2 FROM at
    ON CONFLICT (key) DO UPDATE SET
        count = CASE WHEN old.ends_at > (SELECT now FROM at) THEN old.count + 1 ELSE 1 END,
        ends_at = CASE WHEN old.ends_at > (SELECT now FROM at)
            THEN least(old.ends_at, excluded.ends_at) ELSE excluded.ends_at END
    RETURNING count, ends_at - (SELECT now FROM at)";

#[async_trait]
impl FailureCounter for Rows {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let (key, now) = (&key.as_bytes()[..], self.injected_now());
        let window = i64::try_from(window.as_millis()).unwrap_or(i64::MAX);
        let parameters: [Parameter<'_>; 3] =
            [(&key, Type::BYTEA), (&window, Type::INT8), (&now, Type::INT8)];
        let row = self.connections.query_one(COUNT, &parameters).await?;
        let count: i32 = row.try_get(0).map_err(Error::store)?;
        let left: i64 = row.try_get(1).map_err(Error::store)?;
        Ok(Failures {
            count: u32::try_from(count).unwrap_or(u32::MAX),
            left: Duration::from_millis(u64::try_from(left).unwrap_or_default()),
        })
    }
}
