//! A model check of realms: servers of several realms with one secret and one store, and the sessions of
//! one user in it. The search visits every history up to a depth. What keeps the realms apart is the
//! core's: [`RealmStore`] and [`RefreshKeys::in_realms`], or, to see that the check fails, with one rule
//! broken ([`RealmRules`]).
//!
//! A session belongs to the realm in which it began, and each of its refresh tokens to the realm that
//! issued it. A server knows its own realm and the previous ones that it lists. The invariants:
//!
//! 1. A server accepts a refresh token if and only if it knows the realm that issued it, and then the
//!    newest one of a live session is granted.
//! 2. A server finds, lists and revokes a session if and only if it knows the session's realm. No login
//!    counts sessions of another realm.
//! 3. What a server publishes about a user reaches the servers that know its realm, and those whose named
//!    realm it knows; the revocation of a session that it has found reaches all.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use async_trait::async_trait;
use regrant::Result;
use regrant::keys::{RefreshKeys, RefreshSecret};
use regrant::revocation::{FeedCursor, FeedPage, Revocation, RevocationFeed, RevocationTarget};
use regrant::session::{
    AccessTokenUse, ClientDetails, Decision, DeviceLabel, NewSession, PresentedToken,
    RefreshPolicy, TheftScope, TokenSecret, UseOutcome,
};
use regrant::store::{
    Created, MemoryStore, RealmStore, Refreshed, RevocationOutcome, RevokedSession,
    RevokedSessions, SessionFilter, SessionStore, StoredSession,
};
use regrant::types::{
    Clock, ManualClock, Realm, Realms, RevocationReason, SecretBytes, SessionId, Subject, Timestamp,
};

use super::step::{GRACE, Gap, UNUSED_GRACE};
use crate::token::Token;

/// What keeps realms apart, as values.
#[derive(Clone, Copy, Debug)]
pub struct RealmRules {
    /// The secrets of a server: [`RefreshKeys::in_realms`].
    pub keys: fn(&RefreshKeys, &Realms) -> RefreshKeys,
    /// The realms in which the store of a server looks for sessions.
    pub looked_in: fn(&Realms) -> Realms,
    /// The name of a user in the store, as a [`RealmStore`] has made it.
    pub name: fn(&Subject) -> Subject,
    /// A published revocation, as a [`RealmStore`] has marked it.
    pub mark: fn(Revocation) -> Revocation,
}

impl RealmRules {
    /// The rules of the core.
    pub const REAL: Self = Self {
        keys: |keys, realms| keys.in_realms(realms).expect("secrets"),
        looked_in: Realms::clone,
        name: Subject::clone,
        mark: |revocation| revocation,
    };
}

/// Realm and previous realms of each server: an app as it was before realms existed, the same app with a
/// realm, with its realm renamed, and another app.
const SERVERS: [(&str, &[&str]); 4] =
    [("", &[]), ("shop", &[""]), ("store", &["shop", ""]), ("admin", &[""])];

fn knows(server: usize, realm: &str) -> bool {
    let (current, previous) = SERVERS[server];
    current == realm || previous.contains(&realm)
}

/// Whether `server` is to hear of what `publisher` revokes of a user. What is left of the realm without
/// a name is common to apps that must not deny each other's tokens.
fn hears(server: usize, publisher: usize) -> bool {
    let own = SERVERS[server].0;
    knows(server, SERVERS[publisher].0) || !own.is_empty() && knows(publisher, own)
}

/// What happens; servers and sessions by their index.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "a server and a session")]
pub enum RealmEvent {
    /// The user logs in. A server allows one session.
    Login { server: usize },
    /// The newest refresh token of a session is presented for a refresh.
    Refresh { session: usize, server: usize },
    /// The newest refresh token of a session is presented for a logout.
    Logout { session: usize, server: usize },
    /// The operator of a server revokes a session by its id.
    Revoke { session: usize, server: usize },
    /// The user logs out everywhere.
    LogoutEverywhere { server: usize },
}

