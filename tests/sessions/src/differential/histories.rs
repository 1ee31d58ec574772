//! Random histories of a few users' sessions, in a store and in memory at once.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use regrant::session::{
    AccessTokenUse, ClientDetails, Decision, DeviceLabel, NewSession, Record, RefreshPolicy,
    TheftScope, TokenId, TokenSecret,
};
use regrant::store::{Created, MemoryStore, RevokedSessions, SessionFilter, SessionStore};
use regrant::types::{
    Clock, FamilyPosition, ManualClock, RevocationReason, SessionId, Subject, Timestamp,
};

use super::coverage::Coverage;
use super::random::Random;
use super::stored::{Encoded, StoredBytes, Tested};
use regrant_model::token::Token;

const DAY: i64 = 86_400_000;
/// Where the clock starts in turn: today, in 1970, and twice before the last instant of an encoded
/// record, once so that sessions expire there and once so that the clock passes it.
const ERAS: [i64; 4] = [1_800_000_000_000, 60_000, (1 << 48) - 2 * DAY, (1 << 48) - 60_000];
/// The number of operations in each era.
const ERA: usize = 1_000;
/// The number of tokens that are kept of a session.
const HELD: usize = 12;

/// A session and its latest tokens, oldest first.
#[derive(Debug)]
struct Held {
    user: usize,
    id: SessionId,
    tokens: Vec<Token>,
}

struct Pair {
    store: Arc<dyn SessionStore>,
    memory: MemoryStore,
    stored: Box<dyn StoredBytes>,
    clock: Arc<ManualClock>,
    users: Vec<Subject>,
    held: Vec<Held>,
    coverage: Coverage,
}

/// Runs at least this many random operations, with `covers_all` until every outcome has occurred.
pub async fn histories(tested: Tested, random: &mut Random, operations: usize) {
    let Tested { store, stored, clock, covers_all } = tested;
    let wanted = [Coverage::ANSWERS, Coverage::LOGINS];
    let wanted = if covers_all { &wanted[..] } else { &[] };
    let users = ["alice", "{bob} *"].map(|user| Subject::new(user).expect("a user")).to_vec();
    let mut pair = Pair {
        store,
        memory: MemoryStore::with_clock(Arc::clone(&clock) as Arc<dyn Clock>),
        stored,
        clock,
        users,
        held: Vec::new(),
        coverage: Coverage::default(),
    };
    let mut number = 0;
    while pair.coverage.needs_more(wanted, number, operations) {
        if number % ERA == 0 {
            let start = ERAS[number / ERA % ERAS.len()];
            pair.clock.set(Timestamp::from_millis(start));
            pair.held.clear();
        }
        pair.pass_time(random);
        let (user, what) = pair.operate(random).await;
        let when = format!("after operation {number}: {what}");
        pair.compare(user, &when).await;
        if number % 50 == 0 {
            pair.compare_all(&when).await;
        }
        number += 1;
    }
    pair.coverage.require(wanted);
}

pub(super) fn client(random: &mut Random) -> Option<ClientDetails> {
    let details = ClientDetails::default().address("2001:db8::1");
    let user_agents = ["", "a", "브라우저 \"1\""];
    let user_agent = *random.pick(&user_agents);
    random.chance(30).then(|| details.user_agent(user_agent))
}

fn in_order(mut answer: RevokedSessions) -> RevokedSessions {
    answer.revoked.sort();
    answer.already_revoked.sort();
    answer
}

