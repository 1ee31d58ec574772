//! Sessions that are bound to a key of the client (RFC 9449).

use std::time::Duration;

use regrant::dpop::{PresentedProof, SoftwareKey, UnsignedProof};
use regrant::http::{Endpoints, WebPolicy};
use regrant::{Error, Login, Logout, RefreshRequest, RefreshResponse, Result, TokenPair};
use serde_json::json;

use super::feed::processes_with;
use super::{World, alice, next, settle};
use regrant::types::Clock as _;

const ORIGIN: &str = "https://api.example";
const REFRESH: (&str, &str) = ("POST", "/auth/refresh");
const LOGOUT: (&str, &str) = ("POST", "/auth/logout");
const ME: (&str, &str) = ("GET", "/me?a=b");

/// A configuration with these fields and an origin.
fn dpop(mut fields: serde_json::Value) -> serde_json::Value {
    fields["origin"] = ORIGIN.into();
    json!({ "dpop": fields })
}

impl World {
    /// A proof by `key` for a request.
    fn proof(
        &self,
        key: &SoftwareKey,
        (method, path): (&str, &str),
        access: Option<&str>,
    ) -> PresentedProof {
        let nonce = self.auth.proof_nonce();
        let (now, url) = (self.clock.now(), format!("{ORIGIN}{path}"));
        let prover =
            UnsignedProof { method, url: &url, now, nonce: nonce.as_deref(), access_token: access };
        PresentedProof::new(prover.sign(key).unwrap(), method, path)
    }

    async fn bound_login(&self, key: &SoftwareKey) -> TokenPair {
        let proof = self.proof(key, REFRESH, None);
        self.auth.login(Login::new(alice()).proof(proof)).await.unwrap()
    }

    async fn bound_refresh(&self, token: &str, key: &SoftwareKey) -> Result<RefreshResponse> {
        let proof = self.proof(key, REFRESH, None);
        self.auth.refresh(RefreshRequest::new(token).proof(proof)).await
    }
}

#[tokio::test]
async fn bound_tokens_are_rejected_without_a_proof() {
    for fields in [json!({}), json!({ "nonce": "5m" })] {
        let world = World::new(dpop(fields));
        let (key, thiefs) = (SoftwareKey::generate().unwrap(), SoftwareKey::generate().unwrap());
        let mut pair = world.bound_login(&key).await;

        for _ in 0..3 {
            let access = pair.access_token.expose();
            let mine = world.proof(&key, ME, Some(access));
            let verified = world.auth.verify_with_proof(access, &mine).unwrap();
            assert_eq!(verified.key(), Some(key.thumbprint().unwrap()));
            let used = world.auth.verify_with_proof(access, &mine);
            assert!(matches!(used, Err(Error::DpopProofReplayed)));
            assert!(matches!(world.auth.verify(access), Err(Error::DpopProofMissing)));
            let header = format!("Bearer {access}");
            let as_bearer = world.auth.verify_bearer(Some(&header));
            assert!(matches!(as_bearer, Err(Error::DpopProofMissing)));
            for bad in [world.proof(&thiefs, ME, Some(access)), world.proof(&key, ME, None)] {
                let refused = world.auth.verify_with_proof(access, &bad);
                assert!(matches!(refused, Err(Error::DpopProofInvalid { .. })));
            }

            let refresh = pair.refresh_token.expose();
            let without = world.refresh(refresh).await;
            assert!(matches!(without, Err(Error::DpopProofMissing)));
            let by_thief = world.bound_refresh(refresh, &thiefs).await;
            assert!(matches!(by_thief, Err(Error::DpopProofInvalid { .. })));
            let logout = world.auth.logout(refresh).await;
            assert!(matches!(logout, Err(Error::DpopProofMissing)));
            let proof = world.proof(&thiefs, LOGOUT, None);
            let logout = world.auth.logout(Logout::new(refresh).proof(proof.clone())).await;
            assert!(matches!(logout, Err(Error::DpopProofInvalid { .. })));
            // What was refused has changed nothing, and is no theft.
            world.clock.advance(Duration::from_secs(60));
            let renewed = world.bound_refresh(refresh, &key).await.unwrap();
            pair.access_token = renewed.access_token;
            pair.refresh_token = renewed.refresh_token.unwrap();
        }

        let refresh = pair.refresh_token.expose();
        let proof = world.proof(&key, LOGOUT, None);
        assert!(world.auth.logout(Logout::new(refresh).proof(proof.clone())).await.unwrap());
        let again = world.auth.logout(Logout::new(refresh).proof(proof.clone())).await;
        assert!(matches!(again, Err(Error::DpopProofReplayed)));
        let after = world.bound_refresh(refresh, &key).await;
        assert!(matches!(after, Err(Error::SessionRevoked { .. })));
    }
}

