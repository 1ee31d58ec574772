//! What is stored of a session beside its record: claims that the app changed, and where the login and
//! the latest refresh came from.

use regrant::session::{ClientDetails, Decision, SessionNotes, SessionPolicy, TokenSecret};
use regrant::store::{Refreshed, SessionFilter};
use regrant::types::{Clock, RevocationReason, SessionId};

use super::fixture::{Fixture, GRACE, HOUR, MINUTE, Session};

/// As long as they can be, with characters that JSON escapes and that are no ASCII.
pub(super) fn client(address: &str) -> ClientDetails {
    ClientDetails::default().address(address).user_agent(&"\"é\\".repeat(99))
}

pub(super) async fn login(at: &Fixture, address: &str) -> Session {
    at.login_as("alice", |new| new.client = Some(client(address))).await.0
}

/// Presents the newest token of a session, with the client of the request.
pub(super) async fn present(
    at: &Fixture,
    session: &Session,
    from: Option<&ClientDetails>,
) -> Refreshed {
    let policy = SessionPolicy::default().for_refresh(None);
    let (subject, token) = (&session.subject, &session.token.claims);
    let answer = at.store.refresh(subject, &session.id, token, &policy, from).await;
    answer.expect("the store answers").expect("a known session")
}

pub(super) async fn notes(at: &Fixture, session: &Session) -> SessionNotes {
    at.record(session).await.expect("a listed session").notes
}

pub(super) async fn set_claims(at: &Fixture, session: &Session, claims: &str) -> bool {
    let answer = at.store.set_claims(&session.subject, &session.id, claims).await;
    answer.expect("the store answers")
}

pub async fn the_clients_of_login_and_latest_refresh_are_stored(at: &Fixture) {
    let mut session = login(at, "192.0.2.1").await;
    let other = at.login("alice").await;
    let of_login = SessionNotes {
        created_from: Some(Box::new(client("192.0.2.1"))),
        ..SessionNotes::default()
    };
    assert_eq!(notes(at, &session).await, of_login);
    for address in ["192.0.2.2", "2001:db8::1"] {
        let Decision::Rotate(child) = present(at, &session, Some(&client(address))).await.decision
        else {
            panic!("expected a child");
        };
        // A replay from another client changes nothing.
        present(at, &session, Some(&client("192.0.2.99"))).await;
        let refreshed_from = Some(Box::new(client(address)));
        assert_eq!(notes(at, &session).await, SessionNotes { refreshed_from, ..of_login.clone() });
        session.token = session.token.child(&child);
        at.wait(MINUTE);
    }
    // Unknown clients leave what is known, and so do use, revocation and a repeated login.
    let before =
        SessionNotes { refreshed_from: Some(Box::new(client("2001:db8::1"))), ..of_login.clone() };
    at.refresh(&mut session).await;
    at.record_use(&session, &session.token.clone(), false).await;
    let secret = TokenSecret::from_bytes([session.id.as_bytes()[0] ^ 0x80; 32]);
    let again = at.new_session(&secret, "a device");
    let again = at.store.create(&session.subject, &session.id, &again).await;
    assert_eq!(again.expect("the store answers").record.notes, before);
    at.revoke(&session, RevocationReason::Logout).await;
    assert_eq!(notes(at, &session).await, before);
    assert_eq!(notes(at, &other).await, SessionNotes::default());
}

pub async fn a_refused_refresh_is_not_the_latest(at: &Fixture) {
    let mut session = login(at, "192.0.2.1").await;
    let stolen = session.clone();
    at.refresh(&mut session).await;
    at.refresh(&mut session).await;
    let before = notes(at, &session).await;
    let superseded = present(at, &stolen, Some(&client("192.0.2.66"))).await;
    assert_eq!(superseded.decision, Decision::Superseded);
    at.wait(GRACE + MINUTE);
    let reused = present(at, &stolen, Some(&client("192.0.2.66"))).await;
    assert!(matches!(reused.decision, Decision::Reuse(_)), "{reused:?}");
    assert_eq!(reused.notes, before, "the notes of a reuse are those before it");
    assert_eq!(notes(at, &session).await, before);
}

pub async fn a_refresh_tells_the_claims_that_were_set_last(at: &Fixture) {
    let mut session = login(at, "192.0.2.1").await;
    let other = at.login("alice").await;
    assert_eq!(present(at, &session, None).await.notes.claims, None);
    let long = format!(r#"{{"text":"{}"}}"#, r#"\"é"#.repeat(500));
    let mut last = None;
    // Twice at the same time, and once by a clock that was set back.
    for (claims, is_set_back) in [(r#"{"a":1}"#, false), (&long, false), ("{}", true)] {
        if is_set_back {
            at.clock.set(at.clock.now().minus(MINUTE));
        }
        assert!(set_claims(at, &session, claims).await);
        let told = present(at, &session, None).await.notes.claims.expect("claims");
        assert_eq!(&*told.json, claims);
        assert!(Some(told.at) > last, "{told:?} after {last:?}");
        assert_eq!(notes(at, &session).await.claims.as_deref(), Some(&*told));
        last = Some(told.at);
        let (Decision::Rotate(child) | Decision::Replay(child)) =
            present(at, &session, None).await.decision
        else {
            panic!("expected a child");
        };
        session.token = session.token.child(&child);
    }
    assert_eq!(present(at, &session, None).await.notes.claims.map(|it| it.at), last);
    assert_eq!(notes(at, &other).await.claims, None);
}

pub async fn only_live_sessions_get_claims(at: &Fixture) {
    let (idle, revoked) = (at.login("alice").await, at.login("alice").await);
    let another = at.login("bob").await;
    at.revoke(&revoked, RevocationReason::Logout).await;
    assert!(!set_claims(at, &revoked, "{}").await);
    let of_nobody = Session { id: SessionId::from_bytes([77; 16]), ..idle.clone() };
    assert!(!set_claims(at, &of_nobody, "{}").await);
    let of_bob = Session { id: another.id, ..idle.clone() };
    assert!(!set_claims(at, &of_bob, "{}").await);
    assert!(set_claims(at, &another, "{}").await);
    at.wait(HOUR);
    assert!(!set_claims(at, &idle, "{}").await);
    for session in [&idle, &revoked] {
        assert_eq!(notes(at, session).await.claims, None);
    }
}

pub async fn a_new_session_of_an_expired_id_has_none_of_its_notes(at: &Fixture) {
    let session = login(at, "192.0.2.1").await;
    present(at, &session, Some(&client("192.0.2.2"))).await;
    assert!(set_claims(at, &session, "{}").await);
    at.wait(HOUR * 11);
    let (new, _) = at.login_with_id("alice", session.id, |_| {}).await;
    assert_eq!(notes(at, &new).await, SessionNotes::default());
    let all = SessionFilter::ALL;
    at.revoke_all(&new.subject, all, RevocationReason::Administrative).await;
    assert_eq!(notes(at, &new).await, SessionNotes::default());
}
