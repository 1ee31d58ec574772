//! Apps that share a secret and a store, each in a realm of its own, and the sessions of previous
//! realms.

use std::collections::BTreeSet;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use regrant::revocation::{FeedCursor, Revocation, RevocationTarget};
use regrant::session::TheftScope;
use regrant::store::{RealmStore, RevocationOutcome, SessionFilter, SessionStore};
use regrant::types::{Clock, Realm, Realms, RevocationReason, SessionId, Subject};
use regrant::{Auth, Error, Login, LogoutEverywhere, RefreshRequest, TokenPair};
use serde_json::{Value, json};

use super::fixture::{Fixture, HOUR};

/// An app with its own audience, and what else its configuration says.
fn app(at: &Fixture, audience: &str, more: &Value) -> Auth {
    let mut config = json!({
        "secret": "the one secret of several apps, in tests",
        "refresh": { "maxSessions": 1 },
    });
    if !audience.is_empty() {
        config["access"] = json!({ "audience": audience });
    }
    for (name, value) in more.as_object().expect("options") {
        config[name] = value.clone();
    }
    Auth::from_json(&config.to_string())
        .and_then(|builder| {
            let clock = Arc::clone(&at.clock) as Arc<dyn Clock>;
            builder.shared_store(Arc::clone(&at.store)).clock(clock).build()
        })
        .expect("a configuration")
}

fn alice() -> Subject {
    Subject::new("alice").expect("a subject")
}

async fn login(app: &Auth) -> TokenPair {
    app.login(Login::new(alice())).await.expect("a login")
}

/// Refreshes and returns the next refresh token.
async fn refresh(app: &Auth, token: &str) -> Result<String, Error> {
    let response = app.refresh(RefreshRequest::new(token)).await?;
    Ok(response.refresh_token.expect("rotation is on").expose().to_owned())
}

pub async fn nothing_of_one_realm_means_anything_in_another(at: &Fixture) {
    let (shop, admin) = (app(at, "shop", &json!({})), app(at, "admin", &json!({})));
    // With a limit of one session: a login at one app displaces none of the other's.
    let (of_shop, of_admin) = (login(&shop).await, login(&admin).await);
    let token = of_shop.refresh_token.expose();
    for result in [
        admin.refresh(RefreshRequest::new(token)).await.map(drop),
        admin.refresh_subject(token).await.map(drop),
        admin.introspect_refresh(token).await.map(drop),
        admin.logout(token).await.map(drop),
        shop.refresh(RefreshRequest::new(of_admin.refresh_token.expose())).await.map(drop),
    ] {
        assert!(matches!(result, Err(Error::SignatureInvalid)), "{result:?}");
    }
    for (app, own, other) in [(&shop, &of_shop, &of_admin), (&admin, &of_admin, &of_shop)] {
        let listed = app.sessions(&alice(), None).await.expect("a list");
        assert_eq!(listed.iter().map(|info| info.id).collect::<Vec<_>>(), [own.session]);
        let reason = RevocationReason::Administrative;
        let was_live = app.revoke_session(&alice(), &other.session, reason).await.expect("done");
        assert!(!was_live);
    }
    let service = shop.issue_access_token(alice(), serde_json::Map::new()).expect("a token");
    let ended = admin.logout_everywhere(LogoutEverywhere::new(alice())).await.expect("done");
    assert_eq!(ended, 1);
    for token in [&of_shop.access_token, &service.token] {
        shop.verify(token.expose()).expect("shop knows nothing of it");
    }
    let next = refresh(&shop, token).await.expect("shop's session goes on");
    assert!(matches!(refresh(&admin, &next).await, Err(Error::SignatureInvalid)));
}