/// A thief has the answer to a refresh that its owner did not get, but no key. If a use counted before its
/// proof is checked, it would end the session: first because the child seems to have arrived, then because
/// the child is a discarded one.
#[tokio::test]
async fn an_access_token_without_its_key_counts_as_not_used() {
    for has_feed in [false, true] {
        let config = dpop(json!({}));
        let world = if has_feed { processes_with(config).0 } else { World::new(config) };
        let (key, thiefs) = (SoftwareKey::generate().unwrap(), SoftwareKey::generate().unwrap());
        settle().await;
        let pair = world.bound_login(&key).await;
        let parent = pair.refresh_token.expose();
        let stolen = world.bound_refresh(parent, &key).await.unwrap();
        let access = stolen.access_token.expose();
        let form = format!("token={access}");
        let try_without_key = async || {
            let by_thief = world.proof(&thiefs, ME, Some(access));
            let refused = world.auth.verify_with_proof(access, &by_thief);
            assert!(matches!(refused, Err(Error::DpopProofInvalid { .. })), "{refused:?}");
            assert!(matches!(world.auth.verify(access), Err(Error::DpopProofMissing)));
            // Of a service that checks the proof only after it has asked.
            let web = WebPolicy::default();
            let response = Endpoints::new(&world.auth, &web).introspect(&form).await;
            assert_eq!(response.status, 200);
            settle().await;
            response.body.unwrap()["active"].clone()
        };

        world.advance(15);
        // Then the introspection asks the store.
        assert_eq!(world.auth.is_stale(), has_feed);
        assert_eq!(try_without_key().await, true);
        world.advance(15);
        let again = world.bound_refresh(parent, &key).await.unwrap();
        assert_eq!(next(&again), next(&stolen));

        world.advance(60);
        let renewed = world.bound_refresh(parent, &key).await.unwrap();
        assert_ne!(next(&renewed), next(&stolen));
        assert_eq!(try_without_key().await, false);
        world.bound_refresh(next(&renewed), &key).await.unwrap();
        assert_eq!(world.events(), ["login", "refreshed", "reissued", "refreshed", "refreshed"]);

        // With the key, it is the use of a discarded child.
        let mine = world.proof(&key, ME, Some(access));
        let refused = world.auth.verify_with_proof(access, &mine);
        assert!(matches!(refused, Err(Error::AccessRevoked)), "{refused:?}");
        settle().await;
        assert_eq!(world.events().last().map(String::as_str), Some("theft"));
    }
}

/// A proof may be signed by any algorithm of its sender's choice, so nobody gets one checked without a
/// token.
#[tokio::test]
async fn the_token_is_verified_before_its_proof() {
    for fields in [json!({}), json!({ "nonce": "5m" })] {
        let world = World::new(dpop(fields));
        let key = SoftwareKey::generate().unwrap();
        let pair = world.bound_login(&key).await;
        let (access, refresh) = (pair.access_token.expose(), pair.refresh_token.expose());
        let junk = |(method, path)| PresentedProof::new("junk", method, path);
        let is_invalid = |error: Error| matches!(error, Error::DpopProofInvalid { .. });
        assert!(is_invalid(world.auth.verify_with_proof(access, &junk(ME)).unwrap_err()));
        let with_junk = |token| world.auth.refresh(RefreshRequest::new(token).proof(junk(REFRESH)));
        assert!(is_invalid(with_junk(refresh).await.unwrap_err()));

        let changed = format!("{access}x");
        for forged in ["junk", &changed] {
            let refused = world.auth.verify_with_proof(forged, &junk(ME)).unwrap_err();
            assert!(!is_invalid(refused));
            assert!(!is_invalid(with_junk(forged).await.unwrap_err()));
        }
        world.clock.advance(Duration::from_secs(3600));
        let expired = world.auth.verify_with_proof(access, &junk(ME)).unwrap_err();
        assert!(matches!(expired, Error::TokenExpired));
        world.auth.logout_everywhere(&alice()).await.unwrap();
        let renewed = with_junk(refresh).await;
        // The session is a question to the store, which comes after the proof.
        assert!(is_invalid(renewed.unwrap_err()));
    }
}

#[tokio::test]
async fn a_lost_response_is_retried_with_a_new_proof() {
    let world = World::new(dpop(json!({})));
    let key = SoftwareKey::generate().unwrap();
    let pair = world.bound_login(&key).await;
    let one = world.bound_refresh(pair.refresh_token.expose(), &key).await.unwrap();
    let two = world.bound_refresh(pair.refresh_token.expose(), &key).await.unwrap();
    assert_eq!(one.refresh_token, two.refresh_token);
}

