//! Sessions in Redis: one hash per user, a field per session and one per device label, one atomic
//! script per operation.
//!
//! Everything of a user is under one key, so it is in one slot of a cluster, and listing or
//! ending all of a user's sessions costs what that user has. Time comes from Redis inside the
//! script. A key expires with its longest session.

pub(crate) mod address;
mod backoff;
pub(crate) mod connection;
mod connector;
mod failures;
mod feed;
mod flight;
mod health;
mod link;
mod replication;
mod round;
mod script;
mod server;
mod their_time;
mod tls;
mod topology;

pub use super::RedisOptions;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use self::address::Address;
use self::connection::Connection;
use self::replication::Kept;
use self::script::{Arguments, Scripts};
use self::topology::Topology;
use super::{
    Created, FailureCounter, Refreshed, Replicated, RevocationOutcome, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoreHealth, StoredSession,
};
use crate::error::{Error, Result};
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, Decision, DiscardedChild, IssuedChild, NewSession, Record, RefreshAttempt,
    RefreshPolicy, Theft, TheftScope, UseOutcome,
};
use crate::types::{Clock, FamilyPosition, RevocationReason, SessionId, Subject, Timestamp};

/// The field of the configuration that the address comes from.
const FIELD: &str = "store";

/// Sessions in Redis. Connects on first use and again whenever the connection is lost.
pub struct RedisStore {
    connection: Connection,
    /// Of its own, because reading the feed holds a connection for seconds.
    feed_connection: Connection,
    /// Of its own, because waiting for replicas holds a connection too.
    awaited: Connection,
    /// How many replicas must have a login or a revocation.
    replicas: u32,
    replica_timeout: Duration,
    scripts: Scripts,
    prefix: String,
    clock: Option<Arc<dyn Clock>>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// A store at `url`. Makes no connection; the files of TLS are read.
    ///
    /// - `redis://USER:PASSWORD@HOST:PORT/DB`: one server;
    /// - `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB`: the hosts of Sentinels
    ///   and the name that they have for the master. User and password are the master's; those of
    ///   the Sentinels are [`RedisOptions::sentinel`];
    /// - `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`: some servers of a cluster.
    ///
    /// With `rediss` in the place of `redis` all of them are reached over TLS. User and password
    /// are percent-encoded where they hold `/`, `:`, `@`, `%`, `?` or `#`; an IPv6 address stands
    /// in brackets. Ports are 6379, of Sentinels 26379, unless given.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when the address cannot be understood, and for
    /// `redis.caFile`, `redis.certFile`, `redis.keyFile` and `redis.sentinel.password`.
    pub fn new(url: &str, options: RedisOptions) -> Result<Self> {
        let address = Address::parse(url, FIELD)?;
        let topology = Arc::new(Topology::new(&address, &options)?);
        let connection = || Connection::over(Arc::clone(&topology), options.timeout);
        Ok(Self {
            connection: connection(),
            feed_connection: connection(),
            awaited: connection(),
            replicas: options.replicas.unwrap_or(u32::from(topology.replicates())),
            replica_timeout: options.replica_timeout,
            scripts: Scripts::new(),
            prefix: options.prefix,
            clock: options.clock,
        })
    }

    /// The key of a user's hash.
    fn key(&self, subject: &Subject) -> Vec<u8> {
        let mut key = self.prefix.clone().into_bytes();
        key.extend(b"u:");
        key.extend(subject.as_str().as_bytes());
        key
    }

    fn arguments(&self) -> Arguments {
        Arguments::new().instant(self.clock.as_ref().map(|clock| clock.now()))
    }
}

const fn scope_name(scope: TheftScope) -> &'static str {
    match scope {
        TheftScope::Session => "session",
        TheftScope::Subject => "subject",
    }
}

fn damaged() -> Error {
    Error::internal("the Redis script gave an answer of an unknown form")
}

fn reason(number: i64) -> Result<RevocationReason> {
    u8::try_from(number).ok().and_then(RevocationReason::from_number).ok_or_else(damaged)
}

fn session_id(bytes: Vec<u8>) -> Result<SessionId> {
    bytes.try_into().map(SessionId::from_bytes).map_err(|_| damaged())
}

fn session_ids(all: Vec<Vec<u8>>) -> Result<Vec<SessionId>> {
    all.into_iter().map(session_id).collect()
}

fn theft(name: &str) -> Result<Theft> {
    [Theft::Fork, Theft::ParentReturned, Theft::DiscardedBranch, Theft::OlderToken]
        .into_iter()
        .find(|theft| theft.as_str() == name)
        .ok_or_else(damaged)
}

/// The script's answer: decision, detail, gen, branch, minted, idle deadline; of the abandoned
/// child its branch, or −1 for none, and until when it was handed out.
type RefreshAnswer = (String, String, u32, u32, i64, i64, i64, i64);

