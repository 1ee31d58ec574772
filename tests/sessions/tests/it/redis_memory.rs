//! The memory of a session in Redis: one compact allocation per user, with any label.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use regrant::session::{Decision, DeviceLabel, NewSession, SessionPolicy, TokenSecret};
use regrant::types::{Clock, SessionId, Subject};
use regrant_model::token::Token;
use regrant_session_tests::backends::{clock, redis_store};
use regrant_test_support::RedisServer;

fn id(number: u32) -> SessionId {
    let [a, b, c, d] = number.to_be_bytes();
    SessionId::from_bytes([a, b, c, d, 0, 0, 0, 0, 0, 0, 0, 0, a, b, c, d])
}

fn new_session(secret: &TokenSecret, label: &str) -> NewSession {
    let policy = SessionPolicy::default();
    NewSession {
        id: secret.id(),
        idle_ttl: policy.idle_ttl,
        absolute_ttl: policy.absolute_ttl,
        device: DeviceLabel::new(label).unwrap(),
        max_sessions: policy.max_sessions,
        legacy_login: None,
        client: None,
    }
}

async fn ask<T: redis::FromRedisValue>(server: &RedisServer, question: &str, key: &str) -> T {
    let client = redis::Client::open(server.url()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let mut command = redis::Cmd::new();
    for word in question.split(' ').chain([key]) {
        command.arg(word);
    }
    command.query_async(&mut connection).await.unwrap()
}

#[tokio::test]
async fn a_full_user_with_the_longest_labels_stays_compact() {
    let server = RedisServer::start().unwrap();
    let at = clock();
    let store = redis_store(&server, "full:", Some(Arc::clone(&at) as Arc<dyn Clock>));
    let subject = Subject::new("user").unwrap();
    let label = "x".repeat(DeviceLabel::MAX_BYTES);
    let policy = SessionPolicy::default().for_refresh(None);
    for number in 0..120 {
        let secret = TokenSecret::random().unwrap();
        let new = new_session(&secret, &label);
        let created = store.create(&subject, &id(number), &new).await.unwrap();
        // The longest record: a second child, because the response with the first one was lost.
        let token = Token::of_login(secret, &created.record);
        for _ in 0..2 {
            at.advance(Duration::from_secs(11));
            store.refresh(&subject, &id(number), &token.claims, &policy, None).await.unwrap();
        }
    }
    let listed = store.list(&subject).await.unwrap();
    let most = SessionPolicy::default().max_sessions.map(NonZeroU32::get).unwrap();
    assert_eq!(listed.len(), 2 * usize::try_from(most).unwrap());
    assert!(listed.iter().all(|stored| stored.record.device.as_str() == label));
    assert_eq!(ask::<String>(&server, "OBJECT ENCODING", "full:u:user").await, "listpack");
    assert_eq!(ask::<usize>(&server, "HLEN", "full:u:user").await, 2 * listed.len());
}

#[tokio::test]
async fn a_record_with_one_session_is_one_small_allocation() {
    let server = RedisServer::start().unwrap();
    let at = clock();
    let store = redis_store(&server, "regrant:", Some(Arc::clone(&at) as Arc<dyn Clock>));
    let policy = SessionPolicy::default().for_refresh(None);
    // Key, name and value. One more byte in the value may cost 16 or 32 bytes of memory.
    for (user, label, most) in [("user-1234567", "", 152), ("user-7654321", &"x".repeat(40), 200)] {
        let subject = Subject::new(user).unwrap();
        let secret = TokenSecret::random().unwrap();
        let created = store.create(&subject, &id(1), &new_session(&secret, label)).await.unwrap();
        let mut token = Token::of_login(secret, &created.record);
        for _ in 0..3 {
            at.advance(Duration::from_secs(900));
            let answer =
                store.refresh(&subject, &id(1), &token.claims, &policy, None).await.unwrap();
            let Decision::Rotate(issued_child) = answer.unwrap().decision else {
                unreachable!("the newest token is presented")
            };
            token = token.child(&issued_child);
        }
        let taken: usize = ask(&server, "MEMORY USAGE", &format!("regrant:u:{user}")).await;
        assert!(taken <= most, "{user}: {taken} bytes");
    }
}