#[tokio::test]
async fn access_tokens_may_stay_bearer_tokens() {
    let world = World::new(dpop(json!({ "access": false })));
    let key = SoftwareKey::generate().unwrap();
    let pair = world.bound_login(&key).await;
    assert_eq!(world.auth.verify(pair.access_token.expose()).unwrap().key(), None);
    let without = world.refresh(pair.refresh_token.expose()).await;
    assert!(matches!(without, Err(Error::DpopProofMissing)));
    world.bound_refresh(pair.refresh_token.expose(), &key).await.unwrap();
}

#[tokio::test]
async fn unbound_sessions_continue_and_a_login_can_require_dpop() {
    let world = World::new(dpop(json!({})));
    let pair = world.login().await;
    world.auth.verify(pair.access_token.expose()).unwrap();
    let key = SoftwareKey::generate().unwrap();
    // A proof does not bind what has begun without one.
    let renewed = world.bound_refresh(pair.refresh_token.expose(), &key).await.unwrap();
    let access = renewed.access_token.expose();
    assert_eq!(world.auth.verify(access).unwrap().key(), None);
    // A proof by another key than the one that the token is bound to is rejected.
    let proof = world.proof(&key, ME, Some(access));
    let refused = world.auth.verify_with_proof(access, &proof);
    assert!(matches!(refused, Err(Error::DpopProofInvalid { .. })));
    let proof = world.proof(&key, LOGOUT, None);
    let logout = Logout::new(pair.refresh_token.expose()).proof(proof);
    assert!(world.auth.logout(logout).await.unwrap());

    let strict = World::new(dpop(json!({ "required": true })));
    let refused = strict.auth.login(Login::new(alice())).await;
    assert!(matches!(refused, Err(Error::DpopProofMissing)));
    strict.bound_login(&key).await;
}

#[tokio::test]
async fn without_dpop_configured_bound_tokens_are_neither_issued_nor_accepted() {
    let bound = World::new(dpop(json!({})));
    let key = SoftwareKey::generate().unwrap();
    let pair = bound.bound_login(&key).await;
    let plain = World::new(json!({}));
    assert!(matches!(plain.auth.verify(pair.access_token.expose()), Err(Error::DpopProofMissing)));
    let refused = plain.refresh(pair.refresh_token.expose()).await;
    assert!(matches!(refused, Err(Error::DpopProofMissing)));
    let refused = plain.auth.logout(pair.refresh_token.expose()).await;
    assert!(matches!(refused, Err(Error::DpopProofMissing)));
    let checked = plain.auth.check_proof(&PresentedProof::new("a.b.c", "GET", "/me"));
    assert!(matches!(checked, Err(Error::ConfigInvalid { field, .. }) if field == "dpop"));
}

#[tokio::test]
async fn an_app_cannot_set_the_cnf_claim() {
    let world = World::new(json!({}));
    let claims = json!({ "cnf": { "jkt": "x" } }).as_object().unwrap().clone();
    let refused = world.auth.login(Login::new(alice()).claims(claims)).await;
    let refused = refused.unwrap_err().details();
    assert_eq!(refused.detail.as_deref(), Some("claims: cnf is a reserved claim"));
}

#[tokio::test]
async fn invalid_dpop_options_are_rejected_by_name() {
    for (fields, field) in [
        (json!({ "maxAge": 0 }), "dpop.maxAge"),
        (json!({ "maxAge": "11m" }), "dpop.maxAge"),
        (json!({ "leeway": "6m" }), "dpop.leeway"),
        (json!({ "nonce": 0 }), "dpop.nonce"),
        (json!({ "capacity": 0 }), "dpop.capacity"),
        (json!({ "origin": "https://api.example/path" }), "dpop.origin"),
        (json!({ "origin": "api.example" }), "dpop.origin"),
        (json!({ "origin": null }), "dpop.origin"),
        (json!({ "origin": [] }), "dpop.origin"),
        (json!({ "origin": ["https://api.example", "api.example"] }), "dpop.origin"),
        (json!({ "wrong": 1 }), "dpop.wrong"),
    ] {
        let mut config = dpop(json!({}));
        config["secret"] = super::SECRET.into();
        config["store"] = "memory:".into();
        for (name, value) in fields.as_object().unwrap() {
            config["dpop"][name] = value.clone();
        }
        let refused = super::Auth::from_json(&config.to_string()).map(super::AuthBuilder::build);
        let error = match refused {
            Ok(built) => built.unwrap_err(),
            Err(error) => error,
        };
        assert!(
            matches!(&error, Error::ConfigInvalid { field: named, .. } if named == field),
            "{error}"
        );
    }
}
