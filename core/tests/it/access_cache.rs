//! Verified tokens that are kept: nothing passes that would not pass without them.

use std::sync::Arc;
use std::time::Duration;

use crate::access_support::*;
use proptest::prelude::*;
use regrant::ErrorCode;
use regrant::access::{AccessPolicy, AccessVerifier};
use regrant::types::{ManualClock, Timestamp};

fn keeping(tokens: usize) -> (AccessVerifier, Arc<ManualClock>) {
    let clock = clock();
    let policy =
        AccessPolicy::builder().cache(tokens).leeway(Duration::from_secs(1)).build().unwrap();
    (AccessVerifier::new(keyring(), policy, Arc::clone(&clock) as _).unwrap(), clock)
}

fn of(subject: &str) -> String {
    token(ACCESS_HEADER, &format!("{{\"sub\":\"{subject}\",\"exp\":{}}}", NOW + 60))
}

#[test]
fn a_token_is_kept_from_its_first_use() {
    let (verifier, _) = keeping(8);
    let (first, again) = (verifier.verify(&of("u")).unwrap(), verifier.verify(&of("u")).unwrap());
    assert!(first.kept_as().is_some());
    assert_eq!(first.kept_as(), again.kept_as());
    assert_eq!(first.payload(), again.payload());
    let other = verifier.verify(&of("v")).unwrap();
    assert_eq!(other.subject().as_str(), "v");
    assert_ne!(other.kept_as(), first.kept_as());
}

#[test]
fn its_times_are_checked_each_time() {
    let (verifier, clock) = keeping(8);
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
fn too_old_is_too_old() {
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
fn any_other_text_with_its_end_is_another_token() {
    let (verifier, _) = keeping(8);
    let good = of("u");
    verifier.verify(&good).unwrap();
    for place in 0..good.len() {
        let mut altered = good.clone().into_bytes();
        altered[place] = if altered[place] == b'A' { b'B' } else { b'A' };
        let altered = String::from_utf8(altered).unwrap();
        assert!(verifier.verify(&altered).is_err(), "{place}");
    }
    // The claims of one user under the signature of another one.
    let (other, (signed, signature)) = (of("v"), good.rsplit_once('.').unwrap());
    let mixed = format!("{}.{signature}", other.rsplit_once('.').unwrap().0);
    assert_ne!(mixed, format!("{signed}.{signature}"));
    assert_eq!(verifier.verify(&mixed).unwrap_err().code(), ErrorCode::SignatureInvalid);
}

#[test]
fn there_are_no_more_than_so_many() {
    let (verifier, _) = keeping(100);
    assert_eq!(verifier.places(), 128);
    let tokens: Vec<_> = (0..1000).map(|number| of(&format!("u{number}"))).collect();
    let mut numbers = std::collections::HashSet::new();
    for token in &tokens {
        let number = verifier.verify(token).unwrap().kept_as().unwrap();
        assert!(numbers.insert(number), "no number is given twice");
    }
    let places: std::collections::HashSet<_> = numbers.iter().map(|number| number % 128).collect();
    assert!(places.len() <= 104 && places.len() > 90, "{}", places.len());
    let kept =
        |token: &&String| numbers.contains(&verifier.verify(token).unwrap().kept_as().unwrap());
    // The youngest of a set is not the one to give way.
    assert!(kept(&tokens.last().unwrap()));
}

#[test]
fn none_are_kept_unless_asked_for_and_no_long_ones() {
    let verifier = verifier(AccessPolicy::default());
    assert_eq!(verifier.verify(&of("u")).unwrap().kept_as(), None);
    assert_eq!(verifier.places(), 0);
    let (verifier, _) = keeping(8);
    let claims = format!("{{\"sub\":\"u\",\"exp\":{},\"x\":\"{}\"}}", NOW + 60, "x".repeat(1000));
    let token = token(ACCESS_HEADER, &claims);
    assert_eq!(verifier.verify(&token).unwrap().kept_as(), None);
    assert_eq!(verifier.verify(&token).unwrap().kept_as(), None);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    /// In any order, at any time, with as few places as there can be.
    #[test]
    fn it_answers_as_a_verifier_that_keeps_nothing(
        uses in proptest::collection::vec((0..20_u32, 0..90_i64, any::<bool>()), 1..200),
    ) {
        let (keeps, clock) = keeping(1);
        let policy = AccessPolicy::builder().leeway(Duration::from_secs(1)).build().unwrap();
        let forgets = AccessVerifier::new(keyring(), policy, Arc::clone(&clock) as _).unwrap();
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
            prop_assert_eq!(said(&keeps), said(&forgets));
        }
    }
}