impl Pair {
    fn pass_time(&self, random: &mut Random) {
        let span = match random.below(100) {
            0..30 => 0,
            30..50 => random.millis(10_000),
            50..62 => 10_000,
            62..80 => 10_001,
            80..88 => random.millis(60_000),
            88..93 => -random.millis(20_000),
            93..94 => -random.millis(DAY),
            94..98 => random.millis(DAY / 24),
            _ => random.millis(DAY / 2),
        };
        if self.clock.now() > Record::MAX_TIMESTAMP && random.chance(20) {
            self.clock.set(Timestamp::from_millis(ERAS[3]));
        }
        // Redis expires keys by its own clock. In the last seconds before the last instant it would
        // do so while the test's clock stands still.
        let left = Record::MAX_TIMESTAMP.since(self.clock.now());
        if !left.is_zero() && left < Duration::from_secs(5) {
            self.clock.advance(Duration::from_secs(10));
        }
        self.clock.set(Timestamp::from_millis((self.clock.now().as_millis() + span).max(0)));
    }

    async fn operate(&mut self, random: &mut Random) -> (usize, String) {
        if self.held.len() < 3 || random.chance(5) {
            return self.login(random).await;
        }
        let which = random.below(self.held.len());
        let user = self.held[which].user;
        let what = match random.below(1000) {
            0..760 => self.refresh(random, which).await,
            760..780 => self.set_claims(random, which).await,
            780..985 => self.record_use(random, which).await,
            985..997 => self.revoke(random, which).await,
            _ => self.revoke_all(random, which).await,
        };
        (user, what)
    }

    async fn login(&mut self, random: &mut Random) -> (usize, String) {
        let again = !self.held.is_empty() && random.chance(15);
        let (user, id) = if again {
            // Mostly the latest one, like a client that got no response.
            let which =
                if random.chance(70) { self.held.len() - 1 } else { random.below(self.held.len()) };
            (self.held[which].user, self.held[which].id)
        } else {
            (random.below(self.users.len()), SessionId::from_bytes(random.bytes()))
        };
        let secret = TokenSecret::from_bytes(random.bytes());
        let millis = |millis: i64| Duration::from_millis(millis.unsigned_abs());
        let new = NewSession {
            id: secret.id(),
            idle_ttl: millis(*random.pick(&[30_000, DAY, 400 * DAY])),
            absolute_ttl: *random.pick(&[
                millis(60_000),
                millis(DAY),
                millis(900 * DAY),
                Duration::MAX,
            ]),
            device: DeviceLabel::new(*random.pick(&["", "노트북", "x y"])).expect("a short label"),
            max_sessions: NonZeroU32::new(*random.pick(&[0, 0, 0, 0, 1, 2, 3])),
            legacy_login: random.chance(15).then(|| {
                Timestamp::from_millis(self.clock.now().as_millis() - random.millis(90_000) + 1_000)
            }),
            client: client(random),
        };
        let subject = &self.users[user];
        let before = self.memory.list(subject).await.expect("memory answers").len();
        let mut ours = self.memory.create(subject, &id, &new).await.expect("memory answers");
        let mut theirs = self.store.create(subject, &id, &new).await.expect("the store answers");
        ours.evicted.sort();
        theirs.evicted.sort();
        let what = format!("login {new:?} of {subject} {id} at {:?}", self.clock.now());
        assert_eq!(theirs, ours, "{what}");
        let Created { record: ours, evicted } = ours;
        self.stored.keep(subject).await;
        let (again, some) = (ours.id != secret.id(), !evicted.is_empty());
        self.coverage.create(again, some);
        if self.memory.list(subject).await.expect("memory answers").len()
            < before + usize::from(!again)
        {
            self.coverage.count("create: some deleted");
        }
        if ours.id == secret.id() {
            self.held.retain(|held| held.id != id);
            self.held.push(Held { user, id, tokens: vec![Token::of_login(secret, &ours)] });
        }
        if self.held.len() > 8 {
            self.held.remove(0);
        }
        (user, what)
    }

