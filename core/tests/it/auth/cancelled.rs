//! A server drops the work for a client that disconnects, in the middle: what it has begun is finished all the same.

use std::sync::Arc;
use std::time::Duration;

use regrant::types::RevocationReason;
use regrant::{Login, RefreshRequest, SessionUpdate};
use regrant::{LogoutEverywhere, Result};
use serde_json::json;

use super::feed::{Common, processes_with};
use super::{alice, assert_code, settle};

/// Drops the call after this many answers of the store and the feed, which do what they are asked for.
async fn give_up<T>(common: &Arc<Common>, answers: usize, call: impl Future<Output = Result<T>>) {
    common.silence(true);
    tokio::pin!(call);
    for number in 0..=answers {
        tokio::select! {
            biased;
            _ = &mut call => panic!("it was not interrupted"),
            () = settle() => {}
        }
        if number < answers {
            common.answer_once();
        }
    }
}

/// Waits, in the time of the test, until the background task has finished what was begun.
async fn finished(common: &Common) {
    common.silence(false);
    tokio::time::sleep(Duration::from_secs(10)).await;
    settle().await;
}

#[tokio::test(start_paused = true)]
async fn a_logout_whose_client_has_gone_reaches_every_process() {
    for answers in 0..2 {
        for way in 0..3 {
            let (here, there, common) = processes_with(json!({}));
            let pair = here.login().await;
            there.auth.verify(pair.access_token.expose()).unwrap();
            settle().await;
            let auth = &here.auth;
            match way {
                0 => give_up(&common, answers, auth.logout(pair.refresh_token.expose())).await,
                1 => give_up(&common, answers, auth.logout_everywhere(alice())).await,
                _ => {
                    let (user, reason) = (alice(), RevocationReason::Administrative);
                    let call = auth.revoke_session(&user, &pair.session, reason);
                    give_up(&common, answers, call).await;
                }
            }
            finished(&common).await;
            let case = format!("{way}, {answers}");
            assert!(there.auth.verify(pair.access_token.expose()).is_err(), "{case}");
            let ended = here.events().iter().filter(|it| *it == "revoked").count();
            // A store that has not answered knows who ended the session, and the event is lost.
            assert_eq!(ended, answers, "{case}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_a_login_displaced_ends_in_every_process() {
    let (here, there, common) = processes_with(json!({ "refresh": { "maxSessions": 1 } }));
    let first = here.login().await;
    there.auth.verify(first.access_token.expose()).unwrap();
    settle().await;
    here.advance(1);
    give_up(&common, 1, here.auth.login(Login::new(alice()))).await;
    finished(&common).await;
    assert_code(there.auth.verify(first.access_token.expose()), "ERR_ACCESS_REVOKED");
    assert_eq!(here.events(), ["login", "login", "revoked"]);
}

/// The thief hangs up, and the honest user is asleep.
#[tokio::test(start_paused = true)]
async fn a_theft_whose_client_has_gone_ends_all_sessions_that_it_is_to_end() {
    for scope in ["session", "subject"] {
        let (here, there, common) = processes_with(json!({ "refresh": { "onTheft": scope } }));
        let (stolen, other) = (here.login().await, here.login().await);
        let honest = here.refresh(stolen.refresh_token.expose()).await.unwrap();
        for token in [&honest.access_token, &other.access_token] {
            there.auth.verify(token.expose()).unwrap();
        }
        settle().await;
        here.advance(11);
        let theft = here.auth.refresh(RefreshRequest::new(stolen.refresh_token.expose()));
        give_up(&common, 1, theft).await;
        finished(&common).await;
        assert_code(there.auth.verify(honest.access_token.expose()), "ERR_ACCESS_REVOKED");
        let others = there.auth.verify(other.access_token.expose());
        assert_eq!(others.is_err(), scope == "subject", "{scope}");
        assert!(here.events().contains(&"theft".to_owned()), "{:?}", here.events());
    }
}

/// The claims are stored, and the old ones must not stay in force.
#[tokio::test(start_paused = true)]
async fn an_update_at_once_whose_client_has_gone_denies_the_tokens_of_before() {
    for answers in 0..2 {
        let (here, there, common) = processes_with(json!({}));
        let pair = here.login().await;
        there.auth.verify(pair.access_token.expose()).unwrap();
        settle().await;
        let update = SessionUpdate::claims(alice(), pair.session, serde_json::Map::new());
        give_up(&common, answers, here.auth.update_session(update.at_once())).await;
        finished(&common).await;
        assert_code(there.auth.verify(pair.access_token.expose()), "ERR_TOKEN_EXPIRED");
        let renewed = there.refresh(pair.refresh_token.expose()).await.unwrap();
        here.auth.verify(renewed.access_token.expose()).unwrap();
    }
}

/// What is done is not repeated.
#[tokio::test(start_paused = true)]
async fn a_call_that_ends_leaves_nothing_to_do() {
    let (here, _, common) = processes_with(json!({}));
    let pair = here.login().await;
    here.auth.logout(pair.refresh_token.expose()).await.unwrap();
    here.auth.logout_everywhere(LogoutEverywhere::new(alice())).await.unwrap();
    let published = common.published();
    finished(&common).await;
    assert_eq!(common.published(), published);
}