/// What a store is asked by a server of another realm, which would accept the token.
pub async fn a_store_keeps_realms_apart(at: &Fixture) {
    let realms = ["shop", "admin"].map(|name| Realms::new(Realm::new(name).expect("a name")));
    let stores = realms.map(|realms| Arc::new(RealmStore::new(Arc::clone(&at.store), realms)));
    let [shop, admin] = stores.each_ref().map(|store| {
        let store = Arc::clone(store) as Arc<dyn SessionStore>;
        Fixture::new(store, Arc::clone(&at.clock), ())
    });
    let id = SessionId::from_bytes([7; 16]);
    // Both have a session of the same user with the same id.
    let (session, _) = shop.login_with_id("alice", id, |_| {}).await;
    let before = shop.record(&session).await;
    assert_eq!(admin.record(&session).await, None);
    assert_eq!(admin.record_use(&session, &session.token, true).await, None);
    let presented = &session.token.claims;
    assert_eq!(admin.attempt(&session, presented, true, TheftScope::Subject).await, None);
    assert!(!admin.store.set_claims(&session.subject, &id, "{}").await.expect("done"));
    let reason = RevocationReason::Administrative;
    assert_eq!(admin.revoke(&session, reason).await, RevocationOutcome::Unknown);
    let (other, _) =
        admin.login_with_id("alice", id, |new| new.max_sessions = NonZero::new(1)).await;
    let revoked = admin.revoke_all(&alice(), SessionFilter::ALL, reason).await;
    assert_eq!(revoked, [BTreeSet::from([id]), BTreeSet::new()]);
    assert_eq!(shop.record(&session).await, before);
    assert!(!admin.is_live(&other).await);

    let (now, wait) = (at.clock.now(), Duration::from_millis(1));
    let feeds: Vec<_> = stores.iter().filter_map(|store| store.feed()).collect();
    let of_user = |number: usize| {
        let issued_until = now.minus(Duration::from_secs(number as u64));
        let target = RevocationTarget::Subject { subject: alice(), issued_until };
        Revocation::new(target, now.plus(HOUR))
    };
    for (number, feed) in feeds.iter().enumerate() {
        feed.publish(&[of_user(number)]).await.expect("done");
    }
    for (number, feed) in feeds.iter().enumerate() {
        let mut page = feed.read(&FeedCursor::default(), wait).await.expect("done");
        // A store repeats a request whose response is late.
        page.revocations.dedup();
        assert_eq!(page.revocations, [of_user(number)]);
    }
}

pub async fn sessions_of_previous_realms_go_on(at: &Fixture) {
    let first = app(at, "", &json!({}));
    let pair = login(&first).await;
    let named = app(at, "shop", &json!({}));
    let renamed = app(at, "shop", &json!({"realm": "store", "previousRealms": ["shop", ""]}));
    let strict = app(at, "shop", &json!({"realm": "strict", "previousRealms": []}));
    let mut token = pair.refresh_token.expose().to_owned();
    let mut earlier: Vec<&Auth> = Vec::new();
    for app in [&named, &renamed] {
        let result = refresh(&strict, &token).await;
        assert!(matches!(result, Err(Error::SignatureInvalid)), "{result:?}");
        token = refresh(app, &token).await.expect("the session goes on");
        // From now on it is of this realm: those before do not accept it.
        earlier.push(if earlier.is_empty() { &first } else { &named });
        for app in &earlier {
            let result = refresh(app, &token).await;
            assert!(matches!(result, Err(Error::SignatureInvalid)), "{result:?}");
        }
        let listed = app.sessions(&alice(), None).await.expect("a list");
        assert_eq!(listed.iter().map(|info| info.id).collect::<Vec<_>>(), [pair.session]);
        at.wait(HOUR / 2);
    }
    // Both the session of before and one of this realm.
    let second = login(&renamed).await;
    assert_eq!(renamed.sessions(&alice(), None).await.expect("a list").len(), 2);
    let everywhere = LogoutEverywhere::new(alice());
    assert_eq!(renamed.logout_everywhere(everywhere).await.expect("done"), 2);
    for token in [&token, second.refresh_token.expose()] {
        let result = refresh(&renamed, token).await;
        assert!(matches!(result, Err(Error::SessionRevoked { .. })), "{result:?}");
    }
}

pub async fn theft_of_a_session_of_a_previous_realm_is_detected(at: &Fixture) {
    let everywhere = json!({"refresh": { "onTheft": "subject", "maxSessions": 9 }});
    let pair = login(&app(at, "", &everywhere)).await;
    let named = app(at, "shop", &everywhere);
    let other = login(&named).await;
    let stolen = pair.refresh_token.expose().to_owned();
    let next = refresh(&named, &stolen).await.expect("a refresh");
    at.wait(HOUR / 4);
    refresh(&named, &next).await.expect("a refresh");
    at.wait(HOUR / 4);
    let result = refresh(&named, &stolen).await;
    assert!(matches!(result, Err(Error::RefreshReused)), "{result:?}");
    let result = refresh(&named, other.refresh_token.expose()).await;
    assert!(matches!(result, Err(Error::SessionRevoked { .. })), "{result:?}");
}
