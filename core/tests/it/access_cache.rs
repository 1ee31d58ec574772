//! The cache of verified tokens accepts only tokens that full verification accepts.

use std::sync::Arc;
use std::time::Duration;

use crate::support::access::*;
use proptest::prelude::*;
use regrant::ErrorCode;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::types::{ManualClock, Timestamp};

fn caching(tokens: usize) -> (AccessVerifier, Arc<ManualClock>) {
    let clock = clock();
    let policy =
        AccessPolicy::builder().cache(tokens).leeway(Duration::from_secs(1)).build().unwrap();
    (AccessVerifier::new(keyring(), policy, Arc::clone(&clock) as _).unwrap(), clock)
}

fn of(subject: &str) -> String {
    token(ACCESS_HEADER, &format!("{{\"sub\":\"{subject}\",\"exp\":{}}}", NOW + 60))
}

#[test]
fn a_token_is_cached_by_its_first_use() {
    let (verifier, _) = caching(8);
    let (first, again) = (verifier.verify(&of("u")).unwrap(), verifier.verify(&of("u")).unwrap());
    assert!(first.cache_id().is_some());
    assert_eq!(first.cache_id(), again.cache_id());
    assert_eq!(first.payload(), again.payload());
    let other = verifier.verify(&of("v")).unwrap();
    assert_eq!(other.subject().as_str(), "v");
    assert_ne!(other.cache_id(), first.cache_id());
}

#[test]
fn times_of_a_cached_token_are_checked_with_each_use() {
    let (verifier, clock) = caching(8);
    let claims = format!("{{\"sub\":\"u\",\"nbf\":{},\"exp\":{}}}", NOW - 10, NOW + 60);
    let token = token(ACCESS_HEADER, &claims);
    verifier.verify(&token).unwrap();
    let at = |seconds| {
        clock.set(Timestamp::from_seconds(NOW + seconds));
        verifier.verify(&token).map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(at(60), Ok(()), "within the leeway");
    assert_eq!(at(61), Err(ErrorCode::TokenExpired));
    assert_eq!(at(-12), Err(ErrorCode::TokenNotYetValid));
    assert_eq!(at(0), Ok(()));
}

#[test]
fn max_age_applies_to_a_cached_token() {
    let clock = clock();
    let policy = AccessPolicy::builder().cache(8).max_age(Duration::from_secs(30)).build().unwrap();
    let verifier = AccessVerifier::new(keyring(), policy, Arc::clone(&clock) as _).unwrap();
    let claims = format!("{{\"sub\":\"u\",\"iat\":{NOW},\"exp\":{}}}", NOW + 600);
    let token = token(ACCESS_HEADER, &claims);
    verifier.verify(&token).unwrap();
    clock.advance(Duration::from_secs(30));
    assert_eq!(verifier.verify(&token).unwrap_err().code(), ErrorCode::TokenExpired);
}

#[test]
fn a_token_with_the_signature_of_a_cached_one_is_not_found() {
    let (verifier, _) = caching(8);
    let good = of("u");
    verifier.verify(&good).unwrap();
    for place in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(verifier.verify(&altered).is_err(), "{place}");
    }
    // The claims of one user with the signature of another user's token.
    let (other, (signed, signature)) = (of("v"), good.rsplit_once('.').unwrap());
    let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_ne!(mixed, format!("{signed}.{signature}"));
    assert_eq!(verifier.verify(&mixed).unwrap_err().code(), ErrorCode::SignatureInvalid);
}

#[test]
fn the_cache_has_a_fixed_number_of_slots() {
    let (verifier, _) = caching(100);
    assert_eq!(verifier.cache_slots(), 128);
    let tokens: Vec<_> = (0..1000).map(|number| of(&format!("u{number}"))).collect();
    let mut ids = std::collections::HashSet::new();
    for token in &tokens {
        let id = verifier.verify(token).unwrap().cache_id().unwrap();
        assert!(ids.insert(id), "an id is assigned twice");
    }
    let slots: std::collections::HashSet<_> = ids.iter().map(|id| id % 128).collect();
    assert!(slots.len() <= 104 && slots.len() > 90, "{}", slots.len());
    let is_cached =
        |token: &&String| ids.contains(&verifier.verify(token).unwrap().cache_id().unwrap());
    // The most recently used entry of a set is not evicted.
    assert!(is_cached(&tokens.last().unwrap()));
}

#[test]
fn nothing_is_cached_by_default_and_no_long_token() {
    let verifier = verifier(AccessPolicy::default());
    assert_eq!(verifier.verify(&of("u")).unwrap().cache_id(), None);
    assert_eq!(verifier.cache_slots(), 0);
    let (verifier, _) = caching(8);
    let claims = format!("{{\"sub\":\"u\",\"exp\":{},\"x\":\"{}\"}}", NOW + 60, "x".repeat(1000));
    let token = token(ACCESS_HEADER, &claims);
    assert_eq!(verifier.verify(&token).unwrap().cache_id(), None);
    assert_eq!(verifier.verify(&token).unwrap().cache_id(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// In any order, at any time, with the smallest cache.
    #[test]
    fn a_verifier_with_a_cache_answers_like_one_without(
        uses in proptest::collection::vec((0..20_u32, 0..90_i64, any::<bool>()), 1..200),
    ) {
        let (cached, clock) = caching(1);
        let policy = AccessPolicy::builder().leeway(Duration::from_secs(1)).build().unwrap();
        let uncached = AccessVerifier::new(keyring(), policy, Arc::clone(&clock) as _).unwrap();
        for (user, second, altered) in uses {
            clock.set(Timestamp::from_seconds(NOW + second));
            let mut token = of(&format!("u{user}"));
            if altered {
                token.insert(7, 'A');
            }
            let said = |verifier: &AccessVerifier| {
                let access = verifier.verify(&token);
                access.map(|a| a.payload().to_owned()).map_err(|error| error.code())
            };
            prop_assert_eq!(said(&cached), said(&uncached));
        }
    }
}