/// A violation, with the number of the invariant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RealmViolation {
    /// 1: a server accepted a token of a realm that it does not know.
    ForeignToken,
    /// 1: a server rejected a token of a realm that it knows.
    OwnToken,
    /// 1: the newest token of a live session was not granted.
    NotGranted,
    /// 1: a token of a revoked session was granted.
    AfterRevocation,
    /// 2: a server found a session of a realm that it does not know.
    ForeignSession,
    /// 2: a session was revoked that should be live, or a server that knows its realm does not find it.
    Lost,
    /// 2: a session is live that was revoked.
    NotRevoked,
    /// 3: a revocation reached a server that it does not concern, or not all that it does.
    Heard,
}

/// Visits every history up to `depth`, and returns how many those are. Stores cannot be copied, so each
/// history is played from its beginning.
///
/// # Errors
/// The first violation, and the history that leads to it.
pub fn search(rules: &RealmRules, depth: usize) -> Result<u64, (RealmViolation, Vec<RealmEvent>)> {
    let root = RefreshSecret::derived_from(&SecretBytes::new("the one secret")).expect("a secret");
    let root = RefreshKeys::new(root);
    let keys = SERVERS.map(|server| (rules.keys)(&root, &realms_of(server)));
    let (mut histories, mut next) = (0, vec![Vec::new()]);
    while let Some(history) = next.pop() {
        let mut world = World::new(rules, &keys);
        for event in &history {
            world.apply(*event).map_err(|violation| (violation, history.clone()))?;
        }
        world.check().map_err(|violation| (violation, history.clone()))?;
        histories += 1;
        if history.len() < depth {
            next.extend(world.possible().map(|event| [&*history, &[event]].concat()));
        }
    }
    Ok(histories)
}

fn realms_of((current, previous): (&str, &[&str])) -> Realms {
    let realm = |name: &&str| Realm::new(name).expect("a short name");
    Realms { current: realm(&current), previous: previous.iter().map(realm).collect() }
}

struct World<'a> {
    clock: Arc<ManualClock>,
    servers: Vec<Server<'a>>,
    sessions: Vec<Session>,
    /// What has been published: when, and by which server if not every server is to hear of it.
    published: Vec<(Timestamp, Option<usize>)>,
}

struct Server<'a> {
    keys: &'a RefreshKeys,
    store: RealmStore,
}

/// A session, and its newest refresh token with its signature.
struct Session {
    id: SessionId,
    began_in: &'static str,
    issued_in: &'static str,
    token: Token,
    signature: [u8; 32],
    is_revoked: bool,
}

const ABSOLUTE_TTL: Duration = Duration::from_secs(86_400);

const POLICY: RefreshPolicy = RefreshPolicy {
    grace: GRACE,
    unused_grace: UNUSED_GRACE,
    idle_ttl: ABSOLUTE_TTL,
    rotate: true,
    on_theft: TheftScope::Session,
};

impl<'a> World<'a> {
    fn new(rules: &RealmRules, keys: &'a [RefreshKeys; 4]) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_700_000_000)));
        let shared: Arc<dyn SessionStore> = Arc::new(SharedStore {
            sessions: MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
            published: Mutex::default(),
            rules: *rules,
        });
        let servers = SERVERS.iter().zip(keys).map(|(server, keys)| {
            let realms = (rules.looked_in)(&realms_of(*server));
            Server { keys, store: RealmStore::new(Arc::clone(&shared), realms) }
        });
        let servers = servers.collect();
        Self { clock, servers, sessions: Vec::new(), published: Vec::new() }
    }

    fn possible(&self) -> impl Iterator<Item = RealmEvent> + use<> {
        let sessions = self.sessions.len();
        (0..SERVERS.len()).flat_map(move |server| {
            let of_session = (0..sessions).flat_map(move |session| {
                [
                    RealmEvent::Refresh { session, server },
                    RealmEvent::Logout { session, server },
                    RealmEvent::Revoke { session, server },
                ]
            });
            let of_user = [RealmEvent::Login { server }, RealmEvent::LogoutEverywhere { server }];
            of_session.chain(of_user)
        })
    }

