//! Refreshing with legacy tokens.

use regrant::{RefreshRequest, Renewal};
use serde_json::json;

use super::legacy_app::{SECRET_KEY, sign};
use super::{DAY, START, World, assert_code, subject};

#[tokio::test]
async fn a_legacy_token_can_be_refreshed_repeatedly_and_stays_valid_in_the_legacy_app() {
    let world = World::new();
    for value in ["1", "2@mail"] {
        let token = world.old.login(value, START - value.len() as i64, Some(14 * DAY));
        for _ in 0..3 {
            let renewed = world.refresh_as(&token, &value[..1]).await.unwrap();
            assert_eq!(renewed.renewal, Renewal::Renewed);
            let access = world.auth.verify(renewed.access_token.expose()).unwrap();
            assert_eq!(access.subject(), &subject(&value[..1]));
            assert_eq!(access.session(), Some(renewed.session));
            assert!(world.old.accepts(&token));
            world.advance(3600);
        }
        let sessions = world.auth.sessions(&subject(&value[..1]), None).await.unwrap();
        assert_eq!(sessions.len(), 1);
    }
    let each = ["adopted", "refreshed", "refreshed", "refreshed"];
    assert_eq!(world.events(), [each, each].concat());
}

#[cfg(feature = "server")]
#[test]
fn a_migration_is_counted_once() {
    let recorder = metrics_util::debugging::DebuggingRecorder::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    metrics::with_local_recorder(&recorder, || {
        runtime.block_on(async {
            let world = World::new();
            let token = world.old.login("1", START - 5, None);
            world.refresh(&token).await.unwrap();
            world.refresh(&token).await.unwrap();
        });
    });
    let recorded = recorder.snapshotter().snapshot().into_vec().into_iter();
    let mut adoptions = recorded.filter(|(key, ..)| key.key().name() == "regrant_adoptions_total");
    let (.., value) = adoptions.next().unwrap();
    assert_eq!(value, metrics_util::debugging::DebugValue::Counter(1));
}

