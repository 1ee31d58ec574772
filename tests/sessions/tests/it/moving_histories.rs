//! Random histories of an app that moves from one store to another. Any read or write of a database may fail,
//! before or after it took effect, as when a process is killed between the two stores. `REGRANT_SEED`
//! repeats a run.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use regrant::session::{
    AccessTokenUse, Decision, DeviceLabel, NewSession, SessionPolicy, TheftScope, TokenSecret,
    UseOutcome,
};
use regrant::store::{
    CustomStore, CustomStoreOptions, KeyValueStore, MovingStore, Refreshed, RevocationOutcome,
    SessionFilter, SessionStore, VersionedValue,
};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Subject, Timestamp};
use regrant::{Error, Result};
use regrant_model::token::Token;
use regrant_session_tests::backends;
use regrant_session_tests::differential::{Random, seed};
use regrant_session_tests::key_value::MemoryKeyValues;
use tokio::task::yield_now;

const GRACE: Duration = Duration::from_secs(10);
const UNUSED_GRACE: Duration = Duration::from_secs(30);

/// A database whose operations take turns at random and fail now and then.
#[derive(Debug)]
struct Unreliable {
    values: MemoryKeyValues,
    random: Arc<Mutex<Random>>,
    /// The chance of a failure in percent, shared by all databases.
    failures: Arc<AtomicUsize>,
}

impl Unreliable {
    async fn turn(&self) -> Result<()> {
        let (waits, fails) = {
            let mut random = self.random.lock().expect("not poisoned");
            (random.below(4), random.chance(self.failures.load(Ordering::Relaxed)))
        };
        for _ in 0..waits {
            yield_now().await;
        }
        if fails { Err(Error::store("a planted failure")) } else { Ok(()) }
    }
}

#[async_trait]
impl KeyValueStore for Unreliable {
    async fn get(&self, key: &str) -> Result<Option<VersionedValue>> {
        self.turn().await?;
        self.values.get(key).await
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        if_version: Option<&str>,
        expires_at: Timestamp,
    ) -> Result<bool> {
        self.turn().await?;
        let written = self.values.put(key, value, if_version, expires_at).await;
        self.turn().await?;
        written
    }
}

/// A session, as its honest client sees it.
struct Client {
    subject: Subject,
    id: SessionId,
    token: Token,
    /// A token that was used before its child, and stolen.
    stolen: Option<Token>,
    /// The claims that every new access token must have; `None` where an update failed.
    claims: Option<String>,
    /// Whether its revocation was acknowledged.
    revoked: bool,
    /// Whether it may be revoked: an operation that revokes has failed.
    doubtful: bool,
    /// Whether a request has failed, perhaps between the two stores, since all sessions were copied. While
    /// processes with and without the former store run then, two tabs may get different tokens.
    interrupted: bool,
}

/// Which processes run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Before,
    BeforeAndMoving,
    Moving,
    MovingAndAfter,
    After,
}

struct World {
    random: Random,
    clock: Arc<ManualClock>,
    failures: Arc<AtomicUsize>,
    former: Arc<dyn SessionStore>,
    new: Arc<dyn SessionStore>,
    moving: [Arc<dyn SessionStore>; 2],
    clients: Vec<Client>,
    log: Vec<String>,
    counts: BTreeMap<&'static str, u64>,
}

static LOGINS: AtomicU64 = AtomicU64::new(1);

impl World {
    fn new(mut random: Random) -> Self {
        let clock = backends::clock();
        let failures = Arc::new(AtomicUsize::new(0));
        let shared = Arc::new(Mutex::new(Random::new(random.next())));
        let database = || {
            let (random, failures) = (Arc::clone(&shared), Arc::clone(&failures));
            Arc::new(Unreliable { values: MemoryKeyValues::default(), random, failures })
        };
        let process = |database: &Arc<Unreliable>| -> Arc<dyn SessionStore> {
            let mut options = CustomStoreOptions::default();
            options.clock = Arc::clone(&clock) as Arc<dyn Clock>;
            options.timeout = backends::PATIENCE;
            Arc::new(CustomStore::new(Arc::clone(database) as _, options))
        };
        let (former, new) = (database(), database());
        let moving = || -> Arc<dyn SessionStore> {
            Arc::new(MovingStore::new(process(&new), process(&former), clock.now()))
        };
        Self {
            former: process(&former),
            new: process(&new),
            moving: [moving(), moving()],
            random,
            clock,
            failures,
            clients: Vec::new(),
            log: Vec::new(),
            counts: BTreeMap::new(),
        }
    }

