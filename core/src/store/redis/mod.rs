//! Sessions in Redis: one hash per user, with a field per session and one per device label, and
//! one atomic script per operation.
//!
//! Everything of a user is under one key and therefore in one slot of a cluster, and listing or
//! revoking all sessions of a user costs in proportion to that user's sessions. The time comes
//! from the server, inside the script. A key expires with its longest session.
//!
//! From the bottom up: `address`, `tls` and `connector` (how to connect to one server), `retry`
//! (when to try again), `topology` with `sentinel` and `cluster` (which server to ask),
//! `connection` (the connection to one server), `client` (a request until it is answered),
//! `script` (what is asked).

mod address;
mod client;
mod cluster;
mod connection;
mod connector;
mod feed;
mod health;
mod retry;
mod script;
mod sentinel;
mod tls;
mod topology;

pub(crate) use self::address::{Address, Layout};
pub(crate) use self::client::Client;
pub use super::RedisOptions;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use redis::{FromRedisValue, cmd};

use self::client::ReplicatedReply;
use self::feed::Feed;
use self::script::{Arguments, Script, Scripts, reply};
use super::{
    Created, FailureCounter, FailureKey, Failures, Imported, Refreshed, Replicated,
    RevocationOutcome, RevokedSession, RevokedSessions, SessionFilter, SessionStore, StoreHealth,
    StoredSession, UserCursor, UserPage, deleted,
};
use crate::error::{Error, Result};
use crate::revocation::RevocationFeed;
use crate::session::{
    AccessTokenUse, ClientDetails, Decision, DiscardedChild, IssuedChild, NewSession,
    PresentedToken, Record, RefreshPolicy, ReuseEvidence, SessionNotes, TheftScope, UseOutcome,
};
use crate::types::{
    Clock, FamilyPosition, RevocationReason, SessionId, Subject, SystemClock, Timestamp,
};

/// The field of the configuration that has the address.
const FIELD: &str = "store";

/// The `COUNT` of a `SCAN` call.
const SCAN_COUNT: usize = 500;

/// How often the import of a session is repeated because other processes were faster.
const MAX_CONFLICTS: u32 = 20;

/// Sessions in Redis. Connects on first use, and again whenever the connection is lost.
pub struct RedisStore {
    client: Arc<Client>,
    /// For logins and revocations: waiting for replicas blocks its connection.
    replicating: Client,
    /// How many replicas must acknowledge a login or a revocation.
    replicas: u32,
    replica_timeout: Duration,
    feed: Feed,
    scripts: Scripts,
    prefix: String,
    is_cluster: bool,
    clock: Option<Arc<dyn Clock>>,
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore").field("prefix", &self.prefix).finish_non_exhaustive()
    }
}

impl RedisStore {
    /// A store at `url`. Reads the TLS certificates; connects only on first use.
    ///
    /// - `redis://USER:PASSWORD@HOST:PORT/DB`: one server;
    /// - `redis+sentinel://USER:PASSWORD@HOST:PORT,HOST:PORT/MASTER/DB`: the hosts of the Sentinels
    ///   and the name that they have for the primary. User and password are for the data servers;
    ///   those for the Sentinels are [`RedisOptions::sentinel`];
    /// - `redis+cluster://USER:PASSWORD@HOST:PORT,HOST:PORT`: some servers of a cluster.
    ///
    /// With `rediss` instead of `redis` all of them are reached over TLS. `/`, `:`, `@`, `%`, `?`
    /// and `#` in user and password are percent-encoded; an IPv6 address is put in brackets.
    /// Default ports: 6379, for Sentinels 26379.
    ///
    /// # Errors
    /// [`Error::ConfigInvalid`] for `store` when the address is malformed, and for
    /// `redis.caFile`, `redis.certFile`, `redis.keyFile` and `redis.sentinel.password`.
    pub fn new(url: &str, options: RedisOptions) -> Result<Self> {
        let address = Address::parse(url, FIELD)?;
        let deployment = client::deployment(&address, &options)?;
        let client = || Client::over(&deployment, options.timeout);
        let (shared, scripts) = (Arc::new(client()), Scripts::new());
        let has_replicas = deployment.topology.has_replicas();
        Ok(Self {
            replicating: client(),
            replicas: options.replicas.unwrap_or(u32::from(has_replicas)),
            replica_timeout: options.replica_timeout,
            feed: Feed::new(Arc::clone(&shared), client(), &options.prefix, options.clock.clone()),
            client: shared,
            scripts,
            prefix: options.prefix,
            is_cluster: address.layout == Layout::Cluster,
            clock: options.clock,
        })
    }

