//! Logins and refreshes.

use std::time::Duration;

use regrant::session::{
    Decision, DiscardedChild, IssuedChild, ReuseEvidence, TheftScope, TokenSecret, UseOutcome,
};
use regrant::store::RevocationOutcome;
use regrant::types::{Clock, FamilyPosition, SessionId};

use super::fixture::{Fixture, GRACE, HOUR, MINUTE, Session, UNUSED_GRACE};

const MOMENT: Duration = Duration::from_millis(1);

pub async fn repeating_a_login_changes_nothing(at: &Fixture) {
    let mut session = at.login("alice").await;
    at.wait(MINUTE);
    at.refresh(&mut session).await;
    let before = at.record(&session).await.unwrap();
    at.wait(MINUTE);
    let other = at.new_session(&TokenSecret::from_bytes([9; 32]), "another device");
    let again = at.store.create(&session.subject, &session.id, &other).await.unwrap();
    assert_eq!((again.record, again.evicted), (before.clone(), Vec::new()));
    assert_eq!(at.record(&session).await.unwrap(), before);
    at.refresh(&mut session).await;
}

pub async fn a_login_replaces_an_expired_session_of_the_same_id(at: &Fixture) {
    let session = at.login("alice").await;
    at.wait(HOUR * 10);
    let secret = TokenSecret::from_bytes([9; 32]);
    let new = at.new_session(&secret, "new");
    let record = at.store.create(&session.subject, &session.id, &new).await.unwrap().record;
    assert_eq!((record.id, record.created_at), (secret.id(), at.clock.now()));
    assert_eq!(at.record(&session).await, Some(record));
}

pub async fn each_refresh_issues_the_next_child(at: &Fixture) {
    let mut session = at.login("alice").await;
    let begun = at.record(&session).await.unwrap();
    assert_eq!((begun.generation, begun.child), (0, None));
    assert_eq!(begun.idle_deadline, at.clock.now().plus(HOUR));
    for generation in 1..=20 {
        at.wait(HOUR / 3);
        let issued_child = at.refresh(&mut session).await;
        assert_eq!(issued_child.family_position, FamilyPosition { generation, branch: 0 });
        assert_eq!(issued_child.issued_at, at.clock.now());
        assert_eq!(issued_child.expires_at, at.clock.now().plus(HOUR));
        let record = at.record(&session).await.unwrap();
        assert_eq!(record.generation, generation - 1);
        assert_eq!(record.idle_deadline, issued_child.expires_at);
        assert_eq!((record.created_at, record.expires_at), (begun.created_at, begun.expires_at));
    }
    // No child outlives the session. The token has idled out by now, so its `exp` is extended.
    at.wait(HOUR / 2 * 5);
    for _ in 0..2 {
        session.token.claims.expires_at = begun.expires_at;
        at.refresh(&mut session).await;
    }
    assert_eq!(session.token.claims.expires_at, begun.expires_at);
}

pub async fn within_the_grace_the_same_child_is_issued(at: &Fixture) {
    let mut session = at.login("alice").await;
    let parent = session.token.clone();
    let issued_child = at.refresh(&mut session).await;
    let record = at.record(&session).await.unwrap();
    for wait in [Duration::ZERO, MOMENT, GRACE - MOMENT] {
        at.wait(wait);
        assert_eq!(at.decide(&session, &parent).await, Decision::Replay(issued_child));
    }
    assert_eq!(at.record(&session).await.unwrap(), record, "a replay writes nothing");
}

pub async fn an_unused_child_is_issued_again_for_longer(at: &Fixture) {
    let mut session = at.login("alice").await;
    let parent = session.token.clone();
    let issued_child = at.refresh(&mut session).await;
    let record = at.record(&session).await.unwrap();
    for wait in [GRACE + MOMENT, UNUSED_GRACE - 2 * GRACE - MOMENT] {
        at.wait(wait);
        assert_eq!(at.decide(&session, &parent).await, Decision::Replay(issued_child));
    }
    assert_eq!(at.record(&session).await.unwrap(), record, "a replay writes nothing");
    at.wait(GRACE);
    assert_eq!(at.decide(&session, &parent).await, Decision::Replay(issued_child));
}

