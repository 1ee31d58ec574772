//! Two clients with the same refresh token.

use std::sync::Arc;

use regrant::store::MemoryStore;
use regrant::types::{Clock, FamilyPosition};
use regrant::{AuditKind, Login};
use serde_json::json;

use super::faults::Shared;
use super::{World, alice, assert_code, next, settle};

#[tokio::test]
async fn presenting_a_parent_whose_child_is_used_is_reuse() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let honest = world.refresh(pair.refresh_token.expose()).await.unwrap();
    // The use of the access token shows that the response has arrived.
    world.auth.verify(honest.access_token.expose()).unwrap();
    settle().await;
    world.advance(11);
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");

    assert_code(world.refresh(next(&honest)).await, "ERR_SESSION_REVOKED");
    assert_code(world.auth.verify(honest.access_token.expose()), "ERR_ACCESS_REVOKED");
    let events = world.events.events();
    let how = events.iter().find_map(|event| match event.kind {
        AuditKind::Theft { how, .. } => Some(how),
        _ => None,
    });
    assert_eq!(how, Some("parent_returned"));
}

#[tokio::test]
async fn using_an_access_token_of_a_discarded_branch_is_reuse() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let thief = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.advance(61);
    let honest = world.refresh(pair.refresh_token.expose()).await.unwrap();
    // Rejected at once, without I/O, and reported in the background.
    assert_code(world.auth.verify(thief.access_token.expose()), "ERR_ACCESS_REVOKED");
    settle().await;
    assert_code(world.refresh(next(&honest)).await, "ERR_SESSION_REVOKED");
    assert_eq!(world.events(), ["login", "refreshed", "refreshed", "theft", "refused"]);
}

/// Within the longer grace a thief shares what the owner asks for, also with access tokens that are
/// issued at its end; from the owner's first step beyond it they are rejected.
#[tokio::test]
async fn a_thief_shares_an_unused_child_until_the_longer_grace_ends() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let owner = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.advance(60);
    let thief = world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_eq!(next(&thief), next(&owner));
    // The request may be a copy of the one that was just answered.
    world.advance(1);
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_SUPERSEDED");
    world.advance(10);
    world.refresh(pair.refresh_token.expose()).await.unwrap();
    assert_code(world.auth.verify(thief.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_process_without_the_deny_list_entry_detects_reuse_from_the_store() {
    let here = World::new(json!({}));
    let store = Arc::new(MemoryStore::with_clock(Arc::clone(&here.clock) as Arc<dyn Clock>));
    let process = || {
        World::with(json!({}), |builder| {
            builder
                .store(Shared(Arc::clone(&store)))
                .clock(Arc::clone(&here.clock) as Arc<dyn Clock>)
        })
    };
    let (one, two) = (process(), process());
    let pair = one.login().await;
    let thief = one.refresh(pair.refresh_token.expose()).await.unwrap();
    here.advance(61);
    let honest = one.refresh(pair.refresh_token.expose()).await.unwrap();

    // The record itself contains the discarded branches.
    two.auth.verify(thief.access_token.expose()).unwrap();
    settle().await;
    assert_eq!(two.events(), ["theft"]);
    assert_code(two.auth.verify(thief.access_token.expose()), "ERR_ACCESS_REVOKED");
    assert_code(one.refresh(next(&honest)).await, "ERR_SESSION_REVOKED");

    // And whether the session was revoked elsewhere.
    let pair = one.login().await;
    one.auth.logout(pair.refresh_token.expose()).await.unwrap();
    two.auth.verify(pair.access_token.expose()).unwrap();
    settle().await;
    assert_code(two.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn record_use_reports_for_an_external_verifier() {
    let world = World::new(json!({}));
    let pair = world.login().await;
    let honest = world.refresh(pair.refresh_token.expose()).await.unwrap();
    // The other process verified the token; this `Auth` has not seen it.
    let seen = World::new(json!({})).auth.verify(honest.access_token.expose()).unwrap();
    world.auth.record_use(&seen).await.unwrap();
    world.advance(11);
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");
    assert_code(world.auth.record_use(&seen).await, "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn reuse_can_revoke_all_sessions_of_the_user() {
    let world = World::new(json!({ "refresh": { "onTheft": "subject" } }));
    let (pair, other) = (world.login().await, world.login().await);
    let honest = world.refresh(pair.refresh_token.expose()).await.unwrap();
    world.auth.verify(honest.access_token.expose()).unwrap();
    settle().await;
    world.advance(11);
    assert_code(world.refresh(pair.refresh_token.expose()).await, "ERR_REFRESH_REUSED");
    assert_code(world.refresh(other.refresh_token.expose()).await, "ERR_SESSION_REVOKED");
    assert_code(world.auth.verify(other.access_token.expose()), "ERR_ACCESS_REVOKED");
}

#[tokio::test]
async fn a_just_replaced_token_is_superseded() {
    let world = World::new(json!({}));
    let first = world.login().await;
    let second = world.refresh(first.refresh_token.expose()).await.unwrap();
    world.advance(60);
    let third = world.refresh(next(&second)).await.unwrap();
    let error =
        assert_code(world.refresh(first.refresh_token.expose()).await, "ERR_REFRESH_SUPERSEDED");
    assert_eq!((error.http_status(), error.advice()), (409, regrant::Advice::Retry));
    world.advance(60);
    world.refresh(next(&third)).await.unwrap();
}

#[tokio::test]
async fn fifty_concurrent_refreshes_make_one_child() {
    let world = World::new(json!({}));
    let pair = world.auth.login(Login::new(alice())).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (auth, token) = (world.auth.clone(), pair.refresh_token.clone());
        tasks.spawn(async move {
            let request = regrant::RefreshRequest::new(token.expose());
            next(&auth.refresh(request).await.unwrap()).to_owned()
        });
    }
    let mut tokens = tasks.join_all().await;
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    world.advance(60);
    let renewed = world.refresh(&tokens[0]).await.unwrap();
    let access = world.auth.verify(renewed.access_token.expose()).unwrap();
    assert_eq!(access.family_position(), Some(FamilyPosition { generation: 2, branch: 0 }));
}
