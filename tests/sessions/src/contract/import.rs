//! Importing sessions of another store.

use std::collections::BTreeSet;
use std::sync::Arc;

use regrant::ErrorCode;
use regrant::session::TheftScope;
use regrant::store::{Imported, MemoryStore, UserCursor};
use regrant::types::{Clock, RevocationReason, SessionId};

use super::fixture::{Fixture, MINUTE};
use super::notes::{client, login, notes, present, set_claims};

/// Another store, with the same clock.
fn another(fixture: &Fixture) -> Fixture {
    let store = MemoryStore::with_clock(Arc::clone(&fixture.clock) as Arc<dyn Clock>);
    Fixture::new(Arc::new(store), Arc::clone(&fixture.clock), ())
}

pub async fn sessions_of_another_store_go_on(fixture: &Fixture) {
    let other = another(fixture);
    let mut moves = other.login("alice").await;
    other.refresh(&mut moves).await;
    other.refresh(&mut moves).await;
    let ends = other.login("alice").await;
    other.revoke(&ends, RevocationReason::Logout).await;
    let (unlabelled, _) = other.login_as("alice", |new| new.device = Default::default()).await;
    let sessions = other.store.list(&moves.subject).await.expect("memory answers");
    let import = async || fixture.store.import(&moves.subject, &sessions).await.expect("an import");
    // What is over stays where it is: the store may have deleted it.
    assert_eq!(import().await, Imported { added: 2, unchanged: 1, ..Imported::default() });
    assert_eq!(import().await, Imported { unchanged: 3, ..Imported::default() });
    assert_eq!(fixture.record(&ends).await, None);
    for session in [&moves, &unlabelled] {
        assert_eq!(fixture.record(session).await, other.record(session).await);
    }
    // The newest token works, and a stolen one does not.
    fixture.refresh(&mut moves).await;
    fixture.wait(MINUTE);
    fixture.refresh(&mut moves).await;
    // What is imported keeps for as long as the session.
    fixture.wait(MINUTE * 30);
    assert!(fixture.is_live(&unlabelled).await);
}

pub async fn what_both_stores_know_is_merged(fixture: &Fixture) {
    let other = another(fixture);
    let mut ahead_here = other.login("alice").await;
    let mut ahead_there = other.login("alice").await;
    let revoked_here = other.login("alice").await;
    let revoked_there = other.login("alice").await;
    let subject = ahead_here.subject.clone();
    let import = async || {
        let sessions = other.store.list(&subject).await.expect("memory answers");
        fixture.store.import(&subject, &sessions).await.expect("an import")
    };
    import().await;
    let first = ahead_here.token.clone();
    for _ in 0..3 {
        fixture.refresh(&mut ahead_here).await;
        other.refresh(&mut ahead_there).await;
    }
    fixture.revoke(&revoked_here, RevocationReason::Administrative).await;
    other.revoke(&revoked_there, RevocationReason::Logout).await;
    let before = [fixture.record(&ahead_here).await, fixture.record(&revoked_here).await];
    assert_eq!(import().await, Imported { updated: 2, unchanged: 2, ..Imported::default() });
    assert_eq!(before, [fixture.record(&ahead_here).await, fixture.record(&revoked_here).await]);
    assert_eq!(fixture.record(&ahead_there).await, other.record(&ahead_there).await);
    assert_eq!(fixture.record(&revoked_there).await, other.record(&revoked_there).await);
    fixture.refresh(&mut ahead_there).await;
    // Reuse is detected as before.
    fixture.wait(MINUTE);
    fixture.attempt(&ahead_here, &first.claims, true, TheftScope::Session).await;
    assert!(!fixture.is_live(&ahead_here).await);
}