/// A copy of a request that was answered at the end of the grace arrives after it, and the client goes on.
pub async fn a_child_that_was_just_given_again_is_not_discarded(at: &Fixture) {
    let mut session = at.login("alice").await;
    at.wait(MINUTE);
    let parent = session.token.clone();
    let issued_child = at.refresh(&mut session).await;
    at.wait(UNUSED_GRACE);
    assert_eq!(at.decide(&session, &parent).await, Decision::Replay(issued_child));
    for wait in [MOMENT, GRACE - MOMENT] {
        at.wait(wait);
        assert_eq!(at.decide(&session, &parent).await, Decision::Superseded);
    }
    let child = session.token.clone();
    assert!(matches!(at.decide(&session, &child).await, Decision::Rotate(_)));
}

/// Then the answer was lost as well.
pub async fn a_child_that_was_given_again_is_discarded_after_the_grace(at: &Fixture) {
    let mut session = at.login("alice").await;
    at.wait(MINUTE);
    let parent = session.token.clone();
    at.refresh(&mut session).await;
    at.wait(UNUSED_GRACE);
    assert!(matches!(at.decide(&session, &parent).await, Decision::Replay(_)));
    at.wait(GRACE + MOMENT);
    let Decision::Rotate(next) = at.decide(&session, &parent).await else { panic!("not rotated") };
    assert_eq!(next.family_position, FamilyPosition { generation: 1, branch: 1 });
}

/// Tabs refresh at the same time with a token whose child was lost: one uses the child before the other's
/// request arrives.
pub async fn the_grace_of_a_used_child_begins_with_its_use(at: &Fixture) {
    let theft = Decision::Reuse(ReuseEvidence::ParentReturned);
    // Used so long after its issue; replayed for so long after that.
    for (used, replayed) in [
        (Duration::ZERO, GRACE),
        (GRACE + MOMENT, GRACE),
        (UNUSED_GRACE - GRACE, GRACE),
        (UNUSED_GRACE - MOMENT, MOMENT),
    ] {
        let mut session = at.login("alice").await;
        at.wait(MINUTE);
        let parent = session.token.clone();
        let issued_child = at.refresh(&mut session).await;
        at.wait(used);
        let in_use = at.record_use(&session, &session.token, false).await;
        assert_eq!(in_use, Some(UseOutcome::ChildInUse));
        at.wait(replayed);
        assert_eq!(at.decide(&session, &parent).await, Decision::Replay(issued_child));
        if replayed < GRACE {
            at.wait(GRACE - replayed);
            assert_eq!(at.decide(&session, &parent).await, Decision::Superseded);
        }
        at.wait(MOMENT);
        assert_eq!(at.decide(&session, &parent).await, theft);
    }
}

/// A response is late, and the store loses the write meanwhile.
pub async fn after_a_lost_write_a_late_child_is_accepted(at: &Fixture) {
    for (later, is_accepted) in [(UNUSED_GRACE, true), (UNUSED_GRACE + MOMENT, false)] {
        let session = at.login("alice").await;
        at.wait(MINUTE);
        let late = session.token.child(&IssuedChild {
            family_position: FamilyPosition { generation: 1, branch: 0 },
            issued_at: at.clock.now(),
            expires_at: at.clock.now().plus(HOUR),
        });
        at.wait(later);
        let mut another = session.clone();
        at.refresh(&mut another).await;
        match at.decide(&session, &late).await {
            Decision::Rotate(child) => {
                assert!(is_accepted);
                assert_eq!(child.family_position, FamilyPosition { generation: 2, branch: 0 });
            }
            decision => {
                assert!(!is_accepted);
                assert_eq!(decision, Decision::Reuse(ReuseEvidence::OlderToken));
            }
        }
    }
}