    fn process(&mut self, phase: Phase) -> Arc<dyn SessionStore> {
        let [one, two] = &self.moving;
        let processes = match phase {
            Phase::Before => vec![&self.former],
            Phase::BeforeAndMoving => vec![&self.former, one, two],
            Phase::Moving => vec![one, two],
            Phase::MovingAndAfter => vec![&self.new, one, two],
            Phase::After => vec![&self.new],
        };
        Arc::clone(processes[self.random.below(processes.len())])
    }

    fn count(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    async fn login(&mut self, phase: Phase) {
        let number = LOGINS.fetch_add(1, Ordering::Relaxed);
        let user = format!("user {}", self.random.below(3));
        let subject = Subject::new(user).expect("a user");
        let id = SessionId::from_bytes(self.random.bytes());
        let secret = TokenSecret::from_bytes(self.random.bytes());
        let new = NewSession {
            id: secret.id(),
            idle_ttl: Duration::from_secs(7200),
            absolute_ttl: Duration::from_secs(36_000),
            device: DeviceLabel::new(format!("device {number}")).expect("a short label"),
            max_sessions: None,
            legacy_login: None,
            client: None,
        };
        let process = self.process(phase);
        let Ok(created) = process.create(&subject, &id, &new).await else { return };
        let token = Token::of_login(secret, &created.record);
        self.log.push(format!("login {id} of {subject}"));
        self.clients.push(Client {
            subject,
            id,
            token,
            stolen: None,
            claims: None,
            revoked: false,
            doubtful: false,
            interrupted: false,
        });
    }

    async fn step(&mut self, phase: Phase) {
        let span = *self.random.pick(&[0, 0, 1, 100, 3_000, 12_000, 35_000, 90_000]);
        self.clock.advance(Duration::from_millis(span));
        if self.clients.len() < 4 || self.random.chance(3) {
            return self.login(phase).await;
        }
        let which = self.random.below(self.clients.len());
        match self.random.below(100) {
            0..50 => self.refresh(phase, which, 1).await,
            50..65 => self.refresh(phase, which, 2).await,
            65..75 => self.use_access_token(phase, which).await,
            75..82 => self.set_claims(phase, which).await,
            82..88 => self.thief(phase, which).await,
            88..92 => self.revoke(phase, which).await,
            92..94 => self.revoke_all(phase, which).await,
            _ => self.list(phase, which).await,
        }
    }

    fn fail(&self, phase: Phase, what: &str) -> ! {
        let last = self.log.len().saturating_sub(40);
        panic!("{phase:?}: {what}; before that:\n{}", self.log[last..].join("\n"));
    }

    /// The newest token of a session in one or several tabs at the same time.
    async fn refresh(&mut self, phase: Phase, which: usize, tabs: usize) {
        let processes = [self.process(phase), self.process(phase)];
        let client = &self.clients[which];
        let tabs = if phase == Phase::MovingAndAfter && client.interrupted { 1 } else { tabs };
        let policy = policy();
        let present = async |process: &Arc<dyn SessionStore>| {
            let token = &client.token.claims;
            process.refresh(&client.subject, &client.id, token, &policy, None).await
        };
        let answers = match tabs {
            1 => vec![present(&processes[0]).await],
            _ => {
                let (one, two) = tokio::join!(present(&processes[0]), present(&processes[1]));
                vec![one, two]
            }
        };
        let (id, now) = (client.id, self.clock.now());
        self.log.push(format!("{now:?} refresh {id} at {phase:?}: {answers:?}"));
        let mut children = Vec::new();
        for answer in answers {
            match answer {
                Err(_) => {
                    self.clients[which].interrupted = true;
                    self.count("a refresh failed");
                }
                Ok(Some(Refreshed { decision, notes, .. })) => match decision {
                    Decision::Rotate(child) | Decision::Replay(child) => {
                        let client = &self.clients[which];
                        if client.revoked {
                            self.fail(phase, "a revoked session was refreshed");
                        }
                        let told = notes.claims.map(|claims| claims.json.into_string());
                        if client.claims.is_some() && told != client.claims {
                            self.fail(phase, &format!("claims {told:?}, not {:?}", client.claims));
                        }
                        children.push(child);
                    }
                    // Between the end of a child's grace and the next child.
                    Decision::Superseded => self.count("a refresh has to wait"),
                    other => self.ended(phase, which, &format!("{other:?}")),
                },
                Ok(None) => self.ended(phase, which, "unknown"),
            }
        }
        if let [one, two] = &children[..] {
            self.count("two tabs");
            if one.family_position != two.family_position || one.issued_at != two.issued_at {
                self.fail(phase, "two tabs got different tokens");
            }
        }
        // Otherwise the response was lost.
        if let Some(child) = children.pop().filter(|_| self.random.chance(75)) {
            self.count("refreshed");
            let client = &mut self.clients[which];
            let child = client.token.child(&child);
            let used = std::mem::replace(&mut client.token, child);
            client.stolen.get_or_insert(used);
        }
    }

    /// The client's newest token was not accepted.
    fn ended(&mut self, phase: Phase, which: usize, why: &str) {
        let client = &self.clients[which];
        if !client.revoked && !client.doubtful {
            self.fail(phase, &format!("an honest client was signed out: {why}"));
        }
        self.count("an ended session was refused");
    }

    async fn use_access_token(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let client = &self.clients[which];
        let family_position = client.token.family_position();
        let token_use = AccessTokenUse { family_position, denied: false };
        let scope = TheftScope::Session;
        let outcome = process.record_use(&client.subject, &client.id, &token_use, scope).await;
        self.log.push(format!("use of {} at {phase:?}: {outcome:?}", client.id));
        match outcome {
            Err(_) => self.clients[which].interrupted = true,
            Ok(Some(UseOutcome::ChildInUse | UseOutcome::Unchanged)) if !client.revoked => {
                self.count("an access token was used");
            }
            other => self.ended(phase, which, &format!("{other:?}")),
        }
    }

    async fn set_claims(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let claims = format!(r#"{{"number":{}}}"#, self.random.below(1_000_000));
        let client = &mut self.clients[which];
        let outcome = process.set_claims(&client.subject, &client.id, &claims).await;
        self.log.push(format!("claims {claims} of {} at {phase:?}: {outcome:?}", client.id));
        match outcome {
            Ok(true) if client.revoked => self.fail(phase, "claims for a revoked session"),
            Ok(true) => client.claims = Some(claims),
            Ok(false) => self.ended(phase, which, "no claims"),
            // Perhaps they are in one of the stores.
            Err(_) => client.claims = None,
        }
    }

    /// A token that was used long ago, or the one before the newest within the grace.
    async fn thief(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let policy = policy();
        let client = &mut self.clients[which];
        let Some(stolen) = client.stolen.take() else { return };
        // The child of the stolen token was accepted.
        if client.token.claims.generation < stolen.claims.generation + 2 {
            client.stolen = Some(stolen);
            return;
        }
        let token = &stolen.claims;
        let outcome = process.refresh(&client.subject, &client.id, token, &policy, None).await;
        self.log.push(format!("theft of {} at {phase:?}: {outcome:?}", client.id));
        match outcome.map(|it| it.map(|it| it.decision)) {
            Err(_) => client.doubtful = true,
            Ok(Some(Decision::Reuse(_))) => {
                client.revoked = true;
                self.count("a theft was detected");
            }
            Ok(Some(Decision::Revoked(_)) | None) if client.revoked || client.doubtful => {}
            Ok(Some(Decision::Superseded)) => {}
            other => self.fail(phase, &format!("a stolen token got {other:?}")),
        }
    }

    async fn revoke(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let client = &mut self.clients[which];
        let outcome = process.revoke(&client.subject, &client.id, RevocationReason::Logout).await;
        self.log.push(format!("logout of {} at {phase:?}: {outcome:?}", client.id));
        match outcome.map(|it| it.outcome) {
            Err(_) => client.doubtful = true,
            Ok(RevocationOutcome::Revoked) if !client.revoked => client.revoked = true,
            Ok(RevocationOutcome::AlreadyRevoked { .. }) if client.revoked || client.doubtful => {
                client.revoked = true;
            }
            // The former store does not know yet what a process without it has revoked.
            Ok(RevocationOutcome::Revoked) if phase == Phase::MovingAndAfter => {}
            // Where it is over, the new store need not have it.
            Ok(RevocationOutcome::Unknown) if client.revoked || client.doubtful => {}
            Ok(other) => self.fail(phase, &format!("a logout was answered {other:?}")),
        }
        self.count("logouts");
    }

    async fn revoke_all(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let subject = self.clients[which].subject.clone();
        let except = self.random.chance(50).then_some(self.clients[which].id);
        let filter = SessionFilter { except, created_before: None };
        let outcome =
            process.revoke_all(&subject, &filter, RevocationReason::LogoutEverywhere).await;
        self.log.push(format!("all of {subject} but {except:?} at {phase:?}: {outcome:?}"));
        let is_acknowledged = outcome.is_ok();
        for client in self.clients.iter_mut().filter(|it| it.subject == subject) {
            if Some(client.id) != except {
                client.revoked |= is_acknowledged;
                client.doubtful = true;
            }
        }
    }

    async fn list(&mut self, phase: Phase, which: usize) {
        let process = self.process(phase);
        let client = &self.clients[which];
        let Ok(sessions) = process.list(&client.subject).await else { return };
        let now = self.clock.now();
        for client in self.clients.iter().filter(|it| it.subject == client.subject) {
            let stored = sessions.iter().find(|stored| stored.id == client.id);
            let is_live = stored.is_some_and(|stored| stored.record.is_live(now));
            if is_live == client.revoked && !client.doubtful || is_live && client.revoked {
                self.fail(phase, &format!("{} is listed as {stored:?}", client.id));
            }
        }
    }

    /// Copies all sessions, as `copy_sessions` does. Is interrupted, and repeated until it succeeds.
    async fn copy(&mut self) {
        for attempt in 0.. {
            if attempt == 5 {
                self.failures.store(0, Ordering::Relaxed);
            }
            let mut succeeded = true;
            for number in 0..3 {
                let subject = Subject::new(format!("user {number}")).expect("a user");
                let copied = async {
                    let sessions = self.former.list(&subject).await?;
                    self.new.import(&subject, &sessions).await
                };
                succeeded &= copied.await.is_ok();
            }
            if succeeded {
                self.clients.iter_mut().for_each(|client| client.interrupted = false);
                return;
            }
        }
    }

    async fn run(&mut self) {
        for phase in [
            Phase::Before,
            Phase::BeforeAndMoving,
            Phase::Moving,
            Phase::MovingAndAfter,
            Phase::After,
        ] {
            if phase == Phase::MovingAndAfter {
                self.copy().await;
            }
            for _ in 0..40 {
                let failures = *self.random.pick(&[0, 0, 5, 20]);
                self.failures.store(failures, Ordering::Relaxed);
                self.step(phase).await;
            }
        }
        self.failures.store(0, Ordering::Relaxed);
        for which in 0..self.clients.len() {
            self.refresh(Phase::After, which, 1).await;
        }
    }

    /// While the processes of the move still run, the app goes back to the former store.
    async fn go_back(&mut self) {
        for phase in [Phase::Before, Phase::BeforeAndMoving, Phase::Moving] {
            for _ in 0..40 {
                let failures = *self.random.pick(&[0, 0, 5, 20]);
                self.failures.store(failures, Ordering::Relaxed);
                self.step(phase).await;
            }
        }
        self.failures.store(0, Ordering::Relaxed);
        for which in 0..self.clients.len() {
            self.refresh(Phase::Before, which, 1).await;
        }
    }
}

fn policy() -> regrant::session::RefreshPolicy {
    let mut policy = SessionPolicy::default();
    policy.grace = GRACE;
    policy.unused_grace = Some(UNUSED_GRACE);
    policy.idle_ttl = Duration::from_secs(7200);
    policy.for_refresh(Some(true))
}

const HISTORIES: usize = 150;

#[tokio::test]
async fn nobody_is_signed_out_and_nothing_revoked_comes_back() {
    let mut random = Random::new(seed());
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for _ in 0..HISTORIES {
        let mut world = World::new(Random::new(random.next()));
        world.run().await;
        for (what, count) in world.counts {
            *counts.entry(what).or_default() += count;
        }
    }
    for what in [
        "refreshed",
        "two tabs",
        "a refresh failed",
        "an ended session was refused",
        "an access token was used",
        "a theft was detected",
        "logouts",
    ] {
        assert!(counts.get(what).is_some_and(|count| *count > 20), "{what}: {counts:?}");
    }
}

#[tokio::test]
async fn an_app_that_goes_back_has_lost_nothing() {
    let mut random = Random::new(seed());
    for _ in 0..HISTORIES {
        World::new(Random::new(random.next())).go_back().await;
    }
}
