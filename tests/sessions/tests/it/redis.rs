//! Behaviour specific to Redis: timeouts, outages, key expiry, and a dump without secrets.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::AsyncCommands;
use regrant::Error;
use regrant::session::{
    AccessTokenUse, Decision, DeviceLabel, NewSession, Record, ReuseEvidence, SessionPolicy,
    TheftScope, TokenSecret, UseOutcome,
};
use regrant::store::{SessionFilter, SessionStore};
use regrant::types::{Clock, ManualClock, RevocationReason, SessionId, Subject, SystemClock};
use regrant_model::token::Token;
use regrant_session_tests::backends::{clock, patient_store, redis_store};
use regrant_test_support::{RedisOptions, RedisServer};

type Store = Arc<dyn SessionStore>;

const DAY: Duration = Duration::from_secs(86_400);
/// No operation may take longer than this while Redis is down.
const QUICKLY: Duration = Duration::from_secs(15);

fn alice() -> Subject {
    Subject::new("alice").unwrap()
}

fn id(number: u8) -> SessionId {
    SessionId::from_bytes([number; 16])
}

fn new_session(secret: &TokenSecret, absolute_ttl: Duration) -> NewSession {
    NewSession {
        id: secret.id(),
        idle_ttl: absolute_ttl.min(DAY),
        absolute_ttl,
        device: DeviceLabel::default(),
        max_sessions: None,
        legacy_login: None,
        client: None,
    }
}

async fn login(store: &Store, session: SessionId) -> Token {
    let secret = TokenSecret::random().unwrap();
    let record = store.create(&alice(), &session, &new_session(&secret, DAY)).await.unwrap().record;
    Token::of_login(secret, &record)
}

async fn refresh(store: &Store, session: SessionId, token: &Token) -> Result<Decision, Error> {
    let policy = SessionPolicy::default().for_refresh(Some(true));
    let answer = store.refresh(&alice(), &session, &token.claims, &policy, None).await?;
    Ok(answer.expect("a known session").decision)
}