#[tokio::test]
async fn with_rotation_reuse_of_a_legacy_token_is_detected() {
    let world = World::with(r#""rotation": true"#);
    let token = world.old.login("1", START - 5, None);
    let first = world.refresh(&token).await.unwrap();
    let again = world.refresh(&token).await.unwrap();
    let next = first.refresh_token.unwrap();
    assert_eq!(again.renewal, Renewal::Replayed);
    assert_eq!(again.refresh_token.unwrap().expose(), next.expose());

    world.advance(60);
    let second = world.refresh(next.expose()).await.unwrap();
    assert_eq!(second.session, first.session);
    world.advance(60);
    assert_code(world.refresh(&token).await, "ERR_REFRESH_REUSED");
    assert!(!world.old.accepts(&token), "processes of the legacy app reject the thief too");
    assert_code(world.refresh(&token).await, "ERR_SESSION_REVOKED");
}

#[tokio::test]
async fn a_migrated_session_keeps_the_lifetime_of_the_legacy_token() {
    let world = World::with(r#""rotation": false, "idleTtl": "1d", "absoluteTtl": "2d""#);
    let promised = world.old.login("1", START, Some(30 * DAY));
    let endless = world.old.login("2", START, None);
    world.refresh(&promised).await.unwrap();
    let renewed = world.refresh(&endless).await.unwrap();
    assert_eq!(renewed.refresh_expires_at.as_seconds(), START + 2 * DAY);
    world.advance(2 * DAY - 1);
    world.refresh(&endless).await.unwrap();
    assert_eq!(world.auth.sessions(&subject("2"), None).await.unwrap().len(), 1);
    world.advance(1);
    // The key and the marker expire at this instant; neither must start a new session later.
    assert_code(world.refresh(&endless).await, "ERR_REFRESH_EXPIRED");
    world.advance(28 * DAY - 1);
    world.refresh(&promised).await.unwrap();
    world.advance(1);
    assert_code(world.refresh(&promised).await, "ERR_REFRESH_EXPIRED");
}

#[tokio::test]
async fn a_legacy_token_that_stays_expires_when_it_says_so() {
    let world = World::with(r#""rotation": false, "idleTtl": "14d""#);
    let brief = world.old.login("1", START, Some(DAY));
    for _ in 0..2 {
        let renewed = world.refresh(&brief).await.unwrap();
        assert_eq!(renewed.refresh_token, None);
        assert_eq!(renewed.refresh_expires_at.as_seconds(), START + DAY);
        world.advance(DAY / 2);
    }
    assert_code(world.refresh(&brief).await, "ERR_REFRESH_EXPIRED");
}

#[tokio::test]
async fn a_token_unknown_to_the_legacy_app_is_unknown() {
    let world = World::new();
    let access = sign(&json!({ "userId": "1", "iat": START, "exp": START + 900 }), SECRET_KEY);
    assert_code(world.refresh(&access).await, "ERR_SESSION_UNKNOWN");
    assert_code(world.auth.refresh_subject(&access).await, "ERR_SESSION_UNKNOWN");
    let gone = world.old.login("gone", START, None);
    assert_code(world.refresh(&gone).await, "ERR_SESSION_UNKNOWN");
    let forged = sign(&json!({ "iat": START }), "another secret");
    world.old.contents().raw.insert(forged.clone(), "1".to_owned());
    assert_code(world.refresh(&forged).await, "ERR_SIGNATURE_INVALID");
    let expired = world.old.login("1", START - 10, Some(10));
    assert_code(world.refresh(&expired).await, "ERR_REFRESH_EXPIRED");
    world.old.logout(&expired);
    assert_code(world.refresh(&expired).await, "ERR_SESSION_UNKNOWN");
    assert!(world.events().is_empty());
    assert!(world.old.contents().marks.is_empty());
}

#[tokio::test]
async fn the_presented_user_is_compared_and_not_trusted() {
    let world = World::new();
    let token = world.old.login("1@mail", START, None);
    for _ in 0..2 {
        for other in ["2", "1@mail"] {
            assert_code(world.refresh_as(&token, other).await, "ERR_SUBJECT_MISMATCH");
        }
        assert_eq!(world.auth.refresh_subject(&token).await.unwrap(), subject("1"));
        world.refresh_as(&token, "1").await.unwrap();
    }
    assert!(world.auth.sessions(&subject("2"), None).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_unavailable_store_signs_nobody_out() {
    let world = World::new();
    let unlucky = world.old.login("unlucky", START - 1, None);
    assert_code(world.refresh(&unlucky).await, "ERR_STORE_UNAVAILABLE");
    let token = world.old.login("1", START, None);
    // At the look-up, and between creating the session and its marker.
    for fails in [1, 2] {
        world.old.contents().fails = fails;
        assert_code(world.refresh(&token).await, "ERR_STORE_UNAVAILABLE");
    }
    world.refresh(&token).await.unwrap();
    world.old.contents().fails = 1;
    assert_code(world.auth.logout(&token).await, "ERR_STORE_UNAVAILABLE");
    world.refresh(&token).await.unwrap();
    assert_eq!(world.auth.sessions(&subject("1"), None).await.unwrap().len(), 1);
}

#[tokio::test]
async fn without_the_option_nothing_is_migrated() {
    let world = World::new();
    let token = world.old.login("1", START, None);
    let config = r#"{ "secret": "old", "allowShortSecret": true, "store": "memory:" }"#;
    let plain = regrant::Auth::from_json(config).unwrap().build().unwrap();
    let outcome = plain.refresh(RefreshRequest::new(&token)).await;
    assert_code(outcome, "ERR_TYP_MISMATCH");
    // The option does not affect this server's own tokens.
    let pair = world.auth.login(regrant::Login::new(subject("1"))).await.unwrap();
    assert_code(world.refresh(pair.access_token.expose()).await, "ERR_TYP_MISMATCH");
    world.refresh(pair.refresh_token.expose()).await.unwrap();
}

/// Many users behind one address, all of them logged out.
#[tokio::test]
async fn failures_of_legacy_tokens_do_not_count_against_their_address() {
    let world = World::with(r#""rotation": false, "limiter": { "failures": 3, "window": "1m" }"#);
    let refresh = async |token: &str| {
        world.auth.refresh(RefreshRequest::new(token).address("192.0.2.7")).await
    };
    let dead = |number: i64| sign(&json!({ "iat": START - number }), SECRET_KEY);
    for number in 0..40 {
        assert_code(refresh(&dead(number)).await, "ERR_SESSION_UNKNOWN");
    }
    for _ in 0..2 {
        assert_code(refresh(&dead(0)).await, "ERR_SESSION_UNKNOWN");
    }
    // From now on, repeated attempts with the same token cause no look-up.
    assert_code(refresh(&dead(0)).await, "ERR_TOO_MANY_ATTEMPTS");
    world.old.contents().fails = 1;
    assert_code(refresh(&dead(0)).await, "ERR_TOO_MANY_ATTEMPTS");
    world.old.contents().fails = 0;
    let forged = sign(&json!({ "iat": START }), "another secret");
    for _ in 0..3 {
        assert_code(refresh(&forged).await, "ERR_SIGNATURE_INVALID");
    }
    assert_code(refresh(&forged).await, "ERR_TOO_MANY_ATTEMPTS");
}