pub async fn an_unused_child_is_discarded_for_the_next_branch(at: &Fixture) {
    let session = at.login("alice").await;
    at.wait(MINUTE);
    let mut first = session.clone();
    let lost = at.refresh(&mut first).await;
    at.wait(UNUSED_GRACE + MOMENT);
    let answer =
        at.attempt(&session, &session.token.claims, true, TheftScope::Session).await.unwrap();
    let Decision::Rotate(next) = answer.decision else { panic!("{answer:?}") };
    assert_eq!(next.family_position, FamilyPosition { generation: 1, branch: 1 });
    assert_eq!(next.issued_at, at.clock.now());
    let discarded = DiscardedChild {
        family_position: lost.family_position,
        issued_until: lost.issued_at.plus(UNUSED_GRACE),
    };
    assert_eq!(answer.discarded, Some(discarded));
    assert_ne!(first.token.secret.expose(), session.token.child(&next).secret.expose());
}

pub async fn fifty_concurrent_refreshes_get_one_child(at: &Fixture) {
    let session = at.login("alice").await;
    at.wait(MINUTE);
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (store, session) = (at.store.clone(), session.clone());
        let policy = regrant::session::SessionPolicy::default().for_refresh(Some(true));
        tasks.spawn(async move {
            let claims = session.token.claims;
            store.refresh(&session.subject, &session.id, &claims, &policy, None).await
        });
    }
    let mut children: Vec<IssuedChild> = Vec::new();
    let mut issued = 0;
    for answer in tasks.join_all().await {
        match answer.unwrap().unwrap().decision {
            Decision::Rotate(issued_child) => {
                issued += 1;
                children.push(issued_child);
            }
            Decision::Replay(issued_child) => children.push(issued_child),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((issued, children.len()), (1, 50));
    assert!(children.iter().all(|child| child == &children[0]), "{children:?}");
}

pub async fn without_rotation_the_refresh_token_is_kept(at: &Fixture) {
    let mut session = at.login("alice").await;
    for _ in 0..3 {
        at.wait(MINUTE);
        let answer = at.attempt(&session, &session.token.claims, false, TheftScope::Session).await;
        let expires_at = at.clock.now().plus(HOUR);
        assert_eq!(answer.unwrap().decision, Decision::Renew { expires_at });
        assert_eq!(at.record(&session).await.unwrap().idle_deadline, expires_at);
    }
    let record = at.record(&session).await.unwrap();
    assert_eq!((record.generation, record.child), (0, None));
    at.refresh(&mut session).await;
}

/// Invariant 7: no request can choose to be undetected.
pub async fn a_session_that_has_rotated_always_rotates(at: &Fixture) {
    let ask = async |session: &Session| {
        let answer = at.attempt(session, &session.token.claims, false, TheftScope::Session).await;
        answer.unwrap()
    };
    let parent = at.login("alice").await;
    let mut session = parent.clone();
    let issued_child = at.refresh(&mut session).await;
    // The parent, while its child is unused and once that is lost.
    assert_eq!(ask(&parent).await.decision, Decision::Replay(issued_child));
    at.wait(MINUTE);
    let answer = ask(&parent).await;
    let Decision::Rotate(next) = answer.decision else { panic!("{answer:?}") };
    assert_eq!(next.family_position, FamilyPosition { generation: 1, branch: 1 });
    assert!(answer.discarded.is_some());
    // The child, and its child.
    session.token = parent.token.child(&next);
    for generation in 2..5 {
        at.wait(MINUTE);
        let Decision::Rotate(next) = ask(&session).await.decision else { panic!("not rotated") };
        assert_eq!(next.family_position, FamilyPosition { generation, branch: 0 });
        session.token = session.token.child(&next);
    }
    // A token that the store does not know, because it lost the rotations.
    let forgetful = at.login("alice").await;
    let (issued_at, expires_at) = (at.clock.now(), at.clock.now().plus(HOUR));
    let family_position = FamilyPosition { generation: 1, branch: 0 };
    let child = IssuedChild { family_position, issued_at, expires_at };
    let newer = Session { token: forgetful.token.child(&child), ..forgetful };
    assert!(matches!(ask(&newer).await.decision, Decision::Rotate(_)));
    // Reuse is detected all the same.
    at.wait(MINUTE);
    assert_eq!(ask(&parent).await.decision, Decision::Reuse(ReuseEvidence::OlderToken));
}

/// Invariant 9.
pub async fn a_renewal_moves_the_idle_deadline(at: &Fixture) {
    let session = at.login("alice").await;
    let renew = async || {
        let answer = at.attempt(&session, &session.token.claims, false, TheftScope::Session).await;
        answer.map(|answer| answer.decision)
    };
    // Each time less than the idle lifetime after the time before; together much longer.
    for _ in 0..10 {
        at.wait(HOUR - MOMENT);
        let expires_at =
            at.clock.now().plus(HOUR).min(at.record(&session).await.unwrap().expires_at);
        assert_eq!(renew().await, Some(Decision::Renew { expires_at }));
    }
    // Never past the end of the session.
    at.wait(MOMENT * 10);
    assert_eq!(renew().await, None);

    let session = at.login("alice").await;
    let expired = async || {
        let answer = at.attempt(&session, &session.token.claims, false, TheftScope::Session).await;
        answer.unwrap().decision
    };
    at.wait(HOUR);
    assert_eq!(expired().await, Decision::Expired);
}

/// Invariant 8: with and without rotation.
pub async fn a_clock_that_was_behind_signs_nobody_out(at: &Fixture) {
    for rotate in [true, false] {
        let mut session = at.login("alice").await;
        at.wait(MINUTE);
        let first = at.attempt(&session, &session.token.claims, rotate, TheftScope::Session).await;
        if let Decision::Rotate(issued_child) = first.unwrap().decision {
            session.token = session.token.child(&issued_child);
        }
        let right = at.clock.now();
        at.clock.set(right.minus(HOUR * 480));
        let policy = at.attempt(&session, &session.token.claims, rotate, TheftScope::Session).await;
        match policy.unwrap().decision {
            Decision::Rotate(issued_child) => {
                assert!(rotate);
                session.token = session.token.child(&issued_child);
            }
            Decision::Renew { expires_at } => {
                assert!(!rotate);
                assert!(expires_at >= right.plus(HOUR));
            }
            other => panic!("{other:?}"),
        }
        at.clock.set(right.plus(HOUR - MOMENT));
        at.refresh(&mut session).await;
    }
}

/// Invariant 8: a clock that is ahead makes sessions look expired and deletes none.
pub async fn a_clock_that_is_ahead_deletes_nothing(at: &Fixture) {
    let mut sessions = Vec::new();
    for _ in 0..3 {
        sessions.push(at.login("alice").await);
    }
    let gone = sessions.pop().unwrap();
    let right = at.clock.now();
    at.wait(HOUR * 2400);
    assert_eq!(at.store.list(&gone.subject).await.unwrap(), []);
    let reason = regrant::types::RevocationReason::Logout;
    // A logout counts, although the session looks expired.
    assert_eq!(at.revoke(&gone, reason).await, RevocationOutcome::Unknown);
    for session in &sessions {
        let decision = at.attempt(session, &session.token.claims, true, TheftScope::Session).await;
        assert_eq!(decision, None);
    }
    let (new, evicted) =
        at.login_as("alice", |new| new.max_sessions = std::num::NonZeroU32::new(3)).await;
    assert_eq!(evicted, [].into());
    at.clock.set(right.plus(MINUTE));
    for session in &mut sessions {
        at.refresh(session).await;
    }
    assert_eq!(at.decide(&gone, &gone.token).await, Decision::Revoked(reason));
    assert!(at.record(&new).await.is_some());
}

pub async fn a_token_newer_than_the_record_is_accepted(at: &Fixture) {
    let session = at.login("alice").await;
    at.wait(MINUTE);
    let mut token = session.token.clone();
    for generation in 1..=3 {
        let family_position = FamilyPosition { generation, branch: 0 };
        let expires_at = at.clock.now().plus(HOUR);
        token =
            token.child(&IssuedChild { family_position, issued_at: at.clock.now(), expires_at });
    }
    let mut session = Session { token, ..session };
    assert_eq!(at.refresh(&mut session).await.family_position.generation, 4);
    assert_eq!(at.record(&session).await.unwrap().generation, 3);
}

pub async fn a_superseded_token_gets_nothing_and_revokes_nothing(at: &Fixture) {
    let mut session = at.login("alice").await;
    let first = session.token.clone();
    at.refresh(&mut session).await;
    at.wait(MINUTE);
    at.refresh(&mut session).await;
    at.wait(GRACE);
    assert_eq!(at.decide(&session, &first).await, Decision::Superseded);
    at.refresh(&mut session).await;
}

pub async fn an_unknown_session_stays_unknown(at: &Fixture) {
    let session = at.login("alice").await;
    let unknown = Session { id: SessionId::from_bytes([0xEE; 16]), ..session };
    assert_eq!(at.attempt(&unknown, &unknown.token.claims, true, TheftScope::Subject).await, None);
    assert_eq!(at.record_use(&unknown, &unknown.token, true).await, None);
    let reason = regrant::types::RevocationReason::Logout;
    assert_eq!(at.revoke(&unknown, reason).await, RevocationOutcome::Unknown);
    assert_eq!(at.record(&unknown).await, None);
}

pub async fn another_user_s_session_is_unknown(at: &Fixture) {
    let alice = at.login("alice").await;
    let bob = at.login("bob").await;
    let mixed = Session { subject: bob.subject.clone(), ..alice.clone() };
    assert_eq!(at.attempt(&mixed, &alice.token.claims, true, TheftScope::Subject).await, None);
    assert_eq!(at.record_use(&mixed, &alice.token, true).await, None);
    let reason = regrant::types::RevocationReason::Logout;
    assert_eq!(at.revoke(&mixed, reason).await, RevocationOutcome::Unknown);
    assert!(at.is_live(&alice).await && at.is_live(&bob).await);
}

pub async fn an_expired_token_is_refused(at: &Fixture) {
    let mut session = at.login("alice").await;
    at.wait(HOUR - MOMENT);
    let first = session.token.clone();
    at.refresh(&mut session).await;
    at.wait(MOMENT);
    // Its own lifetime is over, and that of the session has moved: a retry gets the same child.
    assert!(matches!(at.decide(&session, &first).await, Decision::Replay(_)));
    at.wait(HOUR - MOMENT);
    assert_eq!(at.decide(&session, &first).await, Decision::Expired);
    assert_eq!(at.decide(&session, &session.token).await, Decision::Expired);
    let mut forever = session.token.clone();
    forever.claims.expires_at = at.clock.now().plus(HOUR * 100);
    // Past its end the whole session is unknown, whatever the token says.
    at.wait(HOUR * 8);
    assert!(matches!(at.decide(&session, &forever).await, Decision::Rotate(_)));
    at.wait(MOMENT);
    assert_eq!(at.attempt(&session, &forever.claims, true, TheftScope::Session).await, None);
    assert_eq!(at.record_use(&session, &forever, true).await, None);
    let reason = regrant::types::RevocationReason::Logout;
    assert_eq!(at.revoke(&session, reason).await, RevocationOutcome::Unknown);
}
