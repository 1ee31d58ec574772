//! A logout in either app takes effect in the other.

use regrant::migration::SweepOptions;
use regrant::types::{RevocationReason, Timestamp};
use regrant::{Error, Login, LogoutEverywhere};

use super::{START, World, assert_code, subject};

#[tokio::test]
async fn a_logout_applies_in_the_legacy_app() {
    let world = World::new();
    for (number, adopted) in [true, false].into_iter().enumerate() {
        let token = world.old.login("1", START - number as i64, None);
        let access = match adopted {
            true => Some(world.refresh(&token).await.unwrap().access_token),
            false => None,
        };
        assert!(world.auth.logout(&token).await.unwrap());
        assert!(!world.old.accepts(&token));
        assert!(!world.auth.logout(&token).await.unwrap(), "a repeated logout revokes nothing");
        let code = if adopted { "ERR_SESSION_REVOKED" } else { "ERR_SESSION_UNKNOWN" };
        assert_code(world.refresh(&token).await, code);
        if let Some(access) = access {
            assert_code(world.auth.verify(access.expose()), "ERR_ACCESS_REVOKED");
        }
    }
}

#[tokio::test]
async fn a_logout_in_the_legacy_app_revokes_the_migrated_session() {
    let world = World::new();
    let token = world.old.login("1", START, None);
    let access = world.refresh(&token).await.unwrap().access_token;
    world.old.logout(&token);
    for _ in 0..2 {
        let error = assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
        assert!(matches!(error, Error::SessionRevoked { reason: RevocationReason::Logout }));
        assert_code(world.auth.verify(access.expose()), "ERR_ACCESS_REVOKED");
    }
}

#[tokio::test]
async fn a_logout_in_the_legacy_app_during_a_migration_takes_effect() {
    let world = World::new();
    let token = world.old.login("1", START, None);
    world.old.contents().logged_out_after_look = Some(token.clone());
    assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
    assert_code(world.refresh(&token).await, "ERR_SESSION_UNKNOWN");
    let sessions = world.auth.sessions(&subject("1"), None).await.unwrap();
    let live = regrant::SessionStatus::Live;
    assert!(sessions.iter().all(|session| session.status != live), "no session stays live");
}

/// The token has become a session, and the answer that would have revoked it was lost.
#[tokio::test]
async fn a_logout_everywhere_applies_to_a_token_whose_migration_was_interrupted() {
    let world = World::new();
    let token = world.old.login("1", START - 1, None);
    world.auth.logout_everywhere(subject("1")).await.unwrap();
    world.old.contents().loses_import = true;
    assert_code(world.refresh(&token).await, "ERR_STORE_UNAVAILABLE");
    assert_code(world.auth.introspect_refresh(&token).await, "ERR_SESSION_REVOKED");
    for _ in 0..2 {
        let error = assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
        let reason = RevocationReason::LogoutEverywhere;
        assert!(matches!(error, Error::SessionRevoked { reason: it } if it == reason), "{error:?}");
    }
}

#[tokio::test]
async fn a_logout_everywhere_revokes_unused_legacy_tokens() {
    let world = World::new();
    let shown = world.old.login("1", START - 2, None);
    let idle = world.old.login("1@mail", START - 1, None);
    let other = world.old.login("2", START - 3, None);
    world.refresh(&shown).await.unwrap();
    assert_eq!(world.auth.logout_everywhere(&subject("1")).await.unwrap(), 1);
    for token in [&shown, &idle] {
        for _ in 0..2 {
            let error = assert_code(world.refresh(token).await, "ERR_SESSION_REVOKED");
            let Error::SessionRevoked { reason } = error else { panic!("{error:?}") };
            assert_eq!(reason, RevocationReason::LogoutEverywhere);
            assert!(!world.old.accepts(token), "the legacy app rejects it from then on");
        }
    }
    world.refresh(&other).await.unwrap();
    world.advance(5);
    let anew = world.old.login("1", START + 5, None);
    world.refresh(&anew).await.unwrap();
}

#[tokio::test]
async fn a_session_revoked_by_id_ends_in_the_legacy_app_at_its_next_refresh() {
    let world = World::new();
    let token = world.old.login("1", START, None);
    let session = world.refresh(&token).await.unwrap().session;
    let reason = RevocationReason::Administrative;
    assert!(world.auth.revoke_session(&subject("1"), &session, reason).await.unwrap());
    for _ in 0..2 {
        let error = assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
        let Error::SessionRevoked { reason } = error else { panic!("{error:?}") };
        assert_eq!(reason, RevocationReason::Administrative);
        assert!(!world.old.accepts(&token));
    }
}

#[tokio::test]
async fn logout_everywhere_except_keeps_the_legacy_token_of_this_session() {
    let world = World::new();
    let here = world.old.login("1", START - 3, None);
    let there = world.old.login("1", START - 2, None);
    let idle = world.old.login("1@mail", START - 1, None);
    let session = world.refresh(&here).await.unwrap().session;
    world.refresh(&there).await.unwrap();
    let request = LogoutEverywhere::new(subject("1")).except(session);
    assert_eq!(world.auth.logout_everywhere(request).await.unwrap(), 1);
    for token in [&there, &idle] {
        assert_code(world.refresh(token).await, "ERR_SESSION_REVOKED");
    }
    world.refresh(&here).await.unwrap();
    assert!(world.old.accepts(&here));
    // A sweep migrates it again and respects the exception.
    let report = world.auth.sweep_legacy_tokens(SweepOptions::default(), |_| ()).await.unwrap();
    assert_eq!((report.converted, report.logged_out), (1, 0));
    world.refresh(&here).await.unwrap();
}

#[tokio::test]
async fn revoking_before_an_instant_revokes_older_legacy_tokens() {
    let world = World::new();
    let logins = [
        ("shown, from before it", START - 200, true),
        ("not shown, from before it", START - 101, false),
        ("shown, from that second on", START - 100, true),
        ("not shown, from after it", START - 50, false),
    ];
    let tokens = logins.map(|(_, issued, _)| world.old.login("1", issued, None));
    for ((_, _, shown), token) in logins.iter().zip(&tokens) {
        if *shown {
            world.refresh(token).await.unwrap();
        }
    }
    // An earlier cut-off time changes nothing.
    for seconds in [100, 5_000] {
        let instant = Timestamp::from_seconds(START - seconds);
        world
            .auth
            .logout_everywhere(LogoutEverywhere::new(subject("1")).before(instant))
            .await
            .unwrap();
    }
    for ((what, issued, _), token) in logins.iter().zip(&tokens) {
        let outcome = world.refresh(token).await;
        assert_eq!(outcome.is_err(), *issued < START - 100, "{what}: {outcome:?}");
    }
}

#[tokio::test]
async fn the_session_limit_evicts_nobody_during_a_migration() {
    let world = World::with(r#""rotation": false, "maxSessions": 2"#);
    let tokens: Vec<_> = (0..5).map(|n| world.old.login("1", START - 100 - n, None)).collect();
    for _ in 0..2 {
        for token in &tokens {
            world.refresh(token).await.unwrap();
        }
    }
    // A login respects the limit. Revoked sessions of legacy tokens stay revoked, whichever are pruned.
    for _ in 0..5 {
        world.advance(1);
        world.auth.login(Login::new(subject("1"))).await.unwrap();
    }
    for token in &tokens {
        for _ in 0..2 {
            let error = assert_code(world.refresh(token).await, "ERR_SESSION_REVOKED");
            let Error::SessionRevoked { reason } = error else { panic!("{error:?}") };
            assert_eq!(reason, RevocationReason::Displaced);
        }
    }
}