    /// The key of a user's hash.
    fn key(&self, subject: &Subject) -> Vec<u8> {
        [self.prefix.as_bytes(), b"u:", subject.as_str().as_bytes()].concat()
    }

    /// The arguments of a script that begin with the present time, where a test provides a clock.
    fn arguments(&self) -> Arguments {
        Arguments::new().instant(self.clock.as_ref().map(|clock| clock.now()))
    }

    fn now(&self) -> Timestamp {
        self.clock.as_ref().map_or_else(|| SystemClock.now(), |clock| clock.now())
    }

    /// Imports one session; once more each time that it changes meanwhile.
    async fn import_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        mut ours: Option<Record>,
        theirs: &Record,
    ) -> Result<Imported> {
        let now = self.now();
        let mut replaced = ours.as_ref().map(encode).unwrap_or_default();
        for _ in 0..MAX_CONFLICTS {
            let mut count = Imported::default();
            let Some(record) = count.count(ours.as_ref(), theirs, now) else { return Ok(count) };
            let expires_at = record.expires_at;
            let stored = self
                .replace_session(subject, session, &replaced, &encode(&record), expires_at)
                .await?;
            let Some(stored) = stored else { return Ok(count) };
            ours = match &stored {
                (record, _) if record.is_empty() => None,
                (record, texts) => Some(decode(record, texts)?),
            };
            replaced = stored;
        }
        Err(Error::store("too many concurrent writes to one session"))
    }

    /// Replaces what is stored of a session, if it is still the same; otherwise returns what is stored.
    async fn replace_session(
        &self,
        subject: &Subject,
        session: &SessionId,
        replaced: &Encoded,
        new: &Encoded,
        expires_at: Timestamp,
    ) -> Result<Option<Encoded>> {
        let mut arguments = self.arguments().bytes(session.as_bytes());
        for (record, (label, claims, login, refresh)) in [replaced, new] {
            arguments = arguments.bytes(record).text(label).text(claims).text(login).text(refresh);
        }
        let arguments = arguments.text(expires_at.as_millis());
        self.client.run(&self.scripts.import, &self.key(subject), arguments).await
    }

    /// Runs a script that logs in or revokes: its effect must survive a failover.
    async fn run_replicated<T: FromRedisValue>(
        &self,
        script: &Script,
        subject: &Subject,
        arguments: Arguments,
    ) -> Result<ReplicatedReply<T>> {
        let key = self.key(subject);
        if self.replicas == 0 {
            let value = self.client.run(script, &key, arguments).await?;
            return Ok(ReplicatedReply { value, retried: None, replicated: Replicated::NotAsked });
        }
        let wait = (self.replicas, self.replica_timeout);
        self.replicating.run_replicated(script, &key, arguments, wait).await
    }
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
            .duration(new.idle_ttl)
            .duration(new.absolute_ttl)
            .text(new.device.as_str())
            .text(new.max_sessions.map(|max| max.to_string()).unwrap_or_default())
            .instant(new.legacy_login)
            .text(client_text(new.client.as_ref()));
        let reply = self.run_replicated(&self.scripts.create, subject, arguments).await?;
        if reply.replicated == Replicated::No {
            tracing::warn!(target: "regrant::store", "too few replicas have confirmed a login: a failover may lose its session");
        }
        let (record, texts, evicted): (Vec<u8>, Texts, Vec<Vec<u8>>) =
            reply.retried.unwrap_or(reply.value);
        Ok(Created { record: decode(&record, &texts)?, evicted: session_ids(evicted)? })
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        let parent = token.parent.as_ref().map_or(&[][..], |parent| parent.as_bytes());
        let arguments = self
            .arguments()
            .bytes(session.as_bytes())
            .text(token.generation)
            .text(token.branch)
            .bytes(token.id.as_bytes())
            .bytes(parent)
            .text(token.issued_at.as_millis())
            .text(token.expires_at.as_millis())
            .duration(policy.grace)
            .duration(policy.unused_grace)
            .duration(policy.idle_ttl)
            .flag(policy.rotate)
            .flag(policy.on_theft == TheftScope::Subject)
            .text(client_text(client));
        let (script, key) = (&self.scripts.refresh, self.key(subject));
        let reply: Option<RefreshReply> = match self.clock {
            // A deadline by the server's clock means nothing to a test's clock.
            Some(_) => self.client.run(script, &key, arguments).await?,
            None => self.client.run_with_deadline(script, &key, arguments).await?,
        };
        reply.as_ref().map(refreshed).transpose()
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        let arguments = self.arguments().bytes(session.as_bytes()).text(claims);
        let reply: ReplicatedReply<bool> =
            self.run_replicated(&self.scripts.set_claims, subject, arguments).await?;
        if reply.replicated == Replicated::No {
            tracing::warn!(target: "regrant::store", "too few replicas have the new claims of a session: a failover may restore the former ones");
        }
        Ok(reply.value)
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
            .flag(token_use.denied)
            .flag(on_theft == TheftScope::Subject);
        let reply: Option<(String, i64)> =
            self.client.run(&self.scripts.record_use, &self.key(subject), arguments).await?;
        let Some((confirmation, reason)) = reply else { return Ok(None) };
        Ok(Some(match confirmation.as_str() {
            reply::CHILD_IN_USE => UseOutcome::ChildInUse,
            reply::UNCHANGED => UseOutcome::Unchanged,
            reply::REUSE => UseOutcome::Reuse,
            reply::EXPIRED => UseOutcome::Expired,
            reply::REVOKED => UseOutcome::Revoked(revocation_reason(reason)?),
            _ => return Err(malformed()),
        }))
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        let arguments = self.arguments().bytes(session.as_bytes()).text(reason.number());
        let reply: ReplicatedReply<(String, i64)> =
            self.run_replicated(&self.scripts.revoke, subject, arguments).await?;
        let (outcome, ended_at) = &reply.value;
        let outcome = match outcome.as_str() {
            reply::REVOKED => RevocationOutcome::Revoked,
            reply::ALREADY_REVOKED => {
                RevocationOutcome::AlreadyRevoked { ended_at: Timestamp::from_millis(*ended_at) }
            }
            reply::UNKNOWN => RevocationOutcome::Unknown,
            _ => return Err(malformed()),
        };
        Ok(RevokedSession { outcome, replicated: reply.replicated })
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
        let reply: ReplicatedReply<(Vec<Vec<u8>>, Vec<Vec<u8>>, Vec<i64>)> =
            self.run_replicated(&self.scripts.revoke_all, subject, arguments).await?;
        let (revoked, already_revoked, ended_at) = reply.value;
        let ended_at = ended_at.into_iter().map(Timestamp::from_millis);
        Ok(RevokedSessions {
            revoked: session_ids(revoked)?,
            already_revoked: session_ids(already_revoked)?.into_iter().zip(ended_at).collect(),
            replicated: reply.replicated,
        })
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        Some(&self.feed)
    }

    fn failures(&self) -> Option<&dyn FailureCounter> {
        Some(self)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        let reply: Vec<(Vec<u8>, Vec<u8>, Texts)> =
            self.client.run(&self.scripts.list, &self.key(subject), self.arguments()).await?;
        reply
            .into_iter()
            .map(|(id, record, texts)| {
                Ok(StoredSession { id: session_id(id)?, record: decode(&record, &texts)? })
            })
            .collect()
    }

    async fn import(&self, subject: &Subject, sessions: &[StoredSession]) -> Result<Imported> {
        let known = self.list(subject).await?;
        let deleted = deleted(known.clone(), sessions, self.now());
        let mut known: HashMap<_, _> =
            known.into_iter().map(|ours| (ours.id, ours.record)).collect();
        let mut counts = Imported::default();
        for StoredSession { id, record } in sessions {
            counts.add(self.import_session(subject, id, known.remove(id), record).await?);
        }
        for StoredSession { id, record } in deleted {
            let nothing = Default::default();
            self.replace_session(subject, &id, &encode(&record), &nothing, record.expires_at)
                .await?;
        }
        Ok(counts)
    }

    async fn users(&self, cursor: &UserCursor) -> Result<UserPage> {
        if self.is_cluster {
            return Err(Error::config("store", "the users of a Redis Cluster cannot be listed"));
        }
        let prefix = [self.prefix.as_bytes(), b"u:"].concat();
        let mut scan = cmd("SCAN");
        scan.arg(if cursor.0.is_empty() { "0" } else { &cursor.0 });
        scan.arg("MATCH").arg([&escaped(&prefix)[..], b"*"].concat()).arg("COUNT").arg(SCAN_COUNT);
        let (next, keys): (String, Vec<Vec<u8>>) = self.client.command(&scan).await?;
        let name = |key: Vec<u8>| {
            let name = key.strip_prefix(&prefix[..]).ok_or_else(malformed)?;
            Subject::stored(String::from_utf8(name.to_vec()).map_err(|_| malformed())?)
        };
        let users = keys.into_iter().map(name).collect::<Result<Vec<_>>>()?;
        Ok(UserPage { users, next: (next != "0").then_some(UserCursor(next)) })
    }

    async fn find(&self, subject: &Subject, session: &SessionId) -> Result<Option<Record>> {
        let arguments = self.arguments().bytes(session.as_bytes());
        let reply: Option<(Vec<u8>, Texts)> =
            self.client.run(&self.scripts.find, &self.key(subject), arguments).await?;
        reply.map(|(record, texts)| decode(&record, &texts)).transpose()
    }

    async fn health(&self) -> StoreHealth {
        health::report(&self.client, &self.scripts.create, &self.prefix, self.replicas).await
    }
}