    async fn refresh(&mut self, random: &mut Random, which: usize) -> String {
        let grace = *random.pick(&[0, 10_000, 10_000, 10_000, 300_000]);
        let unused_grace = grace.max(*random.pick(&[0, 20_000, 60_000]));
        let policy = RefreshPolicy {
            grace: Duration::from_millis(grace),
            unused_grace: Duration::from_millis(unused_grace),
            idle_ttl: Duration::from_secs(*random.pick(&[20, 86_400, 86_400, 900 * 86_400])),
            rotate: random.chance(85),
            on_theft: if random.chance(10) { TheftScope::Subject } else { TheftScope::Session },
        };
        let (user, id) = (self.held[which].user, self.held[which].id);
        let token = self.choose(random, which);
        let asked = if random.chance(2) { random.below(self.users.len()) } else { user };
        let subject = &self.users[asked];
        let id = if random.chance(2) { SessionId::from_bytes(random.bytes()) } else { id };
        let from = client(random);
        let ours = self.memory.refresh(subject, &id, &token.claims, &policy, from.as_ref()).await;
        let theirs = self.store.refresh(subject, &id, &token.claims, &policy, from.as_ref()).await;
        let ours = ours.expect("memory answers");
        let now = self.clock.now();
        let what = format!("refresh {:?} {policy:?} of {subject} {id} at {now:?}", token.claims);
        assert_eq!(theirs.expect("the store answers"), ours, "{what}");
        let has_claims = ours.as_ref().is_some_and(|answer| answer.notes.claims.is_some());
        if has_claims {
            self.coverage.count("refresh: with claims");
        }
        let is_discarded = ours.as_ref().is_some_and(|answer| answer.discarded.is_some());
        let decision = ours.map(|answer| answer.decision);
        self.coverage.refresh(decision, is_discarded);
        if let Some(Decision::Rotate(issued_child) | Decision::Replay(issued_child)) = decision {
            let tokens = &mut self.held[which].tokens;
            tokens.push(token.child(&issued_child));
            if tokens.len() > HELD {
                tokens.remove(0);
            }
        }
        let over = decision
            .is_none_or(|decision| matches!(decision, Decision::Revoked(_) | Decision::Expired));
        if over && random.chance(35) {
            self.held.remove(which);
        }
        if asked != user {
            // The memory store has dropped what had expired there. Compare, because the clock may step
            // back.
            self.compare(asked, &what).await;
        }
        what
    }

    /// A token to try: mostly the newest, sometimes an older one, sometimes one made of parts.
    fn choose(&self, random: &mut Random, which: usize) -> Token {
        let held = &self.held[which];
        let newest = held.tokens.last().expect("never empty");
        match random.below(100) {
            0..60 => newest.clone(),
            60..75 => held.tokens[held.tokens.len().saturating_sub(2)].clone(),
            75..94 => random.pick(&held.tokens).clone(),
            _ => {
                let (a, b) = (random.pick(&held.tokens), random.pick(&held.tokens));
                let other = random.pick(&random.clone().pick(&self.held).tokens).clone();
                let mut token = a.clone();
                token.claims.generation =
                    b.claims.generation.saturating_add_signed(*random.pick(&[-1, 0, 0, 1, 2]));
                token.claims.branch =
                    b.claims.branch.saturating_add_signed(*random.pick(&[-1, 0, 0, 1]));
                token.claims.parent = *random.pick(&[
                    a.claims.parent,
                    b.claims.parent,
                    Some(b.claims.id),
                    Some(other.claims.id),
                    Some(TokenId::from_bytes(random.clone().bytes())),
                    None,
                ]);
                let at = self.clock.now().as_millis() + random.millis(40_000) - 20_000;
                token.claims.issued_at = Timestamp::from_millis(at);
                token
            }
        }
    }

    async fn record_use(&mut self, random: &mut Random, which: usize) -> String {
        let held = &self.held[which];
        let token = if random.chance(60) { held.tokens.last() } else { None };
        let token = token.unwrap_or_else(|| random.pick(&held.tokens));
        let family_position = if random.chance(90) {
            token.family_position()
        } else {
            let FamilyPosition { generation, branch } = token.family_position();
            FamilyPosition { generation: generation + 1, branch: branch + 1 }
        };
        let token_use = AccessTokenUse { family_position, denied: random.chance(3) };
        let scope = if random.chance(10) { TheftScope::Subject } else { TheftScope::Session };
        let subject = &self.users[held.user];
        let id = if random.chance(3) { SessionId::from_bytes(random.bytes()) } else { held.id };
        let ours = self.memory.record_use(subject, &id, &token_use, scope).await;
        let theirs = self.store.record_use(subject, &id, &token_use, scope).await;
        let ours = ours.expect("memory answers");
        let what = format!("record_use {token_use:?} of {subject} {id} at {:?}", self.clock.now());
        assert_eq!(theirs.expect("the store answers"), ours, "{what}");
        self.coverage.record_use(ours);
        what
    }

