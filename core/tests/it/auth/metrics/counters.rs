//! The counters of refreshes, sessions and access tokens.

use std::time::Duration;

use regrant::RefreshRequest;
use regrant::types::{RevocationReason, Subject};
use serde_json::json;

use super::super::{World, alice, assert_code, next, settle};
use super::{Recorded, record};

#[test]
fn every_outcome_of_a_refresh_is_counted() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        let token = pair.refresh_token.expose();
        let child = world.refresh(token).await.unwrap();
        world.refresh(token).await.unwrap();
        let latest = world.refresh(next(&child)).await.unwrap();
        assert_code(world.refresh(token).await, "ERR_REFRESH_SUPERSEDED");
        assert_code(world.refresh("forged").await, "ERR_TOKEN_MALFORMED");
        let wrong = RefreshRequest::new(next(&latest)).expect_subject(Subject::new("bob").unwrap());
        assert_code(world.auth.refresh(wrong).await, "ERR_SUBJECT_MISMATCH");
        let unrotated = world.login().await;
        let unrotated = RefreshRequest::new(unrotated.refresh_token.expose()).rotate(false);
        world.auth.refresh(unrotated).await.unwrap();
        let lost = World::new(json!({})).login().await;
        assert_code(world.refresh(lost.refresh_token.expose()).await, "ERR_SESSION_UNKNOWN");
        world.advance(11);
        assert_code(world.refresh(token).await, "ERR_REFRESH_REUSED");
        assert_code(world.refresh(next(&latest)).await, "ERR_SESSION_REVOKED");
        let idle = world.login().await;
        world.advance(15 * 86_400);
        assert_code(world.refresh(idle.refresh_token.expose()).await, "ERR_REFRESH_EXPIRED");

        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_logins_total{outcome=\"issued\"}", 4),
                ("regrant_refreshes_total{outcome=\"expired\"}", 1),
                ("regrant_refreshes_total{outcome=\"issued\"}", 2),
                ("regrant_refreshes_total{outcome=\"kept\"}", 1),
                ("regrant_refreshes_total{outcome=\"reissued\"}", 1),
                ("regrant_refreshes_total{outcome=\"rejected\"}", 2),
                ("regrant_refreshes_total{outcome=\"reused\"}", 1),
                ("regrant_refreshes_total{outcome=\"revoked\"}", 1),
                ("regrant_refreshes_total{outcome=\"superseded\"}", 1),
                ("regrant_refreshes_total{outcome=\"unknown\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"reused\"}", 1),
                ("regrant_thefts_total{how=\"older_token\"}", 1),
            ]
        );
        assert_eq!(recorded.samples("regrant_refresh_seconds").len(), 11);
        let asked = "regrant_store_operation_seconds{operation=\"refresh\",outcome=\"ok\"}";
        assert_eq!(recorded.samples(asked).len(), 9);
    });
}

#[test]
fn revoked_sessions_and_denied_tokens_are_counted() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pairs = [world.login().await, world.login().await, world.login().await];
        world.auth.logout(pairs[0].refresh_token.expose()).await.unwrap();
        let reason = RevocationReason::Administrative;
        assert!(world.auth.revoke_session(&alice(), &pairs[1].session, reason).await.unwrap());
        // A repetition changes nothing and is not counted.
        assert!(!world.auth.revoke_session(&alice(), &pairs[1].session, reason).await.unwrap());
        world.auth.logout_everywhere(&alice()).await.unwrap();
        for pair in &pairs {
            assert_code(world.auth.verify(pair.access_token.expose()), "ERR_ACCESS_REVOKED");
        }
        let recorded = Recorded::take(&seen);
        assert_eq!(
            recorded.counters(),
            [
                ("regrant_access_denied_total{by=\"session\"}", 3),
                ("regrant_logins_total{outcome=\"issued\"}", 3),
                ("regrant_sessions_revoked_total{reason=\"administrative\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"logout\"}", 1),
                ("regrant_sessions_revoked_total{reason=\"logout_everywhere\"}", 1),
            ]
        );
        // The three sessions, and the user's access tokens without a session.
        assert_eq!(recorded.gauge("regrant_deny_list_entries"), 4.0);
    });
}

#[test]
fn use_of_a_discarded_childs_access_token_is_counted_as_reuse() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        let thief = world.refresh(pair.refresh_token.expose()).await.unwrap();
        world.advance(61);
        world.refresh(pair.refresh_token.expose()).await.unwrap();
        assert_code(world.auth.verify(thief.access_token.expose()), "ERR_ACCESS_REVOKED");
        settle().await;
        let recorded = Recorded::take(&seen);
        let counters = recorded.counters();
        assert!(counters.contains(&("regrant_access_denied_total{by=\"child\"}", 1)));
        assert!(counters.contains(&("regrant_thefts_total{how=\"denied_access\"}", 1)));
        let confirm = "regrant_store_operation_seconds{operation=\"confirm\",outcome=\"ok\"}";
        assert_eq!(recorded.samples(confirm).len(), 1);
    });
}

#[test]
fn verify_records_nothing() {
    record(async |seen| {
        let world = World::new(json!({}));
        let pair = world.login().await;
        world.auth.verify(pair.access_token.expose()).unwrap();
        settle().await;
        Recorded::take(&seen);
        world.auth.verify(pair.access_token.expose()).unwrap();
        assert_code(world.auth.verify("forged"), "ERR_TOKEN_MALFORMED");
        world.clock.advance(Duration::from_secs(3600));
        assert_code(world.auth.verify(pair.access_token.expose()), "ERR_TOKEN_EXPIRED");
        settle().await;
        assert_eq!(Recorded::take(&seen).counters(), []);
    });
}