async fn plain(server: &RedisServer) -> redis::aio::MultiplexedConnection {
    let client = redis::Client::open(server.url()).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// Retries until Redis is available again, which must be soon: every request opens a connection.
async fn until_it_answers(store: &Store, session: SessionId, token: &Token) -> Decision {
    let since = Instant::now();
    loop {
        match refresh(store, session, token).await {
            Ok(decision) => return decision,
            Err(Error::StoreUnavailable { .. }) => assert!(since.elapsed() < QUICKLY * 3),
            Err(other) => panic!("{other:?}"),
        }
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn the_server_clock_is_used() {
    let server = RedisServer::start().unwrap();
    let store = redis_store(&server, "own:", None);
    let before = SystemClock.now();
    let mut token = login(&store, id(1)).await;
    let after = SystemClock.now();
    assert!((before..=after).contains(&token.claims.issued_at), "{before:?} {token:?} {after:?}");
    for generation in 1..=5 {
        let Decision::Rotate(issued_child) = refresh(&store, id(1), &token).await.unwrap() else {
            panic!("expected a child");
        };
        assert_eq!(refresh(&store, id(1), &token).await.unwrap(), Decision::Replay(issued_child));
        // Many within one millisecond: each is issued after its parent nevertheless.
        assert!(issued_child.issued_at > token.claims.issued_at);
        assert!(
            issued_child.issued_at <= SystemClock.now().plus(Duration::from_millis(generation))
        );
        token = token.child(&issued_child);
    }
    let token_use = AccessTokenUse { family_position: token.family_position(), denied: false };
    let seen = store.record_use(&alice(), &id(1), &token_use, TheftScope::Session).await.unwrap();
    assert_eq!(seen, Some(UseOutcome::ChildInUse));
    store.revoke(&alice(), &id(1), RevocationReason::Logout).await.unwrap();
    let listed = store.list(&alice()).await.unwrap();
    assert!(!listed[0].record.is_live(SystemClock.now()));
}

#[tokio::test]
async fn a_key_expires_with_its_longest_session() {
    let server = RedisServer::start().unwrap();
    let store = redis_store(&server, "ttl:", None);
    let mut raw = plain(&server).await;
    // The longest is neither the first nor the last.
    for (number, days) in [(1, 2), (2, 90), (3, 1)] {
        let secret = TokenSecret::random().unwrap();
        let new = new_session(&secret, DAY * days);
        let record = store.create(&alice(), &id(number), &new).await.unwrap().record;
        let token = Token::of_login(secret, &record);
        assert!(matches!(refresh(&store, id(number), &token).await, Ok(Decision::Rotate(_))));
    }
    store.revoke(&alice(), &id(1), RevocationReason::Logout).await.unwrap();
    let reason = RevocationReason::LogoutEverywhere;
    store.revoke_all(&alice(), &SessionFilter::ALL, reason).await.unwrap();
    let longest = store.list(&alice()).await.unwrap();
    let longest = longest.iter().map(|stored| stored.record.expires_at).max().unwrap();
    // Expired sessions are kept for a while.
    let longest = longest.plus(Record::RETENTION);
    let ends: i64 =
        redis::cmd("PEXPIRETIME").arg("ttl:u:alice").query_async(&mut raw).await.unwrap();
    assert!(ends >= longest.as_millis(), "ends at {ends}, before {longest:?}");
    assert!(ends <= longest.as_millis() + 1_000, "ends at {ends}, long after {longest:?}");

    let short = TokenSecret::random().unwrap();
    let subject = Subject::new("short").unwrap();
    let ttl = Duration::from_millis(1);
    store.create(&subject, &id(1), &new_session(&short, ttl)).await.unwrap();
    let left: i64 = redis::cmd("PTTL").arg("ttl:u:short").query_async(&mut raw).await.unwrap();
    assert!(0 < left && left <= Record::RETENTION.as_millis() as i64 + 1, "{left} ms are left");
}

#[tokio::test]
async fn scripts_flushed_by_redis_are_loaded_again() {
    let server = RedisServer::start().unwrap();
    let store = redis_store(&server, "flush:", None);
    let mut raw = plain(&server).await;
    let mut token = login(&store, id(1)).await;
    for _ in 0..5 {
        let () = redis::cmd("SCRIPT").arg("FLUSH").query_async(&mut raw).await.unwrap();
        let Decision::Rotate(issued_child) = refresh(&store, id(1), &token).await.unwrap() else {
            panic!("expected a child");
        };
        token = token.child(&issued_child);
    }
}

#[tokio::test]
async fn a_redis_outage_signs_nobody_out() {
    let mut server = RedisOptions::new().append_only().start().unwrap();
    let store = patient_store(&server, "outage:", None);
    let token = login(&store, id(1)).await;
    let Decision::Rotate(issued_child) = refresh(&store, id(1), &token).await.unwrap() else {
        panic!("expected a child");
    };
    for _ in 0..2 {
        server.kill();
        for _ in 0..3 {
            let since = Instant::now();
            let answer = refresh(&store, id(1), &token).await;
            assert!(matches!(answer, Err(Error::StoreUnavailable { .. })), "{answer:?}");
            assert!(since.elapsed() < QUICKLY, "{:?}", since.elapsed());
        }
        let listed = store.list(&alice()).await;
        assert!(matches!(listed, Err(Error::StoreUnavailable { .. })), "{listed:?}");
        server.restart().unwrap();
        let again = until_it_answers(&store, id(1), &token).await;
        assert_eq!(again, Decision::Replay(issued_child));
    }
}

#[tokio::test]
async fn an_unresponsive_server_causes_a_timeout() {
    let server = RedisServer::start().unwrap();
    let store = redis_store(&server, "quiet:", None);
    let token = login(&store, id(1)).await;
    server.pause().unwrap();
    let since = Instant::now();
    let answer = refresh(&store, id(1), &token).await;
    assert!(matches!(answer, Err(Error::StoreUnavailable { .. })), "{answer:?}");
    assert!(since.elapsed() < QUICKLY, "{:?}", since.elapsed());
    server.resume().unwrap();
    // The request above may have been executed after all: then the same child is returned.
    let decision = until_it_answers(&store, id(1), &token).await;
    assert!(matches!(decision, Decision::Rotate(_) | Decision::Replay(_)), "{decision:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_refreshes_across_a_server_kill_make_one_child() {
    let mut server = RedisOptions::new().append_only().start().unwrap();
    let store = patient_store(&server, "between:", None);
    let token = login(&store, id(1)).await;
    let (answered, mut first_answer) = tokio::sync::mpsc::channel(50);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, token, answered) = (Arc::clone(&store), token.clone(), answered.clone());
        tasks.spawn(async move {
            let decision = refresh(&store, id(1), &token).await;
            answered.send(()).await.unwrap();
            decision
        });
    }
    first_answer.recv().await.unwrap();
    server.kill();
    server.restart().unwrap();
    let mut children = BTreeSet::new();
    let mut note = |decision| match decision {
        Decision::Rotate(issued_child) | Decision::Replay(issued_child) => children.insert((
            issued_child.family_position,
            issued_child.issued_at,
            issued_child.expires_at,
        )),
        other => panic!("{other:?}"),
    };
    for answer in tasks.join_all().await {
        match answer {
            Ok(decision) => drop(note(decision)),
            Err(Error::StoreUnavailable { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    note(until_it_answers(&store, id(1), &token).await);
    assert_eq!(children.len(), 1, "{children:?}");
}

#[tokio::test]
async fn a_damaged_record_is_an_error_and_not_an_unknown_session() {
    let server = RedisServer::start().unwrap();
    let store = redis_store(&server, "damaged:", None);
    let token = login(&store, id(1)).await;
    let mut raw = plain(&server).await;
    for damaged in [&b""[..], b"\x01\x00\x00", &[2; 57]] {
        let () = raw.hset("damaged:u:alice", id(1).as_bytes(), damaged).await.unwrap();
        let answer = refresh(&store, id(1), &token).await;
        assert!(answer.is_err(), "{answer:?}");
        assert!(store.list(&alice()).await.is_err());
    }
}

#[tokio::test]
async fn a_dump_contains_no_secret() {
    let server = RedisServer::start().unwrap();
    let at = clock();
    let store = redis_store(&server, "dump:", Some(Arc::clone(&at) as Arc<dyn Clock>));
    let mut secrets: Vec<[u8; 32]> = Vec::new();
    let mut busy = Vec::new();
    for number in 1..=20 {
        let mut token = login(&store, id(number)).await;
        for round in 0..10 {
            secrets.push(*token.secret.expose());
            advance(&at, round);
            let Decision::Rotate(issued_child) = refresh(&store, id(number), &token).await.unwrap()
            else {
                panic!("expected a child");
            };
            token = token.child(&issued_child);
            let token_use =
                AccessTokenUse { family_position: token.family_position(), denied: false };
            store.record_use(&alice(), &id(number), &token_use, TheftScope::Session).await.unwrap();
        }
        secrets.push(*token.secret.expose());
        busy.push(token);
    }
    // Revoked sessions are kept as well.
    let mut old = busy[0].clone();
    old.claims.generation = 1;
    let theft = Decision::Reuse(ReuseEvidence::OlderToken);
    assert_eq!(refresh(&store, id(1), &old).await.unwrap(), theft);
    store.revoke(&alice(), &id(2), RevocationReason::Logout).await.unwrap();

    let mut raw = plain(&server).await;
    let mut dump: Vec<Vec<u8>> = raw.keys("*").await.unwrap();
    assert_eq!(dump, [b"dump:u:alice"]);
    let fields: Vec<Vec<u8>> = raw.hgetall("dump:u:alice").await.unwrap();
    assert_eq!(fields.len(), 40);
    dump.extend(fields);
    dump.push(redis::cmd("DUMP").arg("dump:u:alice").query_async(&mut raw).await.unwrap());
    for secret in &secrets {
        let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        for needle in [&secret[..16], &secret[16..], hex.as_bytes(), base64(secret).as_bytes()] {
            let held = |bytes: &Vec<u8>| bytes.windows(needle.len()).any(|part| part == needle);
            assert!(!dump.iter().any(held), "a secret is stored in Redis");
        }
    }
    // The search itself works.
    let stored = *busy[5].claims.parent.unwrap().as_bytes();
    assert!(dump.iter().any(|bytes| bytes.windows(16).any(|part| part == stored)));
}

fn advance(clock: &ManualClock, round: u64) {
    clock.advance(Duration::from_secs(round * 7));
}

/// The first 40 base64url characters, in which a token encodes its secret.
fn base64(secret: &[u8; 32]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let digit = |bits: u32| char::from(DIGITS[(bits & 63) as usize]);
    secret
        .chunks_exact(3)
        .flat_map(|three| {
            let bits = u32::from(three[0]) << 16 | u32::from(three[1]) << 8 | u32::from(three[2]);
            [digit(bits >> 18), digit(bits >> 12), digit(bits >> 6), digit(bits)]
        })
        .collect()
}