    async fn set_claims(&mut self, random: &mut Random, which: usize) -> String {
        let (subject, id) = (&self.users[self.held[which].user], self.held[which].id);
        let claims = *random.pick(&["{}", r#"{"role":"관리자 \"x\""}"#, r#"{ "12": 34 }"#]);
        let ours = self.memory.set_claims(subject, &id, claims).await.expect("memory answers");
        let theirs = self.store.set_claims(subject, &id, claims).await.expect("the store answers");
        let what = format!("set {claims} of {id} of {subject} at {:?}", self.clock.now());
        assert_eq!(theirs, ours, "{what}");
        self.coverage.count(if ours { "set claims" } else { "set claims: not live" });
        what
    }

    async fn revoke(&mut self, random: &mut Random, which: usize) -> String {
        let (subject, id) = (&self.users[self.held[which].user], self.held[which].id);
        let (reason, _) = *random.pick(RevocationReason::ALL);
        let ours = self.memory.revoke(subject, &id, reason).await.expect("memory answers");
        let theirs = self.store.revoke(subject, &id, reason).await.expect("the store answers");
        let what = format!("revoke {id} of {subject} for {reason} at {:?}", self.clock.now());
        assert_eq!(theirs, ours, "{what}");
        self.coverage.count("revoke");
        what
    }

    async fn revoke_all(&mut self, random: &mut Random, which: usize) -> String {
        let subject = &self.users[self.held[which].user];
        let (reason, _) = *random.pick(RevocationReason::ALL);
        let now = self.clock.now();
        let which = SessionFilter {
            except: random.chance(50).then_some(self.held[which].id),
            created_before: random
                .chance(50)
                .then(|| Timestamp::from_millis((now.as_millis() - random.millis(60_000)).max(0))),
        };
        let ours = self.memory.revoke_all(subject, &which, reason).await.expect("memory answers");
        let theirs =
            self.store.revoke_all(subject, &which, reason).await.expect("the store answers");
        let what = format!("revoke all of {subject} for {reason} at {now:?}: {which:?}");
        assert_eq!(in_order(theirs), in_order(ours), "{what}");
        self.coverage.count("revoke all");
        what
    }

    async fn compare_all(&mut self, when: &str) {
        for user in 0..self.users.len() {
            self.compare(user, when).await;
        }
    }

    /// Compares all that is stored of a user, first the bytes in the store and then the lists.
    async fn compare(&mut self, user: usize, when: &str) {
        let now = self.clock.now();
        let subject = self.users[user].clone();
        let stored = self.stored.records(&subject).await;
        let ours = self.memory.list(&subject).await.expect("memory answers");
        let ours: BTreeMap<_, _> =
            ours.iter().map(|stored| (stored.id, Encoded::of(&stored.record))).collect();
        let unexpired = |encoded: &Encoded| {
            now < encoded.decode().unwrap_or_else(|e| panic!("{when}: {e}")).expires_at
        };
        let theirs: BTreeMap<_, _> =
            stored.into_iter().filter(|(_, encoded)| unexpired(encoded)).collect();
        assert_eq!(theirs, ours, "{when}");
        let listed = self.store.list(&subject).await.expect("the store answers");
        let listed: BTreeMap<_, _> =
            listed.iter().map(|stored| (stored.id, Encoded::of(&stored.record))).collect();
        assert_eq!(listed, ours, "{when}");
    }
}