/// Each window is a small hash, which expires with it.
#[async_trait]
impl FailureCounter for RedisStore {
    async fn count(&self, key: &FailureKey, window: Duration) -> Result<Failures> {
        let key = [self.prefix.as_bytes(), b"f:", key.as_bytes()].concat();
        let arguments = self.arguments().duration(window);
        let (count, left): (u32, u64) =
            self.client.run(&self.scripts.count_failure, &key, arguments).await?;
        Ok(Failures { count, left: Duration::from_millis(left) })
    }
}

/// The reply of the refresh script: decision, detail, generation, branch, issue time of the child,
/// its expiry or that of the renewed session; of the discarded child its branch (−1 if there is none) and the last instant at
/// which it was issued; the updated claims, and after reuse the clients of login and latest refresh.
type RefreshReply = (String, String, u32, u32, i64, i64, i64, i64, String, String, String);

fn refreshed(reply: &RefreshReply) -> Result<Refreshed> {
    let (decision, detail, generation, branch, issued_at, expires_at, discarded, issued_until, ..) =
        reply;
    let child = |branch| FamilyPosition { generation: generation.saturating_add(1), branch };
    let issued = IssuedChild {
        family_position: child(*branch),
        issued_at: Timestamp::from_millis(*issued_at),
        expires_at: Timestamp::from_millis(*expires_at),
    };
    Ok(Refreshed {
        decision: match decision.as_str() {
            reply::ROTATE => Decision::Rotate(issued),
            reply::REPLAY => Decision::Replay(issued),
            reply::RENEW => Decision::Renew { expires_at: issued.expires_at },
            reply::SUPERSEDED => Decision::Superseded,
            reply::EXPIRED => Decision::Expired,
            reply::REUSE => Decision::Reuse(reuse_evidence(detail)?),
            reply::REVOKED => {
                let reason = detail.parse().map_err(|_| malformed())?;
                Decision::Revoked(revocation_reason(reason)?)
            }
            _ => return Err(malformed()),
        },
        discarded: u32::try_from(*discarded).ok().map(|branch| DiscardedChild {
            family_position: child(branch),
            issued_until: Timestamp::from_millis(*issued_until),
        }),
        notes: decode_notes(&reply.8, &reply.9, &reply.10)?,
    })
}