    fn apply(&mut self, event: RealmEvent) -> Result<(), RealmViolation> {
        self.clock.advance(Gap::Long.span());
        match event {
            RealmEvent::Login { server } => self.login(server),
            RealmEvent::Refresh { session, server } => return self.refresh(session, server),
            RealmEvent::Logout { session, server } => {
                if !self.accepts(session, server)? {
                    return Ok(());
                }
                self.revoke(session, server, RevocationReason::Logout);
            }
            RealmEvent::Revoke { session, server } => {
                self.revoke(session, server, RevocationReason::Administrative);
            }
            RealmEvent::LogoutEverywhere { server } => {
                let reason = RevocationReason::LogoutEverywhere;
                let store = &self.servers[server].store;
                at_once(store.revoke_all(&alice(), &SessionFilter::ALL, reason)).expect("done");
                for session in &mut self.sessions {
                    session.is_revoked |= knows(server, session.began_in);
                }
                let now = self.clock.now();
                let target = RevocationTarget::Subject { subject: alice(), issued_until: now };
                self.publish(server, target, Some(server));
            }
        }
        Ok(())
    }

    fn login(&mut self, server: usize) {
        let number = u8::try_from(self.sessions.len()).expect("few sessions");
        let (id, secret) =
            (SessionId::from_bytes([number; 16]), TokenSecret::from_bytes([number | 0x80; 32]));
        let new = NewSession {
            id: secret.id(),
            idle_ttl: ABSOLUTE_TTL,
            absolute_ttl: ABSOLUTE_TTL,
            device: DeviceLabel::default(),
            max_sessions: std::num::NonZeroU32::new(1),
            legacy_login: None,
            client: None,
        };
        let Server { keys, store } = &self.servers[server];
        let created = at_once(store.create(&alice(), &id, &new)).expect("done");
        let realm = SERVERS[server].0;
        for session in &mut self.sessions {
            session.is_revoked |= session.began_in == realm;
        }
        let signature = keys.sign(secret.expose());
        let token = Token::of_login(secret, &created.record);
        let (began_in, issued_in) = (realm, realm);
        self.sessions.push(Session {
            id,
            began_in,
            issued_in,
            token,
            signature,
            is_revoked: false,
        });
    }

    /// Whether `server` accepts the newest refresh token of a session as one that it or a previous realm
    /// of it issued.
    fn accepts(&self, session: usize, server: usize) -> Result<bool, RealmViolation> {
        let Session { token, signature, issued_in, .. } = &self.sessions[session];
        let is_known = knows(server, issued_in);
        match self.servers[server].keys.verify(token.secret.expose(), signature) {
            true if !is_known => Err(RealmViolation::ForeignToken),
            false if is_known => Err(RealmViolation::OwnToken),
            accepts => Ok(accepts),
        }
    }

    fn refresh(&mut self, session: usize, server: usize) -> Result<(), RealmViolation> {
        if !self.accepts(session, server)? {
            return Ok(());
        }
        let Server { keys, store } = &self.servers[server];
        let session = &mut self.sessions[session];
        let claims = &session.token.claims;
        let refreshed = at_once(store.refresh(&alice(), &session.id, claims, &POLICY, None));
        match refreshed.expect("done").map(|refreshed| refreshed.decision) {
            Some(Decision::Rotate(_)) if session.is_revoked => {
                return Err(RealmViolation::AfterRevocation);
            }
            Some(Decision::Rotate(issued)) => {
                session.token = session.token.child(&issued);
                session.signature = keys.sign(session.token.secret.expose());
                session.issued_in = SERVERS[server].0;
            }
            _ if !session.is_revoked => return Err(RealmViolation::NotGranted),
            _ => {}
        }
        Ok(())
    }

    fn revoke(&mut self, session: usize, server: usize, reason: RevocationReason) {
        let Session { id, began_in, .. } = self.sessions[session];
        let store = &self.servers[server].store;
        let revoked = at_once(store.revoke(&alice(), &id, reason)).expect("done");
        self.sessions[session].is_revoked |= knows(server, began_in);
        if revoked.outcome == RevocationOutcome::Unknown {
            let target = RevocationTarget::UserSession { subject: alice(), session: id };
            self.publish(server, target, Some(server));
        } else {
            self.publish(server, RevocationTarget::Session { session: id }, None);
        }
    }

    fn publish(&mut self, server: usize, target: RevocationTarget, of_user: Option<usize>) {
        let now = self.clock.now();
        let feed = self.servers[server].store.feed().expect("the store has a feed");
        at_once(feed.publish(&[Revocation::new(target, now)])).expect("done");
        self.published.push((now, of_user));
    }

