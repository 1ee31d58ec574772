//! An empty store, its clock, and what the cases do with them.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use regrant::session::{
    AccessTokenUse, Decision, DeviceLabel, IssuedChild, NewSession, PresentedToken, Record,
    SessionPolicy, TheftScope, TokenSecret, UseOutcome,
};
use regrant::store::{Created, Refreshed, RevocationOutcome, SessionFilter, SessionStore};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Subject};

use regrant_model::token::Token;

/// The grace of every session here: that of the default policy.
pub const GRACE: Duration = Duration::from_secs(10);
/// The grace of unused children in every session here.
pub const UNUSED_GRACE: Duration = Duration::from_secs(30);
/// Longer than either grace.
pub const MINUTE: Duration = Duration::from_secs(60);
/// The idle lifetime of every session here. The absolute lifetime is ten hours.
pub const HOUR: Duration = Duration::from_secs(3600);

/// An empty store and its clock.
#[derive(Debug)]
pub struct Fixture {
    /// The store.
    pub store: Arc<dyn SessionStore>,
    /// Its clock.
    pub clock: Arc<ManualClock>,
    policy: SessionPolicy,
    logins: AtomicU8,
    _kept: Box<dyn Any + Send + Sync>,
}

/// A session and the newest token of it.
#[derive(Clone, Debug)]
pub struct Session {
    pub subject: Subject,
    pub id: SessionId,
    pub token: Token,
}

impl Fixture {
    /// `kept` lives as long as the store: its server, its folder.
    pub fn new(
        store: Arc<dyn SessionStore>,
        clock: Arc<ManualClock>,
        kept: impl Any + Send + Sync,
    ) -> Self {
        let mut policy = SessionPolicy::default();
        policy.grace = GRACE;
        policy.unused_grace = Some(UNUSED_GRACE);
        policy.idle_ttl = HOUR;
        policy.absolute_ttl = HOUR * 10;
        Self { store, clock, policy, logins: AtomicU8::new(0), _kept: Box::new(kept) }
    }

    pub fn wait(&self, span: Duration) {
        self.clock.advance(span);
    }

    pub fn new_session(&self, secret: &TokenSecret, device: &str) -> NewSession {
        NewSession {
            id: secret.id(),
            idle_ttl: self.policy.idle_ttl,
            absolute_ttl: self.policy.absolute_ttl,
            device: DeviceLabel::new(device).expect("a short label"),
            max_sessions: self.policy.max_sessions,
            legacy_login: None,
            client: None,
        }
    }

    /// A login of `user`, with ids and secrets that no other login here has.
    pub async fn login(&self, user: &str) -> Session {
        self.login_as(user, |_| {}).await.0
    }

    /// A login of `user`, modified by `change`; also returns the evicted sessions.
    pub async fn login_as(
        &self,
        user: &str,
        change: impl FnOnce(&mut NewSession),
    ) -> (Session, BTreeSet<SessionId>) {
        let number = self.logins.fetch_add(1, Ordering::SeqCst);
        self.login_with_id(user, SessionId::from_bytes([number; 16]), change).await
    }

    /// A login of `user` with this id.
    pub async fn login_with_id(
        &self,
        user: &str,
        id: SessionId,
        change: impl FnOnce(&mut NewSession),
    ) -> (Session, BTreeSet<SessionId>) {
        let subject = Subject::new(user).expect("a user");
        let secret = TokenSecret::from_bytes([id.as_bytes()[0] ^ 0x80; 32]);
        let mut new = self.new_session(&secret, "a device");
        change(&mut new);
        let Created { record, evicted } =
            self.store.create(&subject, &id, &new).await.expect("the store answers");
        let token = Token::of_login(secret, &record);
        (Session { subject, id, token }, evicted.into_iter().collect())
    }

    pub async fn attempt(
        &self,
        session: &Session,
        token: &PresentedToken,
        rotate: bool,
        on_theft: TheftScope,
    ) -> Option<Refreshed> {
        let mut policy = self.policy.clone();
        policy.on_theft = on_theft;
        let policy = policy.for_refresh(Some(rotate));
        let answer = self.store.refresh(&session.subject, &session.id, token, &policy, None).await;
        answer.expect("the store answers")
    }

    /// The decision about this token, with rotation.
    pub async fn decide(&self, session: &Session, token: &Token) -> Decision {
        let answer = self.attempt(session, &token.claims, true, TheftScope::Session).await;
        answer.expect("a known session").decision
    }

    /// Refreshes and moves on to the child.
    pub async fn refresh(&self, session: &mut Session) -> IssuedChild {
        match self.decide(session, &session.token).await {
            Decision::Rotate(issued_child) => {
                session.token = session.token.child(&issued_child);
                issued_child
            }
            other => panic!("expected a child, got {other:?}"),
        }
    }

    /// Revokes a session; returns the outcome.
    pub async fn revoke(&self, session: &Session, reason: RevocationReason) -> RevocationOutcome {
        let answer = self.store.revoke(&session.subject, &session.id, reason).await;
        answer.expect("the store answers").outcome
    }

    /// Revokes the sessions that `which` selects; returns the ids of those that were live, and of those
    /// that had already been revoked.
    pub async fn revoke_all(
        &self,
        subject: &Subject,
        which: SessionFilter,
        reason: RevocationReason,
    ) -> [BTreeSet<SessionId>; 2] {
        let answer = self.store.revoke_all(subject, &which, reason).await;
        let answer = answer.expect("the store answers");
        let already = answer.already_revoked.into_iter().map(|(session, _)| session).collect();
        [answer.revoked, already].map(BTreeSet::from_iter)
    }

    pub async fn record_use(
        &self,
        session: &Session,
        token: &Token,
        denied: bool,
    ) -> Option<UseOutcome> {
        let token_use = AccessTokenUse { family_position: token.family_position(), denied };
        let scope = TheftScope::Session;
        let answer = self.store.record_use(&session.subject, &session.id, &token_use, scope).await;
        answer.expect("the store answers")
    }

    /// The stored record, if the session is listed. It is found alone, too.
    pub async fn record(&self, session: &Session) -> Option<Record> {
        let all = self.store.list(&session.subject).await.expect("the store answers");
        let listed = all.into_iter().find(|stored| stored.id == session.id);
        let listed = listed.map(|stored| stored.record);
        let found = self.store.find(&session.subject, &session.id).await;
        assert_eq!(found.expect("the store answers"), listed);
        listed
    }

    /// Whether the session is listed and live.
    pub async fn is_live(&self, session: &Session) -> bool {
        self.record(session).await.is_some_and(|record| record.is_live(self.clock.now()))
    }
}
