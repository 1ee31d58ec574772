//! Subjects and device labels in any script.

use regrant::session::{DeviceLabel, TokenSecret};
use regrant::store::SessionFilter;
use regrant::types::{SessionId, Subject};

use super::fixture::{Fixture, Session};
use regrant_model::token::Token;

/// Users whose names have a meaning for one store or another.
const USERS: [&str; 9] = [
    "user name",
    "{alice}",
    "a}b{c",
    "사용자 \"1\"",
    "o'hara; DROP TABLE sessions",
    "*",
    "alice\\0",
    "u:alice:1",
    "🔑",
];

/// Device labels, up to the longest.
const DEVICES: [&str; 4] =
    ["", "민수의 갤럭시 S24", "Léa's Mac “Pro” 🚀", "가나다라마바사아자차카타파하갸냐댜랴먀뱌샤!"];

pub async fn labels_and_users_of_any_script(at: &Fixture) {
    assert_eq!(DEVICES[3].len(), DeviceLabel::MAX_BYTES);
    for (number, user) in (0u8..).zip(USERS) {
        let subject = Subject::new(user).unwrap();
        for (sub_number, device) in (0u8..).zip(DEVICES) {
            let id = SessionId::from_bytes([number * 16 + sub_number; 16]);
            let secret = TokenSecret::from_bytes([number * 16 + sub_number; 32]);
            let new = at.new_session(&secret, device);
            let record = at.store.create(&subject, &id, &new).await.unwrap().record;
            assert_eq!(record.device.as_str(), device);
            let token = Token::of_login(secret, &record);
            let mut session = Session { subject: subject.clone(), id, token };
            at.refresh(&mut session).await;
            assert_eq!(at.record(&session).await.unwrap().device.as_str(), device);
        }
        assert_eq!(at.store.list(&subject).await.unwrap().len(), DEVICES.len(), "{user}");
    }
}

pub async fn users_do_not_share_anything(at: &Fixture) {
    let long = "x".repeat(Subject::MAX_BYTES);
    let names = ["Alice", "alice", "alice ", "alice*", "alice\u{301}", "alicé", &long, &long[1..]];
    for name in names {
        at.login(name).await;
    }
    for name in names {
        let subject = Subject::new(name).unwrap();
        assert_eq!(at.store.list(&subject).await.unwrap().len(), 1, "{name}");
    }
    let alice = Subject::new("alice").unwrap();
    let reason = regrant::types::RevocationReason::LogoutEverywhere;
    let [revoked, _] = at.revoke_all(&alice, SessionFilter::ALL, reason).await;
    assert_eq!(revoked.len(), 1);
    let other = Subject::new("Alice").unwrap();
    let records = at.store.list(&other).await.unwrap();
    assert!(records[0].record.is_live(regrant::types::Clock::now(&*at.clock)));
}