fn refreshed(answer: &RefreshAnswer) -> Result<Refreshed> {
    let (decision, detail, generation, branch, minted, idle_deadline, abandoned, issued_until) =
        answer;
    let child = |branch| FamilyPosition { generation: generation.saturating_add(1), branch };
    let minted = IssuedChild {
        family_position: child(*branch),
        issued_at: Timestamp::from_millis(*minted),
        expires_at: Timestamp::from_millis(*idle_deadline),
    };
    Ok(Refreshed {
        decision: match decision.as_str() {
            "issue" => Decision::Rotate(minted),
            "reissue" => Decision::Replay(minted),
            "keep" => Decision::Renew,
            "superseded" => Decision::Superseded,
            "expired" => Decision::Expired,
            "theft" => Decision::Theft(theft(detail)?),
            "revoked" => Decision::Revoked(reason(detail.parse().map_err(|_| damaged())?)?),
            _ => return Err(damaged()),
        },
        discarded: u32::try_from(*abandoned).ok().map(|branch| DiscardedChild {
            family_position: child(branch),
            issued_until: Timestamp::from_millis(*issued_until),
        }),
    })
}

#[async_trait]
impl SessionStore for RedisStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        let arguments = self
            .arguments()
            .bytes(session.as_bytes())
            .bytes(new.id.as_bytes())
            .span(new.idle_ttl)
            .span(new.absolute_ttl)
            .text(new.device.as_str())
            .text(new.max_sessions.map(|most| most.to_string()).unwrap_or_default())
            .instant(new.legacy_login);
        let kept: Kept<(Vec<u8>, String, Vec<Vec<u8>>)> =
            self.kept(&self.scripts.create, &self.key(subject), arguments).await?;
        if kept.replicated == Replicated::No {
            tracing::warn!(target: "regrant::store", "too few replicas have a login: a failover may sign it out");
        }
        let (record, label, displaced) = kept.again.unwrap_or(kept.first);
        Ok(Created { record: Record::decode(&record, &label)?, displaced: session_ids(displaced)? })
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        attempt: &RefreshAttempt,
        policy: &RefreshPolicy,
    ) -> Result<Option<Refreshed>> {
        let parent = attempt.parent.as_ref().map_or(&[][..], |parent| parent.as_bytes());
        let arguments = self
            .arguments()
            .bytes(session.as_bytes())
            .text(attempt.generation)
            .text(attempt.branch)
            .bytes(attempt.id.as_bytes())
            .bytes(parent)
            .text(attempt.issued_at.as_millis())
            .text(attempt.expires_at.as_millis())
            .span(policy.grace)
            .span(policy.idle_ttl)
            .text(u8::from(policy.rotate))
            .text(scope_name(policy.on_theft));
        let (script, key) = (&self.scripts.refresh, self.key(subject));
        let answer: Option<RefreshAnswer> = match self.clock {
            // The server does not know this clock.
            Some(_) => self.connection.run(script, &key, arguments).await?,
            None => self.connection.run_timely(script, &key, arguments).await?,
        };
        answer.as_ref().map(refreshed).transpose()
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        let arguments = self
            .arguments()
            .bytes(session.as_bytes())
            .text(token_use.family_position.generation)
            .text(token_use.family_position.branch)
            .text(u8::from(token_use.denied))
            .text(scope_name(on_theft));
        let answer: Option<(String, i64)> =
            self.connection.run(&self.scripts.confirm, &self.key(subject), arguments).await?;
        let Some((name, number)) = answer else { return Ok(None) };
        Ok(Some(match name.as_str() {
            "confirmed" => UseOutcome::Confirmed,
            "unchanged" => UseOutcome::Unchanged,
            "theft" => UseOutcome::Theft,
            "expired" => UseOutcome::Expired,
            "revoked" => UseOutcome::Revoked(reason(number)?),
            _ => return Err(damaged()),
        }))
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let arguments = self.arguments().bytes(session.as_bytes()).text(reason.number());
        let Kept { first: outcome, replicated, .. } =
            self.kept::<String>(&self.scripts.revoke, &self.key(subject), arguments).await?;
        let outcome = match outcome.as_str() {
            "revoked" => RevocationOutcome::Revoked,
            "already_revoked" => RevocationOutcome::AlreadyRevoked,
            "unknown" => RevocationOutcome::Unknown,
            _ => return Err(damaged()),
        };
        Ok(RevokedSession { outcome, replicated })
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        let except = which.except.as_ref().map_or(&[][..], |session| session.as_bytes());
        let arguments =
            self.arguments().text(reason.number()).bytes(except).instant(which.created_before);
        let Kept { first: (revoked, already_revoked), replicated, .. } = self
            .kept::<(Vec<Vec<u8>>, Vec<Vec<u8>>)>(
                &self.scripts.revoke_all,
                &self.key(subject),
                arguments,
            )
            .await?;
        Ok(RevokedSessions {
            revoked: session_ids(revoked)?,
            already_revoked: session_ids(already_revoked)?,
            replicated,
        })
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        Some(self)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        let found: Vec<(Vec<u8>, Vec<u8>, String)> =
            self.connection.run(&self.scripts.list, &self.key(subject), self.arguments()).await?;
        found
            .into_iter()
            .map(|(id, record, label)| {
                let record = Record::decode(&record, &label)?;
                Ok(StoredSession { id: session_id(id)?, record })
            })
            .collect()
    }

    async fn health(&self) -> StoreHealth {
        self.report().await
    }
}