    fn check(&self) -> Result<(), RealmViolation> {
        let now = self.clock.now();
        for (server, Server { store, .. }) in self.servers.iter().enumerate() {
            let listed = at_once(store.list(&alice())).expect("done");
            for session in &self.sessions {
                let found = listed.iter().find(|stored| stored.id == session.id);
                let is_live = found.is_some_and(|stored| stored.record.is_live(now));
                match (knows(server, session.began_in), session.is_revoked) {
                    (false, _) if found.is_some() => return Err(RealmViolation::ForeignSession),
                    (true, false) if !is_live => return Err(RealmViolation::Lost),
                    (true, true) if is_live => return Err(RealmViolation::NotRevoked),
                    _ => {}
                }
            }
            let feed = store.feed().expect("the store has a feed");
            let page = at_once(feed.read(&FeedCursor::default(), Duration::ZERO)).expect("done");
            // A server whose realm is renamed publishes under both names.
            let mut heard: Vec<_> = page.revocations.iter().map(|it| it.expires_at).collect();
            heard.dedup();
            let concerns = |of_user: Option<usize>| of_user.is_none_or(|by| hears(server, by));
            let published = self.published.iter().filter(|(_, of_user)| concerns(*of_user));
            if heard != published.map(|(at, _)| *at).collect::<Vec<_>>() {
                return Err(RealmViolation::Heard);
            }
        }
        Ok(())
    }
}

fn alice() -> Subject {
    Subject::new("alice").expect("a user")
}

/// The result of a future that does not wait.
fn at_once<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("a store in memory waits for nothing"),
    }
}

/// A store in memory, with a feed, that several servers share.
#[derive(Debug)]
struct SharedStore {
    sessions: MemoryStore,
    published: Mutex<Vec<Revocation>>,
    rules: RealmRules,
}

#[async_trait]
impl SessionStore for SharedStore {
    async fn create(
        &self,
        subject: &Subject,
        session: &SessionId,
        new: &NewSession,
    ) -> Result<Created> {
        self.sessions.create(&(self.rules.name)(subject), session, new).await
    }

    async fn refresh(
        &self,
        subject: &Subject,
        session: &SessionId,
        token: &PresentedToken,
        policy: &RefreshPolicy,
        client: Option<&ClientDetails>,
    ) -> Result<Option<Refreshed>> {
        let name = (self.rules.name)(subject);
        self.sessions.refresh(&name, session, token, policy, client).await
    }

    async fn set_claims(
        &self,
        subject: &Subject,
        session: &SessionId,
        claims: &str,
    ) -> Result<bool> {
        self.sessions.set_claims(&(self.rules.name)(subject), session, claims).await
    }

    async fn record_use(
        &self,
        subject: &Subject,
        session: &SessionId,
        token_use: &AccessTokenUse,
        on_theft: TheftScope,
    ) -> Result<Option<UseOutcome>> {
        self.sessions.record_use(&(self.rules.name)(subject), session, token_use, on_theft).await
    }

    async fn revoke(
        &self,
        subject: &Subject,
        session: &SessionId,
        reason: RevocationReason,
    ) -> Result<RevokedSession> {
        self.sessions.revoke(&(self.rules.name)(subject), session, reason).await
    }

    async fn revoke_all(
        &self,
        subject: &Subject,
        which: &SessionFilter,
        reason: RevocationReason,
    ) -> Result<RevokedSessions> {
        self.sessions.revoke_all(&(self.rules.name)(subject), which, reason).await
    }

    fn feed(&self) -> Option<&dyn RevocationFeed> {
        Some(self)
    }

    async fn list(&self, subject: &Subject) -> Result<Vec<StoredSession>> {
        self.sessions.list(&(self.rules.name)(subject)).await
    }
}

#[async_trait]
impl RevocationFeed for SharedStore {
    async fn publish(&self, revocations: &[Revocation]) -> Result<()> {
        let marked = revocations.iter().cloned().map(self.rules.mark);
        self.published.lock().expect("no panic before").extend(marked);
        Ok(())
    }

    async fn read(&self, _: &FeedCursor, _: Duration) -> Result<FeedPage> {
        let revocations = self.published.lock().expect("no panic before").clone();
        Ok(FeedPage { revocations, complete: true, ..FeedPage::default() })
    }
}