pub async fn the_notes_of_both_stores_are_merged(fixture: &Fixture) {
    let other = another(fixture);
    let session = login(&other, "192.0.2.1").await;
    let import = async || {
        let sessions = other.store.list(&session.subject).await.expect("memory answers");
        fixture.store.import(&session.subject, &sessions).await.expect("an import")
    };
    let (unchanged, updated) = (
        Imported { unchanged: 1, ..Imported::default() },
        Imported { updated: 1, ..Imported::default() },
    );
    assert!(set_claims(&other, &session, r#"{"set":"there"}"#).await);
    import().await;
    assert_eq!(fixture.record(&session).await, other.record(&session).await);
    fixture.wait(MINUTE);
    assert!(set_claims(fixture, &session, r#"{"set":"here"}"#).await);
    let before = notes(fixture, &session).await;
    assert_eq!(import().await, unchanged);
    assert_eq!(notes(fixture, &session).await, before);
    fixture.wait(MINUTE);
    assert!(set_claims(&other, &session, "{}").await);
    present(&other, &session, Some(&client("192.0.2.2"))).await;
    assert_eq!(import().await, updated);
    assert_eq!(fixture.record(&session).await, other.record(&session).await);
    // A refresh from the client of the login.
    fixture.wait(MINUTE * 2);
    present(&other, &session, Some(&client("192.0.2.1"))).await;
    assert_eq!(import().await, updated);
    assert_eq!(import().await, unchanged);
    assert_eq!(fixture.record(&session).await, other.record(&session).await);
}

pub async fn an_import_undoes_no_concurrent_change(fixture: &Fixture) {
    let other = another(fixture);
    let session = other.login("alice").await;
    let import = async || {
        let sessions = other.store.list(&session.subject).await.expect("memory answers");
        fixture.store.import(&session.subject, &sessions).await.expect("an import")
    };
    import().await;
    let importing = async {
        let mut goes_on = session.clone();
        for _ in 0..50 {
            other.refresh(&mut goes_on).await;
            import().await;
        }
    };
    let changing = async {
        for number in 0..50 {
            let claims = format!(r#"{{"number":{number}}}"#);
            assert!(set_claims(fixture, &session, &claims).await);
            // Not by two reads, which `record` compares: the session changes in between.
            let stored = fixture.store.find(&session.subject, &session.id).await;
            let record = stored.expect("the store answers").expect("a known session");
            let stored = record.notes.claims.expect("claims");
            assert_eq!(*stored.json, *claims);
        }
    };
    tokio::join!(importing, changing);
}

pub async fn what_the_other_store_has_deleted_is_deleted_once_it_is_over(fixture: &Fixture) {
    let other = another(fixture);
    let live = other.login("alice").await;
    let revoked = other.login("alice").await;
    let kept = other.login("alice").await;
    let (migrated, _) =
        other.login_as("alice", |new| new.legacy_login = Some(fixture.clock.now())).await;
    let sessions = other.store.list(&live.subject).await.expect("memory answers");
    let import = async |sessions| fixture.store.import(&live.subject, sessions).await;
    import(&sessions[..]).await.expect("an import");
    for session in [&revoked, &kept, &migrated] {
        fixture.revoke(session, RevocationReason::Logout).await;
    }
    import(&sessions[..]).await.expect("an import");
    for session in [&live, &revoked, &kept, &migrated] {
        assert!(fixture.record(session).await.is_some());
    }
    let mut left = sessions.clone();
    left.retain(|stored| stored.id == kept.id);
    for _ in 0..2 {
        import(&left[..]).await.expect("an import");
        assert_eq!(fixture.record(&revoked).await, None);
        // The legacy token of a migrated session would begin it anew.
        for session in [&live, &kept, &migrated] {
            assert!(fixture.record(session).await.is_some());
        }
    }
}

pub async fn all_users_are_listed(fixture: &Fixture) {
    let users = async |at: &UserCursor| fixture.store.users(at).await;
    if users(&UserCursor::default()).await.is_err_and(|it| it.code() == ErrorCode::ConfigInvalid) {
        return;
    }
    let mut expected = BTreeSet::new();
    // More than one page, in one of them with characters that mean something in patterns.
    for number in 0..1_100_u32 {
        let name = format!("사용자 *[{number}]");
        let id = [number.to_be_bytes(), [1, 2, 3, 4], [5; 4], [6; 4]].concat();
        let id = SessionId::from_bytes(id.try_into().expect("16 bytes"));
        fixture.login_with_id(&name, id, |_| {}).await;
        expected.insert(name);
    }
    let mut listed = BTreeSet::new();
    let mut cursor = Some(UserCursor::default());
    while let Some(at) = cursor {
        let page = users(&at).await.expect("the store answers");
        listed.extend(page.users.iter().map(|user| user.as_str().to_owned()));
        cursor = page.next;
    }
    assert_eq!(listed, expected);
}