/// What is stored of a session beside its record: the device label, the updated claims, the clients of
/// login and latest refresh; each empty for none. For the latter [`SAME_CLIENT`] is the same as the former.
type Texts = (String, String, String, String);

/// A record as it is stored; the default is for none.
type Encoded = (Vec<u8>, Texts);

const SAME_CLIENT: &str = "=";

fn decode(record: &[u8], (label, claims, login, refresh): &Texts) -> Result<Record> {
    let notes = decode_notes(claims, login, refresh)?;
    Ok(Record { notes, ..Record::decode(record, label)? })
}

fn decode_notes(claims: &str, login: &str, refresh: &str) -> Result<SessionNotes> {
    let client = |text: &str| match text {
        "" => Ok(None),
        text => serde_json::from_str(text).map(Some).map_err(|_| malformed()),
    };
    let refresh = if refresh == SAME_CLIENT { login } else { refresh };
    Ok(SessionNotes {
        claims: match claims {
            "" => None,
            text => Some(Box::new(text.parse()?)),
        },
        created_from: client(login)?,
        refreshed_from: client(refresh)?,
        // Fields of their own, which no script touches.
        unknown: None,
    })
}

/// Reverses [`decode`].
fn encode(record: &Record) -> Encoded {
    let SessionNotes { claims, created_from, refreshed_from, .. } = &record.notes;
    let claims = claims.as_ref().map(ToString::to_string).unwrap_or_default();
    let login = client_text(created_from.as_deref());
    let refresh = match client_text(refreshed_from.as_deref()) {
        text if !text.is_empty() && text == login => SAME_CLIENT.to_owned(),
        text => text,
    };
    (record.encode(), (record.device.as_str().to_owned(), claims, login, refresh))
}

fn client_text(client: Option<&ClientDetails>) -> String {
    // Texts always serialize.
    client.and_then(|client| serde_json::to_string(client).ok()).unwrap_or_default()
}

fn reuse_evidence(name: &str) -> Result<ReuseEvidence> {
    ReuseEvidence::ALL.into_iter().find(|evidence| evidence.as_str() == name).ok_or_else(malformed)
}

fn revocation_reason(number: i64) -> Result<RevocationReason> {
    u8::try_from(number).ok().and_then(RevocationReason::from_number).ok_or_else(malformed)
}

/// A text as a pattern for `MATCH`, without special characters.
fn escaped(prefix: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'*' | b'?' | b'[' | b']' | b'^' | b'\\' => vec![b'\\', *byte],
        _ => vec![*byte],
    };
    prefix.iter().flat_map(escape).collect()
}

fn session_ids(all: Vec<Vec<u8>>) -> Result<Vec<SessionId>> {
    all.into_iter().map(session_id).collect()
}

fn session_id(bytes: Vec<u8>) -> Result<SessionId> {
    bytes.try_into().map(SessionId::from_bytes).map_err(|_| malformed())
}

fn malformed() -> Error {
    Error::internal("a Redis script gave a malformed reply")
}
